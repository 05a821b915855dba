# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tells a person at its end."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import inventory_hosts, plan_steps
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports import key_copies, run_failure, run_summary

CHANGED = {"changed": True}


def _failure(*arguments):
    return run_failure.run_failure(*arguments)._asdict()


def test_a_list_of_nodes_that_is_too_long_is_their_number():
    assert run_summary._nodes([f"node{number:04}" for number in range(5000)]) == "node[0000-4999] (5000 nodes)"
    assert run_summary._nodes([f"node{number}" for number in range(0, 100, 2)]) == "50 nodes"
    assert run_summary._nodes(["node7"]) == "node7"


def test_the_table():
    proof = {
        "answers": [
            {"daemon": "slurmctld", "case": "good", "expected": "accepted", "answer": "accepted"},
            {"daemon": "slurmctld", "case": "forged", "expected": "refused", "answer": "accepted"},
            {"daemon": "slurmdbd", "case": "good", "expected": "accepted", "answer": "accepted"},
        ]
    }
    node = {"slurm_jwt_observation": {"release": "24.11.5", "components": ["node"]}, "slurm_jwt_conf": CHANGED}
    hostvars = {
        "ctl1": {
            "slurm_jwt_observation": {"release": "24.11.5", "components": ["slurmctld"]},
            "slurm_jwt_key_at_source": CHANGED,
            "slurm_jwt_conf": {"changed": False, "skipped": True},
            "slurm_jwt_proof": proof,
        },
        "node1": node,
        "node2": node,
    }
    lines = run_summary.table(hostvars, ["ctl1", "node1", "node2"])
    assert [line.split("  ")[0] for line in lines] == ["host", "-" * 19, "ctl1", "node[1-2] (2 nodes)"]
    assert lines[2].endswith("key made            slurmctld 1/2, slurmdbd 1/1")
    assert lines[3].endswith("slurm.conf changed  -")
    check = run_summary.table(hostvars, ["ctl1"], {"ctl1": ["slurmctld reconfigured"]})
    assert "would be done" in check[0]
    assert "key made, slurmctld reconfigured" in check[2]


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({}, "by its own word"),
        ({"slurmrestd_proof_from_controller": {"skipped": True}}, "by its own word"),
        ({"slurmrestd_proof_from_controller": {"proven": False}}, "by its own word"),
        ({"slurmrestd_proof_from_controller": {"proven": True}}, "seen from the controller"),
    ],
)
def test_who_has_seen_the_proof_of_slurmrestd(seen, said):
    answer = {"daemon": "slurmrestd", "case": "good", "expected": "accepted", "answer": "accepted"}
    rest1 = {"slurmrestd_proof": {"answers": [answer] * 12}, **seen}
    assert run_summary.proofs(rest1) == [f"slurmrestd 12/12, {said}"]
    assert run_summary.table({"rest1": rest1}, ["rest1"])[2].endswith(f"  slurmrestd 12/12, {said}")
    # Those on hosts with the key need nobody else's word.
    ctl1 = {"slurm_jwt_proof": {"answers": [{**answer, "daemon": "slurmctld"}]}, **seen}
    assert run_summary.proofs(ctl1) == ["slurmctld 1/1"]


def test_the_table_of_a_removal():
    changed = {"changed": True}
    done = ("slurmrestd_stopped", "slurmrestd_dropin_removed", "slurmrestd_account_removed", "slurm_jwt_tokens_removed")
    copies = ("slurm_jwt_conf_copies", "slurm_jwt_dbd_conf_copies", "slurm_jwt_jwks_timer_removed")
    hostvars = {"rest1": dict.fromkeys(done, changed), "dbd1": dict.fromkeys(copies, changed)}
    told = ["slurmrestd stopped", "drop-in removed", "user removed", "token removed"]
    assert run_summary.actions(hostvars["rest1"]) == told
    # A host has both files, and they are told once.
    assert run_summary.actions(hostvars["dbd1"]) == ["timer of key sets removed", "copies removed"]


def test_the_failure_is_that_of_the_host_that_failed():
    hostvars = {
        "ctl1": {},
        "dbd1": {
            "ansible_failed_task": {"name": "hpc.slurm_jwt.slurm_jwt : Restart slurmdbd"},
            "ansible_failed_result": {"msg": "slurmdbd does not live", "stderr": ""},
        },
    }
    found = _failure(hostvars, ["ctl1", "dbd1"], ["ctl1", "dbd1"])
    assert found == {"host": "dbd1", "task": "Restart slurmdbd", "cause": "slurmdbd does not live", "run": ""}
    hostvars["localhost"] = {"slurm_jwt_declarations": {"run": "first"}}
    assert _failure(hostvars, ["ctl1", "dbd1"], ["ctl1", "dbd1"]) == {**found, "run": "first"}


