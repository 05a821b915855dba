# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supported releases of ansible-core: meta/runtime.yml, README and what the tests run agree."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


def constant(path: str, name: str) -> list[str]:
    """The members or keys of a constant at the top of a file."""
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id == name:
            return list(ast.literal_eval(node.value))
    raise AssertionError(f"{path} has no {name}")


CORES = constant("tests/stage/all.py", "CORES")


@pytest.mark.parametrize(
    ("path", "name"), [("tests/stage/cores.py", "CONTROLLER"), ("tests/stage/sanity.py", "MANAGED")]
)
def test_every_list_has_the_same_releases(path: str, name: str) -> None:
    assert constant(path, name) == CORES


def test_the_lowest_is_the_one_of_meta_runtime_yml() -> None:
    requires = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))["requires_ansible"]
    assert requires == f">={CORES[0]}.0"


def test_the_readme_names_the_lowest_and_the_highest() -> None:
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert re.findall(r"ansible-core ([\d.]+\d) or later", text) == [CORES[0]]
    assert re.findall(r"ansible-core ([\d.]+\d) to ([\d.]+\d)", text) == [(CORES[0], CORES[-1])]
