# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a bearer token of an OpenID provider is. Part of the verifier; see verifier.py.

Signatures, audience and times are PyJWT's work, of any version from 1.7 on. What its versions do differently, or not at
all, is done here: which algorithm goes with which key, the issuer to the letter, an expiry that has to be there.
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


class Invalid(Exception):
    """The token proves nothing. The text says why, for the log."""


def name_in(token: str, keys: Keys) -> str:
    """The name in the chosen claim of a token that the provider has signed, for us, and that is in force."""
    if len(token) > LONGEST_TOKEN:
        raise Invalid("the token is too long")
    provider = keys.provider
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in provider.algorithms:
            raise Invalid(f"its algorithm is {str(algorithm)[:20]!r}")
        kind = header.get("typ")
        if "crit" in header or (kind and str(kind).lower()) not in TYPES:
            raise Invalid("its header asks for what is not understood")
        kid = header.get("kid")
        if not isinstance(kid, (str, type(None))):
            raise Invalid("its kid is no text")
        key = keys.find(kid, algorithm)
        if key is None:
            raise Invalid(f"not exactly one key of the provider is called {str(kid)[:100]!r} and signs by {algorithm}")
        claims = jwt.decode(
            token, key, algorithms=[algorithm], audience=list(provider.audiences), issuer=provider.issuer,
            leeway=LEEWAY,
            # 1.7 and 2 have different names for it.
            options={"require": ["exp", "iss", "aud"], "require_exp": True},
        )
    except (jwt.InvalidTokenError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Invalid(f"{error!r:.200}") from None
    check_times(claims, provider.lifespan_max, time.time())
    if claims.get("iss") != provider.issuer:
        raise Invalid("it is another issuer's")
    if provider.claim == "email" and claims.get("email_verified") is not True:
        raise Invalid("nobody has verified that the address is the user's")
    name = claims.get(provider.claim)
    if not isinstance(name, str) or not name:
        raise Invalid(f"it has no text in its claim {provider.claim!r}")
    return name


def check_times(claims: dict[str, Any], longest: int, now: float) -> None:
    """Whole numbers, not for longer than a token may live: PyJWT takes 1e308, and its versions differ on the rest."""
    expiry, issued = claims.get("exp"), claims.get("iat", int(now))
    if isinstance(expiry, bool) or isinstance(issued, bool):
        raise Invalid("its expiry, or the time of its issue, is no number")
    if not isinstance(expiry, int) or not isinstance(issued, int):
        raise Invalid("its expiry, or the time of its issue, is no whole number")
    if not now < expiry:
        raise Invalid("it has expired")
    if issued > now + LEEWAY:
        raise Invalid("it is issued in the future")
    if expiry - issued > longest:
        raise Invalid(f"it lives for {expiry - issued} seconds, longer than {longest}")
