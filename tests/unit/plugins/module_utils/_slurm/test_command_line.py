# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import command_line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-D", True),
        ("-Dv", True),
        ("-vD", True),
        ("-s -D", True),
        ("-vvvD -s", True),
        ("-f /etc/slurm/slurm.conf -D", True),
        ("-f/etc/slurm/slurm.conf -cD", True),
        ("-cDf /etc/slurm/slurm.conf", True),
        ("", False),
        ("--systemd", False),
        ("--systemd -v", False),
        ("-s", False),
        ("-f -D", False),
        ("-L/var/log/D.log", False),
        ("-f/srv/D/slurm.conf -v", False),
        ("-- -D", False),
        ("--Debug", False),
        ("D", False),
    ],
)
def test_foreground_in_every_spelling(words: str, expected: bool) -> None:
    assert command_line.in_foreground(["/usr/sbin/slurmctld", *words.split()]) is expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("slurmctld -f /a/slurm.conf -D", "/a/slurm.conf"),
        ("slurmctld -f/a/slurm.conf -D", "/a/slurm.conf"),
        ("slurmctld -fslurm.conf -D", "slurm.conf"),
        ("/usr/sbin/slurmctld-wlm -Df /a/slurm.conf", "/a/slurm.conf"),
        ("slurmctld -cDf/a/slurm.conf", "/a/slurm.conf"),
        ("slurmctld -f /a/slurm.conf -f /b/slurm.conf", "/b/slurm.conf"),
        ("slurmctld -L -f /a/slurm.conf", None),
        ("slurmctld -L/var/log/f /a/slurm.conf", None),
        ("slurmctld -D -f", None),
        ("slurmctld -- -f /a/slurm.conf", None),
        ("slurmd -sDf /a/slurm.conf", "/a/slurm.conf"),
        ("slurmd -Fgpu -f /a/slurm.conf", "/a/slurm.conf"),
        ("slurmd -F -f /a/slurm.conf", "/a/slurm.conf"),
        ("slurmd -Nf /a/slurm.conf", None),
        ("slurmrestd -vf /a/slurm.conf 0.0.0.0:6820", "/a/slurm.conf"),
        ("slurmrestd -s slurmctld -f /a/slurm.conf", "/a/slurm.conf"),
        ("slurmrestd -sf /a/slurm.conf", None),
        ("slurmdbd -D -s", None),
        ("", None),
    ],
)
def test_conf_in_every_spelling(command: str, expected: str | None) -> None:
    assert command_line.conf(command.split()) == expected


def test_no_process_has_no_command_line() -> None:
    assert command_line.in_foreground([]) is False
