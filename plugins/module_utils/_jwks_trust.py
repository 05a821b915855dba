# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides which keys are trusted, and until when. Private to this collection.

Three things meet here: the keys that are trusted now, those that the sources have, and what is on record of earlier
runs. A key that its sources have no more is withdrawn: it stays as long as the last token that it signed may live, and
goes then. That it is withdrawn is on record from the first run that finds it so; no run before has to say that it saw
the key, so a run that finds nothing new writes nothing.
"""

from __future__ import annotations

import json
from typing import NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwk import Jwk
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import MAX_KEYS, Dropped, KeySet
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._key import format_time, parse_time


class TrustRefused(Exception):
    """The sources ask for something that would end badly. The text says what was found and what to do."""


class Noted(NamedTuple):
    """What is on record of a key that came from a source."""

    kid: str
    thumbprint: str
    since: int
    """When a run found it first."""
    withdrawn: int | None = None
    """When a run found that no source has it any more."""
    source: str | None = None

    @property
    def name(self) -> tuple[str, str]:
        """Which key it speaks of."""
        return self.kid, self.thumbprint


class Published(NamedTuple):
    """What one source has."""

    source: str
    found: KeySet


class Wishes(NamedTuple):
    """What the site says of trust."""

    retain: int
    """Seconds that a withdrawn key stays."""
    remove: frozenset[str] = frozenset()
    """Kids and thumbprints of keys that are not trusted, whoever has them."""
    merge: bool = False
    """Whether keys in the file that no source ever had stay."""
    force: bool = False
    """Whether every key may go at once."""


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
    record: list[Noted]
    added: list[str]
    kept: list[str]
    retired: list[Retired]
    removed: list[Dropped]
    """Keys of the file that go, and why."""
    dropped: list[tuple[str, Dropped]]
    """Keys of sources that are not taken: source, kid and reason."""


def decide(
    current: Sequence[Jwk], record: Sequence[Noted], published: Sequence[Published], wishes: Wishes, now: int
) -> Outcome:
    """Which keys are trusted from now on; TrustRefused if the answer would lock everybody out or in."""
    leaked = _leaked(published)
    distrusted = _distrusted([*current, *(key for each in published for key in each.found.keys)], wishes)
    dropped = [(each.source, lost) for each in published for lost in each.found.dropped]
    offered, refused = _offered(published, distrusted, leaked)
    dropped += refused
    known = {noted.name: noted for noted in record}
    kept, retired, removed, noted = [], [], [], []
    stay: list[Jwk] = []
    for key in current:
        said = known.get((key.kid, key.thumbprint))
        if key.n in distrusted:
            removed.append(Dropped(key.kid, "is named in remove, or has the modulus of a key that is"))
        elif key.n in leaked:
            removed.append(Dropped(key.kid, "was published with its private part"))
        elif key in offered or (wishes.merge and said is None):
            kept.append(key.kid)
            stay.append(key)
        else:
            withdrawn = min(said.withdrawn, now) if said and said.withdrawn is not None else now
            until = withdrawn + wishes.retain
            if until <= now:
                removed.append(Dropped(key.kid, "is in no source any more"))
                continue
            retired.append(Retired(key.kid, until))
            stay.append(key)
            since, source = (said.since, said.source) if said else (now, None)
            noted.append(Noted(key.kid, key.thumbprint, since, withdrawn, source))
    _refuse_other_key_of_a_kid(stay, offered)
    added = [key for key in offered if key not in current]
    for key, source in offered.items():
        said = known.get((key.kid, key.thumbprint))
        noted.append(Noted(key.kid, key.thumbprint, said.since if said else now, None, source))
    keys = [*stay, *added]
    _refuse_extremes(current, keys, distrusted, wishes, dropped)
    return Outcome(
        keys,
        sorted(noted, key=lambda noted: noted.name),
        sorted(key.kid for key in added),
        sorted(kept),
        sorted(retired),
        sorted(removed),
        dropped,
    )


def inherit(keys: Sequence[Inherited], retain: int, now: int) -> tuple[list[Jwk], list[Noted]]:
    """What a file begins with on a host that has none yet: the keys, and what would be on record of them."""
    known = {each.key.kid: each for each in reversed(keys) if each.until > now}
    noted = [Noted(each.key.kid, each.key.thumbprint, now, each.until - retain) for each in known.values()]
    return [each.key for each in known.values()], noted


def _leaked(published: Sequence[Published]) -> set[int]:
    return {modulus for each in published for modulus in each.found.leaked}


def _distrusted(keys: Sequence[Jwk], wishes: Wishes) -> set[int]:
    """The moduli of keys that the site has named: who has the private part can write any kid into a token."""
    return {key.n for key in keys if key.kid in wishes.remove or key.thumbprint in wishes.remove}


def _offered(
    published: Sequence[Published], distrusted: set[int], leaked: set[int]
) -> tuple[dict[Jwk, str], list[tuple[str, Dropped]]]:
    """Each key that a source has and that may be trusted, with the first source that has it; and the others."""
    offered: dict[Jwk, str] = {}
    by_kid: dict[str, Jwk] = {}
    refused = []
    for source, found in published:
        for key in found.keys:
            if key.n in distrusted:
                refused.append((source, Dropped(key.kid, "is named in remove, or has the modulus of a key that is")))
                continue
            if key.n in leaked:
                refused.append((source, Dropped(key.kid, "has the modulus of a key whose private part is published")))
                continue
            other = by_kid.setdefault(key.kid, key)
            if other != key:
                raise TrustRefused(
                    f"There are two keys of the kid '{key.kid}': one in {offered[other]} with the thumbprint"
                    f" {other.thumbprint}, one in {source} with {key.thumbprint}. Slurm would take whichever comes"
                    " first. Nothing was changed. Name the one that is not to be trusted, by its thumbprint, in remove."
                )
            offered.setdefault(key, source)
    return offered, refused


def _refuse_other_key_of_a_kid(stay: Sequence[Jwk], offered: dict[Jwk, str]) -> None:
    by_kid = {key.kid: key for key in offered}
    for key in stay:
        other = by_kid.get(key.kid, key)
        if other != key:
            raise TrustRefused(
                f"The kid '{key.kid}' is that of another key in {offered[other]} (thumbprint {other.thumbprint}) than"
                f" in the file (thumbprint {key.thumbprint}), and Slurm tells keys apart by their kid only. Nothing"
                " was changed. If the new key is to be trusted, distrust the old one: name its thumbprint in remove."
            )


def _refuse_extremes(
    current: Sequence[Jwk],
    keys: Sequence[Jwk],
    distrusted: set[int],
    wishes: Wishes,
    dropped: Sequence[tuple[str, Dropped]],
) -> None:
    if not keys:
        because = "; ".join(f"{lost.kid} of {source} {lost.reason}" for source, lost in dropped[:5])
        raise TrustRefused(
            f"No key would be trusted, and Slurm would refuse every token. Nothing was changed. {because}".rstrip()
        )
    if len(keys) > MAX_KEYS:
        raise TrustRefused(
            f"There would be {len(keys)} keys; {MAX_KEYS} is the most. Nothing was changed. Shorten retain, or see"
            " which source has so many."
        )
    had = {(key.n, key.e) for key in current if key.n not in distrusted}
    if had and not wishes.force and not had & {(key.n, key.e) for key in keys}:
        raise TrustRefused(
            "Every key that is trusted now would go at once, and every token that they signed with them. Nothing was"
            " changed. See whether the sources are the right ones. Give retain some time, name the keys to distrust in"
            " remove, or say force: true."
        )


def next_change(outcome: Outcome) -> int | None:
    """When the next key runs out, whatever the sources do."""
    return min((each.until for each in outcome.retired), default=None)


def format_record(record: Sequence[Noted]) -> bytes:
    """The record as a file, which lies beside the keys: they alone do not say since when."""
    content = []
    for noted in sorted(record, key=lambda noted: noted.name):
        entry = noted._asdict()
        entry["since"] = format_time(noted.since)
        entry["withdrawn"] = None if noted.withdrawn is None else format_time(noted.withdrawn)
        content.append({name: value for name, value in entry.items() if value is not None})
    return (json.dumps({"keys": content}, indent=2) + "\n").encode("ascii")


def parse_record(data: bytes) -> list[Noted]:
    """The record in a file; what cannot be read counts as not written."""
    try:
        entries = json.loads(data.decode("utf-8"))["keys"]
        found = [_noted(entry) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return found


def _noted(entry: dict[str, str]) -> Noted:
    withdrawn = entry.get("withdrawn")
    noted = Noted(
        entry["kid"],
        entry["thumbprint"],
        parse_time(entry["since"]),
        None if withdrawn is None else parse_time(withdrawn),
        entry.get("source"),
    )
    if not all(isinstance(text, str) for text in (noted.kid, noted.thumbprint, noted.source or "")):
        raise ValueError("not text")
    return noted
