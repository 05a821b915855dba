# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for sdiag, sacctmgr and slurmrestd that verify the tokens; the real programs are in the lab."""

from __future__ import annotations

import http.server
import json
import os
import sys
import threading
import time

import pytest
import yaml

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import parse
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens import codec, refusals
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_proof
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import run

KEY = bytes(range(32))

# A client that believes tokens of one key, and logs what it was given.
CLIENT = """#!{python} -S
import base64, hashlib, hmac, json, os, sys, time
with open({log!r}, "a") as log:
    log.write(json.dumps(dict(argv=sys.argv[1:], env=dict(os.environ))) + "\\n")
head, dot, signature = os.environ["SLURM_JWT"].rpartition(".")
digest = hmac.new({key!r}, head.encode(), hashlib.sha256).digest()
claims = head.split(".")[1]
claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
if base64.urlsafe_b64encode(digest).decode().rstrip("=") != signature or claims["exp"] < time.time():
    print({refusal!r} + {echo!r} * (" " + os.environ["SLURM_JWT"]), file=sys.stderr)
    sys.exit(255)
print("lab")
"""


class Site:
    """A folder with a key and client programs."""

    def __init__(self, folder):
        self.folder = folder
        self.key = folder / "jwt.key"
        self.key.write_bytes(KEY)
        self.log = folder / "log"
        self.client("sdiag")
        self.client("sacctmgr")

    def client(self, name, key=KEY, refusal="Protocol authentication error", echo=0, script=None):
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            script
            or CLIENT.format(python=sys.executable, log=str(self.log), key=key, refusal=f"{name}: {refusal}", echo=echo)
        )
        path.chmod(0o755)

    def run(self, prepare=lambda: None, **options):
        params = {"key_path": str(self.key), "bin_dir": str(self.folder / "bin"), "conf_path": str(self.folder / "c")}
        params.update(options)
        params = {name: value for name, value in params.items() if value is not None}
        result = run(slurm_jwt_proof, params, prepare=prepare)
        if not params.get("return_tokens"):
            assert "eyJ" not in result["everything"]
        return result

    def calls(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def outcomes(result):
    return {(one["daemon"], one["case"]): one["answer"] for one in result["answers"]}


class TestClients:
    def test_a_cluster_that_checks_tokens_is_proven(self, site):
        result = site.run()
        assert (result["proven"], result["changed"], result["user"], result["tokens"]) == (True, False, "nobody", {})
        assert outcomes(result) == {
            (daemon, case): "accepted" if case == "good" else "refused"
            for daemon in ("slurmctld", "slurmdbd")
            for case in ("good", "expired", "forged", "unsigned")
        }

    def test_the_results_and_options_are_the_documented_ones(self, site):
        documented = yaml.safe_load(slurm_jwt_proof.RETURN)
        result = site.run()
        assert set(documented) <= set(result)
        assert set(result["answers"][0]) == set(documented["answers"]["contains"])
        assert set(yaml.safe_load(slurm_jwt_proof.DOCUMENTATION)["options"]) == set(slurm_jwt_proof.ARGUMENTS)

    def test_the_result_does_not_look_like_a_skipped_task(self, site):
        assert not {"skipped", "failed", "rc", "warnings"} & set(site.run())

    def test_a_token_is_in_the_environment_and_nowhere_else(self, site):
        (site.folder / "c").write_text("")

        def pollute() -> None:
            os.environ.update(SLURM_JWT="mine", SLURM_CONF="/elsewhere", SLURM_CLUSTERS="other")

        site.run(prepare=pollute)
        calls = site.calls()
        assert len(calls) == 8
        for call in calls:
            assert "eyJ" not in " ".join(call["argv"])
            slurm = {name: value for name, value in call["env"].items() if name.startswith("SLURM_")}
            assert set(slurm) == {"SLURM_JWT", "SLURM_CONF"}
            assert slurm["SLURM_CONF"] == str(site.folder / "c")
        assert [call["argv"] for call in calls] == [[]] * 4 + [["-n", "-P", "list", "cluster", "format=cluster"]] * 4
        assert not [name for name in os.listdir(site.folder) if name not in ("jwt.key", "bin", "log", "c")]

    def test_only_what_is_asked_for(self, site):
        assert {daemon for daemon, _case in outcomes(site.run(daemons=["slurmdbd"]))} == {"slurmdbd"}

    def test_a_daemon_with_another_key(self, site):
        site.client("sacctmgr", key=b"the one before")
        result = site.run()
        assert result["failed"]
        assert "slurmdbd (sacctmgr list cluster): a good token was refused" in result["msg"]
        assert "slurmctld accepts the same token" in result["msg"]
        assert result["proven"] is False
        assert site.run(return_tokens=True)["tokens"] == {}
        quiet = site.run(fail_unproven=False)
        assert not quiet.get("failed")
        assert outcomes(quiet)["slurmdbd", "good"] == "refused"

    def test_a_daemon_that_accepts_everything(self, site):
        site.client("sdiag", script="#!/bin/sh\necho fine\n")
        message = site.run()["msg"]
        assert "slurmctld (sdiag) should refuse an expired token (was accepted), a token signed with" in message

    def test_old_releases_only_hang_up(self, site):
        site.client("sdiag", refusal="Zero Bytes were transmitted or received")
        result = site.run(daemons=["slurmctld"])
        assert result["proven"]
        assert len(site.calls()) == 5

    def test_a_daemon_that_is_down_is_asked_once_and_not_for_long(self, site):
        site.client("sdiag", script=f"#!/bin/sh\necho >> {site.log}\nexec sleep 30\n")
        begin = time.monotonic()
        result = site.run(timeout=1, daemons=["slurmctld"])
        assert time.monotonic() - begin < 5
        assert "does not answer: no answer within 1 s" in result["msg"]
        assert site.log.read_text() == "\n"

    def test_a_token_that_a_client_prints_is_hidden(self, site):
        site.client("sdiag", echo=1)
        assert "<forged token>" in site.run()["answers"][2]["detail"]

    def test_a_missing_program(self, site):
        (site.folder / "bin" / "sdiag").unlink()
        assert "The program sdiag is not in" in site.run()["msg"]


class TestTheKeyBefore:
    RETIRED = bytes(reversed(KEY))

    def keep(self, site, data=RETIRED):
        (site.folder / "jwt.key.previous").write_bytes(data)
        return {"retired_key_path": str(site.folder / "jwt.key.previous")}

    def test_must_not_sign_any_more(self, site):
        result = site.run(**self.keep(site))
        assert result["proven"] is True
        assert outcomes(result)["slurmctld", "retired"] == outcomes(result)["slurmdbd", "retired"] == "refused"

    @pytest.mark.parametrize("daemon", ["slurmctld", "slurmdbd"])
    def test_a_daemon_that_still_has_it_is_reported(self, site, daemon):
        site.client({"slurmctld": "sdiag", "slurmdbd": "sacctmgr"}[daemon], key=self.RETIRED)
        result = site.run(**self.keep(site), fail_unproven=False)
        assert result["proven"] is False
        assert outcomes(result)[daemon, "retired"] == "accepted"
        assert outcomes(result)[daemon, "good"] == "refused"

    def test_a_daemon_that_accepts_both_is_reported(self, site):
        """It accepts the good token, so this case is all that tells."""
        site.client("sdiag", script=f"#!/bin/sh\n{site.folder}/bin/old || {site.folder}/bin/new\n")
        site.client("old", key=self.RETIRED)
        site.client("new")
        result = site.run(**self.keep(site))
        assert "a token signed with a key that is no longer valid" in result["msg"]
        assert [one["case"] for one in result["answers"] if one["answer"] != one["expected"]] == ["retired"]
        assert site.run()["proven"] is True

    def test_is_left_out_where_there_is_none_or_it_is_in_force_again(self, site):
        without = set(outcomes(site.run()))
        assert set(outcomes(site.run(retired_key_path=str(site.folder / "jwt.key.previous")))) == without
        assert set(outcomes(site.run(**self.keep(site, KEY)))) == without

    def test_its_token_is_handed_over(self, site):
        made = site.run(daemons=[], return_tokens=True, **self.keep(site))
        assert set(made["tokens"]) == {"good", "expired", "forged", "unsigned", "retired"}
        result = site.run(key_path=None, tokens=made["tokens"])
        assert outcomes(result)["slurmctld", "retired"] == "refused"

    def test_wrong_options_are_named(self, site):
        result = site.run(retired_key_path="/nonexistent/key")
        assert "retired_key_path: The folder /nonexistent does not exist" in result["msg"]
        (site.folder / "jwt.key.previous").symlink_to("/etc/hostname")
        result = site.run(retired_key_path=str(site.folder / "jwt.key.previous"))
        assert "retired_key_path: " in result["msg"]
        assert "is a symbolic link" in result["msg"]


class TestTokens:
    def test_they_are_handed_over_to_a_host_without_the_key(self, site):
        made = site.run(daemons=[], return_tokens=True, lifespan="1h", user="daemon")
        assert (made["proven"], made["answers"]) == (False, [])
        assert set(made["tokens"]) == {"good", "expired", "forged", "unsigned"}
        claims = codec.split(made["tokens"]["good"]).claims
        assert (claims["sun"], claims["exp"] - claims["iat"]) == ("daemon", 3600)
        result = site.run(key_path=None, tokens=made["tokens"])
        assert (result["proven"], result["user"]) == (True, "daemon")

    def test_fewer_cases(self, site):
        good = site.run(daemons=[], return_tokens=True)["tokens"]["good"]
        assert list(outcomes(site.run(key_path=None, tokens={"good": good}, daemons=["slurmctld"]))) == [
            ("slurmctld", "good")
        ]

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"user": "nemo"}, "user: There is no user 'nemo'"),
            ({"user": "root"}, "user: A proof needs a plain user"),
            ({"lifespan": "1x"}, "lifespan: '1x' is not a duration"),
            ({"key_path": "/nonexistent/key"}, "key_path: The folder /nonexistent does not exist"),
            ({"key_path": None, "tokens": {}}, "tokens: there is none"),
            ({"jwks_path": "/nonexistent"}, "jwks_path: /nonexistent does not exist"),
            ({"sample_token": "x"}, "sample_token: This is not a token"),
            ({"key_path": None, "tokens": {"good": "x", "best": "y"}}, "tokens: unknown case best"),
            ({"key_path": None, "tokens": {"good": "x"}}, "tokens: good: This is not a token"),
            ({"key_path": None}, "one of the following is required: key_path, jwks_path, tokens"),
            ({"daemons": ["slurmrestd"]}, "rest_url is needed"),
            ({"daemons": ["slurmrestd"], "rest_url": "x"}, "'x' is not an address"),
            ({"daemons": ["slurmrestd"], "rest_url": "http://127.0.0.1:1", "release": "x"}, "release: 'x' names no"),
        ],
    )
    def test_wrong_options_are_named(self, site, options, text):
        result = site.run(**options)
        assert result["failed"]
        assert text in result["msg"]


