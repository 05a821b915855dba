# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which stages run at once, and which are in the matrix."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests/stage"))

runner = importlib.import_module("all")


def started(*lanes: str) -> Counter[str]:
    """How many stages of each kind begin at once if all of these wait."""
    waiting = [runner.Stage(f"{lane}{number}", "", "", (), lane) for number, lane in enumerate(lanes)]
    found = runner.Runner(waiting, False)
    found._start = lambda _stage: None
    for stage in list(found.waiting):
        found._start_or_give_up(stage)
    return Counter(stage.lane for stage in found.busy.values())


@pytest.mark.parametrize(
    ("waiting", "running"),
    [
        (["host"] * 3 + ["lab"] * 3, {"host": 1, "lab": 2}),
        (["host"] * 3 + ["lab"], {"host": 1, "lab": 1}),
        # The processors are for the host when no container needs them.
        (["host"] * 3, {"host": 2}),
        (["lab"] * 3, {"lab": 2}),
    ],
)
def test_as_many_as_the_machine_carries(waiting: list[str], running: dict[str, int]) -> None:
    assert started(*waiting) == running


def test_every_scenario_is_in_the_matrix_or_in_every_test() -> None:
    cells = {stage.cell for stage in runner.matrix() if stage.group == "molecule"}
    always = {stage.name for stage in runner.choose(runner.stages(), [])}
    missing = [
        name for name in runner.scenario_names()
        if f"molecule/{name}" not in always and not any(row.startswith(name) for row, _release in cells)
    ]
    assert not missing
    assert len(cells) > 90
