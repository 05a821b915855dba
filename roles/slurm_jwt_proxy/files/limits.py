# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token buckets: how often something may happen at once, and how often from then on. Part of the verifier."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Callable

KEYS = 10000


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 whatever a single client can choose for itself, a /64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), 64), strict=False))


class Buckets:
    """A bucket for each key, of which the one that was untouched for the longest goes when there are too many."""

    def __init__(
        self, rate: float, most: float, clock: Callable[[], float] = time.monotonic, keys: int = KEYS
    ) -> None:
        self.rate = rate
        self.most = most
        self.clock = clock
        self.keys = keys
        self.known: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self.lock = threading.Lock()

    def passes(self, key: Hashable) -> bool:
        """Takes one, if there is one."""
        with self.lock:
            left = self._left(key)
            if left >= 1:
                self._set(key, left - 1)
            return left >= 1

    def wait(self, key: Hashable, for_tokens: float = 1) -> float:
        """Seconds until there are so many. 0: there are."""
        with self.lock:
            return max(0.0, (min(for_tokens, self.most) - self._left(key)) / self.rate)

    def take(self, key: Hashable) -> None:
        """Takes one, or what is left of it."""
        with self.lock:
            self._set(key, max(0.0, self._left(key) - 1))

    def give_back(self, key: Hashable) -> None:
        with self.lock:
            self._set(key, min(self.most, self._left(key) + 1))

    def _left(self, key: Hashable) -> float:
        left, then = self.known.get(key, (self.most, 0.0))
        return min(self.most, left + (self.clock() - then) * self.rate)

    def _set(self, key: Hashable, left: float) -> None:
        self.known[key] = (left, self.clock())
        self.known.move_to_end(key)
        if len(self.known) > self.keys:
            self.known.popitem(last=False)
