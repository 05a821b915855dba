# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import desired_state, trusted_keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import rollout
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import members_of
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils.observations import COMPONENTS, HOSTS, cluster

OPT = {"executable": "/opt/python/bin/python3", "version": "3.11.4", "served": False}
NONE = {"pyjwt": None, "cryptography": None, "distributions": "/usr/bin/python3", "unavailable": []}
PLUGIN = "slurm-wlm-jwt-plugin=24.11.5-4"


def decide(observations, **desired):
    return members_of(rollout.plan(observations, COMPONENTS, HOSTS, desired_state.Desired(**desired)))


def python(**members):
    return {"python": {"executable": "/usr/bin/python3", "version": "3.13.5", "served": True, **NONE, **members}}


def test_packages_are_of_no_use_to_another_python():
    found = decide(cluster(jwt=True, ctl1=python(**OPT)))
    assert found["refusals"] == [
        "ctl1: Ansible uses /opt/python/bin/python3, Python 3.11.4, which has no PyJWT. The distribution's packages "
        "are for the distribution's Python, /usr/bin/python3, so Ansible would not find them. Set "
        "ansible_python_interpreter to /usr/bin/python3 for this host, or install it for the one in use: "
        "/opt/python/bin/python3 -m pip install 'PyJWT>=1.7'."
    ]
    assert decide(cluster(jwt=True, ctl1=python(**OPT, pyjwt="2.10.1")))["refusals"] == []
    assert decide(cluster(jwt=True, ctl1=python(**OPT)), install=False)["refusals"] == found["refusals"]
    assert decide(cluster(jwt=True, ctl1=python(**OPT)), removing=True)["refusals"] == []
    # Nobody signs there.
    assert decide(cluster(jwt=True, dbd1=python(**OPT)))["refusals"] == []


def test_with_rsa_keys_another_library_is_needed():
    trust = trusted_keys.Trust(jwks=True)
    found = decide(cluster(jwt=True, ctl1=python(**OPT, pyjwt="2.10.1")), trust=trust)["refusals"]
    assert any("has no cryptography" in reason and "pip install 'cryptography'" in reason for reason in found)


@pytest.mark.parametrize(
    ("family", "package", "where"),
    [("Debian", "python3-jwt", "apt-get update"), ("RedHat", "python3-jwt", "AppStream or EPEL"),
     ("Suse", "python3-PyJWT", "Add a repository")],
)  # fmt: skip
def test_no_repository_has_it(family, package, where):
    observations = cluster(jwt=True, ctl1={"os_family": family, **python(unavailable=[package])})
    (reason,) = decide(observations)["refusals"]
    assert reason.startswith(f"ctl1: Missing packages that no repository of this host has: {package}. ")
    # pip does not touch a Python of the distribution's.
    assert where in reason and "pip" not in reason
    assert decide(cluster(jwt=True, ctl1={"os_family": family, **python()}))["packages"] == {"ctl1": [package]}


def test_a_plugin_that_no_repository_has():
    lost = {"plugins": {"packages": [PLUGIN], "unavailable": [PLUGIN]}}
    (reason,) = decide(cluster(jwt=True, dbd1=lost))["refusals"]
    assert reason.startswith(f"dbd1: Missing packages that no repository of this host has: {PLUGIN}.")
    assert "pip" not in reason
    found = decide(cluster(jwt=True, rest1=lost))
    assert found["refusals"] == [] and f"no repository of this host has: {PLUGIN}." in found["left_out"]["rest1"]


def test_what_may_not_be_installed():
    (reason,) = decide(cluster(jwt=True, ctl1=python()), install=False)["refusals"]
    assert reason.startswith("ctl1: Missing packages: python3-jwt. Install them, or let the rollout do it: ")


def test_a_library_that_is_too_old():
    (reason,) = decide(cluster(jwt=True, ctl1=python(pyjwt="1.6.1")))["refusals"]
    assert reason.startswith("ctl1: /usr/bin/python3 has PyJWT 1.6.1, and 1.7 or later is needed.")
    for version in ("1.7.1", "2.10.1", "dev"):
        assert decide(cluster(jwt=True, ctl1=python(pyjwt=version)))["refusals"] == []
