# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills ansible-playbook with SIGKILL at one of its tasks: before the Nth, or when it has started on one host.

KILL_AT is N; KILL_WHEN is before or during.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: killer
type: aggregate
short_description: Kills ansible-playbook at a task
description: For tests only.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "killer"

    def __init__(self) -> None:
        super().__init__()
        self.at, self.when = int(os.environ["KILL_AT"]), os.environ["KILL_WHEN"]
        self.tasks = self.started = 0

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.tasks, self.started = self.tasks + 1, 0
        if self.tasks == self.at and self.when == "before":
            self._kill(task)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        # The second host is about to start, so the first one's worker is running.
        self.started += 1
        if self.tasks == self.at and self.started == 2:
            self._kill(task)

    def _kill(self, task: Any) -> None:
        print(f"\nkilled {self.when} task {self.tasks}: {task.get_name()}", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
