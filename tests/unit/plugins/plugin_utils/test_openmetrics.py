# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs decide about slurmctld's metrics and their key."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import openmetrics_problems
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import declared_conf
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Desired
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import openmetrics_rotation, rollout
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import members_of
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_settings import RotationSettings
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import service_checks, token_exchange
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils import observations

PATH = f"{observations.STATE}/openmetrics_hs256.key"
ONE, OTHER = "SHA256:" + "1" * 64, "SHA256:" + "2" * 64
COMPONENTS = {**observations.COMPONENTS, "slurmctld": ["ctl1", "ctl2"]}
HOSTS = ["ctl1", "ctl2", "dbd1", "rest1", "node1", "node2"]
USERS = ["prometheus"]
SERVICE = {"name": "prometheus", "user": "prometheus", "dest": "/t", "key": "openmetrics"}


def seen(fingerprint=ONE, in_force=PATH, loaded="current", **changes):
    key = {**observations.key(fingerprint is not None, fingerprint), "path": PATH, "next": None, **changes}
    return {
        "serves": in_force is not None, "users": USERS, "key_path": PATH, "key": key, "in_force": in_force,
        "key_loaded": loaded,
    }  # fmt: skip


def cluster(first=None, second=None):
    """Two controllers with JWT, and what each has for metrics."""
    found = observations.cluster(jwt=True)
    controllers = ("ctl1", "ctl2")
    found["ctl2"] = {**observations.observation("ctl2", "slurmctld", True), "hostname": "ctl2"}
    for index, (host, metrics) in enumerate(zip(controllers, (first, second))):
        found[host]["conf"] = observations.conf({"jwt_key": observations.KEY_PATH}, controllers, index)
        found[host]["openmetrics"] = metrics or seen(None, None, "unknown")
    return found


def decide(found, users=("prometheus",), **desired):
    users = None if users is None else list(users)
    plan = rollout.plan(found, COMPONENTS, HOSTS, Desired(openmetrics_users=users, **desired))
    return members_of(plan)


def of_metrics(plan):
    return {name: plan["openmetrics"][name] for name in ("on", "source", "source_changes", "targets", "keys_aside")}


def test_a_key_is_made_and_copied():
    plan = decide(cluster())
    assert plan["refusals"] == []
    assert of_metrics(plan) == {
        "on": True, "source": "ctl1", "source_changes": True, "targets": ["ctl2"], "keys_aside": []
    }  # fmt: skip
    assert plan["openmetrics"]["key_path"] == {"ctl1": PATH, "ctl2": PATH}
    assert plan["slurmctld"] == {"ctl1": "reconfigure", "ctl2": "restart"}
    assert not plan["up_to_date"]
    assert set(plan["key_hosts_to_change"]) == {"ctl1", "ctl2"}
    assert plan["unseen_by_check"]["ctl2"] == ["key for metrics installed"]
    assert [text for text in plan["due"] if "key for metrics" in text]


def test_nothing_is_declared():
    plan = decide(cluster(), users=None)
    assert of_metrics(plan)["on"] is False
    assert plan["openmetrics"]["key_path"] == {}
    assert plan["up_to_date"]


def test_up_to_date():
    plan = decide(cluster(seen(), seen()))
    assert plan["up_to_date"]
    assert of_metrics(plan) == {
        "on": True, "source": "ctl1", "source_changes": False, "targets": [], "keys_aside": []
    }  # fmt: skip


def test_clear_text_is_named_once_for_all_controllers():
    found = cluster(seen(), seen())
    for host in ("ctl1", "ctl2"):
        found[host]["problems"] = [problem._asdict() for problem in openmetrics_problems.clear_text(6817)]
    (warning,) = decide(found)["warnings"]
    assert warning.startswith("ctl[1-2]: Tokens for metrics go to slurmctld's port 6817 in clear text. Anyone who")
    assert decide(found)["up_to_date"]


def test_a_new_standby_gets_the_key():
    plan = decide(cluster(seen(), seen(None)))
    assert of_metrics(plan)["targets"] == ["ctl2"]
    assert plan["slurmctld"] == {"ctl2": "restart"}
    assert set(plan["key_hosts_to_change"]) == {"ctl1", "ctl2"}, "one has the key that the other gets"


