# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site's own tool writes slurm.conf: what a run asks of it, and that no run edits a file."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Desired
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import rollout
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import members_of
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils.observations import (
    COMPONENTS,
    HOSTS,
    KEY_PATH,
    changes,
    cluster,
    conf,
    daemon,
    key,
)

TWO_LINES = f"AuthAltTypes=auth/jwt and AuthAltParameters=jwt_key={KEY_PATH}"
NOT_WRITABLE = {
    "severity": "error",
    "code": "conf_not_writable",
    "found": "/etc/slurm is on a read-only file system.",
    "effect": "E.",
    "remedy": "R.",
}


def plan(*arguments):
    return members_of(rollout.plan(*arguments))


def decide(observations, in_play=None, **desired):
    return plan(observations, COMPONENTS, list(in_play or HOSTS), Desired(manage_conf=False, **desired))


def test_the_lines_are_told_before_anything_is_changed():
    found = decide(cluster(jwt=False))["refusals"]
    assert found[:2] == [
        f"ctl1: /etc/slurm/slurm.conf must have the lines {TWO_LINES}.",
        f"dbd1: /etc/slurm/slurmdbd.conf must have the lines {TWO_LINES}.",
    ]
    assert "slurm_jwt_manage_conf is false" in found[2]
    assert "--tags packages,key" in found[2]
    assert found[3:] == []


def test_the_key_comes_before_the_lines():
    found = decide(cluster(jwt=False), run_tags=("packages", "key"))
    assert found["refusals"] == []
    assert found["key_source"] == "ctl1"
    assert found["key_targets"] == ["dbd1"]
    assert found["key_hosts_to_change"] == ["dbd1", "ctl1"]
    assert (found["conf"], found["dbd_conf"]) == ([], [])
    # What comes next is told.
    assert f"ctl1: /etc/slurm/slurm.conf must have the lines {TWO_LINES}." in found["warnings"][0]
    assert "let your tool write that next" in found["warnings"][0]


@pytest.mark.parametrize("tags", [("all",), ("key", "daemons"), ("conf",), ("proof",), ("slurmrestd", "key")])
def test_no_other_run_begins_without_the_lines(tags):
    assert "must have the lines" in decide(cluster(jwt=False), run_tags=tags)["refusals"][0]


def test_a_key_that_is_in_place_is_not_asked_for_again():
    without = {"differences.slurm_conf": changes(), "conf": conf()}
    (first, order) = decide(cluster(jwt=True, ctl1=without))["refusals"]
    assert first == f"ctl1: /etc/slurm/slurm.conf must have the lines {TWO_LINES}."
    assert "--tags" not in order
    assert "Write them" in order


def test_what_the_site_has_beside_them_stays():
    there = {"jwt_key": "/elsewhere", "disable_token_creation": "", "max_token_lifespan": "60"}
    desired = {"parameters": {"jwt_key": KEY_PATH, "max_token_lifespan": 3600}, "parameters_absent": ["jwks"]}
    observations = cluster(
        jwt=True,
        ctl1={
            "conf": conf({**there, "jwks": "/old"}),
            "desired.slurm_conf": desired,
            "differences.slurm_conf": [{"parameter": "AuthAltParameters", "before": "x", "after": "y"}],
        },
    )
    assert decide(observations)["refusals"][0] == (
        "ctl1: /etc/slurm/slurm.conf must have the line AuthAltParameters="
        f"jwt_key={KEY_PATH},disable_token_creation,max_token_lifespan=3600."
    )


def test_another_key_is_named():
    """Nothing differs by itself: slurmdbd.conf names a key, and it is not everybody's."""
    observations = cluster(jwt=True, dbd1={"dbd_conf": conf({"jwt_key": "/etc/key"}, path="/etc/slurm/slurmdbd.conf")})
    found = plan(observations, COMPONENTS, HOSTS, Desired(manage_conf=False, key_path=KEY_PATH))
    line = f"dbd1: /etc/slurm/slurmdbd.conf must have the line AuthAltParameters=jwt_key={KEY_PATH}."
    assert found["refusals"][0] == line


def test_nothing_is_refused_where_the_lines_are_there():
    found = decide(cluster(jwt=True))
    assert (found["refusals"], found["warnings"], found["up_to_date"]) == ([], [], True)


def test_daemons_load_what_another_tool_has_written():
    observations = cluster(
        jwt=True,
        ctl1={"daemons.slurmctld": daemon(key_loaded="absent")},
        dbd1={"daemons.slurmdbd": daemon(key_loaded="absent")},
    )
    found = decide(observations)
    assert (found["slurmdbd"], found["slurmctld"]) == (["dbd1"], {"ctl1": "reconfigure"})
    assert (found["conf"], found["dbd_conf"]) == ([], [])


