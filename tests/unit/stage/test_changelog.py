# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fragments of the changelog are reStructuredText. The markup of Ansible's documentation would stay as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

FRAGMENTS = sorted((Path(__file__).resolve().parents[3] / "changelogs/fragments").glob("*.yml"))
MARKUP = re.compile(r"\b(?:RV|HORIZONTALLINE|[BCEILMOPRUV])\([^)]")


def texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from texts(one)
    else:
        yield str(value)


@pytest.mark.parametrize("file", FRAGMENTS, ids=lambda file: file.stem)
def test_no_markup_of_documentation(file: Path) -> None:
    found = [text for text in texts(yaml.safe_load(file.read_text(encoding="utf-8"))) if MARKUP.search(text)]
    assert found == []


@pytest.mark.parametrize("text", ["a lifespan of C(1w3d)", "with O(a.b.c#module:state) V(absent)", "RV(daemons) has"])
def test_markup_is_found(text: str) -> None:
    assert MARKUP.search(text)
