# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RSA public keys for signatures, as JSON Web Keys (RFC 7517). Private to this collection.

Slurm does not check n and e. A malformed key crashes the daemon, and a weak one lets everybody in: anyone who can
factor a modulus can sign tokens for root. So this module reads the numbers of a key, checks them, and writes the key
from them. It does not check who owns the key.

The checks need no library: they are arithmetic.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import Any, Collection, Mapping, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rsa_weakness
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.pem import KeyRefused, numbers_of_certificate
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rsa_weakness import Budget

MIN_BITS = 2048
"""RFC 7518 requires it for RS256."""
LEAST_BITS = 1024
"""No site may allow less: shorter moduli have been factored."""
MAX_BITS = 8192
"""No issuer has longer keys, and each costs slurmctld time."""
MAX_KID_LENGTH = 256

_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017, 9.2
_MAX_EXPONENT_BITS = 64  # the OpenSSL limit for a modulus of more than 3072 bits
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_PRIVATE_EXPONENTS = ("d", "dp", "dq")
_FACTORS = ("p", "q")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*={0,2}")
# For Slurm a NUL ends the text, so two kids could be the same.
_KID = re.compile(r"[\x20-\x7e]+")
_USUAL_EXPONENTS = (65537, 3, 5, 17, 257)


class Leaked(KeyRefused):
    """The key came with its private part, which was proven to fit its modulus: the modulus is not trusted from any
    source."""

    def __init__(self, reason: str, modulus: int) -> None:
        super().__init__(reason)
        self.modulus = modulus


class Jwk(NamedTuple):
    """A public key that Slurm may trust."""

    kid: str
    n: int
    e: int

    @property
    def thumbprint(self) -> str:
        """RFC 7638: identifies a key independently of its kid."""
        return thumbprint(self.n, self.e)

    @property
    def bits(self) -> int:
        return self.n.bit_length()


def members(key: Jwk) -> dict[str, str]:
    """The key in the form that every release of Slurm accepts: these five members, and no other."""
    return {"kid": key.kid, "kty": "RSA", "alg": "RS256", "n": encode(key.n), "e": encode(key.e)}


