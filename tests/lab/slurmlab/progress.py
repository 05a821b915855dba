# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what the lab is doing, with the seconds since it began."""

from __future__ import annotations

import time
from typing import Callable

BEGIN = time.monotonic()


class LabError(Exception):
    """Ends the lab's work. Only its text is shown."""


class Unavailable(LabError):
    """Debian has removed packages of a release. The text says which."""


def seconds() -> float:
    return time.monotonic() - BEGIN


def log(about: str, text: str) -> None:
    # One write for each line: several threads and processes may print.
    print(f"[{seconds():6.1f} s] {about}: {text}\n", end="", flush=True)


def wait_for(what: str, ready: Callable[[], object], at_most: float = 180, every: float = 0.1) -> None:
    """Waits until ready() is true, or raises LabError after so many seconds."""
    end = time.monotonic() + at_most
    while not ready():
        if time.monotonic() > end:
            raise LabError(f"Timeout after {at_most:.0f} s, waiting for {what}.")
        time.sleep(every)
