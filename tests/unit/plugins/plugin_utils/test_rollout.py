# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout decides from observations: what changes where and how, and what is refused before the first change."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import trusted_keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Desired
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.unreachable_hosts import AllowanceError
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.info import INFO
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import rollout
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import members_of
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils import answers
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils.observations import (
    COMPONENTS,
    FINGERPRINT,
    HOSTS,
    KEY_PATH,
    STATE,
    cluster,
    conf,
    daemon,
    key,
    observation,
)

OTHER = "SHA256:" + "b" * 64
PROBLEM = {"severity": "error", "code": "x", "found": "F.", "effect": "E.", "remedy": "R."}


def plan(*arguments):
    return members_of(rollout.plan(*arguments))


def decide(observations, in_play=None, components=None, **desired):
    return plan(observations, components or COMPONENTS, list(in_play or HOSTS), Desired(**desired))


def refused(observations, **kwargs):
    return decide(observations, **kwargs)["refusals"]


# What is done


def test_a_cluster_without_jwt():
    found = decide(cluster(jwt=False))
    assert found["refusals"] == []
    assert found["left_out"] == {}
    assert found["outer_hosts"] == ["node1", "node2", "rest1"]
    assert found["key_hosts_to_change"] == ["dbd1", "ctl1"]
    assert found["slurmrestd_hosts"] == ["rest1"]
    assert found["hosts_to_change"] == ["node1", "node2", "rest1", "dbd1", "ctl1"]
    assert found["hosts"] == ["ctl1", "dbd1", "rest1", "node1", "node2"]
    assert found["speaker"] == "ctl1"
    assert found["conf"] == ["node1", "node2", "rest1", "ctl1"]
    assert found["dbd_conf"] == ["dbd1"]
    assert found["key_source"] == "ctl1"
    assert found["key_targets"] == ["dbd1"]
    assert found["key_path"] == {"ctl1": KEY_PATH, "dbd1": KEY_PATH}
    assert found["slurmdbd"] == ["dbd1"]
    assert found["slurmctld"] == {"ctl1": "reconfigure"}
    assert found["packages"]["ctl1"] == ["slurm-wlm-jwt-plugin=24.11.5-4", "python3-jwt"]
    assert found["packages"]["dbd1"] == ["slurm-wlm-jwt-plugin=24.11.5-4"]
    assert not found["up_to_date"]
    assert found["unseen_by_check"] == {"dbd1": ["key installed"], "ctl1": ["slurmctld reconfigured"]}


def test_a_cluster_as_declared_has_nothing_to_do():
    found = decide(cluster(jwt=True))
    assert found["up_to_date"]
    assert found["due"] == []
    assert found["left_out"] == {}
    assert found["outer_hosts"] == []
    # The role slurmrestd inspects its hosts itself, and the primary is proven on every run.
    assert found["slurmrestd_hosts"] == ["rest1"]
    assert found["key_hosts_to_change"] == ["ctl1"]
    steps = ("conf", "dbd_conf", "packages", "key_targets", "folders", "slurmdbd", "slurmctld")
    assert not any(found[name] for name in steps)


def test_a_host_of_slurmrestd_changes_before_those_with_the_key():
    missing = {"plugins": {"packages": ["slurm-wlm-jwt-plugin=24.11.5-4"]}}
    for changes in (missing, {"differences.slurm_conf": [{}]}):
        found = decide(cluster(jwt=True, rest1=changes))
        assert (found["outer_hosts"], found["key_hosts_to_change"]) == (["rest1"], ["ctl1"])


def test_an_older_slurmctld_is_restarted():
    old = {"reconfigure_reloads_auth": False}
    assert decide(cluster(jwt=False, ctl1={"capabilities": old}))["slurmctld"] == {"ctl1": "restart"}


def test_a_slurmctld_that_is_down_is_started():
    observations = cluster(jwt=True, ctl1={"daemons.slurmctld": daemon(active="failed")})
    assert decide(observations)["slurmctld"] == {"ctl1": "restart"}


