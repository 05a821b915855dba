# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ansible task, without importing Ansible. Private to this collection."""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple


class Task(NamedTuple):
    """The options of a task, and how it runs."""

    params: Mapping[str, Any]
    check_mode: bool
    diff: bool
    warn: Callable[[str], object]


class TaskError(Exception):
    """The task fails. The text says what was found and what to do; ``result`` says what was done before."""

    def __init__(self, message: str, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = {} if result is None else dict(result)


RunCommand = Callable[..., "tuple[int, str, str]"]
"""Runs an argument list and returns exit code, output and errors. Second argument: more environment variables."""
