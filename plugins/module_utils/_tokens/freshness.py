# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a token can stay or has to be replaced. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import (
    TokenError,
    expiry_of,
    lifespan_of,
    signed_by,
    split,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import extract, render


def stale(
    data: bytes,
    form: str,
    user: str,
    seconds: int,
    min_remaining: int,
    claims: dict[str, Any],
    key: bytes | None,
    now: float,
    kid: str | None = None,
) -> str | None:
    """In one word, why the token in a file has to be replaced; None if it can stay. Without a key any signature passes.

    With a kid the key is an RSA key in PEM.
    """
    try:
        token = extract(form, data)
        parts = split(token)
    except TokenError:
        return "unreadable"
    expiry, seconds_made = expiry_of(parts.claims), lifespan_of(parts.claims)
    extra = {name: value for name, value in parts.claims.items() if name not in ("iat", "exp", "sun")}
    reasons = (
        ("unreadable", expiry is None or seconds_made is None),
        ("algorithm", parts.header.get("alg") not in _algorithms(key, kid)),
        ("user", parts.claims.get("sun") != user),
        ("format", render(form, token, user) != data),
        ("claims", extra != claims),
        ("lifespan", seconds_made is not None and seconds_made > seconds),
        ("key", key is not None and not signed_by(token, key)),
        ("key", kid is not None and parts.header.get("kid") != kid),
        ("expiring", expiry is not None and expiry - int(now) < min_remaining),
    )
    return next((reason for reason, holds in reasons if holds), None)


def _algorithms(key: bytes | None, kid: str | None) -> tuple[str, ...]:
    if key is None:
        return ("HS256", "RS256")
    return ("HS256",) if kid is None else ("RS256",)


def differs(data: bytes, form: str, token: str, user: str) -> str | None:
    """In one word, why a file does not hold exactly this token; None if it does."""
    try:
        current = extract(form, data)
    except TokenError:
        return "unreadable"
    if current != token:
        return "given"
    return None if data == render(form, token, user) else "format"