@pytest.mark.parametrize("state", ["absent", "replaced"])
def test_a_daemon_that_a_killed_run_left_behind_is_caught_up(state):
    """Files are as declared, but the daemons never loaded them."""
    observations = cluster(
        jwt=True,
        ctl1={"daemons.slurmctld": daemon(key_loaded=state)},
        dbd1={"daemons.slurmdbd": daemon(key_loaded=state)},
    )
    found = decide(observations)
    assert found["slurmdbd"] == ["dbd1"]
    assert found["slurmctld"] == {"ctl1": "reconfigure"}
    assert found["conf"] == []


def test_the_key_that_slurmdbd_has_is_everybodys():
    """A second cluster joins a slurmdbd that serves another one: its key must not be replaced."""
    observations = cluster(jwt=True, ctl1={"key": key(exists=False)})
    found = decide(observations)
    assert found["key_source"] == "dbd1"
    assert found["key_targets"] == ["ctl1"]
    # It is in the play, as it has what the other one gets.
    assert found["key_hosts_to_change"] == ["dbd1", "ctl1"]
    assert not found["key_source_changes"]
    assert found["slurmdbd"] == []
    assert found["slurmctld"] == {"ctl1": "reconfigure"}


def test_slurmdbd_keeps_the_place_of_its_key():
    elsewhere = dict(key(), path="/etc/slurm/jwt.key")
    observations = cluster(jwt=True, dbd1={"key": elsewhere, "dbd_conf": conf({"jwt_key": "/etc/slurm/jwt.key"})})
    found = decide(observations)
    assert found["up_to_date"]
    assert found["key_path"] == {"ctl1": KEY_PATH, "dbd1": "/etc/slurm/jwt.key"}


@pytest.mark.parametrize("drift", [{"owner": "root"}, {"mode": "0640"}])
def test_owner_and_mode_of_the_key_are_mended_without_a_restart(drift):
    found = decide(cluster(jwt=True, ctl1={"key": dict(key(), **drift)}))
    assert found["key_source_changes"]
    assert found["slurmctld"] == {}
    assert found["slurmdbd"] == []


@pytest.mark.parametrize("drift", [{"owner": "root"}, {"writable_by_others": True}])
def test_a_folder_that_exists_is_never_given_to_anybody(drift):
    state_dir = dict(observation("ctl1", "slurmctld", True)["state_dir"], **drift)
    observations = cluster(jwt=True, ctl1={"state_dir": state_dir})
    assert decide(observations)["folders"] == {}


def test_a_state_save_location_that_is_missing_is_made():
    observations = cluster(jwt=False, ctl1={"key": dict(key(exists=False), folder_exists=False)})
    assert decide(observations)["folders"] == {"ctl1": STATE, "dbd1": STATE}


def test_the_folder_of_the_key_is_made_on_slurmdbds_host():
    assert decide(cluster(jwt=False))["folders"] == {"dbd1": STATE}


def test_a_folder_that_the_site_chose_is_left_alone():
    """/etc/slurm must not become SlurmUser's because the key is there."""
    observations = cluster(jwt=False, ctl1={"key_path": "/etc/slurm/jwt.key"})
    assert decide(observations)["folders"] == {}
    assert decide(cluster(jwt=False), key_path="/etc/slurm/jwt.key")["folders"] == {}


def test_a_configless_node_is_left_alone():
    observations = cluster(jwt=False, node1={"conf.configless": True})
    assert decide(observations)["outer_hosts"] == ["node2", "rest1"]


def test_a_node_whose_key_path_is_another():
    observations = cluster(jwt=True, node2={"conf": conf({"jwt_key": "/old/key"})})
    assert decide(observations)["outer_hosts"] == ["node2"]


