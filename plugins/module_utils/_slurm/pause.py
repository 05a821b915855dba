# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pauses new connections to a port while its daemon restarts. Private to this collection.

Slurm's clients do not try again when slurmdbd refuses a connection: a restart of a tenth of a second fails every
``sacct`` that falls into it. TCP does try again, one second later, when it gets no answer. So the first packets of new
connections are dropped until the daemon listens; existing connections go on. Slurm's clients give up after two seconds
(TCPTimeout), so a pause helps for about one.
"""

from __future__ import annotations

import time
from typing import Callable

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import transient_timer
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.proc_net import ESTABLISHED, LISTEN, rows
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.transient_timer import Run

TABLE = "slurm_jwt_pause"
# Rules of the kernel do not expire: systemd removes the table if this process is killed.
DEADLINE = 10

# A connection that is older than this is a lasting one, such as slurmctld's to slurmdbd.
_SHORT_LIVED = 2.0
# Seconds for requests that are under way when the pause begins. TCP tries again after one second, so little of that can
# be spent here.
_DRAIN = 0.4

_DELETE = ("delete", "table", "inet", TABLE)


def restart(run: Run, nft: str, port: int, act: Callable[[], None], dead: Callable[[], bool]) -> bool:
    """Call act(), which restarts the daemon that listens on a port, while new connections are paused.

    dead() says whether the daemon will not come up. Returns whether connections could be paused.
    """
    lasting = connections(port)
    time.sleep(_SHORT_LIVED)
    paused = begin(run, nft, port)
    try:
        if paused:
            _wait_until(lambda: not connections(port) - lasting, _DRAIN)
        act()
        if paused:
            _wait_until(lambda: listens(port) or dead(), DEADLINE / 2)
    finally:
        if paused:
            end(run, nft)
    return paused


def _wait_until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def begin(run: Run, nft: str, port: int) -> bool:
    """Drop new connections to a port of this host; False if nftables cannot."""
    end(run, nft)
    rc, dummy_err = transient_timer.begin(run, TABLE, DEADLINE, [nft, *_DELETE])
    if rc != 0:
        return False
    rules = (
        f"add table inet {TABLE}; "
        f"add chain inet {TABLE} pause {{ type filter hook input priority -300; }}; "
        f"add rule inet {TABLE} pause tcp dport {port} tcp flags & (syn|ack) == syn drop"
    )
    rc, dummy_out, dummy_err = run([nft, rules])
    if rc != 0:
        end(run, nft)
    return rc == 0


def end(run: Run, nft: str) -> None:
    """Let connections in again. Harmless where nothing is paused."""
    run([nft, *_DELETE])
    transient_timer.end(run, TABLE)


def listens(port: int) -> bool:
    """Whether a socket listens on a port."""
    return bool(_peers(port, LISTEN))


def connections(port: int) -> set[str]:
    """The peers that have a connection to a port of this host."""
    return _peers(port, ESTABLISHED)


def _peers(port: int, state: str) -> set[str]:
    local = f":{port:04X}"
    lines = rows("/proc/net/tcp") + rows("/proc/net/tcp6")
    return {fields[2] for fields in lines if len(fields) > 3 and fields[1].endswith(local) and fields[3] == state}
