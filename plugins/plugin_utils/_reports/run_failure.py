# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failure that stopped a run. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.host_variables import run_of

Variables = Mapping[str, Any]


class RunFailure(NamedTuple):
    """What failed first."""

    host: str
    task: str
    cause: str
    run: str
    """The run that it belongs to; another playbook of the same process is another run."""


def run_failure(hostvars: Mapping[str, Variables], everybody: Sequence[str], left: Sequence[str]) -> RunFailure:
    """The first host that failed in a rescued play, or the host that became unreachable in it."""
    run = run_of(hostvars)
    for host in everybody:
        result = hostvars[host].get("ansible_failed_result")
        if result:
            return RunFailure(host, _task_name(hostvars[host].get("ansible_failed_task")), _cause(result), run)
    lost = [host for host in everybody if host not in left]
    if lost:
        return RunFailure(lost[0], "?", "The host could not be reached any more.", run)
    return RunFailure("?", "?", "unknown", run)


def _task_name(task: Any) -> str:
    name = task.get("name", "") if isinstance(task, Mapping) else getattr(task, "name", "")
    return str(name).rpartition(" : ")[2] or "?"


def _cause(result: Mapping[str, Any]) -> str:
    """The message of the module; of a command, its standard error as well; of a loop, those of its items."""
    items = [each for each in result.get("results") or () if isinstance(each, Mapping) and each.get("failed")]
    if items:
        return " ".join(dict.fromkeys(map(_cause, items)))
    texts = [str(result.get(name) or "").strip() for name in ("msg", "stderr")]
    return " ".join(filter(None, texts)) or "unknown"
