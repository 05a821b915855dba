# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clients and slurmrestd say here is what those of 20.11.4, 22.05.8, 24.11.5 and 26.05.5 said."""

from __future__ import annotations

import base64
import datetime
import hmac
import http.server
import json
import socket
import socketserver
import ssl
import threading
import time

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import jwk, rs256
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof import explanation, probe, rest
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.cases import Answer, expected_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.rest import Rest
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.tokens import (
    ProofSigner,
    forge,
    mint,
    sign_with_public_half,
    without_tokens,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import client_reply
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client_reply import (
    ACCEPTED,
    REFUSED,
    UNASKED,
    UNCLEAR,
    UNREACHABLE,
    Reply,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import parse
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import split
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.refusals import refusals

KEY = bytes(range(32))
SIGNER = ProofSigner(KEY)
NOW = 1_795_420_800
CASES = ["good", "expired", "forged", "unsigned"]

INIT = (
    "sacctmgr: error: slurm_persist_conn_open: Something happened with the receiving/processing of the persistent "
    "connection init message to dbd1:6819: Failed to unpack SLURM_PERSIST_INIT message\n"
    "sacctmgr: error: Sending PersistInit msg: "
)


class TestMint:
    def test_each_differs_from_the_good_one_in_one_thing(self):
        tokens = mint("nobody", SIGNER, NOW, 300)
        assert list(tokens) == CASES
        refused = {case: refusals(token, KEY, parse("24.11"), NOW) for case, token in tokens.items()}
        assert refused["good"] == []
        assert [len(refused[case]) for case in CASES] == [0, 1, 1, 1]
        assert "expired 3600 s ago" in refused["expired"][0]
        assert "not signed by this key" in refused["forged"][0]
        assert "algorithm is 'none'" in refused["unsigned"][0]
        assert split(tokens["forged"]).claims == split(tokens["unsigned"]).claims == split(tokens["good"]).claims

    def test_the_retired_key_signs_a_token_that_is_good_otherwise(self):
        retired = bytes(reversed(KEY))
        tokens = mint("nobody", SIGNER, NOW, 300, retired)
        assert set(tokens) == {*CASES, "retired"}
        assert "not signed by this key" in refusals(tokens["retired"], KEY, parse("24.11"), NOW)[0]
        assert refusals(tokens["retired"], retired, parse("24.11"), NOW) == []
        assert split(tokens["retired"]).claims == split(tokens["good"]).claims

    def test_no_two_forgeries_are_alike(self):
        assert mint("nobody", SIGNER, NOW, 300)["forged"] != mint("nobody", SIGNER, NOW, 300)["forged"]


@pytest.fixture(scope="module")
def own():
    """A site's own RSA key, and its kid."""
    key = rs256.generate(2048)
    return key, rs256.public_jwk(key)["kid"]


class TestRs256:
    def test_the_local_signing_key_signs_good_tokens(self, own):
        key, kid = own
        tokens = mint("nobody", ProofSigner(key, kid), NOW, 300)
        assert refusals(tokens["good"], key, parse("24.11"), NOW, kid=kid) == []
        assert "expired 3600 s ago" in refusals(tokens["expired"], key, parse("24.11"), NOW, kid=kid)[0]

    def test_without_a_key_there_are_bad_ones_only(self):
        assert list(mint("nobody", None, NOW, 300)) == ["forged", "unsigned"]

    def test_forgeries_are_good_but_for_the_signature(self, own):
        key, kid = own
        trusted = jwk.from_members(rs256.public_jwk(key))
        tokens = forge("nobody", trusted, NOW, 300)
        assert list(tokens) == ["forged_kid", "unknown_kid", "confused"]
        assert [len(refusals(token, key, parse("24.11"), NOW, kid=kid)) for token in tokens.values()] == [1, 2, 1]
        assert "not signed by this key" in refusals(tokens["forged_kid"], key, parse("24.11"), NOW, kid=kid)[0]
        assert split(tokens["unknown_kid"]).header["kid"] != kid
        assert split(tokens["confused"]).header == {"alg": "HS256", "typ": "JWT", "kid": kid}

    def test_a_vulnerable_verifier_accepts_the_confused_token(self, own):
        key, _kid = own
        trusted = jwk.from_members(rs256.public_jwk(key))
        signed, _dot, signature = sign_with_public_half({"sun": "x"}, trusted).rpartition(".")
        secret = rs256.public_pem(trusted.n, trusted.e)
        wanted = base64.urlsafe_b64encode(hmac.new(secret, signed.encode(), "sha256").digest()).rstrip(b"=")
        assert signature.encode() == wanted


class TestWithoutAGoodToken:
    def answers(self, replies, cases):
        return probe.probe("slurmctld", "sdiag", ["own", *cases], lambda case: replies[case])

    def test_the_clusters_own_authentication_explains_a_closed_connection(self):
        closed = Reply(client_reply.CLOSED, "zero bytes")
        answers = self.answers({"own": Reply(ACCEPTED, ""), "forged": closed}, ["forged"])
        assert [(one.case, one.expected, one.answer) for one in answers] == [
            ("own", ACCEPTED, ACCEPTED), ("forged", REFUSED, REFUSED)
        ]  # fmt: skip

    def test_if_that_is_refused_nothing_is_proven(self):
        closed = Reply(client_reply.CLOSED, "zero bytes")
        answers = self.answers({"own": closed, "forged": closed}, ["forged"])
        assert "refused the cluster's own authentication" in explanation.explain(answers)

    def test_slurmrestd_counts_only_where_it_is_clear(self):
        replies = {"forged": Reply(REFUSED, "status 511"), "unsigned": Reply(UNCLEAR, "status 500: Unspecified error")}
        answers, vague = probe.probe_blindly("slurmrestd", "GET /x", list(replies), replies.__getitem__)
        assert [(one.case, one.answer) for one in answers] == [("forged", REFUSED)]
        assert vague == {"unsigned": "status 500: Unspecified error"}

    def test_slurmrestd_that_accepts_is_reported(self):
        answers, _vague = probe.probe_blindly("slurmrestd", "GET /x", ["forged"], lambda case: Reply(ACCEPTED, ""))
        assert answers[0].answer != answers[0].expected


class TestClients:
    @pytest.mark.parametrize(
        ("code", "errors", "kind", "detail"),
        [
            (0, "", ACCEPTED, ""),
            # slurmctld, a bad token, 24.11 and 26.05
            (255, "slurm_get_statistics: Protocol authentication error\n", REFUSED, "Protocol authentication error"),
            # slurmctld, a bad token, 20.11 and 22.05; without auth/jwt, 26.05 too
            (
                255,
                "slurm_get_statistics: Zero Bytes were transmitted or received\n",
                "closed",
                "Zero Bytes were transmitted or received",
            ),
            # slurmctld down
            (
                255,
                "slurm_get_statistics: Unable to contact slurm controller (connect failure)\n",
                UNREACHABLE,
                "Unable to contact slurm controller (connect failure)",
            ),
            # slurmdbd, a bad token: 24.11 and 26.05, then without auth/jwt, then 22.05
            (
                1,
                INIT + "Protocol authentication error\n",
                REFUSED,
                "Sending PersistInit msg: Protocol authentication error",
            ),
            (
                1,
                INIT + "Header lengths are longer than data received\n",
                REFUSED,
                "Sending PersistInit msg: Header lengths are longer than data received",
            ),
            (
                1,
                INIT + "No error\nsacctmgr: error: pack_msg: Invalid message version=6500, type:6500\n"
                "sacctmgr: error: auth_g_pack: protocol_version 6500 not supported\n"
                "sacctmgr: error: slurm_persist_conn_open: failed to send the init message to dbd1:6819\n"
                "sacctmgr: error: DBD_GET_CLUSTERS failure: Protocol authentication error\n Problem with query.\n",
                REFUSED,
                "DBD_GET_CLUSTERS failure: Protocol authentication error",
            ),
            # slurmdbd has a standby, which does not listen, 24.11: only good tokens before and after it tell the rest
            (
                1,
                INIT.replace("sacctmgr: error: Sending PersistInit msg: ", "")
                + "sacctmgr: error: _open_persist_conn: failed to open persistent connection to host:dbd2:6819: "
                "Connection refused\nsacctmgr: error: Sending PersistInit msg: Connection refused\n",
                "closed",
                INIT.splitlines()[0].partition("error: ")[2],
            ),
            # slurmdbd down: 24.11 and 26.05, then 20.11 and 22.05
            (
                1,
                "sacctmgr: error: _open_persist_conn: failed to open persistent connection to host:dbd1:6819: "
                "Connection refused\nsacctmgr: error: Sending PersistInit msg: Connection refused\n",
                UNREACHABLE,
                "Sending PersistInit msg: Connection refused",
            ),
            (
                1,
                "sacctmgr: error: slurm_persist_conn_open_without_init: failed to open persistent connection to "
                "host:dbd1:6819: Connection refused\nsacctmgr: error: Sending PersistInit msg: Connection refused\n",
                UNREACHABLE,
                "Sending PersistInit msg: Connection refused",
            ),
            (124, "", UNREACHABLE, "no answer within 7 s"),
            (137, "", UNREACHABLE, "no answer within 7 s"),
            (1, "", UNCLEAR, "exit code 1 and no word"),
            (1, "sdiag: error: never heard of\n", UNCLEAR, "sdiag: error: never heard of"),
        ],
    )
    def test_messages_of_clients(self, code, errors, kind, detail):
        assert client_reply.reply_of_client(code, "", errors, (124, 137), 7) == Reply(kind, detail)

    @pytest.mark.parametrize(
        "errors",
        [
            "sdiag: error: cannot create auth context for auth/jwt\nsdiag: fatal: failed to initialize auth plugin\n",
            "sdiag: error: cannot find auth plugin for auth/jwt\nsdiag: error: slurm_send_node_msg: g_slurm: "
            "REQUEST_STATS_INFO has authentication error: Operation now in progress\n",
            "sdiag: error: _parse_next_key: Parsing error at unrecognized key: Nonsense\n"
            "sdiag: fatal: Unable to process configuration file\n",
            "You are not running a supported accounting_storage plugin\nOnly 'accounting_storage/slurmdbd' is.\n",
        ],
    )
    def test_a_client_that_could_not_ask_proves_nothing(self, errors):
        assert client_reply.reply_of_client(1, "", errors, (124,), 7).kind == UNASKED

    def test_long_messages_are_shortened(self):
        assert len(client_reply.reply_of_client(1, "", "x" * 9999, (124,), 7).detail) < 310


class Daemon:
    """Answers what it is told to, in turn, and counts how often it is asked."""

    def __init__(self, **kinds: str) -> None:
        self.kinds = {case: kind.split() for case, kind in kinds.items()}
        self.asked: list[str] = []

    def __call__(self, case: str) -> Reply:
        self.asked.append(case)
        kinds = self.kinds.get(case, [REFUSED])
        return Reply(kinds.pop(0) if len(kinds) > 1 else kinds[0], "said so")

    def answers(self, cases=tuple(CASES), first=None):
        return {answer.case: answer.answer for answer in probe.probe("d", "x", cases, self, first)}


class TestPut:
    def test_clear_answers_are_taken_as_they_are(self):
        daemon = Daemon(good="accepted")
        assert daemon.answers() == {"good": ACCEPTED, "expired": REFUSED, "forged": REFUSED, "unsigned": REFUSED}
        assert daemon.asked == CASES

    @pytest.mark.parametrize("kind", ["closed", "unclear"])
    def test_between_two_good_tokens_an_unclear_answer_is_a_refusal(self, kind):
        daemon = Daemon(good="accepted", expired=kind, forged=kind, unsigned=kind)
        assert set(daemon.answers().values()) == {ACCEPTED, REFUSED}
        assert daemon.asked == [*CASES, "good"]

    @pytest.mark.parametrize("kind", ["closed", "unclear"])
    def test_a_daemon_that_died_of_it_did_not_refuse(self, kind):
        daemon = Daemon(good="accepted unreachable", expired=kind, forged="unreachable", unsigned="unreachable")
        assert daemon.answers() == {
            "good": ACCEPTED,
            "expired": UNREACHABLE,
            "forged": UNREACHABLE,
            "unsigned": UNREACHABLE,
        }

    def test_a_daemon_that_closes_and_keeps_running_refuses(self):
        daemon = Daemon(good="closed", expired="closed", forged="closed", unsigned="closed")
        assert set(daemon.answers().values()) == {REFUSED}

    def test_a_daemon_that_closes_and_stops_does_not(self):
        daemon = Daemon(good="closed unreachable", expired="unreachable", forged="unreachable", unsigned="unreachable")
        assert set(daemon.answers().values()) == {UNREACHABLE}

    def test_what_may_mean_either_stays_unclear(self):
        daemon = Daemon(good="unclear", expired="unclear", forged="unclear", unsigned="refused")
        assert daemon.answers() == {"good": UNCLEAR, "expired": UNCLEAR, "forged": UNCLEAR, "unsigned": REFUSED}

    def test_what_may_mean_either_is_not_cleared_up_by_a_refusal(self):
        assert Daemon(good="unclear refused", expired="unclear").answers()["expired"] == UNCLEAR

    def test_a_daemon_that_closes_after_it_accepted_is_not_believed(self):
        daemon = Daemon(good="accepted unclear", expired="closed")
        assert daemon.answers()["expired"] == UNCLEAR

    @pytest.mark.parametrize("kind", [UNREACHABLE, UNASKED])
    def test_who_does_not_answer_a_good_token_is_asked_once(self, kind):
        daemon = Daemon(good=kind)
        assert daemon.answers() == {"good": kind, "expired": UNASKED, "forged": UNASKED, "unsigned": UNASKED}
        assert daemon.asked == ["good"]

    def test_a_bad_token_that_is_accepted_is_reported(self):
        assert Daemon(good="accepted", forged="accepted").answers()["forged"] == ACCEPTED

    def test_a_first_answer_that_is_known_is_not_asked_for(self):
        daemon = Daemon()
        assert daemon.answers(first=Reply(ACCEPTED, ""))["good"] == ACCEPTED
        assert "good" not in daemon.asked


def body(*errors, **more):
    return json.dumps({"meta": {}, "errors": list(errors), **more}).encode()


class TestRest:
    @pytest.mark.parametrize(
        ("status", "content", "kind"),
        [
            (200, body(statistics={}), ACCEPTED),
            (200, body({"error": "Unspecified error", "errno": -1}), UNCLEAR),
            (200, b"<html>please log in</html>", UNCLEAR),
            (200, b'{"statistics": {}}', UNCLEAR),
            (200, b"{}", UNCLEAR),
            (200, b'{"errors": []}', UNCLEAR),
            (500, body(), UNCLEAR),
            (200, b"[" * 100_000, UNCLEAR),
            (302, b"", UNCLEAR),
            (401, b"Authentication failure", REFUSED),
            (511, body({"error": "Protocol authentication error", "error_number": 1007}), REFUSED),
            (500, body({"error": "Protocol authentication error", "source": "slurmdb_tres_get"}), REFUSED),
            (502, body({"description": "Failed to open slurmdbd connection, authentication error"}), REFUSED),
            (502, body({"error": "Unable to contact slurm controller (connect failure)"}), UNREACHABLE),
            # For a bad token and for a daemon that is down alike: 20.11, 22.05; 24.11 without auth/jwt, 26.05
            (500, body({"error": "Unspecified error", "errno": -1}), UNCLEAR),
            (502, body({"description": "Failed to open slurmdbd connection"}), UNCLEAR),
            (502, body({"error": "Zero Bytes were transmitted or received"}), "closed"),
            (404, b"Unable find requested URL.", UNCLEAR),
        ],
    )
    def test_answers_of_slurmrestd(self, status, content, kind):
        assert rest.reply_of_rest(status, content).kind == kind

    def test_the_message_is_in_the_detail(self):
        content = body({"description": "it failed", "error": "so"}, "junk", {"error": ""}, {"error": "and so"})
        assert rest.reply_of_rest(500, content).detail == "status 500: it failed; so; and so"
        assert (
            rest.reply_of_rest(401, b"Authentication\n failure\xff").detail
            == "status 401: Authentication failure\ufffd"
        )

    def test_the_headers(self):
        tokens = {"good": "g", "forged": "f"}
        assert rest.headers_of("none", tokens, "bob") == {}
        assert rest.headers_of("forged", tokens, "bob") == {"X-SLURM-USER-TOKEN": "f", "X-SLURM-USER-NAME": "bob"}
        assert rest.headers_of("foreign_name", tokens, "bob") == {
            "X-SLURM-USER-TOKEN": "g",
            "X-SLURM-USER-NAME": "root",
        }

    @pytest.mark.parametrize("url", ["", "localhost:6820", "ftp://x", "http://", "http://x:y", "http://[::1"])
    def test_what_is_no_address(self, url):
        with pytest.raises(TaskError, match="is not an address"):
            Rest(url, 1).get("/", {})


class TestEndpoints:
    @staticmethod
    def server(*versions):
        """A slurmrestd that knows these versions."""

        def ask(path: str) -> Reply:
            known = any(version in path for version in versions)
            return Reply(ACCEPTED, "") if known else rest.reply_of_rest(404, b"")

        return ask

    @pytest.mark.parametrize("release", [None, parse("24.11"), parse("22.05"), parse("99.11")])
    def test_the_newest_version_that_the_server_knows(self, release):
        ask = self.server("v0.0.41", "v0.0.42")
        assert rest.find_endpoint("slurmctld", ask, release).path == "/slurm/v0.0.42/diag"
        assert rest.find_endpoint("slurmdbd", ask, release).path == "/slurmdb/v0.0.42/clusters"

    def test_the_release_spares_requests(self):
        asked = []
        rest.find_endpoint("slurmctld", lambda path: asked.append(path) or Reply(ACCEPTED, ""), parse("23.02"))
        assert asked == ["/slurm/v0.0.39/diag"]

    def test_a_server_that_knows_none(self):
        endpoint = rest.find_endpoint("slurmdbd", self.server(), None)
        assert (endpoint.path, endpoint.first.kind) == ("/slurmdb/*/clusters", UNASKED)

    @pytest.mark.parametrize(
        ("version", "release", "skipped"),
        [
            ("v0.0.36", None, ["foreign_name"]),
            ("v0.0.36", "20.11.4", ["foreign_name"]),
            ("v0.0.36", "20.11.6", []),
            ("v0.0.38", None, []),
            ("v0.0.38", "22.05.8", []),
        ],
    )
    def test_the_request_that_crashes_an_old_slurmdbd_is_left_out(self, version, release, skipped):
        known = parse(release) if release else None
        assert list(rest.find_endpoint("slurmdbd", self.server(version), known).skipped) == skipped
        assert rest.find_endpoint("slurmctld", self.server(version), known).skipped == {}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = json.dumps({"path": self.path, "name": self.headers.get("X-SLURM-USER-NAME")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        pass


class _UnixServer(socketserver.UnixStreamServer):
    def get_request(self):
        request, _address = super().get_request()
        return request, ("local", 0)


@pytest.fixture(params=["http", "unix", "unix///"])
def served(request, tmp_path):
    """The address of a real server."""
    if request.param == "http":
        server = http.server.HTTPServer(("127.0.0.1", 0), _Handler)
        url = f"http://127.0.0.1:{server.server_port}/base/"
    else:
        server = _UnixServer(str(tmp_path / "s"), _Handler)
        url = f"unix:{'//' if '/' in request.param else ''}{tmp_path}/s"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def serve_tls(folder):
    """A server with a certificate of its own making: its address, and how to stop it."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(certificate.public_bytes(pem))
    no = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    server = http.server.HTTPServer(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def stop():
        server.shutdown()
        thread.join()
        server.server_close()

    return f"https://localhost:{server.server_port}", stop


class TestTransport:
    def test_a_request_over_each(self, served):
        status, content = Rest(served, 5).get("/slurm", {"X-SLURM-USER-NAME": "bob"})
        base = "/base" if served.startswith("http") else ""
        assert (status, json.loads(content)) == (200, {"path": f"{base}/slurm", "name": "bob"})

    def test_nobody_there(self, tmp_path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}", f"unix:{tmp_path}/none"):
            assert rest.ask_rest(Rest(url, 1), "/", {}).kind == UNREACHABLE

    def test_a_server_that_never_answers(self):
        begin = time.monotonic()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            reply = rest.ask_rest(Rest(f"http://127.0.0.1:{silent.getsockname()[1]}", 1), "/", {})
        assert time.monotonic() - begin < 20
        assert reply == Reply(UNREACHABLE, "timed out")

    def test_a_socket_that_never_answers(self, tmp_path):
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(str(tmp_path / "s"))
            silent.listen()
            assert rest.ask_rest(Rest(f"unix:{tmp_path}/s", 1), "/", {}) == Reply(UNREACHABLE, "timed out")

    def test_tls_is_checked_against_the_given_ca(self, tmp_path):
        url, stop = serve_tls(tmp_path)
        try:
            assert Rest(url, 5, str(tmp_path / "ca.pem")).get("/", {})[0] == 200
            assert "CERTIFICATE_VERIFY_FAILED" in rest.ask_rest(Rest(url, 5), "/", {}).detail
        finally:
            stop()

    def test_a_missing_ca_file(self):
        with pytest.raises(TaskError, match="rest_ca_path"):
            rest.ask_rest(Rest("https://localhost:1", 1, "/nonexistent"), "/", {})

    def test_plain_http_where_tls_is_expected(self, served):
        if served.startswith("http"):
            reply = rest.ask_rest(Rest(served.replace("http:", "https:"), 5), "/", {})
            assert reply.kind == UNASKED
            assert reply.detail.startswith("TLS: ")


def answer(daemon, case, got, detail="", asked="sdiag"):
    return Answer(daemon, asked, case, expected_of(case), got, detail)


class TestExplain:
    def test_no_explanation_for_a_proven_cluster(self):
        answers = [answer("slurmctld", "good", ACCEPTED), answer("slurmctld", "forged", REFUSED)]
        assert explanation.explain(answers) == ""

    @pytest.mark.parametrize(
        ("answers", "parts"),
        [
            (
                [
                    answer("slurmctld", "good", ACCEPTED),
                    answer("slurmdbd", "good", REFUSED, "no", "sacctmgr list cluster"),
                ],
                [
                    "slurmdbd (sacctmgr list cluster): a good token was refused: no.",
                    "slurmctld accepts the same token",
                    "restart it",
                    "slurmdbd.conf",
                ],
            ),
            ([answer("slurmctld", "good", REFUSED, "no")], ["scontrol reconfigure", "slurm.conf", "clocks"]),
            (
                [answer("slurmdbd", "good", REFUSED, "Header lengths are longer than data received")],
                ["It has not loaded auth/jwt", "slurmdbd.conf"],
            ),
            (
                [answer("slurmctld", "good", UNCLEAR, "what")],
                ["neither accepted nor clearly refused: what", "the log of"],
            ),
            (
                [answer("slurmctld", "good", UNREACHABLE, "down")],
                ["slurmctld (sdiag) does not answer: down", "running"],
            ),
            (
                [answer("slurmctld", "good", UNASKED, "cannot create auth context")],
                ["auth_jwt.so is missing on this host"],
            ),
            ([answer("slurmdbd", "good", UNASKED, "a supported accounting_storage plugin")], ["has no slurmdbd"]),
            ([answer("slurmctld", "good", UNASKED, "fatal: conf")], ["Fix that on this host first"]),
            (
                [answer("slurmrestd", "good", UNASKED, "none", "GET /slurmdb/*/clusters")],
                ["rest_slurmdb=false", "OpenAPI plugins for slurmdbd"],
            ),
            (
                [answer("slurmrestd", "good", REFUSED, "status 401: no", "GET /slurm/v/diag")],
                ["SLURM_JWT=daemon", "rest_auth/jwt"],
            ),
            (
                [answer("slurmrestd", "good", UNCLEAR, "status 502: Failed", "GET /slurmdb/v/clusters")],
                ["Is slurmdbd running"],
            ),
            (
                [answer("slurmrestd", "good", UNREACHABLE, "timed out", "GET /slurm/v/diag")],
                ["returns no answer from slurmctld", "Is slurmctld running?"],
            ),
            ([answer("slurmctld", "expired", ACCEPTED)], ["should refuse an expired token (was accepted)", "clock"]),
            ([answer("slurmctld", "forged", ACCEPTED)], ["signed with another key (was accepted)", "stop it"]),
            (
                [answer("slurmrestd", "foreign_name", ACCEPTED)],
                ["under the name of root (was accepted)", "a plain one"],
            ),
            ([answer("slurmctld", "forged", UNCLEAR, "what")], ["(was unclear: what)", "Run the proof again"]),
        ],
    )
    def test_daemon_case_and_remedy_are_named(self, answers, parts):
        text = explanation.explain(answers)
        for part in parts:
            assert part in text
        assert text.endswith((".", "?"))

    def test_a_slurmrestd_that_is_not_there_is_named_once(self):
        paths = ("GET /slurm/v/diag", "GET /slurmdb/v/clusters")
        answers = [answer("slurmrestd", "good", UNREACHABLE, "[Errno 111] Connection refused", path) for path in paths]
        assert explanation.explain(answers).count("does not answer") == 1

    def test_no_token_is_reported(self):
        told = without_tokens(answer("slurmctld", "good", UNCLEAR, "got a.b.c here"), {"good": "a.b.c", "x": ""})
        assert told.detail == "got <good token> here"
