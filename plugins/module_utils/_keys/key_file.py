# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes, keeps, replaces and removes the file of one signing key. Private to this collection."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import (
    AtomicFile,
    create,
    move,
    remove,
    remove_stale,
    replace,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.backup import backup_names
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock, uncontested
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import DeclaredOwnership, ownership
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    SecretFile,
    read_if_there,
    refuse_public_folder,
    set_attributes,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.change import CurrentKey, KeyChange, decide
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.desired import DesiredKey
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import (
    format_record,
    parse_record,
    record_path,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.report import KeyReport
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, PREVIOUS, Slot, beside


class KeyFile:
    """The states present and absent of one key file."""

    def __init__(self, task: Task) -> None:
        self.desired = DesiredKey(task)
        self.path = self.desired.path
        self.check_mode = task.check_mode
        self.report = KeyReport(self.desired, task)

    def present(self) -> dict[str, Any]:
        refuse_public_folder(self.path, "a key")
        if not self.check_mode:
            remove_stale(self.path)
        before, change = uncontested(self.path, self._make_present)
        if change.reason and before.slot and self.check_mode:
            self._foretell_backup(".bak")
        after = before if self.check_mode or not change.acts else self._current()
        return self.report.present(before, change, after)

    def absent(self) -> dict[str, Any]:
        before, changed = uncontested(self.path, self._make_absent)
        if not self.check_mode and os.path.isdir(os.path.dirname(self.path)):
            remove_stale(self.path)
        if before.slot and self.check_mode:
            self._foretell_backup(".removed")
        return self.report.absent(before, changed)

    def _make_present(self) -> tuple[CurrentKey, KeyChange] | None:
        """What was there, and the change; None if another run created the key first."""
        current = self._current()
        if current.slot is None:
            change = KeyChange(self.desired.declared.ownership(None), reason="missing")
            return (current, change) if self.check_mode or self._create(change) else None
        change = decide(self.desired, current)
        if self.check_mode or not change.acts:
            return current, change
        with file_lock(self.path):
            # Another run may have done everything while it held the lock.
            current = self._current()
            change = decide(self.desired, current)
            self._apply(current, change)
        return current, change

    def _make_absent(self) -> tuple[CurrentKey, bool] | None:
        """What was there, and whether something was removed; None if another run created or removed the key."""
        current = self._current()
        if current.slot:
            self.desired.refuse_other_file(current.slot.key.data, "remove the file with force: true")
        existing = [name for name in self._all_files() if self._read(name)]
        if self.check_mode or not existing:
            return current, bool(existing)
        with file_lock(existing[0]):
            locked = self._current()
            if bool(locked.slot) != bool(current.slot):
                return None
            return locked, self._remove(locked)

    def _all_files(self) -> list[str]:
        """The key, the other slots, and the record of each."""
        keys = [self.path, beside(self.path, NEXT), beside(self.path, PREVIOUS)]
        return [name for key in keys for name in (key, record_path(key))]

    def _current(self) -> CurrentKey:
        key = self._read(self.path)
        if key is None and self.desired.state == "present":
            return CurrentKey()
        record_file = self._read(record_path(self.path))
        record = parse_record(record_file.data) if record_file else None
        if key and record and record.fingerprint != fingerprint(key.data):
            record = None
        return CurrentKey(Slot(key, record) if key else None, record_file)

    def _read(self, path: str) -> SecretFile | None:
        removes = self.desired.state == "absent"
        return read_if_there(path, self.check_mode or removes, secret=not removes)

    def _create(self, change: KeyChange) -> bool:
        """Make the key; False if another run was first. Its record is complete on disk before the key appears."""
        key, record = self._new_files(change)
        with key, record:
            if not key.link():
                return False
            record.rename()
        return True

    def _new_files(self, change: KeyChange) -> tuple[AtomicFile, AtomicFile]:
        data, record = self.desired.new_key(self.desired.size)
        return (
            AtomicFile(self.path, data, *change.ownership),
            AtomicFile(record_path(self.path), format_record(record), *change.ownership),
        )

    def _apply(self, current: CurrentKey, change: KeyChange) -> None:
        if current.slot is None or not change.acts:
            return
        if change.reason:
            key, record = self._new_files(change)
            with key, record:
                self._back_up(current.slot.key)
                key.rename()
                # If the run is killed here, the record describes the old key. The next run ignores it and writes a new
                # one. In the other order, the next run would forget a declared rotation.
                record.rename()
            return
        set_attributes(self.path, *change.ownership)
        if change.record:
            replace(record_path(self.path), format_record(change.record), *change.ownership)
        elif current.slot.record:
            set_attributes(record_path(self.path), *change.ownership)

    def _remove(self, current: CurrentKey) -> bool:
        _key, _record, *others = self._all_files()
        # The record goes first: while the key exists, no other run creates one, which would have the wrong record.
        removed = [remove(name) for name in (*others, record_path(self.path))]
        if current.slot and self.desired.backup:
            backup = self._backup_path(".removed")
            declared = ownership(self.desired.declared.uid, self.desired.declared.gid, 0o400)
            set_attributes(self.path, *DeclaredOwnership.of_copy(current.slot.key, declared))
            move(self.path, backup)
            self.report.backup_file = backup
            return True
        return remove(self.path) or any(removed)

    def _back_up(self, key: SecretFile) -> None:
        if not self.desired.backup:
            return
        backup = self._backup_path(".bak")
        if not create(backup, key.data, *DeclaredOwnership.of_copy(key, self.desired.declared.ownership(key))):
            raise TaskError(f"{backup} exists already: another run wrote it. Nothing was replaced; run again.")
        self.report.backup_file = backup

    def _foretell_backup(self, suffix: str) -> None:
        if self.desired.backup:
            self.report.backup_file = self._backup_path(suffix)

    def _backup_path(self, suffix: str) -> str:
        names = list(backup_names(self.path, suffix, self.desired.now))
        return next((name for name in names if not os.path.lexists(name)), names[-1])
