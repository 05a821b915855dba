# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RSA public keys in DER: the numbers of a key (RFC 8017, RFC 5280), and of the key in a certificate. Private to this
collection.

Reading them needs no library: a host can tell which keys it would trust before anything is installed on it. Lengths and
numbers must have their shortest form, and nothing may follow. The signer and the expiry of a certificate are not
checked: the site trusts the key because of its source, and Slurm gets only the key.
"""

from __future__ import annotations

from typing import NamedTuple

_BOOLEAN, _INTEGER, _BIT_STRING, _OCTET_STRING, _NULL, _OID, _SEQUENCE = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x30
_VERSION, _ISSUER_ID, _SUBJECT_ID, _EXTENSIONS = 0xA0, 0x81, 0x82, 0xA3

_MAX_ELEMENTS = 100
"""Only a hostile structure has more side by side."""

_RSA = bytes.fromhex("2a864886f70d010101")
_BASIC_CONSTRAINTS = bytes.fromhex("551d13")


class DerError(Exception):
    """This is not the expected structure, or not valid DER."""


class OtherKey(Exception):
    """This is a public key of another kind than RSA, or an RSA key for other signatures (RSASSA-PSS)."""


class _Element(NamedTuple):
    tag: int
    content: bytes


class Certificate(NamedTuple):
    """The parts of a certificate that matter here."""

    key: bytes
    """The content of SubjectPublicKeyInfo."""
    extensions: bytes
    """Empty if there are none."""

    def numbers(self) -> tuple[int, int]:
        """Modulus and exponent of its key; DerError, or OtherKey."""
        return _numbers(self.key)

    def is_authority(self) -> bool:
        """Whether it may sign certificates. One with unreadable extensions may not."""
        try:
            return any(map(_makes_authority, _elements(_only(self.extensions, _SEQUENCE)) if self.extensions else ()))
        except DerError:
            return False


def certificate(data: bytes, trailer: bool = False) -> Certificate:
    """The certificate; DerError if it is not one. TRAILER allows what OpenSSL adds to a trusted certificate."""
    elements = _elements(data)
    if [each.tag for each in elements] not in ([_SEQUENCE], [_SEQUENCE, _SEQUENCE][: 1 + trailer]):
        raise DerError
    signed, *_signature = _contents(elements[0].content, _SEQUENCE, _SEQUENCE, _BIT_STRING)
    fields = _elements(signed)
    if fields and fields[0].tag == _VERSION:
        del fields[0]
    # Serial number, algorithm, issuer, validity, subject, key; then optional fields.
    optional = {field.tag: field.content for field in fields[6:]}
    if [field.tag for field in fields[:6]] != [_INTEGER, *[_SEQUENCE] * 5] or len(optional) != len(fields) - 6:
        raise DerError
    if not optional.keys() <= {_ISSUER_ID, _SUBJECT_ID, _EXTENSIONS}:
        raise DerError
    return Certificate(fields[5].content, optional.get(_EXTENSIONS, b""))


def numbers_of_key(data: bytes) -> tuple[int, int]:
    """Modulus and exponent of an RSA key in a SubjectPublicKeyInfo; DerError, or OtherKey."""
    return _numbers(_only(data, _SEQUENCE))


def numbers_of_rsa_key(data: bytes) -> tuple[int, int]:
    """Modulus and exponent of an RSAPublicKey; DerError."""
    n, e = _contents(_only(data, _SEQUENCE), _INTEGER, _INTEGER)
    return _positive(n), _positive(e)


def _numbers(key: bytes) -> tuple[int, int]:
    algorithm, bits = _contents(key, _SEQUENCE, _BIT_STRING)
    parts = _elements(algorithm)
    if not parts or parts[0].tag != _OID:
        raise DerError
    if parts[0].content != _RSA:
        raise OtherKey
    # RFC 3279 requires NULL. Some programs omit it, and OpenSSL accepts that.
    if parts[1:] not in ([], [_Element(_NULL, b"")]) or bits[:1] != b"\0":
        raise DerError
    return numbers_of_rsa_key(bits[1:])


def _makes_authority(extension: _Element) -> bool:
    parts = _elements(extension.content)
    if not parts or parts[0] != (_OID, _BASIC_CONSTRAINTS) or parts[-1].tag != _OCTET_STRING:
        return False
    constraints = _elements(_only(parts[-1].content, _SEQUENCE))
    return bool(constraints) and constraints[0].tag == _BOOLEAN and any(constraints[0].content)


# -- elements ----------------------------------------------------------------------------------------------------------


def _elements(data: bytes) -> list[_Element]:
    """The elements of this data."""
    elements: list[_Element] = []
    position = 0
    while position < len(data):
        begin, end = _content_at(data, position)
        if len(elements) == _MAX_ELEMENTS:
            raise DerError
        elements.append(_Element(data[position], data[begin:end]))
        position = end
    return elements


def _content_at(data: bytes, position: int) -> tuple[int, int]:
    """Where the content of an element begins and ends."""
    begin = position + 2
    # None of these structures has a tag of more than one octet.
    if begin > len(data) or data[position] & 0x1F == 0x1F:
        raise DerError
    size = data[position + 1]
    if size > 0x7F:
        octets = data[begin : begin + (size & 0x7F)]
        begin += size & 0x7F
        size = int.from_bytes(octets, "big")
        if size < 0x80 or octets[0] == 0:
            raise DerError
    if begin + size > len(data):
        raise DerError
    return begin, begin + size


def _contents(data: bytes, *tags: int) -> list[bytes]:
    """The contents of the elements of this data; DerError if they have other tags."""
    elements = _elements(data)
    if [each.tag for each in elements] != list(tags):
        raise DerError
    return [each.content for each in elements]


def _only(data: bytes, tag: int) -> bytes:
    """The content of the only element; DerError if it has another tag."""
    return _contents(data, tag)[0]


def _positive(octets: bytes) -> int:
    if not octets or octets[0] > 0x7F or (octets[0] == 0 and len(octets) > 1 and octets[1] <= 0x7F):
        raise DerError
    return int.from_bytes(octets, "big")
