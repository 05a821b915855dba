# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token that a file holds now, and why it has to be replaced. Private to this collection."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import (
    FolderMissing,
    SecretFileError,
    SecretFileMissing,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import SecretFile, read_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.freshness import differs, stale
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.request import TokenRequest
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.signing_key import SigningKey


class CurrentToken(NamedTuple):
    """The current state of a token that the task asks for."""

    file: SecretFile | None
    reason: str | None
    """Why the token has to be replaced, by a new one or by the one that is given; None if it can stay."""
    model: SecretFile | None
    """The file whose mode is kept if the task sets none."""


def current_token(request: TokenRequest, task: Task, key: SigningKey | None, now: float) -> CurrentToken:
    if request.current is not None:
        current = request.current.strip().encode("utf-8")
        return CurrentToken(None, why_stale(request, "raw", current, key, now) if current else "missing", None)
    if request.dest is None or request.path is None:
        return CurrentToken(None, "requested", None)
    try:
        file = read_token_file(request.path, task)
        live = file if request.path == request.dest else read_token_file(request.dest, task)
    except SecretFileError as exc:
        raise TaskError(f"{request.name}: dest: {exc}") from exc
    reason = _why_replace(request, file, key, now)
    if reason is not None and _is_live(request, live, key, now):
        # The swap has happened already. Staging the token again would remove the previous one.
        return CurrentToken(None, None, live)
    return CurrentToken(file, reason, live or file)


def why_stale(request: TokenRequest, form: str, data: bytes, key: SigningKey | None, now: float) -> str | None:
    signing, kid = (key.data, key.kid) if key else (None, None)
    return stale(
        data, form, request.user, request.seconds, request.min_remaining, request.claims, signing, now, kid
    )


def read_token_file(path: str, task: Task) -> SecretFile | None:
    """The file as it is; None if it is missing."""
    try:
        return read_secret(path, secret=task.params["state"] != "absent")
    except FolderMissing:
        if not task.check_mode and task.params["state"] in ("present", "staged"):
            raise
        return None
    except SecretFileMissing:
        return None


def _why_replace(request: TokenRequest, file: SecretFile | None, key: SigningKey | None, now: float) -> str | None:
    if file is None:
        return "missing"
    if request.given is None:
        return why_stale(request, request.form, file.data, key, now)
    return differs(file.data, request.form, request.given, request.user) if request.given else "given"


def _is_live(request: TokenRequest, live: SecretFile | None, key: SigningKey | None, now: float) -> bool:
    """Whether the token that is to be staged is the live one already, as far as can be known without a key."""
    if request.path == request.dest or (request.given is None and key is None):
        return False
    return _why_replace(request, live, key, now) is None
