# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of key sets that went wrong: whatever is written is what every release of Slurm digests."""

from __future__ import annotations

import base64
import json
import math
import re

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import key_set
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils.hostile_key_sets import (
    SAMPLES,
    mutated,
    written,
)

SEEDS = st.integers(min_value=0, max_value=2**64)
TRUSTED = key_set.parse(SAMPLES["auth0"]).keys


def number(text: str) -> int:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert octets[0] != 0, "DER allows no octets of zero before a number, and Slurm adds them where they are needed"
    return int.from_bytes(octets, "big")


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 + len(octets)]) + octets + content


def as_slurm_builds_it(n: str, e: str) -> rsa.RSAPublicNumbers:
    """Slurm makes a public key of the octets as they are, with one of zero before them where they look negative."""
    parts = []
    for text in (n, e):
        octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        parts.append(der(2, b"\0" * (octets[0] >= 128) + octets))
    rsa_encryption = bytes.fromhex("300d06092a864886f70d0101010500")
    key = load_der_public_key(der(0x30, rsa_encryption + der(3, b"\0" + der(0x30, b"".join(parts)))))
    assert isinstance(key, rsa.RSAPublicKey)
    return key.public_numbers()


def refuse_what_slurm_would_not_digest(file: bytes) -> None:
    assert len(file) <= 1024 * 1024
    content = json.loads(file.decode("ascii"))
    assert set(content) == {"keys"}
    assert 1 <= len(content["keys"]) <= key_set.MAX_KEYS
    for key in content["keys"]:
        assert set(key) == {"kid", "kty", "alg", "n", "e"}
        assert (key["kty"], key["alg"]) == ("RSA", "RS256")
        assert re.fullmatch(r"[\x20-\x7e]{1,256}", key["kid"])
        n, e = number(key["n"]), number(key["e"])
        assert 2048 <= n.bit_length() <= 8192
        assert n % 2 == 1
        assert 3 <= e < 2**64
        assert e % 2 == 1
        assert math.gcd(n, math.factorial(500)) == 1
        assert as_slurm_builds_it(key["n"], key["e"]) == rsa.RSAPublicNumbers(e, n)
    kids = [key["kid"] for key in content["keys"]]
    assert len(set(kids)) == len(kids)
    # What was written is read as the same again.
    assert key_set.render(key_set.parse(file).keys) == file


def check_seed(seed: int) -> None:
    file = written(mutated(seed), TRUSTED if seed % 2 else ())
    if file is not None:
        refuse_what_slurm_would_not_digest(file)


@given(SEEDS)
@example(9292)  # Every key came with its private part.
@settings(max_examples=2000)
def test_two_thousand_key_sets(seed):
    check_seed(seed)


@pytest.mark.soak
@given(SEEDS)
@settings(max_examples=100_000)
def test_a_hundred_thousand_key_sets(seed):
    check_seed(seed)


def test_the_fuzzer_neither_spares_nor_spoils_everything():
    """A quarter and more is refused, a quarter and more is taken: else nothing would be learned from it."""
    taken = sum(written(mutated(seed)) is not None for seed in range(300))
    assert 75 < taken < 225


@given(st.binary(max_size=400))
def test_any_bytes(data):
    file = written(data)
    if file is not None:
        refuse_what_slurm_would_not_digest(file)