class Slurmrestd(http.server.BaseHTTPRequestHandler):
    """One of 24.11, as far as a proof can see."""

    release = parse("24.11")
    key = KEY
    versions = ("v0.0.41", "v0.0.42")
    seen: list[str] = []

    def do_GET(self) -> None:
        self.seen.append(f"{self.path} {self.headers.get('X-SLURM-USER-NAME')}")
        token = self.headers.get("X-SLURM-USER-TOKEN")
        if token is None:
            self.answer(401, b"Authentication failure")
        elif not any(version in self.path for version in self.versions):
            self.answer(404, b"Unable find requested URL.")
        elif self.refuses(token) and self.path.startswith("/slurmdb"):
            self.answer(502, self.errors("Failed to open slurmdbd connection"))
        elif self.refuses(token):
            self.answer(511, self.errors("Protocol authentication error"))
        else:
            self.answer(200, self.errors())

    def refuses(self, token: str) -> bool:
        other = self.headers.get("X-SLURM-USER-NAME") != codec.user_of(codec.split(token).claims)
        return other or bool(refusals.refusals(token, self.key, self.release, time.time()))

    @staticmethod
    def errors(*texts: str) -> bytes:
        return json.dumps({"meta": {}, "errors": [{"error": text} for text in texts]}).encode()

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def rest(site):
    """Runs the module against a slurmrestd of a given kind."""
    servers = []

    def start(handler=Slurmrestd, **options):
        handler = type("Handler", (handler,), {"seen": []})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        options = {"daemons": ["slurmrestd"], "rest_url": f"http://127.0.0.1:{server.server_port}", **options}
        result = site.run(**options)
        result["seen"] = handler.seen
        return result

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


