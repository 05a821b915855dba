# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moduli that anybody can factor, of each known kind, and many that nobody can."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import key_set
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import jwk
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rsa_weakness as weak
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils.hostile_key_sets import SAMPLES

PRIVATE = rsa.generate_private_key(65537, 2048).private_numbers()
N, E = PRIVATE.public_numbers.n, PRIVATE.public_numbers.e
CHANCE = random.Random(16)
SMALL = weak._primorial() // 2


def is_prime(number):
    return math.gcd(number, SMALL) == 1 and pow(2, number - 1, number) == 1


def next_prime(number):
    number |= 1
    while not is_prime(number):
        number += 2
    return number


def prime(bits=1024):
    return rsa.generate_private_key(65537, 2 * bits).private_numbers().p


def roca_prime(bits):
    """As the library RSALib of Infineon made them: k * M + (65537**a mod M), with M the product of the first primes."""
    primorial = math.prod(number for number in range(2, 168) if all(number % other for other in range(2, number)))
    while True:
        begin = pow(65537, CHANCE.getrandbits(64), primorial)
        found = (CHANCE.getrandbits(bits) | 3 << (bits - 2)) // primorial * primorial + begin
        if found % 2 and is_prime(found):
            return found


def reason(n, e=65537):
    with pytest.raises(jwk.KeyRefused) as caught:
        jwk.refuse_numbers(n, e)
    return str(caught.value)


class TestWeakModuli:
    @pytest.mark.parametrize("factor", [2, 3, 1999, 2003, 65521])
    def test_a_small_factor(self, factor):
        assert "small factor" in reason(factor * N)

    def test_neighbouring_primes(self):
        p = prime()
        assert "close to each other" in reason(p * next_prime(p + 2))

    def test_primes_that_differ_in_their_lower_half_only(self):
        p = prime()
        assert "close to each other" in reason(p * next_prime(p + (CHANCE.getrandbits(500) | 1 << 499)))

    @pytest.mark.parametrize(("up", "down"), [(2, 1), (3, 2), (7, 5)])
    def test_primes_of_a_simple_ratio(self, up, down):
        p = prime() // down * down
        assert "close to each other" in reason(next_prime(p) * next_prime(p // down * up))

    @pytest.mark.parametrize("exponent", [2, 3, 5, 7, 11])
    def test_a_power(self, exponent):
        assert "power of a smaller number" in reason(next_prime(1 << -(-2100 // exponent)) ** exponent)

    def test_a_high_power_of_what_is_no_small_prime(self):
        assert "power of a smaller number" in reason(next_prime(1 << 17) ** 127)

    def test_a_prime(self):
        assert "is a prime" in reason(2**2203 - 1)

    def test_one_of_the_broken_generator(self):
        assert "ROCA" in reason(roca_prime(1024) * roca_prime(1024))

    @pytest.mark.parametrize(("n", "because"), [(N + 1, "small factor"), (0, "0 bits"), (1, "1 bits")], ids=range(3))
    def test_odd_numbers(self, n, because):
        assert because in reason(n)


class TestSoundModuli:
    def test_many(self):
        primes = [prime(512) for _number in range(24)]
        for p, q in itertools.combinations(primes, 2):
            assert weak.weakness(p * q) is None

    def test_real_ones(self):
        keys = [key for sample in SAMPLES.values() for key in key_set.parse(sample).keys]
        assert len(keys) > 8
        jwk.refuse_numbers(N, E)


class TestBudget:
    def test_it_counts_work(self):
        budget = weak.Budget(10)
        assert budget.spend(2048)
        assert not budget.spend(2048)
        assert budget.spend(1024)
        assert budget.left == 1

    def test_a_flood_of_long_moduli_is_not_checked_and_not_trusted(self, monkeypatch):
        # What it costs is counted, not waited for.
        powers = []
        monkeypatch.setattr(weak, "is_prime", powers.append)
        moduli = []
        while len(moduli) < 99:
            n = CHANCE.getrandbits(8192) | 1 << 8191 | 1
            if math.gcd(n, weak._primorial()) == 1:
                moduli.append(n)
        keys = [jwk.members(jwk.Jwk(str(number), n, 65537)) for number, n in enumerate(moduli)]
        found = key_set.parse(key_set.json.dumps({"keys": keys}).encode(), jwk.Rules(budget=weak.Budget()))
        assert len(found.keys) == len(powers) == 4
        assert "was not checked, so it is not trusted" in found.dropped[0].reason

    def test_what_was_checked_before_costs_nothing(self):
        checked = {jwk.thumbprint(N, E)}
        jwk.refuse_numbers(N, E, jwk.Rules(budget=weak.Budget(0), checked=checked))
        with pytest.raises(jwk.KeyRefused, match="was not checked"):
            jwk.refuse_numbers(N, E, jwk.Rules(budget=weak.Budget(0)))


class TestPrivateParts:
    def test_those_that_are_proven(self):
        for exponent in (PRIVATE.d, PRIVATE.dmp1, PRIVATE.dmq1, PRIVATE.d + (PRIVATE.p - 1)):
            assert weak.proves_private(N, E, exponent)

    @pytest.mark.parametrize("exponent", [0, 1, 2, 65537, PRIVATE.d + 2, N, 1 << 5000], ids=range(7))
    def test_those_that_are_not(self, exponent):
        assert not weak.proves_private(N, E, exponent)

    def test_an_exponent_with_which_everything_would_be_one(self):
        assert not weak.proves_private(N, 1, 1)
        assert not weak.proves_private(N, 1, 2)

    def test_factors(self):
        assert weak.proves_factor(N, PRIVATE.p)
        assert weak.proves_factor(N, PRIVATE.q * 7)
        assert not any(weak.proves_factor(N, number) for number in (0, 1, N, 2 * N, PRIVATE.p + 2))
