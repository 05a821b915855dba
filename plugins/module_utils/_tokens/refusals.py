# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why slurmctld and slurmdbd of a given release refuse a token. Private to this collection."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, has
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import (
    HMAC_DIGESTS,
    TokenError,
    expiry_of,
    signed_by,
    split,
    user_of,
)


def refusals(
    token: str,
    key: bytes,
    release: Release,
    now: float,
    user_known: Callable[[str], bool] | None = None,
    kid: str | None = None,
) -> list[str]:
    """All reasons for which slurmctld and slurmdbd of that release would refuse the token; none if they accept it.

    USER_KNOWN tells whether a user, or the uid of a number, exists on the daemon's host. With a KID the key is an RSA
    key in PEM, whose public half the daemons have under that kid.
    """
    try:
        parts = split(token)
    except TokenError as exc:
        return [str(exc)]
    return [
        *_header_refusals(parts.header, release, kid),
        *_signature_refusals(token, parts.header, key, kid),
        *expiry_refusals(parts.claims, now),
        *_user_refusals(parts.claims, release, user_known),
    ]


def _header_refusals(header: dict[str, Any], release: Release, kid: str | None) -> list[str]:
    reasons = []
    algorithm = header.get("alg")
    if kid is not None:
        reasons += _rs256_refusals(header, release, kid)
    # Slurm 20.11 leaves the algorithm to libjwt, which accepts any HMAC; 21.08 and later check it themselves.
    accepted = ("HS256",) if has(release, "jwks") else tuple(HMAC_DIGESTS)
    # libjwt up to 1.12 ignores the case; newer ones do not.
    if kid is None and algorithm not in accepted:
        reasons.append(
            f"Its algorithm is {algorithm!r}; with a key for HS256, Slurm {release} accepts {' or '.join(accepted)}."
        )
    kind = header.get("typ")
    if isinstance(kind, str) and kind.upper() != "JWT":
        reasons.append(f"It is of type {kind!r}; Slurm with an older libjwt accepts 'JWT' or no type at all.")
    return reasons


def _rs256_refusals(header: dict[str, Any], release: Release, kid: str) -> list[str]:
    if not has(release, "jwks"):
        return [f"Slurm {release} does not verify RS256: jwks= needs Slurm 21.08 or later."]
    reasons = []
    if header.get("alg") != "RS256":
        reasons.append(f"Its algorithm is {header.get('alg')!r}; with an RSA key, Slurm accepts RS256.")
    if header.get("kid") != kid:
        reasons.append(f"Its kid is {header.get('kid')!r}, and that of the key is {kid!r}: Slurm finds no key for it.")
    return reasons


def _signature_refusals(token: str, header: dict[str, Any], key: bytes, kid: str | None) -> list[str]:
    algorithms = tuple(HMAC_DIGESTS) if kid is None else ("RS256",)
    if str(header.get("alg")).upper() not in algorithms or signed_by(token, key):
        return []
    return [
        "It was not signed by this key: it was made before the key was replaced, for another cluster, or by a forger."
    ]


def expiry_refusals(claims: dict[str, Any], now: float) -> list[str]:
    """Why a token with these claims would count as expired."""
    if "exp" not in claims:
        return ["It has no claim exp; Slurm treats it as expired."]
    expiry = expiry_of(claims)
    if expiry is None:
        return ["Its claim exp is not a JSON integer; Slurm treats it as expired."]
    if expiry < int(now):
        return [f"It expired {int(now) - expiry} s ago by the clock of this host."]
    return []


def _user_refusals(claims: dict[str, Any], release: Release, user_known: Callable[[str], bool] | None) -> list[str]:
    user = user_of(claims, release)
    if user is None:
        claims_read = "sun or username" if has(release, "username_claim") else "sun"
        return [f"It names no user: Slurm {release} needs a claim {claims_read} that is text."]
    if user_known is not None and not user_known(user):
        # Slurm accepts such a token, measured on all releases, but it can only read.
        return [f"It is for the user {user!r}, who does not exist on this host: Slurm treats it as nobody's, uid 99."]
    return []
