# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides whether a new key can be trusted beside the trusted ones. Private to this collection.

Slurm identifies a key by its kid and takes the first match. So a kid stays with its key, and a modulus with its
sources. Only keys that the site itself declares come before them.
"""

from __future__ import annotations

from typing import Iterable, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import MAX_KEYS, DroppedKey
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.record import RecordedKey
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import Jwk


class Offers:
    """The keys that may be trusted, and the sources that offer them."""

    def __init__(self, inline: Iterable[str]) -> None:
        self.sources: dict[Jwk, list[str]] = {}
        self._inline = frozenset(inline)
        """Sources whose keys the site itself declares."""

    def add(self, key: Jwk, source: str) -> None:
        self.sources.setdefault(key, []).append(source)

    def is_inline(self, key: Jwk) -> bool:
        return not self._inline.isdisjoint(self.sources.get(key, ()))


class TrustedKeys:
    """The keys that are trusted from now on, and what became of the others."""

    def __init__(self, current: Sequence[Jwk]) -> None:
        self.current = current
        """The keys of the current file."""
        self.keys: dict[Jwk, RecordedKey] = {}
        self.kept: list[str] = []
        self.retired: dict[Jwk, int] = {}
        self.removed: list[DroppedKey] = []
        self.conflicts: list[tuple[str, DroppedKey]] = []

    def displace(self, key: Jwk, reason: str) -> None:
        """Stop trusting a key."""
        recorded = self.keys.pop(key)
        if key in self.current:
            self.kept = [kid for kid in self.kept if kid != key.kid]
            self.retired.pop(key, None)
            self.removed.append(DroppedKey(key.kid, reason))
        self.add_conflicts(key, recorded.sources, reason)

    def add_conflicts(self, key: Jwk, sources: Iterable[str], reason: str) -> None:
        self.conflicts += [(source, DroppedKey(key.kid, reason)) for source in sources]


class Admission:
    """Adds new keys to the trusted ones."""

    def __init__(self, trusted: TrustedKeys, offers: Offers, now: int) -> None:
        self._trusted = trusted
        self._offers = offers
        self._now = now

    def admit_all(self) -> list[str]:
        """Trust each new key unless other keys prevent it; returns the kids of the trusted ones."""
        new = [key for key in self._offers.sources if key not in self._trusted.current]
        # Keys that the site itself declares come first.
        return [key.kid for key in sorted(new, key=lambda key: not self._offers.is_inline(key)) if self._admit(key)]

    def _admit(self, key: Jwk) -> bool:
        sources = self._offers.sources[key]
        rivals = self._rivals(key, sources)
        if self._offers.is_inline(key):
            for rival in [rival for rival in rivals if not self._offers.is_inline(rival)]:
                self._trusted.displace(rival, "has the kid or the modulus of a key that the site itself declares")
            rivals = [rival for rival in rivals if rival in self._trusted.keys]
        obstacle = self._conflict(key, rivals) if rivals else self._too_many(sources)
        if obstacle is not None:
            self._trusted.add_conflicts(key, sources, obstacle)
            return False
        self._trusted.keys[key] = RecordedKey(key.kid, key.thumbprint, self._now, None, tuple(sorted(sources)))
        return True

    def _rivals(self, key: Jwk, sources: Sequence[str]) -> list[Jwk]:
        """Trusted keys with the same kid, and those of other sources with the same modulus.

        If two sources publish one modulus for the first time in the same run, under two kids, both are trusted: neither
        is known to be wrong.
        """
        is_inline = self._offers.is_inline
        return [
            other
            for other, recorded in self._trusted.keys.items()
            if other.kid == key.kid
            or (
                other.n == key.n
                and recorded.sources
                and set(recorded.sources).isdisjoint(sources)
                and (other in self._trusted.current or is_inline(other) or is_inline(key))
            )
        ]

    def _conflict(self, key: Jwk, rivals: Sequence[Jwk]) -> str:
        rival = next((rival for rival in rivals if rival.kid == key.kid), rivals[0])
        what = "kid" if rival.kid == key.kid else "modulus"
        whose = ", ".join(self._trusted.keys[rival].sources) or "the file"
        return (
            f"has the {what} of another key that is trusted already (kid {rival.kid}, thumbprint {rival.thumbprint}, of"
            f" {whose}), which keeps it; to have this one instead, name that thumbprint in remove"
        )

    def _too_many(self, sources: Iterable[str]) -> str | None:
        """The reason if each source of a key has MAX_KEYS trusted keys, withdrawn ones included; else None."""
        recorded = self._trusted.keys.values()
        counts = [sum(source in each.sources for each in recorded) for source in sources]
        if min(counts) < MAX_KEYS:
            return None
        return (
            f"is one too many: {MAX_KEYS} keys of its source are trusted already, withdrawn ones included; find out why"
            " the source changes its keys so often, or shorten retain"
        )
