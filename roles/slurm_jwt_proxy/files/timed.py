# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP with one deadline for all of it: however slowly an answer drips in, nobody waits longer. Part of the verifier.

A timeout of a socket is for each wait alone, and begins anew with each byte.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
import urllib.request
from typing import Any, BinaryIO, Callable


def left_until(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    return left


class _Reader(io.RawIOBase):
    def __init__(self, timed: Timed) -> None:
        self.timed = timed
        # Closed with the last that reads from it, as http.client wants it.
        self.stream: Any = timed.connected.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        self.timed.hurry()
        return self.stream.readinto(buffer)

    def close(self) -> None:
        self.stream.close()
        super().close()


class Timed:
    """What http.client wants of a socket."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self.connected = connected
        self.deadline = deadline

    def hurry(self) -> None:
        self.connected.settimeout(left_until(self.deadline))

    def makefile(self, _mode: str) -> BinaryIO:
        return io.BufferedReader(_Reader(self))

    def sendall(self, data: bytes) -> None:
        self.hurry()
        self.connected.sendall(data)

    def close(self) -> None:
        self.connected.close()


class Http(http.client.HTTPConnection):
    def __init__(self, host: str, deadline: float, **more: Any) -> None:
        super().__init__(host, **{**more, "timeout": left_until(deadline)})
        self.deadline = deadline

    def connect(self) -> None:
        super().connect()
        self.sock: Any = Timed(self.sock, self.deadline)


class Unix(Http):
    """HTTP at a socket of this host."""

    def __init__(self, path: str, deadline: float) -> None:
        super().__init__("localhost", deadline)
        self.path = path

    def connect(self) -> None:
        connected = socket.socket(socket.AF_UNIX)
        self.sock: Any = Timed(connected, self.deadline)
        while True:
            self.sock.hurry()
            try:
                connected.connect(self.path)
                return
            except BlockingIOError:
                # Too many wait there already. TCP would wait as well; a socket of this host says so at once.
                time.sleep(0.01)


class Https(Http, http.client.HTTPSConnection):
    """As Http, whose deadline is put around the encrypted socket: HTTPSConnection connects first."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Nobody is sent elsewhere."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class _Handler(urllib.request.HTTPSHandler):
    def __init__(self, deadline: float, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self.connection: Callable[..., Any] = lambda host, **more: Https(host, deadline, context=context, **more)

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self.connection, req)


def get(url: str, ca_file: str, deadline: float, largest: int) -> bytes:
    """A small document over HTTPS. Raises OSError, ValueError or HTTPException."""
    context = ssl.create_default_context(cafile=ca_file or None)
    opener = urllib.request.build_opener(_Handler(deadline, context), _Stay)
    with opener.open(url, timeout=left_until(deadline)) as answer:
        data: bytes = answer.read(largest + 1)
    if len(data) > largest:
        raise ValueError(f"it is larger than {largest} bytes")
    # http.client does not mind.
    if answer.length:
        raise ValueError("it ends too early")
    return data
