# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import yaml

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import (
    desired_state,
    trusted_keys,
    undeclared_paths,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import (
    hs256_rotation_plan,
    rollout,
    rsa_rotation_plan,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import members_of
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_settings import RotationSettings
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils.observations import COMPONENTS, HOSTS, cluster

CONF = {"slurm_jwt_conf_path": "/opt/slurm/etc/slurm.conf"}
DBD_CONF = {"slurm_jwt_dbd_conf_path": "/opt/slurm/etc/slurmdbd.conf"}
BIN = {"slurm_jwt_bin_dirs": ["/opt/slurm/current/bin", "/opt/slurm/current/sbin"]}
BINARY = {"slurmrestd_binary": "/opt/slurm/current/sbin/slurmrestd"}


def needs(**settings):
    """What an inspection adds where the site has to set variables."""
    problems = [
        {
            "severity": "error",
            "code": "undeclared",
            "component": "slurmctld",
            "path": None,
            "found": f"It is {value}.",
            "effect": "It would not work.",
            "remedy": f"Set {name} to {value}.",
        }
        for name, value in settings.items()
    ]
    return {"undeclared": settings, "problems": problems}


def decide(observations):
    return members_of(rollout.plan(observations, COMPONENTS, HOSTS, desired_state.Desired()))


def all_in_a_prefix():
    return cluster(
        jwt=False,
        ctl1=needs(**CONF, **BIN),
        dbd1=needs(**DBD_CONF, **BIN),
        rest1=needs(**CONF, **BIN, **BINARY),
        node1=needs(**CONF, **BIN),
        node2=needs(**CONF, **BIN),
    )


@pytest.mark.parametrize("removing", [False, True])
def test_all_variables_of_all_hosts_are_in_one_refusal(removing):
    found = members_of(rollout.plan(all_in_a_prefix(), COMPONENTS, HOSTS, desired_state.Desired(removing=removing)))
    assert found["settings"] == {"group_vars/all.yml": {**CONF, **DBD_CONF, **BIN, **BINARY}}
    assert found["left_out"] == {}
    assert "ctl1: It is /opt/slurm/etc/slurm.conf." in found["refusals"]
    assert "rest1, node1, node2: It is /opt/slurm/etc/slurm.conf." in found["refusals"]
    assert yaml.safe_load(found["settings_text"].partition("\n")[2]) == {**CONF, **DBD_CONF, **BIN, **BINARY}


def test_a_rotation_says_the_same():
    observations = all_in_a_prefix()
    found = members_of(hs256_rotation_plan.plan(observations, COMPONENTS, HOSTS, RotationSettings(), lambda run: None))
    assert found["settings"] == decide(observations)["settings"]


def test_the_rotation_of_an_rsa_key_says_the_same():
    observations, trust = all_in_a_prefix(), trusted_keys.Trust(local_key=trusted_keys.LocalKey("/etc/slurm/own.pem"))
    settings, key = RotationSettings(run="r"), {"exists": False, "public_jwk": None, "next": None}
    found = rsa_rotation_plan.plan(observations, COMPONENTS, HOSTS, settings, trust, key, lambda run: None)
    assert members_of(found) == members_of(
        hs256_rotation_plan.plan(observations, COMPONENTS, HOSTS, settings, lambda run: None)
    )


def test_a_host_without_a_key_is_left_out_and_says_why():
    found = decide(cluster(jwt=False, node2=needs(**CONF)))
    assert found["refusals"] == []
    assert "Set slurm_jwt_conf_path to /opt/slurm/etc/slurm.conf." in found["left_out"]["node2"]


def test_a_node_does_not_say_what_others_have():
    observations = all_in_a_prefix()
    observations["node2"] = {**observations["node2"], **needs(slurm_jwt_conf_path="/tmp/evil.conf", **BIN)}
    found = decide(observations)["settings"]
    assert found["group_vars/all.yml"]["slurm_jwt_conf_path"] == CONF["slurm_jwt_conf_path"]
    assert found["host_vars/node2.yml"] == {"slurm_jwt_conf_path": "/tmp/evil.conf"}


def test_hosts_that_are_as_declared_stay_so():
    """A path for all would take theirs away; folders of programs do no harm."""
    observations = cluster(jwt=False, ctl1=needs(**CONF, **BIN), rest1=needs(**BINARY))
    assert decide(observations)["settings"] == {
        "group_vars/all.yml": {**BIN, **BINARY},
        "host_vars/ctl1.yml": CONF,
    }


def test_hosts_that_differ_have_their_own():
    observations = cluster(jwt=False, ctl1=needs(**BIN), dbd1=needs(slurm_jwt_bin_dirs=["/opt/dbd/sbin"]))
    found = decide(observations)["settings"]
    assert found == {"host_vars/ctl1.yml": BIN, "host_vars/dbd1.yml": {"slurm_jwt_bin_dirs": ["/opt/dbd/sbin"]}}


def test_other_reasons_are_told_as_well():
    observations = all_in_a_prefix()
    observations["rest1"]["problems"].append({**observations["rest1"]["problems"][0], "code": "slurmrestd_options"})
    found = decide(observations)
    assert list(found["left_out"]) == ["rest1"]
    assert found["settings"]["group_vars/all.yml"]["slurmrestd_binary"] == BINARY["slurmrestd_binary"]


def test_no_host_without_the_key_proposes_folders_of_programs_for_all():
    observations = {
        "ctl1": {"undeclared": {}},
        "node1": {"undeclared": {"slurm_jwt_bin_dirs": ["/srv/evil/bin"]}},
    }
    components = {"slurmctld": ["ctl1"], "slurmdbd": [], "slurmrestd": [], "node": ["node1"]}
    found = undeclared_paths.settings(observations, components, ["ctl1"])
    assert found == {"host_vars/node1.yml": {"slurm_jwt_bin_dirs": ["/srv/evil/bin"]}}
