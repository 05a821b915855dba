# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a token, and which key signed it. Private to this collection.

Checking a signature takes one HMAC, which the standard library has: a run that has nothing to do never imports PyJWT.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, has

HMAC_DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
# Escapes that libjwt's JSON reader may refuse: NUL, and halves of surrogate pairs.
_REFUSED_ESCAPES = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def _parse_int(text: str) -> int:
    if not -(2**63) <= int(text) < 2**63:
        raise ValueError("a number is too large")
    return int(text)


def _parse_float(text: str) -> float:
    if float(text) in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return float(text)


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


# As strict as libjwt's reader. Python's reader accepts NaN, and numbers of any size.
_JSON = json.JSONDecoder(parse_int=_parse_int, parse_float=_parse_float, parse_constant=_refuse_constant)


class TokenError(Exception):
    """Something is not a token, or none can be made. The text says why and what to do; it never holds the token."""


class TokenParts(NamedTuple):
    """The parts of a token. Nothing in them is proven: anyone can write a token."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signature: bytes


def split(text: str) -> TokenParts:
    """The parts of a token; its signature is not checked."""
    pieces = text.split(".")
    if len(pieces) != 3:
        raise TokenError(f"This is not a token: it has {len(pieces)} parts between dots, and a token has 3.")
    header, claims = _json_part(pieces[0], "header"), _json_part(pieces[1], "claims")
    return TokenParts(header, claims, _decode(pieces[2], "signature"))


def _json_part(text: str, what: str) -> dict[str, Any]:
    raw = _decode(text, what)
    try:
        part = parse_json(raw)
    except (ValueError, RecursionError):
        raise TokenError(f"This is not a token: its {what} part is not JSON that Slurm can read.") from None
    if not isinstance(part, dict):
        raise TokenError(f"This is not a token: its {what} part is not a JSON object.")
    return part


def parse_json(raw: bytes) -> Any:
    """The value of a JSON text; ValueError if libjwt's reader would refuse it."""
    value = _JSON.decode(raw.decode("utf-8"))
    if _REFUSED_ESCAPES.search(raw):
        _refuse_escapes(value)
    return value


def _refuse_escapes(value: object) -> None:
    """Raise ValueError for text with a NUL or with half a surrogate pair."""
    text = json.dumps(value, ensure_ascii=False)
    text.encode("utf-8")
    if re.search(r"(?<!\\)(?:\\\\)*\\u0000", text):
        raise ValueError("it holds a NUL")


def _decode(text: str, what: str) -> bytes:
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError(f"This is not a token: its {what} part is not base64url.") from None


def user_of(claims: dict[str, Any], release: Release | None = None) -> str | None:
    """The user that Slurm of this release reads from the claims; without a release, the newest."""
    names = ["sun"]
    if release is None or has(release, "username_claim"):
        names.append("username")
    for name in names:
        if isinstance(claims.get(name), str):
            return str(claims[name])
    return None


def expiry_of(claims: dict[str, Any]) -> int | None:
    """The second until which Slurm accepts the token. Only a JSON integer counts; true is not one."""
    return integer(claims.get("exp"))


def lifespan_of(claims: dict[str, Any]) -> int | None:
    """The lifespan of the token in seconds, if its claims say."""
    begin, end = integer(claims.get("iat")), expiry_of(claims)
    return None if begin is None or end is None else end - begin


def integer(value: object) -> int | None:
    """The value if it is an integer in JSON; true and false, which Python counts as integers, are not."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_pem(key: bytes) -> bool:
    """Whether a key is in PEM. Such a key is used for HS256 only if a task says so."""
    return key.lstrip().startswith(b"-----BEGIN ")


def signed_by(token: str, key: bytes) -> bool:
    """Whether this key signed the token: with RS256 if the key is in PEM and the token says so, else with an HMAC."""
    signed, _dot, signature = token.rpartition(".")
    # Slurm accepts a PEM as a key for HS256, too. So the token decides, and the caller checks its algorithm.
    algorithm = str(split(token).header.get("alg")).upper()
    if algorithm == "RS256" and is_pem(key):
        return _signed_by_rsa_key(token, key)
    if algorithm not in HMAC_DIGESTS:
        return False
    return hmac.compare_digest(hmac_signature(signed, key, algorithm), signature)


def hmac_signature(signed: str, key: bytes, algorithm: str = "HS256") -> str:
    digest = hmac.new(key, signed.encode("utf-8"), HMAC_DIGESTS[algorithm]).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _signed_by_rsa_key(token: str, key: bytes) -> bool:
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rs256 import verifies

    parts = split(token)
    # The header must say so exactly: Slurm goes by it.
    return parts.header.get("alg") == "RS256" and verifies(token.rpartition(".")[0].encode(), parts.signature, key)
