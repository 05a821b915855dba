# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a key set: what the keys alone do not say. Private to this collection.

It has the time since when each key is trusted, its sources, and the distrusted moduli. A removed key is recognized even
if it returns with another kid or exponent.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import format_time, parse_time


class RecordedKey(NamedTuple):
    """A key that came from a source."""

    kid: str
    thumbprint: str
    since: int
    """When a run found it for the first time."""
    withdrawn: int | None = None
    """When a run found that no source has it any more."""
    sources: tuple[str, ...] = ()
    """The sources that have it, or had it last."""

    @property
    def name(self) -> tuple[str, str]:
        """Which key this is."""
        return self.kid, self.thumbprint


class DistrustedModulus(NamedTuple):
    """A modulus that is not trusted."""

    modulus: str
    """Its fingerprint."""
    since: int
    name: str | None = None
    """The entry of remove that names it; None if its private part was published."""
    sources: tuple[str, ...] = ()
    """The sources that had it."""
    scoped: bool = False
    """Whether it is distrusted only from these sources. A kid in remove identifies a modulus only if the key was
    trusted: any source can publish another source's modulus under that kid."""


class KeySetRecord(NamedTuple):
    keys: tuple[RecordedKey, ...] = ()
    distrusted: tuple[DistrustedModulus, ...] = ()

    def knows(self, source: str) -> bool:
        """Whether a source has been read before."""
        return any(source in each.sources for each in self.keys) or any(
            source in each.sources for each in self.distrusted
        )


def format_record(record: KeySetRecord) -> bytes:
    """The record as a file. The same record gives the same bytes."""
    content: dict[str, Any] = {"keys": [_key_entry(noted) for noted in sorted(record.keys, key=lambda each: each.name)]}
    if record.distrusted:
        content["distrusted"] = [_distrusted_entry(each) for each in sorted(record.distrusted, key=_order)]
    return (json.dumps(content, indent=2) + "\n").encode("ascii")


def _order(distrusted: DistrustedModulus) -> tuple[str, bool, tuple[str, ...]]:
    return distrusted.modulus, distrusted.scoped, distrusted.sources


def _key_entry(noted: RecordedKey) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "kid": noted.kid, "thumbprint": noted.thumbprint, "since": format_time(noted.since),
    }  # fmt: skip
    if noted.withdrawn is not None:
        entry["withdrawn"] = format_time(noted.withdrawn)
    return {**entry, "sources": list(noted.sources)}


def _distrusted_entry(distrusted: DistrustedModulus) -> dict[str, Any]:
    return {**distrusted._asdict(), "since": format_time(distrusted.since), "sources": list(distrusted.sources)}


def parse_record(data: bytes) -> KeySetRecord:
    """The record in a file; a record that cannot be read counts as missing."""
    try:
        content = json.loads(data.decode("utf-8"))
        return KeySetRecord(
            tuple(_parsed_key(entry) for entry in content["keys"]),
            tuple(_parsed_modulus(entry) for entry in content.get("distrusted", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return KeySetRecord()


def _parsed_key(entry: dict[str, Any]) -> RecordedKey:
    withdrawn = entry.get("withdrawn")
    return RecordedKey(
        _text(entry["kid"]),
        _text(entry["thumbprint"]),
        parse_time(entry["since"]),
        None if withdrawn is None else parse_time(withdrawn),
        _texts(entry["sources"]),
    )


def _parsed_modulus(entry: dict[str, Any]) -> DistrustedModulus:
    name = entry["name"]
    return DistrustedModulus(
        _text(entry["modulus"]),
        parse_time(entry["since"]),
        None if name is None else _text(name),
        _texts(entry["sources"]),
        entry["scoped"] is True,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return tuple(map(_text, value))
