# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and edits slurm.conf and slurmdbd.conf with Slurm's eyes; private to this collection.

A Conf is a file and all that it includes. It says what is in force, changes it, and gives back the new bytes of each
file concerned; it writes nothing. Text is str: bytes that are not UTF-8 survive as surrogates.
"""

from __future__ import annotations

import os
import re
from typing import AbstractSet, Callable, Iterable, Mapping, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.editor import (
    Inexpressible,
    ValueLine,
    ended,
    insert_after,
    insert_alone,
    objection,
    without,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import (
    FLAG_OPTIONS,
    JWT,
    JWT_MEANT,
    KNOWN_OPTIONS,
    OPTIONS_FOUND_ANYWHERE,
    PATH_OPTIONS,
    PROGRAM_KEYS,
    REPEATED_KEYS,
    SECRET_KEYS,
    VALUE_OPTIONS,
    means_jwt,
    names,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.lint import ConfFinding, findings
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.parser import Occurrence, Reading

# Where a new line of these goes: after the first of the others that is there.
_NEIGHBOURS = {
    b"authalttypes": (b"authtype", b"authinfo", b"authaltparameters"),
    b"authaltparameters": (b"authalttypes", b"authinfo", b"authtype"),
}


class ConfError(Exception):
    """The file cannot be read or changed as asked; str() says what was found, where, and what to do."""


class Setting(NamedTuple):
    """One parameter as Slurm sees it: without quotes and escapes, joined. Lines count from 1."""

    key: str
    value: str
    path: str
    first_line: int
    last_line: int


class Conf:
    """slurm.conf or slurmdbd.conf with its included files."""

    def __init__(self, path: str, kind: str, read: Callable[[str], bytes]) -> None:
        self.path = path
        self.kind = kind
        self._source = read
        self._old: dict[str, bytes] = {}
        self._new: dict[str, bytes] = {}
        self._names = names(kind)
        self._reading = self._read({})

    @classmethod
    def load(cls, path: str, read: Callable[[str], bytes] | None = None, kind: str | None = None) -> Conf:
        """Read the file and what it includes. kind is slurm or slurmdbd, by default what the file's name says."""
        if kind is None:
            kind = "slurmdbd" if "slurmdbd" in os.path.basename(path) else "slurm"
        try:
            return cls(path, kind, read or read_file)
        except OSError as exc:
            raise ConfError(
                f"{path}: cannot be read ({exc.strerror or exc}). Name the file that the daemons of this host read;"
                " a node of a configless cluster has none, and needs no edit."
            ) from exc

    def snapshot(self) -> Conf:
        """What it is now, unharmed by later changes."""
        other = Conf.__new__(Conf)
        other.__dict__.update(self.__dict__)
        return other

    def _read(self, new: dict[str, bytes]) -> Reading:
        def fetch(path: str) -> bytes:
            if path in new:
                return new[path]
            if path not in self._old:
                self._old[path] = self._source(path)
            return self._old[path]

        return Reading(self.path, self.kind, fetch)

    # What is in force

    @property
    def reading(self) -> Reading:
        """The lines behind it, for the parts of this collection that judge them."""
        return self._reading

    @property
    def paths(self) -> list[str]:
        """The files read, in the order in which Slurm opens them first."""
        return list(self._reading.lines)

    def effective(self, key: str) -> Setting | None:
        """The setting in force: the last one, wherever it stands."""
        entries = self._entries(key)
        return _setting(entries[-1]) if entries else None

    def value(self, key: str, default: str | None = None) -> str | None:
        """The value in force."""
        entries = self._entries(key)
        return _text(entries[-1].value) if entries else default

    def occurrences(self, key: str) -> list[Setting]:
        """Every setting of the key in the order of reading."""
        return [_setting(entry) for entry in self._entries(key)]

    def members(self, key: str) -> list[str]:
        """A comma list as Slurm splits it: empty members are none, blanks belong to the member."""
        return [member for member in (self.value(key) or "").split(",") if member]

    def option(self, key: str, name: str) -> str | None:
        """An option of a list such as AuthAltParameters as the strictest release reads it, "" for a bare flag.

        The first member that begins with the name counts. A blank before it hides it, except for options that every
        release searches for anywhere; one whose value is empty is as good as none.
        """
        for member in self.members(key):
            if name in OPTIONS_FOUND_ANYWHERE:
                member = member.lstrip()
            if member == name:
                if name not in VALUE_OPTIONS:
                    return ""
            elif member.startswith(name + "="):
                value = member[len(name) + 1 :]
                return value or (None if name in VALUE_OPTIONS else "")
        return None

    def canonical(self, key: str) -> str | None:
        """The key as Slurm writes it; None if no release knows it."""
        return self._names.get(key.lower())

    def problems(self) -> list[ConfFinding]:
        """All that is wrong with the files, as far as it can be told without knowing the release."""
        return [problem for _key, problem in self.findings()]

    def findings(self) -> list[tuple[str, ConfFinding]]:
        """The problems, each with the key it is about (lower case, "" if none)."""
        return findings(self._reading, self.kind)

    # Changes

    def changed(self) -> dict[str, bytes]:
        """The files that are no longer what was read, with their new content."""
        return {path: data for path, data in self._new.items() if data != self._old[path]}

    def original(self, path: str) -> bytes:
        """A file as it was read."""
        return self._old[path]

    def set(self, key: str, value: str) -> bool:
        """Give the key this value, where it stands now or in a new line."""
        wanted = self._expressible(key, value)
        entry = self._sole(key)
        if entry is None:
            return self._add(key, wanted)
        line = self._line(entry)
        line.set(wanted)
        return self._put(entry, line)

    def remove(self, key: str) -> bool:
        """Take out every setting of the key, so that none that was overruled comes to life."""
        if self._sole(key) is None:
            return False
        spans: dict[str, list[tuple[int, int]]] = {}
        for entry in self._entries(key):
            spans.setdefault(entry.path, []).append((entry.first, entry.last))
        lines = self._reading.lines
        return self._commit(key, None, {path: without(lines[path], spans[path]) for path in spans})

    def edit_list(self, key: str, present: Iterable[str] = (), absent: Iterable[str] = ()) -> bool:
        """Make a comma list have and lack these members; the others stay, in their order and as they are written."""
        present, absent = list(present), list(absent)
        for member in present + absent:
            self._check_member(key, member)
        self._check_apart(key, present, absent)
        if key.lower() == "authalttypes" and JWT in present:
            absent += JWT_MEANT - {JWT}
        editors = [(_list_editor(key, member), member) for member in present]
        return self._edit(key, editors, frozenset(absent), _list_gone)

    def edit_options(
        self, key: str, present: Mapping[str, str | None] | None = None, absent: Iterable[str] = ()
    ) -> bool:
        """Make an option list have these options (value None: a flag) and lack those; the others stay."""
        present, absent = dict(present or {}), list(absent)
        for name, value in present.items():
            self._check_option(key, name, value)
        for name in absent:
            self._check_member(key, name)
        self._check_apart(key, present, absent)
        editors = [
            (_option_editor(name, value), name if value is None else f"{name}={value}")
            for name, value in present.items()
        ]
        return self._edit(key, editors, frozenset(absent), _option_gone)

    def _edit(
        self,
        key: str,
        editors: list[tuple[Callable[[ValueLine], bool], str]],
        absent: AbstractSet[str],
        gone: Callable[[str, str, AbstractSet[str]], bool],
    ) -> bool:
        entry = self._sole(key)
        if entry is None:
            text = ",".join(text for _editor, text in editors)
            return bool(text) and self._add(key, self._expressible(key, text))
        line = self._line(entry)
        try:
            for editor, text in editors:
                if not editor(line):
                    _append(line, text)
            touched = _drop(line, lambda member: gone(key, member, absent))
        except Inexpressible as exc:
            raise self._refusal(key, _text(exc.args[0]), exc.args[1]) from None
        if touched and not line.value.strip(b", \t"):
            return self.remove(key)
        return self._put(entry, line)

    # How a change is made

    def _entries(self, key: str) -> list[Occurrence]:
        return self._reading.found.get(key.lower().encode("utf-8", "replace"), [])

    def _sole(self, key: str) -> Occurrence | None:
        """The entry to edit, if this key is one that has a value in force."""
        low = key.lower().encode("utf-8", "replace")
        if not re.match(r"[A-Za-z0-9_.]+\Z", key) or low == b"include":
            raise ConfError(f"{self.path}: '{key}' is not the name of a parameter; nothing was changed.")
        entries = self._entries(key)
        if low in REPEATED_KEYS or (low in PROGRAM_KEYS and len(entries) > 1):
            raise ConfError(
                f"{self.path}: {key} may stand there many times and each line counts, so it has no single value to"
                " change. Edit these lines by other means."
            )
        return entries[-1] if entries else None

    def _expressible(self, key: str, value: str) -> bytes:
        raw = value.encode("utf-8", "surrogateescape")
        reason = objection(raw)
        if reason:
            raise self._refusal(key, value, reason)
        return raw

    def _refusal(self, key: str, value: str, reason: str) -> ConfError:
        shown = "The value of " + key if key.lower().encode() in SECRET_KEYS else f"{key}={value!r}"
        return ConfError(
            f"{self.path}: {shown} cannot be written into a Slurm configuration file: {reason}."
            " Choose another value; nothing was changed."
        )

    def _check_member(self, key: str, member: str) -> None:
        if not member or "," in member or member != member.strip():
            raise ConfError(
                f"{self.path}: '{member}' cannot be a member of {key}: members are separated by commas, and Slurm takes"
                " blanks around them for a part of the name. Give each member by itself; nothing was changed."
            )

    def _check_apart(self, key: str, present: Iterable[str], absent: Iterable[str]) -> None:
        both = sorted(set(present) & set(absent))
        if both:
            raise ConfError(f"{self.path}: {', '.join(both)} of {key} is asked to be both present and absent.")

    def _check_option(self, key: str, name: str, value: str | None) -> None:
        self._check_member(key, name)
        if "=" in name:
            raise ConfError(f"{self.path}: '{name}' of {key} is no option name; give the value by itself.")
        if value is not None:
            self._check_member(key, f"{name}={value}")
        if key.lower() != "authaltparameters":
            return
        reason = _option_objection(name, value)
        if reason:
            raise ConfError(f"{self.path}: {name} of {key} {reason}; nothing was changed.")

    def _add(self, key: str, value: bytes) -> bool:
        low = key.lower().encode()
        name = self.canonical(key) or key
        path, first, last = self._place(low)
        lines = self._reading.lines[path]
        new = insert_after(lines, first, last, name, value) if lines else insert_alone(name, value)
        return self._commit(key, value, {path: new})

    def _place(self, low: bytes) -> tuple[str, int, int]:
        """The lines after which an administrator would put a new setting of this key."""
        top = self._reading.lines[self.path]
        commented = re.compile(rb"\s*#[#\s]*" + re.escape(low) + rb"\s*[-*+/]?=", re.IGNORECASE)
        for number in range(len(top) - 1, -1, -1):
            # A comment ends a continued line, so what comes after one is always a line of its own.
            if b"#" in top[number] and commented.match(top[number]):
                return self.path, number, number
        found = self._reading.found
        for neighbour in _NEIGHBOURS.get(low, ()):
            entries = found.get(neighbour)
            if entries and (entries[-1].path == self.path or neighbour in _NEIGHBOURS):
                return entries[-1].path, entries[-1].first, entries[-1].last
        plain = [
            entry
            for key, entries in found.items()
            if key not in REPEATED_KEYS
            for entry in entries
            if entry.path == self.path
        ]
        if plain:
            entry = max(plain, key=lambda entry: entry.last)
            return self.path, entry.first, entry.last
        return self.path, self._reading.last_starts[self.path], len(top) - 1

    def _line(self, entry: Occurrence) -> ValueLine:
        """The line to edit, unless Slurm stops at it."""
        if any(fault[:3] == ("tail", entry.path, entry.first) for fault in self._reading.faults):
            raise ConfError(
                f"{entry.path}:{entry.first + 1}: the line of {_text(entry.key)} holds more than one name=value, and"
                " Slurm stops at what is too much. A value with blanks needs quotes around it, and a continued line"
                " must not begin with blanks. Correct the line; nothing was changed."
            )
        return ValueLine(self._reading.lines[entry.path], entry)

    def _put(self, entry: Occurrence, line: ValueLine) -> bool:
        old = self._reading.lines[entry.path]
        new = old[: entry.first] + line.lines + old[entry.last + 1 :]
        return new != old and self._commit(_text(entry.key), line.value, {entry.path: new})

    def _commit(self, key: str, value: bytes | None, files: dict[str, list[bytes]]) -> bool:
        """Take over new lines, if reading them shows the wanted effect and no other."""
        new = {**self._new, **{path: b"".join(ended(lines)) for path, lines in files.items()}}
        reading = self._read(new)
        low = key.lower().encode()
        after = reading.found.get(low)
        in_force = after[-1].value if after else None
        if (
            in_force != value
            or _rest(reading, low) != _rest(self._reading, low)
            or not _no_new_fault(self._reading, reading)
        ):
            where = ", ".join(files)
            raise ConfError(
                f"{where}: {key} could not be changed without changing something else; nothing was changed."
                " Look at the lines around it (a continued line, or an Include without a line feed at its end)."
            )
        self._new, self._reading = new, reading
        return True


