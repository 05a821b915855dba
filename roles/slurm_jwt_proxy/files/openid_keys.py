# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of an OpenID provider, and when they are fetched. Part of the verifier; see verifier.py.

A token of a known key never waits for the provider: keys are fetched in a separate thread, one fetch at a time. A token
of an unknown key waits for the current fetch, until its deadline.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
import urllib.parse
from typing import Any, Callable, NamedTuple

import http_deadline
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from errors import log

# The type of key for each algorithm. Never HS256: anyone who has read a public key could sign with it.
KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
BITS = range(2048, 8193)
EXPONENTS = range(3, 2**32)
MAX_KEYS = 100

DISCOVERY = "/.well-known/openid-configuration"
LARGEST = 1024 * 1024
FETCH_SECONDS = 5.0
"""For a whole fetch, configuration and keys."""
REFRESH_SECONDS = 300.0
"""The interval of fetches. While the provider answers, a withdrawn key is trusted no longer than that."""
RETRY_SECONDS = 30.0
"""The minimum interval of fetches for unknown keys."""
FIRST_SECONDS = 2.0
"""The minimum interval of fetches as long as there are no keys."""
STALE_SECONDS = 24 * 3600.0
"""How long keys are used if the provider cannot be reached."""


class Unusable(Exception):
    """The settings of the provider are not valid, or it cannot be reached."""


class Provider(NamedTuple):
    """The provider whose tokens are accepted."""

    issuer: str
    audiences: tuple[str, ...]
    claim: str
    algorithms: tuple[str, ...]
    lifespan_max: int = 86400
    """The longest time in seconds from a token's issue to its expiry."""
    keys_file: str = ""
    """The provider's key set on this host. Empty: it is fetched."""
    keys_url: str = ""
    """The address of the key set. Empty: the one in the issuer's configuration."""
    ca_file: str = ""


def provider_of(members: dict[str, Any]) -> Provider:
    """The provider of the policy. Raises ValueError if its settings are not valid."""
    lists = {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
    try:
        provider = Provider(**{**members, **lists})
    except TypeError as error:
        raise ValueError(f"the settings of the OpenID provider are not valid: {error}") from None
    unknown = set(provider.algorithms) - set(KEY_TYPES)
    if unknown or not provider.algorithms:
        raise ValueError(f"the algorithms {sorted(unknown)} are not supported; use {', '.join(KEY_TYPES)}")
    if not provider.issuer or not provider.audiences or not provider.claim:
        raise ValueError("the OpenID provider needs issuer, audiences and claim")
    if provider.lifespan_max < 1:
        raise ValueError("the longest life of a token of the OpenID provider has to be one second or more")
    return provider


class Key(NamedTuple):
    kid: str | None
    kind: str
    algorithm: str | None
    public: Any


def keys_in(document: bytes) -> list[Key]:
    """The keys of a JWK set that may sign tokens. Skips others, and keys that cannot be read."""
    if len(document) > LARGEST:
        raise Unusable(f"it has more than {LARGEST} bytes")
    try:
        entries = json.loads(document)["keys"]
        if not isinstance(entries, list) or len(entries) > MAX_KEYS:
            raise ValueError(f"it is no list, or has more than {MAX_KEYS} keys")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Unusable(f"this is no JWK set: {error!r:.200}") from None
    usable = [key for key in map(key_or_none, entries) if key]
    if not usable:
        raise Unusable("the JWK set has no key that may sign tokens")
    return usable


def key_or_none(entry: Any) -> Key | None:
    try:
        return key_of(entry)
    except Exception as error:  # versions of cryptography raise different ones
        log(f"a key of the OpenID provider is skipped: {error!r:.200}")
        return None


def key_of(entry: dict[str, Any]) -> Key | None:
    kid, algorithm = entry.get("kid"), entry.get("alg")
    if not isinstance(kid, (str, type(None))) or not isinstance(algorithm, (str, type(None))):
        raise ValueError("its kid or alg is no text")
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        return None
    public: Any
    if entry.get("kty") == "RSA":
        exponent, modulus = number(entry["e"]), number(entry["n"])
        if modulus.bit_length() not in BITS or exponent not in EXPONENTS or not modulus & exponent & 1:
            raise ValueError(f"an RSA key of {modulus.bit_length()} bits, or with an even modulus or exponent")
        public = rsa.RSAPublicNumbers(exponent, modulus).public_key(default_backend())
    elif entry.get("kty") == "EC" and entry.get("crv") == "P-256":
        point = ec.EllipticCurvePublicNumbers(number(entry["x"]), number(entry["y"]), ec.SECP256R1())
        public = point.public_key(default_backend())
    else:
        return None
    return Key(kid, entry["kty"], algorithm, public)


def number(text: str) -> int:
    return int.from_bytes(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True), "big")


