# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits slurm.conf and slurmdbd.conf in memory, parameter by parameter. Private to this collection.

After each edit, the result is parsed again: it must have the intended effect and no other.
"""

from __future__ import annotations

import re
from typing import AbstractSet, Callable, Iterable, Mapping

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import members
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf, ConfError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import (
    JWT,
    JWT_MEANT,
    PROGRAM_KEYS,
    REPEATED_KEYS,
    is_secret,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.lines import (
    Inexpressible,
    ValueLine,
    ended,
    insert_after,
    insert_alone,
    objection,
    without,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.parser import Entry, ParsedConf, decoded, encoded

# A new line of one of these keys goes after the first of its neighbours that is set.
_NEIGHBOURS = {
    b"authalttypes": (b"authtype", b"authinfo", b"authaltparameters"),
    b"authaltparameters": (b"authalttypes", b"authinfo", b"authtype"),
}


class Editor:
    """Edits a configuration. Each edit returns whether it changed anything."""

    def __init__(self, conf: Conf) -> None:
        self.original = conf
        self.conf = conf
        """The configuration after the edits so far."""

    def changed(self) -> dict[str, bytes]:
        """The files that differ from what was read, with their new content."""
        old = self.original.data
        return {path: data for path, data in self.conf.data.items() if path in old and data != old[path]}

    def set(self, key: str, value: str) -> bool:
        """Give the key this value, in the line in force or in a new one."""
        raw = self._expressible(key, value)
        entry = self._sole(key)
        if entry is None:
            return self._add(key, raw)
        line = self._line(entry)
        line.set(raw)
        return self._put(entry, line)

    def remove(self, key: str) -> bool:
        """Remove every setting of the key: otherwise an earlier one would come into force."""
        if self._sole(key) is None:
            return False
        spans: dict[str, list[tuple[int, int]]] = {}
        for entry in self.conf.entries(key):
            spans.setdefault(entry.path, []).append((entry.first, entry.last))
        lines = self.conf.parsed.lines
        return self._commit(key, None, {path: without(lines[path], spans[path]) for path in spans})

    def edit_list(self, key: str, present: Iterable[str] = (), absent: Iterable[str] = ()) -> bool:
        """Add and remove members of a comma list. The others keep their order and spelling."""
        present, absent = list(present), list(absent)
        for member in present + absent:
            self._check_member(key, member)
        self._check_apart(key, present, absent)
        if key.lower() == "authalttypes" and JWT in present:
            absent += JWT_MEANT - {JWT}
        desired = [members.list_member(key, member) for member in present]
        return self._edit(key, desired, frozenset(absent), members.is_unwanted_member)

    def edit_options(
        self, key: str, present: Mapping[str, str | None] | None = None, absent: Iterable[str] = ()
    ) -> bool:
        """Set some options of an option list (value None: a flag) and remove others. The rest stays."""
        present, absent = dict(present or {}), list(absent)
        for name, value in present.items():
            self._check_option(key, name, value)
        for name in absent:
            self._check_member(key, name)
        self._check_apart(key, present, absent)
        desired = [members.option(name, value) for name, value in present.items()]
        return self._edit(key, desired, frozenset(absent), members.is_unwanted_option)

    def _edit(
        self,
        key: str,
        present: list[members.Present],
        absent: AbstractSet[str],
        is_unwanted: Callable[[str, str, AbstractSet[str]], bool],
    ) -> bool:
        entry = self._sole(key)
        if entry is None:
            text = ",".join(member.text for member in present)
            return bool(text) and self._add(key, self._expressible(key, text))
        line = self._line(entry)
        try:
            for member in present:
                members.put(line, member)
            dropped = members.drop(line, lambda member: is_unwanted(key, member, absent))
        except Inexpressible as exc:
            raise self._refusal(key, decoded(exc.args[0]), exc.args[1]) from None
        if dropped and not line.value.strip(b", \t"):
            return self.remove(key)
        return self._put(entry, line)

    # What can be edited

    def _sole(self, key: str) -> Entry | None:
        """The entry in force, or None. Refuses a key that has no single value."""
        low = key.lower().encode("utf-8", "replace")
        if not re.match(r"[A-Za-z0-9_.]+\Z", key) or low == b"include":
            raise ConfError(f"{self.conf.path}: '{key}' is not the name of a parameter; nothing was changed.")
        entries = self.conf.entries(key)
        if low in REPEATED_KEYS or (low in PROGRAM_KEYS and len(entries) > 1):
            raise ConfError(
                f"{self.conf.path}: {key} may be there many times and each line counts, so it has no single value to"
                " change. Edit these lines by other means."
            )
        return entries[-1] if entries else None

    def _expressible(self, key: str, value: str) -> bytes:
        raw = encoded(value)
        reason = objection(raw)
        if reason:
            raise self._refusal(key, value, reason)
        return raw

    def _refusal(self, key: str, value: str, reason: str) -> ConfError:
        shown = "The value of " + key if is_secret(key) else f"{key}={value!r}"
        return ConfError(
            f"{self.conf.path}: {shown} cannot be written into a Slurm configuration file: {reason}."
            " Choose another value; nothing was changed."
        )

    def _check_member(self, key: str, member: str) -> None:
        if not member or "," in member or member != member.strip():
            raise ConfError(
                f"{self.conf.path}: '{member}' cannot be a member of {key}: commas separate members, and for Slurm a"
                " blank beside a comma belongs to the name. Give each member by itself; nothing was changed."
            )

    def _check_apart(self, key: str, present: Iterable[str], absent: Iterable[str]) -> None:
        both = sorted(set(present) & set(absent))
        if both:
            raise ConfError(f"{self.conf.path}: {', '.join(both)} of {key} cannot be both present and absent.")

    def _check_option(self, key: str, name: str, value: str | None) -> None:
        self._check_member(key, name)
        if "=" in name:
            raise ConfError(f"{self.conf.path}: '{name}' of {key} is not an option name; give the value separately.")
        if value is not None:
            self._check_member(key, f"{name}={value}")
        if key.lower() != "authaltparameters":
            return
        reason = members.option_objection(name, value)
        if reason:
            raise ConfError(f"{self.conf.path}: {name} of {key} {reason}; nothing was changed.")

    # How a change is made

    def _add(self, key: str, value: bytes) -> bool:
        name = self.conf.canonical(key) or key
        path, first, last = self._location(key.lower().encode())
        lines = self.conf.parsed.lines[path]
        new = insert_after(lines, first, last, name, value) if lines else insert_alone(name, value)
        return self._commit(key, value, {path: new})

    def _location(self, low: bytes) -> tuple[str, int, int]:
        """The lines after which an administrator would put a new setting of this key."""
        parsed, top_path = self.conf.parsed, self.conf.path
        top = parsed.lines[top_path]
        commented = re.compile(rb"\s*#[#\s]*" + re.escape(low) + rb"\s*[-*+/]?=", re.IGNORECASE)
        for number in range(len(top) - 1, -1, -1):
            # A comment ends a continued line, so the text after it always starts a new line.
            if b"#" in top[number] and commented.match(top[number]):
                return top_path, number, number
        for neighbour in _NEIGHBOURS.get(low, ()):
            entries = parsed.entries.get(neighbour)
            if entries and (entries[-1].path == top_path or neighbour in _NEIGHBOURS):
                return entries[-1].path, entries[-1].first, entries[-1].last
        plain = [
            entry
            for key, entries in parsed.entries.items()
            if key not in REPEATED_KEYS
            for entry in entries
            if entry.path == top_path
        ]
        if plain:
            entry = max(plain, key=lambda entry: entry.last)
            return top_path, entry.first, entry.last
        return top_path, parsed.last_starts[top_path], len(top) - 1

    def _line(self, entry: Entry) -> ValueLine:
        """The line to edit. Refuses a line that Slurm rejects."""
        if any(fault[:3] == ("tail", entry.path, entry.first) for fault in self.conf.parsed.faults):
            raise ConfError(
                f"{entry.path}:{entry.first + 1}: the line of {decoded(entry.key)} holds more than one name=value, and"
                " Slurm stops at the second. A value with blanks needs quotes around it, and a continued line must not"
                " begin with blanks. Correct the line; nothing was changed."
            )
        return ValueLine(self.conf.parsed.lines[entry.path], entry)

    def _put(self, entry: Entry, line: ValueLine) -> bool:
        old = self.conf.parsed.lines[entry.path]
        new = old[: entry.first] + line.lines + old[entry.last + 1 :]
        return new != old and self._commit(decoded(entry.key), line.value, {entry.path: new})

    def _commit(self, key: str, value: bytes | None, files: dict[str, list[bytes]]) -> bool:
        """Accept the new lines if parsing them shows the intended effect and no other."""
        conf = self.conf.with_files({path: b"".join(ended(lines)) for path, lines in files.items()})
        low = key.lower().encode()
        after = conf.parsed.entries.get(low)
        in_force = after[-1].value if after else None
        before = self.conf.parsed
        if in_force != value or _rest(conf.parsed, low) != _rest(before, low) or _has_new_fault(before, conf.parsed):
            raise ConfError(
                f"{', '.join(files)}: {key} could not be changed without changing something else; nothing was changed."
                " Check the lines around it (a continued line, or an Include without a line feed at its end)."
            )
        self.conf = conf
        return True


def _rest(parsed: ParsedConf, key: bytes) -> tuple[object, ...]:
    """All that Slurm sees, without one key."""
    settings = {
        low: [(entry.path, entry.operator, entry.value) for entry in entries]
        for low, entries in parsed.entries.items()
        if low != key
    }
    tails = [(path, name, tail.rstrip()) for path, _line, name, tail in parsed.tails]
    return settings, tails, [(entry.path, entry.value) for entry in parsed.includes]


def _has_new_fault(before: ParsedConf, after: ParsedConf) -> bool:
    known = [(fault.code, fault.path, fault.key, fault.detail) for fault in before.faults]
    return any((fault.code, fault.path, fault.key, fault.detail) not in known for fault in after.faults)


def assign(editor: Editor, settings: Mapping[str, str | None]) -> None:
    """Give each key its value; None removes its settings."""
    for key, value in settings.items():
        if value is None:
            editor.remove(key)
        else:
            editor.set(key, value)