def read_file(path: str) -> bytes:
    """The content of a file. A folder is empty, as it is for Slurm."""
    if os.path.isdir(path):
        return b""
    with open(path, "rb") as file:
        return file.read()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _setting(entry: Occurrence) -> Setting:
    return Setting(_text(entry.key), _text(entry.value), entry.path, entry.first + 1, entry.last + 1)


def _rest(reading: Reading, key: bytes) -> tuple[object, ...]:
    """All that Slurm sees apart from one key."""
    settings = {
        low: [(entry.path, entry.operator, entry.value) for entry in entries]
        for low, entries in reading.found.items()
        if low != key
    }
    tails = [(path, name, tail.rstrip()) for path, _line, name, tail in reading.tails]
    return settings, tails, [(entry.path, entry.value) for entry in reading.includes]


def _no_new_fault(before: Reading, after: Reading) -> bool:
    known = [(fault.code, fault.path, fault.key, fault.detail) for fault in before.faults]
    return all((fault.code, fault.path, fault.key, fault.detail) in known for fault in after.faults)


def _spans(line: ValueLine) -> list[tuple[int, int, str]]:
    """The members of a comma list with their places, blanks included; empty ones are left out."""
    spans = []
    at = 0
    for member in line.value.split(b","):
        if member:
            spans.append((at, at + len(member), _text(member)))
        at += len(member) + 1
    return spans