def test_standbys_are_restarted_and_the_first_of_slurm_conf_is_the_primary():
    components = dict(COMPONENTS, slurmctld=["ctl2", "ctl1"])
    observations = cluster(jwt=False)
    observations["ctl2"] = observation("ctl2", "slurmctld", jwt=False)
    for index, host in enumerate(("ctl1", "ctl2")):
        observations[host]["conf"] = conf(controllers=("ctl1", "ctl2"), index=index)
    found = decide(observations, in_play=[*HOSTS, "ctl2"], components=components)
    assert found["primary"] == "ctl1"
    assert found["standbys"] == ["ctl2"]
    assert found["slurmctld"] == {"ctl1": "reconfigure", "ctl2": "restart"}
    assert found["key_targets"] == ["ctl2", "dbd1"]
    # The primary's file changes last of all.
    assert found["conf"][-1] == "ctl1"


def two_dbds(jwt):
    observations = cluster(jwt=jwt)
    observations["dbd2"] = observation("dbd2", "slurmdbd", jwt=jwt)
    for host in ("dbd1", "dbd2"):
        observations[host]["dbd_conf"].update(dbd_host="dbd1", dbd_backup_host="dbd2", standby=host == "dbd2")
    return observations


def test_the_standby_of_slurmdbd_gets_the_key_and_a_restart():
    components = dict(COMPONENTS, slurmdbd=["dbd1", "dbd2"])
    found = decide(two_dbds(jwt=False), in_play=[*HOSTS, "dbd2"], components=components)
    assert found["refusals"] == []
    assert found["slurmdbd"] == ["dbd1", "dbd2"]
    assert found["slurmdbd_standbys"] == ["dbd2"]
    assert found["key_targets"] == ["dbd1", "dbd2"]
    assert decide(two_dbds(jwt=True), in_play=[*HOSTS, "dbd2"], components=components)["up_to_date"]


def test_the_standby_of_slurmdbd_restarts_with_the_primary_and_not_the_other_way_round():
    components = dict(COMPONENTS, slurmdbd=["dbd1", "dbd2"])
    for stale, restarts in (("dbd1", ["dbd1", "dbd2"]), ("dbd2", ["dbd2"])):
        observations = two_dbds(jwt=True)
        observations[stale]["daemons"]["slurmdbd"].update(key_loaded="replaced")
        assert decide(observations, in_play=[*HOSTS, "dbd2"], components=components)["slurmdbd"] == restarts


def test_a_declared_serial_labels_a_key_that_has_none():
    assert decide(cluster(jwt=True), key_serial="2026-11")["key_source_changes"]
    labelled = cluster(jwt=True, ctl1={"key": dict(key(), serial="2026-10")})
    found = decide(labelled, key_serial="2026-11")
    assert not found["key_source_changes"]
    assert any("2026-10" in warning for warning in found["warnings"])


def test_hosts_with_the_same_warning_are_named_together():
    one = dict(PROBLEM, severity="warning")
    other = dict(one, found="G.")
    problems = {"rest1": [one], "node1": [one], "node2": [other, one]}
    changes = {host: {"problems": found} for host, found in problems.items()}
    found = decide(cluster(jwt=True, **changes))
    assert found["warnings"] == ["rest1,node[1-2]: F. E. R.", "node2: G. E. R."]


def test_removing_changes_files_and_never_the_key():
    observations = cluster(jwt=True, ctl1={"differences.slurm_conf": [{}]}, dbd1={"differences.slurmdbd_conf": [{}]})
    found = decide(observations, removing=True)
    assert found["conf"] == ["ctl1"]
    assert found["slurmdbd"] == ["dbd1"]
    assert found["slurmctld"] == {"ctl1": "reconfigure"}
    assert not found["key_source_changes"]
    assert found["key_targets"] == []
    assert found["folders"] == {}
    assert found["packages"] == {}
    assert (found["outer_hosts"], found["key_hosts_to_change"]) == ([], ["dbd1", "ctl1"])


# What is refused


