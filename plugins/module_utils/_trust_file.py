# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings the file of trusted keys to what its sources have. Private to this collection.

What is trusted is decided in _jwks_trust; here is what is on disk, where the keys come from, and in which order files
change, so that whoever is killed leaves the old keys or the new ones.
"""

from __future__ import annotations

import json
import time
from typing import Any, Callable, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._dress import Declared, Dress
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwk import MIN_BITS, Jwk
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import (
    Dropped,
    KeySet,
    KeySetEmpty,
    KeySetError,
    parse,
    render,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks_trust import (
    Inherited,
    Noted,
    Outcome,
    Published,
    TrustRefused,
    Wishes,
    decide,
    format_record,
    inherit,
    parse_record,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._key import record_path
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._secret_file import (
    SecretFile,
    SecretFileMissing,
    create,
    held,
    read_if_there,
    read_secret,
    refuse_public_folder,
    remove,
    replace,
    set_attributes,
    sweep,
)

_ATTEMPTS = 100  # against runs that do the opposite at the same time
_RESTLESS = "Something makes {0} and takes it away again all the time; find out who."

Opener = Callable[["str | None"], Callable[[str, float], Any]]
"""Makes of the file of authorities, or None for those of the host, what opens an address; see _jwks_fetch.Get."""


class Refusal(Exception):
    """What was asked for is not done; str() says why and what to do."""


class Found(NamedTuple):
    """The key set as it is, and the record beside it."""

    file: SecretFile | None = None
    keys: tuple[Jwk, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    record_file: SecretFile | None = None
    record: tuple[Noted, ...] = ()


class Plan(NamedTuple):
    """What is to be on disk."""

    outcome: Outcome
    data: bytes
    record: bytes
    dress: Dress
    writes_keys: bool
    writes_record: bool
    mends: bool

    @property
    def acts(self) -> bool:
        return self.writes_keys or self.writes_record or self.mends


class Unreachable(Refusal):
    """A source could not be fetched, which may be better in a minute."""


class Task(NamedTuple):
    """What is asked for."""

    path: str
    sources: list[dict[str, Any]]
    """Each with issuer, url, path, data, kid, ca_path, allow_http and allow_shared, as in the module slurm_jwks."""
    wishes: Wishes
    declared: Declared
    min_bits: int = MIN_BITS
    timeout: float = 30.0
    """Seconds in which a source must have answered in full."""
    inherited: Sequence[Inherited] = ()
    """What a file begins with that is not there yet."""
    backup: bool = False
    only_look: bool = False
    """Check mode: nothing is written, and what an earlier task would have made may be missing."""
    folder_may_lack: bool = False


class TrustFile:
    """One file of trusted keys, and what is asked for it."""

    def __init__(self, task: Task, opener: Opener, warn: Callable[[str], None]) -> None:
        self.task = task
        self.opener = opener
        self.warn = warn
        self.path = task.path
        self.now = int(time.time())
        self.wishes = task.wishes
        self.declared = task.declared
        self.backups: dict[str, str] = {}

    def bring_up_to_date(self) -> tuple[Found, Plan]:
        """Make it what its sources have; what was there, and what was done about it."""
        refuse_public_folder(self.path, "keys")
        published = self._published()
        if not self.task.only_look:
            sweep(self.path)
        for _attempt in range(_ATTEMPTS):
            found = self.look()
            plan = self._plan(found, published)
            if not plan.acts or self.task.only_look:
                return found, plan
            if found.file is None:
                if self._make(plan):
                    return found, plan
                continue  # another run was first: see to its file
            try:
                with held(self.path):
                    # Whoever held it before us may have done all there was to do.
                    found = self.look()
                    plan = self._plan(found, published)
                    self._carry_out(found, plan)
                return found, plan
            except SecretFileMissing:
                continue  # removed by another run while we waited
        raise Refusal(_RESTLESS.format(self.path))

    def take_away(self) -> Found:
        """Remove it and its record; what was there."""
        found = self.look()
        if (found.file or found.record_file) and not self.task.only_look:
            self._keep(found)
            # The keys first: without a record they would count as somebody else's.
            remove(self.path)
            remove(record_path(self.path))
            sweep(self.path)
        return found

    # Sources

    def _published(self) -> list[Published]:
        sources = self.task.sources
        if not sources:
            raise Refusal("sources is needed with state=present: it says where the keys come from.")
        found = []
        for number, source in enumerate(sources):
            name = source["issuer"] or source["url"] or source["path"] or f"sources[{number}]"
            data = self._fetch(name, number, source)
            if data is not None:
                found.append(Published(name, self._parse(name, data, source["kid"])))
        return found

    def _parse(self, name: str, data: bytes, kid: str | None) -> KeySet:
        try:
            found = parse(data, self.task.min_bits, kid)
        except KeySetError as exc:
            raise self._unchanged(f"{name} {exc}") from None
        if not found.keys:
            reasons = "; ".join(f"{lost.kid} {lost.reason}" for lost in found.dropped[:5])
            raise self._unchanged(f"{name} has no key that Slurm may trust: {reasons}.")
        if kid and [key.kid for key in found.keys] != [kid]:
            raise self._unchanged(
                f"{name} has {len(found.keys)} keys, or one that has a kid already, so kid: {kid} names none of them."
                " Leave it out."
            )
        if found.leaked:
            self.warn(
                f"{name} publishes the private part of a key, so whoever reads it could sign tokens for root. That key"
                " is not trusted, whatever its kid. Have its issuer replace it, and see what was done with it."
            )
        return found

    def _fetch(self, name: str, number: int, source: dict[str, Any]) -> bytes | None:
        """What a source has; None for one that an earlier task would have made if this were not check mode."""
        given = [option for option in ("issuer", "url", "path", "data") if source[option] not in (None, "")]
        if not given and self.task.only_look:
            self.warn(f"sources[{number}] is empty yet, so it is not known which keys it will have.")
            return None
        if len(given) != 1:
            raise Refusal(f"sources[{number}] needs exactly one of issuer, url, path and data; it has {len(given)}.")
        if given == ["data"]:
            data = source["data"]
            return data.encode("utf-8", "replace") if isinstance(data, str) else json.dumps(data).encode("ascii")
        if given == ["path"]:
            return self._read_source(name)
        return self._ask(name, source)

    def _read_source(self, path: str) -> bytes | None:
        try:
            file = read_secret(path)
        except SecretFileMissing as exc:
            if self.task.only_look:
                self.warn(f"{exc} So it is not known which keys it will have.")
                return None
            raise
        if file.mode & 0o002:
            raise self._unchanged(
                f"{path} is writable by every user of the host (mode {file.mode:04o}), who could put a key of their own"
                " there and be root on the cluster. See who has, then take that away (chmod o-w)."
            )
        return file.data

    def _ask(self, name: str, source: dict[str, Any]) -> bytes:
        # It imports much, and a task whose sources are files or data does without.
        from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks_fetch import (
            FetchError,
            Rules,
            fetch_keys,
            fetch_keys_of_issuer,
        )

        rules = Rules(self.task.timeout, source["allow_http"], source["allow_shared"])
        get = self.opener(source["ca_path"])
        try:
            if source["issuer"]:
                return fetch_keys_of_issuer(name, get, rules)[1]
            return fetch_keys(name, get, rules)
        except FetchError as exc:
            raise Unreachable(f"{exc} {self.path} was left as it is.") from exc

    def _unchanged(self, text: str) -> Refusal:
        return Refusal(f"{text} {self.path} was left as it is.")

    # What is there

    def look(self) -> Found:
        file, record_file = self._read(self.path), self._read(record_path(self.path))
        record = tuple(parse_record(record_file.data)) if record_file else ()
        if file is None:
            return Found(None, (), (), record_file, record)
        try:
            there = parse(file.data, self.task.min_bits)
        except KeySetEmpty:
            return Found(file, (), (), record_file, record)
        except KeySetError as exc:
            if not self.wishes.force:
                raise self._unchanged(f"{self.path} {exc} Correct the path, or consent with force: true.") from None
            return Found(file, (), (), record_file, record)
        keys: dict[str, Jwk] = {}
        dropped = list(there.dropped)
        for key in there.keys:
            if keys.setdefault(key.kid, key) != key:
                dropped.append(Dropped(key.kid, "has the kid of another key before it"))
        return Found(file, tuple(keys.values()), tuple(dropped), record_file, record)

    def _read(self, path: str) -> SecretFile | None:
        return read_if_there(path, self.task.only_look or self.task.folder_may_lack)

    # What is to be done

    def _plan(self, found: Found, published: list[Published]) -> Plan:
        keys, record, wishes = found.keys, found.record, self.wishes
        if found.file is None:
            begun, noted = inherit(self.task.inherited, wishes.retain, self.now)
            keys, record = tuple(begun), (*record, *noted)
        if len(published) < len(self.task.sources):
            # Check mode, and some sources have yet to be made: of what is there nothing is known to go.
            record, wishes = (), wishes._replace(merge=True, force=True)
        try:
            outcome = decide(keys, record, published, wishes, self.now)
        except TrustRefused as exc:
            if published:
                raise self._unchanged(str(exc)) from None
            outcome = Outcome([], [], [], [], [], [], [])
        data = render(outcome.keys) if outcome.keys else b""
        on_record = format_record(outcome.record)
        dress = self.declared.dress(found.file)
        files = [file for file in (found.file, found.record_file) if file]
        return Plan(
            outcome,
            data,
            on_record,
            dress,
            found.file is None or found.file.data != data,
            found.record_file is None or found.record_file.data != on_record,
            any((file.uid, file.gid, file.mode) != dress for file in files),
        )

    # Doing it

    def _make(self, plan: Plan) -> bool:
        """Make the file; False if another run was first, whose record is then put right."""
        replace(record_path(self.path), plan.record, *plan.dress)
        return create(self.path, plan.data, *plan.dress)

    def _keep(self, found: Found) -> None:
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
                raise Refusal(f"{path} has a hundred copies of this second beside it. Nothing was changed.")
            self.backups[path] = kept

    def _carry_out(self, found: Found, plan: Plan) -> None:
        self._keep(found)
        if plan.writes_keys:
            # Until the new keys are there, the record has to speak of the old ones too: killed in between, the next run
            # would take a key that was to go for one that somebody else has put there.
            old = [noted for noted in found.record if noted.name not in [each.name for each in plan.outcome.record]]
            both = format_record([*plan.outcome.record, *old])
            if found.record_file is None or found.record_file.data != both:
                replace(record_path(self.path), both, *plan.dress)
            replace(self.path, plan.data, *plan.dress)
        elif plan.mends:
            set_attributes(self.path, *plan.dress)
        now = self._read(record_path(self.path))
        if now is None or now.data != plan.record:
            replace(record_path(self.path), plan.record, *plan.dress)
        elif plan.mends:
            set_attributes(record_path(self.path), *plan.dress)
