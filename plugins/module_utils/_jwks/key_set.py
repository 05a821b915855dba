# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads sets of JSON Web Keys from any author, and writes the one for Slurm. Private to this collection.

What an issuer publishes is untrusted text. Its size is checked before it is parsed, only the needed members are read,
and nothing is copied: the file is written from the numbers of the checked keys. Slurm's daemons exit if a key has
no kid, n or e, and crash if n or e is not base64url.
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
    PrivateKeyFound,
    looks_like_pem,
    numbers_in_blocks,
)

MAX_SIZE = 1024 * 1024
MAX_KEYS = 100
"""No issuer has more, and slurmctld searches all of them for each token."""
MAX_DEPTH = 32

# An unterminated string must match too, or each quote in it would start a new one.
_NESTING = re.compile(r'"(?:[^"\\]+|\\.)*"?|([\[{])|([\]}])', re.DOTALL)
_PAGE = re.compile(r"\s*<")


class KeySetError(Exception):
    """The data is not a key set. str() continues a sentence that starts with the source, and has the remedy."""


class KeySetEmpty(KeySetError):
    """The key set has no key."""


class DroppedKey(NamedTuple):
    """A key that is not trusted, and why."""

    kid: str
    """Its kid, or its position in the set if no kid can be shown."""
    reason: str
    """It continues a sentence that starts with the key."""


class KeySet(NamedTuple):
    """The keys of a document."""

    keys: list[Jwk]
    dropped: list[DroppedKey]
    leaked: frozenset[int]
    """Moduli whose private part is in the document, and was checked to fit."""


class Limits(NamedTuple):
    """How large a document may be."""

    size: int = MAX_SIZE
    keys: int = MAX_KEYS


LIMITS = Limits()
OWN_LIMITS = Limits(16 * MAX_SIZE, 100 * MAX_KEYS)
"""The file that Slurm reads has the keys of all sources, and the withdrawn ones."""


