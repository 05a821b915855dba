# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a token, and which key signed it. Private to this collection.

Whether a token was signed by a key is one HMAC, which the standard library does: a run that finds nothing to do never
imports PyJWT.
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

_HMAC = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
# What escapes libjwt's JSON reader may refuse: NUL, and halves of surrogate pairs.
_ODD = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def _whole(text: str) -> int:
    if not -(2**63) <= int(text) < 2**63:
        raise ValueError("no machine can hold it")
    return int(text)


def _broken(text: str) -> float:
    if float(text) in (float("inf"), float("-inf")):
        raise ValueError("no machine can hold it")
    return float(text)


def _not_json(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


# As strict as libjwt's reader: Python's would take NaN, and numbers of any size.
_JSON = json.JSONDecoder(parse_int=_whole, parse_float=_broken, parse_constant=_not_json)


class TokenError(Exception):
    """A token cannot be made, or is none. The text says what was found and what to do; it never holds the token."""


class Parts(NamedTuple):
    """What a token says. Nothing in it is proven: anybody can write a token."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signature: bytes


def split(text: str) -> Parts:
    """The parts of a token, whoever signed it."""
    pieces = text.split(".")
    if len(pieces) != 3:
        raise TokenError(f"This is no token: it has {len(pieces)} parts between dots where a token has 3.")
    return Parts(_json_part(pieces[0], "header"), _json_part(pieces[1], "claims"), _decode(pieces[2], "signature"))


def _json_part(text: str, what: str) -> dict[str, Any]:
    raw = _decode(text, what)
    try:
        found = _parse(raw)
    except (ValueError, RecursionError):
        raise TokenError(f"This is no token: its {what} part is not JSON that Slurm can read.") from None
    if not isinstance(found, dict):
        raise TokenError(f"This is no token: its {what} part is not a JSON object.")
    return found


def _parse(raw: bytes) -> Any:
    """The JSON in it; ValueError if libjwt's reader would refuse it."""
    found = _JSON.decode(raw.decode("utf-8"))
    if _ODD.search(raw):
        _refuse_odd(found)
    return found


def _refuse_odd(found: object) -> None:
    """Raise ValueError for text with a NUL or with half a surrogate pair."""
    text = json.dumps(found, ensure_ascii=False)
    text.encode("utf-8")
    if re.search(r"(?<!\\)(?:\\\\)*\\u0000", text):
        raise ValueError("there is a NUL in it")


def _decode(text: str, what: str) -> bytes:
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError(f"This is no token: its {what} part is not base64url.") from None


def user_of(claims: dict[str, Any], release: Release | None = None) -> str | None:
    """The user whom Slurm takes the claims to name; without a release, the newest Slurm."""
    names = ["sun"]
    if release is None or has(release, "username_claim"):
        names.append("username")
    for name in names:
        if isinstance(claims.get(name), str):
            return str(claims[name])
    return None


def expiry_of(claims: dict[str, Any]) -> int | None:
    """The second until which Slurm accepts the token. Only a JSON integer counts; True is none."""
    return integer(claims.get("exp"))


def lifespan_of(claims: dict[str, Any]) -> int | None:
    """How long the token was made to live, as far as it says."""
    begin, end = integer(claims.get("iat")), expiry_of(claims)
    return None if begin is None or end is None else end - begin


def integer(value: object) -> int | None:
    """The value if JSON calls it an integer: true and false are none, though Python counts with them."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_pem(key: bytes) -> bool:
    """Whether a key is one in PEM, and so none for HS256 unless somebody says that it is."""
    return key.lstrip().startswith(b"-----BEGIN ")


def signed_by(token: str, key: bytes) -> bool:
    """Whether this very key signed the token: with RS256 if it is in PEM and the token says so, else with an HMAC."""
    signed, _dot, signature = token.rpartition(".")
    # Slurm has a PEM as a key for HS256, too: what a key is used for is said by the token, and asked for by who calls.
    algorithm = str(split(token).header.get("alg")).upper()
    if algorithm == "RS256" and is_pem(key):
        return _signed_by_rsa_key(token, key)
    if algorithm not in _HMAC:
        return False
    return hmac.compare_digest(_hmac_signature(signed, key, algorithm), signature)


def _hmac_signature(signed: str, key: bytes, algorithm: str = "HS256") -> str:
    digest = hmac.new(key, signed.encode("utf-8"), _HMAC[algorithm]).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _signed_by_rsa_key(token: str, key: bytes) -> bool:
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rs256 import verifies

    parts = split(token)
    # The header must say so too: Slurm goes by it.
    return parts.header.get("alg") == "RS256" and verifies(token.rpartition(".")[0].encode(), parts.signature, key)
