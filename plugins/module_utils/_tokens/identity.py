# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a token makes of its bearer, in the eyes of a daemon of a given release. Private to this collection.

Slurm reads a user out of a token that somebody else has signed, and asks neither whom the token was made out by nor for
whom. So it matters which claim it reads, and who may say what stands in that claim.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import KeySet
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import jwk
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, has
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import (
    Parts,
    TokenError,
    integer,
    lifespan_of,
    signed_by,
    split,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import LONGEST
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.refusals import expiry_refusals


class JudgingDaemon(NamedTuple):
    """What a daemon has loaded, as far as its configuration says it."""

    release: Release
    enabled: bool
    """Whether AuthAltTypes has auth/jwt."""
    options: dict[str, str]
    """Members of AuthAltParameters, name to value."""
    hs256_key: bytes | None = None
    key_set: KeySet | None = None
    slurm_user: str = "slurm"
    old_libjwt: bool = False
    """Whether its libjwt is one of 1.10, which takes rs256 for RS256 and minds the type; those of 1.17 do neither."""

    @property
    def claim_field(self) -> str | None:
        """What userclaimfield= names, if this release minds it."""
        return self.options.get("userclaimfield") or None if has(self.release, "userclaimfield") else None

    def minds(self, flag: str) -> bool:
        """Whether a flag of use_jwt_client_ids is set, and this release knows it."""
        return flag in self.options and has(self.release, "client_ids")


class KnownUser(NamedTuple):
    """A user on the daemon's host."""

    name: str
    uid: int


class Identity(NamedTuple):
    """What a daemon makes of a token."""

    claim: str | None
    """The claim that it reads."""
    user: str | None
    """What stands there: the name of a user, or a uid in digits."""
    uid: int | None
    """Of that user on the daemon's host."""
    signer: str | None
    """HS256, or the kid of the key that signed it; None if no key that the daemon trusts did."""
    refusals: list[str]
    """Why the daemon would refuse it: all reasons, none if it would accept it."""
    cautions: list[str]
    """What the site should know before it trusts tokens like this one."""
    claims: dict[str, Any]


FindUser = Callable[[str], "KnownUser | None"]
"""The user of a name, or of a number, on this host."""

# What issuers are known to put where, and who may change it there.
_EDITABLE = {
    "preferred_username": "In Keycloak users change it if the realm has 'Edit username' on; in Entra ID it may change,"
    " and Microsoft warns against basing access on it",
    "email": "Users change their address at many providers, some of which do not verify it",
    "upn": "In Entra ID it may change and be given to somebody else",
    "unique_name": "In Entra ID it may change, and it is not unique",
    "nickname": "It is the user's own to choose",
    "name": "It is the user's own to choose",
    "given_name": "It is the user's own to choose",
    "family_name": "It is the user's own to choose",
    "website": "It is the user's own to choose",
    "profile": "It is the user's own to choose",
}


def identify(token: str, daemon: JudgingDaemon, find_user: FindUser, now: float) -> Identity:
    """What the daemon makes of the token, on this host, at that time."""
    try:
        parts = split(token)
    except TokenError as exc:
        return Identity(None, None, None, None, [str(exc)], [], {})
    claim, name = claim_read(parts.claims, daemon)
    found = None if name is None else find_user(name)
    uid = _client_uid(parts.claims) if claim == "id" else (found.uid if found else None)
    signer, refusals = _signature(token, parts, daemon)
    return Identity(
        claim,
        name,
        uid,
        signer,
        [
            *_unable(daemon),
            *refusals,
            *_odd_type(parts, daemon),
            *expiry_refusals(parts.claims, now),
            *_nobody(claim, name, daemon),
        ],
        [
            *_unknown(claim, name, found),
            *_power(claim, name, uid, found, daemon),
            *_outranked(claim, daemon),
            *_editable(claim, parts.claims),
            *_addressee(parts),
            *_length(parts.claims),
        ],
        parts.claims,
    )


def claim_read(claims: dict[str, Any], daemon: JudgingDaemon) -> tuple[str | None, str | None]:
    """The claim that Slurm reads the user from, and what stands in it."""
    only = daemon.minds("use_jwt_client_ids_only")
    if (only or daemon.minds("use_jwt_client_ids")) and _client_uid(claims) is not None:
        return "id", str(claims["id"]["name"])
    if only:
        return None, None
    for name in names_read(daemon):
        if isinstance(claims.get(name), str):
            return name, str(claims[name])
    return None, None


def names_read(daemon: JudgingDaemon) -> list[str]:
    """The claims that name a user, in the order in which this daemon looks for them."""
    names = ["sun"]
    if has(daemon.release, "username_claim"):
        names.append("username")
    if daemon.claim_field and daemon.claim_field not in names:
        names.append(daemon.claim_field)
    return names


def _client_uid(claims: dict[str, Any]) -> int | None:
    """The uid in a token that says who its user is by itself, with all that Slurm wants to hear; else None."""
    who, uid, gid = claims.get("id"), integer(claims.get("uid")), integer(claims.get("gid"))
    if not isinstance(who, dict) or uid is None or gid is None:
        return None
    texts = all(isinstance(who.get(member), str) for member in ("name", "gecos", "dir", "shell"))
    groups = isinstance(who.get("groups"), dict) or isinstance(who.get("gids"), list)
    return uid if texts and groups else None


# -- whether it is accepted --------------------------------------------------------------------------------------------


def _unable(daemon: JudgingDaemon) -> list[str]:
    return [] if daemon.enabled else ["AuthAltTypes has not auth/jwt: this daemon takes no tokens at all."]


def _signature(token: str, parts: Parts, daemon: JudgingDaemon) -> tuple[str | None, list[str]]:
    """Who signed it, and why that is not enough."""
    written = str(parts.header.get("alg"))
    algorithm = written.upper() if daemon.old_libjwt else written
    if algorithm == "RS256":
        return _rs256(token, parts, daemon)
    if algorithm != "HS256" and (has(daemon.release, "jwks") or not algorithm.startswith("HS")):
        return None, [f"It is signed with {parts.header.get('alg')!r}, which Slurm {daemon.release} does not verify."]
    if daemon.hs256_key is None:
        return None, ["It is signed with HS256, and this daemon has no key for that: there is jwks= without jwt_key=."]
    if not signed_by(token, daemon.hs256_key):
        return None, ["It was not signed by the key in jwt_key=, but by another one or by a forger."]
    return "HS256", []


def _odd_type(parts: Parts, daemon: JudgingDaemon) -> list[str]:
    kind = parts.header.get("typ")
    if not daemon.old_libjwt or not isinstance(kind, str) or kind.upper() == "JWT":
        return []
    return [f"It is of type {kind!r}, and the libjwt of this host takes 'JWT' or no type at all."]


def _rs256(token: str, parts: Parts, daemon: JudgingDaemon) -> tuple[str | None, list[str]]:
    if not has(daemon.release, "jwks"):
        return None, [f"It is signed with RS256, which Slurm {daemon.release} does not verify: 21.08 or later does."]
    if daemon.key_set is None:
        return None, ["It is signed with RS256, and this daemon has no jwks=."]
    kid = parts.header.get("kid")
    if not isinstance(kid, str):
        return None, ["Its header names no kid, so Slurm finds no key for it. Have the issuer set one."]
    key = next((key for key in daemon.key_set.keys if key.kid == kid), None)
    if key is None:
        lost = next((lost for lost in daemon.key_set.dropped if lost.kid == kid), None)
        if lost:
            return None, [f"The key {kid!r} in jwks= {lost.reason}. Have slurm_jwks write the file."]
        return None, [f"jwks= has no key {kid!r}: it is of another issuer, or of a key that is not or no more trusted."]
    if not jwk.verifies(key, token.rpartition(".")[0].encode("utf-8"), parts.signature):
        return None, [f"It was not signed by the key {kid!r} in jwks=, but by another one or by a forger."]
    return kid, []


def _nobody(claim: str | None, name: str | None, daemon: JudgingDaemon) -> list[str]:
    if claim == "id" or name is not None:
        return []
    if daemon.minds("use_jwt_client_ids_only"):
        wanted = "uid, gid, and id with name, gecos, dir, shell and groups"
        return [f"It lacks what use_jwt_client_ids_only wants: {wanted}."]
    return [f"It names no user: Slurm looks for {', then '.join(names_read(daemon))}, and for text there."]


# -- what to think of before it is trusted -----------------------------------------------------------------------------


def _unknown(claim: str | None, name: str | None, found: KnownUser | None) -> list[str]:
    """Slurm lets such a token in, measured on all releases."""
    if claim == "id" or name is None or found:
        return []
    return [
        f"Its claim {claim} names {name!r}, whom this host does not know. Slurm lets the token in all the same, as"
        " nobody's: it shows what everybody may see, and takes no job. Create the user on the hosts of slurmctld and"
        " slurmdbd, or see who can have such a name put there."
    ]


def _power(
    claim: str | None, name: str | None, uid: int | None, found: KnownUser | None, daemon: JudgingDaemon
) -> list[str]:
    if name is None:
        return []
    if uid == 0 or (found and found.name == daemon.slurm_user):
        return [f"Its bearer is {'root' if uid == 0 else 'SlurmUser'}, and may be every other user as well."]
    if claim != "id" and name.isascii() and name.isdigit():
        return [f"Slurm takes the number {name} in the claim {claim} for a uid. Whoever could write 0 there is root."]
    if claim == "id":
        return ["It brings its uid, gid and groups along, and Slurm believes them: whoever sets them can be anybody."]
    return []


def _outranked(claim: str | None, daemon: JudgingDaemon) -> list[str]:
    """What other claims would make, or make, of the token."""
    field = daemon.claim_field
    if claim in ("sun", "username") and field and field != claim:
        return [
            f"Slurm reads {claim}, not {field}, which userclaimfield= names: sun and username outrank it. See at the"
            " issuer who can have them set, for that decides who one is."
        ]
    names = names_read(daemon)
    above = names[: names.index(claim)] if claim in names else []
    if above:
        return [
            f"Slurm reads {claim} only because there is no {' and no '.join(above)}. Whoever can have such a claim put"
            " into a token, by a mapper or an attribute of his own, can be anybody. Have the issuer never set"
            f" {'them' if len(above) > 1 else 'it'}."
        ]
    return []


def _editable(claim: str | None, claims: dict[str, Any]) -> list[str]:
    if claim is None or claim == "id":
        return []
    why = _EDITABLE.get(claim)
    found = [f"{why}. See that nobody can take the name of another user, in the claim {claim}."] if why else []
    # The same text in a claim that a user writes suggests where the mapper has it from.
    twins = [name for name in _EDITABLE if name != claim and claims.get(name) == claims[claim]]
    if twins and not why:
        found.append(
            f"What stands in {claim} is what stands in {', '.join(twins)}, too. If the issuer takes it from there, see"
            " that users cannot change it."
        )
    return found


def _addressee(parts: Parts) -> list[str]:
    """Only an issuer of others' tokens has addressees: HS256 tokens are the cluster's own."""
    if str(parts.header.get("alg")).upper() != "RS256":
        return []
    issuer, audience = _said(parts.claims.get("iss")), _said(parts.claims.get("aud"))
    return [
        f"It was made out by {issuer} for {audience}, and Slurm checks neither: each token that this key signs is good"
        " here, for whatever application it was made. See that the key signs for this cluster alone."
    ]


def _said(value: object) -> str:
    """A claim of a stranger, fit for a message."""
    if isinstance(value, list) and value:
        return ", ".join(_said(each) for each in value[:5])
    return ascii(value)[:120] if isinstance(value, str) and value else "nobody that it names"


def _length(claims: dict[str, Any]) -> list[str]:
    life = lifespan_of(claims)
    if life is None or life <= LONGEST:
        return []
    return [f"It lives for {life // 86400} days, and max_token_lifespan does not bind tokens that others make."]
