# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tokens a cluster is to trust: HS256 ones of its own key, RS256 ones of a key set, or both. Private to this
collection.

HS256 beside a key set is never a silent choice: leaving it out refuses every HS256 token and ends "scontrol token", and
leaving it in keeps a key on every key host that signs for root.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Look = Mapping[str, Any]


class LocalKey(NamedTuple):
    """The site's own RSA key, on the primary controller, whose public half is part of the key set."""

    path: str = ""
    """Empty: there is none."""
    known: bool = True
    """Whether its public half is known. It is not before the key is made."""
    changes: bool = False
    """Whether a rollout would make it, give it a label, or mend owner or mode."""
    refusal: str | None = None
    """Why it cannot be used, with the remedy."""


class Trust(NamedTuple):
    """What the site declares."""

    jwks: bool | None = None
    """Whether there is a key set. None: nothing is declared, and it stays as it is."""
    hs256: bool | None = None
    """Whether HS256 tokens count. None: nothing is declared; they do where no key set is declared."""
    local_key: LocalKey = LocalKey()
    signing: str = ""
    """Which algorithm signs tokens of services and of the proof. Empty: HS256 where that counts."""
    services: bool = False
    """Whether the site declares tokens for services."""
    renewed: bool = False
    """Whether one of them is renewed by scontrol token."""

    @property
    def with_hs256(self) -> bool:
        return not self.jwks if self.hs256 is None else self.hs256

    @property
    def signs_rs256(self) -> bool:
        return self.signing == "RS256" if self.signing else not self.with_hs256


def signing_key(trust: Trust, hs256_key_path: str) -> str | None:
    """The key that signs tokens of services and of the proof; None if the cluster has none."""
    return (trust.local_key.path or None) if trust.signs_rs256 else hs256_key_path


def in_force(look: Look) -> set[str]:
    """HS256 and RS256, as far as the files of a host have it."""
    found = set()
    for name in ("conf", "dbd_conf"):
        conf = look[name] or {}
        if conf.get("jwt_enabled"):
            found |= {kind for kind, path in (("HS256", conf["key_path"]), ("RS256", conf["jwks_path"])) if path}
    return found


def refusals(trust: Trust, looks: Mapping[str, Look], key_hosts: Sequence[str]) -> list[str]:
    """Why a rollout would lock somebody out, or have nobody's tokens left."""
    now = {host: in_force(looks[host]) for host in key_hosts}
    if trust.hs256 is False and not trust.jwks:
        return [
            "slurm_jwt_hs256 is false, and there is neither a source in slurm_jwt_jwks_sources nor a "
            "slurm_jwt_rs256_key_path, so no token would be accepted. Name the sources of the RS256 keys, or leave "
            "HS256 on."
        ]
    if trust.jwks and trust.hs256 is None:
        having = [host for host in key_hosts if "HS256" in now[host]]
        if having:
            return [
                f"{having[0]}: accepts HS256 tokens now, and a key set is declared (slurm_jwt_jwks_sources or "
                "slurm_jwt_rs256_key_path) without a word on HS256. Say slurm_jwt_hs256: true to have both, so that no "
                "token that works now is refused; or slurm_jwt_hs256: false, after which every HS256 token is refused "
                "and 'scontrol token' makes none."
            ]
    if trust.jwks is None and trust.hs256 is None:
        only = [host for host in key_hosts if now[host] == {"RS256"}]
        if only:
            return [
                f"{only[0]}: accepts RS256 tokens only, by a key set that is not declared. A key for HS256 would be "
                "one more that signs for root. Declare the key set in slurm_jwt_jwks_sources, or say "
                "slurm_jwt_hs256: true to have HS256 beside it."
            ]
    unusable = [trust.local_key.refusal] if trust.local_key.refusal else []
    return unusable + _refused_services(trust) + _looks_refused(trust, looks, key_hosts)


def _refused_services(trust: Trust) -> list[str]:
    if trust.signing == "HS256" and not trust.with_hs256:
        return [
            "slurm_jwt_signing_algorithm is HS256, and HS256 tokens do not count. Say slurm_jwt_hs256: true, or have "
            "RS256 sign."
        ]
    if not trust.signs_rs256:
        return []
    if not trust.local_key.path and (trust.services or trust.signing):
        why = "slurm_jwt_signing_algorithm is RS256" if trust.signing else "Without HS256"
        return [
            f"{why}, and there is no RSA key of the site's own to sign the tokens of services with. Name a path for "
            "one in slurm_jwt_rs256_key_path, where a rollout makes it, or have HS256 sign with slurm_jwt_hs256: true."
        ]
    if trust.renewed:
        return [
            "A service in slurm_jwt_tokens_services has renew, which asks 'scontrol token', and that makes HS256 "
            "tokens only. Leave renew out and run the playbook hpc.slurm_jwt.tokens regularly, or have HS256 sign."
        ]
    return []


