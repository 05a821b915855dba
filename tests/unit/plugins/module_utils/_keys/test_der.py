# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public keys in DER, next to what the library cryptography reads in them."""

from __future__ import annotations

import base64
import datetime
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import der, pem

KEYS = {
    "1024": rsa.generate_private_key(65537, 1024),
    "2048": rsa.generate_private_key(65537, 2048),
    "2050": rsa.generate_private_key(65537, 2050),
    "3": rsa.generate_private_key(3, 2048),
}
PUBLIC = {name: key.public_key() for name, key in KEYS.items()}
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keys")])


def key_info(public):
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certificate(key=KEYS["2048"], authority=None, other=False):
    begin = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 7, begin, begin + datetime.timedelta(days=1))
    if other:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("idp")]), critical=False)
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(authority, path_length=None), critical=authority)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(Encoding.DER)


def expected(public):
    numbers = public.public_numbers()
    return numbers.n, numbers.e


def element(tag, *contents):
    content = b"".join(contents)
    size = len(content)
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, *([size] if size < 0x80 else [0x80 | len(octets), *octets])]) + content


def integer(number):
    return element(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


@pytest.mark.parametrize("public", PUBLIC.values(), ids=PUBLIC)
def test_the_numbers_of_a_key(public):
    assert der.numbers_of_key(key_info(public)) == expected(public)
    assert der.numbers_of_rsa_key(public.public_bytes(Encoding.DER, PublicFormat.PKCS1)) == expected(public)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("authority", [None, False, True])
@pytest.mark.parametrize("other", [False, True])
def test_the_numbers_in_a_certificate(key, authority, other):
    parsed = der.certificate(certificate(key, authority, other))
    assert parsed.numbers() == expected(key.public_key())
    assert parsed.is_authority() is bool(authority)


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()])
def test_keys_of_other_kinds(key):
    with pytest.raises(der.OtherKey):
        der.numbers_of_key(key_info(key.public_key()))
    with pytest.raises(der.OtherKey):
        der.certificate(certificate(key)).numbers()


def test_an_rsa_key_for_other_signatures():
    data = key_info(PUBLIC["2048"])
    rsa_encryption, pss = bytes.fromhex("2a864886f70d010101"), bytes.fromhex("2a864886f70d01010a")
    with pytest.raises(der.OtherKey):
        der.numbers_of_key(data.replace(rsa_encryption, pss))


def test_a_key_without_parameters():
    # OpenSSL reads it as well.
    algorithm = element(0x30, element(6, bytes.fromhex("2a864886f70d010101")))
    n, e = expected(PUBLIC["2048"])
    bits = element(3, b"\0", element(0x30, integer(n), integer(e)))
    assert der.numbers_of_key(element(0x30, algorithm, bits)) == (n, e)


def test_what_openssl_writes_behind_a_trusted_certificate():
    data = certificate() + element(0x30, element(0x0C, b"alias"))
    assert der.certificate(data, trailer=True).numbers() == expected(PUBLIC["2048"])
    with pytest.raises(der.DerError):
        der.certificate(data)
    with pytest.raises(der.DerError):
        der.certificate(data + data, trailer=True)


@pytest.mark.parametrize(
    "octets",
    [
        *(b"", b"\x30", b"\x30\x80\0\0", b"\x30\x81\x06" + integer(3) * 2, b"\x30\x82\0\x06" + integer(3) * 2),
        *(b"\x30\x84\xff\xff\xff\xff", b"\x30\xff" + b"\xff" * 127, b"\x3f\x06" + integer(3) * 2),
        *(b"\x31\x06" + integer(3) * 2, b"\x30\x06" + integer(3) * 2 + b"\0", b"\x30\x06" + integer(3) * 2 + b"\5\0"),
        *(element(0x30, integer(3)), element(0x30, integer(3) * 3), element(0x30, b"\x02\0", integer(3))),
        *(element(0x30, b"\x02\x01\xff", integer(3)), element(0x30, b"\x02\x02\0\x03", integer(3))),
    ],
)
def test_other_encodings(octets):
    with pytest.raises(der.DerError):
        der.numbers_of_rsa_key(octets)
    with pytest.raises(der.DerError):
        der.numbers_of_key(octets)
    with pytest.raises(der.DerError):
        der.certificate(octets)


