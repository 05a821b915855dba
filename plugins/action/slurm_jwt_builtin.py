# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.install_paths import DPKG_FORMAT, parse_dpkg
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._checked_action import CheckedAction, failure
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations import modules
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.builtin_modules import BUILTINS
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.observation import Observation

# Longest wait of one attempt, in seconds, for a job that cannot have ended yet. ANSIBLE_TASK_TIMEOUT limits each
# attempt, so a longer wait could exceed it.
LONGEST_PAUSE = 5

# Added to a failed result of async_status. Without it the test "finished" warns that the task started no job.
NOT_AWAITED = {"finished": 1}

# Part of the message of ansible.builtin.apt in check mode without python3-apt.
NO_PYTHON3_APT = "must be installed to use check mode"


class ActionModule(CheckedAction):
    """Runs a module of ansible.builtin and checks its result."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        named = [name for name, options in self._task.args.items() if isinstance(options, Mapping)]
        known = [*BUILTINS, "async_status"]
        if len(self._task.args) != 1 or len(named) != 1 or named[0] not in known:
            text = f"slurm_jwt_builtin takes one module with its options; it may be {', '.join(known)}."
            return failure(text)
        self.name = named[0]
        self.options = dict(self._task.args[self.name])
        self.job, self.deadline, begin = "", math.inf, 0.0
        if self.name == "async_status":
            # The module that the job runs, the time of the first attempt, and the time after which the job has failed.
            self.job = str(self.options.pop("of", ""))
            begin = float(self.options.pop("not_before", 0))
            self.deadline = float(self.options.pop("deadline", math.inf))
            if self.job not in modules.MODULES:
                return failure("async_status: 'of' names no module of this collection.")
            if time.time() > self.deadline:
                return {**failure("The job on the host did not end in its time."), **NOT_AWAITED}
            time.sleep(min(max(0.0, begin - time.time()), LONGEST_PAUSE))
        result = super().run(tmp, task_vars)
        return {**NOT_AWAITED, **result} if self.job and result.get("failed") else result

    def module(self) -> str:
        return str(self.name)

    def observation(self) -> Observation:
        if not self.job:
            return BUILTINS[self.name]
        what = modules.of_job(self.job)
        left = max(1, math.ceil(self.deadline - time.time())) if self.deadline < math.inf else what.seconds
        return what._replace(seconds=min(what.seconds, left))

    def more_seconds(self) -> float:
        return float(self.options.get("timeout") or 0)

    def carries_secrets(self) -> bool:
        return bool(self._task.no_log)

    def execute(self, variables: dict[str, Any]) -> Mapping[str, Any]:
        task = self._task.copy()
        task.action = f"ansible.builtin.{self.name}"
        task.args = self.options
        loader = self._shared_loader_obj.action_loader
        known = {
            "task": task,
            "connection": self._connection,
            "play_context": self._play_context,
            "loader": self._loader,
            "templar": self._templar,
            "shared_loader_obj": self._shared_loader_obj,
        }
        action = loader.get(task.action, **known) or loader.get("ansible.legacy.normal", **known)
        found: Mapping[str, Any] = action.run(task_vars=variables)
        if self.name == "package" and task.check_mode and NO_PYTHON3_APT in str(found.get("msg", "")):
            return self._missing_packages(known, variables)
        return found

    def _missing_packages(self, known: Mapping[str, Any], variables: dict[str, Any]) -> Mapping[str, Any]:
        """In check mode apt fails without python3-apt; otherwise it installs it. So this asks dpkg what is missing."""
        names = self.options.get("name") or []
        packages = [str(name) for name in ([names] if isinstance(names, str) else names)]
        task = self._task.copy()
        task.action, task.check_mode = "ansible.builtin.command", False
        task.args = {"argv": ["dpkg-query", "-W", "-f", DPKG_FORMAT, *(name.partition("=")[0] for name in packages)]}
        action = self._shared_loader_obj.action_loader.get(task.action, **{**known, "task": task})
        # dpkg-query fails if it does not know a package, but still reports the others.
        installed = parse_dpkg(str(action.run(task_vars=variables).get("stdout", "")))
        missing = [name for name in packages if name.partition("=")[0] not in installed]
        return {"changed": bool(missing), "msg": f"To be installed: {', '.join(missing) or 'nothing'}."}