def test_the_failure_of_a_command_has_its_standard_error():
    hostvars = {"ctl1": {"ansible_failed_result": {"msg": "non-zero return code", "stderr": "slurm_reconfigure error"}}}
    assert _failure(hostvars, ["ctl1"], ["ctl1"])["cause"] == "non-zero return code slurm_reconfigure error"


def test_the_failure_of_a_loop_has_the_reason_of_each_item():
    items = [{"msg": "first", "failed": True}, {"msg": "fine"}, {"msg": "second", "failed": True}, "no item"]
    hostvars = {"rest1": {"ansible_failed_result": {"msg": "One or more items failed", "results": items}}}
    assert _failure(hostvars, ["rest1"], ["rest1"])["cause"] == "first second"


def test_a_host_that_was_lost():
    found = _failure({"ctl1": {}, "dbd1": {}}, ["ctl1", "dbd1"], ["ctl1"])
    assert found == {"host": "dbd1", "task": "?", "cause": "The host could not be reached any more.", "run": ""}
    unknown = {"host": "?", "task": "?", "cause": "unknown", "run": ""}
    assert _failure({"ctl1": {}}, ["ctl1"], ["ctl1"]) == unknown


def test_who_holds_the_key():
    def copy(letter, **more):
        return {"fingerprint": "SHA256:" + letter * 64, "age": 0, "serial": None, "by": None, **more}

    attributes = {"path": "/key", "owner": "slurm", "group": "hpc", "mode": "0400"}
    old = copy("a", age=129600, serial="2026-11", by="alice@mgmt1", **attributes)
    new = copy("b", serial="2026-12", **{**attributes, "mode": "0440"})
    observations = {
        "ctl1": {"key": {**old, "next": new, "previous": None}},
        "dbd1": {"key": {**new, "next": None, "previous": old}},
        "without": {"key": {**attributes, "fingerprint": None, "next": None, "previous": None}},
        "nowhere": {"key": None},
        "lost": {"unreachable": True},
    }
    hostvars = {host: {"slurm_jwt_observation": observation} for host, observation in observations.items()}
    hostvars["unseen"] = {}
    heading, dummy, *rows = (line.split() for line in key_copies.table(hostvars, list(hostvars)))
    assert " ".join(heading) == "host slot key owner mode age in days serial made by"
    assert [" ".join(row) for row in rows] == [
        "ctl1 current SHA256:aaaaaaaaaaaa slurm:hpc 0400 1.5 2026-11 alice@mgmt1",
        "ctl1 next SHA256:bbbbbbbbbbbb slurm:hpc 0440 0.0 2026-12 -",
        "dbd1 current SHA256:bbbbbbbbbbbb slurm:hpc 0440 0.0 2026-12 -",
        "dbd1 previous SHA256:aaaaaaaaaaaa slurm:hpc 0400 1.5 2026-11 alice@mgmt1",
    ]


def test_nobody_holds_a_key():
    assert len(key_copies.table({"ctl1": {}}, ["ctl1"])) == 2


GROUPS = {"all": ["a", "b", "c"], "slurmctld": ["a"], "slurm_nodes": ["c", "a"], "our_dbds": ["b"]}


def test_the_hosts_of_a_cluster():
    assert inventory_hosts.cluster_hosts(GROUPS, {}) == ["a", "c"]
    assert inventory_hosts.cluster_hosts(GROUPS, {"slurm_jwt_group_slurmdbd": "our_dbds"}) == ["a", "b", "c"]


def test_the_hosts_of_some_components():
    groups = {**GROUPS, "slurmdbd": ["b", "a"], "slurmrestd": ["d"]}
    assert inventory_hosts.cluster_hosts(groups, {}, ["slurmctld", "slurmdbd"]) == ["a", "b"]
    # Controllers come first, whatever the order of the question.
    assert inventory_hosts.cluster_hosts(groups, {}, ["slurmrestd", "slurmctld"]) == ["a", "d"]
    assert inventory_hosts.cluster_hosts(groups, {}, ["node"]) == ["c", "a"]
    assert inventory_hosts.cluster_hosts(groups, {}, []) == []
    assert inventory_hosts.cluster_hosts({}, {}, ["slurmctld"]) == []


def test_no_controller():
    with pytest.raises(inventory_hosts.ClusterError, match="no host in the group heads.*slurm_jwt_group_slurmctld"):
        inventory_hosts.cluster_hosts(GROUPS, {"slurm_jwt_group_slurmctld": "heads"})
    with pytest.raises(inventory_hosts.ClusterError):
        inventory_hosts.cluster_hosts(GROUPS, {"slurm_jwt_group_slurmctld": "heads"}, ["node"])


