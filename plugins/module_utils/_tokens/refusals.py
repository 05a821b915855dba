# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges tokens as slurmctld and slurmdbd of a given release do. Private to this collection."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, has
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import (
    _HMAC,
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
    """Why slurmctld and slurmdbd of that release would refuse the token: all reasons, none if they accept it.

    user_known says whether a user, or the uid of a number, exists on the daemon's host. With a kid the key is an RSA
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
    found = []
    algorithm = header.get("alg")
    if kid is not None:
        found += _rs256_refusals(header, release, kid)
    # Slurm 20.11 leaves the algorithm to libjwt, which takes any HMAC; 21.08 and later look themselves.
    accepted = ("HS256",) if has(release, "jwks") else tuple(_HMAC)
    # libjwt up to 1.12 minds no case; a newer one does.
    if kid is None and algorithm not in accepted:
        found.append(
            f"Its algorithm is {algorithm!r}; with a key for HS256, Slurm {release} accepts {' or '.join(accepted)}."
        )
    kind = header.get("typ")
    if isinstance(kind, str) and kind.upper() != "JWT":
        found.append(f"It is of type {kind!r}; Slurm with an older libjwt accepts 'JWT' or no type at all.")
    return found


def _rs256_refusals(header: dict[str, Any], release: Release, kid: str) -> list[str]:
    if not has(release, "jwks"):
        return [f"Slurm {release} verifies no RS256: jwks= needs Slurm 21.08 or later."]
    found = []
    if header.get("alg") != "RS256":
        found.append(f"Its algorithm is {header.get('alg')!r}; with an RSA key, Slurm accepts RS256.")
    if header.get("kid") != kid:
        found.append(f"Its kid is {header.get('kid')!r}, and that of the key is {kid!r}: Slurm finds no key for it.")
    return found


def _signature_refusals(token: str, header: dict[str, Any], key: bytes, kid: str | None) -> list[str]:
    algorithms = tuple(_HMAC) if kid is None else ("RS256",)
    if str(header.get("alg")).upper() not in algorithms or signed_by(token, key):
        return []
    return [
        "It was not signed by this key: it was made before the key was replaced, for another cluster, or by a forger."
    ]


def expiry_refusals(claims: dict[str, Any], now: float) -> list[str]:
    """Why a token with these claims would count as expired."""
    if "exp" not in claims:
        return ["It has no claim exp, which Slurm takes for expired."]
    expiry = expiry_of(claims)
    if expiry is None:
        return ["Its claim exp is not a JSON integer, which Slurm takes for expired."]
    if expiry < int(now):
        return [f"It expired {int(now) - expiry} s ago by the clock of this host."]
    return []


def _user_refusals(claims: dict[str, Any], release: Release, user_known: Callable[[str], bool] | None) -> list[str]:
    user = user_of(claims, release)
    if user is None:
        wanted = "sun or username" if has(release, "username_claim") else "sun"
        return [f"It names no user: Slurm {release} wants a claim {wanted} that is text."]
    if user_known is not None and not user_known(user):
        # Such a token is let in, measured on all releases, and fails at what it is used for.
        return [f"It is for the user {user!r}, who does not exist on this host: for Slurm it is nobody's, of uid 99."]
    return []
