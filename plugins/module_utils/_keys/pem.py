# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RSA public keys in PEM and in X.509 certificates. Private to this collection.

The library cryptography reads them. It takes a third of a second to import, so it is imported only where there is
something for it to read.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n.*?-----END \1-----", re.DOTALL)
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")


class KeyRefused(Exception):
    """A key cannot be trusted, or not be used by Slurm; str() is a predicate that fits behind the key's name."""


class LibraryMissing(Exception):
    """The Python library cryptography is not there or too old. The text says what to install."""


class PrivateKeyFound(Exception):
    """There is a private key where public ones were expected. The text says what to do."""


def looks_like_pem(text: str) -> bool:
    return "-----BEGIN " in text


def blocks(text: str) -> list[tuple[str, str]]:
    """The blocks of a PEM file: what each says it is, and the block itself."""
    return [(found[1], found[0]) for found in _BLOCK.finditer(text)]


def numbers_in_blocks(text: str) -> list[tuple[int, int] | KeyRefused]:
    """Modulus and exponent of each key in a PEM file, in order, or why a block has none to trust."""
    found = blocks(text)
    private = [label for label, _block in found if label.endswith("PRIVATE KEY")]
    if private:
        raise PrivateKeyFound(
            f"holds a private key (PEM, {private[0]}). Give its public half, which"
            " openssl pkey -in FILE -pubout prints, and see who else could read it."
        )
    alone = len(found) == 1
    return [_numbers_of_block(label, block, alone) for label, block in found]


def numbers_of_certificate(der: bytes) -> tuple[int, int]:
    """Modulus and exponent of the key in a certificate."""
    return _numbers(_certificate(der).public_key)


def _numbers_of_block(label: str, block: str, alone: bool) -> tuple[int, int] | KeyRefused:
    try:
        if label in _CERTIFICATES:
            certificate = _certificate(block.encode("ascii"))
            if not alone and _is_authority(certificate):
                raise KeyRefused(
                    "is the certificate of an authority among others, which signs certificates and no tokens; if it"
                    " does sign tokens, make it a source of its own"
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
            warnings.simplefilter("ignore")  # of short moduli, which are refused with a reason
            key = load()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyRefused("is a public key that cannot be read") from None
    if not isinstance(key, RSAPublicKey):
        raise KeyRefused("is not an RSA key, and Slurm verifies RS256 only")
    numbers = key.public_numbers()
    return numbers.n, numbers.e


def backend() -> dict[str, Any]:
    """What cryptography before 3.1 asks for and later ones ignore."""
    from cryptography.hazmat.backends import default_backend

    return {"backend": default_backend()}


def missing_library(cause: ImportError) -> LibraryMissing:
    return LibraryMissing(
        "The Python library cryptography is missing on this host, and RSA keys and certificates are read with it."
        f" Install the package python3-cryptography, which the roles of this collection do. ({cause})"
    )
