# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the sources of trusted keys. Private to this collection.

Sources are independent: an error of one does not affect another.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Collection, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError, SecretFileMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.distrust import PublishedKeys
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import KeySet, KeySetError, parse
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import MIN_BITS, Rules
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rsa_weakness import Budget

_KINDS = ("issuer", "url", "path", "data")


class SourceError(Exception):
    """The declaration of a source is wrong; str() says why and what to do."""


class FailedSource(NamedTuple):
    """A source that has no usable keys now."""

    source: str
    reason: str
    """A sentence, with the remedy."""
    unreachable: bool
    """Whether the next attempt may succeed without any change."""


class SourceResults(NamedTuple):
    """What the sources have."""

    published: list[PublishedKeys]
    failed: list[FailedSource]
    pending: list[str]
    """Sources that an earlier task creates outside check mode. Their keys are not known yet."""


class _Unusable(Exception):
    """A source has no usable keys; str() is a sentence."""

    def __init__(self, text: str, unreachable: bool = False, key_set: KeySet | None = None) -> None:
        super().__init__(text)
        self.unreachable = unreachable
        self.key_set = key_set


class _NotYet(Exception):
    """Outside check mode, an earlier task creates the source. str() is a sentence."""


class SourceReader:
    """Reads sources, each with issuer, url, path, data, kid, ca_path, allow_http and allow_shared, as in the module
    slurm_jwks."""

    def __init__(
        self, sources: Sequence[dict[str, Any]], min_bits: int = MIN_BITS, timeout: float = 30.0, check: bool = False
    ) -> None:
        self._sources = sources
        self._min_bits = min_bits
        self._timeout = timeout
        self._check = check
        self._names = [
            source["issuer"] or source["url"] or source["path"] or f"sources[{number}]"
            for number, source in enumerate(sources)
        ]

    def check(self) -> None:
        """Raise SourceError for a wrong declaration."""
        if not self._sources:
            raise SourceError("sources is required with state=present: it says where the keys come from.")
        for number, source in enumerate(self._sources):
            kinds = _kinds_of(source)
            if len(kinds) != 1 and not (self._check and not kinds):
                raise SourceError(
                    f"sources[{number}] needs exactly one of issuer, url, path and data; it has {len(kinds)}."
                )

    def read(self, checked: Collection[str], warn: Callable[[str], None]) -> SourceResults:
        """Read all sources. CHECKED are the thumbprints of keys that are known to be sound."""
        results = SourceResults([], [], [])
        # Start all of them before waiting for the first one.
        answers = [self._begin(name, source) for name, source in zip(self._names, self._sources)]
        for name, source, answer in zip(self._names, self._sources, answers):
            try:
                key_set = self._parse(name, answer(), source["kid"], checked)
            except _NotYet as exc:
                results.pending.append(name)
                warn(str(exc))
                continue
            except _Unusable as exc:
                results.failed.append(FailedSource(name, str(exc), exc.unreachable))
                if exc.key_set is None or not exc.key_set.leaked:
                    continue
                # A leaked private part counts, even if the key set is useless.
                key_set = exc.key_set
            if key_set.leaked:
                warn(
                    f"{name} publishes the private part of a key, so anyone who reads it could sign tokens for root."
                    " That key is not trusted under any kid. Have its issuer replace it, and check what it was used"
                    " for."
                )
            results.published.append(PublishedKeys(name, key_set, inline=_kinds_of(source) == ["data"]))
        return results

    def _begin(self, name: str, source: dict[str, Any]) -> Callable[[], bytes]:
        kinds = _kinds_of(source)
        if not kinds:
            return lambda: _not_yet(f"{name} is still empty, so its keys are not known yet.")
        if kinds == ["data"]:
            return lambda: _encoded(source["data"])
        if kinds == ["path"]:
            return lambda: self._read_file(name)
        return self._ask(name, source)

    def _ask(self, name: str, source: dict[str, Any]) -> Callable[[], bytes]:
        # Imported here: it loads many modules, and a task with only files or data does not need it.
        from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import fetch

        rules = fetch.FetchRules(self._timeout, source["allow_http"], source["allow_shared"])
        try:
            get = fetch.opener(source["ca_path"])
        except fetch.FetchError as exc:
            failure = _Unusable(str(exc))
            return lambda: _fail(failure)
        if source["issuer"]:
            both = fetch.fetch_keys_of_issuer(name, get, rules)

            def begun() -> bytes:
                return both()[1]
        else:
            begun = fetch.fetch_keys(name, get, rules)

        def answer() -> bytes:
            try:
                return begun()
            except fetch.FetchError as exc:
                raise _Unusable(str(exc), unreachable=True) from exc

        return answer

    def _read_file(self, path: str) -> bytes:
        try:
            file = read_secret(path)
        except SecretFileMissing as exc:
            if self._check:
                _not_yet(f"{exc} So its keys are not known yet.")
            raise _Unusable(str(exc)) from exc
        except SecretFileError as exc:
            raise _Unusable(str(exc)) from exc
        if file.mode & 0o002:
            raise _Unusable(
                f"{path} is writable by every user of the host (mode {file.mode:04o}), who could add a key and become"
                " root on the cluster. Check its keys, then remove the permission (chmod o-w)."
            )
        return file.data

    def _parse(self, name: str, data: bytes, kid: str | None, checked: Collection[str]) -> KeySet:
        try:
            key_set = parse(data, Rules(self._min_bits, Budget(), checked), kid)
        except KeySetError as exc:
            raise _Unusable(f"{name} {exc}") from None
        except Exception as exc:
            # An error in this untrusted text must not affect other sources.
            raise _Unusable(f"{name} cannot be read ({type(exc).__name__}). Check what is there.") from exc
        if not key_set.keys:
            reasons = "; ".join(f"{lost.kid} {lost.reason}" for lost in key_set.dropped[:5])
            raise _Unusable(f"{name} has no key that Slurm may trust: {reasons}.", key_set=key_set)
        if kid and [key.kid for key in key_set.keys] != [kid]:
            raise _Unusable(
                f"{name} has {len(key_set.keys)} keys, or one that has a kid already, so kid: {kid} names none of them."
                " Remove that option.",
                key_set=key_set._replace(keys=[]),
            )
        return key_set


def _kinds_of(source: dict[str, Any]) -> list[str]:
    return [option for option in _KINDS if source[option] not in (None, "")]


def _encoded(data: object) -> bytes:
    return data.encode("utf-8", "replace") if isinstance(data, str) else json.dumps(data).encode("ascii")


def _not_yet(text: str) -> bytes:
    raise _NotYet(text)


def _fail(failure: _Unusable) -> bytes:
    raise failure
