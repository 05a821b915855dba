# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifies a bearer token of an OpenID provider. Part of the verifier; see verifier.py.

PyJWT, in any version from 1.7 on, verifies signature, audience and times. What its versions do differently or not at
all is done here: which algorithm goes with which key, the exact issuer, a required expiry.
"""

from __future__ import annotations

import time
from typing import Any

import jwt
from openid_keys import Keys

TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
LONGEST_TOKEN = 16384
# Clocks of providers may be a little ahead.
LEEWAY = 10


class InvalidToken(Exception):
    """The text says why, for the log."""


def name_in(token: str, keys: Keys) -> str:
    """The configured claim of a token that is valid, signed by the provider and for one of the audiences."""
    if len(token) > LONGEST_TOKEN:
        raise InvalidToken("the token is too long")
    provider = keys.provider
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in provider.algorithms:
            raise InvalidToken(f"its algorithm is {str(algorithm)[:20]!r}")
        kind = header.get("typ")
        if "crit" in header or (kind and str(kind).lower()) not in TYPES:
            raise InvalidToken("its header requires an unknown extension")
        kid = header.get("kid")
        if not isinstance(kid, (str, type(None))):
            raise InvalidToken("its kid is no text")
        key = keys.find(kid, algorithm)
        if key is None:
            raise InvalidToken(f"not exactly one key of the provider has kid {str(kid)[:100]!r} and is for {algorithm}")
        claims = jwt.decode(
            token, key, algorithms=[algorithm], audience=list(provider.audiences), issuer=provider.issuer,
            leeway=LEEWAY,
            # PyJWT 1.7 and 2 have different names for it.
            options={"require": ["exp", "iss", "aud"], "require_exp": True},
        )
    except (jwt.InvalidTokenError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidToken(f"{error!r:.200}") from None
    check_times(claims, provider.lifespan_max, time.time())
    if claims.get("iss") != provider.issuer:
        raise InvalidToken("it has another issuer")
    if provider.claim == "email" and claims.get("email_verified") is not True:
        raise InvalidToken("its email address is not verified")
    name = claims.get(provider.claim)
    if not isinstance(name, str) or not name:
        raise InvalidToken(f"it has no text in its claim {provider.claim!r}")
    return name


def check_times(claims: dict[str, Any], longest: int, now: float) -> None:
    """Requires whole numbers and a limited lifespan: PyJWT accepts 1e308, and its versions differ on the rest."""
    expiry, issued = claims.get("exp"), claims.get("iat", int(now))
    if isinstance(expiry, bool) or isinstance(issued, bool):
        raise InvalidToken("its expiry, or the time of its issue, is no number")
    if not isinstance(expiry, int) or not isinstance(issued, int):
        raise InvalidToken("its expiry, or the time of its issue, is no whole number")
    if not now < expiry:
        raise InvalidToken("it has expired")
    if issued > now + LEEWAY:
        raise InvalidToken("it is issued in the future")
    if expiry - issued > longest:
        raise InvalidToken(f"it lives for {expiry - issued} seconds, longer than {longest}")
