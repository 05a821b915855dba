# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks slurmctld for a token, by scontrol token, and explains why it gives none. Private to this collection."""

from __future__ import annotations

import re

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import RunCommand
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import TIMED_OUT, Client
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, lifespan_of, split
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import extract

# What scontrol prints, in lower case, and what it means.
_SCONTROL_FAILURES = (
    (
        ("access/permission denied",),
        "slurmctld makes no tokens for this user, because AuthAltParameters has disable_token_creation. "
        "Run this as root or SlurmUser, or sign with method=key.",
    ),
    (
        ("invalid user id",),
        "slurmctld makes tokens of other users only for root and SlurmUser. Run this as one of them (become).",
    ),
    (
        ("requested time limit is invalid",),
        "The lifespan is more than max_token_lifespan in AuthAltParameters. Give a shorter one, or run this as root.",
    ),
    (
        ("required plugin type not loaded",),
        "slurmctld has not loaded auth/jwt. Set AuthAltTypes=auth/jwt and restart it.",
    ),
    (
        ("token generation failed",),
        "slurmctld has no key for HS256, only jwks=. Add jwt_key= to AuthAltParameters, or use tokens of the issuer.",
    ),
    (
        (
            "unable to contact slurm controller",
            "connection refused",
            "connect failure",
            "connection timed out",
            "socket timed out",
        ),
        "slurmctld does not answer. Check that it is running and that this host can reach it.",
    ),
    (
        ("protocol authentication error", "invalid authentication credential", "munge"),
        "slurmctld does not accept this host's credential. Check munge on both hosts: it needs the same key, and "
        "clocks less than 300 s apart.",
    ),
    (
        ("zero bytes were transmitted",),
        "slurmctld closed the connection without an answer. Check munge on both hosts: it needs the same key, and "
        "clocks less than 300 s apart. Then check slurmctld's log.",
    ),
)


def ask_slurmctld(run: RunCommand, client: Client, user: str, seconds: int) -> str:
    """A token that slurmctld has made."""
    # Older releases take the words 'infinite' and 'unlimited' for half an hour; a number means the same to all.
    argv = client.argv("scontrol", "token", f"lifespan={seconds}", f"username={user}")
    code, out, err = run(argv, client.environment())
    if code != 0:
        raise TokenError(why_scontrol_failed(code, err))
    return token_from_scontrol(out, user, seconds)


def why_scontrol_failed(code: int, errors: str) -> str:
    """In sentences, why 'scontrol token' printed no token, and what to do."""
    error = " ".join(re.sub(r"^scontrol: (?:error: )?", "", line) for line in errors.split("\n")).strip()
    if code in TIMED_OUT:
        return "slurmctld does not answer in time. Check that it is running and that this host can reach it."
    for texts, meaning in _SCONTROL_FAILURES:
        if any(text in error.lower() for text in texts):
            return f"{meaning} (scontrol: {error})"
    if error.lower() == "error fetching token":
        # Slurm 22.05 and older print only this if there is no plugin or no key.
        return f"slurmctld has no key to sign with: auth/jwt is not loaded, or has jwks= only. (scontrol: {error})"
    return f"'scontrol token' failed with exit code {code}: {error or 'it printed no reason'}."


def token_from_scontrol(output: str, user: str, seconds: int) -> str:
    """The token in the output of scontrol, if it is the one that was requested."""
    try:
        token = extract("env", output.encode("utf-8"))
    except TokenError as exc:
        raise TokenError(f"'scontrol token' succeeded, but its output holds no token. {exc}") from exc
    claims = split(token).claims
    if claims.get("sun") != user:
        raise TokenError(f"slurmctld made a token for {claims.get('sun')!r} instead of {user!r}. It is not used.")
    if lifespan_of(claims) != seconds:
        raise TokenError(f"slurmctld made a token for {lifespan_of(claims)} s instead of {seconds} s. It is not used.")
    return token
