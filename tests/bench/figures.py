# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured: kept in figures.json, shown as a table, and written down in docs/benchmarks.md.

A run that measures a part replaces that part of the figures; each keeps the day, the machine and how busy that was.
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

Figures of the last run of `make bench`, on clusters of the lab: real Slurm in containers, all of them on one machine
together with Ansible. `tests/bench/bench NAME` measures one part anew, and `tests/bench/bench --help` names them.
"""


#: Whether a procedure, a size or a module is to be measured.
Wants = Callable[[str], bool]


class Cell(NamedTuple):
    """A line of a table: what it is about, and what was measured, by heading."""

    labels: tuple[Any, ...]
    values: dict[str, Any]
    raw: Any = None
    """All that is known of it, for the log."""
    problem: str = ""
    """Why nothing could be measured."""


class Measurement(NamedTuple):
    name: str
    title: str
    text: str
    """How it is measured, in Markdown."""
    labels: tuple[str, ...]
    run: Callable[[str, Wants], Iterator[Cell]]
    """Measures it on a release."""
    releases: tuple[str, ...] = RELEASES


def circumstances(note: str) -> dict[str, str]:
    """When and where. All of it can make figures worse, so all of it is told."""
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
    """Puts one cell into figures.json, in place of an older one."""
    figures = read()
    entry = {"labels": list(cell.labels), "values": cell.values, **circumstances}
    cells = figures.setdefault(name, [])
    places = [number for number, old in enumerate(cells) if old["labels"] == entry["labels"]]
    if places:
        cells[places[0]] = entry
    else:
        cells.append(entry)
        cells.sort(key=lambda one: str(one["labels"][0]))
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def rows_of(measurement: Measurement, cells: list[dict[str, Any]]) -> list[list[str]]:
    """The headings, and a line a cell."""
    columns = list(dict.fromkeys(column for cell in cells for column in cell["values"]))
    lines = [[*cell["labels"], *(cell["values"].get(column, "–") for column in columns)] for cell in cells]
    return [[*measurement.labels, *columns], *([str(value) for value in line] for line in lines)]


def table(measurement: Measurement, cells: list[dict[str, Any]]) -> str:
    """For a terminal."""
    rows = rows_of(measurement, cells)
    wide = [max(len(cell) for cell in column) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, wide)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * size for size in wide), *lines[1:]])


def page(measurements: list[Measurement]) -> str:
    """docs/benchmarks.md."""
    figures = read()
    return "\n".join([HEAD, *(section(each, figures[each.name]) for each in measurements if each.name in figures)])


def section(measurement: Measurement, cells: list[dict[str, Any]]) -> str:
    head, *rows = rows_of(measurement, cells)
    lines = [head, ["---"] * len(head), *rows]
    body = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"## {measurement.title}\n\n{measurement.text}\n{body}\n{told(cells)}\n"


def told(cells: list[dict[str, Any]]) -> str:
    """When and where these were measured, each circumstance once."""
    parts = (
        (cell["date"], cell["machine"], f"load average {cell['load']} at the beginning", cell["note"]) for cell in cells
    )
    return "Measured on " + " ".join(dict.fromkeys(", ".join(filter(None, part)) + "." for part in parts))
