# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RSA public keys for signatures, as JSON Web Keys (RFC 7517). Private to this collection.

Slurm takes n and e on trust, and an odd key kills the daemon, or lets everybody in: who can take a modulus apart can
sign tokens for root. So a key is read as numbers, judged, and written anew from the numbers. What is not asked of a key
is who it belongs to.

The judgement wants no library: it rests on arithmetic alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from functools import lru_cache
from typing import Any, Mapping, NamedTuple

MIN_BITS = 2048
"""What RFC 7518 asks for RS256."""
LEAST_BITS = 1024
"""No site may ask for less: shorter moduli have been taken apart."""
MAX_BITS = 8192
"""No issuer has longer keys, and each costs slurmctld time."""
LONGEST_KID = 256

_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017, 9.2
_MAX_EXPONENT_BITS = 64  # OpenSSL takes no longer one beside a modulus of more than 3072 bits
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*={0,2}")
# NUL would end the text for Slurm, and two kids would be one.
_KID = re.compile(r"[\x20-\x7e]+")
_SMALL_PRIMES = math.prod(p for p in range(3, 2000) if all(p % q for q in range(2, int(p**0.5) + 1)))


class KeyRefused(Exception):
    """A key cannot be trusted, or not be used by Slurm; str() is a predicate that fits behind the key's name."""


class PrivatePart(KeyRefused):
    """The key came with its private part. The modulus is known, so that the key is trusted nowhere else either."""

    def __init__(self, reason: str, modulus: int | None) -> None:
        super().__init__(reason)
        self.modulus = modulus


class Jwk(NamedTuple):
    """A public key that Slurm may trust."""

    kid: str
    n: int
    e: int

    @property
    def thumbprint(self) -> str:
        """RFC 7638: tells keys apart whatever their kid is."""
        return thumbprint(self.n, self.e)

    @property
    def bits(self) -> int:
        return self.n.bit_length()


def members(key: Jwk) -> dict[str, str]:
    """The key in the one form that every release of Slurm digests: these five members, and no other."""
    return {"kid": key.kid, "kty": "RSA", "alg": "RS256", "n": encode(key.n), "e": encode(key.e)}


