# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release of Slurm that one part of the tests has, all parts have. The lab's list is the one to begin with."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import releases

TESTS = pathlib.Path(__file__).parents[2]
# Compiled ones have a name with a word in it.
LAB = re.findall(r'Release\(\s*"(\d+\.\d+)",', (TESTS / "lab/slurmlab/releases.py").read_text(encoding="utf-8"))


def listed(path: str, name: str) -> list[str]:
    """The releases in a tuple at the top of a file, without their third number."""
    for node in ast.parse((TESTS / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            values = ast.literal_eval(node.value)
            return [".".join((one if isinstance(one, str) else one[0]).split(".")[:2]) for one in values]
    raise AssertionError(f"{path} has no {name}")


def listed_pairs(path: str, name: str) -> list[tuple[str, str]]:
    """The same, each with what stands beside it."""
    constant = re.search(rf"^{name} = (\(.*?^\))", (TESTS / path).read_text(encoding="utf-8"), re.M | re.S)
    assert constant is not None
    return [(".".join(release.split(".")[:2]), beside) for release, beside in ast.literal_eval(constant[1])]


def test_the_lab_has_releases() -> None:
    assert len(LAB) >= 4


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("stage/all.py", "RELEASES"),
        ("stage/releases_page.py", "TESTED"),
        ("bench/releases.py", "RELEASES"),
        ("conformance/configurations", "RELEASES"),
    ],
)
def test_every_list_has_the_lab_s_releases(path: str, name: str) -> None:
    assert sorted(listed(path, name)) == sorted(LAB)


def test_key_sets_are_given_to_every_release_that_has_them() -> None:
    assert sorted(listed("conformance/key_sets", "RELEASES")) == sorted(set(LAB) - {"20.11"})


def test_every_release_has_a_rollout() -> None:
    scenarios = TESTS.parent / "extensions/molecule"
    assert sorted(path.name.partition("-")[2] for path in scenarios.glob("rollout-*")) == sorted(LAB)


def trains(text: str) -> list[tuple[str, ...]]:
    """Ranges of releases without a third number."""
    return re.findall(r"(?<![\d.])(2\d\.\d\d) to (2\d\.\d\d)(?!\.?\d)", text)


def test_the_measured_range_is_the_lab_s() -> None:
    assert [release.train for release in releases.MEASURED] == [LAB[0], LAB[-1]]


def test_texts_name_the_measured_range() -> None:
    """One that begins with the oldest release says what all of them do, and ends with the newest."""
    oldest, newest = (release.train for release in releases.MEASURED)
    found = {
        (str(path.relative_to(TESTS.parent)), last)
        for folder in ("plugins", "roles", "playbooks", "docs", "extensions", "tests")
        for path in (TESTS.parent / folder).rglob("*")
        if path.suffix in (".py", ".yml", ".rst", ".md") and path != pathlib.Path(__file__)
        for first, last in trains(" ".join(path.read_text(encoding="utf-8", errors="replace").split()))
        if first == oldest
    }
    assert len(found) >= 5
    assert [one for one in found if one[1] != newest] == []


@pytest.mark.parametrize(
    ("text", "ranges"),
    [("from 20.11 to 24.11 knows", [("20.11", "24.11")]), ("23.02.0 to 23.02.5", []), ("23.02.6 to 26.05.2", [])],
)
def test_ranges_are_found(text: str, ranges: list[tuple[str, str]]) -> None:
    assert trains(text) == ranges


def test_the_readme_s_table_is_that_of_the_tests_and_of_the_capabilities() -> None:
    tested = dict(listed_pairs("stage/releases_page.py", "TESTED"))
    readme = (TESTS.parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d\.\d\d) \| ([^|]+) \| [\d.]+ \| [\d.]+ \| (\w+) slurmctld \|$", readme, re.M)
    assert {release: where for release, where, _how in rows} == tested
    for release, _where, how in rows:
        reloads = releases.has(releases.parse(release), "reconfigure_reloads_auth")
        assert how == ("reconfigures" if reloads else "restarts")
