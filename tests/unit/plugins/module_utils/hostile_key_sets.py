# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key sets as issuers publish them, and what becomes of them by accident or on purpose."""

from __future__ import annotations

import copy
import json
import pathlib
import random
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import distrust, key_set, policy, record
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import jwk

SAMPLES = {
    path.stem: path.read_bytes() for path in sorted((pathlib.Path(__file__).parent / "key_sets").glob("*.json"))
}
"""Documents in the shapes that issuers publish, by issuer. The keys in them were made for these tests."""

_NAMES = ("kid", "kty", "alg", "use", "key_ops", "n", "e", "x5c", "x5t", "x5u", "keys", "k", "crv", "x", "y")
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**40, "", "AQAB", "AQ", "Aw", "AAAA", "AAEAAQ==", "A", "A===", "AQAB\n", "+/+/",
    "\u0000", "RSA", "rsa", "EC", "OKP", "oct", "RS256", "rs256", "HS256", "RS512", "none", "sig", "enc", "verify",
    "schl\u00fcssel", "\ud800", "a" * 300, "kid\u0000kid", "../../etc/passwd", "\"},{\"", [], {}, ["verify"], ["sign"],
    [[]], [{}], {"kty": "RSA"},
)


def written(data: bytes, current: Sequence[jwk.Jwk] = ()) -> bytes | None:
    """The file that would take the place of CURRENT for a document, None if that is refused in words."""
    try:
        parsed = key_set.parse(data)
        outcome = policy.decide(
            current,
            record.KeySetRecord(),
            [distrust.PublishedKeys("the issuer", parsed)],
            policy.PolicySettings(retain=3600),
            1_800_000_000,
        )
    except (key_set.KeySetError, policy.TrustRefused) as exc:
        assert len(str(exc)) > 20
        return None
    for _source, lost in outcome.dropped:
        assert lost.kid
        assert lost.kid.isprintable() and lost.reason.isprintable() and len(lost.kid) <= 80
    return key_set.render(outcome.keys)


def mutated(seed: int, samples: Mapping[str, bytes] = SAMPLES) -> bytes:
    """A document with one to six things wrong with it; the same for the same seed and samples."""
    chance = random.Random(seed)
    name = chance.choice(sorted(samples))
    document = json.loads(samples[name])
    for _time in range(chance.randint(1, 6)):
        chance.choice(_CHANGES)(chance, document)
    data = json.dumps(document, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    while chance.random() < 0.3:
        data = chance.choice(_DAMAGES)(chance, data)
    return data


def _keys(document: dict[str, Any]) -> list[Any]:
    keys = document.get("keys")
    return keys if isinstance(keys, list) else [document]


def _some_key(chance: random.Random, document: dict[str, Any]) -> dict[str, Any]:
    keys = [key for key in _keys(document) if isinstance(key, dict)]
    return chance.choice(keys) if keys else document


def _some_value(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(_VALUES))


def _set_member(chance: random.Random, document: dict[str, Any]) -> None:
    _some_key(chance, document)[chance.choice(_NAMES)] = _some_value(chance)


def _drop_member(chance: random.Random, document: dict[str, Any]) -> None:
    key = _some_key(chance, document)
    if key:
        del key[chance.choice(sorted(key))]


def _leave_chain_only(chance: random.Random, document: dict[str, Any]) -> None:
    key = _some_key(chance, document)
    key.pop("n", None)
    key.pop("e", None)


def _add_private_part(chance: random.Random, document: dict[str, Any]) -> None:
    _some_key(chance, document)[chance.choice(_PRIVATE)] = chance.choice(("AQAB", "", None, 7))


def _change_number(chance: random.Random, document: dict[str, Any]) -> None:
    key = _some_key(chance, document)
    member = chance.choice(("n", "n", "e"))
    text = key.get(member)
    if not isinstance(text, str) or not text:
        return
    position = chance.randrange(len(text))
    key[member] = chance.choice(
        (
            text[:position],
            text[position:],
            text[:position] + chance.choice("AZaz09-_+/=. ") + text[position + 1 :],
            "AAAA" + text,
            text + "=" * chance.randint(1, 3),
            text * chance.randint(2, 5),
        )
    )


def _repeat_key(chance: random.Random, document: dict[str, Any]) -> None:
    keys = _keys(document)
    again = copy.deepcopy(_some_key(chance, document))
    if chance.random() < 0.5:
        again["kid"] = chance.choice(("1", "2", again.get("kid")))
    keys.insert(chance.randint(0, len(keys)), again)


def _swap_kids(chance: random.Random, document: dict[str, Any]) -> None:
    one, other = _some_key(chance, document), _some_key(chance, document)
    one["kid"] = copy.deepcopy(other.get("kid"))


def _spoil_list(chance: random.Random, document: dict[str, Any]) -> None:
    keys = _keys(document)
    keys.insert(chance.randint(0, len(keys)), _some_value(chance))


def _spoil_document(chance: random.Random, document: dict[str, Any]) -> None:
    document[chance.choice(("keys", "kty", "jwks_uri", "x", "n"))] = _some_value(chance)


def _nest(chance: random.Random, document: dict[str, Any]) -> None:
    value: Any = "deep"
    for _level in range(chance.choice((3, 31, 40, 200))):
        value = [value] if chance.random() < 0.5 else {"keys": value}
    _some_key(chance, document)["extra"] = value


_CHANGES: tuple[Callable[[random.Random, dict[str, Any]], None], ...] = (
    _set_member, _set_member, _set_member, _drop_member, _leave_chain_only, _add_private_part, _change_number,
    _change_number, _repeat_key, _swap_kids, _spoil_list, _spoil_document, _nest,
)


def _flip(chance: random.Random, data: bytes) -> bytes:
    position = chance.randrange(len(data)) if data else 0
    return data[:position] + bytes([chance.randrange(256)]) + data[position + 1 :]


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randint(0, len(data))]


def _repeat(chance: random.Random, data: bytes) -> bytes:
    begin = chance.randint(0, len(data))
    end = chance.randint(begin, min(len(data), begin + 400))
    return data[:end] + data[begin:end] + data[end:]


def _wrap(chance: random.Random, data: bytes) -> bytes:
    return chance.choice((b"\xef\xbb\xbf" + data, b"[" + data + b"]", b"<html>" + data, data + b"\x00", b"\n\n" + data))


def _double_member(chance: random.Random, data: bytes) -> bytes:
    name = chance.choice((b'"kid"', b'"n"', b'"e"', b'"keys"', b'"kty"'))
    return data.replace(name, name + b': "AQAB", ' + name, 1)


_DAMAGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (_flip, _cut, _repeat, _wrap, _double_member)
