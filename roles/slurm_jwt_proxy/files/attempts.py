# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many wrong passwords are taken, of whom and from where. Part of the verifier; see verifier.py.

An address may send so many, whosever they are; and a few for each name. A name that is tried from many addresses gets
no more than one attempt from each in a while: nobody can lock a user out, as the first attempt from an address of the
user's own is always looked at. Where they have come in lately, only what was tried from there with their name counts.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from typing import Callable

from errors import TooMany
from limits import KEYS, Buckets, network_of

# Seconds after which one more is taken: from an address, for a name from an address, for a name from everywhere.
ADDRESS_SECONDS = 10.0
PAIR_SECONDS = 60.0
NAME_SECONDS = 30.0
AT_ONCE_FROM_ONE_ADDRESS = 10
AT_ONCE_FOR_A_NAME = 50
# How long somebody is known to come from an address.
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
        """Counts an attempt as if it failed, and tells whether it comes from where its user does. Raises TooMany."""
        address = network_of(address)
        pair = (name, address)
        with self.lock:
            known = self.clock() < self.familiar.get(pair, 0.0)
            # A stranger's second attempt for a name has to wait as long as others try many.
            wanted = self.by_pair.most if self.by_name.wait(name) and not known else 1
            seconds = max(self.by_pair.wait(pair, wanted), 0.0 if known else self.by_address.wait(address))
            if seconds > 0:
                raise TooMany(f"too many wrong passwords from {address}, or for one name", math.ceil(seconds))
            self.by_pair.take(pair)
            if not known:
                self.by_address.take(address)
                self.by_name.take(name)
            return known

    def undo(self, name: str, address: str, known: bool) -> None:
        """It was not a failure."""
        address = network_of(address)
        self.by_pair.give_back((name, address))
        if not known:
            self.by_address.give_back(address)
            self.by_name.give_back(name)

    def succeeded(self, name: str, address: str) -> None:
        pair = (name, network_of(address))
        with self.lock:
            self.familiar[pair] = self.clock() + FAMILIAR_SECONDS
            self.familiar.move_to_end(pair)
            if len(self.familiar) > KEYS:
                self.familiar.popitem(last=False)
