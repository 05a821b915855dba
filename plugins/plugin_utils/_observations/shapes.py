# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes that a result from a host must have: types, lengths and characters. Private to this collection.

A shape takes a value and returns it, rebuilt from plain Python types, or raises Misfit. Nothing that a shape returns
can be a Jinja template, on any ansible-core, even if it loses its mark as unsafe: a word with a delimiter of Jinja does
not fit, and in sentences a space splits each delimiter. Control characters, with which a host could forge lines of
other hosts, become spaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Shape = Callable[[Any, str], Any]
"""Takes a value and the name of the member that it is, for messages."""

# The last, '#jinja2:', begins a line that changes the delimiters of Ansible's templates.
_JINJA = re.compile(r"(?<=\{)(?=[{%#])|(?<=[}%#])(?=\})|(?<=#)(?=jinja2:)")
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+"
)

LONGEST_SENTENCE, LONGEST_WORD, MOST = 4000, 1024, 1000


class Misfit(Exception):
    """A result that does not have its shape. The text names the member and its type, and never shows its value."""

    def __init__(self, member: str, found: str, expected: str = "") -> None:
        super().__init__(f"{member or 'it'} is {found}{', not ' if expected else ''}{expected}")


def harmless(text: str, longest: int = LONGEST_SENTENCE) -> str:
    """A sentence from a host, to show: one line, no template, at most that long."""
    cut = text if len(text) <= longest else text[:longest] + " ... (cut)"
    return _without_marks(cut).strip()


def harmless_lines(text: str, longest: int) -> str:
    """The same for a text of several lines, such as one of a diff."""
    cut = text if len(text) <= longest else text[:longest] + "\n... (cut)"
    return "\n".join(map(_without_marks, cut.split("\n")))


def _without_marks(line: str) -> str:
    """The line with spaces for control characters, and a space in each delimiter of a template."""
    return _JINJA.sub(" ", _UNPRINTABLE.sub(" ", line))


def maybe(shape: Shape) -> Shape:
    """The same, or null."""
    return lambda value, member: None if value is None else shape(value, member)


def flag(value: Any, member: str) -> bool:
    if not isinstance(value, bool):
        raise Misfit(member, _kind(value), "true or false")
    return value


def number(least: float = 0, greatest: float = 1e12) -> Shape:
    """A finite number; a whole one stays whole."""

    def fit(value: Any, member: str) -> int | float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Misfit(member, _kind(value), "a number")
        # Compared as it is, because a whole number may be too large for a float. NaN fails every comparison.
        if not least <= value <= greatest:
            raise Misfit(member, "a number out of range", f"from {least:g} to {greatest:g}")
        return int(value) if isinstance(value, int) else float(value)

    return fit


def whole(least: int = 0, greatest: int = 2**63) -> Shape:
    """A whole number."""
    fit = number(least, greatest)

    def whole_fit(value: Any, member: str) -> int:
        found = fit(value, member)
        if not isinstance(found, int):
            raise Misfit(member, "a fraction", "a whole number")
        return found

    return whole_fit


def sentence(longest: int = LONGEST_SENTENCE) -> Shape:
    """Text that is only shown."""

    def fit(value: Any, member: str) -> str:
        if not isinstance(value, str):
            raise Misfit(member, _kind(value), "text")
        return harmless(str(value), longest)

    return fit


def lines(longest: int = 200_000) -> Shape:
    """Text of several lines that is only shown, or of which lines are read one by one."""

    def fit(value: Any, member: str) -> str:
        if not isinstance(value, str):
            raise Misfit(member, _kind(value), "text")
        return harmless_lines(str(value), longest)

    return fit


def word(pattern: str = r"[^\x00-\x1f\x7f]*", longest: int = LONGEST_WORD, what: str = "one line of text") -> Shape:
    """Text that is compared or passed on: it fits unchanged, or not at all."""
    fits = re.compile(pattern)

    def fit(value: Any, member: str) -> str:
        if not isinstance(value, str):
            raise Misfit(member, _kind(value), what)
        if len(value) > longest:
            raise Misfit(member, f"{len(value)} characters long", f"at most {longest}")
        if not fits.fullmatch(value) or _JINJA.search(value) or _UNPRINTABLE.search(value):
            raise Misfit(member, "text with invalid characters", what)
        return str(value)

    return fit


def one_of(*words: str) -> Shape:
    return word("|".join(map(re.escape, words)), what=" or ".join(words))


def list_of(shape: Shape, most: int = MOST) -> Shape:
    def fit(value: Any, member: str) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise Misfit(member, _kind(value), "a list")
        if len(value) > most:
            raise Misfit(member, f"a list of {len(value)}", f"of at most {most}")
        return [shape(each, f"{member}[{number}]") for number, each in enumerate(value)]

    return fit


def map_of(key: Shape, shape: Shape, most: int = MOST) -> Shape:
    """A dictionary whose keys the host chooses."""

    def fit(value: Any, member: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Misfit(member, _kind(value), "a dictionary")
        if len(value) > most:
            raise Misfit(member, f"a dictionary of {len(value)}", f"of at most {most}")
        return {key(name, f"a name in {member}"): shape(each, f"{member}.*") for name, each in value.items()}

    return fit


class Members:
    """A dictionary of declared members. Others are dropped; optional ones may be missing."""

    def __init__(self, always: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> None:
        self.always = dict(always)
        self.optional = dict(optional or {})

    def __call__(self, value: Any, member: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Misfit(member, _kind(value), "a dictionary")
        inside = f"{member}." if member else ""
        for name in self.always:
            if name not in value:
                raise Misfit(inside + name, "missing")
        return {
            name: shape(value[name], inside + name)
            for name, shape in {**self.always, **self.optional}.items()
            if name in value
        }

    def undeclared(self, value: Mapping[Any, Any]) -> list[str]:
        """The names of the dropped members, safe to show."""
        known = {**self.always, **self.optional}
        return sorted(harmless(str(name), 60) for name in value if name not in known)


def either(*shapes: Shape) -> Shape:
    """The first shape that fits."""

    def fit(value: Any, member: str) -> Any:
        for shape in shapes[:-1]:
            try:
                return shape(value, member)
            except Misfit:
                pass
        return shapes[-1](value, member)

    return fit


def json_value(text: Shape | None = None, depth: int = 6, most: int = 200) -> Shape:
    """Any JSON value, to show, within limits: the claims of a token."""
    shown = text or sentence()

    def fit(value: Any, member: str) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return number(-1e308, 1e308)(value, member)
        if isinstance(value, str):
            return shown(value, member)
        if depth == 0:
            raise Misfit(member, "nested too deeply", "of few levels")
        below = json_value(shown, depth - 1, most)
        if isinstance(value, Mapping):
            return map_of(sentence(200), below, most)(value, member)
        return list_of(below, most)(value, member)

    return fit


def _kind(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a dictionary",
    }
    return "null" if value is None else next((name for kind, name in names.items() if isinstance(value, kind)), "odd")
