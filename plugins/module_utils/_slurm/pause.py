# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets new connections to a port wait while its daemon restarts. Private to this collection.

Slurm's clients do not try again when slurmdbd refuses a connection: a restart of a tenth of a second fails every
``sacct`` that falls into it. TCP does try again, one second later, when it hears nothing. So the first packets of new
connections are dropped until the daemon listens; connections that stand are left alone. Slurm's clients give up
after two seconds (TCPTimeout), so a hold is of use for about one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Callable

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import readiness

Run = Callable[["Sequence[str]"], "tuple[int, str, str]"]

TABLE = "slurm_jwt_pause"
# The kernel forgets nothing by itself: systemd takes the table away if whoever made it was killed.
DEADLINE = 10

# A connection that is older than this is one that stays, such as slurmctld's to slurmdbd.
_SHORT_LIVED = 2.0
# How long requests that are under way when the hold begins may take to their end. TCP tries again after one second, so
# little of that can be spent here.
_DRAIN = 0.4

# States of a socket, as the kernel writes them.
_ESTABLISHED, _LISTEN = "01", "0A"


def restart(run: Run, nft: str, port: int, act: Callable[[], None], dead: Callable[[], bool]) -> bool:
    """Call act(), which restarts the daemon that listens on a port, while new connections are held back.

    dead() says whether the daemon will not come up. Returns whether connections could be held back.
    """
    lasting = connections(port, _tables())
    time.sleep(_SHORT_LIVED)
    held = begin(run, nft, port)
    try:
        if held:
            _until(lambda: not connections(port, _tables()) - lasting, _DRAIN)
        act()
        if held:
            _until(lambda: listens(port, _tables()) or dead(), DEADLINE / 2)
    finally:
        if held:
            forget(run, nft)
    return held


def _tables() -> list[str]:
    return [readiness.read(path) for path in ("/proc/net/tcp", "/proc/net/tcp6")]


def _until(seen: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not seen() and time.monotonic() < end:
        time.sleep(0.01)


def begin(run: Run, nft: str, port: int) -> bool:
    """Hold new connections to a port of this host back; False where nftables are of no use here."""
    forget(run, nft)
    rc, dummy_out, dummy_err = run(
        ["systemd-run", "--quiet", "--collect", "--unit", TABLE, "--on-active", str(DEADLINE), nft, *_DELETE]
    )
    if rc != 0:
        return False
    rules = (
        f"add table inet {TABLE}; "
        f"add chain inet {TABLE} hold {{ type filter hook input priority -300; }}; "
        f"add rule inet {TABLE} hold tcp dport {port} tcp flags & (syn|ack) == syn drop"
    )
    rc, dummy_out, dummy_err = run([nft, rules])
    if rc != 0:
        forget(run, nft)
    return rc == 0


_DELETE = ("delete", "table", "inet", TABLE)


def forget(run: Run, nft: str) -> None:
    """Let connections in again. Harmless where nothing is held."""
    run([nft, *_DELETE])
    run(["systemctl", "stop", TABLE + ".timer"])


def listens(port: int, tables: Sequence[str]) -> bool:
    """Whether a socket listens on a port, by the texts of ``/proc/net/tcp`` and ``/proc/net/tcp6``."""
    return bool(_peers(port, _LISTEN, tables))


def connections(port: int, tables: Sequence[str]) -> set[str]:
    """The peers that have a connection to a port of this host."""
    return _peers(port, _ESTABLISHED, tables)


def _peers(port: int, state: str, tables: Sequence[str]) -> set[str]:
    ours = f":{port:04X}"
    lines = [line.split() for text in tables for line in text.splitlines()[1:]]
    return {fields[2] for fields in lines if len(fields) > 3 and fields[1].endswith(ours) and fields[3] == state}