class _Object(dict):  # type: ignore[type-arg]
    """A JSON object that remembers repeated members: parsers differ in which one counts."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.repeated: list[str] = []
        for name, _value in pairs:
            if name in seen:
                self.repeated.append(name)
            seen.add(name)


def parse(data: bytes, rules: Rules = RULES, kid: str | None = None, limits: Limits = LIMITS) -> KeySet:
    """The keys in a document: a JWK set, one JWK, public PEM keys, certificates, or certificates by kid.

    KID is the kid for a single key without one.
    """
    if len(data) > limits.size:
        raise KeySetError(f"has more than {limits.size} bytes, which is too much for a key set. Check what is there.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise KeySetError(
            "is not text. Convert a certificate in DER to PEM with openssl x509 -inform DER. Anything else is not a key"
            " set."
        ) from None
    if not text.strip():
        raise KeySetError("is empty. Check what is there.")
    if text.lstrip()[:1] not in ("{", "["):
        return _parse_other(text, rules, kid)
    return _checked(_candidates(load_json(text), limits.keys), rules, kid)


def render(keys: Sequence[Jwk]) -> bytes:
    """The file that Slurm reads. The same keys in any order give the same bytes. If it has no key, Slurm starts and
    refuses every RS256 token."""
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("two keys with one kid")
    content = {"keys": [members(key) for key in sorted(keys)]}
    return (json.dumps(content, indent=2, ensure_ascii=True) + "\n").encode("ascii")


def load_json(text: str) -> Any:
    """Parse untrusted JSON. Numbers are not converted: none is needed, and a long one takes time."""
    _refuse_deep(text)
    try:
        return json.loads(
            text, object_pairs_hook=_Object, parse_int=_no_number, parse_float=_no_number, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise KeySetError(
            "is not JSON, though it begins like it; perhaps it is cut off. Check what is there."
        ) from None


def _no_number(_text: str) -> float:
    return 0.0


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _refuse_deep(text: str) -> None:
    depth = 0
    for match in _NESTING.finditer(text):
        depth += bool(match[1]) - bool(match[2])
        if depth > MAX_DEPTH:
            raise KeySetError(
                f"is nested more than {MAX_DEPTH} deep, which is too much for a key set. Check what is there."
            )


def _parse_other(text: str, rules: Rules, kid: str | None) -> KeySet:
    if looks_like_pem(text):
        return _parse_pem(text, rules, kid)
    if _PAGE.match(text):
        raise KeySetError(
            "is an HTML or XML page, perhaps a login page. Use the address of the key set itself, which must answer"
            " without a login."
        )
    raise KeySetError("is neither JSON nor PEM. Check what is there.")


def _parse_pem(text: str, rules: Rules, kid: str | None) -> KeySet:
    if text.count("-----BEGIN ") > MAX_KEYS:
        raise KeySetError(f"has more than {MAX_KEYS} PEM blocks. Use a file with only the keys that sign tokens.")
    try:
        blocks = numbers_in_blocks(text)
    except PrivateKeyFound as exc:
        raise KeySetError(str(exc)) from None
    if not blocks:
        raise KeySetError("begins like PEM, but has no complete block. Perhaps it is cut off.")
    keys: list[Jwk] = []
    dropped = []
    for number, each in enumerate(blocks, 1):
        try:
            if isinstance(each, KeyRefused):
                raise each
            keys.append(named(kid if len(blocks) == 1 else None, *each, rules))
        except KeyRefused as exc:
            dropped.append(DroppedKey(f"PEM block {number}", str(exc)))
    return KeySet(_unique(keys), dropped, frozenset())


def _candidates(document: object, max_keys: int) -> list[object]:
    """The unchecked entries of a document."""
    if not isinstance(document, _Object):
        raise KeySetError("is a JSON list. A key set is an object with a member keys.")
    if document.repeated:
        raise KeySetError(
            f"has the member {ascii(document.repeated[0])[:40]} twice, and parsers differ in which one counts."
        )
    if "keys" in document:
        keys = document["keys"]
        if not isinstance(keys, list):
            raise KeySetError("has a member keys that is not a list. Check what is there.")
        if not keys:
            raise KeySetEmpty("has no key at all: its list keys is empty.")
        if len(keys) > max_keys:
            raise KeySetError(f"has {len(keys)} keys; {max_keys} is the most. Check what is there.")
        return keys
    if "kty" in document:
        return [document]
    if "jwks_uri" in document:
        raise KeySetError("is the configuration of an OpenID provider, not its keys. Give its issuer as the source.")
    certificates = _by_kid(document)
    if certificates:
        return certificates
    raise KeySetError("is JSON without a member keys, so it is not a key set. Check what is there.")


def _by_kid(document: dict[str, Any]) -> list[object]:
    """Certificates by kid, as Google publishes them beside its key set."""
    begin = "-----BEGIN CERTIFICATE-----"
    if not 0 < len(document) <= MAX_KEYS:
        return []
    if not all(isinstance(pem, str) and pem.startswith(begin) for pem in document.values()):
        return []
    bodies = {kid: pem[len(begin) :].partition("-----END")[0] for kid, pem in document.items()}
    return [_Object([("kid", kid), ("kty", "RSA"), ("x5c", [body])]) for kid, body in bodies.items()]


def _checked(candidates: list[object], rules: Rules, kid: str | None) -> KeySet:
    keys: list[Jwk] = []
    dropped = []
    leaked: set[int] = set()
    for number, candidate in enumerate(candidates, 1):
        try:
            if not isinstance(candidate, _Object):
                raise KeyRefused("is not a JSON object")
            if candidate.repeated:
                raise KeyRefused(f"has the member {ascii(candidate.repeated[0])[:40]} twice")
            if kid and len(candidates) == 1 and candidate.get("kid") is None:
                candidate["kid"] = kid
            keys.append(from_members(candidate, rules))
        except Leaked as exc:
            dropped.append(DroppedKey(_shown_kid(candidate, number), str(exc)))
            leaked.add(exc.modulus)
        except KeyRefused as exc:
            dropped.append(DroppedKey(_shown_kid(candidate, number), str(exc)))
        except Exception as exc:
            # An error in one key must not affect the others.
            dropped.append(DroppedKey(_shown_kid(candidate, number), f"cannot be read ({type(exc).__name__})"))
    return KeySet(_unique(keys), dropped, frozenset(leaked))


def _unique(keys: list[Jwk]) -> list[Jwk]:
    return list(dict.fromkeys(keys))


def _shown_kid(candidate: object, number: int) -> str:
    kid = candidate.get("kid") if isinstance(candidate, dict) else None
    return ascii(kid)[1:-1][:80] if isinstance(kid, str) and kid else f"number {number}"
