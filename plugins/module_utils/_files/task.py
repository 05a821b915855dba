# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of Ansible asks of us, without Ansible. Private to this collection."""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple


class Task(NamedTuple):
    """The options, and how the task was called."""

    params: Mapping[str, Any]
    check_mode: bool
    diff: bool
    warn: Callable[[str], object]
