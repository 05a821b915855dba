# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import folded, grouped


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([], ""),
        (["ctl"], "ctl"),
        (["node7"], "node7"),
        (["node1", "node2", "node3"], "node[1-3]"),
        (["node3", "node1", "node2", "node9"], "node[1-3,9]"),
        ([f"node{number}" for number in range(8, 12)], "node[8-11]"),
        ([f"node{number:04d}" for number in range(1, 4991)], "node[0001-4990]"),
        (["node08", "node09", "node10"], "node[08-10]"),
        (["node8", "node08"], "node8,node08"),
        (["login1", "node1", "node2", "gpu"], "login1,node[1-2],gpu"),
        (["n1.example.org", "n2.example.org"], "n[1-2].example.org"),
        (["rack1-node1", "rack1-node2", "rack2-node1"], "rack1-node[1-2],rack2-node1"),
        (["node1", "node1"], "node1"),
    ],
)
def test_names_are_folded_as_slurm_does(hosts: list[str], expected: str) -> None:
    assert folded(hosts) == expected


def test_what_is_said_of_several_hosts_is_said_once() -> None:
    said = [("ctl1", "a"), ("dbd1", "a"), ("node2", "b"), ("node1", "b"), ("ctl1", "c"), ("ctl1", "b")]
    assert grouped(said) == ["ctl1,dbd1: a", "node[1-2],ctl1: b", "ctl1: c"]
    assert grouped([]) == []