def _append(line: ValueLine, member: str) -> None:
    """Add a member at the end, but before any in which an older Slurm would find its name."""
    raw = member.encode("utf-8", "surrogateescape")
    for begin, _end, other in _spans(line):
        if _misleads(other, member):
            line.replace(begin, begin, raw + b",")
            return
    end = len(line.value)
    line.replace(end, end, b"," + raw if line.value and not line.value.endswith(b",") else raw)


def _misleads(other: str, member: str) -> bool:
    name, equals, _value = member.partition("=")
    return bool(equals) and name.lower() + "=" in other.lower()


def _drop(line: ValueLine, unwanted: Callable[[str], bool]) -> bool:
    """Take out members."""
    unwanted_spans = [span for span in _spans(line) if unwanted(span[2].strip())]
    for begin, end, _member in reversed(unwanted_spans):
        _cut(line, begin, end)
    return bool(unwanted_spans)


def _cut(line: ValueLine, begin: int, end: int) -> None:
    """Take out one member with one of the commas beside it."""
    if line.value[end : end + 1] == b",":
        end += 1
    elif begin:
        begin -= 1
    line.replace(begin, end, b"")


def _list_editor(key: str, wanted: str) -> Callable[[ValueLine], bool]:
    """Make sure of a member: as it is, or by mending one that was surely meant to be it."""
    is_jwt = wanted == JWT and key.lower() == "authalttypes"

    def editor(line: ValueLine) -> bool:
        spans = _spans(line)
        if any(member == wanted for _begin, _end, member in spans):
            return True
        for begin, end, member in spans:
            if means_jwt(member) if is_jwt else member.strip() == wanted:
                line.replace(begin, end, wanted.encode("utf-8", "surrogateescape"))
                return True
        return False

    return editor


