# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tokens a cluster accepts: HS256 tokens, RS256 tokens of a key set, or both. Private to this collection.

With a key set the site must declare HS256 explicitly. Without HS256 every HS256 token is refused and "scontrol token"
makes none. With HS256 every key host keeps a key that signs for root.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import grouped

Observed = Mapping[str, Any]


class LocalKey(NamedTuple):
    """The local signing key: an RSA key on the primary controller, whose public key is part of the key set."""

    path: str = ""
    """Empty: there is none."""
    known: bool = True
    """Whether its public key is known. It is not before the key is created."""
    changes: bool = False
    """Whether a rollout would create it, give it a serial, or repair owner or mode."""
    refusal: str | None = None
    """Why it cannot be used, with the remedy."""


class Trust(NamedTuple):
    """What the site declares."""

    jwks: bool | None = None
    """Whether there is a key set. None: nothing is declared, and it stays as it is."""
    hs256: bool | None = None
    """Whether HS256 tokens are accepted. None: nothing is declared; they are accepted unless a key set is declared."""
    local_key: LocalKey = LocalKey()
    signing: str = ""
    """The algorithm that signs tokens of services and of the proof. Empty: HS256 if that is accepted."""
    services: bool = False
    """Whether the site declares tokens for services."""
    renewed: bool = False
    """Whether a timer renews one of them with scontrol token."""

    @property
    def with_hs256(self) -> bool:
        return not self.jwks if self.hs256 is None else self.hs256

    @property
    def signs_rs256(self) -> bool:
        return self.signing == "RS256" if self.signing else not self.with_hs256


def signing_key(trust: Trust, hs256_key_path: str) -> str | None:
    """The key that signs tokens of services and of the proof; None if the cluster has none."""
    return (trust.local_key.path or None) if trust.signs_rs256 else hs256_key_path


def algorithms(observed: Observed) -> set[str]:
    """The algorithms that the files of a host accept: HS256, RS256 or both."""
    found = set()
    for name in ("conf", "dbd_conf"):
        conf = observed[name] or {}
        if conf.get("jwt_enabled"):
            found |= {kind for kind, path in (("HS256", conf["key_path"]), ("RS256", conf["jwks_path"])) if path}
    return found


def refusals(trust: Trust, observations: Mapping[str, Observed], key_hosts: Sequence[str]) -> list[str]:
    """Why a rollout would refuse tokens that work now, or accept none."""
    now = {host: algorithms(observations[host]) for host in key_hosts}
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
                "slurm_jwt_rs256_key_path), but slurm_jwt_hs256 is not. Set slurm_jwt_hs256: true to accept both, so "
                "that no token that works now is refused; or slurm_jwt_hs256: false, after which every HS256 token is "
                "refused and 'scontrol token' makes none."
            ]
    if trust.jwks is None and trust.hs256 is None:
        only = [host for host in key_hosts if now[host] == {"RS256"}]
        if only:
            return [
                f"{only[0]}: accepts RS256 tokens only, by a key set that is not declared. An HS256 key would be "
                "one more that signs for root. Declare the key set in slurm_jwt_jwks_sources, or set "
                "slurm_jwt_hs256: true to accept both."
            ]
    unusable = [trust.local_key.refusal] if trust.local_key.refusal else []
    return unusable + _signing(trust) + _key_sets(trust, observations, key_hosts)


def _signing(trust: Trust) -> list[str]:
    if trust.signing == "HS256" and not trust.with_hs256:
        return [
            "slurm_jwt_signing_algorithm is HS256, and HS256 tokens are not accepted. Set slurm_jwt_hs256: true, or "
            "sign with RS256."
        ]
    if not trust.signs_rs256:
        return []
    if not trust.local_key.path and (trust.services or trust.signing):
        why = "slurm_jwt_signing_algorithm is RS256" if trust.signing else "Without HS256"
        return [
            f"{why}, and there is no local RSA key to sign the tokens of services. Name a path in "
            "slurm_jwt_rs256_key_path, where a rollout creates one, or sign with HS256 (slurm_jwt_hs256: true)."
        ]
    if trust.renewed:
        return [
            "A service in slurm_jwt_tokens_services has renew, which calls 'scontrol token', and that makes HS256 "
            "tokens only. Remove renew and run the playbook hpc.slurm_jwt.tokens regularly, or sign with HS256."
        ]
    return []


