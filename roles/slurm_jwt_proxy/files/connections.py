# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves a socket: a thread for each connection, and some threads that wait for the next one.

Each request of the proxy waits for this program, and Apache opens a connection for each. Threads that call accept() are
four times as fast as an event loop that passes connections to threads. The kernel wakes only one of them; a lock or
select() would wake more. A slow answer delays nobody else.
"""

from __future__ import annotations

import signal
import socket
import struct
import threading
import time
from typing import BinaryIO, Callable, Iterator, NamedTuple

# Threads that wait for a connection; further ones end.
SPARE = 8
# Seconds to answer pending requests when the program has to stop.
STOP_SECONDS = 10
# Seconds until a retry if the process has no free file descriptor.
RETRY_SECONDS = 0.05
# Seconds after which a waiting thread checks whether the program has to stop.
POLL_SECONDS = 0.5


def wait_at_most(one: socket.socket, seconds: float) -> None:
    """Sets the kernel's timeout for incoming data, which costs nothing while data arrives. 0: no timeout."""
    whole = int(seconds)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", whole, int((seconds - whole) * 1e6)))


class Protocol(NamedTuple):
    """How to read requests, and how to answer one."""

    requests: Callable[[BinaryIO], Iterator[bytes]]
    answer: Callable[[bytes], bytes]
    seconds: float | None
    """Timeout of a connection. None: no timeout."""


class Connections:
    def __init__(self, listener: socket.socket, protocol: Protocol) -> None:
        listener.setblocking(True)
        wait_at_most(listener, POLL_SECONDS)
        self.listener = listener
        self.protocol = protocol
        self.ended = False
        self.counting = threading.Lock()
        self.free = 0
        self.pending = 0

    def serve(self) -> None:
        """Serves until SIGTERM. Connections that still wait in the socket are for the next process."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        self.free = 1
        self._start()
        signal.sigwait({signal.SIGTERM})
        self.ended = True
        deadline = time.monotonic() + STOP_SECONDS
        self._until(lambda: not self.free, deadline)
        # Pending requests are answered. A connection without a request is closed.
        time.sleep(0.1)
        self._until(lambda: not self.pending, deadline)

    @staticmethod
    def _until(done: Callable[[], bool], deadline: float) -> None:
        while not done() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _start(self) -> None:
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            connection = self._next()
            with self.counting:
                last = self.free == 1 and not self.ended
                if not last:
                    self.free -= 1
            if connection is None:
                return
            if last:
                self._start_another()
            with connection:
                self._talk(connection)
            with self.counting:
                if self.ended or self.free >= SPARE:
                    return
                self.free += 1

    def _start_another(self) -> None:
        """Replaces the last waiting thread. If no thread can be started, the next one that is done waits."""
        try:
            self._start()
        except RuntimeError:
            with self.counting:
                self.free -= 1

    def _next(self) -> socket.socket | None:
        """The next connection; None if the program has to stop."""
        while not self.ended:
            try:
                return self.listener.accept()[0]
            except (BlockingIOError, ConnectionError):
                continue  # a timeout, or the client has closed the connection
            except OSError:
                time.sleep(RETRY_SECONDS)
        return None

    def _talk(self, connection: socket.socket) -> None:
        wait_at_most(connection, 0)  # it has inherited the listener's timeout
        connection.settimeout(self.protocol.seconds)
        try:
            with connection.makefile("rb") as stream:
                for request in self.protocol.requests(stream):
                    self._count(1)
                    try:
                        connection.sendall(self.protocol.answer(request))
                    finally:
                        self._count(-1)
        except OSError:
            pass  # the client has closed the connection, or a timeout

    def _count(self, more: int) -> None:
        with self.counting:
            self.pending += more
