# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threads that answer the proxy, in a process of their own: a line in, the same line out."""

from __future__ import annotations

import contextlib
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

FILES = pathlib.Path(__file__).parents[3] / "roles/slurm_jwt_proxy/files"

PROGRAM = """
import socket, sys, time
sys.path.insert(0, {files!r})
import connections

def lines(stream):
    while line := stream.readline():
        yield line

def answer(line):
    time.sleep(1 if line == b"slow\\n" else 0)
    return line

connections.Connections(socket.socket(fileno={listener}), connections.Protocol(lines, answer, {seconds})).serve()
"""


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@contextlib.contextmanager
def served(listener, seconds=None):
    text = PROGRAM.format(files=str(FILES), listener=listener.fileno(), seconds=seconds)
    process = subprocess.Popen([sys.executable, "-I", "-c", text], pass_fds=[listener.fileno()])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ask(client, line=b"quick\n"):
    client.sendall(line)
    return client.recv(100)


def client_of(listener):
    return socket.create_connection(listener.getsockname(), timeout=20)


def test_idle_and_slow_connections_do_not_delay_others(listener):
    with served(listener), contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(client_of(listener)) for _client in range(200)]
        for client in clients:
            assert ask(client) == b"quick\n"
        slow = clients[:100]
        begin = time.monotonic()
        for client in slow:
            client.sendall(b"slow\n")
        with client_of(listener) as one_more:
            assert ask(one_more) == b"quick\n"
        assert [client.recv(100) for client in slow] == [b"slow\n"] * 100
        assert time.monotonic() - begin < 20  # one after the other they would take 100


def test_open_requests_are_answered_at_shutdown(listener):
    with served(listener) as process, client_of(listener) as asking, client_of(listener) as idle:
        assert ask(asking) == ask(idle) == b"quick\n"
        asking.sendall(b"slow\n")
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert asking.recv(100) == b"slow\n"
        assert process.wait(10) == 0
        assert idle.recv(100) == b""


def test_connections_after_shutdown_wait_for_the_next_program(listener):
    with served(listener) as first, client_of(listener) as client:
        assert ask(client) == b"quick\n"
        first.send_signal(signal.SIGTERM)
        assert first.wait(10) == 0
    with client_of(listener) as late, served(listener):
        assert ask(late) == b"quick\n"


def test_restarts_leave_no_connection_without_an_answer(listener):
    """As Apache asks: a connection for each, at any moment of the one's end and the other's beginning."""
    answers = []
    over = threading.Event()

    def keep_asking():
        while not over.is_set():
            with client_of(listener) as client:
                answers.append(ask(client))

    askers = [threading.Thread(target=keep_asking) for _asker in range(4)]
    try:
        for asker in askers:
            asker.start()
        for _program in range(3):
            before = len(answers)
            with served(listener) as program:
                time.sleep(1)
                program.send_signal(signal.SIGTERM)
                assert program.wait(10) == 0
            assert len(answers) > before + 20
        with served(listener):
            over.set()
            for asker in askers:
                asker.join(20)
    finally:
        over.set()
    assert set(answers) == {b"quick\n"}


def test_a_silent_client_times_out(listener):
    with served(listener, 0.5), client_of(listener) as client:
        assert ask(client) == b"quick\n"
        begin = time.monotonic()
        assert client.recv(100) == b""
        assert time.monotonic() - begin >= 0.4


def test_a_client_that_disconnects_before_its_answer(listener):
    with served(listener):
        for _client in range(20):
            with client_of(listener) as rude:
                rude.sendall(b"quick\n" * 1000)
        with client_of(listener) as polite:
            assert ask(polite) == b"quick\n"


def test_it_recovers_from_too_many_open_files(listener):
    limited = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))\n"
    text = limited + PROGRAM.format(files=str(FILES), listener=listener.fileno(), seconds=None)
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", text], pass_fds=[listener.fileno()], stderr=subprocess.PIPE, text=True,
    )
    try:
        with contextlib.ExitStack() as open_ones:
            clients = [open_ones.enter_context(client_of(listener)) for _client in range(60)]
            assert [ask(client) for client in clients[:10]] == [b"quick\n"] * 10
            time.sleep(0.5)
        with client_of(listener) as idle, client_of(listener) as client:
            assert ask(idle) == ask(client) == b"quick\n"
        process.send_signal(signal.SIGTERM)
        # A thread that dies would be one less, each time.
        assert process.communicate(timeout=20)[1] == ""
    finally:
        process.kill()
