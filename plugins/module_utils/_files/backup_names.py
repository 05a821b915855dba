# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the copies of a file are called that are made before it changes. Private to this collection."""

from __future__ import annotations

import re
import time
from typing import Iterator

SUFFIX = re.compile(r"\.[0-9]{8}T[0-9]{6}Z(?:\.[0-9]{1,2})?~")
"""What such a name adds to that of the file."""

PER_SECOND = 100


def backup_names(path: str, seconds: float) -> Iterator[str]:
    """The names for copies of a file that are made in this second, in the order in which they are to be tried."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))
    yield f"{path}.{stamp}~"
    for number in range(2, PER_SECOND):
        yield f"{path}.{stamp}.{number}~"
