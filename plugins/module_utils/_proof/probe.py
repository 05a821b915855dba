# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells from what running daemons answer to good and bad tokens whether they check them. Private to this collection.

A proof must not pretend. What a client prints for a refused token is, on some releases, just what it prints for a
daemon that is down: slurmctld up to 24.05 closes the connection without a word, slurmrestd up to 22.05 says
"Unspecified error" for both, slurmrestd 26.05 "Failed to open slurmdbd connection". Such an answer counts as a refusal
only if a good token was accepted, by the same way, both before it and after it. Where nothing on the cluster can sign a
good one, because all keys are an identity provider's, the cluster's own authentication (munge) stands in for it with
Slurm's clients; of slurmrestd such an answer then means nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import socket
import ssl
from typing import Any, Callable, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import MIN_BITS, Jwk
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rs256 import generate, public_jwk, public_pem
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import peer
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client_reply import (
    ACCEPTED,
    CLIENTS,
    CLOSED,
    HUNG_UP,
    NO,
    NO_ANSWER,
    REFUSED,
    UNASKED,
    UNCLEAR,
    UNREACHABLE,
    Reply,
    shortened,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, has, rest_versions
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import split, user_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import claims_for, sign

CASES = {
    "good": "a good token",
    "expired": "an expired token",
    "forged": "a token signed with another key",
    "unsigned": "a token without a signature (alg none)",
    "retired": "a token signed with a key that counts no more",
    "sample": "the site's sample token",
    "forged_kid": "an RS256 token with the kid of a trusted key, signed with another",
    "unknown_kid": "an RS256 token of a key that is not trusted",
    "confused": "an HS256 token whose secret is a trusted public key",
    "own": "no token, but the cluster's own authentication",
    "foreign_name": "a plain user's token under the name of root",
    "none": "no token at all",
}
MINTED = ("good", "expired", "forged", "unsigned", "retired", "forged_kid", "unknown_kid", "confused")
TAKEN = ("good", "sample", "own")
"""What a daemon should accept. The first of them that there is tells what its other answers mean."""

_NOT_LOADED = ("header lengths are longer",)

_LARGEST = 16 * 1024 * 1024


class ProofError(Exception):
    """The proof cannot begin. The text says what is wrong with what was asked for."""


class Answer(NamedTuple):
    """What a daemon does with one kind of token, and what it should do."""

    daemon: str
    asked: str
    case: str
    expected: str
    answer: str
    detail: str


Ask = Callable[[str], Reply]

_NO_SUCH_PATH = Reply(UNCLEAR, "status 404: it does not know this path")


class Signer(NamedTuple):
    """What the site's tokens are signed with."""

    key: bytes
    kid: str | None = None
    """What Slurm knows an RSA key as; None for a key of HS256."""

    def sign(self, claims: dict[str, Any]) -> str:
        return sign(claims, self.key, "RS256" if self.kid else "HS256", self.kid)


def mint(
    user: str, signer: Signer | None, now: float, lifespan: int, retired: bytes | None = None
) -> dict[str, str]:
    """A good token for the user, and bad ones that differ from it in one thing each; only bad ones without a signer."""
    claims = claims_for(user, lifespan, now)
    tokens = {"retired": sign(claims, retired)} if retired else {}
    if signer is not None:
        tokens.update(good=signer.sign(claims), expired=signer.sign(claims_for(user, 3600, now - 7200)))
    return {**tokens, "forged": sign(claims, os.urandom(32)), "unsigned": sign(claims, b"", "none")}


def forge(user: str, trusted: Jwk, now: float, lifespan: int) -> dict[str, str]:
    """Tokens of somebody who knows the trusted keys, as everybody may, and has none of their private halves."""
    claims = claims_for(user, lifespan, now)
    own = generate(MIN_BITS)
    return {
        "forged_kid": sign(claims, own, "RS256", trusted.kid),
        "unknown_kid": sign(claims, own, "RS256", public_jwk(own)["kid"]),
        "confused": sign_with_public_half(claims, trusted),
    }


def sign_with_public_half(claims: dict[str, Any], trusted: Jwk) -> str:
    """What a verifier accepts that lets the token choose how its key is to be used."""
    public = public_pem(trusted.n, trusted.e)
    header = {"alg": "HS256", "typ": "JWT", "kid": trusted.kid}
    signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{_encode(hmac.new(public, signed.encode(), hashlib.sha256).digest())}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# -- one daemon, by one way --------------------------------------------------------------------------------------------


def put(daemon: str, asked: str, cases: list[str], ask: Ask, first: Reply | None = None) -> list[Answer]:
    """Ask a daemon about each case, a good one first, and again at the end if an answer is to be understood by it.

    first is its answer to that one, if it is known already.
    """
    taken = next(case for case in TAKEN if case in cases)
    first = first or ask(taken)
    replies = {taken: first}
    for case in cases:
        if case == taken:
            continue
        hopeless = first.kind in (UNREACHABLE, UNASKED)
        replies[case] = Reply(UNASKED, "after that, it was not asked any more") if hopeless else ask(case)
    if any(reply.kind in (CLOSED, UNCLEAR) for reply in replies.values()):
        last = ask(taken)
        replies = {case: _settled(reply, first, last) for case, reply in replies.items()}
    return [Answer(daemon, asked, case, expected_of(case), *replies[case]) for case in cases]


def expected_of(case: str) -> str:
    return ACCEPTED if case in TAKEN else REFUSED


def put_blindly(daemon: str, asked: str, cases: list[str], ask: Ask) -> tuple[list[Answer], dict[str, str]]:
    """Ask about bad tokens where there is no good one: the answers, and those that nobody can understand."""
    replies = {case: ask(case) for case in cases}
    vague = {case: reply.detail for case, reply in replies.items() if reply.kind in (CLOSED, UNCLEAR)}
    answers = [Answer(daemon, asked, case, REFUSED, *reply) for case, reply in replies.items() if case not in vague]
    return answers, vague


def _settled(reply: Reply, first: Reply, last: Reply) -> Reply:
    """What an answer that can mean two things does mean, seen between two good tokens."""
    if reply.kind not in (CLOSED, UNCLEAR):
        return reply
    if first.kind == last.kind == ACCEPTED:
        return Reply(REFUSED, reply.detail)
    if last.kind == UNREACHABLE:
        return Reply(UNREACHABLE, f"{reply.detail}; soon after that: {last.detail}")
    # It took one more connection after it closed this one, so it lives.
    if reply.kind == CLOSED and last.kind in (CLOSED, REFUSED):
        return Reply(REFUSED, reply.detail)
    return Reply(UNCLEAR, reply.detail)


# -- slurmrestd --------------------------------------------------------------------------------------------------------


class Rest(NamedTuple):
    """Where slurmrestd, or a proxy before it, listens: http://HOST:PORT, https://HOST:PORT or unix:PATH."""

    url: str
    timeout: int
    ca_path: str | None = None
    user: str | None = None
    """Whose program has to be there, if it is on this host. None: that is not looked at."""

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body; OSError or HTTPException if there is no answer."""
        connection, base = self._connection()
        try:
            connection.connect()
            if self.user and not self.url.startswith("https:"):
                peer.expect(connection.sock, self.user)
            connection.request("GET", base + path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(_LARGEST)
        finally:
            connection.close()

    def _connection(self) -> tuple[http.client.HTTPConnection, str]:
        if self.url.startswith("unix:"):
            path = "/" + self.url[len("unix:") :].lstrip("/")
            return _UnixConnection(path, self.timeout), ""
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port
        except ValueError as exc:
            raise ProofError(f"{self.url!r} is no address: {exc}.") from exc
        if parts.scheme not in ("http", "https") or not host:
            raise ProofError(f"{self.url!r} is no address. Give http://HOST:PORT, https://HOST:PORT or unix:PATH.")
        base = parts.path.rstrip("/")
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self.timeout), base
        try:
            context = ssl.create_default_context(cafile=self.ca_path)
        except OSError as exc:
            raise ProofError(f"rest_ca_path: {self.ca_path} cannot be used: {exc}.") from exc
        return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=context), base


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: int) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def headers_of(case: str, tokens: dict[str, str], user: str | None) -> dict[str, str]:
    """The headers that present a case. Up to 22.05 slurmrestd wants both, later ones do not mind."""
    if case == "none":
        return {}
    if case == "foreign_name":
        return {"X-SLURM-USER-TOKEN": tokens["good"], "X-SLURM-USER-NAME": "root"}
    if case == "sample":
        user = user_of(split(tokens[case]).claims)
    named = {"X-SLURM-USER-NAME": user} if user else {}
    return {"X-SLURM-USER-TOKEN": tokens[case], **named}


def ask_rest(rest: Rest, path: str, headers: dict[str, str]) -> Reply:
    """One request, and what its answer means."""
    try:
        status, body = rest.get(path, headers)
    except ssl.SSLError as exc:
        return Reply(UNASKED, f"TLS: {exc}")
    except (OSError, http.client.HTTPException) as exc:
        return Reply(UNREACHABLE, str(exc) or type(exc).__name__)
    return reply_of_rest(status, body)


def reply_of_rest(status: int, body: bytes) -> Reply:
    """What slurmrestd's status and body mean. Many of its answers fit a refusal and a daemon that is down."""
    if status == 404:
        return _NO_SUCH_PATH
    try:
        content = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        content = None
    if status == 200 and isinstance(content, dict) and content.get("errors") == [] and "meta" in content:
        return Reply(ACCEPTED, "")
    said = f"status {status}: {_errors_in(content) or shortened(' '.join(body.decode('utf-8', 'replace').split()))}"
    if status in (401, 403, 511):
        return Reply(REFUSED, said)
    low = said.lower()
    if any(text in low for text in NO):
        return Reply(REFUSED, said)
    if any(text in low for text in NO_ANSWER):
        return Reply(UNREACHABLE, said)
    return Reply(CLOSED if any(text in low for text in HUNG_UP) else UNCLEAR, said)


def _errors_in(content: Any) -> str:
    errors = content.get("errors") if isinstance(content, dict) else None
    texts = []
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            texts += [str(error[name]) for name in ("description", "error") if error.get(name)]
    return shortened("; ".join(texts))


class Endpoint(NamedTuple):
    """Something to ask of slurmrestd."""

    path: str
    skipped: dict[str, str]
    """Cases that must not be asked of it, and why."""
    first: Reply
    """What it said to a good token."""


def find_endpoint(behind: str, ask: Ask, release: Release | None) -> Endpoint:
    """The path of the newest API version that this slurmrestd serves for slurmctld or slurmdbd. ask takes a path."""
    pattern = {"slurmctld": "/slurm/{}/diag", "slurmdbd": "/slurmdb/{}/clusters"}[behind]
    for version in candidates(release, behind == "slurmdbd"):
        path = pattern.format(version)
        first = ask(path)
        if first != _NO_SUCH_PATH:
            return Endpoint(path, _dangers(behind, version, release), first)
    return Endpoint(pattern.format("*"), {}, Reply(UNASKED, "it knows this path in no version"))


def candidates(release: Release | None, slurmdb: bool) -> list[str]:
    """API versions to try: those of the release first, if it is known, then all, the newest first."""
    newest = rest_versions(Release(99, 0), slurmdb)[-1]
    known = [f"v0.0.{number}" for number in range(int(newest.rpartition(".")[2]), 34, -1)]
    first = rest_versions(release, slurmdb)[::-1] if release else []
    return first + [version for version in known if version not in first]


def _dangers(behind: str, version: str, release: Release | None) -> dict[str, str]:
    """Cases not to ask for: one of them kills slurmdbd before 20.11.6, which serves nothing newer than v0.0.36."""
    safe = version not in ("v0.0.35", "v0.0.36") if release is None else has(release, "name_override_safe_in_slurmdbd")
    if behind == "slurmctld" or safe:
        return {}
    return {"foreign_name": "This request kills slurmdbd of Slurm before 20.11.6, which this may be."}


# -- the sum -----------------------------------------------------------------------------------------------------------


def without_tokens(answer: Answer, tokens: dict[str, str]) -> Answer:
    """The answer without any token that somebody echoed."""
    return answer._replace(detail=hide_tokens(answer.detail, tokens))


def hide_tokens(text: str, tokens: dict[str, str]) -> str:
    """The text without them."""
    for case, token in tokens.items():
        if token:
            text = text.replace(token, f"<{case} token>")
    return text


def explain(answers: list[Answer]) -> str:
    """In sentences for a person: what was not as it should be, and what to do."""
    found = []
    for daemon, asked in dict.fromkeys((answer.daemon, answer.asked) for answer in answers):
        wrong = [one for one in answers if (one.daemon, one.asked) == (daemon, asked) and one.answer != one.expected]
        if wrong:
            found.append(_verdict(wrong, answers))
    return " ".join(dict.fromkeys(found))


def _verdict(wrong: list[Answer], answers: list[Answer]) -> str:
    """What is wrong with one daemon, asked by one way."""
    first = wrong[0]
    who = f"{first.daemon} ({first.asked})"
    if first.answer == UNASKED:
        return f"{who} could not be asked: {first.detail}. {_remedy_of_unasked(first)}"
    if first.answer == UNREACHABLE:
        return _of_silence(first)
    if first.case == "own":
        return f"{who} refused the cluster's own authentication: {first.detail}. Mend that first; see munge on both."
    if first.case in TAKEN:
        was = "refused" if first.answer == REFUSED else "neither accepted nor clearly refused"
        text = f"{who}: {CASES[first.case]} was {was}: {first.detail}. "
        return text + _remedy_of_refusal(first, answers)
    names = ", ".join(f"{CASES[one.case]} (was {one.answer}{': ' + one.detail if one.detail else ''})" for one in wrong)
    return f"{who} should refuse {names}. {_remedy_of_acceptance(wrong)}"


def _of_silence(answer: Answer) -> str:
    question = "Is it running, and can this host reach it?"
    nobody_there = any(text in answer.detail.lower() for text in ("connection refused", "no such file", "no route"))
    if answer.daemon != "slurmrestd":
        return f"{answer.daemon} ({answer.asked}) does not answer: {answer.detail}. {question}"
    if nobody_there and not answer.detail.startswith("status"):
        return f"slurmrestd does not answer: {answer.detail}. {question}"
    judge = _judge(answer)
    return (
        f"slurmrestd ({answer.asked}) gives no answer of {judge}: {answer.detail}. Is {judge} running? "
        "Is slurmrestd still? That of 20.11 dies when slurmdbd is down."
    )


def _judge(answer: Answer) -> str:
    """The daemon that checks the token behind slurmrestd."""
    return "slurmdbd" if "/slurmdb/" in answer.asked else "slurmctld"


def _remedy_of_unasked(answer: Answer) -> str:
    low = answer.detail.lower()
    if "auth plugin" in low or "auth context" in low:
        return (
            "The plugin auth_jwt.so is missing on this host. Install its package (slurm-wlm-jwt-plugin on Debian 12 "
            "and later), or run the proof on a host that has it."
        )
    if "accounting_storage" in low:
        return "This cluster has no slurmdbd. Leave slurmdbd out of daemons."
    if answer.daemon == "slurmrestd":
        hint = ", or set rest_slurmdb=false if there is no slurmdbd" if _judge(answer) == "slurmdbd" else ""
        return f"Is it slurmrestd that listens there? Have its OpenAPI plugins for {_judge(answer)} loaded{hint}."
    return "Mend that on this host first."


def _remedy_of_refusal(answer: Answer, answers: list[Answer]) -> str:
    daemon = answer.daemon
    if daemon == "slurmrestd":
        return _remedy_of_rest(answer)
    if answer.answer == UNCLEAR:
        return f"It is not known what that means. Look at the log of {daemon}."
    low = answer.detail.lower()
    conf = "slurm.conf" if daemon == "slurmctld" else "slurmdbd.conf"
    restart = (
        "restart it (from Slurm 23.11 on, 'scontrol reconfigure' will do)" if daemon == "slurmctld" else "restart it"
    )
    if any(text in low for text in _NOT_LOADED):
        return f"It has not loaded auth/jwt. Set AuthAltTypes=auth/jwt and a key in {conf}, and {restart}."
    if answer.case == "sample":
        return (
            "See its kid, exp and the claim that names the user (module slurm_jwt_token, state: verified), whether its "
            f"issuer is among the sources of the key set, and whether {daemon} has loaded that: {restart}."
        )
    accepting = sorted({one.daemon for one in answers if (one.case, one.answer) == ("good", ACCEPTED)} & set(CLIENTS))
    other = f"{accepting[0]} accepts the same token. So " if accepting else ""
    begin = f"{other}{daemon} has probably not been restarted since"
    return (
        f"{begin} its key or AuthAltTypes changed: {restart}. If that does not help, compare AuthAltTypes and "
        f"jwt_key= in {conf}, the fingerprint of the key on its host, and the clocks of both hosts."
    )


def _remedy_of_rest(answer: Answer) -> str:
    if "status 401" in answer.detail:
        return "slurmrestd takes no tokens. It needs SLURM_JWT=daemon in its environment and -a rest_auth/jwt."
    judge = _judge(answer)
    return f"slurmrestd only passes tokens on; see whether {judge} is up and accepts this one when asked directly."


def _remedy_of_acceptance(wrong: list[Answer]) -> str:
    if any(one.answer != ACCEPTED for one in wrong):
        return "Run the proof again while nothing is being restarted, and look at the daemon's log."
    accepted = {one.case for one in wrong}
    if accepted == {"expired"}:
        return "The clock of its host is more than an hour slow. Set it right: no token expires when it should."
    if accepted == {"foreign_name"}:
        return "The user of the proof is SlurmUser or root; give a plain one. If it is a plain one, stop slurmrestd."
    return (
        "Something answers without checking who asks, so anybody can be anybody: stop it, and find out what listens "
        "there and with which authentication."
    )
