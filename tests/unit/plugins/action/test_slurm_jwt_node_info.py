# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node is inspected with what the role's variables say, templates among them."""

from __future__ import annotations

import time
from unittest import mock

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.action import slurm_jwt_node_info
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.info import OF_A_NODE

# Evaluated by the stand-in for Ansible's templar below.
TEMPLATES = {"{{ conf }}": "/cluster/slurm.conf", "{{ folder }}/jwks.json": "/cluster/jwks.json", "{{ yes }}": True}


def options_of(**variables):
    """The options with which slurm_jwt_info runs."""
    connection = mock.Mock(has_native_async=False)
    templar = mock.Mock(template=lambda value: TEMPLATES.get(value, value) if isinstance(value, str) else value)
    templar.copy_with_new_env.return_value = templar
    task = mock.Mock(args={}, timeout=0, async_val=0, check_mode=False, no_log=False)
    action = slurm_jwt_node_info.ActionModule(task, connection, mock.Mock(), mock.Mock(), templar, mock.Mock())
    action._execute_module = mock.Mock(return_value={})
    action.execute({f"slurm_jwt_{name}": value for name, value in variables.items()})
    (call,) = action._execute_module.call_args_list
    assert call.kwargs["module_name"] == "hpc.slurm_jwt.slurm_jwt_info"
    assert (action.module(), action.observation()) == ("slurm_jwt_info", OF_A_NODE)
    return call.kwargs["module_args"]


def test_nothing_is_declared():
    assert options_of() == {
        "minimal": True, "conf_path": "/etc/slurm/slurm.conf",
        "declared": {"auth_alt_types": ["auth/jwt"], "auth_alt_types_absent": [], "parameters": {"jwt_key": ""}},
    }  # fmt: skip


def test_defaults_are_those_of_the_role():
    # A text of these may be a template for Ansible, as where the role itself has it.
    assert slurm_jwt_node_info.DEFAULTS["slurm_jwt_jwks_path"] == "{{ slurm_jwt_conf_path | dirname }}/jwks.json"
    assert slurm_jwt_node_info.DEFAULTS["slurm_jwt_bin_dirs"] == []


def test_variables_and_templates():
    found = options_of(
        conf_path="{{ conf }}", key_path="/key", bin_dirs=["/opt/bin"], jwks_path="{{ folder }}/jwks.json",
        jwks_sources=["x"], hs256="{{ yes }}", max_token_lifespan=3600,
    )  # fmt: skip
    assert (found["conf_path"], found["key_path"], found["bin_dirs"]) == ("/cluster/slurm.conf", "/key", ["/opt/bin"])
    assert found["declared"]["parameters"] == {
        "jwt_key": "/key", "jwks": "/cluster/jwks.json", "max_token_lifespan": 3600
    }


@pytest.mark.parametrize("removing", [True, "true", "{{ yes }}"])
def test_removing(removing):
    assert options_of(removing=removing)["declared"]["auth_alt_types_absent"] == ["auth/jwt"]


def test_a_template_that_fails_fails_the_host():
    task = mock.Mock(args={}, timeout=0, async_val=0, check_mode=False, no_log=False)
    templar = mock.Mock(template=mock.Mock(side_effect=ValueError("'site' is undefined")))
    templar.copy_with_new_env.return_value = templar
    connection = mock.Mock(has_native_async=False)
    action = slurm_jwt_node_info.ActionModule(task, connection, mock.Mock(), mock.Mock(), templar, mock.Mock())
    before = time.time()
    found = action.run(task_vars={"inventory_hostname": "node1"})
    assert (found["failed"], found["msg"]) == (True, "'site' is undefined")
    assert time.time() - before < 5
