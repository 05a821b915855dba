# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user of the program at the other end of a connection within this host. Private to this collection.

Any user may listen on a port from 1024 on, also on that of slurmrestd while it restarts. So before a secret is sent to
such a port, its owner is checked. The kernel knows it: for a socket file by SO_PEERCRED (unix(7)), for TCP in
/proc/net/tcp (proc(5)), which lists both ends of a connection within this host, each with its owner.
"""

from __future__ import annotations

import ipaddress
import pwd
import socket
import struct
import time
from typing import Any, NamedTuple

_CREDENTIALS = struct.Struct("3i")


class PeerError(OSError):
    """The other end belongs to another user, or its owner is not known. Nothing was sent."""


class _Entry(NamedTuple):
    """A connection of this host, as /proc/net/tcp has it."""

    uid: int
    inode: int
    """0 until a program has accepted the connection."""


def expect(sock: socket.socket, user: str) -> None:
    """Raise PeerError unless the program at the other end runs as that user or as root.

    A connection to another host passes, since no user of this host has control there.
    """
    uid = uid_of(sock)
    if uid is None or uid == 0 or uid == _uid_named(user):
        return
    raise PeerError(
        f"{_written(sock)} belongs to {_name_of(uid)} and not to {user}, so no token was sent there. "
        f"Find the program with 'ss -lntxp', stop it, and start slurmrestd"
    )


def uid_of(sock: socket.socket) -> int | None:
    """The uid of the program at the other end; None if that is on another host."""
    if sock.family == socket.AF_UNIX:
        size = _CREDENTIALS.size
        return int(_CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1])
    here, there = sock.getsockname(), sock.getpeername()
    if here[0] != there[0] and not _is_loopback(there[0]):
        return None
    deadline = time.monotonic() + (sock.gettimeout() or 5)
    while True:
        entry = _entry_of(there, here, sock.family)
        if entry and entry.inode:
            return entry.uid
        if time.monotonic() > deadline:
            raise PeerError(f"no program accepts connections at {_written(sock)}, so its owner is not known")
        time.sleep(0.01)


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def _entry_of(local: tuple[Any, ...], remote: tuple[Any, ...], family: int) -> _Entry | None:
    """The entry of a connection, seen from its end at ``local``."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        expected = (_endpoint(local, table), _endpoint(remote, table))
        try:
            with open(table, encoding="ascii") as lines:
                for line in lines:
                    fields = line.split()
                    if tuple(fields[1:3]) == expected:
                        return _Entry(int(fields[7]), int(fields[9]))
        except OSError:
            continue
    return None


def _endpoint(address: tuple[Any, ...], table: str) -> str:
    """An address and port as the kernel writes them: words of 32 bits in the machine's order, in hex."""
    parsed = ipaddress.ip_address(address[0].partition("%")[0])
    if table.endswith("6") and parsed.version == 4:
        # A server on [::] has an IPv4 client in this form.
        parsed = ipaddress.ip_address(f"::ffff:{parsed}")
    words = struct.unpack(f"={len(parsed.packed) // 4}I", parsed.packed)
    text = "".join(f"{word:08X}" for word in words)
    return f"{text}:{address[1]:04X}"


def _written(sock: socket.socket) -> str:
    name = sock.getpeername()
    return f"unix:{name}" if sock.family == socket.AF_UNIX else f"{name[0]}:{name[1]}"


def _uid_named(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
