# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout decides from its looks: what changes where and how, and what is refused before the first change."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plan import Wishes, plan
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils.looks import (
    FINGERPRINT,
    HOSTS,
    KEY_PATH,
    PARTS,
    STATE,
    cluster,
    conf,
    daemon,
    key,
    look,
)

OTHER = "SHA256:" + "b" * 64


def decide(looks, in_play=None, parts=None, **wishes):
    return plan(looks, parts or PARTS, list(in_play or HOSTS), Wishes(**wishes))


def refused(looks, **kwargs):
    return decide(looks, **kwargs)["refusals"]


# What is done


def test_a_cluster_without_jwt():
    found = decide(cluster(jwt=False))
    assert found["refusals"] == []
    assert found["nodes_to_change"] == ["node1", "node2"]
    assert found["servers"] == ["rest1", "dbd1", "ctl1"]
    assert found["conf"] == ["node1", "node2", "rest1", "ctl1"]
    assert found["dbd_conf"] == ["dbd1"]
    assert found["key_source"] == "ctl1"
    assert found["key_targets"] == ["dbd1"]
    assert found["key_path"] == {"ctl1": KEY_PATH, "dbd1": KEY_PATH}
    assert found["slurmdbd"] == ["dbd1"]
    assert found["slurmctld"] == {"ctl1": "reconfigure"}
    assert found["packages"]["ctl1"] == ["slurm-wlm-jwt-plugin=24.11.5-4", "python3-jwt"]
    assert found["packages"]["dbd1"] == ["slurm-wlm-jwt-plugin=24.11.5-4"]
    assert not found["settled"]
    assert found["unseen_by_check"] == {"dbd1": ["key installed"], "ctl1": ["slurmctld reconfigured"]}


def test_a_cluster_as_declared_has_nothing_to_do():
    found = decide(cluster(jwt=True))
    assert found["settled"]
    assert found["due"] == []
    assert found["nodes_to_change"] == []
    # slurmrestd's role looks for itself, and the primary is proven on every run.
    assert found["servers"] == ["rest1", "ctl1"]
    steps = ("conf", "dbd_conf", "packages", "key_targets", "folders", "slurmdbd", "slurmctld")
    assert not any(found[name] for name in steps)


def test_an_older_slurmctld_is_restarted():
    old = {"reconfigure_reloads_auth": False}
    assert decide(cluster(jwt=False, ctl1={"capabilities": old}))["slurmctld"] == {"ctl1": "restart"}


def test_a_slurmctld_that_is_down_is_started():
    looks = cluster(jwt=True, ctl1={"daemons.slurmctld": daemon(active="failed")})
    assert decide(looks)["slurmctld"] == {"ctl1": "restart"}


@pytest.mark.parametrize("state", ["absent", "replaced"])
def test_a_daemon_that_a_killed_run_left_behind_is_caught_up(state):
    """Files are as declared, but the daemons never loaded them."""
    looks = cluster(
        jwt=True,
        ctl1={"daemons.slurmctld": daemon(key_loaded=state)},
        dbd1={"daemons.slurmdbd": daemon(key_loaded=state)},
    )
    found = decide(looks)
    assert found["slurmdbd"] == ["dbd1"]
    assert found["slurmctld"] == {"ctl1": "reconfigure"}
    assert found["conf"] == []


def test_the_key_that_slurmdbd_has_is_everybodys():
    """A second cluster joins a slurmdbd that serves another one: its key must not be replaced."""
    looks = cluster(jwt=True, ctl1={"key": key(exists=False)})
    found = decide(looks)
    assert found["key_source"] == "dbd1"
    assert found["key_targets"] == ["ctl1"]
    assert not found["key_source_changes"]
    assert found["slurmdbd"] == []
    assert found["slurmctld"] == {"ctl1": "reconfigure"}


def test_slurmdbd_keeps_the_place_of_its_key():
    elsewhere = dict(key(), path="/etc/slurm/jwt.key")
    looks = cluster(jwt=True, dbd1={"key": elsewhere, "dbd_conf": conf({"jwt_key": "/etc/slurm/jwt.key"})})
    found = decide(looks)
    assert found["settled"]
    assert found["key_path"] == {"ctl1": KEY_PATH, "dbd1": "/etc/slurm/jwt.key"}


@pytest.mark.parametrize("drift", [{"owner": "root"}, {"mode": "0640"}])
def test_owner_and_mode_of_the_key_are_mended_without_a_restart(drift):
    found = decide(cluster(jwt=True, ctl1={"key": dict(key(), **drift)}))
    assert found["key_source_changes"]
    assert found["slurmctld"] == {}
    assert found["slurmdbd"] == []


