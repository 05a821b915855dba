# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures: stored in figures.json, shown as a table, and written to docs/benchmarks.md.

A run replaces the figures that it has measured. Each has the date, the machine and its load.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from releases import RELEASES

FIGURES = pathlib.Path(__file__).resolve().parent / "figures.json"
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"

HEAD = """\
# Benchmarks

<!-- Written by tests/bench from tests/bench/figures.json. Change it there, or measure again: make bench. -->

Figures of the latest runs of `make bench`, on clusters of the lab: real Slurm in containers, all on one machine
together with Ansible. `tests/bench/bench NAME` measures one part again, and `tests/bench/bench --help` lists the parts.
"""


#: Whether a procedure, a size or a module is to be measured.
IsSelected = Callable[[str], bool]


class Cell(NamedTuple):
    """A line of a table: its labels, and its values by heading."""

    labels: tuple[Any, ...]
    values: dict[str, Any]
    raw: Any = None
    """All details, for the log."""
    problem: str = ""
    """Why it could not be measured."""


class Measurement(NamedTuple):
    name: str
    title: str
    text: str
    """How it is measured, in Markdown."""
    labels: tuple[str, ...]
    run: Callable[[str, IsSelected], Iterator[Cell]]
    """Measures it on a release."""
    releases: tuple[str, ...] = RELEASES
    picture: Callable[[list[dict[str, Any]]], str] | None = None
    """An SVG picture of the cells, for the page."""


def circumstances(note: str) -> dict[str, str]:
    """When and where, for the page: all of it can make figures worse."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = platform.freedesktop_os_release()
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} processors, {memory:.0f} GiB, {system['NAME'].split()[0]} {system['VERSION_ID']}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "note": note,
    }


def read() -> dict[str, list[dict[str, Any]]]:
    return json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}


def keep(name: str, cell: Cell, circumstances: dict[str, str]) -> None:
    """Writes one cell into figures.json, and replaces an older one."""
    figures = read()
    entry = {"labels": list(cell.labels), "values": cell.values, **circumstances}
    cells = figures.setdefault(name, [])
    matches = [number for number, old in enumerate(cells) if old["labels"] == entry["labels"]]
    if matches:
        cells[matches[0]] = entry
    else:
        cells.append(entry)
        cells.sort(key=lambda one: str(one["labels"][0]))
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def rows_of(measurement: Measurement, cells: list[dict[str, Any]]) -> list[list[str]]:
    """The headings, and a line for each cell."""
    columns = list(dict.fromkeys(column for cell in cells for column in cell["values"]))
    lines = [[*cell["labels"], *(cell["values"].get(column, "–") for column in columns)] for cell in cells]
    return [[*measurement.labels, *columns], *([str(value) for value in line] for line in lines)]


def table(measurement: Measurement, cells: list[dict[str, Any]]) -> str:
    """For a terminal."""
    rows = rows_of(measurement, cells)
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def write(measurements: list[Measurement]) -> None:
    """Writes docs/benchmarks.md and its pictures."""
    figures = read()
    for each in measurements:
        if each.picture and each.name in figures:
            picture_of(each).write_text(each.picture(figures[each.name]), encoding="utf-8")
    PAGE.write_text(page(measurements, figures), encoding="utf-8")


def picture_of(measurement: Measurement) -> pathlib.Path:
    return PAGE.with_name(f"benchmark_{measurement.name}.svg")


def page(measurements: list[Measurement], figures: dict[str, list[dict[str, Any]]]) -> str:
    """docs/benchmarks.md."""
    return "\n".join([HEAD, *(section(each, figures[each.name]) for each in measurements if each.name in figures)])


def section(measurement: Measurement, cells: list[dict[str, Any]]) -> str:
    head, *rows = rows_of(measurement, cells)
    lines = [head, ["---"] * len(head), *rows]
    body = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    picture = f"![{measurement.title}]({picture_of(measurement).name})\n\n" if measurement.picture else ""
    return f"## {measurement.title}\n\n{measurement.text}\n{picture}{body}\n{circumstances_of(cells)}\n"


def circumstances_of(cells: list[dict[str, Any]]) -> str:
    """When and where these were measured, without repetition."""
    parts = (
        (cell["date"], cell["machine"], f"load average {cell['load']} at the beginning", cell["note"]) for cell in cells
    )
    return "Measured on " + " ".join(dict.fromkeys(", ".join(filter(None, part)) + "." for part in parts))
