# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what a run changes about a key that exists. Private to this collection."""

from __future__ import annotations

import os
from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import Ownership
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import SecretFile
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.desired import DesiredKey
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import KeyRecord
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, Slot, beside


class CurrentKey(NamedTuple):
    """The current key, if there is one, and the file at the path of its record."""

    slot: Slot | None = None
    record_file: SecretFile | None = None


class KeyChange(NamedTuple):
    """What a run does: replace the key for a reason, or keep it and correct its record and ownership."""

    ownership: Ownership
    reason: str | None = None
    record: KeyRecord | None = None
    """The new record of a key that stays."""
    fixes_ownership: bool = False

    @property
    def acts(self) -> bool:
        return bool(self.reason or self.record or self.fixes_ownership)


def decide(desired: DesiredKey, current: CurrentKey) -> KeyChange:
    """The change that makes the current key the desired one; TaskError if the task does not allow it."""
    slot = current.slot
    if slot is None:
        raise SecretFileMissing(f"{desired.path} does not exist.")
    ownership = desired.declared.ownership(slot.key)
    reason = reason_to_replace(desired, slot)
    if reason:
        _refuse_during_rotation(desired.path)
        return KeyChange(ownership, reason)
    record = _desired_record(desired, slot)
    files = [slot.key] + ([current.record_file] if current.record_file and slot.record else [])
    fixes_ownership = any(not file.has_ownership(*ownership) for file in files)
    return KeyChange(ownership, None, None if record == slot.record else record, fixes_ownership)


def reason_to_replace(desired: DesiredKey, slot: Slot) -> str | None:
    """Why the key is replaced, as in the result "reason"; None if it stays."""
    data, record = slot.key.data, slot.record
    desired.refuse_other_file(
        data, "have a key made in its place with force: true (and backup: true to keep the file)"
    )
    if desired.content is not None:
        return "content" if desired.content != data else None
    if desired.force:
        return "force"
    if desired.serial and record and record.serial and record.serial != desired.serial:
        return "serial"
    if desired.max_age is not None and slot.age(desired.now) >= desired.max_age:
        return "max_age"
    return _reason_of_weakness(desired, data)


def _reason_of_weakness(desired: DesiredKey, data: bytes) -> str | None:
    weakness = desired.kind.weakness(data)
    if weakness and desired.weak == "replace":
        return "weak"
    if weakness and not desired.consents_to(data) and (desired.weak == "fail" or not data):
        accept = ", weak: keep accepts this one" if data else ""
        raise TaskError(
            f"{desired.path} {weakness}. It was left as it is. weak: replace makes a new key in its place (tokens"
            f" signed so far become invalid; backup: true keeps the old key){accept}."
        )
    return None


def _refuse_during_rotation(path: str) -> None:
    staged = beside(path, NEXT)
    if os.path.lexists(staged):
        raise TaskError(
            f"{staged} exists, so a rotation is under way. {path} was left as it is. Let the rotation end, or remove"
            " the staged key with state: unstaged."
        )


def _desired_record(desired: DesiredKey, slot: Slot) -> KeyRecord | None:
    """The desired record: the current one if the task declares nothing else."""
    record = slot.record
    if not desired.serial and desired.declared_created is None and not desired.by:
        return record
    serial = desired.serial or (record.serial if record else None)
    created = slot.known.created if desired.declared_created is None else desired.declared_created
    # The recorded maker comes first, unless the task brings the key.
    names = [record.by if record else None, desired.by]
    by = next(filter(None, names if desired.content is None else reversed(names)), None)
    return KeyRecord(serial, created, fingerprint(slot.key.data), by)
