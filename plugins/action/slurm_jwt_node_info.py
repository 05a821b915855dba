# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._checked_action import CheckedAction
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import declared_conf
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.info import OF_A_NODE
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.observation import Observation


class ActionModule(CheckedAction):
    """Runs the module slurm_jwt_info on a node, with what the role slurm_jwt declares, and checks its result.

    There may be thousands of nodes, and each has a worker process of its own, which compiles every template of the
    task. With six templates that takes longer than the rest. So this evaluates the variables of the role, of which few
    are templates.
    """

    def module(self) -> str:
        return "slurm_jwt_info"

    def observation(self) -> Observation:
        return OF_A_NODE

    def execute(self, variables: dict[str, Any]) -> Mapping[str, Any]:
        def value(name: str) -> Any:
            return self._templar.template(variables.get(f"slurm_jwt_{name}"))

        removing = boolean(value("removing") or False)
        options = {
            "minimal": True,
            "conf_path": value("conf_path"),
            "key_path": value("key_path") or None,
            "declared": declared_conf.declared(declared_conf.Settings(value), removing),
            "bin_dirs": value("bin_dirs") or None,
        }
        given = {name: option for name, option in options.items() if option is not None}
        result: Mapping[str, Any] = self._execute_module(
            module_name="hpc.slurm_jwt.slurm_jwt_info", module_args=given, task_vars=variables
        )
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result
