# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers what comes in on a socket: a thread for each connection, and one that waits for the next.

Each request of the proxy waits for this, and Apache opens a connection for each: threads that accept are four times as
quick as an event loop that hands over to threads. A slow answer makes nobody else wait.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from typing import BinaryIO, Callable, Iterator, NamedTuple

# Threads that wait when nothing comes in; the others end.
SPARE = 8
# Seconds that whoever has asked is still given an answer in, when the program is told to end.
PATIENCE = 10
# Seconds after which a process without a free file or thread tries again.
PAUSE = 0.05


class Protocol(NamedTuple):
    """How requests come in, and how one is answered."""

    requests: Callable[[BinaryIO], Iterator[bytes]]
    answer: Callable[[bytes], bytes]
    seconds: float | None
    """How long a client may be silent. None: as long as it likes."""


class Connections:
    def __init__(self, listener: socket.socket, protocol: Protocol) -> None:
        listener.setblocking(False)
        self.listener = listener
        self.protocol = protocol
        self.ended, self.end = os.pipe()
        # One thread at a time waits for a connection; the others wait for their turn.
        self.turn = threading.Lock()
        self.counting = threading.Lock()
        self.free = 0
        self.asked = 0

    def serve(self) -> None:
        """Answers until told to end; what waits in the socket then is for the program that comes next."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        self.free = 1
        self._start()
        signal.sigwait({signal.SIGTERM})
        os.close(self.end)
        # Whoever has asked gets an answer. A connection on which nobody asks ends without one.
        deadline = time.monotonic() + PATIENCE
        time.sleep(0.1)
        while self.asked and time.monotonic() < deadline:
            time.sleep(0.02)

    def _start(self) -> None:
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            connection = self._next()
            if connection is None:
                return
            with self.counting:
                last = self.free == 1
                if not last:
                    self.free -= 1
            if last:
                self._start_another()
            with connection:
                self._talk(connection)
            with self.counting:
                if self.free >= SPARE:
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
        with self.turn:
            while True:
                ready, _writable, _other = select.select([self.listener.fileno(), self.ended], [], [])
                if self.ended in ready:
                    return None
                try:
                    return self.listener.accept()[0]
                except (BlockingIOError, ConnectionError):
                    continue  # the client is gone again
                except OSError:
                    time.sleep(PAUSE)

    def _talk(self, connection: socket.socket) -> None:
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