def test_lines_before_the_key_are_repaired():
    """slurm.conf names a key that is not there. slurmctld may be down because of that."""
    nothing = key(exists=False)
    observations = cluster(
        jwt=True,
        ctl1={"key": nothing, "daemons.slurmctld": daemon(active="failed", key_loaded="unknown")},
        dbd1={"key": nothing},
    )
    found = decide(observations)
    assert found["refusals"] == []
    assert (found["key_source_changes"], found["key_targets"]) == (True, ["dbd1"])
    assert found["slurmctld"] == {"ctl1": "restart"}


def test_hosts_without_a_key_are_told_and_veto_nothing():
    without = {"differences.slurm_conf": changes(), "conf": conf(), "problems": [NOT_WRITABLE]}
    found = decide(cluster(jwt=True, node1=without, node2=without, rest1=without))
    assert (found["refusals"], found["left_out"], found["conf"]) == ([], {}, [])
    assert found["slurmrestd_hosts"] == ["rest1"]
    (note,) = found["warnings"]
    assert note.startswith(f"node[1-2],rest1: /etc/slurm/slurm.conf must have the lines {TWO_LINES}.")


def test_a_file_that_no_run_edits_need_not_be_writable():
    file = {"path": "/etc/slurm/slurm.conf", "obstacle": "/etc/slurm is on a read-only file system"}
    observations = cluster(jwt=False, ctl1={"problems": [NOT_WRITABLE], "conf.identities": [file]})
    assert decide(observations, run_tags=("packages", "key"))["refusals"] == []
    (reason,) = plan(observations, COMPONENTS, HOSTS, Desired())["refusals"]
    assert reason.startswith("ctl1: /etc/slurm is on a read-only file system")


def test_nodes_alone():
    observations = cluster(jwt=False)
    found = plan({"node1": observations["node1"]}, COMPONENTS, ["node1"], Desired(manage_conf=False))
    assert (found["refusals"], found["conf"], found["outer_hosts"]) == ([], [], [])
    assert any("node1: /etc/slurm/slurm.conf must have" in note for note in found["warnings"])


# remove, verify


def gone(path="/etc/slurm/slurm.conf"):
    return [
        {"parameter": "AuthAltTypes", "before": "auth/jwt", "after": None, "path": path},
        {"parameter": "AuthAltParameters", "before": f"jwt_key={KEY_PATH}", "after": None, "path": path},
    ]


def test_remove_waits_until_the_lines_are_gone():
    desired = {"parameters": {}, "parameters_absent": ["jwt_key"]}
    observations = cluster(jwt=True, ctl1={"differences.slurm_conf": gone(), "desired.slurm_conf": desired})
    found = decide(observations, removing=True)["refusals"]
    assert found[0] == "ctl1: /etc/slurm/slurm.conf must have no line AuthAltTypes and no line AuthAltParameters."
    assert "Then run this again" in found[1]
    assert "--tags" not in found[1]


def test_a_key_that_the_lines_alone_name():
    observations = cluster(jwt=True, ctl1={"differences.slurm_conf": gone(), "key_path": "/etc/slurm/jwt.key"})
    assert "again with slurm_jwt_key_path=/etc/slurm/jwt.key, as" in decide(observations, removing=True)["refusals"][1]
    assert "slurm_jwt_key_path" not in decide(observations, removing=True, key_path="/etc/slurm/jwt.key")["refusals"][1]


def test_remove_begins_when_they_are_gone():
    """slurmctld still has the key, and forgets it before that is put aside."""
    stale = {**daemon(), "stale": ["slurm.conf says AuthAltTypes=, and slurmctld has AuthAltTypes=auth/jwt in memory."]}
    ctl1 = {"conf": conf(index=0), "daemons.slurmctld": stale}
    observations = cluster(jwt=True, ctl1=ctl1, dbd1={"dbd_conf": conf()})
    found = decide(observations, removing=True)
    assert found["refusals"] == []
    assert found["slurmctld"] == {"ctl1": "reconfigure"}
    assert (found["conf"], found["dbd_conf"]) == ([], [])


def test_verify_tells_and_goes_on():
    found = decide(cluster(jwt=True, ctl1={"differences.slurm_conf": changes(), "conf": conf()}), verifying=True)
    assert found["refusals"] == []
    assert not found["up_to_date"]
    (told,) = [each for each in found["due"] if "manage_conf" in each]
    assert told.startswith(f"ctl1: /etc/slurm/slurm.conf must have the lines {TWO_LINES}. slurm_jwt_manage_conf is")
