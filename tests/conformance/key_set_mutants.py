# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants of what slurm_jwks writes, each of which the comparison of key sets must notice on some release."""

from __future__ import annotations

import base64
import json
from contextlib import AbstractContextManager
from typing import Any, Callable
from unittest.mock import patch

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import key_set
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import jwk

_members = jwk.members
_render = key_set.render

# A point of P-256, as RFC 7517 A.1 has it.
_ELLIPTIC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "kid": "elliptic",
}


def _with_members(change: Callable[[jwk.Jwk, dict[str, str]], dict[str, str]]) -> AbstractContextManager[Any]:
    return patch.object(key_set, "members", lambda key: change(key, _members(key)))


def _without_kid(key: jwk.Jwk, entry: dict[str, str]) -> dict[str, str]:
    """As if a key without kid went through; else it is called by its thumbprint."""
    return {name: value for name, value in entry.items() if name != "kid" or value != key.thumbprint}


def _with_an_elliptic_key(keys: Any) -> bytes:
    content = json.loads(_render(keys))
    content["keys"].append(_ELLIPTIC)
    return json.dumps(content).encode()


def _damaged(_key: jwk.Jwk, entry: dict[str, str]) -> dict[str, str]:
    return {**entry, "n": entry["n"][:40] + "!" + entry["n"][41:]}


def _cut(_key: jwk.Jwk, entry: dict[str, str]) -> dict[str, str]:
    return {**entry, "n": entry["n"][:-4]}


def _of_another(key: jwk.Jwk, entry: dict[str, str]) -> dict[str, str]:
    octets = (key.n - 2).to_bytes(key.bits // 8, "big")
    return {**entry, "n": base64.urlsafe_b64encode(octets).rstrip(b"=").decode()}


MUTANTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "a key without kid goes through": lambda: _with_members(_without_kid),
    "alg is left out": lambda: _with_members(lambda key, entry: {k: v for k, v in entry.items() if k != "alg"}),
    "e is left out": lambda: _with_members(lambda key, entry: {k: v for k, v in entry.items() if k != "e"}),
    "n is not base64url": lambda: _with_members(_damaged),
    "n is cut off": lambda: _with_members(_cut),
    "n is another number": lambda: _with_members(_of_another),
    "an elliptic key goes through": lambda: patch.object(key_set, "render", _with_an_elliptic_key),
    "kids are called by something else": lambda: _with_members(lambda key, entry: {**entry, "kid": entry["kid"] + "x"}),
}
