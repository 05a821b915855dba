# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that daemons accept good tokens and refuse bad ones: what a task of slurm_jwt_proof does. Private to this
collection."""

from __future__ import annotations

import pwd
import time
from typing import Any, Mapping

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import (
    FolderMissing,
    SecretFileError,
    SecretFileMissing,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import RunCommand, Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import OWN_LIMITS, KeySetEmpty, KeySetError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import parse as parse_jwks
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import LEAST_BITS, Jwk, Rules, from_members
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof import openmetrics
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.cases import (
    ACCEPTABLE,
    CASES,
    MINTED,
    Answer,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.explanation import explain
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.probe import probe, probe_blindly
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.rest import (
    Rest,
    ask_rest,
    find_endpoint,
    headers_of,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.tokens import (
    ProofSigner,
    forge,
    hide_tokens,
    mint,
    without_tokens,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import TIMED_OUT, Client
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client_reply import CLIENTS, Reply, reply_of_client
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, parse
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import (
    TokenError,
    expiry_of,
    is_pem,
    split,
    user_of,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import lifespan

_VAGUE = "Without a good token, this may be a refusal or a daemon that is down."


def prove(task: Task, run: RunCommand) -> dict[str, Any]:
    """Ask the daemons; returns the result. TaskError if the cluster is not proven and the task must fail then."""
    params = task.params
    if "slurmrestd" in params["daemons"] and not params["rest_url"]:
        raise TaskError("rest_url is needed to ask slurmrestd. Give its address, such as http://127.0.0.1:6820.")
    tokens = _minted(params) if params["tokens"] is None else _passed_on(params["tokens"])
    if params["sample_token"]:
        tokens["sample"] = _sample(params["sample_token"], time.time())
    metrics: dict[str, str] = {}
    if params["openmetrics"]:
        metrics = openmetrics.minted(params["openmetrics"], tokens.get("good"))
    questions = Questions(params, tokens, run, metrics)
    answers, left_out = questions.ask_all()
    result = {
        "changed": False,
        "proven": bool(answers) and all(answer.answer == answer.expected for answer in answers),
        "answers": [answer._asdict() for answer in answers],
        "left_out": left_out,
        "user": questions.user,
        # The sample is a no_log option, which Ansible would mask here; the task that uses these tokens has it anyway.
        "tokens": {case: tokens[case] for case in tokens if case != "sample"} if params["return_tokens"] else {},
    }
    explanation = explain(answers)
    if explanation and params["fail_unproven"]:
        raise TaskError(f"The cluster is not proven. {explanation}", {**result, "tokens": {}})
    return result


class Questions:
    """The requests to the daemons with these tokens."""

    def __init__(
        self, params: Mapping[str, Any], tokens: dict[str, str], run: RunCommand, metrics: dict[str, str]
    ) -> None:
        self.params = params
        self.tokens = tokens
        self.metrics = metrics
        """Tokens that may read metrics, and bad ones."""
        self.user = _user_in(tokens)
        self.run = run

    def ask_all(self) -> tuple[list[Answer], list[dict[str, str]]]:
        """The answers, and the cases that were left out, without any token in them."""
        answers: list[Answer] = []
        left_out: list[dict[str, str]] = []
        for daemon in CLIENTS:
            if daemon in self.params["daemons"]:
                answers += self._ask_client(daemon)
        if "slurmrestd" in self.params["daemons"]:
            for behind in ("slurmctld", "slurmdbd") if self.params["rest_slurmdb"] else ("slurmctld",):
                more, skipped = self._ask_slurmrestd(behind)
                answers += more
                left_out += skipped
        if self.metrics:
            answers += openmetrics.ask(self.params["openmetrics"], self.metrics, self.params["timeout"])
        answers = [without_tokens(without_tokens(answer, self.tokens), self.metrics) for answer in answers]
        return answers, [dict(left, reason=hide_tokens(left["reason"], self.tokens)) for left in left_out]

    def _ask_client(self, daemon: str) -> list[Answer]:
        """What slurmctld or slurmdbd answers to a client program."""
        client = Client(self.params["bin_dir"], self.params["conf_path"], self.params["timeout"])
        command = CLIENTS[daemon]

        of_metrics = {"of_metrics": self.metrics["good"]} if self.metrics and daemon == "slurmctld" else {}
        tokens = {**self.tokens, **of_metrics}

        def ask(case: str) -> Reply:
            code, out, err = self.run(client.argv(*command), client.environment(tokens.get(case)))
            return reply_of_client(code, out, err, TIMED_OUT, client.timeout)

        asked = " ".join(word for word in command if not word.startswith("-") and "=" not in word)
        cases = list(tokens) if set(tokens) & set(ACCEPTABLE) else ["own", *tokens]
        return probe(daemon, asked, cases, ask)

    def _ask_slurmrestd(self, behind: str) -> tuple[list[Answer], list[dict[str, str]]]:
        """What slurmrestd answers for slurmctld or slurmdbd, and the cases that were left out."""
        params, tokens = self.params, self.tokens
        rest = Rest(params["rest_url"], params["timeout"], params["rest_ca_path"], params["rest_user"])
        reference = next((case for case in ACCEPTABLE if case in tokens), None)
        more = ("foreign_name", "none") if reference == "good" else ("none",)
        first = headers_of(reference or next(iter(tokens)), tokens, self.user)
        endpoint = find_endpoint(behind, lambda path: ask_rest(rest, path, first), _release(params["release"]))

        def ask(case: str) -> Reply:
            return ask_rest(rest, endpoint.path, headers_of(case, tokens, self.user))

        asked = f"GET {endpoint.path}"
        cases = [case for case in CASES if case in (*tokens, *more) and case not in endpoint.skipped]
        skipped = {case: reason for case, reason in endpoint.skipped.items() if case in more}
        if reference:
            answers = probe("slurmrestd", asked, cases, ask, endpoint.first)
        else:
            answers, vague = probe_blindly("slurmrestd", asked, cases, ask)
            skipped.update({case: f"{_VAGUE} Its answer: {detail}" for case, detail in vague.items()})
        return answers, [
            {"daemon": "slurmrestd", "asked": asked, "case": case, "reason": reason} for case, reason in skipped.items()
        ]


def _minted(params: Mapping[str, Any]) -> dict[str, str]:
    """The tokens, made with the key."""
    user = params["user"]
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError:
        raise TaskError(f"user: There is no user {user!r} on this host. Name one that exists on all hosts.") from None
    if uid == 0:
        raise TaskError("user: A proof needs a plain user, not root, who may use any name.")
    try:
        seconds = lifespan(params["lifespan"])
    except TokenError as exc:
        raise TaskError(f"lifespan: {exc}") from exc
    key = _read_key("key_path", params["key_path"])
    if key is None and params["key_path"]:
        raise TaskError(f"key_path: {params['key_path']} does not exist. Make it with slurm_jwt_key.")
    current = None if key is None else fingerprint(key)
    if params["fingerprint"] and current != params["fingerprint"]:
        raise TaskError(
            f"key_path: {params['key_path']} holds the key {current}, but the key to prove is {params['fingerprint']}."
            " Another key was put there."
        )
    retired = _read_key("retired_key_path", params["retired_key_path"])
    now = time.time()
    signer = None if key is None else _signer(key, params["algorithm"])
    # A rollback puts the old key into force again.
    tokens = mint(user, signer, now, seconds, None if retired == key else retired)
    if params["jwks_path"]:
        tokens.update(forge(user, _trusted_key(params["jwks_path"]), now, seconds))
    return tokens


def _signer(key: bytes, algorithm: str | None) -> ProofSigner:
    if algorithm == "HS256" or not is_pem(key):
        return ProofSigner(key)
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256

    rs256.check_library()
    try:
        return ProofSigner(key, rs256.public_jwk(key)["kid"])
    except rs256.RsaKeyError as exc:
        raise TaskError(f"key_path: it {exc}.") from exc


def _trusted_key(path: str) -> Jwk:
    """A key that the daemons trust, for forged tokens to imitate."""
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256

    rs256.check_library()
    data = _read_key("jwks_path", path)
    if data is None:
        raise TaskError(f"jwks_path: {path} does not exist. Make it with slurm_jwks.")
    try:
        keys = parse_jwks(data, Rules(LEAST_BITS), limits=OWN_LIMITS).keys
    except KeySetEmpty:
        # Every key is distrusted. Then any unknown key must be refused.
        return from_members(rs256.public_jwk(rs256.generate(rs256.MIN_BITS)))
    except KeySetError as exc:
        raise TaskError(f"jwks_path: {path} {exc}") from exc
    if not keys:
        raise TaskError(f"jwks_path: {path} has no key that Slurm could use. Make it with slurm_jwks.")
    return keys[0]


def _sample(token: str, now: float) -> str:
    """The site's token, unless it has expired or never expires."""
    try:
        expiry = expiry_of(split(token).claims)
    except TokenError as exc:
        raise TaskError(f"sample_token: {exc}") from exc
    if expiry is None or expiry <= now:
        reason = "has no expiry time" if expiry is None else f"expired {int(now - expiry)} s ago"
        raise TaskError(f"sample_token: It {reason}. Give a new one, or none.")
    return token


