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


def test_no_process_has_no_command_line() -> None:
    assert command_line.in_foreground([]) is False
