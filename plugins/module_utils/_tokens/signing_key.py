# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signing key that a task names. Private to this collection."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import is_pem


class SigningKey(NamedTuple):
    """The signing key in force."""

    data: bytes
    fingerprint: str
    kid: str | None = None
    """Slurm's name for an RSA key, which signs with RS256. A key for HS256 has none."""


def read_signing_key(task: Task, path: str | None = None) -> SigningKey | None:
    """The key at key_path, or at the PATH of one token. None without either, and in check mode if an earlier task would
    have made the key."""
    path = path or task.params["key_path"]
    if path is None:
        return None
    try:
        data = read_secret(path).data
    except SecretFileMissing as exc:
        if not task.check_mode or task.params["state"] == "verified":
            raise TaskError(f"key_path: {exc} Make it with slurm_jwt_key, or correct the path.") from exc
        task.warn(f"key_path: {exc} So it is not known which tokens would stay as they are.")
        return None
    if not data:
        raise TaskError(f"key_path: {path} is empty. Make a key with slurm_jwt_key.")
    return SigningKey(data, fingerprint(data), _kid(path, data, task.params["kid"], task.params["algorithm"]))


def _kid(path: str, data: bytes, declared: str | None, algorithm: str | None) -> str | None:
    if algorithm == "HS256" or not is_pem(data):
        if declared is not None:
            raise TaskError(f"kid: {path} is a key for HS256, and Slurm uses a kid with RS256 only. Remove kid.")
        return None
    # These import a large library.
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.library import LibraryMissing

    try:
        rs256.check_library()
    except LibraryMissing as exc:
        raise TaskError(str(exc)) from exc
    weak = rs256.not_a_key(data) or rs256.weakness(data)
    if weak:
        raise TaskError(f"key_path: {path} {weak}. Make a key with slurm_jwt_key and algorithm: RS256.")
    return declared or rs256.public_jwk(data)["kid"]
