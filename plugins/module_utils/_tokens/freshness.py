# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a token that is there still does, or has to be made anew. Private to this collection."""

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
    """In one word, why a token file has to be made anew; None if it can stay. Without a key any signature will do.

    With a kid the key is an RSA key in PEM.
    """
    try:
        token = extract(form, data)
        found = split(token)
    except TokenError:
        return "unreadable"
    expiry, life = expiry_of(found.claims), lifespan_of(found.claims)
    extra = {name: value for name, value in found.claims.items() if name not in ("iat", "exp", "sun")}
    reasons = (
        ("unreadable", expiry is None or life is None),
        ("algorithm", found.header.get("alg") not in _algorithms(key, kid)),
        ("user", found.claims.get("sun") != user),
        ("format", render(form, token, user) != data),
        ("claims", extra != claims),
        ("lifespan", life is not None and life > seconds),
        ("key", key is not None and not signed_by(token, key)),
        ("key", kid is not None and found.header.get("kid") != kid),
        ("expiring", expiry is not None and expiry - int(now) < min_remaining),
    )
    return next((reason for reason, holds in reasons if holds), None)


def _algorithms(key: bytes | None, kid: str | None) -> tuple[str, ...]:
    if key is None:
        return ("HS256", "RS256")
    return ("HS256",) if kid is None else ("RS256",)


def differs(data: bytes, form: str, token: str, user: str) -> str | None:
    """In one word, why a file is not the one that holds this very token; None if it is."""
    try:
        found = extract(form, data)
    except TokenError:
        return "unreadable"
    if found != token:
        return "given"
    return None if data == render(form, token, user) else "format"
