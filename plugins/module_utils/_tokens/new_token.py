# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a token that a task asks for, with the key or by slurmctld. Private to this collection."""

from __future__ import annotations

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import RunCommand, Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import Client
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, expiry_of, signed_by, split
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import claims_for, sign
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.request import TokenRequest
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.scontrol import ask_slurmctld
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.signing_key import SigningKey

NO_KEY = "key_path is needed with method=key: it names the key to sign with."


def new_token(request: TokenRequest, task: Task, run: RunCommand, key: SigningKey | None, now: float) -> str:
    if task.params["method"] == "scontrol":
        return _from_slurmctld(request, task, run, key, now)
    if key is None:
        raise TaskError(NO_KEY)
    claims = claims_for(request.user, request.seconds, now, extra=request.claims)
    return sign(claims, key.data, "RS256" if key.kid else "HS256", key.kid)


def _from_slurmctld(
    request: TokenRequest, task: Task, run: RunCommand, key: SigningKey | None, now: float
) -> str:
    client = Client(task.params["bin_dir"], task.params["conf_path"], task.params["timeout"])
    token = ask_slurmctld(run, client, request.user, request.seconds)
    if key is not None and not signed_by(token, key.data):
        raise TokenError(
            f"slurmctld signs with another key than the one in {request.key_path}. It has not loaded that key "
            "yet: restart it, or from Slurm 23.11 on, run 'scontrol reconfigure'. Its token is not used."
        )
    left = (expiry_of(split(token).claims) or 0) - int(now)
    if left < request.min_remaining or left > request.seconds + 60:
        task.warn(
            f"{request.name}: a token just made for {request.seconds} s lives for {left} s by the clock of this host. "
            "The clocks of this host and of slurmctld's host differ. Check both."
        )
    return token
