# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each host that a run went on without is named, with the reason."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.filter import reports
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import declarations, host_variables
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports import left_out_hosts

RUN = "5f2b0c1de0a94e77"
FAILED = {"task": "Edit slurm.conf", "cause": "No space left on device", "run": RUN}
PLAN = {"hosts_to_change": ["ctl1", "node1", "node2"], "services": ["svc1"], "left_out": {}}


def hostvars(plan=None, **hosts):
    local = {host_variables.PLAN: PLAN if plan is None else plan, declarations.NAME: {"run": RUN}}
    return {"localhost": local, **{name: hosts.get(name, {}) for name in ("ctl1", "node1", "node2", "svc1", "rest1")}}


def test_nobody():
    assert left_out_hosts.sentences(hostvars(), []) == []
    assert left_out_hosts.sentences(hostvars(), ["rest1"]) == []


@pytest.mark.parametrize("without", [{}, {"ctl1": {}}, {"localhost": {}}, {"localhost": {host_variables.PLAN: None}}])
def test_before_anything_is_planned(without):
    assert left_out_hosts.sentences(without, []) == []
    assert left_out_hosts.sentences(without, ["ctl1"]) == []


def test_what_the_plan_left_out():
    plan = {**PLAN, "left_out": {"node9": "It cannot be reached.", "node1": "It has no Slurm."}}
    assert left_out_hosts.sentences(hostvars(plan), []) == ["node9: It cannot be reached.", "node1: It has no Slurm."]


def test_a_step_that_failed():
    found = hostvars(node1={host_variables.LEFT_OUT: FAILED})
    sentence = "node1: It failed in the step 'Edit slurm.conf': No space left on device"
    assert left_out_hosts.sentences(found, []) == [sentence]


def test_a_step_that_failed_in_another_run_of_the_same_process():
    assert left_out_hosts.sentences(hostvars(node1={host_variables.LEFT_OUT: {**FAILED, "run": "another"}}), []) == []


def test_hosts_beside_those_of_the_plan():
    found = hostvars(rest1={host_variables.LEFT_OUT: FAILED})
    assert left_out_hosts.sentences(found, []) == []
    assert list(left_out_hosts.reasons(found, ["rest1", "rest1", "unheard-of"])) == ["rest1"]


def test_the_first_reason_counts_and_each_host_is_named_once():
    plan = {**PLAN, "left_out": {"node1": "It has no Slurm."}}
    failed = {host_variables.LEFT_OUT: FAILED}
    found = hostvars(plan, node1=failed, node2=failed)
    assert left_out_hosts.reasons(found, ["node1", "node2"]) == {
        "node1": "It has no Slurm.",
        "node2": "It failed in the step 'Edit slurm.conf': No space left on device",
    }


def test_the_filter():
    function = reports.FilterModule().filters()["left_out"]
    assert function(hostvars(node1={host_variables.LEFT_OUT: FAILED}))[0].startswith("node1: ")
    assert function(hostvars(rest1={host_variables.LEFT_OUT: FAILED}), ["rest1"])[0].startswith("rest1: ")


def test_only_the_declarations_of_this_run_say_which_it_is():
    # A host that names a run of its own is in no run.
    found = hostvars(node1={host_variables.LEFT_OUT: FAILED, declarations.NAME: {"run": "its own"}})
    assert list(left_out_hosts.reasons(found, [])) == ["node1"]