class TestRest:
    def test_a_slurmrestd_before_daemons_that_check(self, rest):
        result = rest()
        assert result["proven"], result["answers"]
        assert {one["asked"] for one in result["answers"]} == {
            "GET /slurm/v0.0.42/diag",
            "GET /slurmdb/v0.0.42/clusters",
        }
        assert [one["case"] for one in result["answers"]] == [
            "good", "expired", "forged", "unsigned", "foreign_name", "none",
        ] * 2  # fmt: skip
        assert result["left_out"] == []

    def test_knowing_the_release_spares_requests(self, rest):
        assert len(rest(release="24.11")["seen"]) < len(rest()["seen"])

    def test_without_slurmdbd(self, rest):
        assert len(rest(rest_slurmdb=False)["answers"]) == 6

    def test_a_request_that_crashes_an_old_slurmdbd_is_left_out(self, rest):
        class Old(Slurmrestd):
            release = parse("20.11.4")
            versions = ("v0.0.36",)

        result = rest(Old)
        assert result["proven"]
        assert [(one["case"], one["asked"]) for one in result["left_out"]] == [
            ("foreign_name", "GET /slurmdb/v0.0.36/clusters")
        ]
        assert "/slurm/v0.0.36/diag root" in result["seen"]
        assert "/slurmdb/v0.0.36/clusters root" not in result["seen"]

    def test_one_that_accepts_any_name(self, rest):
        class Gullible(Slurmrestd):
            def refuses(self, token: str) -> bool:
                return bool(refusals.refusals(token, KEY, self.release, time.time()))

        assert "a plain user's token under the name of root (was accepted)" in rest(Gullible)["msg"]

    def test_one_without_slurm_jwt_in_its_environment(self, rest):
        class Deaf(Slurmrestd):
            def do_GET(self) -> None:
                self.answer(401, b"Authentication failure")

        assert "It needs SLURM_JWT=daemon" in rest(Deaf)["msg"]

    def test_something_else(self, rest):
        class Page(Slurmrestd):
            def do_GET(self) -> None:
                self.answer(200, b"<html>Welcome to nginx!</html>")

        result = rest(Page)
        assert "neither accepted nor clearly refused: status 200: <html>Welcome" in result["msg"]

    def test_one_that_knows_no_path(self, rest):
        class Bare(Slurmrestd):
            versions = ()

        assert "set rest_slurmdb=false" in rest(Bare)["msg"]

    def test_nobody_there(self, site):
        result = site.run(daemons=["slurmrestd"], rest_url=f"unix:{site.folder}/none")
        assert result["msg"].count("slurmrestd does not answer") == 1
