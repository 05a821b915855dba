# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rotation was requested. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

AUTO, RELOAD, RESTART, IN_PLACE = "auto", "reload", "restart", "in_place"

IsDead = Callable[[str], "bool | None"]
"""Whether the run of that name has ended; None if that is unknown here."""


class RotationSettings(NamedTuple):
    """What the site declares about its key, and how the playbook was called."""

    serial: str = ""
    max_age: int | None = None
    """Seconds."""
    now: bool = False
    method: str = AUTO
    take_over: bool = False
    other_clusters: bool = False
    """Whether other clusters of slurmdbd may go on with the old key."""
    run: str = ""
    """The name of this run."""
    by: str = ""
    """The user who runs it."""
    forks: int = 5
    check_mode: bool = False
    token_hosts: Sequence[str] = ()
