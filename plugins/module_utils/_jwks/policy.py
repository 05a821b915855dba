# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides which keys are trusted, and until when. Private to this collection.

A decision depends on the keys that are trusted now, on those that the sources have, and on the record of earlier runs.
A key that its sources no longer have is withdrawn: it stays as long as the last token that it signed may be valid. The
first run that finds it withdrawn records that. No earlier run has to record that it saw the key, so a run that finds
nothing new writes nothing.

Sources are independent. If one cannot be reached or has no usable key, its keys stay, but withdrawn keys still expire
and distrusted keys are still removed. No source can remove another's key, see admission.py.
"""

from __future__ import annotations

from typing import Collection, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.admission import Admission, Offers, TrustedKeys
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.distrust import Distrust, PublishedKeys, reason
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import DroppedKey
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.record import KeySetRecord, RecordedKey
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import Jwk


class TrustRefused(Exception):
    """The sources would leave no key trusted. The text says what was found and what to do."""


class PolicySettings(NamedTuple):
    """What the site declares about trust."""

    retain: int
    """Seconds that a withdrawn key stays."""
    remove: frozenset[str] = frozenset()
    """Kids and thumbprints of keys that are not trusted, from any source."""
    merge: bool = False
    """Whether to keep keys in the file that came from no source."""
    force: bool = False
    """Whether every key may be removed at once."""
    remembers: bool = False
    """Whether recorded moduli stay distrusted even if remove does not name them: for a run that may have older settings
    than the run that wrote the record."""


class RetiredKey(NamedTuple):
    kid: str
    until: int


class InheritedKey(NamedTuple):
    """A key that another host still trusts, though its source no longer has it."""

    key: Jwk
    until: int


class TrustDecision(NamedTuple):
    """What is trusted from now on."""

    keys: list[Jwk]
    record: KeySetRecord
    added: list[str] = []
    kept: list[str] = []
    retired: list[RetiredKey] = []
    removed: list[DroppedKey] = []
    """Keys of the file that are removed, and why."""
    dropped: list[tuple[str, DroppedKey]] = []
    """Keys of sources that are not trusted: source, kid and reason."""
    conflicts: list[tuple[str, DroppedKey]] = []
    """Those of dropped that are in conflict with other keys, or are too many."""
    distrusts: bool = False
    """Whether a key of the file is removed because the site named it in remove."""


def decide(
    current: Sequence[Jwk],
    record: KeySetRecord,
    published: Sequence[PublishedKeys],
    settings: PolicySettings,
    now: int,
    failed: Collection[str] | None = (),
) -> TrustDecision:
    """Which keys are trusted from now on; TrustRefused if there are none, or all current ones would go at once.

    FAILED: the sources without usable keys now; None if no source was asked. They do not affect the keys of other
    sources, what is distrusted, or when withdrawn keys expire.
    """
    return _Decider(current, record, published, settings, now, failed).decision()


class _Decider:
    """One decision."""

    def __init__(
        self,
        current: Sequence[Jwk],
        record: KeySetRecord,
        published: Sequence[PublishedKeys],
        settings: PolicySettings,
        now: int,
        failed: Collection[str] | None,
    ) -> None:
        self.current = current
        self.recorded = {recorded.name: recorded for recorded in record.keys}
        self.published = published
        self.settings = settings
        self.now = now
        self.none_asked = failed is None
        self.failed = frozenset(failed or ())
        self.distrusted_before = bool(record.distrusted)
        self.distrust = Distrust(record, settings.remove, settings.remembers, now)
        for key in current:
            self.distrust.add_trusted(key, self._recorded_sources(key))
        self.distrust.add_published(published)
        self.offers = Offers(each.source for each in published if each.inline)
        self.trusted = TrustedKeys(current)
        self.unrecorded: set[Jwk] = set()
        """Keys from no known source. They are not recorded."""
        self.dropped = [(each.source, lost) for each in published for lost in each.key_set.dropped]
        self.distrusts = False
        self.lost_at_once: list[Jwk] = []

    def decision(self) -> TrustDecision:
        self._collect_offers()
        for key in self.current:
            self._keep_or_remove(key)
        trusted = self.trusted
        added = Admission(trusted, self.offers, self.now).admit_all()
        self._refuse_extremes()
        return TrustDecision(
            list(trusted.keys),
            KeySetRecord(self._keys_to_record(), self.distrust.to_record()),
            sorted(added),
            sorted(trusted.kept),
            sorted(RetiredKey(key.kid, until) for key, until in trusted.retired.items()),
            sorted(trusted.removed),
            [*self.dropped, *trusted.conflicts],
            trusted.conflicts,
            self.distrusts,
        )

    def _keys_to_record(self) -> tuple[RecordedKey, ...]:
        recorded = [recorded for key, recorded in self.trusted.keys.items() if key not in self.unrecorded]
        return tuple(sorted(recorded, key=lambda each: each.name))

    def _collect_offers(self) -> None:
        for each in self.published:
            for key in each.key_set.keys:
                distrusted = self.distrust.find(key, (each.source,))
                if distrusted is None:
                    self.offers.add(key, each.source)
                else:
                    self.dropped.append((each.source, DroppedKey(key.kid, reason(distrusted))))

    # Keys of the file

    def _keep_or_remove(self, key: Jwk) -> None:
        recorded = self.recorded.get((key.kid, key.thumbprint))
        sources = self._sources(key)
        distrusted = self.distrust.find(key, sources)
        if distrusted is not None:
            self.distrusts |= distrusted.name is not None
            self.trusted.removed.append(DroppedKey(key.kid, reason(distrusted)))
        elif (
            key in self.offers.sources
            or self._waits_for_source(recorded)
            or (self.settings.merge and recorded is None)
        ):
            self.trusted.kept.append(key.kid)
            since = recorded.since if recorded else self.now
            self.trusted.keys[key] = RecordedKey(key.kid, key.thumbprint, since, None, sources)
            if recorded is None and key not in self.offers.sources:
                self.unrecorded.add(key)
        else:
            self._withdraw(key, recorded, sources)

    def _waits_for_source(self, recorded: RecordedKey | None) -> bool:
        """Whether the key stays as it is, because a source of it failed or none was asked."""
        if self.none_asked:
            return recorded is None or recorded.withdrawn is None
        return recorded is not None and recorded.withdrawn is None and not self.failed.isdisjoint(recorded.sources)

    def _withdraw(self, key: Jwk, recorded: RecordedKey | None, sources: tuple[str, ...]) -> None:
        before = None if recorded is None else recorded.withdrawn
        withdrawn = self.now if before is None else min(before, self.now)
        until = withdrawn + self.settings.retain
        if until <= self.now:
            self.trusted.removed.append(DroppedKey(key.kid, "is in no source any more"))
            if before is None:
                self.lost_at_once.append(key)
            return
        self.trusted.retired[key] = until
        since = self.now if recorded is None else recorded.since
        self.trusted.keys[key] = RecordedKey(key.kid, key.thumbprint, since, withdrawn, sources)

    def _recorded_sources(self, key: Jwk) -> tuple[str, ...]:
        recorded = self.recorded.get((key.kid, key.thumbprint))
        return recorded.sources if recorded else ()

    def _sources(self, key: Jwk) -> tuple[str, ...]:
        """The sources that have a key of the file now; if none has it, those that had it last."""
        recorded = self._recorded_sources(key)
        now = {*self.offers.sources.get(key, ()), *(source for source in recorded if source in self.failed)}
        return tuple(sorted(now)) if now else recorded

    # Extremes

    def _was_distrusted(self) -> bool:
        """Whether the site or an earlier run distrusts a modulus. A key that a source leaks now does not count."""
        return self.distrusted_before or any(each.name is not None for each in self.distrust.known)

    def _refuse_extremes(self) -> None:
        trusted = self.trusted.keys
        if self.published and not trusted and not self.current and not self._was_distrusted():
            because = "; ".join(f"{lost.kid} of {source} {lost.reason}" for source, lost in self.dropped[:5])
            raise TrustRefused(
                f"No key would be trusted, and Slurm would refuse every token. {because}".rstrip()
            )
        stays = {(key.n, key.e) for key in trusted}
        lost = {(key.n, key.e) for key in self.lost_at_once}
        others = [key for key in self.current if key in trusted]
        if lost and not others and not lost & stays and not self.settings.force:
            raise TrustRefused(
                "Every key that is trusted now would be removed at once, and every token that they signed would become"
                " invalid. Check that the sources are the right ones. Then set retain above 0,"
                " name the keys to distrust in remove, or set force: true."
            )


def inherit(keys: Sequence[InheritedKey], retain: int, now: int) -> tuple[list[Jwk], list[RecordedKey]]:
    """The first keys of a file that does not exist yet, and their records."""
    known = {each.key.kid: each for each in reversed(keys) if each.until > now}
    recorded = [RecordedKey(each.key.kid, each.key.thumbprint, now, each.until - retain) for each in known.values()]
    return [each.key for each in known.values()], recorded


def next_change(outcome: TrustDecision) -> int | None:
    """When the next retired key expires; None if there is none."""
    return min((each.until for each in outcome.retired), default=None)
