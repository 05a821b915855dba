# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import AUTH_ALT_OPTIONS, PATH
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import CAPABILITIES
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import declared_conf

OPTIONS = {name for name, option in AUTH_ALT_OPTIONS.items() if option.kind != PATH}
NAMES = {
    "key_path", "jwks_path", "jwks_sources", "rs256_key_path", "hs256", "openmetrics_users", "openmetrics_key_path",
    *OPTIONS,
}  # fmt: skip
SETTINGS = {**dict.fromkeys(NAMES), "key_path": "", "jwks_path": "/etc/slurm/jwks.json", "rs256_key_path": ""}


@pytest.mark.parametrize(
    ("given", "parameters"),
    [
        ({}, {"jwt_key": ""}),
        ({"key_path": "/key"}, {"jwt_key": "/key"}),
        ({"hs256": True}, {"jwt_key": ""}),
        ({"hs256": "false"}, {"jwt_key": False}),
        ({"jwks_sources": []}, {"jwt_key": "", "jwks": False}),
        ({"jwks_sources": ["x"]}, {"jwt_key": False, "jwks": "/etc/slurm/jwks.json"}),
        ({"jwks_sources": ["x"], "hs256": "yes"}, {"jwt_key": "", "jwks": "/etc/slurm/jwks.json"}),
        ({"rs256_key_path": "/pem"}, {"jwt_key": False, "jwks": "/etc/slurm/jwks.json"}),
        ({"userclaimfield": "sub"}, {"jwt_key": "", "userclaimfield": "sub"}),
        ({"userclaimfield": ""}, {"jwt_key": "", "userclaimfield": False}),
        ({"max_token_lifespan": "3600"}, {"jwt_key": "", "max_token_lifespan": "3600"}),
        ({"max_token_lifespan": 0}, {"jwt_key": "", "max_token_lifespan": False}),
        ({"disable_token_creation": "true"}, {"jwt_key": "", "disable_token_creation": True}),
        ({"use_jwt_client_ids": False}, {"jwt_key": "", "use_jwt_client_ids": False}),
    ],
)
def test_what_is_declared_and_nothing_else(given, parameters):
    settings = {**SETTINGS, **given}
    assert declared_conf.declared(settings) == {
        "auth_alt_types": ["auth/jwt"], "auth_alt_types_absent": [], "parameters": parameters,
    }
    assert declared_conf.declared(settings, removing=True) == {
        "auth_alt_types": [], "auth_alt_types_absent": ["auth/jwt"], "parameters": dict.fromkeys(parameters, False),
    }


def test_variables_are_evaluated_when_they_are_needed():
    asked = []

    def value(name):
        asked.append(name)
        return SETTINGS[name]

    assert declared_conf.declared(declared_conf.RoleVariables(value)) == declared_conf.declared(SETTINGS)
    assert set(asked) == NAMES - {"jwks_path"}


def test_the_role_names_each_variable():
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))
    assert set(re.findall(r"'([a-z0-9_]+)': slurm_jwt_", variables["slurm_jwt_declared"])) == NAMES


ROLE = pathlib.Path(__file__).parents[4] / "roles/slurm_jwt"


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_site_can_declare_each_member(name):
    """A variable that is documented and does not reach slurm.conf would say nothing about it."""
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    assert f"slurm_jwt_{name}" in specs["main"]["options"]
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))
    assert re.search(rf"'{name}': slurm_jwt_{name} \| default\(none\)", variables["slurm_jwt_declared"])


def test_each_member_asks_for_a_capability_that_there_is():
    known = {capability.name for capability in CAPABILITIES}
    assert {option.capability for option in AUTH_ALT_OPTIONS.values()} <= {None, *known}
