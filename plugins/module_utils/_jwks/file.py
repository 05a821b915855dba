# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the file of trusted keys to what its sources have. Private to this collection.

What is trusted is decided in _jwks_trust, and sources are read in _jwks_sources; here is what is on disk, and in which
order things are done: what is distrusted goes before any source is asked, and files change so that whoever is killed
leaves the old keys or the new ones.
"""

from __future__ import annotations

import time
from typing import Any, Callable, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import create, remove, remove_stale, replace
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import DeclaredOwnership, Ownership
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    SecretFile,
    read_if_there,
    refuse_public_folder,
    set_attributes,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import (
    OWN_LIMITS,
    Dropped,
    KeySetEmpty,
    KeySetError,
    parse,
    render,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.policy import (
    Inherited,
    Outcome,
    PolicySettings,
    TrustRefused,
    decide,
    inherit,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.record import (
    KeySetRecord,
    format_record,
    parse_record,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.sources import Failed, Heard, Reader, SourceError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import MIN_BITS, Jwk, Rules
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import record_path

_ATTEMPTS = 100  # against runs that do the opposite at the same time
_RESTLESS = "Something makes {0} and takes it away again all the time; find out who."


class KeySetRefused(Exception):
    """What was asked for is not done; str() says why and what to do."""


class CurrentFiles(NamedTuple):
    """The key set as it is, and the record beside it."""

    file: SecretFile | None = None
    keys: tuple[Jwk, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    record_file: SecretFile | None = None
    record: KeySetRecord = KeySetRecord()


class FileChange(NamedTuple):
    """What is to be on disk."""

    outcome: Outcome
    data: bytes
    record: bytes
    ownership: Ownership
    writes_keys: bool
    writes_record: bool
    mends: bool
    failed: tuple[Failed, ...] = ()
    """Sources that have no usable keys now. Those that they had stay as they are."""

    @property
    def acts(self) -> bool:
        return self.writes_keys or self.writes_record or self.mends


class KeySetJob(NamedTuple):
    """What is asked for."""

    path: str
    sources: list[dict[str, Any]]
    """Each with issuer, url, path, data, kid, ca_path, allow_http and allow_shared, as in the module slurm_jwks."""
    settings: PolicySettings
    declared: DeclaredOwnership
    min_bits: int = MIN_BITS
    timeout: float = 30.0
    """Seconds in which all sources must have answered in full."""
    tolerant: bool = False
    """Whether a source of which no key is known may fail."""
    inherited: Sequence[Inherited] = ()
    """What a file begins with that is not there yet."""
    backup: bool = False
    only_look: bool = False
    """Check mode: nothing is written, and what an earlier task would have made may be missing."""
    folder_may_lack: bool = False


class TrustFile:
    """One file of trusted keys, and what is asked for it."""

    def __init__(self, task: KeySetJob, warn: Callable[[str], None]) -> None:
        self.task = task
        self.reader = Reader(task.sources, task.min_bits, task.timeout, task.only_look)
        self.warn = warn
        self.path = task.path
        self.now = int(time.time())
        self.settings = task.settings
        self.declared = task.declared
        self.backups: dict[str, str] = {}
        self.distrusts = False
        """Whether a key goes that the site has named. No source keeps that from being done."""
        self.wrote = False
        """Whether the keys were written, also if something went wrong after that."""

    def bring_up_to_date(self) -> tuple[CurrentFiles, FileChange]:
        """Make it what its sources have; what was there, and what was done about it."""
        refuse_public_folder(self.path, "keys")
        try:
            self.reader.refuse()
        except SourceError as exc:
            raise KeySetRefused(str(exc)) from None
        if not self.task.only_look:
            remove_stale(self.path)
        first = self.look()
        wrote = self._distrust(first)
        heard = self.reader.read({key.thumbprint for key in first.keys}, self.warn)
        self._refuse_unknown(first, heard)
        # What is told is the difference to what was there before anything was done.
        whole = self._plan(first, heard)
        if first.file is None and heard.failed and not whole.data and not self.task.tolerant:
            raise self._unchanged(heard.failed[0].reason)
        found, plan = self._settle(heard)
        return (first, whole) if wrote else (found, plan)

    def _distrust(self, found: CurrentFiles) -> bool:
        """Take away what is distrusted or has run out, which no source has a say in; whether something was written."""
        if found.file is None:
            return False
        plan = self._plan(found, None)
        self.distrusts = plan.outcome.distrusts
        if not plan.writes_keys or self.task.only_look:
            return False
        self._settle(None)
        return True

    def _refuse_unknown(self, found: CurrentFiles, heard: Heard) -> None:
        """A source of which nothing is known yet may be a typing error. It is no reason to keep distrusted keys."""
        for failed in heard.failed:
            if self.task.tolerant or self.distrusts or found.record.knows(failed.source):
                continue
            raise self._unchanged(failed.reason)

    def _settle(self, heard: Heard | None) -> tuple[CurrentFiles, FileChange]:
        """Make it what was heard; what was there, and what was done about it."""
        for _attempt in range(_ATTEMPTS):
            found = self.look()
            plan = self._plan(found, heard)
            if not plan.acts or self.task.only_look:
                return found, plan
            if found.file is None:
                if self._make(plan):
                    return found, plan
                continue  # another run was first: see to its file
            try:
                with file_lock(self.path):
                    # Whoever held it before us may have done all there was to do.
                    found = self.look()
                    plan = self._plan(found, heard)
                    self._carry_out(found, plan)
                return found, plan
            except SecretFileMissing:
                continue  # removed by another run while we waited
        raise KeySetRefused(_RESTLESS.format(self.path))

    def take_away(self) -> CurrentFiles:
        """Remove it and its record; what was there."""
        found = self.look()
        if (found.file or found.record_file) and not self.task.only_look:
            self._keep(found)
            # The keys first: without a record they would count as somebody else's.
            remove(self.path)
            remove(record_path(self.path))
            remove_stale(self.path)
        return found

    def _unchanged(self, text: str) -> KeySetRefused:
        if self.wrote:
            return KeySetRefused(f"{text} What has run out was removed from {self.path}, and nothing else was changed.")
        return KeySetRefused(f"{text} {self.path} was left as it is.")

    # What is there

    def look(self) -> CurrentFiles:
        file, record_file = self._read(self.path), self._read(record_path(self.path))
        record = parse_record(record_file.data) if record_file else KeySetRecord()
        # What is on record was checked when it came.
        rules = Rules(self.task.min_bits, checked={noted.thumbprint for noted in record.keys})
        if file is None:
            return CurrentFiles(None, (), (), record_file, record)
        try:
            there = parse(file.data, rules, limits=OWN_LIMITS)
        except KeySetEmpty:
            return CurrentFiles(file, (), (), record_file, record)
        except KeySetError as exc:
            if not self.settings.force:
                raise self._unchanged(f"{self.path} {exc} Correct the path, or consent with force: true.") from None
            return CurrentFiles(file, (), (), record_file, record)
        keys: dict[str, Jwk] = {}
        dropped = list(there.dropped)
        for key in there.keys:
            if keys.setdefault(key.kid, key) != key:
                dropped.append(Dropped(key.kid, "has the kid of another key before it"))
        return CurrentFiles(file, tuple(keys.values()), tuple(dropped), record_file, record)

    def _read(self, path: str) -> SecretFile | None:
        return read_if_there(path, self.task.only_look or self.task.folder_may_lack)

    # What is to be done

    def _decide(self, found: CurrentFiles, heard: Heard | None) -> Outcome:
        keys, record, settings = found.keys, found.record, self.settings
        if found.file is None:
            begun, noted = inherit(self.task.inherited, settings.retain, self.now)
            keys, record = tuple(begun), record._replace(keys=(*record.keys, *noted))
        if heard is None:
            return decide(keys, record, [], settings, self.now, None)
        if heard.later:
            # Check mode, and some sources have yet to be made: of what is there nothing is known to go.
            record, settings = record._replace(keys=()), settings._replace(merge=True, force=True)
        try:
            return decide(keys, record, heard.published, settings, self.now, [each.source for each in heard.failed])
        except TrustRefused as exc:
            if not self.distrusts or self.task.tolerant:
                raise self._unchanged(str(exc)) from None
            self.warn(f"{exc} Only what is distrusted was removed from {self.path}.")
            return decide(keys, record, [], settings, self.now, None)

    def _plan(self, found: CurrentFiles, heard: Heard | None) -> FileChange:
        outcome = self._decide(found, heard)
        # Where keys were distrusted and none is left, an empty set is what Slurm needs: it refuses every RS256 token.
        unknown = found.file is None and not outcome.keys and not outcome.record.distrusted
        data = b"" if unknown else render(outcome.keys)
        nothing = unknown and not (heard and heard.later)
        on_record = format_record(outcome.record)
        ownership = self.declared.ownership(found.file)
        files = [file for file in (found.file, found.record_file) if file]
        return FileChange(
            outcome,
            data,
            on_record,
            ownership,
            not nothing and (found.file is None or found.file.data != data),
            not nothing and (found.record_file is None or found.record_file.data != on_record),
            any(not file.has_ownership(*ownership) for file in files),
            tuple(heard.failed) if heard else (),
        )

    # Doing it

    def _make(self, plan: FileChange) -> bool:
        """Make the file; False if another run was first, whose record is then put right."""
        replace(record_path(self.path), plan.record, *plan.ownership)
        self.wrote = create(self.path, plan.data, *plan.ownership)
        return self.wrote

    def _keep(self, found: CurrentFiles) -> None:
        """Copies of the file and its record, with their owner and mode."""
        if not self.task.backup or self.backups:
            return
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now))
        for path, file in ((self.path, found.file), (record_path(self.path), found.record_file)):
            if file is None:
                continue
            spares = (f"{path}.{stamp}{number}~" for number in ("", *(f".{again}" for again in range(2, 100))))
            kept = next((spare for spare in spares if create(spare, file.data, file.uid, file.gid, file.mode)), None)
            if kept is None:
                raise KeySetRefused(f"{path} has a hundred copies of this second beside it. Nothing was changed.")
            self.backups[path] = kept

    def _carry_out(self, found: CurrentFiles, plan: FileChange) -> None:
        self._keep(found)
        if plan.writes_keys:
            # Until the new keys are there, the record has to speak of the old ones too: killed in between, the next run
            # would take a key that was to go for one that somebody else has put there.
            new = plan.outcome.record
            names = {each.name for each in new.keys}
            old = tuple(noted for noted in found.record.keys if noted.name not in names)
            both = format_record(new._replace(keys=(*new.keys, *old)))
            if found.record_file is None or found.record_file.data != both:
                replace(record_path(self.path), both, *plan.ownership)
            replace(self.path, plan.data, *plan.ownership)
            self.wrote = True
        elif plan.mends:
            set_attributes(self.path, *plan.ownership)
        now = self._read(record_path(self.path))
        if now is None or now.data != plan.record:
            replace(record_path(self.path), plan.record, *plan.ownership)
        elif plan.mends:
            set_attributes(record_path(self.path), *plan.ownership)
