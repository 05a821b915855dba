# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of trusted keys and the record beside it, on the disk. Private to this collection.

The order of the writes is safe: a run that is killed leaves either the old or the new keys.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import create, remove, remove_stale, replace
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.backup import backup_names
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import Ownership
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    SecretFile,
    read_if_there,
    set_attributes,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import (
    OWN_LIMITS,
    DroppedKey,
    KeySetEmpty,
    KeySetError,
    parse,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.policy import TrustDecision
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.record import (
    KeySetRecord,
    format_record,
    parse_record,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.sources import FailedSource
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import Jwk, Rules
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import record_path


class CurrentKeySet(NamedTuple):
    """The current key set, and the record beside it."""

    file: SecretFile | None = None
    keys: tuple[Jwk, ...] = ()
    dropped: tuple[DroppedKey, ...] = ()
    record_file: SecretFile | None = None
    record: KeySetRecord = KeySetRecord()


class FileChange(NamedTuple):
    """What to write to the two files."""

    decision: TrustDecision
    data: bytes
    record: bytes
    ownership: Ownership
    writes_keys: bool
    writes_record: bool
    sets_ownership: bool
    failed: tuple[FailedSource, ...] = ()
    """Sources without usable keys now. Their earlier keys stay as they are."""

    @property
    def acts(self) -> bool:
        return self.writes_keys or self.writes_record or self.sets_ownership


class KeySetFile:
    """The file that Slurm reads, and its record."""

    def __init__(self, path: str, now: int, backup: bool, folder_may_be_missing: bool) -> None:
        self.path = path
        self.now = now
        self.backup = backup
        self.folder_may_be_missing = folder_may_be_missing
        self.backups: dict[str, str] = {}
        self.wrote = False
        """Whether the keys were written, even if a later step failed."""

    def read(self, min_bits: int, force: bool) -> CurrentKeySet:
        """The current files. With force, a file that is not a key set counts as one without keys."""
        file, record_file = self._read(self.path), self._read(record_path(self.path))
        record = parse_record(record_file.data) if record_file else KeySetRecord()
        # Recorded keys were checked when they were added.
        rules = Rules(min_bits, checked={recorded.thumbprint for recorded in record.keys})
        if file is None:
            return CurrentKeySet(None, (), (), record_file, record)
        try:
            key_set = parse(file.data, rules, limits=OWN_LIMITS)
        except KeySetEmpty:
            return CurrentKeySet(file, (), (), record_file, record)
        except KeySetError as exc:
            if not force:
                raise self.refusal(f"{self.path} {exc} Correct the path, or consent with force: true.") from None
            return CurrentKeySet(file, (), (), record_file, record)
        keys: dict[str, Jwk] = {}
        dropped = list(key_set.dropped)
        for key in key_set.keys:
            if keys.setdefault(key.kid, key) != key:
                dropped.append(DroppedKey(key.kid, "has the kid of another key before it"))
        return CurrentKeySet(file, tuple(keys.values()), tuple(dropped), record_file, record)

    def _read(self, path: str) -> SecretFile | None:
        return read_if_there(path, self.folder_may_be_missing)

    def refusal(self, text: str) -> TaskError:
        """An error with TEXT, and whether the file was changed."""
        if self.wrote:
            removed = f"Keys that have expired or are distrusted were removed from {self.path}"
            return TaskError(f"{text} {removed}, and nothing else was changed.")
        return TaskError(f"{text} {self.path} was left as it is.")

    def create(self, change: FileChange) -> bool:
        """Create the file; False if another run did so first. The next write() then corrects that run's record."""
        replace(record_path(self.path), change.record, *change.ownership)
        self.wrote = create(self.path, change.data, *change.ownership)
        return self.wrote

    def write(self, current: CurrentKeySet, change: FileChange) -> None:
        """Change the file that is there. The caller holds its lock."""
        self._back_up(current)
        if change.writes_keys:
            # Until the new keys are written, the record must name the old ones too. Otherwise, if this run is killed in
            # between, the next run takes a key that should be removed for somebody else's.
            new = change.decision.record
            names = {recorded.name for recorded in new.keys}
            old = tuple(recorded for recorded in current.record.keys if recorded.name not in names)
            both = format_record(new._replace(keys=(*new.keys, *old)))
            if current.record_file is None or current.record_file.data != both:
                replace(record_path(self.path), both, *change.ownership)
            replace(self.path, change.data, *change.ownership)
            self.wrote = True
        elif change.sets_ownership:
            set_attributes(self.path, *change.ownership)
        record_file = self._read(record_path(self.path))
        if record_file is None or record_file.data != change.record:
            replace(record_path(self.path), change.record, *change.ownership)
        elif change.sets_ownership:
            set_attributes(record_path(self.path), *change.ownership)

    def remove(self, current: CurrentKeySet) -> None:
        self._back_up(current)
        # Remove the keys first: without a record they would count as somebody else's.
        remove(self.path)
        remove(record_path(self.path))
        remove_stale(self.path)

    def _back_up(self, current: CurrentKeySet) -> None:
        """Copy the file and its record, with their ownership, before the first change."""
        if not self.backup or self.backups:
            return
        for path, file in ((self.path, current.file), (record_path(self.path), current.record_file)):
            if file is None:
                continue
            names = backup_names(path, "~", self.now)
            copy = next((name for name in names if create(name, file.data, file.uid, file.gid, file.mode)), None)
            if copy is None:
                raise TaskError(f"{path} has a hundred backups of this second. Nothing was changed; run again.")
            self.backups[path] = copy
