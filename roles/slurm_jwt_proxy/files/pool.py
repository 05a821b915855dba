# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few threads that do what takes long, by turns for each who asks. Part of the verifier; see verifier.py.

One that asks for much gets its turn as often as one that asks for little, and a place in front is for those who are
known. What is too much is refused at once: a wait that is too long is worth less than a plain answer.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Callable

WORKERS = max(1, min(8, ((os.cpu_count() or 1) + 1) // 2))
MOST_OF_ONE = 16
MOST = 256

Work = Callable[[], None]


class Full(Exception):
    """There is too much to do."""


class Turns:
    """What waits, by whom it is for; each is served once before the first comes again."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[Hashable, deque[Work]] = OrderedDict()
        self.count = 0

    def put(self, whom: Hashable, work: Work) -> None:
        if len(self.waiting.get(whom, ())) >= MOST_OF_ONE or self.count >= MOST:
            raise Full
        self.waiting.setdefault(whom, deque()).append(work)
        self.count += 1

    def take(self) -> Work:
        whom, mine = next(iter(self.waiting.items()))
        work = mine.popleft()
        self.count -= 1
        self.waiting.move_to_end(whom)
        if not mine:
            del self.waiting[whom]
        return work


class Pool:
    def __init__(self, workers: int = WORKERS) -> None:
        self.change = threading.Condition()
        self.known, self.others = Turns(), Turns()
        for _worker in range(workers):
            threading.Thread(target=self._work, daemon=True).start()

    def put(self, whom: Hashable, work: Work, known: bool) -> None:
        """Has it done. Raises Full."""
        with self.change:
            (self.known if known else self.others).put(whom, work)
            self.change.notify()

    def _work(self) -> None:
        while True:
            with self.change:
                self.change.wait_for(lambda: self.known.count or self.others.count)
                work = (self.known if self.known.count else self.others).take()
            work()
