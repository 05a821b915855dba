# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes and checks the private RSA keys that sign RS256 tokens. Private to this collection.

The key is a PEM file (PKCS #8, not encrypted), only on the host that makes tokens. Slurm gets its public half in a key
set. Only RS256 keys need this module and the library cryptography.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import jwk, library, pem

MIN_BITS = jwk.MIN_BITS
MAX_BITS = jwk.MAX_BITS
DEFAULT_BITS = 3072

_MAX_SIZE = 16 * 1024  # bytes; a key of 8192 bits has 6400 in PEM
_EXPONENT = 65537


class RsaKeyError(Exception):
    """This is not a signing key; str() is a predicate to follow the name of the file."""


def check_library() -> None:
    """Raise LibraryMissing if cryptography is missing."""
    try:
        import cryptography.hazmat.primitives.asymmetric.rsa  # noqa: F401
        import cryptography.hazmat.primitives.serialization  # noqa: F401
    except ImportError as exc:
        raise library.missing_library(exc) from exc


def generate(bits: int = DEFAULT_BITS) -> bytes:
    """A new key with a modulus of this many bits."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=_EXPONENT, key_size=bits, **library.backend())
    form, cipher = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return bytes(key.private_bytes(serialization.Encoding.PEM, form, cipher))


def not_a_key(data: bytes) -> str | None:
    """Why this is the content of another kind of file; a predicate to follow the name of the file."""
    if not data:
        return None  # weakness() reports an empty file
    try:
        _load(data)
    except RsaKeyError as exc:
        return str(exc)
    return None


def weakness(data: bytes) -> str | None:
    """Why this key must not sign; a predicate. None for a good key."""
    if not data:
        return "is empty"
    try:
        numbers = _load(data).public_key().public_numbers()
        jwk.refuse_numbers(numbers.n, numbers.e)
    except (RsaKeyError, pem.KeyRefused) as exc:
        return str(exc)
    return None


def remark(_data: bytes) -> str | None:
    """What an administrator should know about a key that is good enough: nothing."""
    return None


def bits(data: bytes) -> int:
    """The length of the modulus; 0 if this is not a key."""
    try:
        return int(_load(data).key_size)
    except RsaKeyError:
        return 0


def public_jwk(data: bytes) -> dict[str, str]:
    """The public half as a JSON Web Key, with its RFC 7638 thumbprint as kid."""
    numbers = _load(data).public_key().public_numbers()
    return jwk.members(jwk.Jwk(jwk.thumbprint(numbers.n, numbers.e), numbers.n, numbers.e))


def public_pem(n: int, e: int) -> bytes:
    """A public key in PEM, as anyone can make it from a key set."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.RSAPublicNumbers(e, n).public_key(**library.backend())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(serialization.Encoding.PEM, form))


def verifies(signed: bytes, signature: bytes, data: bytes) -> bool:
    """Whether this key made that RS256 signature."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    try:
        _load(data).public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, RsaKeyError):
        return False
    return True


def _load(data: bytes) -> Any:
    if len(data) > _MAX_SIZE:
        raise RsaKeyError(f"has {len(data)} bytes, which is too long for an RSA key in PEM ({_MAX_SIZE} at most)")
    text = data.decode("utf-8", "replace")
    blocks = pem.blocks(text)
    if len(blocks) != 1:
        raise RsaKeyError(f"has {len(blocks)} PEM blocks where a private RSA key has one")
    label = blocks[0][0]
    if label == "ENCRYPTED PRIVATE KEY" or "ENCRYPTED" in text:
        raise RsaKeyError("is an encrypted private key, and its passphrase is not known here")
    if not label.endswith("PRIVATE KEY"):
        raise RsaKeyError(f"is a PEM file ({label[:40]}), not a private RSA key")
    return _load_private(data)


@lru_cache(maxsize=4)
def _load_private(data: bytes) -> Any:
    """The key. Each load checks it, which takes a tenth of a second."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about short moduli, which are reported with a remedy
            key = load_pem_private_key(data, None, **library.backend())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise RsaKeyError("is a damaged private key, or one of an unknown kind") from None
    if not isinstance(key, RSAPrivateKey):
        raise RsaKeyError("is a private key, but not an RSA key, and Slurm verifies RS256 only")
    return key
