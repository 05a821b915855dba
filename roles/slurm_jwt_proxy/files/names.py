# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names: what is taken for one, and which user of the cluster it stands for. Part of the verifier; see verifier.py.

Every name passes through name_of(), however somebody was authenticated, and before anything is done with it: only in
ASCII do lower case, cutting and comparing mean the same to everybody. (U+212A in lower case is "k".)
"""

from __future__ import annotations

import re
from typing import Mapping, NamedTuple, Sequence

from errors import Refused

# By which somebody is authenticated: printable ASCII without a blank at either end.
NAME = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")
# What a user of the cluster may be called. slurmctld takes a number for a uid: 0 would be root.
USER = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\$?")

# An attribute of a subject, as OpenSSL calls it and as it writes its value: RFC 2253, in ASCII.
ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_VALUE = r'(?:\\[0-9A-Fa-f]{2}|\\[ "#+,;<=>\\]|[ !#-*\-.-:=?-\[\]-~])*'
_PART = re.compile(rf"({ATTRIBUTE.pattern}|[0-9]+(?:\.[0-9]+)+)=({_VALUE})([,+]|\Z)")
_ESCAPED = re.compile(r"\\(?:([0-9A-Fa-f]{2})|(.))")
LONGEST_SUBJECT = 4096


class NameMap(NamedTuple):
    """How users are called elsewhere."""

    table: Mapping[str, str]
    domains: Sequence[str]
    lower_case: bool


def name_of(said: str) -> str:
    """The name by which somebody was authenticated, if it is one."""
    if not said:
        raise Refused("no name was given")
    if not NAME.fullmatch(said):
        raise Refused("the name is too long, or is not printable ASCII without a blank at its ends")
    return said


def user_name(said: str, mapping: NameMap) -> str:
    """The cluster's name for it: the table's word, else without a known domain and in lower case."""
    name = name_of(said)
    user = mapping.table[name] if name in mapping.table else _mapped(name, mapping)
    if not USER.fullmatch(user):
        raise Refused("no user of a cluster is called that")
    return user


def _mapped(name: str, mapping: NameMap) -> str:
    user, at, domain = name.partition("@")
    if at and mapping.domains:
        if domain.lower() not in [known.lower() for known in mapping.domains]:
            raise Refused("the name is of a domain that is not the cluster's")
        name = user
    return name.lower() if mapping.lower_case else name


def attribute(subject: str, wanted: str) -> str:
    """The one value of an attribute in a distinguished name: ``CN=alice,OU=hpc,O=example``.

    The attribute's name is compared exactly: ``uid`` and ``UID`` are two.
    """
    parts = list(_parts_of(subject))
    values = [part for part in parts if part.kind == wanted]
    if len(values) != 1:
        there = ", ".join(sorted({part.kind for part in parts}))
        raise Refused(f"the subject has {len(values)} values of {wanted}, and one is wanted. It has {there}")
    if values[0].shares:
        raise Refused(f"the subject has {wanted} together with another attribute, as one name")
    return _unescaped(values[0].value)


class _Part(NamedTuple):
    kind: str
    value: str
    """With its escapes."""
    shares: bool
    """It stands for something only together with another one, behind or before a plus sign."""


def _parts_of(subject: str) -> list[_Part]:
    parts: list[_Part] = []
    place, before = 0, ","
    while before and len(subject) <= LONGEST_SUBJECT:
        found = _PART.match(subject, place)
        if not found:
            break
        kind, value, behind = found.groups()
        parts.append(_Part(kind, value, "+" in (before, behind)))
        place, before = found.end(), behind
    if before:
        raise Refused("the subject is too long, or is no distinguished name as RFC 2253 has it in ASCII")
    return parts


def _unescaped(value: str) -> str:
    """What is written so. A value that begins with # is a dump of something that is no text."""
    if value.startswith(("#", " ")) or re.search(r"(?<!\\) \Z", value):
        raise Refused("the value in the subject is no plain text")
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], value)
