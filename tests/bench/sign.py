# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens per second: sign.py KEY, with the collection in PYTHONPATH, on the host with the key.

Prints one JSON document: the best of many short rounds each, so that other work on the machine counts least.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Callable

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import claims_for, sign

MANY = 500
LOOP = 5
ROUNDS = 50


def rate(work: Callable[[], object], number: int) -> float:
    seconds = []
    for _round in range(ROUNDS):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return number / min(seconds)


def bare(key: bytes, text: bytes) -> None:
    for _number in range(MANY):
        hmac.new(key, text, hashlib.sha256).digest()


def signed(key: bytes, users: list[str]) -> None:
    now = time.time()
    for user in users:
        sign(claims_for(user, 3600, now), key)


def by_scontrol() -> None:
    for _number in range(LOOP):
        subprocess.run(["scontrol", "token", "username=alice"], stdout=subprocess.DEVNULL, check=True)


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        key = file.read()
    text = sign(claims_for("alice", 3600, time.time()), key).rpartition(".")[0].encode()
    users = [f"user{number}" for number in range(MANY)]
    print(json.dumps({
        "hmac": rate(lambda: bare(key, text), MANY),
        "sign": rate(lambda: signed(key, users), MANY),
        "scontrol": rate(by_scontrol, LOOP),
    }))


if __name__ == "__main__":
    main()
