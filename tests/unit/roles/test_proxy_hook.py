# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's own authentication program: what it receives, and what its answers mean."""

from __future__ import annotations

import http.server
import pathlib
import shutil
import socket
import socketserver
import sys
import tempfile
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "roles/slurm_jwt_proxy/files"))

import hook


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append((self.path, dict(self.headers)))
        status, headers = self.server.reply
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(socketserver.UnixStreamServer):
    def get_request(self):
        return super().get_request()[0], ("here", 0)


@pytest.fixture
def site():
    # The role accepts only sockets below /run.
    folder = pathlib.Path(tempfile.mkdtemp(dir="/run", prefix="slurm-jwt-test-"))
    server = Server(str(folder / "who.socket"), Handler)
    server.requests = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join(20)
    server.server_close()
    shutil.rmtree(folder)


def settings(site, path="/who?x=1"):
    return hook.settings_of({"url": f"http://unix:{site.server_address}:{path}", "header": "X-Remote-User"})


def test_the_program_gets_the_credentials(site):
    site.reply = 200, [("X-Remote-User", "alice")]
    credentials = {"Authorization": "Basic eDp5", "Cookie": "", "X-Original-URI": "/slurm/v0.0.42/jobs"}
    assert hook.ask(settings(site), credentials) == hook.Answer(200, "alice")
    path, headers = site.requests[0]
    assert path == "/who?x=1"
    assert headers["Authorization"] == "Basic eDp5"
    assert headers["X-Original-URI"] == "/slurm/v0.0.42/jobs"
    assert "Cookie" not in headers


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ((204, [("x-remote-user", "alice")]), (200, "alice", "")),
        ((403, [("X-Remote-User", "alice")]), (403, "", "")),
        ((401, [("WWW-Authenticate", "Basic")]), (401, "", "Basic")),
        ((401, []), (401, "", "")),
    ],
)
def test_answers(site, reply, answer):
    site.reply = reply
    assert hook.ask(settings(site), {}) == answer


@pytest.mark.parametrize(
    "reply",
    [
        (200, []), (200, [("X-Remote-User", "alice"), ("X-Remote-User", "root")]), (302, [("X-Remote-User", "alice")]),
        (500, [("X-Remote-User", "alice")]), (404, []),
    ],
)
def test_ambiguous_answers(site, reply):
    site.reply = reply
    with pytest.raises(ValueError, match="the hook answers"):
        hook.ask(settings(site), {})


def test_no_answer():
    with pytest.raises(OSError):
        hook.ask(hook.settings_of({"url": "http://127.0.0.1:1/", "header": "X-Remote-User"}), {})


@pytest.mark.parametrize(
    "members",
    [
        {"url": "http://192.0.2.1/"}, {"url": "http://example.org/"}, {"url": "ftp://127.0.0.1/"}, {"url": ""},
        {"url": "http://127.0.0.1:8099/who"}, {"url": "http://localhost:1024/"}, {"url": "http://[::1]:65535/"},
        {"url": "http://unix:/tmp/who.socket:/who"}, {"url": "http://unix:/run/who.socket:/who"},
        {"url": "http://unix:/run/../tmp/who.socket:/"}, {"url": "http://unix:/run/who/who.socket"},
        {"url": "https://"}, {"url": "http://127.0.0.1:x/"}, {"header": ""}, {"more": 1},
    ],
)
def test_invalid_hooks(members):
    with pytest.raises(ValueError):
        hook.settings_of({"url": "https://example.org/who", "header": "X-Remote-User", **members})


def test_it_waits_for_a_program_with_a_full_queue():
    folder = pathlib.Path(tempfile.mkdtemp(dir="/run", prefix="slurm-jwt-test-"))
    path = str(folder / "who.socket")
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(0)
    waiting, accepted = [], []
    try:
        # The queue is full as soon as a connection has to wait.
        with pytest.raises(BlockingIOError):
            for _number in range(100):
                waiting.append(socket.socket(socket.AF_UNIX))
                waiting[-1].setblocking(False)
                waiting[-1].connect(path)

        def answer():
            time.sleep(0.3)
            # The last waiting connection was refused; this one takes its place.
            for _number in waiting:
                channel, _peer = server.accept()
                accepted.append(channel)
                channel.sendall(b"HTTP/1.1 200 OK\r\nX-Remote-User: alice\r\nContent-Length: 0\r\n\r\n")

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        asked = hook.settings_of({"url": f"http://unix:{path}:/", "header": "X-Remote-User"})
        assert hook.ask(asked, {}) == hook.Answer(200, "alice")
    finally:
        answering.join(20)
        for each in [server, *waiting, *accepted]:
            each.close()
        shutil.rmtree(folder)
