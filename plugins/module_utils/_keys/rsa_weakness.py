# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds known weaknesses of RSA moduli by arithmetic. Private to this collection.

Anyone who can factor a modulus can sign tokens for root. No test shows that a modulus is strong. These tests find what
broken generators and damaged files are known to produce, and what can be factored within seconds. All tests except
is_prime() take a fraction of a millisecond. is_prime() is a modular power. A source with many long moduli could keep a
host busy with it, so a budget limits it.
"""

from __future__ import annotations

import math
from functools import lru_cache

PRIMES_BELOW = 1 << 16
"""Each prime below it is tried as a factor."""
FERMAT_STEPS = 256
"""Prime factors that differ in the upper half of their bits need more steps than is feasible. Broken generators that
took neighbouring primes needed 20 steps at most (CVE-2022-26320)."""
RATIO_STEPS = 4
LARGEST_RATIO = 8

_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
_ROCA_GENERATOR = 65537
_SQUARES_MODULO_64 = frozenset(number * number % 64 for number in range(64))
_RESIDUE_TESTS = 8  # for each power; at most one in 6,000 other moduli passes all of them


class Budget:
    """Limits the work for the moduli of one source. It counts work instead of time, so that all hosts of a cluster get
    the same key set, however fast they are."""

    UNITS = 2048
    """A modular power with numbers of 1024 bits is one unit, of 2048 bits eight, of 8192 bits 512."""

    def __init__(self, units: int = UNITS) -> None:
        self.left = units

    def spend(self, bits: int) -> bool:
        """Whether enough is left for a modular power with numbers of this many bits."""
        cost = max(1, round((bits / 1024) ** 3))
        if cost > self.left:
            return False
        self.left -= cost
        return True


def weakness(n: int) -> str | None:
    """Why this modulus is easy to factor, as far as cheap tests show it; a predicate. See is_prime() as well."""
    if n < 3 or n % 2 == 0 or math.gcd(n, _primorial() % n) != 1:
        return "has a modulus with a small factor, so it is damaged, and anyone could sign with it"
    if is_power(n):
        return "has a modulus that is a power of a smaller number, so anyone could sign with it"
    if has_close_factors(n):
        return "has a modulus whose factors are close to each other, so anyone could factor it and sign with it"
    if is_roca(n):
        return (
            "has a modulus of the broken generator of CVE-2017-15361 (ROCA), which can be factored; have its issuer"
            " replace the key and the device that made it"
        )
    return None


@lru_cache(maxsize=256)
def is_prime(n: int) -> bool:
    """Whether a modulus is a prime, so its private exponent is not a secret. A composite number that passes
    (a pseudoprime) does not come from a sound generator. This test is the only expensive one."""
    return pow(2, n - 1, n) == 1


def proves_private(n: int, e: int, exponent: int) -> bool:
    """Whether EXPONENT is a private exponent for n and e, in whole (d) or for one of the factors (dp, dq).

    Such a number reveals the factorization, so nobody can invent one. e must be at least 3: with 1, anyone could.
    """
    if e < 3 or exponent < 2 or exponent.bit_length() > 2 * n.bit_length():
        return False
    return math.gcd(pow(pow(2, e, n), exponent, n) - 2, n) != 1


def proves_factor(n: int, factor: int) -> bool:
    """Whether this is a factor of n, or has one in it."""
    return 1 < math.gcd(n, factor) < n


def is_power(n: int) -> bool:
    """Whether n is a square, a cube or a higher power of a number without small factors."""
    longest = n.bit_length() // (PRIMES_BELOW.bit_length() - 1)
    return any(_is_power_of(n, exponent) for exponent in _primes() if exponent <= max(2, longest))


def has_close_factors(n: int) -> bool:
    """Whether Fermat's method finds two factors: close to each other, or close to a ratio of small numbers."""
    for up in range(1, LARGEST_RATIO + 1):
        for down in range(1, up + 1):
            if math.gcd(up, down) == 1 and _fermat(n, up * down, FERMAT_STEPS if up == down else RATIO_STEPS):
                return True
    return False


def is_roca(n: int) -> bool:
    """Whether n modulo small primes is always a power of 65537, which is true of one in 10**8 other moduli."""
    return all(n % prime in allowed for prime, allowed in _roca_residues())


def _fermat(n: int, multiplier: int, steps: int) -> bool:
    # Times 4, so that the middle of an odd and an even factor is a whole number.
    square = 4 * multiplier * n
    root = math.isqrt(square - 1) + 1
    for middle in range(root, root + steps):
        rest = middle * middle - square
        if rest & 63 not in _SQUARES_MODULO_64:
            continue
        half = math.isqrt(rest)
        # With a multiplier, each of the two numbers may be a factor of n times a part of the multiplier.
        if half * half == rest and 1 < math.gcd(middle - half, n) < n:
            return True
    return False


def _is_power_of(n: int, exponent: int) -> bool:
    if any(pow(n % prime, (prime - 1) // exponent, prime) not in (0, 1) for prime in _test_primes(exponent)):
        return False
    return bool(_root(n, exponent) ** exponent == n)


def _root(n: int, exponent: int) -> int:
    """The whole part of a root, by Newton's method from above."""
    if exponent == 2:
        return math.isqrt(n)
    root = 1 << -(-n.bit_length() // exponent)
    while True:
        better = ((exponent - 1) * root + n // root ** (exponent - 1)) // exponent
        if better >= root:
            return root
        root = better


@lru_cache(maxsize=1)
def _primes() -> list[int]:
    sieve = bytearray([1]) * PRIMES_BELOW
    sieve[:2] = b"\0\0"
    for number in range(2, math.isqrt(PRIMES_BELOW) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, PRIMES_BELOW, number)))
    return [number for number, prime in enumerate(sieve) if prime]


@lru_cache(maxsize=1)
def _primorial() -> int:
    """The product of all primes, multiplied in pairs: one after the other takes twenty times as long."""
    numbers = _primes()
    while len(numbers) > 1:
        numbers = [math.prod(numbers[start : start + 2]) for start in range(0, len(numbers), 2)]
    return numbers[0]


@lru_cache(maxsize=None)
def _test_primes(exponent: int) -> list[int]:
    """Primes modulo which few numbers are powers with this exponent."""
    primes: list[int] = []
    for prime in _primes():
        if prime % exponent == 1:
            primes.append(prime)
        if len(primes) == _RESIDUE_TESTS:
            break
    return primes


@lru_cache(maxsize=1)
def _roca_residues() -> list[tuple[int, frozenset[int]]]:
    return [
        (prime, frozenset(pow(_ROCA_GENERATOR, power, prime) for power in range(prime - 1))) for prime in _ROCA_PRIMES
    ]
