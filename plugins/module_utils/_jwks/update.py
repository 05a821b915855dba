# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the file of trusted keys up to date with its sources. Private to this collection.

policy.py decides which keys are trusted, sources.py reads the sources, file.py writes. This file sets the order:
distrusted keys are removed before any source is asked.
"""

from __future__ import annotations

import time
from typing import Any, Callable, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import remove_stale
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock, uncontested
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import DeclaredOwnership
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import refuse_public_folder
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.file import (
    CurrentKeySet,
    FileChange,
    KeySetFile,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import render
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.policy import (
    InheritedKey,
    PolicySettings,
    TrustDecision,
    TrustRefused,
    decide,
    inherit,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.record import format_record
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.sources import (
    SourceError,
    SourceReader,
    SourceResults,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import MIN_BITS


class KeySetSettings(NamedTuple):
    """The declared settings of one file of trusted keys."""

    path: str
    sources: list[dict[str, Any]]
    """Each with issuer, url, path, data, kid, ca_path, allow_http and allow_shared, as in the module slurm_jwks."""
    policy: PolicySettings
    declared: DeclaredOwnership
    min_bits: int = MIN_BITS
    timeout: float = 30.0
    """Seconds in which all sources must have answered in full."""
    tolerant: bool = False
    """Whether a source may fail that the record does not know."""
    inherited: Sequence[InheritedKey] = ()
    """The first keys of a file that does not exist yet."""
    backup: bool = False
    check_mode: bool = False
    """Nothing is written, and files that an earlier task would create may be missing."""
    folder_may_be_missing: bool = False


class KeySetUpdate:
    """One update of a file of trusted keys."""

    def __init__(self, settings: KeySetSettings, warn: Callable[[str], None]) -> None:
        self.settings = settings
        self.policy = settings.policy
        self.warn = warn
        self.now = int(time.time())
        self.path = settings.path
        self.reader = SourceReader(settings.sources, settings.min_bits, settings.timeout, settings.check_mode)
        folder_may_be_missing = settings.check_mode or settings.folder_may_be_missing
        self.file = KeySetFile(settings.path, self.now, settings.backup, folder_may_be_missing)
        self.distrusts = False
        """Whether a key is removed because the site named it in remove. No source can prevent that."""

    def run(self) -> tuple[CurrentKeySet, FileChange]:
        """Bring the file up to date; returns the state before, and the change."""
        refuse_public_folder(self.path, "keys")
        try:
            self.reader.check()
        except SourceError as exc:
            raise TaskError(str(exc)) from None
        if not self.settings.check_mode:
            remove_stale(self.path)
        first = self._current()
        wrote = self._distrust(first)
        results = self.reader.read({key.thumbprint for key in first.keys}, self.warn)
        self._refuse_unknown(first, results)
        # Report the difference to the state before the run.
        whole = self._plan(first, results)
        if first.file is None and results.failed and not whole.data and not self.settings.tolerant:
            raise self.file.refusal(results.failed[0].reason)
        current, change = self._apply(results)
        return (first, whole) if wrote else (current, change)

    def remove(self) -> CurrentKeySet:
        """Remove the file and its record; returns what was there."""
        current = self._current()
        if (current.file or current.record_file) and not self.settings.check_mode:
            self.file.remove(current)
        return current

    def _current(self) -> CurrentKeySet:
        return self.file.read(self.settings.min_bits, self.policy.force)

    def _distrust(self, current: CurrentKeySet) -> bool:
        """Remove distrusted and expired keys, whatever the sources say; returns whether it wrote the file."""
        if current.file is None:
            return False
        change = self._plan(current, None)
        self.distrusts = change.decision.distrusts
        if not change.writes_keys or self.settings.check_mode:
            return False
        self._apply(None)
        return True

    def _refuse_unknown(self, current: CurrentKeySet, results: SourceResults) -> None:
        """Fail if a failed source is not on record: it may be a typing error. A run that distrusts keys continues."""
        for failed in results.failed:
            if self.settings.tolerant or self.distrusts or current.record.knows(failed.source):
                continue
            raise self.file.refusal(failed.reason)

    def _apply(self, results: SourceResults | None) -> tuple[CurrentKeySet, FileChange]:
        """Decide and write; returns the state before, and the change."""
        return uncontested(self.path, lambda: self._attempt(results))

    def _attempt(self, results: SourceResults | None) -> tuple[CurrentKeySet, FileChange] | None:
        """The state before, and the change; None if another run created the file first."""
        current = self._current()
        change = self._plan(current, results)
        if not change.acts or self.settings.check_mode:
            return current, change
        if current.file is None:
            return (current, change) if self.file.create(change) else None
        with file_lock(self.path):
            # Another run may have changed the file while this one waited for the file lock.
            current = self._current()
            change = self._plan(current, results)
            self.file.write(current, change)
        return current, change

    def _plan(self, current: CurrentKeySet, results: SourceResults | None) -> FileChange:
        decision = self._decide(current, results)
        # If keys were distrusted and none is left, write an empty set: Slurm then refuses every RS256 token.
        unknown = current.file is None and not decision.keys and not decision.record.distrusted
        data = b"" if unknown else render(decision.keys)
        nothing = unknown and not (results and results.pending)
        on_record = format_record(decision.record)
        ownership = self.settings.declared.ownership(current.file)
        files = [file for file in (current.file, current.record_file) if file]
        return FileChange(
            decision,
            data,
            on_record,
            ownership,
            not nothing and (current.file is None or current.file.data != data),
            not nothing and (current.record_file is None or current.record_file.data != on_record),
            any(not file.has_ownership(*ownership) for file in files),
            tuple(results.failed) if results else (),
        )

    def _decide(self, current: CurrentKeySet, results: SourceResults | None) -> TrustDecision:
        keys, record, policy = current.keys, current.record, self.policy
        if current.file is None:
            inherited, recorded = inherit(self.settings.inherited, policy.retain, self.now)
            keys, record = tuple(inherited), record._replace(keys=(*record.keys, *recorded))
        if results is None:
            return decide(keys, record, [], policy, self.now, None)
        if results.pending:
            # Check mode, and some sources do not exist yet: no key is known to be withdrawn.
            record, policy = record._replace(keys=()), policy._replace(merge=True, force=True)
        try:
            return decide(keys, record, results.published, policy, self.now, [each.source for each in results.failed])
        except TrustRefused as exc:
            if not self.distrusts or self.settings.tolerant:
                raise self.file.refusal(str(exc)) from None
            self.warn(f"{exc} Only what is distrusted was removed from {self.path}.")
            return decide(keys, record, [], policy, self.now, None)
