# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose program is at the other end: a real one, of a real other user."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import peer

OTHER = "nobody"
# Accepts each connection, but for the first when told so, and keeps them.
SERVER = """
import os, socket, sys, time
family, address, accepts, uid = sys.argv[1:]
os.setuid(int(uid))
server = socket.socket(getattr(socket, family))
server.bind(address if family == "AF_UNIX" else (address, 0))
server.listen()
print("" if family == "AF_UNIX" else server.getsockname()[1], flush=True)
kept = []
while accepts == "yes":
    kept.append(server.accept())
time.sleep(60)
"""


class Server:
    """A program of another user."""

    def __init__(self, family: str, address: str, accepts: str = "yes", user: str = OTHER) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, family, address, accepts, str(pwd.getpwnam(user).pw_uid)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        said = self.process.stdout.readline().strip()
        self.family = getattr(socket, family)
        self.address = address if family == "AF_UNIX" else (address, int(said))

    def connection(self) -> socket.socket:
        sock = socket.socket(self.family)
        sock.settimeout(1)
        sock.connect(self.address)
        return sock


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    started: list[Server] = []
    yield started
    for server in started:
        server.process.kill()
        server.process.communicate()


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a program of another user")


@root_only
@pytest.mark.parametrize(
    ("family", "address"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1"), ("AF_INET", "127.0.0.2")]
)
def test_a_port_of_another_user(servers: list[Server], family: str, address: str) -> None:
    servers.append(Server(family, address))
    with servers[0].connection() as sock:
        assert peer.uid_of(sock) == pwd.getpwnam(OTHER).pw_uid
        peer.expect(sock, OTHER)
        with pytest.raises(peer.PeerError, match=f"belongs to {OTHER} and not to daemon, so no token was sent"):
            peer.expect(sock, "daemon")
        with pytest.raises(peer.PeerError, match="and not to user-that-is-not-there"):
            peer.expect(sock, "user-that-is-not-there")


@root_only
def test_a_socket_of_another_user(servers: list[Server]) -> None:
    folder = Path("/run") / f"slurm-jwt-test-{os.getpid()}"
    folder.mkdir()
    try:
        os.chown(folder, pwd.getpwnam(OTHER).pw_uid, -1)
        servers.append(Server("AF_UNIX", str(folder / "x.socket")))
        with servers[0].connection() as sock:
            peer.expect(sock, OTHER)
            with pytest.raises(peer.PeerError, match=f"unix:{folder}/x.socket belongs to {OTHER} and not to daemon"):
                peer.expect(sock, "daemon")
    finally:
        (folder / "x.socket").unlink(missing_ok=True)
        folder.rmdir()


@root_only
def test_root_may_stand_in_for_anybody(servers: list[Server]) -> None:
    # systemd listens on behalf of those whom it starts on demand.
    servers.append(Server("AF_INET", "127.0.0.1", user="root"))
    with servers[0].connection() as sock:
        peer.expect(sock, OTHER)


@root_only
def test_a_connection_that_nobody_accepts_is_nobodys(servers: list[Server]) -> None:
    # Until it is accepted the kernel says that it is root's.
    servers.append(Server("AF_INET", "127.0.0.1", accepts="no"))
    begin = time.monotonic()
    with servers[0].connection() as sock, pytest.raises(peer.PeerError, match="no program accepts connections"):
        peer.expect(sock, OTHER)
    assert 0.9 < time.monotonic() - begin < 3
