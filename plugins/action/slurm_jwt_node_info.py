# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._checked_action import CheckedAction
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import declared_conf
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.info import OF_A_NODE
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.observation import Observation

try:
    from ansible.template import trust_as_template
except ImportError:
    # Before ansible-core 2.19 every text may be a template.
    def trust_as_template(value: str) -> str:
        return value


def _defaults() -> dict[str, Any]:
    path = Path(__file__).resolve().parents[2] / "roles/slurm_jwt/defaults/main.yml"
    defaults = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: trust_as_template(value) if isinstance(value, str) else value for name, value in defaults.items()}


# Read once, when Ansible loads this plugin, and not again in the worker process of each node.
DEFAULTS = _defaults()


class ActionModule(CheckedAction):
    """Runs the module slurm_jwt_info on a node, with what the role slurm_jwt declares, and checks its result.

    There may be thousands of nodes. Each has its own worker process, which compiles every template of the task again.
    With six templates that takes longer than the rest of the task. So this plugin evaluates the variables of the role;
    few of them are templates. The task belongs to no role, because the end of a role costs as much as a task for each
    node. So this plugin reads the defaults of the role.
    """

    def module(self) -> str:
        return "slurm_jwt_info"

    def observation(self) -> Observation:
        return OF_A_NODE

    def module_options(self, variables: dict[str, Any]) -> dict[str, Any]:
        everything = {**DEFAULTS, **variables}
        templar = self._templar.copy_with_new_env(available_variables=everything)

        def value(name: str) -> Any:
            return templar.template(everything.get(f"slurm_jwt_{name}"))

        removing = boolean(value("removing") or False)
        options = {
            "minimal": True,
            "conf_path": value("conf_path"),
            "key_path": value("key_path") or None,
            "declared": declared_conf.declared(declared_conf.RoleVariables(value), removing),
            "bin_dirs": value("bin_dirs") or None,
        }
        return {name: option for name, option in options.items() if option is not None}