def _list_gone(key: str, member: str, absent: AbstractSet[str]) -> bool:
    if key.lower() == "authalttypes" and absent & JWT_MEANT and means_jwt(member):
        # Where auth/jwt is wanted, all other spellings of it are not.
        return member != JWT or JWT in absent
    return member in absent


def _option_editor(name: str, value: str | None) -> Callable[[ValueLine], bool]:
    """Make sure of an option: the first member of that name is the one that counts."""
    text = name if value is None else f"{name}={value}"

    def editor(line: ValueLine) -> bool:
        misled = False
        for begin, end, member in _spans(line):
            if not _names_option(member.strip(), name):
                misled = misled or _misleads(member, text)
            elif misled:
                _cut(line, begin, end)
                return False
            else:
                flag_is_set = value is None and name in FLAG_OPTIONS and member.strip().startswith(name)
                if member != text and not flag_is_set:
                    line.replace(begin, end, text.encode("utf-8", "surrogateescape"))
                return True
        return False

    return editor


def _option_gone(_key: str, member: str, absent: AbstractSet[str]) -> bool:
    return any(_names_option(member, name) for name in absent)


def _names_option(member: str, name: str) -> bool:
    """Whether a member is this option. In AuthAltParameters 20.11 reads jwt_key in any case, so no other may stay."""
    found = member.partition("=")[0]
    return found == name or (name in KNOWN_OPTIONS and found.lower() == name)


def _option_objection(name: str, value: str | None) -> str | None:
    """What Slurm would not do with an option of AuthAltParameters."""
    if name in FLAG_OPTIONS:
        return None if value is None else f"is a flag and takes no value, but was given '{value}'"
    if name not in KNOWN_OPTIONS:
        return None
    if not value:
        return "needs a value, or Slurm goes on as if it were not there"
    if name in PATH_OPTIONS and not value.startswith("/"):
        return f"must be an absolute path, not '{value}': the daemons do not start where you are"
    if name == "max_token_lifespan" and not re.match(r"[1-9][0-9]{0,8}\Z", value):
        return f"must be a number of seconds, not '{value}': Slurm sets no limit where it cannot read one"
    return None
