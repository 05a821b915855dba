# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instant at which a rotation swaps files, the same on all hosts. Private to this collection.

It is a time by the clock, so the clocks of the hosts have to agree. Keys and tokens wait for it alike.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import Iterator

LONGEST_WAIT = 120
"""Seconds that a swap may lie ahead: longer than any run needs, and short enough that no swap is forgotten."""


class InstantTooFar(Exception):
    """The instant is none that this host will wait for. The text says why, and what to do."""


def refuse_far(at: float | None) -> None:
    """Raise InstantTooFar for an instant that lies more than LONGEST_WAIT ahead, or is none at all."""
    # Asked the other way round, what is no number would pass, and be waited for to the end of days.
    if at is not None and not at - time.time() <= LONGEST_WAIT:
        raise InstantTooFar(
            f"activate_at is {at - time.time():.0f} s ahead by the clock of this host, and {LONGEST_WAIT} s is the "
            "most. Compare the clocks of the hosts, or begin later. Nothing was changed."
        )


def wait_until(at: float | None, lead: float = 0.0) -> None:
    """Return that many seconds before the instant, or at once if it is past or there is none."""
    while at is not None:
        left = at - lead - time.time()
        if left <= 0:
            return
        # The last moment is spent awake, as sleep() may come back late.
        time.sleep(max(0.0, left - 0.002))


@contextmanager
def on_time() -> Iterator[None]:
    """The wait and what follows it come before all other work of this host, so that a busy one is not late.

    Where the system does not let us (no CAP_SYS_NICE, a cgroup without real-time share) they are as they were.
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
