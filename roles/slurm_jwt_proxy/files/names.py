# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Valid names, and which user of the cluster a name stands for. Part of the verifier; see verifier.py.

Every authenticated name passes checked_name() before it is used: lower case, cutting and comparing are unambiguous only
in ASCII. (U+212A in lower case is "k".)
"""

from __future__ import annotations

import re
from typing import Mapping, NamedTuple, Sequence

from errors import Refused

# An authenticated name: printable ASCII without a blank at either end.
NAME = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")
# A user of the cluster. slurmctld reads a number as a uid: 0 would be root.
USER = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\$?")

# An attribute of a subject, and its value as OpenSSL writes it: RFC 2253, in ASCII.
ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_VALUE = r'(?:\\[0-9A-Fa-f]{2}|\\[ "#+,;<=>\\]|[ !#-*\-.-:=?-\[\]-~])*'
_ATTRIBUTE_AND_VALUE = re.compile(rf"({ATTRIBUTE.pattern}|[0-9]+(?:\.[0-9]+)+)=({_VALUE})([,+]|\Z)")
_ESCAPED = re.compile(r"\\(?:([0-9A-Fa-f]{2})|(.))")
LONGEST_SUBJECT = 4096


class NameMap(NamedTuple):
    """From authenticated names to users of the cluster."""

    table: Mapping[str, str]
    domains: Sequence[str]
    lower_case: bool


def checked_name(name: str) -> str:
    if not name:
        raise Refused("no name was given")
    if not NAME.fullmatch(name):
        raise Refused("the name is too long, or is not printable ASCII without a blank at its ends")
    return name


def user_name(authenticated: str, mapping: NameMap) -> str:
    """The user of the cluster: from the table, else without a known domain and in lower case."""
    name = checked_name(authenticated)
    user = mapping.table[name] if name in mapping.table else _mapped(name, mapping)
    if not USER.fullmatch(user):
        raise Refused("no user of a cluster can be called that")
    return user


def _mapped(name: str, mapping: NameMap) -> str:
    user, at, domain = name.partition("@")
    if at and mapping.domains:
        if domain.lower() not in [known.lower() for known in mapping.domains]:
            raise Refused("the name has a domain that is not the cluster's")
        name = user
    return name.lower() if mapping.lower_case else name


def attribute(subject: str, name: str) -> str:
    """The one value of an attribute in a distinguished name: ``CN=alice,OU=hpc,O=example``.

    The attribute's name is case-sensitive: ``uid`` and ``UID`` are different.
    """
    attributes = list(_attributes_of(subject))
    values = [each for each in attributes if each.name == name]
    if len(values) != 1:
        present = ", ".join(sorted({each.name for each in attributes}))
        raise Refused(f"the subject has {len(values)} values of {name} instead of one. It has {present}")
    if values[0].is_combined:
        raise Refused(f"the subject has {name} combined with another attribute")
    return _unescaped(values[0].value)


class _Attribute(NamedTuple):
    name: str
    value: str
    """With its escapes."""
    is_combined: bool
    """Joined to another attribute by a plus sign."""


def _attributes_of(subject: str) -> list[_Attribute]:
    attributes: list[_Attribute] = []
    position, before = 0, ","
    while before and len(subject) <= LONGEST_SUBJECT:
        match = _ATTRIBUTE_AND_VALUE.match(subject, position)
        if not match:
            break
        name, value, after = match.groups()
        attributes.append(_Attribute(name, value, "+" in (before, after)))
        position, before = match.end(), after
    if before:
        raise Refused("the subject is too long, or is no distinguished name in the form of RFC 2253 and ASCII")
    return attributes


def _unescaped(value: str) -> str:
    """Raises Refused for a value that begins with #: a dump of something that is not text."""
    if value.startswith(("#", " ")) or re.search(r"(?<!\\) \Z", value):
        raise Refused("the value in the subject is no plain text")
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[2], value)
