# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token buckets: how often something may happen at once, and how often after that. Part of the verifier."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Callable

MAX_KEYS = 10000


def network_of(address: str) -> str:
    """What counts as one address: with IPv6 a /64, in which a client can choose its address freely."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))


class Buckets:
    """A bucket for each key. If there are too many, the one that was not used for the longest time is removed."""

    def __init__(
        self, rate: float, capacity: float, clock: Callable[[], float] = time.monotonic, max_keys: int = MAX_KEYS
    ) -> None:
        self.rate = rate
        self.capacity = capacity
        self.clock = clock
        self.max_keys = max_keys
        self.known: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self.lock = threading.Lock()

    def passes(self, key: Hashable) -> bool:
        """Takes a token, if there is one."""
        with self.lock:
            left = self._left(key)
            if left >= 1:
                self._set(key, left - 1)
            return left >= 1

    def wait(self, key: Hashable, for_tokens: float = 1) -> float:
        """Seconds until there are so many tokens. 0: there are enough."""
        with self.lock:
            return max(0.0, (min(for_tokens, self.capacity) - self._left(key)) / self.rate)

    def take(self, key: Hashable) -> None:
        """Takes a token, or what is left of it."""
        with self.lock:
            self._set(key, max(0.0, self._left(key) - 1))

    def give_back(self, key: Hashable) -> None:
        with self.lock:
            self._set(key, min(self.capacity, self._left(key) + 1))

    def _left(self, key: Hashable) -> float:
        left, since = self.known.get(key, (self.capacity, 0.0))
        return min(self.capacity, left + (self.clock() - since) * self.rate)

    def _set(self, key: Hashable, left: float) -> None:
        self.known[key] = (left, self.clock())
        self.known.move_to_end(key)
        if len(self.known) > self.max_keys:
            self.known.popitem(last=False)
