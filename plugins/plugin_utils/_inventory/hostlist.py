# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of hosts as Slurm writes them: node[0001-0040,0042]. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")


def folded(hosts: Iterable[str]) -> str:
    """All names, folded and separated by commas. A name without a number stays as it is."""
    runs: dict[tuple[str, int, str], list[int]] = {}
    order: dict[tuple[str, int, str] | str, None] = {}
    for host in dict.fromkeys(hosts):
        match = _NUMBERED.fullmatch(host)
        if match is None:
            order[host] = None
            continue
        before, number, after = match.groups()
        # Slurm keeps leading zeros: 09 and 10 have a common width, 9 and 10 do not.
        width = len(number) if number.startswith("0") else 0
        key = (before, width, after)
        order[key] = None
        runs.setdefault(key, []).append(int(number))
    _join_widths(runs, order)
    return ",".join(key if isinstance(key, str) else _folded_name(key, runs[key]) for key in order)


def grouped(said: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each text, with all its hosts: thousands of nodes may have the same text."""
    hosts_of: dict[str, list[str]] = {}
    for host, text in said:
        hosts_of.setdefault(text, []).append(host)
    return [f"{folded(hosts)}: {text}" for text, hosts in hosts_of.items()]


def _join_widths(
    runs: dict[tuple[str, int, str], list[int]], order: dict[tuple[str, int, str] | str, None]
) -> None:
    """Joins names such as node08, node09, node10: node10 has no leading zero, but the same width."""
    for key in [key for key in runs if key[1]]:
        before, width, after = key
        plain = (before, 0, after)
        same = [number for number in runs.get(plain, ()) if len(str(number)) == width]
        if same:
            runs[key] += same
            runs[plain] = [number for number in runs[plain] if number not in set(same)]
            if not runs[plain]:
                del runs[plain], order[plain]


def _folded_name(key: tuple[str, int, str], numbers: Sequence[int]) -> str:
    before, width, after = key
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    inside = ",".join(
        _padded(first, width) + (f"-{_padded(last, width)}" if last > first else "") for first, last in spans
    )
    return f"{before}{inside}{after}" if len(numbers) == 1 else f"{before}[{inside}]{after}"


def _padded(number: int, width: int) -> str:
    return f"{number:0{width}d}"
