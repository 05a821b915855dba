# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few threads for slow work, by turns for each client. Part of the verifier; see verifier.py.

Clients with much work get a turn as often as clients with little, and familiar clients come first. Too much work is
refused at once: a prompt refusal is better than a long wait.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Callable

WORKERS = max(1, min(8, ((os.cpu_count() or 1) + 1) // 2))
MAX_OF_ONE = 16
MAX_WAITING = 256

Work = Callable[[], None]


class Full(Exception):
    """There is too much work."""


class Turns:
    """Waiting work by client. Each client has one turn before the first comes again."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[Hashable, deque[Work]] = OrderedDict()
        self.count = 0

    def put(self, client: Hashable, work: Work) -> None:
        if len(self.waiting.get(client, ())) >= MAX_OF_ONE or self.count >= MAX_WAITING:
            raise Full
        self.waiting.setdefault(client, deque()).append(work)
        self.count += 1

    def take(self) -> Work:
        client, queue = next(iter(self.waiting.items()))
        work = queue.popleft()
        self.count -= 1
        self.waiting.move_to_end(client)
        if not queue:
            del self.waiting[client]
        return work


class Pool:
    def __init__(self, workers: int = WORKERS) -> None:
        self.change = threading.Condition()
        self.familiar, self.others = Turns(), Turns()
        for _worker in range(workers):
            threading.Thread(target=self._work, daemon=True).start()

    def put(self, client: Hashable, work: Work, is_familiar: bool) -> None:
        """Raises Full."""
        with self.change:
            (self.familiar if is_familiar else self.others).put(client, work)
            self.change.notify()

    def _work(self) -> None:
        while True:
            with self.change:
                self.change.wait_for(lambda: self.familiar.count or self.others.count)
                work = (self.familiar if self.familiar.count else self.others).take()
            work()
