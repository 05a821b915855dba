# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RSA public keys in PEM and in X.509 certificates. Private to this collection."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Callable

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import der

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n.*?-----END \1-----", re.DOTALL)
_KEYS = {"PUBLIC KEY": der.numbers_of_key, "RSA PUBLIC KEY": der.numbers_of_rsa_key}
_TRUSTED = "TRUSTED CERTIFICATE"
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", _TRUSTED)


class KeyRefused(Exception):
    """Slurm must not trust a key, or cannot use it; str() is a predicate to follow the name of the key."""


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


def numbers_of_certificate(data: bytes) -> tuple[int, int]:
    """Modulus and exponent of the key in a certificate."""
    return _numbers(_certificate(data).numbers)


def _numbers_of_block(label: str, block: str, alone: bool) -> tuple[int, int] | KeyRefused:
    try:
        if label in _KEYS:
            data = _decoded(block)
            return _numbers(lambda: _KEYS[label](data))
        if label not in _CERTIFICATES:
            raise KeyRefused(f"is a PEM block of type {label}, not a public key or a certificate")
        certificate = _certificate(_decoded(block), label == _TRUSTED)
        if not alone and certificate.is_authority():
            raise KeyRefused(
                "is the certificate of an authority among others, which signs certificates and not tokens; if it"
                " does sign tokens, make it a separate source"
            )
        return _numbers(certificate.numbers)
    except KeyRefused as exc:
        return exc


def _decoded(block: str) -> bytes:
    """The content between the first and the last line of a block."""
    body = block.partition("\n")[2].rpartition("-----END ")[0]
    try:
        return base64.b64decode("".join(body.split()).encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise KeyRefused("is a PEM block that is not base64") from None


def _certificate(data: bytes, trusted: bool = False) -> der.Certificate:
    try:
        return der.certificate(data, trailer=trusted)
    except der.DerError:
        raise KeyRefused("is a certificate that cannot be read") from None


def _numbers(read: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    try:
        return read()
    except der.DerError:
        raise KeyRefused("is a public key that cannot be read") from None
    except der.OtherKey:
        raise KeyRefused("is not an RSA key for RS256, and Slurm verifies no other signatures") from None