def test_a_host_that_is_down_is_named():
    observations = dict(cluster(jwt=False), node2={"unreachable": True, "msg": "No route to host.\nmore"})
    (reason,) = refused(observations)
    assert reason == (
        "node2: cannot be reached (No route to host). Bring it up, leave it out for now with --limit 'all:!node2', or "
        "allow so many nodes to be down: slurm_jwt_nodes_unreachable_max=1."
    )
    (reason,) = refused(dict(cluster(jwt=False), dbd1={"unreachable": True, "msg": "timed out"}))
    assert "--limit" not in reason


def half_down(number):
    """As many nodes, each second of them silent."""
    nodes = [f"node{each:03d}" for each in range(1, number + 1)]
    servers = {host: seen for host, seen in cluster(jwt=False).items() if not host.startswith("node")}
    answers = {host: observation(host, "node", False) for host in nodes[::2]}
    silent = {host: {"unreachable": True, "msg": "No route to host"} for host in nodes[1::2]}
    return {**servers, **answers, **silent}, {**COMPONENTS, "node": nodes}


@pytest.mark.parametrize("most", ["20", "50%", "100 %", "39"])
def test_so_many_nodes_may_be_down(most):
    observations, components = half_down(40)
    found = decide(observations, in_play=list(observations), components=components, nodes_unreachable_max=most)
    assert (found["refusals"], found["left_out"]) == ([], {})
    assert [host for host in found["outer_hosts"] if host.startswith("node")] == components["node"][::2]
    (note,) = [note for note in found["warnings"] if "cannot be reached" in note]
    assert note.startswith("20 node(s) cannot be reached and were left out")
    assert "node[002,004,006," in note


@pytest.mark.parametrize("most", ["0", "19", "49%"])
def test_more_nodes_than_may_be_down_are_told_in_one_sentence(most):
    observations, components = half_down(40)
    found = decide(observations, in_play=list(observations), components=components, nodes_unreachable_max=most)
    (reason,) = found["refusals"]
    assert reason.startswith("node[002,004,006,")
    assert reason.endswith("allow so many nodes to be down: slurm_jwt_nodes_unreachable_max=20.")
    assert "--limit" not in reason


def test_servers_are_never_counted_as_nodes():
    observations = dict(cluster(jwt=False), rest1={"unreachable": True, "msg": "down"})
    assert refused(observations, nodes_unreachable_max="100%") == ["rest1: cannot be reached (down). Bring it up."]


@pytest.mark.parametrize("most", ["", "-1", "x", "101%", "5 nodes", "1.5", "%", "٣"])
def test_an_allowance_that_is_none(most):
    with pytest.raises(AllowanceError, match="Give a number of nodes, such as 20, or a percentage"):
        decide(cluster(jwt=False), nodes_unreachable_max=most)


@pytest.mark.parametrize("host", ["ctl1", "dbd1"])
def test_a_look_that_failed_is_told(host):
    (reason,) = refused(dict(cluster(jwt=False), **{host: {"failed": True, "msg": "no python"}}))
    assert reason == f"{host}: the inspection of the host failed: no python."


@pytest.mark.parametrize("removing", [False, True])
@pytest.mark.parametrize(
    ("host", "member", "code"), [("ctl1", "conf", "conf_missing"), ("dbd1", "dbd_conf", "dbd_conf_missing")]
)
def test_a_file_that_is_elsewhere_is_told_and_nothing_else(host, member, code, removing):
    unread = {"path": "/etc/slurm/x.conf", "exists": False, "configless": False}
    observations = cluster(jwt=removing, **{host: {"problems": [dict(PROBLEM, code=code)], member: unread}})
    assert refused(observations, removing=removing) == [f"{host}: F. E. R."]


