# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of wrong passwords, by name and by address. Part of the verifier; see verifier.py.

An address may send a number of them for all names, and a few for each name. If many addresses try one name, each gets
one attempt in a while. Nobody can lock a user out: the first attempt from the user's own address is
always checked. From an address where a user has logged in recently, only attempts with that user's name count.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from typing import Callable

from errors import TooMany
from limits import MAX_KEYS, Buckets, network_of

# Seconds until one more attempt: from an address, for a name from an address, for a name from everywhere.
ADDRESS_SECONDS = 10.0
PAIR_SECONDS = 60.0
NAME_SECONDS = 30.0
AT_ONCE_FROM_ONE_ADDRESS = 10
AT_ONCE_FOR_A_NAME = 50
# How long a login makes an address familiar.
FAMILIAR_SECONDS = 24 * 3600.0


class Attempts:
    def __init__(self, failures: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.by_address = Buckets(1 / ADDRESS_SECONDS, failures, clock)
        self.by_pair = Buckets(1 / PAIR_SECONDS, min(failures, AT_ONCE_FROM_ONE_ADDRESS), clock)
        self.by_name = Buckets(1 / NAME_SECONDS, AT_ONCE_FOR_A_NAME, clock)
        self.familiar: OrderedDict[tuple[str, str], float] = OrderedDict()
        self.lock = threading.Lock()

    def begin(self, name: str, address: str) -> bool:
        """Counts an attempt as a failure, and returns whether the address is familiar. Raises TooMany."""
        address = network_of(address)
        pair = (name, address)
        with self.lock:
            is_familiar = self.clock() < self.familiar.get(pair, 0.0)
            # A second attempt from another address has to wait while a name is tried from many.
            needed = self.by_pair.capacity if self.by_name.wait(name) and not is_familiar else 1
            seconds = max(self.by_pair.wait(pair, needed), 0.0 if is_familiar else self.by_address.wait(address))
            if seconds > 0:
                raise TooMany(f"too many wrong passwords from {address}, or for one name", math.ceil(seconds))
            self.by_pair.take(pair)
            if not is_familiar:
                self.by_address.take(address)
                self.by_name.take(name)
            return is_familiar

    def undo(self, name: str, address: str, is_familiar: bool) -> None:
        """Takes back an attempt that was not a failure."""
        address = network_of(address)
        self.by_pair.give_back((name, address))
        if not is_familiar:
            self.by_address.give_back(address)
            self.by_name.give_back(name)

    def succeeded(self, name: str, address: str) -> None:
        pair = (name, network_of(address))
        with self.lock:
            self.familiar[pair] = self.clock() + FAMILIAR_SECONDS
            self.familiar.move_to_end(pair)
            if len(self.familiar) > MAX_KEYS:
                self.familiar.popitem(last=False)
