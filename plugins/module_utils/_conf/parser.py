# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parses slurm.conf and slurmdbd.conf line by line as Slurm's own parser does. Private to this collection.

Everything is bytes: Slurm compares bytes in the C locale, and a file may have any encoding. Slurm's parser does this
for each line of the file (up to a line feed), in this order:

1. The line ends at the first NUL byte, then at the first `#` before which the number of backslashes is even. Quotes do
   not protect a `#`.
2. If the rest ends in an odd number of backslashes, maybe with blanks after them, it removes the last backslash and the
   blanks, and joins the next line, including its leading blanks.
3. In the joined line it removes each backslash; the byte after it is literal.
4. After `Include` in the first column and a blank, it reads the named file in place. Otherwise it expects one
   `name=value`. More text on the line is an error, except after the few names that describe a node or partition.
"""

from __future__ import annotations

import os
import re
from typing import Callable, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import LINE_KEYS

# The same as Slurm's own pattern in regcomp(): a blank or the end must follow a quoted value. Otherwise the value is
# all text up to the next blank, including the quotes.
PAIR = re.compile(rb'\s*([A-Za-z0-9_.]+)\s*([-*+/]?)=\s*(?:"([^"]*)"(?=\s|\Z)|(\S+))')

_SPACE = frozenset(b" \t\n\r\f\v")
_BLANKS = b" \t\n\r\f\v"
# Slurm has no limits, and crashes at a cycle. No site needs this many levels or files.
_MAX_DEPTH = 32
_MAX_INCLUDES = 1000


class Entry(NamedTuple):
    """One name=value and its lines in a file, from first to last, counted from 0."""

    path: str
    first: int
    last: int
    key: bytes
    operator: bytes
    value: bytes


class Fault(NamedTuple):
    """A line that Slurm rejects, or reads in another way than its author meant."""

    code: str
    path: str
    line: int
    key: bytes
    detail: str


class JoinedLine(NamedTuple):
    """One joined line, and the begin and end of each of its bytes in the raw lines."""

    text: bytes
    starts: list[int]
    ends: list[int]


class ParsedConf:
    """A file and all its included files, line by line."""

    def __init__(self, path: str, kind: str, read: Callable[[str], bytes]) -> None:
        self.lines: dict[str, list[bytes]] = {}
        self.entries: dict[bytes, list[Entry]] = {}
        self.faults: list[Fault] = []
        self.includes: list[Entry] = []
        self.tails: list[tuple[str, int, bytes, bytes]] = []
        self.last_starts: dict[str, int] = {}
        self._top = path
        self._kind = kind
        self._read = read
        self._within: list[str] = []
        self._file(path, read(path))

    def _file(self, path: str, data: bytes) -> None:
        lines = self.lines[path] = split_lines(data)
        self._within.append(path)
        entries, match = self.entries, PAIR.match
        tricky = b"\0" in data
        first, number, count = 0, 0, len(lines)
        while number < count:
            first = number
            text = lines[number]
            number += 1
            if tricky or b"\\" in text:
                text, number = self._joined(path, first)
            elif b"#" in text:
                text = text.partition(b"#")[0]
            if text[:1] in b"iI" and text[:7].lower() == b"include" and text[7:8] and text[7] in _SPACE:
                self._include(path, first, number - 1, text)
                continue
            pair = match(text)
            if pair is None:
                stray = text.strip(_BLANKS)
                if stray:
                    self._stray(path, first, stray)
                continue
            key = pair.group(1)
            value = pair.group(3)
            if value is None:
                value = pair.group(4)
            low = key.lower()
            entry = Entry(path, first, number - 1, key, pair.group(2), value)
            if low in entries:
                entries[low].append(entry)
            else:
                entries[low] = [entry]
            tail = text[pair.end() :]
            if tail not in (b"\n", b"") and tail.strip(_BLANKS):
                if low in LINE_KEYS:
                    self.tails.append((path, first, key, tail))
                else:
                    self.faults.append(Fault("tail", path, first, key, ""))
        self.last_starts[path] = first
        self._within.pop()

    def _joined(self, path: str, first: int) -> tuple[bytes, int]:
        """The joined line that begins at FIRST, without escapes, and the number of the next line."""
        lines = self.lines[path]
        parts = []
        number = first
        while number < len(lines):
            raw = lines[number]
            text = without_comment(raw)
            if b"\0" in raw:
                self.faults.append(Fault("nul", path, number, b"", ""))
            number += 1
            length = continued_length(text)
            if length is None:
                parts.append(text)
                break
            parts.append(text[:length])
        return _without_escapes(b"".join(parts)), number

    def _stray(self, path: str, line: int, stray: bytes) -> None:
        words = stray.split(None, 1)
        if words[0].lower() == b"include" and len(words) > 1:
            self.faults.append(Fault("include_indented", path, line, b"include", ""))
            return
        pair = re.match(rb"([A-Za-z0-9_.]+)\s*[-*+/]?=\Z", stray)
        if pair:
            self.faults.append(Fault("no_value", path, line, pair.group(1), ""))
        else:
            self.faults.append(Fault("stray", path, line, b"", ""))

    def _include(self, path: str, first: int, last: int, text: bytes) -> None:
        """Follow an Include, or record why Slurm cannot."""
        rest = text[7:].lstrip(_BLANKS)
        name = re.split(rb"\s", rest, maxsplit=1)[0]
        shown = name.decode("utf-8", "backslashreplace")

        def fault(code: str, detail: str = shown) -> None:
            self.faults.append(Fault(code, path, first, b"include", detail))

        if not name:
            fault("include_nothing")
            return
        after = rest[len(name) :]
        if not after:
            fault("include_unended")
        elif after.strip(_BLANKS):
            fault("tail")
        if b"%c" in name:
            cluster = self._cluster()
            if not cluster or b"%c" in cluster:
                fault("include_cluster")
                return
            name = name.replace(b"%c", cluster.lower())
        if b"*" in name:
            fault("include_glob")
            return
        self._follow(path, first, last, os.fsdecode(name), fault)

    def _cluster(self) -> bytes | None:
        """ClusterName in the lines read so far; slurmdbd.conf has none."""
        entries = self.entries.get(b"clustername")
        return entries[-1].value if entries and self._kind == "slurm" else None

    def _follow(self, path: str, first: int, last: int, name: str, fault: Callable[..., None]) -> None:
        data = None
        error: OSError | None = None
        # A relative name is relative to the folder of slurm.conf; before 23.02, to that of the including file.
        here, there = (_tidy(os.path.join(os.path.dirname(base), name)) for base in (self._top, path))
        for target in (here, there):
            try:
                data = self._read(target)
                break
            except OSError as exc:
                error = exc
        if data is None:
            fault("include_missing", f"{here} ({error.strerror if error else ''})")
            return
        if target == here != there and self._readable(there):
            fault("include_two", f"{here} or {there}")
        self.includes.append(Entry(path, first, last, b"Include", b"", os.fsencode(target)))
        cycle = os.path.normpath(target) in map(os.path.normpath, self._within)
        if cycle or len(self._within) >= _MAX_DEPTH or len(self.includes) > _MAX_INCLUDES:
            fault("include_cycle", target)
            return
        self._file(target, data)

    def _readable(self, path: str) -> bool:
        try:
            self._read(path)
        except OSError:
            return False
        return True


def _tidy(path: str) -> str:
    """One spelling for one file. A path with `..` stays, as its meaning depends on symbolic links."""
    return path if ".." in path.split("/") else os.path.normpath(path)


def split_lines(data: bytes) -> list[bytes]:
    """The lines of a file with their line feeds. The last line may have none."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    if last:
        lines.append(last)
    return lines