@pytest.mark.parametrize("drift", [{"owner": "root"}, {"writable_by_others": True}])
def test_a_state_save_location_that_others_can_write_is_mended(drift):
    looks = cluster(jwt=True, ctl1={"state_dir": dict(look("ctl1", "slurmctld", True)["state_dir"], **drift)})
    assert decide(looks)["folders"] == {"ctl1": STATE}


def test_the_folder_of_the_key_is_made_on_slurmdbds_host():
    assert decide(cluster(jwt=False))["folders"] == {"dbd1": STATE}


def test_a_folder_that_the_site_chose_is_left_alone():
    """/etc/slurm must not become SlurmUser's because the key is there."""
    looks = cluster(jwt=False, ctl1={"key_path": "/etc/slurm/jwt.key"})
    assert decide(looks)["folders"] == {}
    assert decide(cluster(jwt=False), key_path="/etc/slurm/jwt.key")["folders"] == {}


def test_a_configless_node_is_left_alone():
    looks = cluster(jwt=False, node1={"conf.configless": True})
    assert decide(looks)["nodes_to_change"] == ["node2"]


def test_a_node_whose_key_path_is_another():
    looks = cluster(jwt=True, node2={"conf": conf({"jwt_key": "/old/key"})})
    assert decide(looks)["nodes_to_change"] == ["node2"]


def test_standbys_are_restarted_and_the_first_of_slurm_conf_is_the_primary():
    parts = dict(PARTS, slurmctld=["ctl2", "ctl1"])
    looks = cluster(jwt=False)
    looks["ctl2"] = look("ctl2", "slurmctld", jwt=False)
    for index, host in enumerate(("ctl1", "ctl2")):
        looks[host]["conf"] = conf(controllers=("ctl1", "ctl2"), index=index)
    found = decide(looks, in_play=[*HOSTS, "ctl2"], parts=parts)
    assert found["primary"] == "ctl1"
    assert found["standbys"] == ["ctl2"]
    assert found["slurmctld"] == {"ctl1": "reconfigure", "ctl2": "restart"}
    assert found["key_targets"] == ["ctl2", "dbd1"]
    # The primary's file changes last of all.
    assert found["conf"][-1] == "ctl1"


def two_dbds(jwt):
    looks = cluster(jwt=jwt)
    looks["dbd2"] = look("dbd2", "slurmdbd", jwt=jwt)
    for host in ("dbd1", "dbd2"):
        looks[host]["dbd_conf"].update(dbd_host="dbd1", dbd_backup_host="dbd2", standby=host == "dbd2")
    return looks


def test_the_standby_of_slurmdbd_gets_the_key_and_a_restart():
    parts = dict(PARTS, slurmdbd=["dbd1", "dbd2"])
    found = decide(two_dbds(jwt=False), in_play=[*HOSTS, "dbd2"], parts=parts)
    assert found["refusals"] == []
    assert found["slurmdbd"] == ["dbd1", "dbd2"]
    assert found["slurmdbd_standbys"] == ["dbd2"]
    assert found["key_targets"] == ["dbd1", "dbd2"]
    assert decide(two_dbds(jwt=True), in_play=[*HOSTS, "dbd2"], parts=parts)["settled"]


def test_a_declared_serial_labels_a_key_that_has_none():
    assert decide(cluster(jwt=True), key_serial="2026-11")["key_source_changes"]
    labelled = cluster(jwt=True, ctl1={"key": dict(key(), serial="2026-10")})
    found = decide(labelled, key_serial="2026-11")
    assert not found["key_source_changes"]
    assert any("2026-10" in warning for warning in found["warnings"])


def test_removing_changes_files_and_never_the_key():
    looks = cluster(jwt=True, ctl1={"differences.slurm_conf": [{}]}, dbd1={"differences.slurmdbd_conf": [{}]})
    found = decide(looks, removing=True)
    assert found["conf"] == ["ctl1"]
    assert found["slurmdbd"] == ["dbd1"]
    assert found["slurmctld"] == {"ctl1": "reconfigure"}
    assert not found["key_source_changes"]
    assert found["key_targets"] == []
    assert found["folders"] == {}
    assert found["packages"] == {}


# What is refused


def test_a_host_that_is_down_is_named():
    looks = dict(cluster(jwt=False), node2={"unreachable": True, "msg": "No route to host.\nmore"})
    (reason,) = refused(looks)
    assert reason == (
        "node2: cannot be reached (No route to host). Bring it up, or leave it out for now with --limit 'all:!node2'."
    )
    (reason,) = refused(dict(cluster(jwt=False), dbd1={"unreachable": True, "msg": "timed out"}))
    assert "--limit" not in reason


