# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks slurmctld for metrics with good and bad tokens. Private to this collection."""

from __future__ import annotations

import http.client
import os
import pwd
import time
from typing import Any, Mapping

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError, SecretFileMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.cases import METRICS, Answer
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.probe import probe
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.rest import Rest
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.tokens import ProofSigner, mint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client_reply import (
    ACCEPTED,
    REFUSED,
    UNCLEAR,
    UNREACHABLE,
    Reply,
    shortened,
)

PATH = "/metrics/jobs"
ASKED = f"GET {PATH}"
_LIFESPAN = 300
# Users that every distribution has. The user nobody is left out: slurmctld never answers it.
_OTHERS = ("daemon", "bin", "mail", "games")


def minted(options: Mapping[str, Any], of_cluster: str | None) -> dict[str, str]:
    """The tokens to present, by case. OF_CLUSTER is a good token of the cluster's own key."""
    key = _read("openmetrics.key_path", options["key_path"])
    if key is None:
        raise TaskError(f"openmetrics.key_path: {options['key_path']} does not exist. Make it with slurm_jwt_key.")
    if options["fingerprint"] and fingerprint(key) != options["fingerprint"]:
        raise TaskError(
            f"openmetrics.key_path: {options['key_path']} holds the key {fingerprint(key)}, but the key to prove is "
            f"{options['fingerprint']}. Another key was put there."
        )
    retired = _read("openmetrics.retired_key_path", options["retired_key_path"])
    now = time.time()
    tokens = mint(options["user"], ProofSigner(key), now, _LIFESPAN, None if retired == key else retired)
    other = _other_user(options["users"] or [options["user"]])
    if other is not None:
        tokens["other_user"] = mint(other, ProofSigner(key), now, _LIFESPAN)["good"]
    return {**tokens, **({"of_cluster": of_cluster} if of_cluster else {})}


def ask(options: Mapping[str, Any], tokens: Mapping[str, str], timeout: int) -> list[Answer]:
    """The answers of slurmctld."""
    url = options["url"]

    def present(case: str) -> Reply:
        token = tokens.get(case)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return _reply(Rest(url, timeout, None, options["listener_user"]), headers)

    return probe(METRICS, ASKED, ["good", *(case for case in tokens if case != "good"), "none"], present)


def _reply(rest: Rest, headers: dict[str, str]) -> Reply:
    try:
        status, body = rest.get(PATH, headers)
    except (OSError, http.client.HTTPException) as exc:
        return Reply(UNREACHABLE, str(exc) or type(exc).__name__)
    # slurmctld 26.05.5 may write a line of its header into a body that is empty otherwise.
    if status == 200 and b"slurm_" in body:
        return Reply(ACCEPTED, "")
    if status == 200:
        return Reply(UNCLEAR, "status 200: without any metric")
    detail = f"status {status}: {shortened(' '.join(body.decode('utf-8', 'replace').split()))}"
    return Reply(REFUSED if status in (401, 403) else UNCLEAR, detail)


def _other_user(users: list[str]) -> str | None:
    """A user of this host who may not read metrics."""
    for name in _OTHERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if name not in users and entry.pw_uid not in (0, os.getuid()):
            return name
    return None


def _read(option: str, path: str | None) -> bytes | None:
    try:
        return read_secret(path).data if path else None
    except SecretFileMissing:
        return None
    except SecretFileError as exc:
        raise TaskError(f"{option}: {exc}") from exc