def test_the_controller_that_has_a_key_gives_it():
    plan = decide(cluster(seen(None), seen()))
    assert (of_metrics(plan)["source"], of_metrics(plan)["targets"]) == ("ctl2", ["ctl1"])


def test_owner_and_mode():
    plan = decide(cluster(seen(mode="0440"), seen()))
    assert of_metrics(plan)["source_changes"] is True
    assert plan["slurmctld"] == {}, "the key is the same"


def test_different_keys_are_refused():
    plan = decide(cluster(seen(), seen(OTHER)))
    assert "different keys for metrics" in plan["refusals"][0]
    assert decide(cluster(seen(), seen(OTHER)), users=None)["refusals"] == []


def test_a_key_that_slurmctld_has_not_loaded():
    plan = decide(cluster(seen(loaded="absent"), seen()))
    assert plan["slurmctld"] == {"ctl1": "reconfigure"}
    # One that the site has put into force under another path is not this collection's.
    plan = decide(cluster(seen(in_force="/of/the/site", loaded="absent"), seen()))
    assert plan["slurmctld"] == {}


def test_a_rotation_is_under_way():
    staged = {"next": {"by": "alice", "created": "2026-11-24T10:00:00Z"}}
    plan = decide(cluster(seen(**staged), seen()))
    assert "a rotation of the key is under way, begun by alice" in plan["refusals"][0]


@pytest.mark.parametrize("options", [{"users": []}, {"removing": True}])
def test_switched_off(options):
    plan = decide(cluster(seen(), seen()), **options)
    assert of_metrics(plan) == {
        "on": False, "source": None, "source_changes": False, "targets": [], "keys_aside": ["ctl1", "ctl2"]
    }  # fmt: skip
    # What the site has put into force stays.
    plan = decide(cluster(seen(in_force="/of/the/site"), seen(None)), **options)
    assert of_metrics(plan)["keys_aside"] == []


# Rotation


def rotated(first, second, users=("prometheus",), services=("svc1",), left_out=(), **settings):
    users = None if users is None else list(users)
    clusters = Cluster(cluster(first, second), COMPONENTS, Desired(openmetrics_users=users))
    request = RotationSettings(**{"run": "r", "by": "me", "serial": "2026-12", **settings})
    rotation = openmetrics_rotation.OpenMetricsRotation(clusters, request)
    refusals = rotation.refusals(lambda _run: False)
    return refusals, openmetrics_rotation.plan(clusters, request, services, dict.fromkeys(left_out, ""))


def aged(**changes):
    return seen(serial="2026-11", age=7, size=32, **changes)


NEXT = {"fingerprint": OTHER, "serial": "2026-12", "run": "r0", "run_age": 7, "by": "alice", "created": "2026-11-24"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "serial"),
        ({"serial": ""}, None),
        ({"serial": "2026-11"}, None),
        ({"serial": "", "now": True}, "now"),
        ({"serial": "", "max_age": 7}, "max_age"),
        ({"serial": "", "max_age": 8}, None),
    ],
)
def test_when_it_is_due(settings, reason):
    refusals, plan = rotated(aged(), aged(), **settings)
    assert (refusals, plan.reason) == ([], reason)
    assert bool(plan.hosts) == bool(reason)


def test_what_it_does():
    _refusals, plan = rotated(aged(), aged())
    assert plan.hosts == ["ctl1", "ctl2", "svc1"]
    assert plan.controllers == ["ctl1", "ctl2"]
    assert (plan.way, plan.old, plan.users) == ("in_place", ONE, USERS)
    assert plan.standbys == {"ctl2": "restart"}
    assert plan.primary_loads == {"ctl1": "reconfigure"}
    assert rotated(aged(), aged(), left_out=["svc1"])[1].hosts == ["ctl1", "ctl2"]


