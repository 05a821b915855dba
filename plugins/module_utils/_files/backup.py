# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names for backups of a file that is replaced or removed. Private to this collection."""

from __future__ import annotations

import time
from typing import Iterator

STAMP = r"\.\d{8}T\d{6}Z(\.\d+)?"
"""A regular expression for the part between the file name and the suffix."""


def backup_names(path: str, suffix: str, now: float) -> Iterator[str]:
    """PATH.20261123T034500Z and the suffix, then the same with a number, for several copies in one second."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    for number in range(100):
        yield f"{path}.{stamp}{f'.{number}' if number else ''}{suffix}"