def test_every_error_is_told_at_once():
    both = [PROBLEM, dict(PROBLEM, severity="info")]
    one = {"problems": [PROBLEM]}
    observations = cluster(jwt=False, ctl1=one, dbd1={"problems": both}, node1=one)
    found = decide(observations)
    assert found == {
        "refusals": ["ctl1,dbd1: F. E. R."], "warnings": [], "left_out": {"node1": "F. E. R."},
        "settings": {}, "settings_text": "",
    }  # fmt: skip


def test_removing_is_not_stopped_by_what_goes_with_jwt():
    weak = dict(PROBLEM, code="key_weak")
    broken = dict(PROBLEM, code="conf_broken")
    assert refused(cluster(jwt=True, ctl1={"problems": [weak]}), removing=True) == []
    assert refused(cluster(jwt=True, ctl1={"problems": [broken]}), removing=True) == ["ctl1: F. E. R."]
    found = decide(cluster(jwt=True, rest1={"problems": [weak]}, node1={"problems": [broken]}), removing=True)
    assert found["refusals"] == []
    assert found["left_out"] == {"node1": "F. E. R."}
    assert found["slurmrestd_hosts"] == ["rest1"]


class TestKeysThatARemovalPutsAside:
    PEM = {**key(), "weakness": "is a PEM file"}

    def test_what_was_in_force_is_a_key_whatever_it_looks_like(self):
        found = decide(cluster(jwt=True, ctl1={"key": self.PEM}), removing=True)
        assert found["keys_aside"] == {"ctl1": True, "dbd1": True}
        assert found["warnings"] == []

    def test_what_nobody_used_is_left_alone_unless_it_is_a_key(self):
        observations = cluster(jwt=False, ctl1={"key": key()})
        # slurmdbd.conf does not say where the key of slurmdbd's host is, which may have one of an earlier rollout.
        assert decide(observations, removing=True)["keys_aside"] == {"ctl1": False, "dbd1": False}
        observations = cluster(jwt=False, ctl1={"key": self.PEM})
        found = decide(observations, removing=True)
        assert found["keys_aside"] == {}
        assert any("stays where it is, because it may not be a key" in told for told in found["warnings"])

    def test_a_link_stays(self):
        odd = dict(PROBLEM, code="key_not_a_file")
        observations = cluster(jwt=True, ctl1={"key": {**key(), "fingerprint": None}, "problems": [odd]})
        found = decide(observations, removing=True)
        assert (found["refusals"], found["keys_aside"]) == ([], {"dbd1": True})

    def test_a_rollout_puts_none_aside(self):
        found = decide(cluster(jwt=True))
        assert (found["keys_aside"], found["key_sets_aside"], found["tidying_hosts"]) == ({}, [], [])

    def test_key_sets_that_are_no_longer_declared(self):
        jwks = {"path": "/etc/slurm/jwks.json", "exists": True}
        observations = cluster(jwt=True, ctl1={"jwks": jwks}, dbd1={"jwks": dict(jwks, exists=False)})
        for options, aside in (
            ({}, []),
            ({"trust": trusted_keys.Trust(jwks=True, hs256=True)}, []),
            ({"trust": trusted_keys.Trust(jwks=False, hs256=True)}, ["ctl1"]),
            ({"trust": trusted_keys.Trust(jwks=True, hs256=True), "removing": True}, ["ctl1"]),
            # The site has never declared it.
            ({"removing": True}, []),
        ):
            assert decide(observations, **options)["key_sets_aside"] == aside, options
        found = decide(observations, trust=trusted_keys.Trust(jwks=False, hs256=True))
        assert found["tidying_hosts"] == ["ctl1"]

    def test_they_are_put_aside_on_each_host_with_something_to_remove(self):
        found = decide(cluster(jwt=True), removing=True)
        tidied = {*found["keys_aside"], *found["tidying"]["conf"], *found["tidying"]["dbd_conf"]}
        assert (set(found["tidying_hosts"]), tidied >= {"ctl1", "dbd1"}) == (tidied, True)


