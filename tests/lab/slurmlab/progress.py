# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what the lab is doing while it does it, with the seconds since it began."""

from __future__ import annotations

import time
from typing import Callable

BEGIN = time.monotonic()


class LabError(Exception):
    """Ends the lab's work; its text is all that is shown."""


class NotToBeHad(LabError):
    """A release whose packages are no longer where Debian had them. Its text says what is missing."""


def seconds() -> float:
    return time.monotonic() - BEGIN


def say(about: str, text: str) -> None:
    # One write a line: several threads and processes may be talking.
    print(f"[{seconds():6.1f} s] {about}: {text}\n", end="", flush=True)


def wait_for(what: str, ready: Callable[[], object], at_most: float = 180, every: float = 0.1) -> None:
    """Asks until the answer is yes, or raises LabError after so many seconds."""
    end = time.monotonic() + at_most
    while not ready():
        if time.monotonic() > end:
            raise LabError(f"Waited {at_most:.0f} s in vain for {what}.")
        time.sleep(every)
