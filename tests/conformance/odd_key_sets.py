# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key sets that slurm_jwks would never write, and what a real slurmctld does with them: the table in the guide."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from containers import ROOT
from issuer import Pair, encode_octets, pair
from key_set_comparison import KeySetOracle, NotUp, admit, load

PAGE = ROOT / "docs" / "docsite" / "rst" / "guide_jwks.rst"

_BEGIN = ".. What follows is measured and written by tests/conformance/key_sets --table.\n\n"
_END = ".. That was it.\n"

SOUND, ODD = pair(), pair()


class Odd(NamedTuple):
    """A key set with something odd in it."""

    what: str
    """As the table says it."""
    file: bytes | None
    signer: Pair | None = None
    """Who has the private half of the odd key, if it is one of RSA."""
    kid: object = "odd"
    """What the odd key's token names."""
    sound: bool = True
    """Whether a sound key is before the odd one."""


def odd_key_sets() -> list[Odd]:
    """In the order of the table."""
    short = pair(512)
    one = Pair(ODD.n, 1, 1)
    chain = ODD.chain()
    elliptic = {
        "kid": "odd",
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }
    edwards = {"kid": "odd", "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    shared = {"kid": "odd", "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i"}
    good = ODD.members("odd")
    many = [{**ODD.members(f"k{number}"), "n": good["n"]} for number in range(9_999)]
    return [
        Odd("no file", None),
        Odd("an empty file", b"", sound=False),
        Odd("a page in HTML", b"<!DOCTYPE html><html><body>Log in</body></html>", sound=False),
        Odd("JSON that is cut off", _set(SOUND.members("sound"), good)[:-20], sound=False),
        Odd("``[]`` nested 100,000 deep", b"[" * 100_000 + b"]" * 100_000, sound=False),
        Odd("an object without ``keys``", b"{}", sound=False),
        Odd("an empty list ``keys``", _set(), sound=False),
        Odd("``keys`` that is not a list", json.dumps({"keys": good}).encode(), ODD, sound=False),
        Odd("a list of keys without ``keys`` around it", json.dumps([good]).encode(), ODD, sound=False),
        _odd("something in the list that is not an object", "odd"),
        _odd("an RSA key without ``kid``", ODD.members(None), ODD),
        _odd("a ``kid`` that is a number", {**good, "kid": 7}, ODD, 7),
        _odd("an RSA key without ``alg``", ODD.members("odd", alg=None), ODD),
        _odd("an RSA key for RS512", ODD.members("odd", alg="RS512"), ODD),
        _odd("an RSA key for encryption", ODD.members("odd", alg="RSA-OAEP", use="enc"), ODD),
        _odd("an RSA key without ``kty``", ODD.members("odd", kty=None), ODD),
        _odd("a ``kty`` of ``rsa``", ODD.members("odd", kty="rsa"), ODD),
        _odd("an EC key without ``alg``", elliptic),
        _odd("an EC key for ES256", {**elliptic, "alg": "ES256"}),
        _odd("an OKP key without ``alg``", edwards),
        _odd("an OKP key for EdDSA", {**edwards, "alg": "EdDSA"}),
        _odd("an ``oct`` key without ``alg``", shared),
        _odd("an ``oct`` key for HS256", {**shared, "alg": "HS256"}),
        _odd("``x5c`` beside ``n`` and ``e``", {**good, "x5c": chain}, ODD),
        _odd("``x5c`` and neither ``n`` nor ``e``", {**ODD.members("odd", n=None, e=None), "x5c": chain}, ODD),
        _odd("an RSA key without ``n``", ODD.members("odd", n=None), ODD),
        _odd("an RSA key without ``e``", ODD.members("odd", e=None), ODD),
        _odd("an ``n`` with a character that is not base64", {**good, "n": "!" + good["n"][1:]}, ODD),
        _odd("an ``n`` of a single letter", {**good, "n": "A"}, ODD),
        _odd("an ``n`` of nothing but ``!``", {**good, "n": "!" * 342}, ODD),
        _odd("an ``n`` with the padding of base64", {**good, "n": good["n"] + "=="}, ODD),
        _odd("an ``n`` with zero octets before it", {**good, "n": encode_octets(b"\0\0\0" + ODD.octets)}, ODD),
        _odd("an ``n`` that is cut off", {**good, "n": good["n"][:-4]}, ODD),
        _odd("private parts", {**good, "d": encode_octets(b"\1" * 256)}, ODD),
        _odd("a modulus of 512 bits", short.members("odd"), short),
        _odd("an exponent of 1, with which anybody can sign", one.members("odd"), one),
        Odd("the same ``kid`` twice, a token of the first key", _set(good, SOUND.members("odd")), ODD, sound=False),
        Odd("the same ``kid`` twice, a token of the second key", _set(SOUND.members("odd"), good), ODD, sound=False),
        Odd("10,000 keys", _set(SOUND.members("sound"), *many, good), ODD),
    ]


def measured(oracle: KeySetOracle) -> dict[str, str]:
    """What this release does with each of them."""
    return {odd.what: _outcome(oracle, odd) for odd in odd_key_sets()}


def replaced(page: str, columns: dict[str, dict[str, str]]) -> str:
    """The page with the table of these columns, by release, instead of the one that it has."""
    before, _begin, rest = page.partition(_BEGIN)
    _table, _end, after = rest.partition(_END)
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 31 23 23 23", ""]
    lines += _row(["In the file", *columns])
    for odd in next(iter(columns.values())):
        lines += _row([odd, *(column[odd] for column in columns.values())])
    return f"{before}{_BEGIN}" + "\n".join(lines) + f"\n\n{_END}{after}"


def _row(cells: list[str]) -> list[str]:
    return [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(cells)]


def _outcome(oracle: KeySetOracle, odd: Odd) -> str:
    result = load(oracle, odd.file)
    if not result.loads:
        return "dies" if result.fatal else "dies without a message"
    assert odd.file is not None
    tokens = [SOUND.token("sound")] if odd.sound else []
    tokens += [odd.signer.token(odd.kid)] if odd.signer else []
    try:
        accepted = admit(oracle, odd.file, tokens)
    except NotUp:
        # 22.05 then looks for a key in StateSaveLocation, as if there were no jwks=.
        return "looks for ``jwt_hs256.key`` instead, and dies if there is none"
    if odd.sound and not accepted[0]:
        return "starts; not even the sound key beside it works"
    if odd.signer:
        return "works" if accepted[-1] else "starts; refuses its tokens"
    return "starts; ignores it" if odd.sound else "starts; refuses every RS256 token"


def _odd(what: str, key: Any, signer: Pair | None = None, kid: object = "odd") -> Odd:
    return Odd(what, _set(SOUND.members("sound"), key), signer, kid)


def _set(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()
