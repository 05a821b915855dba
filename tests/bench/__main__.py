# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what the collection promises, next to the same without it, on clusters of the lab.

One cluster at a time. Prints a table of each measurement, and writes the figures into docs/benchmarks.md. All details
are below .work/bench.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from typing import Any

import figures
import first_rollout
import modules
import nodes
import proxy
import rotation
import second_rollout
import tokens
from cluster import WORK, Failed, log
from figures import Cell, Measurement
from releases import RELEASES

MEASUREMENTS = [each.MEASUREMENT for each in (rotation, first_rollout, second_rollout, nodes, modules, tokens, proxy)]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["measurements:", *(f"  {each.name:10} {each.title}" for each in MEASUREMENTS)]),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a measurement, see below; default: all")
    parser.add_argument("--release", action="append", choices=RELEASES, help="may be repeated; default: all")
    parser.add_argument("--only", action="append", metavar="WHAT", help="a procedure, size or module; may be repeated")
    parser.add_argument("--note", default="", help="other work on this machine meanwhile, for the page")
    parser.add_argument("--print", action="store_true", help="do not change docs/benchmarks.md")
    parser.add_argument("--page", action="store_true", help="measure nothing, and write docs/benchmarks.md again")
    chosen = parser.parse_args()
    if chosen.page:
        figures.write(MEASUREMENTS)
        return 0
    unknown = set(chosen.names) - {each.name for each in MEASUREMENTS}
    if unknown:
        parser.error(f"There is no measurement called {min(unknown)}.")
    problems = 0
    for measurement in MEASUREMENTS:
        if not chosen.names or measurement.name in chosen.names:
            releases = [release for release in measurement.releases if release in (chosen.release or RELEASES)]
            problems += carry_out(measurement, releases, chosen)
    if not chosen.print:
        figures.write(MEASUREMENTS)
    return 1 if problems else 0


def carry_out(measurement: Measurement, releases: list[str], chosen: argparse.Namespace) -> int:
    """Prints the table of one measurement. Returns how many parts of it could not be measured."""
    cells: list[Cell] = []
    problems: list[str] = []
    for release in releases:
        about = figures.circumstances(chosen.note)
        try:
            for cell in measurement.run(release, lambda name: not chosen.only or name in chosen.only):
                if cell.problem:
                    problems.append(f"{name_of(cell)}: {cell.problem}")
                    continue
                cells.append(cell)
                log(f"{name_of(cell)}: {cell.values}")
                details = WORK / f"{measurement.name} {name_of(cell)}.json".replace(" ", "-")
                details.write_text(json.dumps(cell.raw, indent=1) + "\n", encoding="utf-8")
                if not chosen.print:
                    figures.keep(measurement.name, cell, about)
        except Failed as failure:
            problems.append(f"{release}: {failure}")
    if cells:
        shown = [{"labels": cell.labels, "values": cell.values} for cell in cells]
        print(f"\n{measurement.title}\n\n{figures.table(measurement, shown)}\n", flush=True)
    for problem in problems:
        print(f"{measurement.name}: {problem}", file=sys.stderr, flush=True)
    return len(problems)


def name_of(cell: Cell) -> str:
    return " ".join(map(str, cell.labels))


def end(*_signal: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # On any signal, the cluster is removed.
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