def _key_sets(trust: Trust, observations: Mapping[str, Observed], key_hosts: Sequence[str]) -> list[str]:
    """Sources that could not be fetched, or that return different keys to the key hosts."""
    if not trust.jwks:
        return []
    observed = {host: observations[host].get("trust") or {} for host in key_hosts}
    reasons = grouped((host, result["msg"]) for host, result in observed.items() if result.get("msg"))
    if reasons:
        return reasons
    if distrusts(observations, key_hosts):
        # A distrusted key is removed now, even if the sources differ.
        return []
    offered = {host: _offered(result) for host, result in observed.items() if result.get("kids") is not None}
    first = next(iter(offered), "")
    return [
        f"{host} and {first} do not find the same keys in slurm_jwt_jwks_sources: {_kids(keys ^ offered[first])} "
        "is offered to one of them only. If the provider is changing its keys now, run this again in a minute. "
        "Otherwise check proxies and caches between it and these hosts, or correct the file that is a source."
        for host, keys in offered.items()
        if keys != offered[first]
    ][:1]


def distrusts(observations: Mapping[str, Observed], key_hosts: Sequence[str]) -> bool:
    """Whether a key host trusts a key that the site distrusts. No source can prevent its removal."""
    return any((observations[host].get("trust") or {}).get("distrusts") for host in key_hosts)


def _offered(result: Observed) -> set[tuple[str, str]]:
    """The keys of the sources, by kid and modulus, without withdrawn keys."""
    retired = {each["kid"] for each in result["retired"]}
    return {(key["kid"], key["n"]) for key in _keys(result) if key["kid"] not in retired}


def inherited(results: Iterable[Observed]) -> list[dict[str, Any]]:
    """The withdrawn keys that key hosts trust until the last token has expired, for a new key host."""
    until: dict[str, str] = {}
    keys = {}
    for result in results:
        keys.update({key["kid"]: key for key in _keys(result)})
        for retired in result.get("retired") or ():
            # Text of this form sorts by time.
            until[retired["kid"]] = max(retired["until"], until.get(retired["kid"], ""))
    return [{"jwk": keys[kid], "until": until[kid]} for kid in sorted(until)]


def _keys(result: Observed) -> Sequence[dict[str, str]]:
    """The keys of the desired key set, with the withdrawn ones."""
    keys: Sequence[dict[str, str]] = (result.get("jwks") or {}).get("keys", ())
    return keys


def _kids(keys: set[tuple[str, str]]) -> str:
    return ", ".join(sorted({kid for kid, _n in keys}))


def targets(trust: Trust, observations: Mapping[str, Observed], key_hosts: Sequence[str]) -> list[str]:
    """The key hosts whose key set is not up to date."""
    if trust.jwks and not trust.local_key.known:
        return list(key_hosts)
    return [host for host in key_hosts if trust.jwks and (observations[host].get("trust") or {}).get("differs")]


def replaced_on(trust: Trust, observations: Mapping[str, Observed], key_hosts: Sequence[str]) -> list[str]:
    """The key hosts on which keys change, so daemons must load them."""
    if trust.jwks and not trust.local_key.known:
        return list(key_hosts)
    return [host for host in key_hosts if trust.jwks and (observations[host].get("trust") or {}).get("content_changed")]


def warnings(trust: Trust, observations: Mapping[str, Observed], key_hosts: Sequence[str]) -> list[str]:
    """What an administrator should know."""
    notes = []
    undeclared = [host for host in key_hosts if trust.jwks is None and "RS256" in algorithms(observations[host])]
    if undeclared:
        path = (observations[undeclared[0]]["jwks"] or {}).get("path")
        notes.append(
            f"{undeclared[0]}: trusts the keys of {path}, which the site does not declare, so it stays as it is. "
            "Declare slurm_jwt_jwks_sources; an empty list removes jwks=."
        )
    notes += grouped(
        (host, f"{one['reason']} Its keys that are trusted stay trusted, and new ones are not trusted.")
        for host in (key_hosts if trust.jwks else ())
        for one in (observations[host].get("trust") or {}).get("failed_sources") or ()
    )
    for host in key_hosts[:1] if trust.jwks else ():
        dropped = (observations[host].get("trust") or {}).get("dropped") or ()
        notes += [f"{one['source']}: the key {one['kid']} is not trusted: it {one['reason']}." for one in dropped]
    if trust.jwks and trust.with_hs256:
        notes.append(
            "HS256 is on together with the key set (slurm_jwt_hs256): the cluster accepts tokens of its own key as "
            "well as those of the provider, and that key signs for root."
        )
    elif trust.jwks:
        notes.append("HS256 is off: 'scontrol token' makes no token, and none that it made before is accepted.")
    return notes
