# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits single members of a comma list such as AuthAltTypes or AuthAltParameters. Private to this collection."""

from __future__ import annotations

import re
from typing import AbstractSet, Callable, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import (
    FLAG_OPTIONS,
    JWT,
    JWT_MEANT,
    KNOWN_OPTIONS,
    NUMBER_OPTIONS,
    PATH_OPTIONS,
    means_jwt,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.lines import ValueLine
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.parser import decoded, encoded


class Present(NamedTuple):
    """A member that a list must have."""

    text: str
    correct: Callable[[ValueLine], bool]
    """Corrects a member that is meant to be this one; False if it must be added."""


class _Span(NamedTuple):
    """A member, and where it is in the value."""

    begin: int
    end: int
    member: str


def put(line: ValueLine, member: Present) -> None:
    """Make sure that the list has this member."""
    if not member.correct(line):
        _append(line, member.text)


def drop(line: ValueLine, unwanted: Callable[[str], bool]) -> bool:
    """Remove the unwanted members; returns whether there were any."""
    spans = [span for span in _spans(line) if unwanted(span.member.strip())]
    for span in reversed(spans):
        _cut(line, span)
    return bool(spans)


def list_member(key: str, name: str) -> Present:
    """A member of a list of names. Corrects a member that is meant to be this one."""
    is_jwt = name == JWT and key.lower() == "authalttypes"

    def correct(line: ValueLine) -> bool:
        spans = _spans(line)
        if any(span.member == name for span in spans):
            return True
        for span in spans:
            if means_jwt(span.member) if is_jwt else span.member.strip() == name:
                line.replace(span.begin, span.end, encoded(name))
                return True
        return False

    return Present(name, correct)


def is_unwanted_member(key: str, member: str, absent: AbstractSet[str]) -> bool:
    if key.lower() == "authalttypes" and absent & JWT_MEANT and means_jwt(member):
        # Other spellings of auth/jwt are unwanted, even if auth/jwt itself is wanted.
        return member != JWT or JWT in absent
    return member in absent


def option(name: str, value: str | None) -> Present:
    """An option with its value, None for a flag. The first member of that name counts."""
    text = name if value is None else f"{name}={value}"

    def correct(line: ValueLine) -> bool:
        misled = False
        for span in _spans(line):
            if not _names_option(span.member.strip(), name):
                misled = misled or _misleads(span.member, text)
            elif misled:
                _cut(line, span)
                return False
            else:
                flag_is_set = value is None and name in FLAG_OPTIONS and span.member.strip().startswith(name)
                if span.member != text and not flag_is_set:
                    line.replace(span.begin, span.end, encoded(text))
                return True
        return False

    return Present(text, correct)


def is_unwanted_option(_key: str, member: str, absent: AbstractSet[str]) -> bool:
    return any(_names_option(member, name) for name in absent)


def option_objection(name: str, value: str | None) -> str | None:
    """Why Slurm would ignore or misread an option of AuthAltParameters, or None."""
    if name in FLAG_OPTIONS:
        return None if value is None else f"is a flag without a value, but was given '{value}'"
    if name not in KNOWN_OPTIONS:
        return None
    if not value:
        return "needs a value: Slurm ignores it without one"
    if name in PATH_OPTIONS and not value.startswith("/"):
        return f"must be an absolute path, not '{value}': the daemons start in another folder"
    if name in NUMBER_OPTIONS and not re.match(r"[1-9][0-9]{0,8}\Z", value):
        return f"must be a number of seconds, not '{value}': with any other value Slurm sets no limit"
    return None


def _spans(line: ValueLine) -> list[_Span]:
    """The members with their blanks, without empty ones."""
    spans = []
    at = 0
    for member in line.value.split(b","):
        if member:
            spans.append(_Span(at, at + len(member), decoded(member)))
        at += len(member) + 1
    return spans


def _append(line: ValueLine, member: str) -> None:
    """Add a member at the end, or before a member in which an older Slurm would find its name."""
    raw = encoded(member)
    for span in _spans(line):
        if _misleads(span.member, member):
            line.replace(span.begin, span.begin, raw + b",")
            return
    end = len(line.value)
    line.replace(end, end, b"," + raw if line.value and not line.value.endswith(b",") else raw)


def _misleads(other: str, member: str) -> bool:
    name, equals, _value = member.partition("=")
    return bool(equals) and name.lower() + "=" in other.lower()


def _cut(line: ValueLine, span: _Span) -> None:
    """Remove one member with one of the commas beside it."""
    begin, end = span.begin, span.end
    if line.value[end : end + 1] == b",":
        end += 1
    elif begin:
        begin -= 1
    line.replace(begin, end, b"")


def _names_option(member: str, name: str) -> bool:
    """Whether a member is this option. Ignores case for known options, as 20.11 reads jwt_key in any case."""
    stated = member.partition("=")[0]
    return stated == name or (name in KNOWN_OPTIONS and stated.lower() == name)