def thumbprint(n: int, e: int) -> str:
    text = json.dumps({"e": encode(e), "kty": "RSA", "n": encode(n)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def encode(number: int) -> str:
    """A number as Base64urlUInt of RFC 7518: the fewest octets, no padding. Slurm makes DER of it without a look."""
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def decode(text: object, member: str) -> int:
    """The number in a member of a key. Octets of zero before it and padding, which some issuers write, do no harm."""
    if not isinstance(text, str):
        raise KeyRefused(f"has a member {member} that is not text")
    if len(text) > 2 * MAX_BITS // 6 or not _BASE64URL.fullmatch(text):
        raise KeyRefused(f"has a member {member} that is not base64url, or far too long")
    bare = text.rstrip("=")
    try:
        octets = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        raise KeyRefused(f"has a member {member} that is not base64url") from None
    # What is left of the last letter must be zero bits, or two texts would be one number.
    if base64.urlsafe_b64encode(octets).decode().rstrip("=") != bare:
        raise KeyRefused(f"has a member {member} that is cut off or otherwise not base64url")
    return int.from_bytes(octets, "big")


def named(kid: object, n: int, e: int, min_bits: int = MIN_BITS) -> Jwk:
    """The key of these numbers, judged; without a kid it is called by its thumbprint."""
    refuse_numbers(n, e, min_bits)
    if kid is None or kid == "":
        return Jwk(thumbprint(n, e), n, e)
    if not isinstance(kid, str):
        raise KeyRefused("has a kid that is not text")
    if len(kid) > LONGEST_KID or not _KID.fullmatch(kid):
        raise KeyRefused(f"has a kid of more than {LONGEST_KID} characters, or of others than printable ASCII")
    return Jwk(kid, n, e)


def from_members(found: Mapping[str, Any], min_bits: int = MIN_BITS) -> Jwk:
    """The key that a JSON Web Key describes, KeyRefused if Slurm must not get it."""
    kind = found.get("kty")
    if kind != "RSA":
        raise KeyRefused("has no kty" if kind is None else f"is of kty {_shown(kind)}, not RSA")
    _refuse_private(found)
    _refuse_other_use(found)
    if found.get("n") is None and found.get("e") is None and found.get("x5c") is not None:
        n, e = _from_chain(found["x5c"])
    else:
        missing = [member for member in ("n", "e") if found.get(member) is None]
        if missing:
            raise KeyRefused(f"has no {' and no '.join(missing)}")
        n, e = decode(found["n"], "n"), decode(found["e"], "e")
    return named(found.get("kid"), n, e, min_bits)


def verifies(key: Jwk, signed: bytes, signature: bytes) -> bool:
    """Whether the private half of this key made that RS256 signature: RSASSA-PKCS1-v1_5 of RFC 8017, 8.2.2."""
    size = (key.bits + 7) // 8
    if len(signature) != size:
        return False
    digest = _SHA256 + hashlib.sha256(signed).digest()
    padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    return pow(int.from_bytes(signature, "big"), key.e, key.n) == int.from_bytes(padded, "big")


def refuse_numbers(n: int, e: int, min_bits: int = MIN_BITS) -> None:
    """Raise KeyRefused for numbers that are no RSA key, or one that anybody could take apart."""
    bits = n.bit_length()
    if bits < max(min_bits, LEAST_BITS):
        raise KeyRefused(f"has a modulus of {bits} bits; {max(min_bits, LEAST_BITS)} is the least")
    if bits > MAX_BITS:
        raise KeyRefused(f"has a modulus of {bits} bits; {MAX_BITS} is the most")
    if e < 3 or e % 2 == 0 or e.bit_length() > _MAX_EXPONENT_BITS:
        raise KeyRefused("has a public exponent that is even, below 3 or of more than 64 bits")
    if n % 2 == 0 or math.gcd(n, _SMALL_PRIMES) != 1:
        raise KeyRefused("has a modulus with a small factor, so it is damaged, and anybody could sign with it")
    if _prime_or_square(n):
        raise KeyRefused("has a modulus that is a prime or a square, and anybody could sign with it")


@lru_cache(maxsize=256)
def _prime_or_square(n: int) -> bool:
    """The same key comes from the file and from its source, and the answer takes some milliseconds."""
    return math.isqrt(n) ** 2 == n or pow(2, n - 1, n) == 1


def _refuse_private(found: Mapping[str, Any]) -> None:
    private = [member for member in _PRIVATE if member in found]
    if not private:
        return
    try:
        modulus = decode(found.get("n"), "n")
    except KeyRefused:
        modulus = None
    raise PrivatePart(
        f"comes with its private part (member {private[0]}), so whoever has read it can sign tokens; have its issuer"
        " replace it",
        modulus,
    )


def _refuse_other_use(found: Mapping[str, Any]) -> None:
    algorithm, use, operations = found.get("alg"), found.get("use"), found.get("key_ops")
    if algorithm not in (None, "RS256"):
        raise KeyRefused(f"is for {_shown(algorithm)}; Slurm verifies RS256 only")
    if use not in (None, "sig"):
        raise KeyRefused(f"is for the use {_shown(use)}, not for signatures")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        raise KeyRefused("has key_ops without verify")


def _from_chain(chain: object) -> tuple[int, int]:
    """The numbers in the first certificate of x5c, which is that of the key itself."""
    first = chain[0] if isinstance(chain, list) and chain else None
    if not isinstance(first, str):
        raise KeyRefused("has no n and no e, and an x5c without a certificate")
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._pem import numbers_of_certificate

    try:
        der = base64.b64decode("".join(first.split()).encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise KeyRefused("has no n and no e, and an x5c that is not base64") from None
    return numbers_of_certificate(der)


def _shown(value: object) -> str:
    """Something that a stranger wrote, fit for a message."""
    return ascii(value)[:40] if isinstance(value, str) else "something that is not text"
