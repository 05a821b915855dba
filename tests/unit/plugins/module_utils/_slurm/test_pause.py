# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pause of new connections: what is asked of nft and systemd, and a listener seen in the kernel's tables."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import pause


class Commands:
    def __init__(self, *failing):
        self.failing, self.seen = failing, []

    def __call__(self, argv):
        self.seen.append(" ".join(argv))
        return (1 if any(word in self.seen[-1] for word in self.failing) else 0), "", ""


def test_the_deadline_is_set_before_the_rule():
    commands = Commands()
    assert pause.begin(commands, "/usr/sbin/nft", 6819)
    timer = next(i for i, seen in enumerate(commands.seen) if seen.startswith("systemd-run"))
    rule = next(i for i, seen in enumerate(commands.seen) if "tcp dport 6819" in seen)
    assert timer < rule
    assert commands.seen[timer].endswith("/usr/sbin/nft delete table inet slurm_jwt_pause")


def test_no_rule_without_the_deadline():
    commands = Commands("systemd-run")
    assert not pause.begin(commands, "nft", 6819)
    assert not any("add rule" in seen for seen in commands.seen)


def test_a_kernel_that_refuses_leaves_nothing_behind():
    commands = Commands("add rule")
    assert not pause.begin(commands, "nft", 6819)
    assert commands.seen[-2:] == ["nft delete table inet slurm_jwt_pause", "systemctl stop slurm_jwt_pause.timer"]


def test_listens_reads_the_kernels_own_tables():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert not pause.listens(port)
        server.listen()
        assert pause.listens(port)
        assert not pause.connections(port)
        with socket.create_connection(("127.0.0.1", port)) as client:
            peer = client.getsockname()[1]
            assert {each.rpartition(":")[2] for each in pause.connections(port)} == {f"{peer:04X}"}
    assert not pause.listens(port)


def test_a_restart_in_a_pause_that_ends_whatever_comes_of_it(monkeypatch):
    monkeypatch.setattr(pause, "_SHORT_LIVED", 0)
    commands, done = Commands(), []
    assert pause.restart(commands, "nft", 1, lambda: done.append("restarted"), dead=lambda: True)
    rule = next(i for i, seen in enumerate(commands.seen) if "tcp dport 1 " in seen)
    assert done == ["restarted"]
    assert "nft delete table inet slurm_jwt_pause" in commands.seen[rule:]

    def fail():
        raise RuntimeError

    commands = Commands()
    with pytest.raises(RuntimeError):
        pause.restart(commands, "nft", 1, fail, dead=lambda: True)
    assert commands.seen[-2:] == ["nft delete table inet slurm_jwt_pause", "systemctl stop slurm_jwt_pause.timer"]


def test_a_restart_where_nothing_can_be_paused(monkeypatch):
    monkeypatch.setattr(pause, "_SHORT_LIVED", 0)
    done = []
    assert not pause.restart(Commands("add rule"), "nft", 1, lambda: done.append("restarted"), dead=lambda: False)
    assert done == ["restarted"]
