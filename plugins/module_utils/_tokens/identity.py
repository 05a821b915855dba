# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which user a daemon of a given release takes the bearer of a token for. Private to this collection.

Slurm reads the user from a token that an identity provider has signed, and checks neither its issuer nor its audience.
So it matters which claim Slurm reads, and who can set that claim.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import User
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import KeySet
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import jwk
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, has
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import (
    TokenError,
    TokenParts,
    integer,
    lifespan_of,
    signed_by,
    split,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import LONGEST
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.refusals import expiry_refusals


class VerifyingDaemon(NamedTuple):
    """What a daemon loads, according to its configuration."""

    release: Release
    enabled: bool
    """Whether AuthAltTypes has auth/jwt."""
    options: dict[str, str]
    """Members of AuthAltParameters, name to value."""
    hs256_key: bytes | None = None
    key_set: KeySet | None = None
    slurm_user: str = "slurm"
    old_libjwt: bool = False
    """Whether its libjwt is 1.10, which accepts rs256 for RS256 and checks the type; 1.17 does neither."""

    @property
    def claim_field(self) -> str | None:
        """The claim that userclaimfield= names, if this release reads it."""
        return self.options.get("userclaimfield") or None if has(self.release, "userclaimfield") else None

    def has_flag(self, flag: str) -> bool:
        """Whether use_jwt_client_ids or use_jwt_client_ids_only is set, and this release knows it."""
        return flag in self.options and has(self.release, "client_ids")


class Identity(NamedTuple):
    """Which user a daemon reads from a token, and whether it accepts the token."""

    claim: str | None
    """The claim that it reads."""
    user: str | None
    """Its value: the name of a user, or a uid in digits."""
    uid: int | None
    """Of that user on the daemon's host."""
    signer: str | None
    """HS256, or the kid of the key that signed it; None if the daemon trusts no such key."""
    refusals: list[str]
    """All reasons for which the daemon would refuse it; none if it would accept it."""
    cautions: list[str]
    """What to consider before tokens like this one are trusted."""
    claims: dict[str, Any]


FindUser = Callable[[str], "User | None"]
"""Finds the user of a name, or of a number, on this host."""

# Claims of known issuers, and who can change them.
_EDITABLE = {
    "preferred_username": "In Keycloak users change it if the realm has 'Edit username' on; in Entra ID it can change,"
    " and Microsoft warns against granting access by it",
    "email": "Users change their address at many providers, some of which do not verify it",
    "upn": "In Entra ID it can change and be reassigned to another user",
    "unique_name": "In Entra ID it can change, and it is not unique",
    "nickname": "Users choose it themselves",
    "name": "Users choose it themselves",
    "given_name": "Users choose it themselves",
    "family_name": "Users choose it themselves",
    "website": "Users choose it themselves",
    "profile": "Users choose it themselves",
}


def identify(token: str, daemon: VerifyingDaemon, find_user: FindUser, now: float) -> Identity:
    """Which user the daemon reads from the token, on this host, at that time."""
    try:
        parts = split(token)
    except TokenError as exc:
        return Identity(None, None, None, None, [str(exc)], [], {})
    claim, name = claim_read(parts.claims, daemon)
    user = None if name is None else find_user(name)
    uid = _client_uid(parts.claims) if claim == "id" else (user.uid if user else None)
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
        [
            *_unknown_user(claim, name, user),
            *_power(claim, name, uid, user, daemon),
            *_outranked(claim, daemon),
            *_editable(claim, parts.claims),
            *_audience(parts),
            *_lifespan(parts.claims),
        ],
        parts.claims,
    )


def claim_read(claims: dict[str, Any], daemon: VerifyingDaemon) -> tuple[str | None, str | None]:
    """The claim that Slurm reads the user from, and its value."""
    only = daemon.has_flag("use_jwt_client_ids_only")
    if (only or daemon.has_flag("use_jwt_client_ids")) and _client_uid(claims) is not None:
        return "id", str(claims["id"]["name"])
    if only:
        return None, None
    for name in names_read(daemon):
        if isinstance(claims.get(name), str):
            return name, str(claims[name])
    return None, None


def names_read(daemon: VerifyingDaemon) -> list[str]:
    """The claims that name a user, in the order in which this daemon reads them."""
    names = ["sun"]
    if has(daemon.release, "username_claim"):
        names.append("username")
    if daemon.claim_field and daemon.claim_field not in names:
        names.append(daemon.claim_field)
    return names


