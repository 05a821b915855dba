# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of keys, by algorithm. Private to this collection."""

from __future__ import annotations

from typing import Callable, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import (
    MAX_SIZE,
    MIN_SIZE,
    generate,
    not_a_key,
    remark,
    weakness,
)


class Kind(NamedTuple):
    """The limits of an algorithm's keys, and the functions that make and check one."""

    unit: str
    least: int
    most: int
    default: int
    size: Callable[[bytes], int]
    generate: Callable[[int], bytes]
    not_a_key: Callable[[bytes], str | None]
    weakness: Callable[[bytes], str | None]
    remark: Callable[[bytes], str | None]
    public_jwk: Callable[[bytes], dict[str, str] | None]


HS256 = Kind(
    "bytes", MIN_SIZE, MAX_SIZE, MIN_SIZE, len, generate, not_a_key, weakness, remark, public_jwk=lambda data: None
)


def kind_of(algorithm: str) -> Kind:
    if algorithm == "HS256":
        return HS256
    # These import a large library.
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256 as rsa
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.library import LibraryMissing

    try:
        rsa.check_library()
    except LibraryMissing as exc:
        raise TaskError(str(exc)) from exc
    of_key = (rsa.bits, rsa.generate, rsa.not_a_key, rsa.weakness, rsa.remark, rsa.public_jwk)
    return Kind("bits", rsa.MIN_BITS, rsa.MAX_BITS, rsa.DEFAULT_BITS, *of_key)