def test_a_limit_takes_all_servers_or_none():
    (reason,) = refused(cluster(jwt=False), in_play=["ctl1", "node1"])
    assert "--limit leaves out dbd1, rest1" in reason
    found = decide(cluster(jwt=False), in_play=["node2"])
    assert found["refusals"] == []
    assert any("leaves out every controller" in warning for warning in found["warnings"])


def test_nodes_left_out_by_a_limit_are_named():
    observations = cluster(jwt=False)
    del observations["node2"]
    found = decide(observations, in_play=["ctl1", "dbd1", "rest1", "node1"])
    assert any("1 node(s): node2" in warning for warning in found["warnings"])
    assert found["outer_hosts"] == ["node1", "rest1"]


def test_different_keys_are_refused_until_one_is_named():
    observations = cluster(jwt=True, dbd1={"key": key(fingerprint=OTHER)})
    (reason,) = refused(observations)
    assert "different keys" in reason
    assert FINGERPRINT in reason
    assert OTHER in reason
    found = decide(observations, key_source="dbd1")
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
    assert [reason.partition(":")[0] for reason in reasons] == ["ctl1", "dbd1"]
    assert "slurm-wlm-jwt-plugin=24.11.5-4 and python3-jwt" in reasons[0]
    # A host without the key refuses nothing.
    assert "slurm-wlm-jwt-plugin=24.11.5-4" in decide(cluster(jwt=False), install=False)["left_out"]["rest1"]


@pytest.mark.parametrize("serves", [True, False])
def test_a_slurmdbd_that_nobody_listed(serves):
    observations = {host: seen for host, seen in cluster(jwt=False).items() if host != "dbd1"}
    conf = observations["ctl1"]["conf"]
    conf.update(accounting=True, accounting_storage_host="dbd9", accounting_storage_backup_host=None)
    components = {**COMPONENTS, "slurmdbd": []}
    reasons = refused(observations, in_play=list(observations), components=components, serves_slurmdb=serves)
    assert len(reasons) == serves
    assert not reasons or "slurm.conf keeps accounts in slurmdbd on dbd9 (AccountingStorageHost)" in reasons[0]


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({}, 1),
        ({"serves_slurmdb": False}, 0),
        ({"components": {**COMPONENTS, "slurmrestd": []}}, 0),
        ({"standby": None}, 0),
        ({"survives": True}, 0),
    ],
)
def test_a_slurmrestd_that_a_refused_token_ends(change, count):
    observations = cluster(jwt=False)
    first = observations["ctl1"]
    first["conf"].update(accounting=True, accounting_storage_backup_host=change.pop("standby", "dbd2"))
    first["release"] = "20.11.4"
    first["capabilities"]["slurmrestd_survives_slurmdbd_restart"] = change.pop("survives", False)
    reasons = refused(observations, in_play=list(observations), **change)
    assert len(reasons) == count
    assert not reasons or "names the standby slurmdbd dbd2 (AccountingStorageBackupHost)" in reasons[0]


SOCKET = "unix:/run/slurmrestd/slurmrestd.socket"


@pytest.mark.parametrize(
    ("default", "listens", "kept"),
    [
        ("127.0.0.1:6820", [], None),
        ("127.0.0.1:6820", ["127.0.0.1:6820"], None),
        ("127.0.0.1:6820", [SOCKET], [SOCKET]),
        ("127.0.0.1:6820", ["[::]:6820"], ["[::]:6820"]),
        ("127.0.0.1:6820", ["127.0.0.1:6820", "unix:/com/s.socket"], ["127.0.0.1:6820", "unix:/com/s.socket"]),
        (SOCKET, [SOCKET], None),
        # The proxy has to have its socket.
        (SOCKET, ["127.0.0.1:6820"], ["127.0.0.1:6820", SOCKET]),
    ],
)
def test_clients_of_slurmrestd_are_not_cut_off_without_a_word(default, listens, kept):
    observations = cluster(jwt=False)
    observations["rest1"]["daemons"]["slurmrestd"]["listens"] = listens
    found = decide(observations, default_listeners={"rest1": default})["left_out"]
    assert list(found) == (["rest1"] if kept else [])
    assert not kept or f"listen at {default} alone" in found["rest1"]
    assert not kept or f"slurmrestd_listen: [{', '.join(map(repr, kept))}]" in found["rest1"]
    assert decide(observations)["left_out"] == {}
    assert decide(observations, default_listeners={"rest1": default}, removing=True)["left_out"] == {}