def _client_uid(claims: dict[str, Any]) -> int | None:
    """The uid in a token that describes its user completely, as use_jwt_client_ids needs it; else None."""
    who, uid, gid = claims.get("id"), integer(claims.get("uid")), integer(claims.get("gid"))
    if not isinstance(who, dict) or uid is None or gid is None:
        return None
    texts = all(isinstance(who.get(member), str) for member in ("name", "gecos", "dir", "shell"))
    groups = isinstance(who.get("groups"), dict) or isinstance(who.get("gids"), list)
    return uid if texts and groups else None


# -- whether it is accepted --------------------------------------------------------------------------------------------


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


# -- what to consider before it is trusted -----------------------------------------------------------------------------


def _unknown_user(claim: str | None, name: str | None, user: User | None) -> list[str]:
    """Slurm accepts such a token, measured on all releases."""
    if claim == "id" or name is None or user:
        return []
    return [
        f"Its claim {claim} names {name!r}, a user that this host does not know. Slurm accepts the token even so, as"
        " nobody's: it can read what every user may read, and submit no job. Create the user on the hosts of slurmctld"
        " and slurmdbd, or check who can set such a name."
    ]


def _power(
    claim: str | None, name: str | None, uid: int | None, user: User | None, daemon: VerifyingDaemon
) -> list[str]:
    if name is None:
        return []
    if uid == 0 or (user and user.name == daemon.slurm_user):
        return [f"Its bearer is {'root' if uid == 0 else 'SlurmUser'}, and can act as every other user."]
    if claim != "id" and name.isascii() and name.isdigit():
        return [f"Slurm takes the number {name} in the claim {claim} for a uid. Anyone who can set it to 0 is root."]
    if claim == "id":
        return ["It has its uid, gid and groups in it, and Slurm believes them: anyone who sets them can be any user."]
    return []


def _outranked(claim: str | None, daemon: VerifyingDaemon) -> list[str]:
    """Claims that Slurm reads before the one that is meant."""
    field = daemon.claim_field
    if claim in ("sun", "username") and field and field != claim:
        return [
            f"Slurm reads {claim}, not {field}, which userclaimfield= names: sun and username come first. Check at the"
            " issuer who can set them, as they decide who the bearer is."
        ]
    names = names_read(daemon)
    above = names[: names.index(claim)] if claim in names else []
    if above:
        return [
            f"Slurm reads {claim} only because there is no {' and no '.join(above)}. Anyone who can add such a claim"
            " to a token, by a mapper or an attribute, can be any user. Make sure that the issuer never sets"
            f" {'them' if len(above) > 1 else 'it'}."
        ]
    return []


def _editable(claim: str | None, claims: dict[str, Any]) -> list[str]:
    if claim is None or claim == "id":
        return []
    why = _EDITABLE.get(claim)
    cautions = [f"{why}. Make sure that no user can take the name of another in the claim {claim}."] if why else []
    # The same text in a claim that users can change suggests that the mapper copies it from there.
    copied_from = [name for name in _EDITABLE if name != claim and claims.get(name) == claims[claim]]
    if copied_from and not why:
        cautions.append(
            f"The claim {claim} has the same value as {', '.join(copied_from)}. If the issuer copies it from there,"
            " make sure that users cannot change it."
        )
    return cautions


def _audience(parts: TokenParts) -> list[str]:
    """Only tokens of identity providers have an audience: HS256 tokens are made by the cluster."""
    if str(parts.header.get("alg")).upper() != "RS256":
        return []
    issuer, audience = _printable(parts.claims.get("iss")), _printable(parts.claims.get("aud"))
    return [
        f"It was issued by {issuer} for {audience}, and Slurm checks neither: every token that this key signs is valid"
        " here, for whatever application it was issued. Make sure that the key signs for this cluster alone."
    ]


def _printable(value: object) -> str:
    """An unverified claim, in a form that is safe in a message."""
    if isinstance(value, list) and value:
        return ", ".join(_printable(each) for each in value[:5])
    return ascii(value)[:120] if isinstance(value, str) and value else "no one that it names"


def _lifespan(claims: dict[str, Any]) -> list[str]:
    seconds = lifespan_of(claims)
    if seconds is None or seconds <= LONGEST:
        return []
    return [f"It lives for {seconds // 86400} days, and max_token_lifespan does not limit tokens that an issuer makes."]
