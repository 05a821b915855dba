# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which user the bearer of a token is for a daemon of a given release. Private to this collection.

Slurm reads the user from a token that an identity provider has signed, and checks neither its issuer nor its audience.
So it matters which claim Slurm reads, and who can set that claim.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import User
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import jwk
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import has
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.cautions import cautions
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import (
    TokenError,
    TokenParts,
    signed_by,
    split,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.refusals import expiry_refusals
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.verifying_daemon import (
    VerifyingDaemon,
    claim_read,
    client_uid,
    names_read,
)


class Identity(NamedTuple):
    """Which user a daemon reads from a token, and whether it accepts the token."""

    claim: str | None
    """The claim that it reads."""
    user: str | None
    """Its value: the name of a user, or a uid in digits."""
    uid: int | None
    """The uid of that user on the daemon's host."""
    signer: str | None
    """HS256, or the kid of the key that signed it; None if the daemon trusts no such key."""
    refusals: list[str]
    """All reasons for which the daemon would refuse it; none if it would accept it."""
    cautions: list[str]
    """What to consider before a site trusts tokens like this one."""
    claims: dict[str, Any]


FindUser = Callable[[str], Optional[User]]
"""Finds the user of a name, or of a number, on this host."""


def identify(token: str, daemon: VerifyingDaemon, find_user: FindUser, now: float) -> Identity:
    """Which user the daemon reads from the token, on this host, at that time."""
    try:
        parts = split(token)
    except TokenError as exc:
        return Identity(None, None, None, None, [str(exc)], [], {})
    claim, name = claim_read(parts.claims, daemon)
    user = None if name is None else find_user(name)
    uid = client_uid(parts.claims) if claim == "id" else (user.uid if user else None)
    signer, refusals = _signature(token, parts, daemon)
    return Identity(
        claim,
        name,
        uid,
        signer,
        [
            *_not_enabled(daemon),
            *refusals,
            *_unknown_type(parts, daemon),
            *expiry_refusals(parts.claims, now),
            *_no_user_named(claim, name, daemon),
        ],
        cautions(parts, claim, name, uid, user, daemon),
        parts.claims,
    )


def _not_enabled(daemon: VerifyingDaemon) -> list[str]:
    return [] if daemon.enabled else ["AuthAltTypes does not have auth/jwt: this daemon accepts no tokens."]


def _signature(token: str, parts: TokenParts, daemon: VerifyingDaemon) -> tuple[str | None, list[str]]:
    """Who signed it, and why the daemon does not accept that."""
    algorithm = str(parts.header.get("alg"))
    if daemon.old_libjwt:
        algorithm = algorithm.upper()
    if algorithm == "RS256":
        return _rs256(token, parts, daemon)
    if algorithm != "HS256" and (has(daemon.release, "jwks") or not algorithm.startswith("HS")):
        return None, [f"It is signed with {parts.header.get('alg')!r}, which Slurm {daemon.release} does not verify."]
    if daemon.hs256_key is None:
        return None, ["It is signed with HS256, and this daemon has no key for that: it has jwks= without jwt_key=."]
    if not signed_by(token, daemon.hs256_key):
        return None, ["It was not signed by the key in jwt_key=, but by another key or a forger."]
    return "HS256", []


def _unknown_type(parts: TokenParts, daemon: VerifyingDaemon) -> list[str]:
    kind = parts.header.get("typ")
    if not daemon.old_libjwt or not isinstance(kind, str) or kind.upper() == "JWT":
        return []
    return [f"It is of type {kind!r}, and the libjwt of this host accepts 'JWT' or no type at all."]


def _rs256(token: str, parts: TokenParts, daemon: VerifyingDaemon) -> tuple[str | None, list[str]]:
    if not has(daemon.release, "jwks"):
        return None, [f"It is signed with RS256, which Slurm {daemon.release} does not verify: 21.08 or later does."]
    if daemon.key_set is None:
        return None, ["It is signed with RS256, and this daemon has no jwks=."]
    kid = parts.header.get("kid")
    if not isinstance(kid, str):
        return None, ["Its header has no kid, so Slurm finds no key for it. Have the issuer set one."]
    key = next((key for key in daemon.key_set.keys if key.kid == kid), None)
    if key is None:
        lost = next((lost for lost in daemon.key_set.dropped if lost.kid == kid), None)
        if lost:
            return None, [f"The key {kid!r} in jwks= {lost.reason}. Have slurm_jwks write the file."]
        return None, [f"jwks= has no key {kid!r}: the token is from another issuer, or its key is not trusted."]
    if not jwk.verifies(key, token.rpartition(".")[0].encode("utf-8"), parts.signature):
        return None, [f"It was not signed by the key {kid!r} in jwks=, but by another key or a forger."]
    return kid, []


def _no_user_named(claim: str | None, name: str | None, daemon: VerifyingDaemon) -> list[str]:
    if claim == "id" or name is not None:
        return []
    if daemon.has_flag("use_jwt_client_ids_only"):
        needed = "uid, gid, and id with name, gecos, dir, shell and groups"
        return [f"It does not have all that use_jwt_client_ids_only needs: {needed}."]
    return [f"It names no user: Slurm reads {', then '.join(names_read(daemon))}, and needs text there."]
