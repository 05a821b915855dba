# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RSA public keys in PEM and in X.509 certificates. Private to this collection.

The library cryptography reads them. Its import takes a third of a second, so it is imported only if it is needed.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n.*?-----END \1-----", re.DOTALL)
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")


class KeyRefused(Exception):
    """Slurm must not trust a key, or cannot use it; str() is a predicate to follow the name of the key."""


class LibraryMissing(Exception):
    """The Python library cryptography is missing or too old. The text says what to install."""


class PrivateKeyFound(Exception):
    """A file for public keys has a private one. The text says what to do."""


def looks_like_pem(text: str) -> bool:
    return "-----BEGIN " in text


def blocks(text: str) -> list[tuple[str, str]]:
    """The blocks of a PEM file: the label of each, and the block."""
    return [(match[1], match[0]) for match in _BLOCK.finditer(text)]


def numbers_in_blocks(text: str) -> list[tuple[int, int] | KeyRefused]:
    """Modulus and exponent of each key in a PEM file, in order, or why a block has no trusted key."""
    all_blocks = blocks(text)
    private = [label for label, _block in all_blocks if label.endswith("PRIVATE KEY")]
    if private:
        raise PrivateKeyFound(
            f"holds a private key (PEM, {private[0]}). Use its public half, which openssl pkey -in FILE -pubout prints,"
            " and check who else could read the private key."
        )
    alone = len(all_blocks) == 1
    return [_numbers_of_block(label, block, alone) for label, block in all_blocks]


def numbers_of_certificate(der: bytes) -> tuple[int, int]:
    """Modulus and exponent of the key in a certificate."""
    return _numbers(_certificate(der).public_key)


def _numbers_of_block(label: str, block: str, alone: bool) -> tuple[int, int] | KeyRefused:
    try:
        if label in _CERTIFICATES:
            certificate = _certificate(block.encode("ascii"))
            if not alone and _is_authority(certificate):
                raise KeyRefused(
                    "is the certificate of an authority among others, which signs certificates and not tokens; if it"
                    " does sign tokens, make it a separate source"
                )
            return _numbers(certificate.public_key)
        if label in ("PUBLIC KEY", "RSA PUBLIC KEY"):
            from cryptography.hazmat.primitives.serialization import load_pem_public_key

            return _numbers(lambda: load_pem_public_key(block.encode("ascii"), **backend()))
        raise KeyRefused(f"is a PEM block of type {label}, not a public key or a certificate")
    except KeyRefused as exc:
        return exc
    except UnicodeEncodeError:
        return KeyRefused("is a PEM block that is not ASCII")
    except ImportError as exc:
        raise missing_library(exc) from exc


def _certificate(data: bytes) -> Any:
    try:
        from cryptography import x509
    except ImportError as exc:
        raise missing_library(exc) from exc
    load = x509.load_pem_x509_certificate if data.startswith(b"-----") else x509.load_der_x509_certificate
    data = data.replace(b"X509 CERTIFICATE", b"CERTIFICATE").replace(b"TRUSTED CERTIFICATE", b"CERTIFICATE")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load(data, **backend())
    except ValueError:
        raise KeyRefused("is a certificate that cannot be read") from None


def _is_authority(certificate: Any) -> bool:
    from cryptography import x509

    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError):
        return False


def _numbers(load: Any) -> tuple[int, int]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about short moduli, which are refused with a reason
            key = load()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyRefused("is a public key that cannot be read") from None
    if not isinstance(key, RSAPublicKey):
        raise KeyRefused("is not an RSA key, and Slurm verifies RS256 only")
    numbers = key.public_numbers()
    return numbers.n, numbers.e


def backend() -> dict[str, Any]:
    """An argument that cryptography before 3.1 needs and later releases ignore."""
    from cryptography.hazmat.backends import default_backend

    return {"backend": default_backend()}


def missing_library(cause: ImportError) -> LibraryMissing:
    return LibraryMissing(
        "The Python library cryptography is missing on this host. It reads RSA keys and certificates."
        f" Install the package python3-cryptography, as the roles of this collection do. ({cause})"
    )
