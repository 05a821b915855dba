# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits slurm.conf or slurmdbd.conf on disk for a slurm_conf task. Private to this collection."""

from __future__ import annotations

import contextlib
import os
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import writer
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.diff import difference
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.editor import Editor
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import is_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.lint import ConfFinding
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.requested import RequestedEdits
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError


class PlannedEdit(NamedTuple):
    """An edit of the files, and its effects."""

    keys: list[str]
    """The parameters that the task names."""
    editor: Editor
    changes: list[writer.Change]
    findings: list[tuple[str, ConfFinding]]
    """Problems of the edited files, each with its key."""

    def result(self) -> dict[str, Any]:
        """The result of the task, without backups and diff."""
        before, after = self.editor.original, self.editor.conf
        return {
            "path": after.path,
            "files": after.paths,
            "changed_files": [change.path for change in self.changes],
            "backup_files": {},
            "before": {key: _shown(key, before.value(key)) for key in self.keys},
            "effective": {key: _shown(key, after.value(key)) for key in self.keys},
            "problems": [problem._asdict() for _key, problem in self.findings],
        }

    def obstacles(self) -> list[ConfFinding]:
        """Errors that the edit causes, or that are about an edited parameter."""
        errors = [(key, problem) for key, problem in self.findings if problem.severity == "error"]
        if not errors:
            return []
        old = [(problem.path, problem.found) for problem in self.editor.original.problems()]
        keys = {key.lower() for key in self.keys}
        return [problem for key, problem in errors if key in keys or (problem.path, problem.found) not in old]


def run(task: Task) -> dict[str, Any]:
    """Edit the files; returns the result."""
    requested = RequestedEdits(task.params)
    edit = _planned(task, requested)
    backups: dict[str, str] = {}
    if edit.changes and task.check_mode:
        writer.examine(edit.changes)
    elif edit.changes:
        with writer.exclusive(task.params["path"]):
            # Another run may have changed the files since they were read.
            edit = _planned(task, requested)
            backups = writer.put(edit.changes, task.params["backup"])
    result = edit.result()
    prune = task.params["prune_backups"] and not edit.changes
    pruned = _pruned(result["files"], task.check_mode) if prune else []
    result.update(changed=bool(edit.changes or pruned), backup_files=backups, pruned_backups=pruned)
    if task.diff:
        result["diff"] = [{"prepared": difference(change, edit.keys)} for change in edit.changes]
    for _key, problem in edit.findings:
        if problem.severity == "error":
            task.warn(_sentence(problem))
    return result


def _planned(task: Task, requested: RequestedEdits) -> PlannedEdit:
    """Read the files and make the edits in memory."""
    path = task.params["path"]
    conf = Conf.load(path, kind=task.params["kind"])
    if not task.params["allow_unknown"]:
        requested.refuse_unknown(conf)
    editor = requested.apply(conf)
    old = {name: conf.data[name] for name in editor.conf.paths}
    changes = writer.plan(old, editor.changed(), path, conf.kind == "slurmdbd")
    edit = PlannedEdit(requested.keys, editor, changes, editor.conf.findings())
    obstacles = edit.obstacles()
    if obstacles:
        reasons = " ".join(map(_sentence, obstacles))
        text = f"Nothing was written: Slurm would reject or misread the result. {reasons}"
        raise TaskError(text, edit._replace(changes=[]).result())
    return edit


def _pruned(files: list[str], check_mode: bool) -> list[str]:
    """Remove the backups that are no longer needed; returns them."""
    paths = writer.needless_backups(files)
    for path in [] if check_mode else paths:
        # Another host that shares the folder may do the same at this moment.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    return paths


def _shown(key: str, value: str | None) -> str | None:
    if value is not None and is_secret(key):
        return "(hidden)"
    return value and value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _sentence(problem: ConfFinding) -> str:
    return f"{problem.path}:{problem.line}: {problem.found}. {problem.effect} {problem.remedy}"
