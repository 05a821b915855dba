# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks passwords. Part of the verifier; see verifier.py.

bcrypt is slow on purpose, so a few threads do it, once for all requests with the same password at the same time. A
correct password is remembered for some seconds: not the password, but a digest with a key that no other process has.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time
from collections import OrderedDict
from typing import Callable, Mapping

from attempts import Attempts
from errors import TooMany, log
from limits import network_of
from pool import Full, Pool

MAX_REMEMBERED = 10000
# Seconds that a request waits for its answer. The server waits for ten.
ANSWER_SECONDS = 5.0

Matches = Callable[[bytes, str], bool]
Hashes = Callable[[], Mapping[str, str]]


class Check:
    """One check of a password, for all requests with it."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.right: bool | None = None
        """None: unknown."""


class Passwords:
    def __init__(
        self, hashes: Hashes, matches: Matches, attempts: Attempts, seconds: float,
        clock: Callable[[], float] = time.monotonic, pool: Pool | None = None,
    ) -> None:
        self.hashes = hashes
        self.matches = matches
        self.attempts = attempts
        self.seconds = seconds
        self.clock = clock
        self.pool = pool or Pool()
        self.key = os.urandom(32)
        self.lock = threading.Lock()
        self.right: OrderedDict[bytes, float] = OrderedDict()
        """Digests of correct passwords, and until when they are remembered."""
        self.checks: dict[bytes, Check] = {}

    def is_right(self, name: str, password: bytes, address: str) -> bool:
        """Raises TooMany if the password is not checked, or not in time."""
        hashes = self.hashes()
        stored = hashes.get(name) or decoy(name, hashes)
        text = b"\0".join((name.encode("ascii"), stored.encode("ascii"), password))
        digest = hmac.new(self.key, text, hashlib.sha256).digest()
        if not self._is_remembered(digest):
            check = self._begin(digest, name, password, address, stored if name in hashes else "", stored)
            if not check.over.wait(ANSWER_SECONDS) or check.right is None:
                raise TooMany("too many passwords to check", 1)
            if not check.right:
                return False
        self.attempts.succeeded(name, address)
        return True

    def _is_remembered(self, digest: bytes) -> bool:
        with self.lock:
            return self.clock() < self.right.get(digest, 0.0)

    def _begin(self, digest: bytes, name: str, password: bytes, address: str, real: str, stored: str) -> Check:
        with self.lock:
            if digest in self.checks:
                return self.checks[digest]
            is_familiar = self.attempts.begin(name, address)
            check = Check()

            def work() -> None:
                try:
                    # An unknown name takes as long as a known one.
                    check.right = self.matches(password, stored) and bool(real)
                except Exception as error:
                    log(f"a password could not be checked: {error!r}")
                if check.right is not False:
                    self.attempts.undo(name, address, is_familiar)
                self._end(digest, check)

            try:
                self.pool.put(network_of(address), work, is_familiar)
            except Full:
                self.attempts.undo(name, address, is_familiar)
                raise TooMany("too many passwords to check", 1) from None
            self.checks[digest] = check
            return check

    def _end(self, digest: bytes, check: Check) -> None:
        with self.lock:
            if check.right and self.seconds > 0:
                self.right[digest] = self.clock() + self.seconds
                self.right.move_to_end(digest)
                if len(self.right) > MAX_REMEMBERED:
                    self.right.popitem(last=False)
            del self.checks[digest]
        check.over.set()


def decoy(name: str, hashes: Mapping[str, str]) -> str:
    """A hash to check an unknown name against: always the same one for a name, with a cost that users have."""
    every = sorted(hashes.values())
    secret = hashlib.sha256("\n".join(every).encode("ascii")).digest()
    chosen = int.from_bytes(hmac.new(secret, name.encode("ascii"), hashlib.sha256).digest()[:8], "big")
    return every[chosen % len(every)]
