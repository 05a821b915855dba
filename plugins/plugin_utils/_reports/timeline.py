# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bars of tokens are on the time line of the report. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.token_states import State, span, utc

# In units of the picture: names to the left, bars to the right of them.
_WIDTH, _LEFT, _ROW, _TOP = 1000, 260, 26, 30
# Seconds that are shown at most: an endless token would leave no room for the others.
_LONGEST = 400 * 86400


class Tick(NamedTuple):
    """A date below the bars."""

    x: str
    text: str


class Bar(NamedTuple):
    """A part of a token's life, before or after now."""

    x: str
    width: str
    style: str


class TokenRow(NamedTuple):
    """A token."""

    top: int
    label: str
    tip: str
    bars: list[Bar]


class Timeline(NamedTuple):
    """A bar for each token from its creation to its end, and a line for now."""

    width: int
    height: int
    top: int
    row: int
    now: str
    ticks: list[Tick]
    rows: list[TokenRow]


def timeline(tokens: Sequence[State], now: float) -> Timeline | None:
    """None if no token has an end."""
    shown = [one for one in tokens if one.expires is not None]
    if not shown:
        return None
    begin = max(min([now, *(one.made if one.made is not None else now for one in shown)]), now - _LONGEST)
    end = min(max([now + 60, *(float(one.expires or 0) for one in shown)]), now + _LONGEST)
    scale = (_WIDTH - _LEFT - 20) / (end - begin)

    def x(second: float) -> float:
        return _LEFT + (min(max(second, begin), end) - begin) * scale

    return Timeline(
        _WIDTH,
        _TOP + _ROW * len(shown) + 24,
        _TOP,
        _ROW,
        f"{x(now):.1f}",
        _ticks(begin, end, x),
        [_row(one, _TOP + number * _ROW, begin, now, x) for number, one in enumerate(shown)],
    )


def _row(one: State, top: int, begin: float, now: float, x: Callable[[float], float]) -> TokenRow:
    made, ends = begin if one.made is None else one.made, float(one.expires or 0)
    name = f"{one.service} on {one.host}"
    bars = [
        Bar(f"{x(first):.1f}", f"{max(x(last) - x(first), 1):.1f}", f"{one.severity} {style}")
        for first, last, style in ((made, min(now, ends), "gone"), (now, ends, ""))
        if last > first
    ]
    tip = f"{name}: {one.state}, {span(one.left)} left, until {utc(ends)}"
    return TokenRow(top, name if len(name) < 36 else name[:34] + "…", tip, bars)


def _ticks(begin: float, end: float, x: Callable[[float], float]) -> list[Tick]:
    """A date at a handful of round instants."""
    sizes = ((60, (1, 5, 15)), (3600, (1, 3, 6)), (86400, (1, 7, 30, 90)))
    steps = [size * unit for unit, many in sizes for size in many]
    step = next((step for step in steps if (end - begin) / step <= 7), steps[-1])
    first = (int(begin) // step + 1) * step
    instants = [instant for number in range(16) if (instant := first + number * step) < end]
    return [Tick(f"{x(each):.1f}", utc(each)[5:10] if step >= 86400 else utc(each)[5:16]) for each in instants]
