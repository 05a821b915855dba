# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for slurmctld's metrics that verifies the tokens; the real one is in the lab."""

from __future__ import annotations

import http.server
import threading
import time

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import peer
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens import codec, refusals
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules import test_slurm_jwt_proof
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.test_slurm_jwt_proof import outcomes

site = test_slurm_jwt_proof.site
KEY = bytes(range(32, 64))
READER = "uucp"
GOOD = {"accepted": {"good"}, "refused": {"expired", "forged", "unsigned", "other_user", "of_cluster", "none"}}


class Metrics(http.server.BaseHTTPRequestHandler):
    """As 26.05.5 was seen to answer."""

    key, users, body = KEY, (READER,), b"slurm_jobs 7\n"

    def do_GET(self):
        self.server.seen.append(dict(self.headers))
        status = self.status(self.headers.get("Authorization", ""))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(self.body if status == 200 else b"Failed: Invalid authentication credential")

    def status(self, header):
        scheme, _blank, token = header.partition(" ")
        if scheme != "Bearer":
            return 401
        try:
            parts = codec.split(token)
        except codec.TokenError:
            return 401
        if parts.header.get("alg") != "HS256" or not codec.signed_by(token, self.key):
            return 401
        if refusals.expiry_refusals(parts.claims, time.time()):
            return 401
        return 200 if codec.user_of(parts.claims) in self.users else 403

    def log_message(self, *_args):
        pass


@pytest.fixture(name="metrics")
def _metrics(site):
    (site.folder / "metrics.key").write_bytes(KEY)
    (site.folder / "metrics.key").chmod(0o400)
    servers = []

    def serve(handler=Metrics, **options):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.seen = []
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        given = {"key_path": str(site.folder / "metrics.key"), "user": READER, **options.pop("openmetrics", {})}
        return site.run(openmetrics={"url": f"http://127.0.0.1:{server.server_port}", **given}, **options)

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def of_metrics(result):
    answers = {case: answer for (daemon, case), answer in outcomes(result).items() if daemon == "metrics"}
    return {word: {case for case in answers if answers[case] == word} for word in sorted(set(answers.values()))}


def test_a_cluster_as_it_should_be(metrics):
    result = metrics()
    assert result["proven"]
    assert of_metrics(result) == GOOD
    assert outcomes(result)["slurmctld", "of_metrics"] == "refused"
    assert ("slurmdbd", "of_metrics") not in outcomes(result)


def test_only_metrics(metrics):
    result = metrics(daemons=[])
    assert result["proven"]
    assert {answer["daemon"] for answer in result["answers"]} == {"metrics"}


def test_tokens_of_metrics_are_not_returned(metrics):
    result = metrics(return_tokens=True)
    assert set(result["tokens"]) == {"good", "expired", "forged", "unsigned"}


def test_a_key_before(metrics, site):
    (site.folder / "old.key").write_bytes(bytes(32))
    old = {"retired_key_path": str(site.folder / "old.key")}
    assert "retired" in of_metrics(metrics(openmetrics=old))["refused"]

    class StillOld(Metrics):
        key = bytes(32)

    result = metrics(StillOld, openmetrics=old)
    assert "a good token was refused: status 401" in result["msg"]
    assert "another key loaded" in result["msg"]


def test_another_key_than_expected(metrics):
    result = metrics(openmetrics={"fingerprint": "SHA256:" + "0" * 64})
    assert "Another key was put there" in result["msg"]


def test_a_key_that_is_missing(metrics):
    result = metrics(openmetrics={"key_path": "/no/such/key"})
    assert result["failed"]
    assert "openmetrics.key_path" in result["msg"]


def test_metrics_without_a_token(metrics):
    class Open(Metrics):
        def status(self, _header):
            return 200

    result = metrics(Open)
    assert "no token at all (was accepted)" in result["msg"]
    assert "Compare MetricsAuthUsers" in result["msg"]


@pytest.mark.parametrize("text", [b"\n", b"Connection: Close\r\n"])
def test_metrics_that_are_empty(metrics, text):
    class Empty(Metrics):
        body = text

    result = metrics(Empty)
    assert "status 200: without any metric" in result["msg"]


def test_a_user_who_may_not(metrics):
    class Others(Metrics):
        users = ("somebody",)

    result = metrics(Others)
    assert "MetricsAuthUsers does not have that user" in result["msg"]


def test_the_key_of_metrics_is_good_for_everything(metrics, site):
    site.client("sdiag", key=KEY)
    site.key.write_bytes(KEY)
    result = metrics(daemons=["slurmctld"])
    assert "a token of the key for metrics (was accepted)" in result["msg"]
    assert "Give metrics a key of its own" in result["msg"]


def test_another_program_listens_there(metrics, monkeypatch):
    # This process has the port, as any user.
    monkeypatch.setattr(peer, "uid_of", lambda _sock: 65000)
    result = metrics(openmetrics={"listener_user": "daemon"})
    assert "no token was sent there" in result["msg"]


def test_nobody_listens(site):
    options = {"key_path": str(site.folder / "metrics.key"), "user": READER, "url": "http://127.0.0.1:1"}
    (site.folder / "metrics.key").write_bytes(KEY)
    (site.folder / "metrics.key").chmod(0o400)
    result = site.run(openmetrics=options)
    assert "metrics (GET /metrics/jobs) does not answer" in result["msg"]
