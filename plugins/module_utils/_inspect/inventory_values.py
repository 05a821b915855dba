# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory variables that the inspection proposes, and the allowed form of their values. Private to this collection.

An administrator copies the values. YAML and Jinja read them only as paths or names.
"""

from __future__ import annotations

import re

#: Daemon -> the variable that names its unit.
SERVICE_VARIABLES = {
    "slurmctld": "slurm_jwt_slurmctld_service",
    "slurmdbd": "slurm_jwt_slurmdbd_service",
    "slurmrestd": "slurmrestd_service",
}

#: Regular expressions. A path is absolute and has no "..".
PATH = r"(?!(?:.*/)?\.\.(?:/|$))/[A-Za-z0-9_./+@-]{1,1000}"
UNIT = r"[A-Za-z0-9_.@-]{1,200}"

_PATH = re.compile(PATH)
_UNIT = re.compile(UNIT)


def is_path(text: str) -> bool:
    return _PATH.fullmatch(text) is not None


def is_unit(text: str) -> bool:
    return _UNIT.fullmatch(text) is not None
