# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task returns about tokens. Private to this collection."""

from __future__ import annotations

import time
from typing import Any, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import expiry_of


def new_result(name: str, user: str | None, dest: str | None, form: str | None) -> dict[str, Any]:
    """The result of one token, before anything is known of it."""
    return {
        "name": name,
        "user": user,
        "dest": dest,
        "format": form,
        "changed": False,
        "reason": None,
        "expires": None,
        "remaining": None,
        "claims": {},
        "found": None,
        "key_fingerprint": None,
        "signature_checked": False,
        "activated_at": None,
        "refusals": [],
        "token": None,
    }


def describe(result: dict[str, Any], claims: dict[str, Any], now: float) -> None:
    """Add a token's claims to its result."""
    expiry = expiry_of(claims)
    result["claims"] = claims
    if expiry is not None:
        result.update(expires=utc(expiry), remaining=expiry - int(now))


def utc(second: int) -> str | None:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
    except (OverflowError, ValueError, OSError):
        return None


def task_result(
    results: Sequence[dict[str, Any]], diffs: Sequence[dict[str, Any]], release: str | None = None
) -> dict[str, Any]:
    """The result of the task."""
    many = len(results) != 1
    return {
        "changed": any(one["changed"] for one in results),
        "tokens": list(results),
        "token": None if many else results[0]["token"],
        "refusals": [f"{one['name']}: {text}" if many else text for one in results for text in one["refusals"]],
        "release": release,
        "diff": [diff for diff in diffs if diff["before"] != diff["after"]],
    }
