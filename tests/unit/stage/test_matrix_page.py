# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/matrix.md keeps what earlier runs wrote, and says what has to run first."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests/stage"))

import matrix_page


@pytest.fixture(name="page")
def _page(tmp_path: Path) -> Path:
    return tmp_path / "matrix.md"


def test_what_is_written_is_read_again(page: Path) -> None:
    cells = {("remove", "20.11"): "2026-11-30, 608 s", ("jwks", "26.05"): "2026-11-29, **failed**"}
    matrix_page.write(cells, page)
    assert matrix_page.read(page) == cells
    assert page.read_text(encoding="utf-8").splitlines()[-4:] == [
        "| scenario | 20.11 | 26.05 |",
        "|---|---|---|",
        "| `jwks` | – | 2026-11-29, **failed** |",
        "| `remove` | 2026-11-30, 608 s | – |",
    ]


def test_a_run_changes_its_own_cell_only_and_a_scenario_that_is_gone_is_removed(page: Path) -> None:
    known = [("remove", "20.11"), ("remove", "24.11")]
    matrix_page.write({("renamed", "24.11"): "2026-11-30, 5 s"}, page)
    matrix_page.record("remove", "20.11", 607.6, False, known, page)
    matrix_page.record("remove", "24.11", 1.0, True, known, page)
    today = date.today()
    assert matrix_page.read(page) == {
        ("remove", "20.11"): f"{today}, 608 s", ("remove", "24.11"): f"{today}, **failed**"
    }  # fmt: skip


def test_what_never_ran_or_failed_comes_first_and_then_the_oldest() -> None:
    cells = {
        ("a", "24.11"): "2026-11-30, 1 s", ("b", "24.11"): "2026-11-28, 1 s", ("c", "24.11"): "2026-11-30, **failed**"
    }
    names = sorted("abcd", key=lambda name: matrix_page.since(cells, name, "24.11"))
    assert names == ["c", "d", "b", "a"]
