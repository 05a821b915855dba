# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides which keys are trusted, and until when. Private to this collection.

Three things meet here: the keys that are trusted now, those that the sources have, and what is on record of earlier
runs. A key that its sources have no more is withdrawn: it stays as long as the last token that it signed may live, and
goes then. That it is withdrawn is on record from the first run that finds it so; no run before has to say that it saw
the key, so a run that finds nothing new writes nothing.

Sources are apart from each other. One that is silent, because it cannot be reached or has published nothing usable,
neither loses the keys that it had nor keeps one that was withdrawn or distrusted. None takes a key of another away:
Slurm tells keys apart by their kid and takes the first, so a kid stays with the key that has it, and a modulus with the
sources that have it. Only keys that the site itself declares come before that.
"""

from __future__ import annotations

from typing import Collection, Iterable, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.distrust import Distrust, Published, reason
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import MAX_KEYS, Dropped
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.record import KeySetRecord, Noted
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import Jwk


class TrustRefused(Exception):
    """The sources ask for something that would end badly. The text says what was found and what to do."""


class PolicySettings(NamedTuple):
    """What the site says of trust."""

    retain: int
    """Seconds that a withdrawn key stays."""
    remove: frozenset[str] = frozenset()
    """Kids and thumbprints of keys that are not trusted, whoever has them."""
    merge: bool = False
    """Whether keys in the file that no source ever had stay."""
    force: bool = False
    """Whether every key may go at once."""
    remembers: bool = False
    """Whether what is on record as distrusted stays so though remove does not name it: for whoever may have older
    settings than the run that wrote the record."""


class Retired(NamedTuple):
    kid: str
    until: int


class Inherited(NamedTuple):
    """A key that another host still trusts, though its source has it no more."""

    key: Jwk
    until: int


class Outcome(NamedTuple):
    """What is trusted from now on."""

    keys: list[Jwk]
    record: KeySetRecord
    added: list[str] = []
    kept: list[str] = []
    retired: list[Retired] = []
    removed: list[Dropped] = []
    """Keys of the file that go, and why."""
    dropped: list[tuple[str, Dropped]] = []
    """Keys of sources that are not taken: source, kid and reason."""
    conflicts: list[tuple[str, Dropped]] = []
    """Those among them that would have been taken if other keys were not in their way."""
    distrusts: bool = False
    """Whether a key of the file goes because the site has named it."""


def decide(
    current: Sequence[Jwk],
    record: KeySetRecord,
    published: Sequence[Published],
    settings: PolicySettings,
    now: int,
    silent: Collection[str] | None = (),
) -> Outcome:
    """Which keys are trusted from now on; TrustRefused if the answer would lock everybody out or in.

    SILENT are the sources that say nothing now, None if none was asked. What they would say changes nothing for the
    keys of others, for what is distrusted, or for the end of what was withdrawn.
    """
    return _Decision(current, record, published, settings, now, silent).outcome()


class _Decision:
    """One decision, and the keys as they come together."""

    def __init__(
        self,
        current: Sequence[Jwk],
        record: KeySetRecord,
        published: Sequence[Published],
        settings: PolicySettings,
        now: int,
        silent: Collection[str] | None,
    ) -> None:
        self.current = current
        self.known = {noted.name: noted for noted in record.keys}
        self.published = published
        self.settings = settings
        self.now = now
        self.none_asked = silent is None
        self.silent = frozenset(silent or ())
        self.distrusted_before = bool(record.distrusted)
        self.distrust = Distrust(record, settings.remove, settings.remembers, now)
        for key in current:
            self.distrust.add_trusted(key, self._recorded(key))
        self.distrust.add_published(published)
        self.inline = {each.source for each in published if each.inline}
        self.offers: dict[Jwk, list[str]] = {}
        self.trusted: dict[Jwk, Noted] = {}
        self.strangers: set[Jwk] = set()
        self.kept: list[str] = []
        self.retired: dict[Jwk, int] = {}
        self.removed: list[Dropped] = []
        self.dropped = [(each.source, lost) for each in published for lost in each.found.dropped]
        self.conflicts: list[tuple[str, Dropped]] = []
        self.distrusts = False
        self.lost_at_once: list[Jwk] = []

    def outcome(self) -> Outcome:
        self._hear()
        for key in self.current:
            self._keep_or_remove(key)
        added = []
        # Those that the site itself declares come first.
        for key in sorted(self.offers, key=lambda each: not self._is_inline(each)):
            if key not in self.current and self._take(key):
                added.append(key.kid)
        self._refuse_extremes()
        return Outcome(
            list(self.trusted),
            KeySetRecord(self._to_note(), self.distrust.to_remember()),
            sorted(added),
            sorted(self.kept),
            sorted(Retired(key.kid, until) for key, until in self.retired.items()),
            sorted(self.removed),
            [*self.dropped, *self.conflicts],
            self.conflicts,
            self.distrusts,
        )

    def _to_note(self) -> tuple[Noted, ...]:
        noted = [noted for key, noted in self.trusted.items() if key not in self.strangers]
        return tuple(sorted(noted, key=lambda each: each.name))

    def _hear(self) -> None:
        """Note who offers which key that may be trusted."""
        for each in self.published:
            for key in each.found.keys:
                against = self.distrust.find(key, (each.source,))
                if against is None:
                    self.offers.setdefault(key, []).append(each.source)
                else:
                    self.dropped.append((each.source, Dropped(key.kid, reason(against))))

    # Keys of the file

    def _keep_or_remove(self, key: Jwk) -> None:
        said = self.known.get((key.kid, key.thumbprint))
        sources = self._sources(key)
        against = self.distrust.find(key, sources)
        if against is not None:
            self.distrusts |= against.name is not None
            self.removed.append(Dropped(key.kid, reason(against)))
        elif key in self.offers or self._waits_for_source(said) or (self.settings.merge and said is None):
            self.kept.append(key.kid)
            self.trusted[key] = Noted(key.kid, key.thumbprint, said.since if said else self.now, None, sources)
            if said is None and key not in self.offers:
                # It came from no source that is known, so that it is not on record as if it had.
                self.strangers.add(key)
        else:
            self._withdraw(key, said, sources)

    def _waits_for_source(self, said: Noted | None) -> bool:
        """Whether nothing is known to have changed, since a source of it is silent."""
        if self.none_asked:
            return said is None or said.withdrawn is None
        return said is not None and said.withdrawn is None and not self.silent.isdisjoint(said.sources)

    def _withdraw(self, key: Jwk, said: Noted | None, sources: tuple[str, ...]) -> None:
        before = None if said is None else said.withdrawn
        withdrawn = self.now if before is None else min(before, self.now)
        until = withdrawn + self.settings.retain
        if until <= self.now:
            self.removed.append(Dropped(key.kid, "is in no source any more"))
            if before is None:
                self.lost_at_once.append(key)
            return
        self.retired[key] = until
        since = self.now if said is None else said.since
        self.trusted[key] = Noted(key.kid, key.thumbprint, since, withdrawn, sources)

    def _recorded(self, key: Jwk) -> tuple[str, ...]:
        said = self.known.get((key.kid, key.thumbprint))
        return said.sources if said else ()

    def _sources(self, key: Jwk) -> tuple[str, ...]:
        """Who has a key of the file now; who had it last, if nobody has."""
        recorded = self._recorded(key)
        now = {*self.offers.get(key, ()), *(source for source in recorded if source in self.silent)}
        return tuple(sorted(now)) if now else recorded

    # New keys

    def _take(self, key: Jwk) -> bool:
        """Trust a new key, unless others are in its way."""
        sources = self.offers[key]
        rivals = self._rivals(key, sources)
        if self._is_inline(key):
            for rival in [rival for rival in rivals if not self._is_inline(rival)]:
                self._displace(rival)
            rivals = [rival for rival in rivals if rival in self.trusted]
        obstacle = self._conflict(key, rivals) if rivals else self._too_many(sources)
        if obstacle is not None:
            self.conflicts += [(source, Dropped(key.kid, obstacle)) for source in sources]
            return False
        self.trusted[key] = Noted(key.kid, key.thumbprint, self.now, None, tuple(sorted(sources)))
        return True

    def _rivals(self, key: Jwk, sources: Sequence[str]) -> list[Jwk]:
        """Trusted keys with the same kid, and those of other sources with the same modulus.

        A modulus that two sources come with at once, each with a kid of its own, is trusted under both: neither is
        known to be the wrong one, and none of them is refused because of the other.
        """
        return [
            other
            for other, noted in self.trusted.items()
            if other.kid == key.kid
            or (
                other.n == key.n
                and noted.sources
                and set(noted.sources).isdisjoint(sources)
                and (other in self.current or self._is_inline(other) or self._is_inline(key))
            )
        ]

    def _conflict(self, key: Jwk, rivals: Sequence[Jwk]) -> str:
        rival = next((rival for rival in rivals if rival.kid == key.kid), rivals[0])
        what = "kid" if rival.kid == key.kid else "modulus"
        whose = ", ".join(self.trusted[rival].sources) or "the file"
        return (
            f"has the {what} of another key that is trusted already (kid {rival.kid}, thumbprint {rival.thumbprint}, of"
            f" {whose}), which keeps it; to have this one instead, name that thumbprint in remove"
        )

    def _displace(self, rival: Jwk) -> None:
        noted = self.trusted.pop(rival)
        because = "has the kid or the modulus of a key that the site itself declares"
        if rival in self.current:
            self.kept = [kid for kid in self.kept if kid != rival.kid]
            self.retired.pop(rival, None)
            self.removed.append(Dropped(rival.kid, because))
        self.conflicts += [(source, Dropped(rival.kid, because)) for source in noted.sources]

    def _too_many(self, sources: Iterable[str]) -> str | None:
        """Each source has room for its own keys only, withdrawn ones included."""
        counts = {source: sum(source in noted.sources for noted in self.trusted.values()) for source in sources}
        if min(counts.values()) < MAX_KEYS:
            return None
        return (
            f"is one too many: {MAX_KEYS} keys of its source are trusted already, with those that were withdrawn; see"
            " why it changes them so often, or shorten retain"
        )

    def _is_inline(self, key: Jwk) -> bool:
        return not self.inline.isdisjoint(self.offers.get(key, ()))

    # Extremes

    def _was_distrusted(self) -> bool:
        """Whether no key is trusted because the site or an earlier run said so. A source's own leak is no such word."""
        return self.distrusted_before or any(each.name is not None for each in self.distrust.known)

    def _refuse_extremes(self) -> None:
        if self.published and not self.trusted and not self.current and not self._was_distrusted():
            because = "; ".join(f"{lost.kid} of {source} {lost.reason}" for source, lost in self.dropped[:5])
            raise TrustRefused(
                f"No key would be trusted, and Slurm would refuse every token. Nothing was changed. {because}".rstrip()
            )
        stays = {(key.n, key.e) for key in self.trusted}
        gone = {(key.n, key.e) for key in self.lost_at_once}
        others = [key for key in self.current if key in self.trusted]
        if gone and not others and not gone & stays and not self.settings.force:
            raise TrustRefused(
                "Every key that is trusted now would go at once, and every token that they signed with them. Nothing"
                " was changed. See whether the sources are the right ones. Give retain some time, name the keys to"
                " distrust in remove, or say force: true."
            )


def inherit(keys: Sequence[Inherited], retain: int, now: int) -> tuple[list[Jwk], list[Noted]]:
    """What a file begins with on a host that has none yet: the keys, and what would be on record of them."""
    known = {each.key.kid: each for each in reversed(keys) if each.until > now}
    noted = [Noted(each.key.kid, each.key.thumbprint, now, each.until - retain) for each in known.values()]
    return [each.key for each in known.values()], noted


def next_change(outcome: Outcome) -> int | None:
    """When the next key runs out, whatever the sources do."""
    return min((each.until for each in outcome.retired), default=None)
