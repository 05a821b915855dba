# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a daemon is up and answers. Private to this collection.

A started unit is not a running daemon. With ``Type=simple``, as most Slurm units have it, ``systemctl start`` succeeds
even if the daemon dies of its configuration a moment later.
"""

from __future__ import annotations

import socket
from typing import Callable, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.units import Unit


def port(address: str | None) -> int | None:
    """The TCP port of an address; None for a socket file or no address."""
    number = (address or "").rpartition(":")[2]
    return int(number) if number.isdigit() and not (address or "").startswith("unix:") else None


def answers(address: str, timeout: float = 1.0) -> bool:
    """Whether something accepts a connection at ``unix:PATH``, ``HOST:PORT`` or ``:PORT`` (any of this host's)."""
    if address.startswith("unix:"):
        return _connects(socket.AF_UNIX, address[len("unix:"):], timeout)
    host, sep, port = address.rpartition(":")
    if not sep or not port.isdigit():
        raise ValueError(f"{address!r} is neither HOST:PORT nor unix:PATH")
    # A daemon may listen on one address of the host only (NoCtldInAddrAny, DbdAddr).
    hosts = [host.strip("[]")] if host else ["127.0.0.1", "::1", socket.gethostname()]
    return any(_connects_tcp(each, int(port), timeout) for each in hosts)


def _connects_tcp(host: str, port: int, timeout: float) -> bool:
    wildcard = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}
    try:
        socket.create_connection((wildcard.get(host, host), port), timeout).close()
    except OSError:
        return False
    return True


def _connects(family: int, address: str, timeout: float) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True


class WaitResult(NamedTuple):
    """How the wait for a daemon ended."""

    alive: bool
    unit: Unit
    seconds: float
    reason: str
    """Why it does not count as alive; empty if it does."""


def wait(
    read_unit: Callable[[], Unit],
    address: str | None,
    timeout: float,
    settle: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    connects: Callable[[str], bool] = answers,
) -> WaitResult:
    """Wait until a daemon is up, answers and has stayed the same process for ``settle`` seconds.

    It also ends when the unit is dead, or after ``timeout`` seconds.
    """
    begin = clock()
    steady_since: float | None = None
    steady_pid = 0
    while True:
        unit, now = read_unit(), clock()
        if unit.dead:
            return WaitResult(False, unit, now - begin, f"the unit is {unit.active or unit.load} ({unit.result})")
        up = unit.active == "active" and unit.pid > 0
        reached = up and (address is None or connects(address))
        if not reached:
            steady_since = None
        elif steady_since is None or unit.pid != steady_pid:
            steady_since, steady_pid = now, unit.pid
        if steady_since is not None and now - steady_since >= settle:
            return WaitResult(True, unit, now - begin, "")
        if now - begin >= timeout:
            what = f"nothing answers at {address}" if up else f"the unit is {unit.active} ({unit.sub})"
            return WaitResult(False, unit, now - begin, what)
        sleep(0.1)