def thumbprint(n: int, e: int) -> str:
    text = json.dumps({"e": encode(e), "kty": "RSA", "n": encode(n)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def thumbprints(n: int, e: int) -> set[str]:
    """The thumbprints of this modulus: with its own exponent and with the usual ones."""
    return {thumbprint(n, exponent) for exponent in (e, *_USUAL_EXPONENTS)}


def modulus_fingerprint(n: int) -> str:
    """Identifies a modulus independently of the exponent."""
    return base64.urlsafe_b64encode(hashlib.sha256(encode(n).encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def encode(number: int) -> str:
    """A number as Base64urlUInt of RFC 7518: the fewest octets, no padding. Slurm converts it to DER unchecked."""
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def decode(text: object, member: str) -> int:
    """The number in a member of a key. Leading zero octets and padding, which some issuers write, are accepted."""
    if not isinstance(text, str):
        raise KeyRefused(f"has a member {member} that is not text")
    if len(text) > 2 * MAX_BITS // 6 or not _BASE64URL.fullmatch(text):
        raise KeyRefused(f"has a member {member} that is not base64url, or far too long")
    bare = text.rstrip("=")
    try:
        octets = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        raise KeyRefused(f"has a member {member} that is not base64url") from None
    # The unused bits of the last letter must be zero, or two texts would be the same number.
    if base64.urlsafe_b64encode(octets).decode().rstrip("=") != bare:
        raise KeyRefused(f"has a member {member} that is cut off or otherwise not base64url")
    return int.from_bytes(octets, "big")


class Rules(NamedTuple):
    """Requirements for a key."""

    min_bits: int = MIN_BITS
    budget: Budget | None = None
    """Limits the checks that take time; None for no limit."""
    checked: Collection[str] = ()
    """Thumbprints of keys for which these checks were made before."""


RULES = Rules()


def named(kid: object, n: int, e: int, rules: Rules = RULES) -> Jwk:
    """Check the numbers and return the key. Without a kid, the thumbprint is its kid."""
    refuse_numbers(n, e, rules)
    if kid is None or kid == "":
        return Jwk(thumbprint(n, e), n, e)
    if not isinstance(kid, str):
        raise KeyRefused("has a kid that is not text")
    if len(kid) > MAX_KID_LENGTH or not _KID.fullmatch(kid):
        raise KeyRefused(f"has a kid of more than {MAX_KID_LENGTH} characters, or of others than printable ASCII")
    return Jwk(kid, n, e)


def from_members(jwk: Mapping[str, Any], rules: Rules = RULES) -> Jwk:
    """The key in a JSON Web Key; KeyRefused if Slurm must not get it."""
    kind = jwk.get("kty")
    if kind != "RSA":
        raise KeyRefused("has no kty" if kind is None else f"is of kty {_shown(kind)}, not RSA")
    _refuse_private(jwk, rules.budget)
    _refuse_other_use(jwk)
    if jwk.get("n") is None and jwk.get("e") is None and jwk.get("x5c") is not None:
        n, e = _from_chain(jwk["x5c"])
    else:
        missing = [member for member in ("n", "e") if jwk.get(member) is None]
        if missing:
            raise KeyRefused(f"has no {' and no '.join(missing)}")
        n, e = decode(jwk["n"], "n"), decode(jwk["e"], "e")
    return named(jwk.get("kid"), n, e, rules)


def verifies(key: Jwk, signed: bytes, signature: bytes) -> bool:
    """Whether the private half of this key made that RS256 signature: RSASSA-PKCS1-v1_5 of RFC 8017, 8.2.2."""
    size = (key.bits + 7) // 8
    if len(signature) != size:
        return False
    digest = _SHA256 + hashlib.sha256(signed).digest()
    padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    return pow(int.from_bytes(signature, "big"), key.e, key.n) == int.from_bytes(padded, "big")


def refuse_numbers(n: int, e: int, rules: Rules = RULES) -> None:
    """Raise KeyRefused for numbers that are not an RSA key, or one that is easy to factor."""
    bits, least = n.bit_length(), max(rules.min_bits, LEAST_BITS)
    if bits < least:
        raise KeyRefused(f"has a modulus of {bits} bits; {least} is the least")
    if bits > MAX_BITS:
        raise KeyRefused(f"has a modulus of {bits} bits; {MAX_BITS} is the most")
    if e < 3 or e % 2 == 0 or e.bit_length() > _MAX_EXPONENT_BITS:
        raise KeyRefused("has a public exponent that is even, below 3 or of more than 64 bits")
    weakness = rsa_weakness.weakness(n)
    if weakness is not None:
        raise KeyRefused(weakness)
    if rules.checked and thumbprint(n, e) in rules.checked:
        return
    if rules.budget is not None and not rules.budget.spend(bits):
        raise KeyRefused(
            f"was not checked, so it is not trusted: its modulus has {bits} bits, and there are more and longer keys in"
            " this source than are checked at once"
        )
    if rsa_weakness.is_prime(n):
        raise KeyRefused("has a modulus that is a prime, so anyone could sign with it")


def _refuse_private(jwk: Mapping[str, Any], budget: Budget | None) -> None:
    """Refuse a key with a private part. If that part fits, no source is trusted for the modulus; if not, only this key
    is refused, because anyone can invent a private part."""
    private = [member for member in _PRIVATE if member in jwk]
    if not private:
        return
    modulus = _leaked_modulus(jwk, budget)
    if modulus is None:
        raise KeyRefused(
            f"comes with a private part (member {private[0]}) that was not shown to be that of its modulus, so this"
            " entry alone is not trusted; have its issuer leave private parts out"
        )
    raise Leaked(
        f"comes with its private part (member {private[0]}), so anyone who has read it can sign tokens; have its"
        " issuer replace it",
        modulus,
    )


def _leaked_modulus(jwk: Mapping[str, Any], budget: Budget | None) -> int | None:
    """The modulus, if a private part fits it."""
    numbers = {}
    for member in ("n", "e", *_PRIVATE_EXPONENTS, *_FACTORS):
        try:
            numbers[member] = decode(jwk[member], member)
        except (KeyRefused, KeyError):
            continue
    n = numbers.get("n", 0)
    if not LEAST_BITS <= n.bit_length() <= MAX_BITS:
        return None
    if any(rsa_weakness.proves_factor(n, numbers[member]) for member in _FACTORS if member in numbers):
        return n
    exponents = {e for e in (numbers.get("e", 0), _USUAL_EXPONENTS[0]) if e.bit_length() <= _MAX_EXPONENT_BITS}
    for private in (numbers[member] for member in _PRIVATE_EXPONENTS if member in numbers):
        for e in sorted(exponents):
            # An exponent may be twice as long as the modulus.
            if budget is not None and not (budget.spend(n.bit_length()) and budget.spend(n.bit_length())):
                return None
            if rsa_weakness.proves_private(n, e, private):
                return n
    return None


def _refuse_other_use(jwk: Mapping[str, Any]) -> None:
    algorithm, use, operations = jwk.get("alg"), jwk.get("use"), jwk.get("key_ops")
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

    try:
        der = base64.b64decode("".join(first.split()).encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise KeyRefused("has no n and no e, and an x5c that is not base64") from None
    return numbers_of_certificate(der)


def _shown(value: object) -> str:
    """An untrusted value, for a message."""
    return ascii(value)[:40] if isinstance(value, str) else "something that is not text"
