# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a process listens, according to the kernel (proc(5)), and whether that is as declared. Private to this
collection.

slurmrestd listens at the addresses of its command line and at those of SLURMRESTD_LISTEN, which four files may set. So
this module reads its sockets, not its settings.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import struct
from typing import Iterable, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.proc_net import LISTEN, rows

_ACCEPTS = 0x00010000
"""The flag __SO_ACCEPTCON in /proc/net/unix."""
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_ANY = ("", "*")


class AddressError(ValueError):
    """An address that slurmrestd does not accept. The text says what was given, and what to give."""


class OtherListener(NamedTuple):
    """An address at which another program listens."""

    listener: str
    pid: int
    """0 if the kernel does not say."""
    program: str
    uid: int


class Difference(NamedTuple):
    """Listeners that are not declared, and declared addresses without one."""

    extra: list[str]
    missing: list[str]


def of_process(pid: int, root: str = "/") -> list[str]:
    """Its listeners, as ``HOST:PORT``, ``[HOST]:PORT`` or ``unix:PATH``; none if the kernel does not say."""
    process = os.path.join(root, "proc", str(pid))
    own = _inodes(os.path.join(process, "fd"))
    found = [
        *(_address(fields[1]) for table in ("tcp", "tcp6") for fields in rows(os.path.join(process, "net", table))
          if fields[3] == LISTEN and fields[9] in own),
        *(f"unix:{fields[7]}" for fields in rows(os.path.join(process, "net", "unix"))
          if len(fields) > 7 and int(fields[3], 16) & _ACCEPTS and fields[6] in own),
    ]  # fmt: skip
    return sorted(dict.fromkeys(found))


def others(declared: Iterable[str], own: int, root: str = "/") -> list[OtherListener]:
    """Other programs that listen at declared addresses of slurmrestd. OWN is its process, 0 if none."""
    expected = [each for address in declared if not address.startswith("unix:") for each in allowed_by(address)]
    ours = _inodes(os.path.join(root, "proc", str(own), "fd")) if own else set()
    found = {}
    for table in ("tcp", "tcp6"):
        for fields in rows(os.path.join(root, "proc/net", table)):
            if fields[3] == LISTEN and fields[9] not in ours:
                listener = _address(fields[1])
                if any(_collide(listener, each) for each in expected):
                    found[listener] = OtherListener(listener, *_program_of(fields[9], root), int(fields[7]))
    return [found[listener] for listener in sorted(found)]


def _collide(one: str, other: str) -> bool:
    """Whether the kernel allows only one of two addresses. [::] includes the port of IPv4."""
    (host, port), (other_host, other_port) = one.rsplit(":", 1), other.rsplit(":", 1)
    hosts = {host, other_host}
    if port != other_port:
        return False
    return host == other_host or "[::]" in hosts or ("0.0.0.0" in hosts and not any("[" in each for each in hosts))


def _program_of(inode: str, root: str) -> tuple[int, str]:
    """The process that has a socket, and its name."""
    processes = os.path.join(root, "proc")
    for pid in filter(str.isdigit, os.listdir(processes)):
        if inode in _inodes(os.path.join(processes, pid, "fd")):
            try:
                with open(os.path.join(processes, pid, "comm"), encoding="utf-8", errors="replace") as file:
                    return int(pid), file.read().strip()
            except OSError:
                # The process has ended.
                continue
    return 0, ""


def _inodes(folder: str) -> set[str]:
    found: set[str] = set()
    try:
        names = os.listdir(folder)
    except OSError:
        return found
    for name in names:
        try:
            match = _SOCKET.fullmatch(os.readlink(os.path.join(folder, name)))
        except OSError:
            # The file was closed.
            continue
        if match:
            found.add(match[1])
    return found


def _address(text: str) -> str:
    """HOST:PORT, from what the kernel writes: words of 32 bits in the machine's order, in hex."""
    host, dummy_colon, port = text.partition(":")
    packed = b"".join(struct.pack("=I", int(host[at : at + 8], 16)) for at in range(0, len(host), 8))
    return _written(ipaddress.ip_address(packed), int(port, 16))


def _written(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def allowed_by(declared: str) -> set[str]:
    """The listeners that one declared address allows. A host name may have several."""
    if declared.startswith("unix:"):
        return {f"unix:{re.sub('^/var/run/', '/run/', declared[len('unix:'):])}"}
    host, colon, port = declared.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise AddressError(f"{declared!r} is not an address for slurmrestd. Give HOST:PORT or unix:PATH.")
    host = host.strip("[]")
    if host in _ANY:
        return {_written(ipaddress.ip_address(each), int(port)) for each in ("0.0.0.0", "::")}
    try:
        found = {str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError as exc:
        raise AddressError(f"{declared!r}: the name {host!r} does not resolve on this host ({exc.strerror}).") from exc
    return {_written(ipaddress.ip_address(each), int(port)) for each in found}


def compare(found: Iterable[str], declared: Iterable[str]) -> Difference:
    """Compare the listeners of a process with the declared addresses."""
    there = [re.sub("^unix:/var/run/", "unix:/run/", each) for each in found]
    allowed = {each: allowed_by(each) for each in declared}
    every = set().union(*allowed.values()) if allowed else set()
    return Difference(
        [each for each in there if each not in every],
        [each for each, listeners in allowed.items() if not listeners & set(there)],
    )
