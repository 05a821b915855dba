# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP with one deadline for a whole request, even if the answer arrives slowly. Part of the verifier.

The timeout of a socket begins again with each byte.
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
    def __init__(self, timed: DeadlineSocket) -> None:
        self.timed = timed
        # Closed with the last reader, as http.client expects.
        self.stream: Any = timed.connected.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        self.timed.set_timeout()
        return self.stream.readinto(buffer)

    def close(self) -> None:
        self.stream.close()
        super().close()


class DeadlineSocket:
    """The methods of a socket that http.client uses."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self.connected = connected
        self.deadline = deadline

    def set_timeout(self) -> None:
        self.connected.settimeout(left_until(self.deadline))

    def makefile(self, _mode: str) -> BinaryIO:
        return io.BufferedReader(_Reader(self))

    def sendall(self, data: bytes) -> None:
        self.set_timeout()
        self.connected.sendall(data)

    def close(self) -> None:
        self.connected.close()


class Http(http.client.HTTPConnection):
    def __init__(self, host: str, deadline: float, **more: Any) -> None:
        super().__init__(host, **{**more, "timeout": left_until(deadline)})
        self.deadline = deadline

    def connect(self) -> None:
        super().connect()
        self.sock: Any = DeadlineSocket(self.sock, self.deadline)


class Unix(Http):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, deadline: float) -> None:
        super().__init__("localhost", deadline)
        self.path = path

    def connect(self) -> None:
        connected = socket.socket(socket.AF_UNIX)
        self.sock: Any = DeadlineSocket(connected, self.deadline)
        while True:
            self.sock.set_timeout()
            try:
                connected.connect(self.path)
                return
            except BlockingIOError:
                # Its queue is full. TCP would wait; a Unix socket fails at once.
                time.sleep(0.01)


class Https(Http, http.client.HTTPSConnection):
    """As Http. HTTPSConnection connects first, so the deadline applies to the encrypted socket."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):

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
    opener = urllib.request.build_opener(_Handler(deadline, context), _NoRedirects)
    with opener.open(url, timeout=left_until(deadline)) as answer:
        data: bytes = answer.read(largest + 1)
    if len(data) > largest:
        raise ValueError(f"it is larger than {largest} bytes")
    # http.client does not check the length.
    if answer.length:
        raise ValueError("it ends too early")
    return data