# Step of a playbook -> its hosts, by the plan below.
STEPS = {
    "outer": ["n"],
    "key_hosts": ["k"],
    "slurmrestd": ["r"],
    "stage_tokens": ["k", "s"],
    "unstage_tokens": ["s"],
    "stage_key": ["k"],
    "swap_key": ["k"],
    "unstage_key": ["k"],
    "send_next_tokens": ["s"],
    "swap_tokens": ["s"],
    "activate_tokens": ["s"],
    "load_key": ["k"],
    "load_key_on_standbys": ["k"],
    "load_unproven_key": [],
    "send_rsa_tokens": ["k", "s"],
    "rsa_rotation": ["k"],
    "withdraw_rsa_key": ["k"],
    "restart_slurmrestd": ["r"],
    "openmetrics": [],
    "put_back": [],
    "report": ["c"],
}
STEPPED = {
    "outer_hosts": ["n"],
    "key_hosts_to_change": ["k"],
    "slurmrestd_hosts": ["r"],
    "signer_and_services": ["k", "s"],
    "services": ["s"],
    "primary": "k",
    "rotating": ["k"],
    "new_token_hosts": ["s"],
    "swapping_tokens": ["s"],
    "activating_tokens": ["s"],
    "loading": ["k"],
    "loading_standbys": ["k"],
    "receiving": ["k", "s"],
    "rsa_rotation": ["k"],
    "makes_key": True,
    "slurmrestd_dies": ["r"],
    "hosts_to_change": ["n", "r", "k"],
    "speaker": "c",
}


def steps(hostvars):
    hostvars = {"k": {}, **hostvars} if hostvars.get("localhost") else hostvars
    return {step: plan_steps.planned_hosts(hostvars, step) for step in STEPS}


def test_the_hosts_of_a_step():
    nobody = dict.fromkeys(STEPS, [])
    assert steps({}) == steps({"localhost": {}}) == nobody
    local = {"slurm_jwt_plan": STEPPED}
    assert steps({"localhost": local}) == STEPS
    failed = {"localhost": {**local, "slurm_jwt_failure": {}}}
    assert steps(failed) == {**nobody, "put_back": ["n", "r", "k"], "report": ["c"]}
    # A key set that only follows its sources withdraws no key.
    follows = {"localhost": {"slurm_jwt_plan": {**STEPPED, "makes_key": False}}}
    assert steps(follows) == {**STEPS, "withdraw_rsa_key": []}


@pytest.mark.parametrize(("proof", "hosts"), [({"proven": False}, ["k"]), ({"proven": True}, []), (None, [])])
def test_daemons_that_did_not_see_a_swap_in_place_load_the_key(proof, hosts):
    hostvars = {"localhost": {"slurm_jwt_plan": STEPPED}, "k": {"slurm_jwt_proof": proof} if proof else {}}
    assert steps(hostvars) == {**STEPS, "load_unproven_key": hosts}
    # There is no swap without a next key.
    hostvars["localhost"] = {"slurm_jwt_plan": {**STEPPED, "rotating": []}}
    assert steps(hostvars)["load_unproven_key"] == []


def test_the_steps_of_which_a_plan_knows_nothing():
    found = steps({"localhost": {"slurm_jwt_plan": {"speaker": "c", "hosts_to_change": []}}})
    assert found == {**dict.fromkeys(STEPS, []), "report": ["c"]}


def test_what_needs_the_next_key_is_left_out_in_check_mode():
    found = steps({"localhost": {"slurm_jwt_plan": {**STEPPED, "check_mode": True, "openmetrics": {"hosts": ["k"]}}}})
    assert found == {**STEPS, **dict.fromkeys(plan_steps.HOSTS_OF_CHANGES, [])}


@pytest.mark.parametrize(("run", "is_left_out"), [("this", True), ("earlier", False)])
def test_a_host_on_which_a_step_failed_is_in_no_later_one(run, is_left_out):
    """In another playbook of the same process it is back."""
    local = {"slurm_jwt_plan": STEPPED, "slurm_jwt_declarations": {"run": "this"}}
    lost = {"slurm_jwt_left_out": {"host": "?", "task": "t", "cause": "c", "run": run}}
    alone = dict.fromkeys(("stage_tokens", "send_rsa_tokens"), ["k"])
    lost_ones = ("outer", "slurmrestd", "unstage_tokens", "send_next_tokens", "swap_tokens", "activate_tokens")
    lost_ones = (*lost_ones, "restart_slurmrestd")
    without = {**STEPS, **dict.fromkeys(lost_ones, []), **alone}
    hostvars = {"localhost": local, "n": lost, "r": lost, "s": lost, "k": {}}
    assert steps(hostvars) == (without if is_left_out else STEPS)
    # What it has changed is put back on it, too.
    hostvars["localhost"] = {**local, "slurm_jwt_failure": {}}
    assert steps(hostvars)["put_back"] == ["n", "r", "k"]
