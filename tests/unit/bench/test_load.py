# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load generator counts what failed, hides nothing, and keeps its rate."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

LOAD = Path(__file__).parents[2] / "bench" / "load.py"


class Rest:
    """Stands in for slurmrestd: does to each call what answer says, which takes path and token."""

    def __init__(self) -> None:
        self.answer = lambda path, token: (200, b'{"errors": []}')
        self.calls: list[tuple[str, str]] = []
        rest = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_words: object) -> None:
                pass

            def do_GET(self) -> None:
                token = self.headers["X-SLURM-USER-TOKEN"]
                rest.calls.append((self.path, token))
                status, body = rest.answer(self.path, token)
                if status is None:
                    # The connection ends without an answer, which for the client is a reset.
                    return
                self.send_response(status)
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):
                    self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def rest():
    rest = Rest()
    yield rest
    rest.server.shutdown()
    rest.server.server_close()


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("old\n")
    return path


def start(url, token_file, *words):
    command = [sys.executable, LOAD, f"--url={url}", "--version=v0.0.42", "--user=alice", f"--token-file={token_file}"]
    return subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True)


def told(load):
    return json.loads(load.communicate(timeout=30)[0])


def test_good_requests(rest, token_file):
    seen = told(start(rest.url, token_file, "--seconds=1", "--rate=10"))
    assert (seen["requests"], seen["failed"], seen["failures"]) == (10, 0, [])
    assert sorted(rest.calls) == [("/slurm/v0.0.42/diag", "old")] * 10 + [("/slurmdb/v0.0.42/clusters", "old")] * 10


def test_errors_in_a_200_are_failures(rest, token_file):
    bodies = {"slurm": b'{"errors": []}', "slurmdb": b'{"errors": [{"error": "no"}]}'}
    rest.answer = lambda path, token: (200, bodies[path.split("/")[1]])
    seen = told(start(rest.url, token_file, "--seconds=0.5", "--rate=10"))
    assert (seen["failed"], seen["kinds"]) == (5, {"errors in a 200": 5})
    assert {failure["call"] for failure in seen["failures"]} == {"/slurmdb/v0.0.42/clusters"}
    assert seen["window_seconds"] == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("status", [401, 500, 502, 511])
def test_a_second_read_is_told(rest, token_file, status):
    """The token is another one by the time that the old one is refused."""
    newer = token_file.with_name("newer")
    newer.write_text("new\n")

    def answer(path, token):
        if token == "old":
            if newer.exists():
                os.replace(newer, token_file)
            return status, b'{"errors": [{"error": "no"}]}'
        return 200, b'{"errors": []}'

    rest.answer = answer
    seen = told(start(rest.url, token_file, "--seconds=0.5", "--rate=10"))
    assert (seen["failed"], seen["caught_by_a_second_read"]) == (0, 1)
    assert rest.calls[:2] == [("/slurm/v0.0.42/diag", "old"), ("/slurm/v0.0.42/diag", "new")]


def test_the_same_token_is_not_tried_again(rest, token_file):
    rest.answer = lambda path, token: (401, b"no")
    seen = told(start(rest.url, token_file, "--seconds=0.5", "--rate=10"))
    assert (seen["failed"], seen["kinds"], len(rest.calls)) == (5, {"status 401": 5}, 10)


@pytest.mark.parametrize(("every", "failed", "resets", "calls"), [(2, 0, 9, 19), (1, 5, 0, 20)])
def test_a_reset_connection_is_tried_once_more_and_told(rest, token_file, every, failed, resets, calls):
    rest.answer = lambda path, token: (None, b"") if len(rest.calls) % every == 0 else (200, b'{"errors": []}')
    seen = told(start(rest.url, token_file, "--seconds=0.5", "--rate=10"))
    assert (seen["failed"], seen["resets"], len(rest.calls)) == (failed, resets, calls)


def test_a_refused_connection_fails(token_file):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    seen = told(start(f"http://127.0.0.1:{port}", token_file, "--seconds=0.3", "--rate=10"))
    assert (seen["failed"], seen["kinds"]) == (3, {"connection": 3})


def test_no_token_file(rest, tmp_path):
    seen = told(start(rest.url, tmp_path / "none", "--seconds=0.3", "--rate=10"))
    assert (seen["failed"], seen["kinds"], rest.calls) == (3, {"token file": 3}, [])


def test_slow_answers_do_not_slow_it_down(rest, token_file):
    rest.answer = lambda path, token: (time.sleep(1), (200, b'{"errors": []}'))[1]
    seen = told(start(rest.url, token_file, "--seconds=1", "--rate=20", "--timeout=0.5"))
    assert (seen["requests"], seen["failed"], seen["kinds"]) == (20, 20, {"timeout": 20})
    assert seen["latency_ms"]["p50"] >= 1000


def test_sigterm_ends_it_with_its_report(rest, token_file):
    load = start(rest.url, token_file, "--rate=10")
    while len(rest.calls) < 4:
        time.sleep(0.05)
    load.send_signal(signal.SIGTERM)
    assert told(load)["failed"] == 0
    assert load.returncode == 0
