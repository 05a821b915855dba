# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ast
import collections
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
# Ansible finds these by their names.
OF_ANSIBLE = {"ActionModule", "FilterModule", "ModuleDocFragment"}


# The proxy's program is installed by itself and imports nothing of the plugins.
@pytest.mark.parametrize(("program", "classes"), [("plugins", 100), ("roles/slurm_jwt_proxy/files", 10)])
def test_no_two_classes_have_one_name(program: str, classes: int) -> None:
    files = (ROOT / program).rglob("*.py")
    places = collections.defaultdict(list)
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert len(places) > classes
    assert {name: where for name, where in places.items() if len(where) > 1 and name not in OF_ANSIBLE} == {}
