# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds problems in slurm.conf and slurmdbd.conf. Private to this collection.

Messages show values of AuthAltTypes, AuthAltParameters and Include only: other values may be passwords.
"""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import (
    FLAG_OPTIONS,
    JWT,
    JWT_ALIASES,
    KNOWN_OPTIONS,
    NUMBER_OPTIONS,
    OPTIONS_FOUND_ANYWHERE,
    PATH_OPTIONS,
    PROGRAM_KEYS,
    REPEATED_KEYS,
    VALUE_OPTIONS,
    means_jwt,
    names,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.parser import (
    Entry,
    Fault,
    ParsedConf,
    decoded,
    tail_is_sound,
    without_comment,
)

_STOPS = (
    "No daemon that reads the file starts, every client command on the host fails, and before 23.11 a running"
    " slurmctld exits at the next reconfigure."
)


class ConfFinding(NamedTuple):
    """A problem in the files. severity is error (a daemon does not start, or JWT does not work) or warning."""

    severity: str
    path: str
    line: int
    found: str
    effect: str
    remedy: str


def findings(parsed: ParsedConf, kind: str) -> list[tuple[str, ConfFinding]]:
    """All problems, each with the key it is about (lower case, "" if none), in the order of files and lines."""
    order = {path: number for number, path in enumerate(parsed.lines)}
    problems = [*_faults(parsed), *_settings(parsed, kind), *_auth(parsed, kind)]
    return sorted(problems, key=lambda pair: (order.get(pair[1].path, len(order)), pair[1].line))


# What Slurm's parser rejects

_FAULTS = {
    "tail": (
        "error",
        "text after the value of {key}",
        _STOPS,
        "Put quotes around a value with blanks, each parameter on a line of its own, and begin a continued line in"
        " its first column.",
    ),
    "stray": ("error", "text that is not name=value", _STOPS, "Correct it, or put a # before it."),
    "no_value": ("error", "{key}= without a value", _STOPS, 'Remove the line, or write {key}="".'),
    "nul": (
        "warning",
        "a NUL byte",
        "Slurm does not see the rest of the line.",
        "Remove the byte, and check whether the file is damaged.",
    ),
    "include_indented": (
        "error",
        "an Include that does not begin in the first column",
        "Slurm does not recognize it. " + _STOPS,
        "Remove the blanks before it.",
    ),
    "include_nothing": ("error", "an Include without a file name", _STOPS, "Name the file, or remove the line."),
    "include_unended": (
        "error",
        "an Include of {detail} with no blank or line feed after the name",
        "Slurm reads beyond the line to find the end of the name, and may fail.",
        "End the line with a line feed; put a blank before a comment.",
    ),
    "include_cluster": (
        "error",
        "an Include of {detail} before ClusterName is set",
        _STOPS,
        "Set ClusterName in a line before it; slurmdbd.conf does not support %c.",
    ),
    "include_glob": (
        "error",
        "an Include of {detail}",
        "Slurm does not support patterns in file names. " + _STOPS,
        "Include each file by its name.",
    ),
    "include_missing": (
        "error",
        "an Include of a file that cannot be read: {detail}",
        "Daemons and commands wait a minute for the file and then fail.",
        "Create the file, or remove the line.",
    ),
    "include_two": (
        "warning",
        "an Include that names {detail}",
        "Slurm 23.02 and later read the first of them, older releases the second.",
        "Write the absolute path.",
    ),
    "include_cycle": (
        "error",
        "an Include of {detail}, which is being read already",
        "Daemons and commands include it over and over until they crash.",
        "Remove the line.",
    ),
}


def _faults(parsed: ParsedConf) -> Iterator[tuple[str, ConfFinding]]:
    for fault in parsed.faults:
        yield _low(fault.key), _fault(fault)
    for path, line, key, tail in parsed.tails:
        if not tail_is_sound(tail):
            yield _low(key), _fault(Fault("tail", path, line, key, ""))


def _fault(fault: Fault) -> ConfFinding:
    severity, *texts = _FAULTS[fault.code]
    key = fault.key.decode("ascii", "replace")
    if fault.code == "tail" and _low(fault.key) == "include":
        key = "Include"
    found, effect, remedy = (text.format(key=key, detail=fault.detail) for text in texts)
    return ConfFinding(severity, fault.path, fault.line + 1, found, effect, remedy)


# What Slurm reads in another way than the author meant


def _settings(parsed: ParsedConf, kind: str) -> Iterator[tuple[str, ConfFinding]]:
    known = names(kind)
    file = f"{kind}.conf"
    for low, entries in parsed.entries.items():
        last = entries[-1]
        key = decoded(last.key)
        name = _low(low)
        if name not in known:
            yield (
                name,
                _problem(
                    "warning",
                    last,
                    f"{key}, which no release of Slurm from 20.11 to 26.05 knows in {file}",
                    "Unless your release knows it: " + _STOPS,
                    "Correct the spelling, or remove the line.",
                ),
            )
        if low in REPEATED_KEYS:
            continue
        if len({entry.value for entry in entries}) > 1 and low not in PROGRAM_KEYS:
            locations = ", ".join(f"{entry.path}:{entry.first + 1}" for entry in entries)
            yield (
                name,
                _problem(
                    "warning",
                    last,
                    f"{key} with differing values in {locations}",
                    "Only the last one is in force, nothing is merged, and the daemons log an error at each start.",
                    "Keep one line.",
                ),
            )
        if last.operator:
            yield (
                name,
                _problem(
                    "warning",
                    last,
                    f"{key}{decoded(last.operator)}=",
                    f"Slurm reads it as {key}= and adds nothing to earlier lines.",
                    "Write the whole value with a plain =.",
                ),
            )


# AuthAltTypes and AuthAltParameters


def _auth(parsed: ParsedConf, kind: str) -> Iterator[tuple[str, ConfFinding]]:
    types = _last(parsed, b"authalttypes")
    parameters = _last(parsed, b"authaltparameters")
    has_jwt = False
    if types is not None:
        members = decoded(types.value).split(",")
        has_jwt = any(member in JWT_ALIASES for member in members)
        for problem in _types(types, members):
            yield "authalttypes", problem
    given: set[str] = set()
    if parameters is not None:
        for problem in _parameters(parameters, given):
            yield "authaltparameters", problem
        if given and not has_jwt:
            yield (
                "authaltparameters",
                _problem(
                    "warning",
                    parameters,
                    f"AuthAltParameters with {', '.join(sorted(given))}, but no {JWT} in AuthAltTypes",
                    "The options have no effect: the daemon accepts no tokens.",
                    f"Set AuthAltTypes={JWT}, or remove the options.",
                ),
            )
    if has_jwt and kind == "slurmdbd" and not given & PATH_OPTIONS and types is not None:
        yield (
            "authaltparameters",
            _problem(
                "error",
                parameters or types,
                f"AuthAltTypes={JWT} without jwt_key= or jwks= in AuthAltParameters",
                "slurmdbd has no default key and does not start.",
                "Add AuthAltParameters=jwt_key=/path/of/the/key.",
            ),
        )
    for entry in (types, parameters):
        if entry is not None and _glued_comment(parsed, entry):
            yield (
                _low(entry.key),
                _problem(
                    "warning",
                    entry,
                    f"a # within {decoded(entry.key)}",
                    f"Slurm reads the rest as a comment, even within quotes. The value is {decoded(entry.value)!r}.",
                    "Write \\# if it belongs to the value, and a blank before it if not.",
                ),
            )


def _types(entry: Entry, members: list[str]) -> Iterator[ConfFinding]:
    no_start = "slurmctld and slurmdbd do not start: they find no plugin of that name."
    for member in filter(None, members):
        if member == "jwt":
            yield _problem(
                "warning",
                entry,
                "'jwt' in AuthAltTypes",
                "Slurm before 23.11 does not start: it needs the full name.",
                f"Write {JWT}.",
            )
        elif means_jwt(member) and member != JWT:
            hint = " (that is slurmrestd's plugin)" if "rest_" in member else ""
            remedy = f"Write {JWT}, without blanks and quotes."
            yield _problem("error", entry, f"{member!r} in AuthAltTypes{hint}", no_start, remedy)
        elif member != member.strip() or member.startswith("rest_") or '"' in member:
            yield _problem(
                "error", entry, f"{member!r} in AuthAltTypes", no_start, "Remove it, or correct it; write no blanks."
            )


def _parameters(entry: Entry, given: set[str]) -> Iterator[ConfFinding]:
    seen: set[str] = set()
    for member in decoded(entry.value).split(","):
        if not member.strip():
            continue
        plain = member.strip()
        name, equals, value = plain.partition("=")
        low = name.lower()
        if low not in KNOWN_OPTIONS:
            yield _unknown(entry, plain, seen)
            continue
        for severity, effect, remedy in _option_problems(member, plain, low, value if equals else None):
            yield _problem(severity, entry, f"{member!r} in AuthAltParameters", effect, remedy)
        if low in seen:
            yield _problem(
                "warning",
                entry,
                f"{low} more than once in AuthAltParameters",
                "Slurm uses the first one.",
                "Keep one of them.",
            )
        hidden = member != member.lstrip() and low not in OPTIONS_FOUND_ANYWHERE
        if low not in seen and not hidden and name == low and (value or low in FLAG_OPTIONS):
            given.add(low)
        seen.add(low)


def _unknown(entry: Entry, member: str, seen: set[str]) -> ConfFinding:
    known = "The options are " + ", ".join(sorted(KNOWN_OPTIONS)) + "."
    low = member.lower()
    # Releases that search the text for name= use the first match.
    values = [name for name in sorted(VALUE_OPTIONS) if name + "=" in low and name not in seen]
    flags = [name for name in sorted(FLAG_OPTIONS) if name in low]
    if values or flags:
        return _problem(
            "error" if values else "warning",
            entry,
            f"{member!r} in AuthAltParameters",
            f"It is not an option, but some releases find {(values or flags)[0]} in it and read it as that option.",
            "Remove it. " + known,
        )
    return _problem(
        "warning",
        entry,
        f"{member!r} in AuthAltParameters",
        "Slurm does not know this option and silently ignores it.",
        f"Correct the spelling or remove it. {known}",
    )


def _option_problems(member: str, plain: str, name: str, value: str | None) -> Iterator[tuple[str, str, str]]:
    """Severity, effect and remedy of each problem of a known option."""
    if member != member.lstrip() and name not in OPTIONS_FOUND_ANYWHERE:
        yield (
            "error",
            "Slurm 23.11 and later (for userclaimfield 26.05) do not find an option after a blank; older ones do.",
            "Remove the blank after the comma.",
        )
    elif member != plain and name in VALUE_OPTIONS - OPTIONS_FOUND_ANYWHERE:
        yield "error", "The blank after it is part of the value.", "Remove the blank."
    if not plain.startswith(name) and name in KNOWN_OPTIONS - NUMBER_OPTIONS:
        yield (
            "error",
            "The case matters: most releases ignore the option (20.11 takes jwt_key in any case).",
            f"Write {name}.",
        )
    if name in FLAG_OPTIONS:
        if value is not None:
            yield "warning", f"{name} is a flag: it is on with any value.", f"Write {name} alone."
    elif not value:
        yield (
            "error",
            "An option without a value: the daemon uses its default, or does not start.",
            "Give the value, or remove the option.",
        )
    elif name in PATH_OPTIONS and not value.startswith("/"):
        yield (
            "error",
            "Not an absolute path: it depends on the folder in which the daemon is started.",
            "Write the path from the root, without quotes around it.",
        )
    elif name in NUMBER_OPTIONS and not re.match(r"[1-9][0-9]*\Z", value):
        yield (
            "warning",
            "Not a number of seconds: Slurm reads the digits at the beginning, and sets no limit if there are none.",
            "Write a number, such as 3600.",
        )


def _glued_comment(parsed: ParsedConf, entry: Entry) -> bool:
    for line in parsed.lines[entry.path][entry.first : entry.last + 1]:
        text = without_comment(line)
        if line[len(text) : len(text) + 1] == b"#" and text and text[-1:] not in (b" ", b"\t"):
            return True
    return False


def _last(parsed: ParsedConf, key: bytes) -> Entry | None:
    entries = parsed.entries.get(key)
    return entries[-1] if entries else None


def _problem(severity: str, entry: Entry, found: str, effect: str, remedy: str) -> ConfFinding:
    return ConfFinding(severity, entry.path, entry.first + 1, found, effect, remedy)


def _low(key: bytes) -> str:
    return key.decode("ascii", "replace").lower()
