# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page docs/matrix.md: when each scenario last ran with each release of Slurm, and how it ended.

The whole matrix takes longer than most people have at once. The page lets a later run begin with what is oldest.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import date
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/matrix.md"
NEVER = "–"
HEAD = """\
# Scenarios and releases

<!-- Written by tests/run --matrix. -->

When each scenario last ran with each release of Slurm: the date, and how many seconds it took. `make matrix` runs all
of them, two at a time, and writes this page. It begins with those that have not run for longest, so you may stop it and
start it again. "–" has not run, or tests what the release does not have. The last run had {machine}.

"""

Cells = dict[tuple[str, str], str]
"""What the page says of each pair of scenario and release."""


def read(page: Path = PAGE) -> Cells:
    lines = page.read_text(encoding="utf-8").splitlines() if page.exists() else []
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    if not rows:
        return {}
    releases = rows[0][1:]
    return {
        (row[0].strip("`"), release): cell
        for row in rows[2:] for release, cell in zip(releases, row[1:]) if cell not in ("", NEVER)
    }


def since(cells: Cells, scenario: str, release: str) -> str:
    """What sorts before that of others if this has to run first: what never ran or failed, then the oldest."""
    cell = cells.get((scenario, release), "")
    return "" if "failed" in cell else cell[:10]


def write(cells: Cells, page: Path = PAGE) -> None:
    page.write_text(HEAD.format(machine=machine()) + table(cells), encoding="utf-8")


def table(cells: Cells) -> str:
    releases = sorted({release for _scenario, release in cells})
    lines = ["| scenario | " + " | ".join(releases) + " |", "|---" * (len(releases) + 1) + "|"]
    for scenario in sorted({scenario for scenario, _release in cells}):
        row = [cells.get((scenario, release), NEVER) for release in releases]
        lines.append(f"| `{scenario}` | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def record(
    scenario: str, release: str, seconds: float, failed: bool, known: Collection[tuple[str, str]], page: Path = PAGE
) -> None:
    """Writes down how one run ended, and removes what is not known any more."""
    cells = {cell: ended for cell, ended in read(page).items() if cell in known}
    cells[scenario, release] = f"{date.today()}, " + ("**failed**" if failed else f"{seconds:.0f} s")
    write(cells, page)


def machine() -> str:
    """In the units of docs/benchmarks.md."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} processors and {memory:.0f} GiB"
