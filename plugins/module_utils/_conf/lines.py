# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes single lines of a Slurm configuration file, and no other byte. Private to this collection."""

from __future__ import annotations

import re

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.parser import (
    PAIR,
    Entry,
    continued_length,
    joined_line,
    split_lines,
    without_comment,
)

_BLANK = re.compile(rb"[ \t\n\r\f\v]")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# Slurm searches for the blank that ends the file name. A blank before a comment is enough.
_UNENDED_INCLUDE = re.compile(rb"\s*include(?:\s+\S+|\s*)", re.IGNORECASE)
_STYLE = re.compile(rb"([ \t]*)[# \t]*([A-Za-z0-9_.]+)([ \t]*)=([ \t]*)")


def objection(value: bytes) -> str | None:
    """Why a Slurm file cannot express this value, or None."""
    if _CONTROL.search(value):
        return "it contains a line break or another control character"
    if b'"' in value and _BLANK.search(value):
        return "it contains a blank, so it needs quotes, and a quote, which is not possible within quotes"
    if len(value) > 1 and value.startswith(b'"') and value.endswith(b'"'):
        return "Slurm removes the quotes around it"
    return None


def _escaped(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b"#", b"\\#")


def _written(value: bytes) -> bytes:
    quote = b'"' if not value or _BLANK.search(value) else b""
    return quote + _escaped(value) + quote


class Inexpressible(Exception):
    """A Slurm file cannot express a value. First argument: the value; second: the reason."""


class ValueLine:
    """The lines of one setting. Its value can be changed piece by piece.

    Positions are those in the value as Slurm sees it. Text that is not replaced keeps its bytes: escapes, quotes and
    line continuations.
    """

    def __init__(self, lines: list[bytes], entry: Entry) -> None:
        self.lines = lines[entry.first : entry.last + 1]
        self._parse()

    def _parse(self) -> None:
        self._text = joined_line(self.lines, 0, len(self.lines) - 1)
        pair = PAIR.match(self._text.text)
        if pair is None:  # not possible: the line was parsed before
            raise ValueError("no name=value in this line")
        self._quoted = pair.group(3) is not None
        self._begin, self._end = pair.span(3 if self._quoted else 4)
        self.value = self._text.text[self._begin : self._end]

    def replace(self, begin: int, end: int, new: bytes) -> None:
        """Replace value[begin:end]."""
        whole = self.value[:begin] + new + self.value[end:]
        reason = objection(whole)
        if reason:
            raise Inexpressible(whole, reason)
        needs_quotes = not whole or _BLANK.search(whole)
        piece = (self._begin + begin, self._begin + end, _escaped(new))
        if self._quoted and b'"' in whole:
            self._splice((self._begin - 1, self._end + 1, _written(whole)))
        elif self._quoted or not needs_quotes:
            self._splice(piece)
        elif whole:
            self._splice((self._begin, self._begin, b'"'), piece, (self._end, self._end, b'"'))
        else:
            self._splice((self._begin, self._end, b'""'))

    def set(self, value: bytes) -> None:
        """Set this value. Only replaces the part that differs."""
        old = self.value
        same = min(len(old), len(value))
        head = next((at for at in range(same) if old[at] != value[at]), same)
        tail = next((at for at in range(same - head) if old[-1 - at] != value[-1 - at]), same - head)
        self.replace(head, len(old) - tail, value[head : len(value) - tail])

    def _splice(self, *pieces: tuple[int, int, bytes]) -> None:
        """Replace pieces of the joined line. The pieces must be in order."""
        raw = b"".join(self.lines)
        for begin, end, new in reversed(pieces):
            start, stop = self._raw_span(begin, end, bool(new))
            raw = raw[:start] + new + raw[stop:]
        self.lines = split_lines(raw)
        self._parse()

    def _raw_span(self, begin: int, end: int, replaced: bool) -> tuple[int, int]:
        starts, ends = self._text.starts, self._text.ends
        if begin == end:
            at = starts[begin] if begin == self._begin and not self._quoted else ends[begin - 1]
            return at, at
        # Also remove a line break between the removed text and the rest.
        if not replaced and end < self._end:
            return starts[begin], starts[end]
        if not replaced and begin > self._begin:
            return ends[begin - 1], ends[end - 1]
        return starts[begin], ends[end - 1]


def without(lines: list[bytes], spans: list[tuple[int, int]]) -> list[bytes]:
    """The lines without those of the spans.

    If the last line had no line feed and is removed, the new last line also loses the line feed: insert_after() had
    added it.
    """
    removed = {number for first, last in spans for number in range(first, last + 1)}
    left = [line for number, line in enumerate(lines) if number not in removed]
    if not left or lines[-1].endswith(b"\n") or len(lines) - 1 not in removed:
        return left
    bare_line = re.sub(rb"\r?\n\Z", b"", left[-1])
    # Slurm would read beyond such an Include.
    if bare_line and not _UNENDED_INCLUDE.fullmatch(_last_text([*left[:-1], bare_line])):
        left[-1] = bare_line
    return left


def _last_text(lines: list[bytes]) -> bytes:
    """The last line as Slurm reads it: joined with the lines that it continues, without escapes."""
    first = len(lines) - 1
    while first and _continues(lines[first - 1]):
        first -= 1
    return joined_line(lines, first, len(lines) - 1).text


def ended(lines: list[bytes]) -> list[bytes]:
    """The lines, with a line feed after an Include at the end.

    Without one, Slurm reads on into bytes that earlier lines left in its memory, so any edit could change the result.
    """
    if lines and not lines[-1].endswith(b"\n") and re.match(rb"include\s+[^\s#]+\Z", lines[-1], re.IGNORECASE):
        return lines[:-1] + [lines[-1] + line_end(lines)]
    return lines


def insert_after(lines: list[bytes], first: int, last: int, name: str, value: bytes) -> list[bytes]:
    """Insert name=value after the lines from first to last, in their style."""
    near = lines[first]
    new = _styled(near, name, value)
    is_ended = lines[last].endswith(b"\n")
    if _continues(lines[last]) or (near[:7].lower() == b"include" and not is_ended):
        # Text after such a line would become a part of it, so insert before it.
        return lines[:first] + [new + _end_of(near)] + lines[first:]
    if is_ended:
        return lines[: last + 1] + [new + _end_of(lines[last])] + lines[last + 1 :]
    return lines[:last] + [lines[last] + line_end(lines), new]


def _end_of(line: bytes) -> bytes:
    return b"\r\n" if line.endswith(b"\r\n") else b"\n"


def insert_alone(name: str, value: bytes) -> list[bytes]:
    """A file with only this line."""
    return [name.encode() + b"=" + _written(value) + b"\n"]


def _continues(line: bytes) -> bool:
    return continued_length(without_comment(line)) is not None


def line_end(lines: list[bytes]) -> bytes:
    """The line end for a last line without a line feed: as in the line before it, or to complete its CR."""
    neighbour = lines[-2] if len(lines) > 1 else b""
    return b"\r\n" if neighbour.endswith(b"\r\n") or lines[-1].endswith(b"\r") else b"\n"


def _styled(near: bytes, name: str, value: bytes) -> bytes:
    """name=value with the indentation and the blanks around the = of a line nearby."""
    key = name.encode()
    style = _STYLE.match(near)
    if style is None:
        return key + b"=" + _written(value)
    indent, neighbour, before, after = style.groups()
    if len(before) > 1 and not before.strip(b" "):
        before = b" " * max(1, len(neighbour) + len(before) - len(key))
    return indent + key + before + b"=" + after + _written(value)
