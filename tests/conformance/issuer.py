# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An issuer of tokens: the sample documents of the unit tests with other keys in them, whose private halves are here.

The keys in the samples were made and forgotten, so nobody can sign with them.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import math
import random
import time
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import decode, encode
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils.hostile_key_sets import SAMPLES

USER = "daemon"
"""Of every distribution, and neither root nor SlurmUser."""

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017, 9.2


class Pair(NamedTuple):
    """A private RSA key as numbers."""

    n: int
    e: int
    d: int

    def token(self, kid: object, user: str = USER, lifespan: int = 7200, **header: Any) -> str:
        """A token for the user, signed by arithmetic alone: no library signs with a key of 512 bits."""
        now = int(time.time())
        claims = {"iat": now, "exp": now + lifespan, "sun": user}
        signed = ".".join(_part(each) for each in ({"alg": "RS256", "typ": "JWT", "kid": kid, **header}, claims))
        size = (self.n.bit_length() + 7) // 8
        digest = _SHA256 + hashlib.sha256(signed.encode("ascii")).digest()
        padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
        signature = pow(int.from_bytes(padded, "big"), self.d, self.n).to_bytes(size, "big")
        return f"{signed}.{encode_octets(signature)}"

    @property
    def octets(self) -> bytes:
        """The modulus."""
        return self.n.to_bytes((self.n.bit_length() + 7) // 8, "big")

    def chain(self) -> list[str]:
        """The member x5c of the key."""
        numbers = rsa.RSAPublicNumbers(self.e, self.n)
        p, q = rsa.rsa_recover_prime_factors(self.n, self.e, self.d)
        private = rsa.RSAPrivateNumbers(
            p, q, self.d, rsa.rsa_crt_dmp1(self.d, p), rsa.rsa_crt_dmq1(self.d, q), rsa.rsa_crt_iqmp(p, q), numbers
        )
        return [base64.b64encode(_certificate(private.private_key())).decode()]

    def members(self, kid: str | None = None, **more: Any) -> dict[str, Any]:
        """The public half as a JSON Web Key; a member that is None is left out."""
        standard = {"kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig", "n": encode(self.n), "e": encode(self.e)}
        return {name: value for name, value in {**standard, **more}.items() if value is not None}


def pair(bits: int = 2048) -> Pair:
    """A new key; one of less than 1024 bits is good for nothing but to be refused."""
    if bits < 1024:
        return _short_pair(bits)
    numbers = rsa.generate_private_key(65537, bits).private_numbers()
    return Pair(numbers.public_numbers.n, numbers.public_numbers.e, numbers.d)


class Issuer:
    """The sample documents with keys of this issuer."""

    def __init__(self) -> None:
        self._pairs: dict[int, Pair] = {}
        documents = {name: self._with_own_keys(json.loads(data)) for name, data in SAMPLES.items()}
        self.samples = {name: json.dumps(document).encode() for name, document in documents.items()}
        self._by_modulus = {mine.n: mine for mine in self._pairs.values()}
        self.stranger = pair()

    def signers_in(self, file: bytes) -> list[tuple[str, Pair]]:
        """By the kids in a file that was written for Slurm, the keys whose private halves are here."""
        known = [(key, self._by_modulus.get(decode(key["n"], "n"))) for key in json.loads(file)["keys"]]
        # Beside another exponent the modulus is another key, of nobody.
        return [(key["kid"], mine) for key, mine in known if mine and mine.e == decode(key["e"], "e")]

    def signers_of(self, sample: str) -> list[tuple[str, Pair]]:
        """By the kids that a sample document gives them, the keys for RS256 in it."""
        document = json.loads(self.samples[sample])
        if "keys" not in document:
            return [(kid, self._pair_of_pem(SAMPLES[sample], kid)) for kid in document]
        return [
            (key["kid"], self._by_modulus[decode(key["n"], "n")])
            for key in document["keys"]
            if key["kty"] == "RSA" and key.get("use") == "sig"
        ]

    def _pair_of_pem(self, sample: bytes, kid: str) -> Pair:
        public = x509.load_pem_x509_certificate(json.loads(sample)[kid].encode()).public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        return self._pairs[public.public_numbers().n]

    def _with_own_keys(self, document: dict[str, Any]) -> dict[str, Any]:
        if "keys" not in document:
            return {kid: self._pem(pem) for kid, pem in document.items()}
        return {**document, "keys": [self._own(key) for key in document["keys"]]}

    def _own(self, key: dict[str, Any]) -> dict[str, Any]:
        if key.get("kty") != "RSA":
            return key
        mine = self._pair_for(decode(key["n"], "n"))
        own = {**key, "n": encode(mine.n), "e": encode(mine.e)}
        if "x5c" in key:
            own["x5c"] = mine.chain()
        return own

    def _pem(self, pem: str) -> str:
        public = x509.load_pem_x509_certificate(pem.encode()).public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        return f"{_BEGIN}\n{self._pair_for(public.public_numbers().n).chain()[0]}\n{_END}\n"

    def _pair_for(self, forgotten: int) -> Pair:
        """The key that takes the place of one with this modulus."""
        if forgotten not in self._pairs:
            self._pairs[forgotten] = pair()
        return self._pairs[forgotten]


def _short_pair(bits: int) -> Pair:
    chance = random.SystemRandom()

    def prime() -> int:
        while True:
            candidate = chance.getrandbits(bits // 2) | 1 | 3 << (bits // 2 - 2)
            is_prime = all(pow(base, candidate - 1, candidate) == 1 for base in (2, 3, 5))
            if is_prime and math.gcd(candidate - 1, 65537) == 1:
                return candidate

    p, q = prime(), prime()
    return Pair(p * q, 65537, pow(65537, -1, (p - 1) * (q - 1)))


def _certificate(private: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer of the comparison")])
    begin = datetime.datetime(2026, 1, 1)
    built = x509.CertificateBuilder(name, name, private.public_key(), 1, begin, begin.replace(year=2046))
    return built.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _part(content: dict[str, Any]) -> str:
    return encode_octets(json.dumps(content).encode())


def encode_octets(data: bytes) -> str:
    """As base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