def without_comment(raw: bytes) -> bytes:
    """A line up to its first NUL byte and without its comment."""
    text = raw.partition(b"\0")[0]
    at = text.find(b"#")
    while at >= 0:
        head = text[:at]
        if (len(head) - len(head.rstrip(b"\\"))) % 2 == 0:
            return head
        at = text.find(b"#", at + 1)
    return text


def continued_length(text: bytes) -> int | None:
    """The length of a line without its continuation mark; None if the next line does not continue it."""
    end = text.rstrip(_BLANKS)
    slashes = len(end) - len(end.rstrip(b"\\"))
    return len(end) - 1 if slashes % 2 else None


def _without_escapes(text: bytes) -> bytes:
    if b"\\" not in text:
        return text
    return re.sub(rb"\\(.?)", rb"\1", text, flags=re.DOTALL)


def joined_line(lines: list[bytes], first: int, last: int) -> JoinedLine:
    """The joined line of these lines, with the position of each byte in the raw lines."""
    positions: list[int] = []
    raw = b"".join(lines[first : last + 1])
    base = 0
    for line in lines[first : last + 1]:
        text = without_comment(line)
        length = continued_length(text)
        positions.extend(range(base, base + (len(text) if length is None else length)))
        base += len(line)
    text_bytes, starts, ends = bytearray(), [], []
    at = 0
    while at < len(positions):
        starts.append(positions[at])
        if raw[positions[at]] == 0x5C:
            at += 1
            if at == len(positions):
                starts.pop()
                break
        text_bytes.append(raw[positions[at]])
        ends.append(positions[at] + 1)
        at += 1
    return JoinedLine(bytes(text_bytes), starts, ends)


def tail_is_sound(tail: bytes) -> bool:
    """Whether the rest of a line with several pairs has only pairs."""
    at = 0
    while True:
        pair = PAIR.match(tail, at)
        if pair is None:
            return not tail[at:].strip(_BLANKS)
        at = pair.end()


def decoded(raw: bytes) -> str:
    """Bytes of a file as text; bytes that are not UTF-8 become surrogates."""
    return raw.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
