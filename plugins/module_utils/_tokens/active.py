# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state active: the next or the previous token becomes the live one. Private to this collection."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import beside
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.instant import refuse_far
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, split, user_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.diff import diff_of, file_content
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import extract
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.request import (
    Entry,
    dest_of,
    entries,
    name_of,
    refuse_shared_files,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.result import describe, new_result, task_result
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.rotation_files import TokenStep, do_steps, step_to


def active(task: Task) -> dict[str, Any]:
    at = task.params["activate_at"]
    refuse_far(at)
    all_entries = entries(task.params)
    refuse_shared_files([dest_of(entry, "active") for entry in all_entries])
    steps = [_step(entry, task.params["source"]) for entry in all_entries]
    done = [None] * len(steps) if task.check_mode else do_steps(steps, at)
    results = [_result(*each, task.params["return_token"]) for each in zip(all_entries, steps, done)]
    failed = [f"{name_of(entry)}: {when}" for entry, when in zip(all_entries, done) if isinstance(when, Exception)]
    if failed:
        raise TaskError(" ".join(failed), {"tokens": results, "changed": any(one["changed"] for one in results)})
    return task_result(results, [_diff(entry, step) for entry, step in zip(all_entries, steps) if step.reason])


def _step(entry: Entry, source: str) -> TokenStep:
    try:
        return step_to(entry["dest"], source, entry["format"])
    except (TokenError, SecretFileError) as exc:
        raise TaskError(f"{name_of(entry)}: {exc}") from exc


def _result(entry: Entry, step: TokenStep, when: object, return_token: bool) -> dict[str, Any]:
    """The token that is live after this run."""
    result = new_result(name_of(entry), entry["user"], step.dest, entry["format"])
    failed = isinstance(when, Exception)
    file = step.new if step.swaps and not failed else step.live
    if not failed:
        result.update(changed=step.reason is not None, reason=step.reason, activated_at=when)
    if file is None:
        return result
    try:
        token = extract(entry["format"], file.data)
    except TokenError:
        return result
    claims = split(token).claims
    describe(result, claims, time.time())
    result["user"] = user_of(claims)
    if return_token:
        result["token"] = token
    return result


def _diff(entry: Entry, step: TokenStep) -> dict[str, Any]:
    """The live file before and after. If only a copy was removed: that copy."""
    path, files = step.dest, (step.live, step.new)
    if not step.swaps:
        path, files = beside(step.dest, step.source), (step.new, None)
    before, after = ({} if file is None else file_content(file, entry["format"]) for file in files)
    return diff_of(path, before, after)
