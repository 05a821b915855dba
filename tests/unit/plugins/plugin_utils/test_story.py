# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tells a person at its end."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _cluster, _story

CHANGED = {"changed": True}


def test_the_table():
    proof = {
        "answers": [
            {"daemon": "slurmctld", "case": "good", "expected": "accepted", "answer": "accepted"},
            {"daemon": "slurmctld", "case": "forged", "expected": "refused", "answer": "accepted"},
            {"daemon": "slurmdbd", "case": "good", "expected": "accepted", "answer": "accepted"},
        ]
    }
    node = {"slurm_jwt_look": {"release": "24.11.5", "parts": ["node"]}, "slurm_jwt_conf": CHANGED}
    hostvars = {
        "ctl1": {
            "slurm_jwt_look": {"release": "24.11.5", "parts": ["slurmctld"]},
            "slurm_jwt_key_at_source": CHANGED,
            "slurm_jwt_conf": {"changed": False, "skipped": True},
            "slurm_jwt_proof": proof,
        },
        "node1": node,
        "node2": node,
    }
    lines = _story.table(hostvars, ["ctl1", "node1", "node2"])
    assert [line.split("  ")[0] for line in lines] == ["host", "-------", "ctl1", "2 nodes"]
    assert lines[2].endswith("key made            slurmctld 1/2, slurmdbd 1/1")
    assert lines[3].endswith("slurm.conf changed  -")
    check = _story.table(hostvars, ["ctl1"], {"ctl1": ["slurmctld reconfigured"]})
    assert "would be done" in check[0]
    assert "key made, slurmctld reconfigured" in check[2]


def test_the_failure_is_that_of_the_host_that_failed():
    hostvars = {
        "ctl1": {},
        "dbd1": {
            "ansible_failed_task": {"name": "hpc.slurm_jwt.slurm_jwt : Restart slurmdbd"},
            "ansible_failed_result": {"msg": "slurmdbd does not live", "stderr": ""},
        },
    }
    found = _story.failure(hostvars, ["ctl1", "dbd1"], ["ctl1", "dbd1"])
    assert found == {"host": "dbd1", "task": "Restart slurmdbd", "cause": "slurmdbd does not live"}


def test_the_failure_of_a_command_has_its_standard_error():
    hostvars = {"ctl1": {"ansible_failed_result": {"msg": "non-zero return code", "stderr": "slurm_reconfigure error"}}}
    assert _story.failure(hostvars, ["ctl1"], ["ctl1"])["cause"] == "non-zero return code slurm_reconfigure error"


def test_a_host_that_was_lost():
    found = _story.failure({"ctl1": {}, "dbd1": {}}, ["ctl1", "dbd1"], ["ctl1"])
    assert found["host"] == "dbd1"
    assert "reached" in found["cause"]


GROUPS = {"all": ["a", "b", "c"], "slurmctld": ["a"], "slurm_nodes": ["c", "a"], "our_dbds": ["b"]}


def test_the_hosts_of_a_cluster():
    assert _cluster.cluster_hosts(GROUPS, {}) == ["a", "c"]
    assert _cluster.cluster_hosts(GROUPS, {"slurm_jwt_group_slurmdbd": "our_dbds"}) == ["a", "b", "c"]


def test_no_controller():
    with pytest.raises(_cluster.ClusterError, match="no host in the group heads.*slurm_jwt_group_slurmctld"):
        _cluster.cluster_hosts(GROUPS, {"slurm_jwt_group_slurmctld": "heads"})


def test_the_hosts_of_a_step():
    plan = {"nodes_to_change": ["n"], "servers": ["s"], "hosts_to_change": ["n", "s"], "speaker": "c"}
    before = {}
    fine = {"localhost": {"slurm_jwt_plan": plan}}
    failed = {"localhost": {"slurm_jwt_plan": plan, "slurm_jwt_failure": {}}}
    steps = ("nodes", "servers", "put_back", "report")
    assert [_cluster.planned_hosts(before, step) for step in steps] == [[], [], [], []]
    assert [_cluster.planned_hosts(fine, step) for step in steps] == [["n"], ["s"], [], ["c"]]
    assert [_cluster.planned_hosts(failed, step) for step in steps] == [["n"], [], ["n", "s"], ["c"]]
