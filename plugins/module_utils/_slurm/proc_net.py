# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's tables of sockets, proc(5). Private to this collection."""

from __future__ import annotations

ESTABLISHED, LISTEN = "01", "0A"
"""States of a TCP socket."""


def rows(path: str) -> list[list[str]]:
    """The fields of each line of a table such as /proc/net/tcp, without its heading; none where it is missing."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as table:
            return [line.split() for line in table.readlines()[1:]]
    except OSError:
        return []