def test_a_look_that_failed_is_told():
    (reason,) = refused(dict(cluster(jwt=False), node1={"failed": True, "msg": "no python"}))
    assert reason == "node1: the look at the host failed: no python"


def test_every_error_is_told_at_once():
    problem = {"severity": "error", "code": "x", "found": "F.", "effect": "E.", "remedy": "R."}
    both = [problem, dict(problem, severity="info")]
    looks = cluster(jwt=False, ctl1={"problems": [problem]}, node1={"problems": both})
    assert refused(looks) == ["ctl1: F. E. R.", "node1: F. E. R."]


def test_removing_is_not_stopped_by_what_goes_with_jwt():
    weak = {"severity": "error", "code": "key_weak", "found": "F.", "effect": "E.", "remedy": "R."}
    assert refused(cluster(jwt=True, ctl1={"problems": [weak]}), removing=True) == []
    assert refused(cluster(jwt=True, ctl1={"problems": [dict(weak, code="conf_broken")]}), removing=True)


def test_a_limit_takes_all_servers_or_none():
    (reason,) = refused(cluster(jwt=False), in_play=["ctl1", "node1"])
    assert "--limit leaves out dbd1, rest1" in reason
    found = decide(cluster(jwt=False), in_play=["node2"])
    assert found["refusals"] == []
    assert any("leaves out every controller" in warning for warning in found["warnings"])


def test_nodes_left_out_by_a_limit_are_named():
    looks = cluster(jwt=False)
    del looks["node2"]
    found = decide(looks, in_play=["ctl1", "dbd1", "rest1", "node1"])
    assert any("1 node(s): node2" in warning for warning in found["warnings"])
    assert found["nodes_to_change"] == ["node1"]


def test_different_keys_are_refused_until_one_is_named():
    looks = cluster(jwt=True, dbd1={"key": key(fingerprint=OTHER)})
    (reason,) = refused(looks)
    assert "different keys" in reason
    assert FINGERPRINT in reason
    assert OTHER in reason
    found = decide(looks, key_source="dbd1")
    assert found["key_targets"] == ["ctl1"]
    assert found["slurmctld"] == {"ctl1": "reconfigure"}
    assert found["slurmdbd"] == []


@pytest.mark.parametrize("source", ["node1", "nobody"])
def test_a_source_that_holds_no_key(source):
    (reason,) = refused(cluster(jwt=True), key_source=source)
    assert f"slurm_jwt_key_source names {source}" in reason


@pytest.mark.parametrize(
    ("tags", "left"), [(["conf"], "key and daemons"), (["key", "conf"], "daemons"), (["daemons"], "key and conf")]
)
def test_tags_that_would_leave_a_cluster_half_changed(tags, left):
    (reason,) = refused(cluster(jwt=False), run_tags=[*tags, "packages"])
    assert f"leave out {left}" in reason


@pytest.mark.parametrize("tags", [["key"], ["key", "conf", "daemons"], ["proof"], ["slurmrestd"]])
def test_tags_that_are_harmless(tags):
    assert refused(cluster(jwt=False), run_tags=[*tags, "packages"]) == []
    assert refused(cluster(jwt=True), run_tags=tags) == []


def test_packages_that_lack_and_may_not_be_installed():
    reasons = refused(cluster(jwt=False), install=False)
    assert [reason.partition(":")[0] for reason in reasons] == ["rest1", "dbd1", "ctl1"]
    assert "slurm-wlm-jwt-plugin=24.11.5-4 and python3-jwt" in reasons[-1]


def test_a_standby_that_the_inventory_does_not_know():
    looks = cluster(jwt=False, ctl1={"conf": conf(controllers=("ctl1", "ctl2"), index=0)})
    (reason,) = refused(looks)
    assert "Add ctl2 to the group" in reason


def test_a_standby_of_slurmdbd_that_the_inventory_does_not_know():
    looks = two_dbds(jwt=False)
    (reason,) = refused(looks)
    assert reason.startswith("dbd1: slurmdbd.conf names dbd1 and dbd2, ")
    assert reason.endswith("Add dbd2 to the group.")
    assert refused(looks, removing=True) == []


def test_a_slurmdbd_by_another_name_is_no_standby():
    looks = cluster(jwt=False)
    looks["dbd1"]["dbd_conf"].update(dbd_host="accounts", dbd_backup_host=None)
    assert refused(looks) == []


def test_a_controller_by_another_name_is_no_standby():
    looks = cluster(jwt=False, ctl1={"conf": conf(controllers=("head",), index=None)})
    assert refused(looks) == []


def test_clocks_that_differ():
    found = decide(cluster(jwt=True, dbd1={"now": 1300.0}))
    assert any("ctl1 and dbd1 differ by 300 s" in warning for warning in found["warnings"])