def test_extensions_that_cannot_be_read_make_no_authority():
    data = certificate(authority=True)
    name = element(6, bytes.fromhex("551d13"))
    assert der.certificate(data).is_authority()
    assert not der.certificate(data.replace(name, element(6, bytes.fromhex("551d14")))).is_authority()
    assert not der.certificate(data.replace(element(1, b"\xff") + b"\4", element(1, b"\xff") + b"\5")).is_authority()
    assert not der.Certificate(b"", b"\x30\x01").is_authority()


def mutated(data, position, value, kind):
    position %= len(data)
    if kind == "replace":
        return data[:position] + bytes([value]) + data[position + 1 :]
    if kind == "insert":
        return data[:position] + bytes([value]) + data[position:]
    return data[:position] + data[position + 1 + value % 8 :]


MUTATIONS = st.lists(
    st.tuples(st.integers(0, 2000), st.integers(0, 255), st.sampled_from(["replace", "insert", "remove"])),
    min_size=1, max_size=3,
)  # fmt: skip


def numbers_or_none(read):
    try:
        return read()
    except (der.DerError, der.OtherKey):
        return None


def library_numbers(load):
    """What the library reads; None if it refuses."""
    try:
        public = load()
        return expected(public) if isinstance(public, rsa.RSAPublicKey) else None
    except Exception:
        return None


@settings(max_examples=500, deadline=None)
@given(MUTATIONS, st.sampled_from(["1024", "3"]))
def test_a_damaged_key_is_refused_or_read_as_the_library_reads_it(mutations, name):
    data = key_info(PUBLIC[name])
    for each in mutations:
        data = mutated(data, *each)
    read = numbers_or_none(lambda: der.numbers_of_key(data))
    other = library_numbers(lambda: load_der_public_key(data))
    assert read is None or other is None or read == other
    # Of what the library reads, nothing is refused; RSASSA-PSS, which some releases of it read, is another OID.
    assert read is not None or other is None or bytes.fromhex("2a864886f70d01010a") in data


CERTIFICATE = certificate(KEYS["1024"], True, True)


@settings(max_examples=500, deadline=None)
@given(MUTATIONS)
def test_a_damaged_certificate_is_refused_or_read_as_the_library_reads_it(mutations):
    data = CERTIFICATE
    for each in mutations:
        data = mutated(data, *each)
    read = numbers_or_none(lambda: der.certificate(data).numbers())
    other = library_numbers(lambda: x509.load_der_x509_certificate(data).public_key())
    assert read is None or other is None or read == other
    assert read is not None or other is None or bytes.fromhex("2a864886f70d01010a") in data
    if read is not None:
        der.certificate(data).is_authority()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_anything(data):
    for read in (der.numbers_of_key, der.numbers_of_rsa_key, lambda data: der.certificate(data, trailer=True)):
        numbers_or_none(lambda read=read: read(data))


def test_a_bomb_of_elements():
    begin = time.process_time()
    for data in (b"\5\0" * 350_000, element(0x30, b"\5\0" * 350_000), element(0x30, element(0x30, b"\5\0" * 350_000))):
        assert numbers_or_none(lambda data=data: der.certificate(data).numbers()) is None
    assert time.process_time() - begin < 0.5


class TestBlocks:
    def block(self, label, data, end="\n"):
        body = base64.encodebytes(data).decode("ascii").replace("\n", end)
        return f"-----BEGIN {label}-----{end}{body}-----END {label}-----{end}"

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_each_kind(self, end):
        one, two = PUBLIC["2048"], PUBLIC["3"]
        text = "".join(
            [
                self.block("PUBLIC KEY", key_info(one), end),
                self.block("RSA PUBLIC KEY", two.public_bytes(Encoding.DER, PublicFormat.PKCS1), end),
                *(self.block(label, certificate(), end) for label in ("CERTIFICATE", "X509 CERTIFICATE")),
                self.block("TRUSTED CERTIFICATE", certificate() + element(0x30, element(0x0C, b"alias")), end),
            ]
        )
        assert pem.numbers_in_blocks(text) == [expected(one), expected(two), *[expected(one)] * 3]

    def test_what_is_not_base64(self):
        for body in ("Proc-Type: 4", "AQAB=A", "\u00e9"):
            (refused,) = pem.numbers_in_blocks(f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----")
            assert str(refused) == "is a PEM block that is not base64"
