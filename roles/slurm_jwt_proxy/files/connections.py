# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers what comes in on a socket: a thread for each connection, and some that wait for the next.

Each request of the proxy waits for this, and Apache opens a connection for each: threads that accept are four times as
quick as an event loop that hands over to threads, and the kernel wakes one of them, where a lock or select() would wake
more. A slow answer makes nobody else wait.
"""

from __future__ import annotations

import signal
import socket
import struct
import threading
import time
from typing import BinaryIO, Callable, Iterator, NamedTuple

# Threads that wait when nothing comes in; the others end.
SPARE = 8
# Seconds that whoever has asked is still given an answer in, when the program is told to end.
PATIENCE = 10
# Seconds after which a process without a free file or thread tries again.
PAUSE = 0.05
# Seconds after which a thread that waits for a connection looks whether the end has come.
LOOK = 0.5


def wait_at_most(one: socket.socket, seconds: float) -> None:
    """Has the kernel end a wait for what comes in, which costs nothing while something does. 0: it waits for ever."""
    whole = int(seconds)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", whole, int((seconds - whole) * 1e6)))


class Protocol(NamedTuple):
    """How requests come in, and how one is answered."""

    requests: Callable[[BinaryIO], Iterator[bytes]]
    answer: Callable[[bytes], bytes]
    seconds: float | None
    """How long a client may be silent. None: as long as it likes."""


class Connections:
    def __init__(self, listener: socket.socket, protocol: Protocol) -> None:
        listener.setblocking(True)
        wait_at_most(listener, LOOK)
        self.listener = listener
        self.protocol = protocol
        self.ended = False
        self.counting = threading.Lock()
        self.free = 0
        self.asked = 0

    def serve(self) -> None:
        """Answers until told to end; what waits in the socket then is for the program that comes next."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        self.free = 1
        self._start()
        signal.sigwait({signal.SIGTERM})
        self.ended = True
        deadline = time.monotonic() + PATIENCE
        self._until(lambda: not self.free, deadline)
        # Whoever has asked gets an answer. A connection on which nobody asks ends without one.
        time.sleep(0.1)
        self._until(lambda: not self.asked, deadline)

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
        """In the place of the last that waited. Where no thread is to be had, the first that ends waits."""
        try:
            self._start()
        except RuntimeError:
            with self.counting:
                self.free -= 1

    def _next(self) -> socket.socket | None:
        """The next connection, or none: the end has come."""
        while not self.ended:
            try:
                return self.listener.accept()[0]
            except (BlockingIOError, ConnectionError):
                continue  # nobody came, or the client is gone again
            except OSError:
                time.sleep(PAUSE)
        return None

    def _talk(self, connection: socket.socket) -> None:
        wait_at_most(connection, 0)  # it has the listener's wait
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
            pass  # the client is gone, or was silent for too long

    def _count(self, more: int) -> None:
        with self.counting:
            self.asked += more
