# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The slots of a key: current, next and previous, each with its record. Private to this collection."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    SecretFile,
    read_if_there,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import (
    KeyRecord,
    parse_record,
    record_path,
)

NEXT = "next"
PREVIOUS = "previous"


class Slot(NamedTuple):
    """One of the three keys, and its record."""

    key: SecretFile
    record: KeyRecord | None
    recorded: float | None = None
    """When the record was written, in seconds since 1970. For a staged key: when its run claimed it."""

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.key.data)

    def age(self, now: float) -> int:
        """The age of the key in seconds."""
        return max(0, int(now) - self.known.created)

    @property
    def known(self) -> KeyRecord:
        """Its record, or what the key file itself shows."""
        return self.record or KeyRecord(None, int(self.key.mtime), self.fingerprint)


class Slots(NamedTuple):
    """The progress of a rotation on this host."""

    current: Slot | None
    next: Slot | None
    previous: Slot | None

    @property
    def swapped(self) -> bool:
        """Whether the staged key is in force already."""
        return bool(self.current and self.next and self.current.key.data == self.next.key.data)


def beside(path: str, which: str) -> str:
    """The path of the next or previous key (or token) for the one at PATH."""
    return f"{path}.{which}"


def read_slots(path: str) -> Slots:
    """All three keys, each with the record that describes it."""
    keys = [read_if_there(name) for name in (path, beside(path, NEXT), beside(path, PREVIOUS))]
    records = [_dated_record(name) for name in (path, beside(path, NEXT), beside(path, PREVIOUS))]

    def slot(key: SecretFile | None, own: tuple[KeyRecord, float] | None) -> Slot | None:
        if key is None:
            return None
        # After a killed swap, the record of the current key is still in the slot that the key came from.
        mine = [found for found in (own, *records) if found and found[0].fingerprint == fingerprint(key.data)]
        return Slot(key, *mine[0]) if mine else Slot(key, None)

    return Slots(*(slot(key, own) for key, own in zip(keys, records)))


def _dated_record(path: str) -> tuple[KeyRecord, float] | None:
    """The record of the key at PATH, and when it was written."""
    file = read_if_there(record_path(path))
    record = parse_record(file.data) if file else None
    return (record, file.mtime) if file and record else None
