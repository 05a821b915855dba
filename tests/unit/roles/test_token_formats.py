# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats of token files: the code has them, and every list in the documentation has the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import FORMATS

ROOT = Path(__file__).resolve().parents[3]


def documentation(path: Path) -> Any:
    """An argument spec of a role, or the documentation and results of a module."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yml":
        return yaml.safe_load(text)
    return {
        node.targets[0].id: yaml.safe_load(node.value.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("DOCUMENTATION", "RETURN") and isinstance(node.value, ast.Constant)
    }  # fmt: skip


def choices(value: Any) -> Iterator[list[str]]:
    """The choices of every option and result that is called format and is one of a token file."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "format" and isinstance(member, dict) and "choices" in member:
                yield member["choices"]
            yield from choices(member)
    elif isinstance(value, list):
        for member in value:
            yield from choices(member)


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("plugins/modules/slurm_jwt_token.py", 2),
        ("plugins/modules/slurm_jwt_token_timer.py", 1),
        ("roles/slurm_jwt_tokens/meta/argument_specs.yml", 1),
    ],
)
def test_every_list_has_the_formats_of_the_code(path: str, number: int) -> None:
    found = list(choices(documentation(ROOT / path)))
    assert len(found) >= number
    assert [one for one in found if one != list(FORMATS)] == []


def test_there_is_no_other_list() -> None:
    """A list that begins like this one, in a file that the test above does not read."""
    begins = re.compile(r"\[\"?raw\"?, \"?env\"?, ")
    found = {
        str(path.relative_to(ROOT))
        for folder in ("plugins", "roles", "playbooks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".yml", ".j2") and begins.search(path.read_text(encoding="utf-8"))
    }
    assert found == {
        "plugins/modules/slurm_jwt_token.py",
        "plugins/modules/slurm_jwt_token_timer.py",
        "roles/slurm_jwt_tokens/meta/argument_specs.yml",
    }


@pytest.mark.parametrize("form", FORMATS)
def test_the_guide_describes_each(form: str) -> None:
    guide = (ROOT / "docs/docsite/rst/guide_tokens.rst").read_text(encoding="utf-8")
    assert f"``{form}``" in guide