def test_a_standby_that_the_inventory_does_not_know():
    observations = cluster(jwt=False, ctl1={"conf": conf(controllers=("ctl1", "ctl2"), index=0)})
    (reason,) = refused(observations)
    assert "Add ctl2 to the group" in reason


def test_a_standby_of_slurmdbd_that_the_inventory_does_not_know():
    observations = two_dbds(jwt=False)
    (reason,) = refused(observations)
    assert reason.startswith("dbd1: slurmdbd.conf names dbd1 and dbd2, ")
    assert reason.endswith("Add dbd2 to the group.")
    assert refused(observations, removing=True) == []


def test_a_slurmdbd_by_another_name_is_no_standby():
    observations = cluster(jwt=False)
    observations["dbd1"]["dbd_conf"].update(dbd_host="accounts", dbd_backup_host=None)
    assert refused(observations) == []


def test_a_controller_by_another_name_is_no_standby():
    observations = cluster(jwt=False, ctl1={"conf": conf(controllers=("head",), index=None)})
    assert refused(observations) == []


def test_clocks_that_differ():
    ahead = {"clock_lag_least": 300.9, "clock_lag": 302.0}
    found = decide(cluster(jwt=True, ctl1={"clock_lag_least": -0.3, "clock_lag": 0.2}, dbd1=ahead))
    assert any("ctl1 and dbd1 differ by at least 300 s" in warning for warning in found["warnings"])


def test_clocks_of_hosts_that_were_not_inspected_at_the_same_time():
    """The answer of dbd1 took a minute, so its clock may agree."""
    late = {"now": 1060.0, "clock_lag_least": -0.2, "clock_lag": 60.0}
    found = decide(cluster(jwt=True, ctl1={"clock_lag_least": -0.3, "clock_lag": 0.2}, dbd1=late))
    assert not any("clocks" in warning for warning in found["warnings"])


# What a host without the key answers


TRUST = {"kids": ["a"], "jwks": {"keys": []}, "retired": [], "dropped": [], "differs": True, "content_changed": True}
STALE = {"daemons.slurmctld.stale": ["written after"]}
RUNS = {
    "first": (cluster(False), {}),
    "up_to_date": (cluster(True), {}),
    "a label": (cluster(True, ctl1=STALE), {"key_serial": "2026-11"}),
    "a key set": (
        cluster(True, ctl1={"trust": TRUST}, dbd1={"trust": TRUST}),
        {"trust": trusted_keys.Trust(jwks=True, hs256=True, local_key=trusted_keys.LocalKey("/own.pem", changes=True))},
    ),
    "removal": (cluster(True, ctl1={"differences.slurm_conf": [{}]}), {"removing": True}),
    # Where the site installs packages itself, and where a person has chosen what runs.
    "no packages": (cluster(True), {"install": False}),
    "some tags": (cluster(True, ctl1=STALE), {"run_tags": ["daemons"]}),
}
OUTER = ["rest1", "node1"]


def see_the_others(run, host, answer):
    """Of a rollout that goes on, whatever a host without the key answers."""
    observations, desired = RUNS[run]
    found = answers.same_for_others(lambda observations: decide(observations, **desired), observations, host, answer)
    assert found["up_to_date"] == (found["due"] == [])
    return found


