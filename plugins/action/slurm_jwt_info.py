# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._checked_action import CheckedAction
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.info import OF_A_NODE
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.observation import Observation


class ActionModule(CheckedAction):
    """Runs the module slurm_jwt_info and checks its result."""

    def observation(self) -> Observation:
        minimal = boolean(self._task.args.get("minimal", False), strict=False)
        return OF_A_NODE if minimal else super().observation()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        if "clock_lag_least" in result:
            result["clock_lag_least"] = None
        if isinstance(result.get("clock_lag"), (int, float)):
            # The host read its clock after it was asked, and before its answer arrived.
            took = time.time() - float(self._task.args["asked_at"])
            result["clock_lag_least"] = float(result["clock_lag"]) - max(0.0, took)
        return result
