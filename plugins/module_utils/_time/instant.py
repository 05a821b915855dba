# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instant at which a rotation swaps files, the same on all hosts. Private to this collection.

It is a time by the clock, so the clocks of the hosts have to agree. It is used for keys and tokens.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import Iterator

LONGEST_WAIT = 120
"""Seconds that a swap may be ahead: longer than any run needs, and short enough that no swap is forgotten."""


class InstantTooFar(Exception):
    """This host does not wait for the instant. The text says why, and what to do."""


def refuse_far(at: float | None) -> None:
    """Raise InstantTooFar for an instant that is more than LONGEST_WAIT ahead, or is not a number."""
    # With > LONGEST_WAIT, NaN would pass, and the wait would never end.
    if at is not None and not at - time.time() <= LONGEST_WAIT:
        raise InstantTooFar(
            f"activate_at is {at - time.time():.0f} s ahead by the clock of this host; the limit is {LONGEST_WAIT} s. "
            "Nothing was changed. Compare the clocks of the hosts, or give an earlier instant."
        )


def wait_until(at: float | None, lead: float = 0.0) -> None:
    """Return LEAD seconds before the instant, or at once if it is past or None."""
    while at is not None:
        left = at - lead - time.time()
        if left <= 0:
            return
        # Do not sleep during the last moment, as sleep() may return late.
        time.sleep(max(0.0, left - 0.002))


@contextmanager
def on_time() -> Iterator[None]:
    """Run with real-time priority, so that a busy host does not delay the end of a wait and what follows it.

    If the system does not allow that (no CAP_SYS_NICE, a cgroup without real-time share), the priority stays.
    """
    usual = os.sched_getscheduler(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, usual, os.sched_param(0))
