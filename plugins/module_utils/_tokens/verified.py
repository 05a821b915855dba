# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state verified: what Slurm would do with each token. Private to this collection."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import RunCommand, Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import Client
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, signed_by, split, user_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import extract
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.refusals import refusals
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.request import Entry, entries, find_uid, name_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.result import describe, new_result, task_result
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.signing_key import SigningKey, read_signing_key


def verified(task: Task, run: RunCommand) -> dict[str, Any]:
    key = read_signing_key(task)
    if key is None:
        raise TaskError("key_path is needed with state=verified: only the key shows whether a token is genuine.")
    client = Client(task.params["bin_dir"], task.params["conf_path"], task.params["timeout"])
    release = client.release(task.params["release"], lambda argv: run(argv, {})[1])
    results = [_result(entry, task, key, release) for entry in entries(task.params)]
    result = task_result(results, [], str(release))
    if result["refusals"] and task.params["fail_refused"]:
        raise TaskError(f"Slurm {release} would refuse this: {' '.join(result['refusals'])}", result)
    return result


def _result(entry: Entry, task: Task, key: SigningKey, release: Release) -> dict[str, Any]:
    """The result for one token, and why Slurm would refuse it."""
    now = time.time()
    result = new_result(name_of(entry), entry["user"], entry["dest"], entry["format"] if entry["dest"] else None)
    try:
        token = _token(entry)
        claims = split(token).claims
    except (TokenError, SecretFileMissing) as exc:
        result["refusals"] = [str(exc)]
        return result
    known = (lambda user: find_uid(user) is not None) if task.params["check_user"] else None
    reasons = refusals(token, key.data, release, now, known, key.kid)
    user = user_of(claims, release)
    if entry["user"] is not None and user != entry["user"]:
        reasons.append(f"It is for the user {user!r}, not for {entry['user']!r}.")
    describe(result, claims, now)
    result.update(user=user, refusals=reasons, signature_checked=True)
    if signed_by(token, key.data):
        result["key_fingerprint"] = key.fingerprint
    if task.params["return_token"]:
        result["token"] = token
    return result


def _token(entry: Entry) -> str:
    if entry["token"] is not None:
        if entry["dest"] is not None:
            raise TaskError(f"{name_of(entry)}: token and dest exclude each other with state=verified. Give one.")
        return str(entry["token"]).strip()
    if entry["dest"] is None:
        raise TaskError("state=verified needs the token itself in token, or the file that holds it in dest.")
    return extract(entry["format"], read_secret(entry["dest"]).data)
