# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to consider before a site trusts tokens like a given one. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import User
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenParts, lifespan_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import LONGEST
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.verifying_daemon import VerifyingDaemon, names_read

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


def cautions(
    parts: TokenParts, claim: str | None, name: str | None, uid: int | None, user: User | None, daemon: VerifyingDaemon
) -> list[str]:
    """A sentence for each caution. CLAIM is the one that the daemon reads, NAME its value."""
    return [
        *_unknown_user(claim, name, user),
        *_power(claim, name, uid, user, daemon),
        *_outranked(claim, daemon),
        *_editable(claim, parts.claims),
        *_audience(parts),
        *_lifespan(parts.claims),
    ]


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
