# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which moduli are not trusted: those that the site has named, and those whose private part is public. Private to this
collection.

Anyone who has the private part of a key can write any kid into a token, so a key is distrusted by its modulus. A source
must not decide which modulus a name means: otherwise it could make the keys of another source distrusted.
"""

from __future__ import annotations

from typing import Collection, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import MAX_KEYS, KeySet
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.record import DistrustedModulus, KeySetRecord
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import Jwk, modulus_fingerprint, thumbprints


def reason(distrusted: DistrustedModulus) -> str:
    """Why a key with this modulus is not trusted; a predicate."""
    if distrusted.name is None:
        return "has a modulus whose private part was published"
    return "is named in remove, or has the modulus of a key that is"


class PublishedKeys(NamedTuple):
    """The key set of one source."""

    source: str
    key_set: KeySet
    inline: bool = False
    """Whether the site declares the keys themselves. Such keys come before all others."""


class Distrust:
    """The moduli that are not trusted."""

    def __init__(self, record: KeySetRecord, remove: Collection[str], remembers: bool, now: int) -> None:
        self._remove = frozenset(remove)
        self._now = now
        valid = [each for each in record.distrusted if each.name is None or remembers or each.name in self._remove]
        self._everywhere = {each.modulus: each for each in valid if not each.scoped}
        self._scoped = {(each.modulus, each.sources[0]): each for each in valid if each.scoped and each.sources}

    def add_trusted(self, key: Jwk, sources: tuple[str, ...]) -> None:
        """Distrust the modulus of a trusted key if remove has its kid or thumbprint."""
        self._add(key, self._named_as({key.kid, *self._thumbprints(key)}), sources)

    def add_published(self, published: Sequence[PublishedKeys]) -> None:
        """Distrust moduli of sources: everywhere if remove has the thumbprint or the private part is public, only from
        this source if remove has the kid."""
        for each in published:
            for modulus in sorted(each.key_set.leaked):
                self._add_leak(modulus_fingerprint(modulus), each.source)
            for key in each.key_set.keys:
                self._add(key, self._named_as(self._thumbprints(key)), (each.source,))
                if key.kid in self._remove:
                    self._add_scoped(modulus_fingerprint(key.n), key.kid, each.source)

    def find(self, key: Jwk, sources: Sequence[str]) -> DistrustedModulus | None:
        """Why a key of these sources is distrusted; None if it is not."""
        modulus = modulus_fingerprint(key.n)
        distrusted = self._everywhere.get(modulus)
        if distrusted is None and len(sources) == 1:
            distrusted = self._scoped.get((modulus, sources[0]))
        return distrusted

    @property
    def known(self) -> tuple[DistrustedModulus, ...]:
        return (*self._everywhere.values(), *self._scoped.values())

    def _thumbprints(self, key: Jwk) -> set[str]:
        return thumbprints(key.n, key.e) if self._remove else set()

    def _named_as(self, names: Collection[str]) -> str | None:
        return min(self._remove.intersection(names), default=None)

    def _add(self, key: Jwk, name: str | None, sources: tuple[str, ...]) -> None:
        if name is not None:
            modulus = modulus_fingerprint(key.n)
            self._everywhere.setdefault(modulus, DistrustedModulus(modulus, self._now, name, sources))

    def _add_leak(self, modulus: str, source: str) -> None:
        # A private part that was published once stays known, even if the source removes it.
        self._everywhere.setdefault(modulus, DistrustedModulus(modulus, self._now, None, (source,)))

    def _add_scoped(self, modulus: str, name: str, source: str) -> None:
        self._scoped.setdefault((modulus, source), DistrustedModulus(modulus, self._now, name, (source,), True))

    def to_record(self) -> tuple[DistrustedModulus, ...]:
        """What to record. A source that publishes more and more distrusted keys does not fill the disk."""
        counts: dict[str, int] = {}
        recorded = []
        for each in sorted(self.known, key=lambda each: (each.since, each.modulus)):
            floods = each.scoped or each.name is None
            for source in each.sources if floods else ():
                counts[source] = counts.get(source, 0) + 1
            if not floods or all(counts[source] <= MAX_KEYS for source in each.sources):
                recorded.append(each)
        return tuple(recorded)
