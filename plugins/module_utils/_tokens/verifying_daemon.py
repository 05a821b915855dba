# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon that verifies tokens, and the claim from which it reads the user. Private to this collection."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import KeySet
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, has
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import integer


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


def claim_read(claims: dict[str, Any], daemon: VerifyingDaemon) -> tuple[str | None, str | None]:
    """The claim that Slurm reads the user from, and its value."""
    only = daemon.has_flag("use_jwt_client_ids_only")
    if (only or daemon.has_flag("use_jwt_client_ids")) and client_uid(claims) is not None:
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


def client_uid(claims: dict[str, Any]) -> int | None:
    """The uid in a token that describes its user completely, as use_jwt_client_ids needs it; else None."""
    who, uid, gid = claims.get("id"), integer(claims.get("uid")), integer(claims.get("gid"))
    if not isinstance(who, dict) or uid is None or gid is None:
        return None
    texts = all(isinstance(who.get(member), str) for member in ("name", "gecos", "dir", "shell"))
    groups = isinstance(who.get("groups"), dict) or isinstance(who.get("gids"), list)
    return uid if texts and groups else None
