# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of an inventory are the proxy's."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _cluster

GROUPS = {"all": ["ctl1", "rest1", "rest2"], "slurmctld": ["ctl1"], "slurm_proxy": ["rest1"], "doors": ["rest2"]}
NAMED = {"slurm_jwt_group_proxy": "doors"}


@pytest.mark.parametrize(
    ("variables", "local", "hosts"),
    [
        ({}, {}, ["rest1"]),
        (NAMED, {}, ["rest2"]),
        ({"slurm_jwt_group_proxy": "unheard-of"}, {}, []),
        ({}, {_cluster.FAILURE: {}}, []),
        ({}, {_cluster.TOKENS_FAILURE: {}}, []),
    ],
)
def test_proxy_hosts(variables, local, hosts):
    hostvars = {"ctl1": variables, "rest1": {}, "rest2": {}, "localhost": local}
    assert _cluster.proxy_hosts(GROUPS, hostvars) == hosts


def test_no_proxy():
    assert _cluster.proxy_hosts({"all": ["ctl1"], "slurmctld": ["ctl1"]}, {"ctl1": {}}) == []
    # --syntax-check knows no host's variables.
    assert _cluster.proxy_hosts(GROUPS, {}) == ["rest1"]