def _read_key(option: str, path: str | None) -> bytes | None:
    """The key at that path, None if there is none."""
    try:
        return read_secret(path).data if path else None
    except FolderMissing as exc:
        raise TaskError(f"{option}: {exc}") from exc
    except SecretFileMissing:
        return None
    except SecretFileError as exc:
        raise TaskError(f"{option}: {exc}") from exc


def _passed_on(tokens: Mapping[str, Any]) -> dict[str, str]:
    """The tokens of an earlier run."""
    unknown = sorted(set(tokens) - set(MINTED))
    if unknown or not any(tokens.get(case) for case in MINTED):
        raise TaskError(
            f"tokens: {'unknown case ' + unknown[0] if unknown else 'there is none'}. "
            f"Pass on what return_tokens gave, with the cases {', '.join(MINTED)}."
        )
    return {case: str(tokens[case]) for case in MINTED if tokens.get(case)}


def _user_in(tokens: Mapping[str, str]) -> str | None:
    """The user name to send to slurmrestd with the tokens; None if no claim known here names one."""
    case = next((case for case in ("good", "sample", "forged") if case in tokens), None)
    if case is None:
        return None
    try:
        user = user_of(split(tokens[case]).claims)
    except TokenError as exc:
        raise TaskError(f"tokens: {case}: {exc}") from exc
    if user is None and case == "good":
        raise TaskError("tokens: good: It names no user, so slurmrestd cannot be asked with it.")
    return user


def _release(text: str | None) -> Release | None:
    try:
        return None if text is None else parse(text)
    except ValueError as exc:
        raise TaskError(f"release: {exc}") from exc
