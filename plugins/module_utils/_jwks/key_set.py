# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads sets of JSON Web Keys, whoever wrote them, and writes the one that Slurm gets. Private to this collection.

What an issuer publishes is a stranger's text. It is measured before it is parsed, nothing in it is looked at that is
not needed, and nothing of it is copied: what is written is made anew from the numbers of keys that were judged. Slurm's
daemons stop at a key without kid, n or e, and die of n or e that is not base64url.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import (
    RULES,
    Jwk,
    Leaked,
    Rules,
    from_members,
    members,
    named,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.pem import (
    KeyRefused,
    LibraryMissing,
    PrivateKeyFound,
    looks_like_pem,
    numbers_in_blocks,
)

MAX_SIZE = 1024 * 1024
MAX_KEYS = 100
"""No issuer has more, and slurmctld looks through all of them for each token."""
MAX_DEPTH = 32

# A string that does not end must match too, or each quote in it would be looked at as a beginning.
_NESTING = re.compile(r'"(?:[^"\\]+|\\.)*"?|([\[{])|([\]}])', re.DOTALL)
_PAGE = re.compile(r"\s*<")


class KeySetError(Exception):
    """This is no set of keys; str() is a predicate that fits behind the name of where it came from, with the remedy."""


class KeySetEmpty(KeySetError):
    """This is a set of keys, and there is no key in it."""


class DroppedKey(NamedTuple):
    """A key that is not trusted, and why."""

    kid: str
    """Its kid, or its place in the set where it has none that can be shown."""
    reason: str
    """A predicate."""


class KeySet(NamedTuple):
    """What was found in a document."""

    keys: list[Jwk]
    dropped: list[DroppedKey]
    leaked: frozenset[int]
    """Moduli whose private part is in the document, as was proven."""


class Limits(NamedTuple):
    """How much a document may hold."""

    size: int = MAX_SIZE
    keys: int = MAX_KEYS


LIMITS = Limits()
OWN_LIMITS = Limits(16 * MAX_SIZE, 100 * MAX_KEYS)
"""The file that Slurm reads has the keys of all sources, and the withdrawn ones."""


class _Object(dict):  # type: ignore[type-arg]
    """A JSON object that remembers which of its members it has twice: readers differ in which of them counts."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.twice = [name for name, _value in pairs if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


def parse(data: bytes, rules: Rules = RULES, kid: str | None = None, limits: Limits = LIMITS) -> KeySet:
    """The keys in a document: a JWK set, one JWK, public PEM keys, certificates, or certificates by kid.

    KID is what a single key without one is to be called.
    """
    if len(data) > limits.size:
        raise KeySetError(f"has more than {limits.size} bytes, which no set of keys has. Look what is there.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise KeySetError(
            "is not text. A certificate in DER is made PEM with openssl x509 -inform DER; anything else is no key set."
        ) from None
    if not text.strip():
        raise KeySetError("is empty. Look what is there.")
    if text.lstrip()[:1] not in ("{", "["):
        return _parse_other(text, rules, kid)
    return _checked(_candidates(load_json(text), limits.keys), rules, kid)


def render(keys: Sequence[Jwk]) -> bytes:
    """The file that Slurm reads. The same keys make the same bytes, in whatever order they come. With no key in it
    Slurm starts, and refuses every RS256 token."""
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("two keys with one kid")
    content = {"keys": [members(key) for key in sorted(keys)]}
    return (json.dumps(content, indent=2, ensure_ascii=True) + "\n").encode("ascii")


def load_json(text: str) -> Any:
    """JSON that a stranger wrote. Numbers are not converted, as none is needed and a long one takes time."""
    _refuse_deep(text)
    try:
        return json.loads(
            text, object_pairs_hook=_Object, parse_int=_no_number, parse_float=_no_number, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise KeySetError("is not JSON, though it begins like it; perhaps it is cut off. Look what is there.") from None


def _no_number(_text: str) -> float:
    return 0.0


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _refuse_deep(text: str) -> None:
    depth = 0
    for found in _NESTING.finditer(text):
        depth += bool(found[1]) - bool(found[2])
        if depth > MAX_DEPTH:
            raise KeySetError(f"is nested more than {MAX_DEPTH} deep, which no set of keys is. Look what is there.")


def _parse_other(text: str, rules: Rules, kid: str | None) -> KeySet:
    if looks_like_pem(text):
        return _parse_pem(text, rules, kid)
    if _PAGE.match(text):
        raise KeySetError(
            "is an HTML or XML page, perhaps one to log in. Name the address of the key set itself, which has to answer"
            " without a login."
        )
    raise KeySetError("is neither JSON nor PEM. Look what is there.")


def _parse_pem(text: str, rules: Rules, kid: str | None) -> KeySet:
    if text.count("-----BEGIN ") > MAX_KEYS:
        raise KeySetError(f"holds more than {MAX_KEYS} PEM blocks. Name the keys that sign tokens, and no others.")
    try:
        found = numbers_in_blocks(text)
    except PrivateKeyFound as exc:
        raise KeySetError(str(exc)) from None
    if not found:
        raise KeySetError("begins like PEM, but has no complete block. Perhaps it is cut off.")
    keys: list[Jwk] = []
    dropped = []
    for number, each in enumerate(found, 1):
        try:
            if isinstance(each, KeyRefused):
                raise each
            keys.append(named(kid if len(found) == 1 else None, *each, rules))
        except KeyRefused as exc:
            dropped.append(DroppedKey(f"PEM block {number}", str(exc)))
    return KeySet(_without_repetitions(keys), dropped, frozenset())


def _candidates(found: object, most: int) -> list[object]:
    """The keys of a document, not judged yet."""
    if not isinstance(found, _Object):
        raise KeySetError("is a JSON list. A set of keys is an object with a member keys.")
    if found.twice:
        raise KeySetError(f"has the member {ascii(found.twice[0])[:40]} twice, and readers differ in which counts.")
    if "keys" in found:
        keys = found["keys"]
        if not isinstance(keys, list):
            raise KeySetError("has a member keys that is not a list. Look what is there.")
        if not keys:
            raise KeySetEmpty("has no key at all: its list keys is empty.")
        if len(keys) > most:
            raise KeySetError(f"has {len(keys)} keys; {most} is the most that is taken. Look what is there.")
        return keys
    if "kty" in found:
        return [found]
    if "jwks_uri" in found:
        raise KeySetError("is the configuration of an OpenID provider, not its keys. Give its issuer as the source.")
    certificates = _by_kid(found)
    if certificates:
        return certificates
    raise KeySetError("is JSON without a member keys, so it is no set of keys. Look what is there.")


def _by_kid(found: dict[str, Any]) -> list[object]:
    """Certificates by kid, as Google publishes them beside its key set."""
    begin = "-----BEGIN CERTIFICATE-----"
    if not 0 < len(found) <= MAX_KEYS:
        return []
    if not all(isinstance(pem, str) and pem.startswith(begin) for pem in found.values()):
        return []
    bodies = {kid: pem[len(begin) :].partition("-----END")[0] for kid, pem in found.items()}
    return [_Object([("kid", kid), ("kty", "RSA"), ("x5c", [body])]) for kid, body in bodies.items()]


def _checked(candidates: list[object], rules: Rules, kid: str | None) -> KeySet:
    keys: list[Jwk] = []
    dropped = []
    leaked: set[int] = set()
    for number, candidate in enumerate(candidates, 1):
        try:
            if not isinstance(candidate, _Object):
                raise KeyRefused("is not a JSON object")
            if candidate.twice:
                raise KeyRefused(f"has the member {ascii(candidate.twice[0])[:40]} twice")
            if kid and len(candidates) == 1 and candidate.get("kid") is None:
                candidate["kid"] = kid
            keys.append(from_members(candidate, rules))
        except Leaked as exc:
            dropped.append(DroppedKey(_shown_kid(candidate, number), str(exc)))
            leaked.add(exc.modulus)
        except (KeyRefused, LibraryMissing) as exc:
            dropped.append(DroppedKey(_shown_kid(candidate, number), str(exc)))
        except Exception as exc:
            # Whatever a stranger has put into one key, the others are not touched by it.
            dropped.append(DroppedKey(_shown_kid(candidate, number), f"cannot be read ({type(exc).__name__})"))
    return KeySet(_without_repetitions(keys), dropped, frozenset(leaked))


def _without_repetitions(keys: list[Jwk]) -> list[Jwk]:
    return list(dict.fromkeys(keys))


def _shown_kid(candidate: object, number: int) -> str:
    kid = candidate.get("kid") if isinstance(candidate, dict) else None
    return ascii(kid)[1:-1][:80] if isinstance(kid, str) and kid else f"number {number}"