@pytest.mark.parametrize("member", sorted(answers.ANSWERS))
@pytest.mark.parametrize("host", OUTER)
@pytest.mark.parametrize("run", RUNS)
def test_no_member_of_an_answer_decides_anything_about_others(run, host, member):
    whole = RUNS[run][0][host]
    for value in answers.ANSWERS[member]:
        found = see_the_others(run, host, {**whole, member: value})
        errors = [one for one in value if one["severity"] == "error"] if member == "problems" else []
        if run == "removal":
            errors = [one for one in errors if one["code"] in ("conf_broken", "slurm_missing")]
        why = answers.why(member, value, errors)
        if member == "plugins" and value and value["packages"] and run in ("no packages", "some tags"):
            # What is missing and may not be installed.
            assert found["left_out"][host].startswith(f"Missing packages: {value['packages'][0]}.")
            continue
        assert found["left_out"] == ({host: why} if why else {})


@pytest.mark.parametrize("host", OUTER)
@pytest.mark.parametrize("run", RUNS)
def test_no_mixture_of_answers_decides_anything_about_others(run, host):
    whole = RUNS[run][0][host]
    for changes in answers.mixed(100):
        see_the_others(run, host, {**whole, **changes})


@pytest.mark.parametrize("answer", answers.FAILED)
@pytest.mark.parametrize("host", OUTER)
@pytest.mark.parametrize("run", RUNS)
def test_no_look_that_failed_decides_anything_about_others(run, host, answer):
    said = answer.get("msg") or "no reason given"
    assert see_the_others(run, host, answer)["left_out"] == {host: said}


@pytest.mark.parametrize("host", OUTER)
@pytest.mark.parametrize("run", ["first", "up_to_date"])
def test_no_look_that_is_said_to_be_skipped_decides_anything_about_others(run, host):
    """A result that says so may have less than all members."""
    for answer in answers.skipped():
        see_the_others(run, host, answer)


def test_answers_are_such_as_the_door_lets_in():
    assert set(answers.ANSWERS) == set(INFO.members.always)
    for member, values in answers.ANSWERS.items():
        assert all(INFO.members.always[member](value, member) == value for value in values)
    assert all(map(answers.fits, [*answers.FAILED, *answers.skipped()]))


@pytest.mark.parametrize("host", OUTER)
def test_a_host_that_is_left_out_is_named(host):
    observations = cluster(False)
    for problems, said in (([PROBLEM], "F. E. R."), ([PROBLEM, dict(PROBLEM, severity="info")], "F. E. R.")):
        found = decide(cluster(False, **{host: {"problems": problems}}))
        assert found["left_out"] == {host: said}
        assert answers.of_others(found, host) == answers.of_others(decide(observations), host)
    two = dict(cluster(False), node1={"failed": True, "msg": "no python"}, rest1={"failed": True, "msg": "no space."})
    assert decide(two)["left_out"] == {"rest1": "no space", "node1": "no python"}


def test_a_host_with_the_key_is_never_left_out():
    """Not even where it serves the REST API or runs jobs as well."""
    components = dict(COMPONENTS, slurmrestd=["rest1", "dbd1"], node=["node1", "node2", "ctl1"])
    assert refused(cluster(False, dbd1={"problems": [PROBLEM]}), components=components) == ["dbd1: F. E. R."]
    found = decide(dict(cluster(False), ctl1={"failed": True, "msg": "no python"}), components=components)
    assert found["refusals"] == ["ctl1: the inspection of the host failed: no python."]
    assert found["left_out"] == {}


def test_who_speaks_where_no_controller_does():
    hosts = ["node1", "node2"]
    assert decide(cluster(False), in_play=hosts)["speaker"] == "node1"
    assert decide(cluster(False, node1={"problems": [PROBLEM]}), in_play=hosts)["speaker"] == "node2"
    found = decide(cluster(False, node1={"problems": [PROBLEM]}, node2={"problems": [PROBLEM]}), in_play=hosts)
    assert (found["refusals"], found["speaker"], found["hosts_to_change"]) == ([], "node1", [])
