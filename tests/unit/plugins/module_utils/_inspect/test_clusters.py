# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clusters slurmdbd serves, as a controller learns it from sacctmgr."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils._inspect.test_node import Site, _site

assert _site, "the fixture site"


@pytest.fixture(name="controller")
def _controller(site: Site) -> Site:
    site.switch_on()
    site.runs("slurmctld", pid=0)
    return site


def ask(site: Site, answer: tuple[int, str, str], **options: Any) -> Any:
    site.answers["timeout"] = answer
    return site.look(["slurmctld"], **{"clusters": True, **options})["clusters"]


def test_those_that_run_have_an_address(controller: Site) -> None:
    found = ask(controller, (0, "Lab|10.0.0.1\ngone|\nother|10.0.0.2\n", ""))
    assert found == {"running": ["lab", "other"], "error": None}
    (asked,) = [argv for argv in controller.commands if argv[0] == "timeout"]
    assert asked[2:5] == [str(controller.root / "sbin/sacctmgr"), "--noheader", "--parsable2"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((1, "", "error: Problem talking\n to the database.\n"), "error: Problem talking to the database"),
        ((1, " You are not running a supported plugin\n", ""), "You are not running a supported plugin"),
        ((124, "", ""), "It did not answer within 10 s"),
        ((1, "", ""), "sacctmgr failed without a message"),
        ((1, "", "x" * 10_000), "x" * 500),
    ],
)  # fmt: skip
def test_why_they_are_not_known(controller: Site, answer: tuple[int, str, str], error: str) -> None:
    assert ask(controller, answer) == {"running": [], "error": error}


def test_a_host_without_the_program(controller: Site) -> None:
    (controller.root / "sbin/sacctmgr").unlink()
    assert ask(controller, (0, "", ""), bin_dirs=[str(controller.root / "sbin")])["error"] == "There is no sacctmgr"


def test_who_is_not_asked(controller: Site) -> None:
    assert ask(controller, (0, "lab|10.0.0.1\n", ""), clusters=False) is None
    controller.answers["timeout"] = (0, "lab|10.0.0.1\n", "")
    assert controller.look(["slurmdbd"], clusters=True)["clusters"] is None
    assert not [argv for argv in controller.commands if argv[0] == "timeout"]