def _looks_refused(trust: Trust, looks: Mapping[str, Look], key_hosts: Sequence[str]) -> list[str]:
    """Sources that could not be fetched, or that do not say the same to every key host."""
    if not trust.jwks:
        return []
    found = {host: looks[host].get("trust") or {} for host in key_hosts}
    reasons = [f"{host}: {seen['msg']}" for host, seen in found.items() if seen.get("msg")]
    if reasons:
        return reasons
    if distrusts(looks, key_hosts):
        # Whatever sources say to whom, a key that the site has named goes now.
        return []
    offered = {host: _offered(seen) for host, seen in found.items() if seen.get("kids") is not None}
    first = next(iter(offered), "")
    return [
        f"{host} and {first} do not find the same keys in slurm_jwt_jwks_sources: {_kids(keys ^ offered[first])} "
        "is seen by one of them only. If the provider is changing its keys at this moment, run this again in a minute. "
        "Else see what stands between it and these hosts, or correct the file that is a source."
        for host, keys in offered.items()
        if keys != offered[first]
    ][:1]


def distrusts(looks: Mapping[str, Look], key_hosts: Sequence[str]) -> bool:
    """Whether a key host still trusts a key that the site has named. No source keeps that from being done."""
    return any((looks[host].get("trust") or {}).get("distrusts") for host in key_hosts)


def _offered(seen: Look) -> set[tuple[str, str]]:
    """What the sources have, by kid and modulus, without what only stays until the last token has run out."""
    retired = {gone["kid"] for gone in seen["retired"]}
    return {(key["kid"], key["n"]) for key in _keys(seen) if key["kid"] not in retired}


def inherited(seen: Iterable[Look]) -> list[dict[str, Any]]:
    """What a new key host has to begin with, from the looks of all: keys that only stay until their tokens run out."""
    until: dict[str, str] = {}
    keys = {}
    for look in seen:
        keys.update({key["kid"]: key for key in _keys(look)})
        for gone in look.get("retired") or ():
            # Times of this form sort as they follow one another.
            until[gone["kid"]] = max(gone["until"], until.get(gone["kid"], ""))
    return [{"jwk": keys[kid], "until": until[kid]} for kid in sorted(until)]


def _keys(seen: Look) -> Sequence[dict[str, str]]:
    """The key set as it would be, with what only stays until the last token has run out."""
    keys: Sequence[dict[str, str]] = (seen.get("jwks") or {}).get("keys", ())
    return keys


def _kids(keys: set[tuple[str, str]]) -> str:
    return ", ".join(sorted({kid for kid, _n in keys}))


def targets(trust: Trust, looks: Mapping[str, Look], key_hosts: Sequence[str]) -> list[str]:
    """The key hosts whose key set is not as the sources have it."""
    if trust.jwks and not trust.local_key.known:
        return list(key_hosts)
    return [host for host in key_hosts if trust.jwks and (looks[host].get("trust") or {}).get("differs")]


def replaced_on(trust: Trust, looks: Mapping[str, Look], key_hosts: Sequence[str]) -> list[str]:
    """The key hosts on which keys change, so that their daemons have to load them."""
    if trust.jwks and not trust.local_key.known:
        return list(key_hosts)
    return [host for host in key_hosts if trust.jwks and (looks[host].get("trust") or {}).get("content_changed")]


def warnings(trust: Trust, looks: Mapping[str, Look], key_hosts: Sequence[str]) -> list[str]:
    """What a person should know of it."""
    notes = []
    undeclared = [host for host in key_hosts if trust.jwks is None and "RS256" in in_force(looks[host])]
    if undeclared:
        notes.append(
            f"{undeclared[0]}: trusts the keys of {(looks[undeclared[0]]['jwks'] or {}).get('path')}, which the site "
            "does not declare, so it was left alone. Declare slurm_jwt_jwks_sources; an empty list takes jwks= away."
        )
    for host in key_hosts if trust.jwks else ():
        failed = (looks[host].get("trust") or {}).get("failed_sources") or ()
        notes += [
            f"{host}: {one['reason']} The keys that are trusted of it stay so, and new ones are not trusted."
            for one in failed
        ]
    for host in key_hosts[:1] if trust.jwks else ():
        dropped = (looks[host].get("trust") or {}).get("dropped") or ()
        notes += [f"{one['source']}: the key {one['kid']} is not trusted: it {one['reason']}." for one in dropped]
    if trust.jwks and trust.with_hs256:
        notes.append(
            "HS256 is on beside the key set (slurm_jwt_hs256): tokens of the cluster's own key count as well as "
            "those of the provider, and that key signs for root."
        )
    elif trust.jwks:
        notes.append("HS256 is off: 'scontrol token' makes no token, and none that it made before is accepted.")
    return notes
