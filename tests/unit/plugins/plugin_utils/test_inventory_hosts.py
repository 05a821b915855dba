# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of an inventory are the proxy's."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
import yaml

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import host_variables, inventory_hosts, listeners

ROLES = Path(__file__).resolve().parents[4] / "roles"

GROUPS = {"all": ["ctl1", "rest1", "rest2"], "slurmctld": ["ctl1"], "slurm_proxy": ["rest1"], "doors": ["rest2"]}
NAMED = {"slurm_jwt_group_proxy": "doors"}


@pytest.mark.parametrize(
    ("variables", "local", "hosts"),
    [
        ({}, {}, ["rest1"]),
        (NAMED, {}, ["rest2"]),
        ({"slurm_jwt_group_proxy": "unheard-of"}, {}, []),
        ({}, {host_variables.FAILURE: {}}, []),
        ({}, {host_variables.TOKENS_FAILURE: {}}, []),
        ({}, {host_variables.PROXY_FAILURE: {}}, []),
    ],
)
def test_proxy_hosts(variables, local, hosts):
    hostvars = {"ctl1": variables, "rest1": {}, "rest2": {}, "localhost": local}
    assert inventory_hosts.proxy_hosts(GROUPS, hostvars) == hosts


def test_no_proxy():
    assert inventory_hosts.proxy_hosts({"all": ["ctl1"], "slurmctld": ["ctl1"]}, {"ctl1": {}}) == []
    # --syntax-check knows no host's variables.
    assert inventory_hosts.proxy_hosts(GROUPS, {}) == ["rest1"]


@pytest.mark.parametrize("variables", [{}, {"slurm_jwt_group_proxy": "gateways"}])
def test_default_listeners_are_those_of_the_roles(variables):
    """Found out before the first change, and written by the role slurmrestd: places that must say the same."""
    groups = {"all": ["rest1", "gate1", "own1"], "slurmctld": ["rest1"], "slurmrestd": ["rest1", "gate1", "own1"],
              variables.get("slurm_jwt_group_proxy", "slurm_proxy"): ["gate1"]}
    hostvars = {host: dict(variables) for host in groups["all"]}
    hostvars["own1"]["slurmrestd_listen"] = ["[::]:6820"]
    found = listeners.default_listeners(groups, hostvars)
    assert found == {"rest1": "127.0.0.1:6820", "gate1": "unix:/run/slurmrestd/slurmrestd.socket"}
    (default,) = yaml.safe_load((ROLES / "slurmrestd/defaults/main.yml").read_text())["slurmrestd_listen"]
    inspected = yaml.safe_load((ROLES / "slurm_jwt/vars/main.yml").read_text())["slurm_jwt__rest_listens"]
    environment = jinja2.Environment(autoescape=True)
    environment.filters["hpc.slurm_jwt.default_listener"] = listeners.default_listener
    known = {"slurm_jwt_components": ["slurmrestd"], "slurm_jwt__removing": False, **variables}
    for host, listener in found.items():
        names = [name for name, hosts in groups.items() if host in hosts and name != "all"]
        assert environment.from_string(default).render(group_names=names, **known) == listener
        assert environment.compile_expression(inspected.strip("{} \n"))(group_names=names, **known) == [listener]
    assert listeners.DEFAULT_LISTENER_BEHIND_PROXY in (ROLES / "slurm_jwt_proxy/vars/main.yml").read_text()
