# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states absent and unstaged: remove token files, or what a rotation has left beside them.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import remove
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_if_there
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.current import read_token_file
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.diff import attributes_of, diff_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import extract
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.request import dest_of, entries, name_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.result import new_result, task_result
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.rotation_files import (
    leftovers,
    remove_stale_in_folders,
)


def absent(task: Task) -> dict[str, Any]:
    """Remove each token file, and what a rotation has left beside it."""

    def doomed(dest: str, form: str) -> list[str]:
        file = read_token_file(dest, task)
        if file is None or _may_be_removed(form, file.data):
            return [dest, *leftovers(dest)] if file else leftovers(dest)
        task.warn(f"{dest} holds no token in the format {form}. It is not removed, as it may be something else.")
        return leftovers(dest)

    return _remove(task, doomed)


def unstaged(task: Task) -> dict[str, Any]:
    """Remove what a rotation has left beside each token file."""
    return _remove(task, lambda dest, _form: leftovers(dest))


def _may_be_removed(form: str, data: bytes) -> bool:
    """Whether a file holds a token, or nothing at all."""
    try:
        extract(form, data)
    except TokenError:
        return not data.strip()
    return True


def _remove(task: Task, doomed: Callable[[str, str], list[str]]) -> dict[str, Any]:
    """Remove files of each token; DOOMED lists those that exist, by path and format."""
    results = []
    diffs = []
    for entry in entries(task.params):
        dest = dest_of(entry, task.params["state"])
        result = new_result(name_of(entry), entry["user"], dest, entry["format"])
        for path in doomed(dest, entry["format"]):
            reason = "present" if path == dest else "leftover"
            result.update(changed=True, reason=result["reason"] or reason)
            diffs.append(_diff(path))
            if not task.check_mode:
                remove(path)
        results.append(result)
    if not task.check_mode:
        remove_stale_in_folders([result["dest"] for result in results])
    return task_result(results, diffs)


def _diff(path: str) -> dict[str, Any]:
    file = read_if_there(path, secret=False)
    return diff_of(path, {**(attributes_of(file) if file else {}), "state": "present"}, {"state": "absent"})
