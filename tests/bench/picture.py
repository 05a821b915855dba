# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines over a logarithmic scale in both directions, as an SVG picture."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping, Sequence

import jinja2

TEMPLATE = pathlib.Path(__file__).resolve().parent / "picture.svg.j2"
#: In units of the picture: its size, and the room for the labels.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 70, 130, 20, 50
COLOURS = ("#1f6feb", "#d1570b", "#2da44e", "#8250df")

Points = Sequence[tuple[float, float]]


def lines(series: Mapping[str, Points], across: str, up: str) -> str:
    """A picture of each series; ACROSS and UP say what the two scales are."""
    x_ends = _decades([x for points in series.values() for x, _y in points])
    y_ends = _decades([y for points in series.values() for _x, y in points])

    def x_of(value: float) -> float:
        return LEFT + _share(value, x_ends) * (WIDTH - LEFT - RIGHT)

    def y_of(value: float) -> float:
        return HEIGHT - BOTTOM - _share(value, y_ends) * (HEIGHT - TOP - BOTTOM)

    return jinja2.Template(TEMPLATE.read_text(encoding="utf-8"), keep_trailing_newline=True, autoescape=True).render(
        width=WIDTH, height=HEIGHT, left=LEFT, right=WIDTH - RIGHT, top=TOP, bottom=HEIGHT - BOTTOM,
        across=across, up=up,
        columns=[(round(x_of(10.0**power), 1), f"{10**power:,}") for power in range(x_ends[0], x_ends[1] + 1)],
        rows=[(round(y_of(10.0**power), 1), f"{10.0**power:,g}") for power in range(y_ends[0], y_ends[1] + 1)],
        series=[
            (name, colour, [(round(x_of(x), 1), round(y_of(y), 1), f"{name}: {x:,g}, {y:,g}") for x, y in points])
            for (name, points), colour in zip(series.items(), COLOURS)
        ],
    )


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around the values."""
    least, greatest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return least, max(greatest, least + 1)


def _share(value: float, ends: tuple[int, int]) -> float:
    return (math.log10(value) - ends[0]) / (ends[1] - ends[0])
