# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What slurm_jwt_daemon reports, against a systemctl that is made up."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.managed_daemon import ManagedDaemon

UP = "LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=7\n"
DEAD = "LoadState=loaded\nActiveState=failed\nResult=exit-code\nMainPID=0\nInvocationID=abc\n"
OPTIONS = {
    "service": "slurmdbd", "address": None, "listens": None, "pause_connections": False, "log_file": None,
    "start_after": 180,
}  # fmt: skip
START_LATER = "systemd-run --quiet --collect --unit slurm_jwt_start_slurmdbd --on-active 180 systemctl start --"


class Systemd:
    def __init__(self, shown: str, restart: int = 0, failing: str = "") -> None:
        self.shown = shown
        self.restart = restart
        self.failing = failing
        self.commands: list[list[str]] = []

    def __call__(self, argv: list[str]) -> tuple[int, str, str]:
        self.commands.append(argv)
        if self.failing and self.failing in " ".join(argv):
            return 1, "", "No such bus."
        if argv[0] == "journalctl":
            return 0, "slurmdbd[7]: fatal: no key\nsystemd[1]: slurmdbd.service: Failed\n", ""
        return (0, self.shown, "") if argv[1] == "show" else (self.restart, "", "Job failed.")

    def daemon(self, check_mode: bool = False, **options: Any) -> ManagedDaemon:
        params = {**OPTIONS, "timeout": 0.5, "settle": 0.0, **options}
        return ManagedDaemon(Task(params, check_mode, False, print), self, None)


def test_a_daemon_that_is_up() -> None:
    systemd = Systemd(UP)
    result = systemd.daemon().alive()
    assert (result["changed"], result["pid"], result["held"]) == (False, 7, False)
    assert [argv[1] for argv in systemd.commands] == ["show"]


def test_a_restart() -> None:
    systemd = Systemd(UP)
    assert systemd.daemon(check_mode=True).restarted() == {"changed": True, "pid": 7, "seconds": 0.0, "held": False}
    assert [argv[1] for argv in systemd.commands] == ["show"]
    assert systemd.daemon().restarted()["changed"] is True
    assert ["systemctl", "restart", "--", "slurmdbd"] in systemd.commands


def test_a_daemon_that_is_stopped_starts_again_by_itself_and_a_restart_cancels_that() -> None:
    systemd = Systemd(UP)
    assert systemd.daemon(check_mode=True).stopped()["changed"] is True
    assert [argv[1] for argv in systemd.commands] == ["show"]
    assert systemd.daemon(service="slurmdbd.service").stopped()["changed"] is True
    commands = [" ".join(argv) for argv in systemd.commands]
    assert commands[-2:] == [f"{START_LATER} slurmdbd.service", "systemctl stop -- slurmdbd.service"]
    systemd.daemon().restarted()
    assert ["systemctl", "stop", "slurm_jwt_start_slurmdbd.timer"] in systemd.commands[len(commands) :]


def test_a_daemon_that_is_down_is_left_alone_by_stopped() -> None:
    systemd = Systemd(DEAD)
    assert systemd.daemon().stopped()["changed"] is False
    assert [argv[1] for argv in systemd.commands] == ["show"]


def test_a_daemon_that_nothing_would_start_again_is_not_stopped() -> None:
    systemd = Systemd(UP, failing="systemd-run")
    with pytest.raises(TaskError, match="systemd-run failed with exit code 1: No such bus.*it was not stopped"):
        systemd.daemon().stopped()
    assert ["systemctl", "stop", "--", "slurmdbd"] not in systemd.commands


def test_a_daemon_that_does_not_stop() -> None:
    with pytest.raises(TaskError, match="systemctl stop slurmdbd failed with exit code 1: No such bus."):
        Systemd(UP, failing="stop -- slurmdbd").daemon().stopped()


@pytest.mark.parametrize("restart", [0, 1])
def test_a_daemon_that_dies_is_reported_with_the_lines_of_this_start(restart: int) -> None:
    systemd = Systemd(DEAD, restart)
    with pytest.raises(TaskError, match="slurmdbd is not running after .*last log lines: .*fatal: no key") as failed:
        systemd.daemon().restarted()
    assert failed.value.result == {"last_words": ["slurmdbd[7]: fatal: no key"]}
    assert "_SYSTEMD_INVOCATION_ID=abc" in systemd.commands[-1]


def test_an_address_that_is_none() -> None:
    with pytest.raises(TaskError, match="address: 'slurmdbd' is neither HOST:PORT nor unix:PATH"):
        Systemd(UP).daemon(address="slurmdbd").alive()