def test_slurmctld_in_the_foreground_is_restarted():
    """After a reconfigure that fails there would be no slurmctld."""
    observations = cluster(aged(), aged())
    observations["ctl1"]["daemons"]["slurmctld"]["command"] = ["/usr/sbin/slurmctld", "-D"]
    clusters = Cluster(observations, COMPONENTS, Desired(openmetrics_users=USERS))
    settings = RotationSettings(run="r", by="me", serial="2026-12")
    assert openmetrics_rotation.plan(clusters, settings, (), {}).primary_loads == {"ctl1": "restart"}


def test_nothing_without_metrics():
    assert rotated(aged(), aged(), users=None)[1].hosts == []
    assert rotated(seen(None), seen(None))[1].hosts == []


@pytest.mark.parametrize(
    ("loaded", "size", "method"), [("copied", 32, "auto"), ("current", 64, "auto"), ("current", 32, "reload")]
)
def test_when_it_is_not_swapped_in_place(loaded, size, method):
    metrics = aged(loaded=loaded)
    metrics["key"]["size"] = size
    assert rotated(metrics, aged(), method=method)[1].way == "rename"


def test_an_unfinished_rotation_is_finished():
    _refusals, plan = rotated(aged(next=NEXT), seen(OTHER, previous={"fingerprint": ONE}), serial="2027-01")
    assert (plan.reason, plan.serial, plan.take_over, plan.old) == ("unfinished", "2026-12", "r0", ONE)
    assert not plan.tidy_only
    _refusals, plan = rotated(aged(), aged(next=NEXT))
    assert plan.tidy_only
    assert plan.run_to_end == {"ctl1": "r", "ctl2": "r0"}


def test_a_rotation_by_somebody_else():
    refusals, _plan = rotated(aged(next=NEXT), aged())
    assert "and is at work" in refusals[0]


def test_no_rotation_of_different_keys():
    refusals, _plan = rotated(aged(), seen(OTHER, serial="2026-11"))
    assert "different keys for metrics" in refusals[0]


def test_lines_of_another_tool():
    found = cluster()
    found["ctl1"]["differences"]["slurm_conf"] = [
        {"parameter": "MetricsAuthUsers", "before": None, "after": "prometheus", "path": "/etc/slurm/slurm.conf"}
    ]
    plan = decide(found, manage_conf=False)
    assert "must have the line MetricsAuthUsers=prometheus" in plan["refusals"][0]


def test_declarations():
    settings = {
        "key_path": "", "hs256": None, "rs256_key_path": "", "jwks_path": "", "jwks_sources": None,
        "openmetrics_users": None, "openmetrics_key_path": "/k", **dict.fromkeys(declared_conf.AUTH_ALT_OPTIONS),
    }  # fmt: skip
    assert "openmetrics" not in declared_conf.declared(settings)
    for users in (USERS, "prometheus", "prometheus, "):
        declared = declared_conf.declared({**settings, "openmetrics_users": users})
        assert declared["openmetrics"] == {"users": USERS, "key_path": "/k"}
    removed = declared_conf.declared({**settings, "openmetrics_users": USERS}, removing=True)
    assert removed["openmetrics"] == {"users": [], "key_path": "/k"}


def wrong(readers=(), **service):
    groups = {"all": ["svc1"], "slurm_token_hosts": ["svc1"]}
    return service_checks.wrong("svc1", [{**SERVICE, **service}], groups, "slurm_token_hosts", readers=readers)


def test_services():
    assert wrong(USERS) == []
    assert wrong(key=None) == []
    assert "does not name prometheus" in wrong()[0]
    assert "does not name bob" in wrong(USERS, user="bob")[0]
    assert "renew excludes key: openmetrics" in wrong(USERS, renew=True)[0]


def test_the_controller_is_told_which_key():
    variables = {
        "slurm_jwt_tokens_here": [SERVICE, {**SERVICE, "name": "portal", "key": "cluster"}],
        "slurm_jwt_tokens_observation": {"tokens": [{"name": name, "token": ""} for name in ("prometheus", "portal")]},
    }
    orders = token_exchange.requests({"svc1": variables}, ["svc1"], PATH)
    assert [order.get("key_path") for order in orders] == [PATH, None]