def fetch_keys(provider: Provider) -> bytes:
    """The provider's key set."""
    deadline = time.monotonic() + FETCH_SECONDS
    url = provider.keys_url
    if not url:
        discovery = provider.issuer.rstrip("/") + DISCOVERY
        try:
            configuration = json.loads(get(discovery, provider.ca_file, deadline))
            issuer, url = configuration["issuer"], str(configuration["jwks_uri"])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise Unusable(f"{discovery} is not the configuration of an OpenID provider") from None
        if issuer != provider.issuer:
            raise Unusable(f"{discovery} is the configuration of the issuer {issuer!r}")
    return get(url, provider.ca_file, deadline)


def get(url: str, ca_file: str, deadline: float) -> bytes:
    if urllib.parse.urlsplit(url).scheme != "https":
        raise Unusable(f"{url} is not https, so anybody on the network could replace the keys")
    try:
        return http_deadline.get(url, ca_file, deadline, LARGEST)
    except Exception as error:  # TLS, HTTP, network, address
        raise Unusable(f"{url} cannot be fetched: {error!r:.200}") from None


class Keys:
    """The current keys."""

    def __init__(
        self,
        provider: Provider,
        fetch: Callable[[Provider], bytes] = fetch_keys,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.provider = provider
        self.fetch = fetch
        self.clock = clock
        self.change = threading.Condition()
        self.fetching = False
        self.deadline = 0.0
        self.known: list[Key] = []
        self.stamp: Any = None
        self.fetched_at = self.tried_at = -STALE_SECONDS

    def follow(self) -> None:
        """Starts a thread that fetches the keys regularly."""
        if not self.provider.keys_file:
            threading.Thread(target=self._keep_fresh, daemon=True).start()

    def _keep_fresh(self) -> None:
        while True:
            self.update(REFRESH_SECONDS)
            time.sleep(max(1.0, self.tried_at + REFRESH_SECONDS - self.clock()))

    def find(self, kid: str | None, algorithm: str) -> Any:
        """The public key with this kid for this algorithm; None if there is not exactly one."""
        if self.provider.keys_file:
            self.read_file()
        matches = self._matching(kid, algorithm)
        if not matches and not self.provider.keys_file:
            self.update(RETRY_SECONDS if self.known else FIRST_SECONDS)
            matches = self._matching(kid, algorithm)
        if not self.known or not self.provider.keys_file and self.clock() - self.fetched_at > STALE_SECONDS:
            raise Unusable("the keys of the OpenID provider could not be fetched")
        return matches[0].public if len(matches) == 1 else None

    def _matching(self, kid: str | None, algorithm: str) -> list[Key]:
        return [
            key for key in self.known
            if key.kind == KEY_TYPES[algorithm] and key.algorithm in (None, algorithm) and kid in (None, key.kid)
        ]

    def update(self, after: float) -> None:
        """Starts a fetch if the last attempt is old enough, and waits for it, or for the current one."""
        with self.change:
            if not self.fetching and self.clock() - self.tried_at >= after:
                self.tried_at = self.clock()
                self.deadline = time.monotonic() + FETCH_SECONDS
                self.fetching = True
                threading.Thread(target=self._fetch, daemon=True).start()
            self.change.wait_for(lambda: not self.fetching, max(0.0, self.deadline - time.monotonic()))

    def _fetch(self) -> None:
        try:
            self.known = keys_in(self.fetch(self.provider))
            self.fetched_at = self.clock()
        except Exception as error:  # in any case, the known keys stay
            log(f"The keys of the OpenID provider stay as they are: {error}")
        finally:
            with self.change:
                self.fetching = False
                self.change.notify_all()

    def read_file(self) -> None:
        """Reads the file's keys if it has changed and is a key set. Without the file nobody passes."""
        path = self.provider.keys_file
        try:
            state = os.stat(path)
            stamp = (state.st_ino, state.st_mtime_ns, state.st_size)
            if stamp == self.stamp:
                return
            with open(path, "rb") as stream:
                data = stream.read(LARGEST + 1)
        except OSError as error:
            raise Unusable(f"{path} cannot be read: {error}") from None
        self.stamp = stamp
        try:
            self.known = keys_in(data)
        except Unusable as error:
            log(f"The keys of {path} stay as they were: {error}")
