# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that an OpenID provider signs with, and when they are fetched. Part of the verifier; see verifier.py.

A token of a key that is known never waits for the provider, whatever that does: keys are fetched beside it, one fetch
at a time. A token of a key that is not known waits for the fetch under way, until its deadline.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
import urllib.parse
from typing import Any, Callable, NamedTuple

import timed
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from errors import tell

# Of which type the key has to be. HS256 is in no list: whoever has read a public key could sign with it.
KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
BITS = range(2048, 8193)
EXPONENTS = range(3, 2**32)
MOST_KEYS = 100

DISCOVERY = "/.well-known/openid-configuration"
LARGEST = 1024 * 1024
FETCH_SECONDS = 5.0
"""For all of a fetch, configuration and keys."""
REFRESH_SECONDS = 300.0
"""After so long the keys are fetched again, so that a withdrawn one is trusted no longer than that."""
RETRY_SECONDS = 30.0
"""A key that nobody knows has them fetched at once, but not more often than this."""
FIRST_SECONDS = 2.0
"""As long as there are none, each request has them fetched, but not more often than this."""
STALE_SECONDS = 24 * 3600.0
"""A provider that cannot be reached is taken by its last word for so long."""


class Unusable(Exception):
    """What the site has said of its provider cannot be followed, or the provider cannot be reached."""


class Provider(NamedTuple):
    """Whose tokens are good, and for whom they have to be made."""

    issuer: str
    audiences: tuple[str, ...]
    claim: str
    algorithms: tuple[str, ...]
    lifespan_max: int = 86400
    """Seconds from a token's issue to its expiry, at most."""
    keys_file: str = ""
    """The provider's key set on this host. Empty: it is fetched."""
    keys_url: str = ""
    """Where it is fetched from. Empty: where the issuer's configuration says."""
    ca_file: str = ""


def provider_of(members: dict[str, Any]) -> Provider:
    """What the policy says of the provider, if it can be followed. Raises ValueError."""
    lists = {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
    try:
        provider = Provider(**{**members, **lists})
    except TypeError as error:
        raise ValueError(f"what is said of the OpenID provider is not understood: {error}") from None
    unknown = set(provider.algorithms) - set(KEY_TYPES)
    if unknown or not provider.algorithms:
        raise ValueError(f"no token is taken by the algorithms {sorted(unknown)}; there are {', '.join(KEY_TYPES)}")
    if not provider.issuer or not provider.audiences or not provider.claim:
        raise ValueError("issuer, audiences and claim of the OpenID provider have to be said")
    if provider.lifespan_max < 1:
        raise ValueError("the longest life of a token of the OpenID provider has to be a second or more")
    return provider


class Key(NamedTuple):
    kid: str | None
    kind: str
    algorithm: str | None
    public: Any


def keys_in(document: bytes) -> list[Key]:
    """The keys of a JWK set that may sign tokens. Others are left out, and so is each that cannot be read."""
    try:
        entries = json.loads(document)["keys"]
        if not isinstance(entries, list) or len(entries) > MOST_KEYS:
            raise ValueError(f"it is no list, or one of more than {MOST_KEYS} keys")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Unusable(f"this is no JWK set: {error!r:.200}") from None
    usable = [key for key in map(key_or_none, entries) if key]
    if not usable:
        raise Unusable("the JWK set holds no key that could sign tokens")
    return usable


def key_or_none(entry: Any) -> Key | None:
    try:
        return key_of(entry)
    except Exception as error:  # of this key alone, whatever cryptography of any version makes of it
        tell(f"a key of the OpenID provider is left out: {error!r:.200}")
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


def fetched(provider: Provider) -> bytes:
    """The provider's key set, from where it says itself that it is."""
    deadline = time.monotonic() + FETCH_SECONDS
    url = provider.keys_url
    if not url:
        place = provider.issuer.rstrip("/") + DISCOVERY
        try:
            configuration = json.loads(get(place, provider.ca_file, deadline))
            issuer, url = configuration["issuer"], str(configuration["jwks_uri"])
        except (ValueError, TypeError, KeyError, RecursionError):
            raise Unusable(f"{place} is not the configuration of an OpenID provider") from None
        if issuer != provider.issuer:
            raise Unusable(f"{place} is the configuration of the issuer {issuer!r}")
    return get(url, provider.ca_file, deadline)


def get(url: str, ca_file: str, deadline: float) -> bytes:
    if urllib.parse.urlsplit(url).scheme != "https":
        raise Unusable(f"{url} is not https, so that anybody on the way could put keys of their own")
    try:
        return timed.get(url, ca_file, deadline, LARGEST)
    except Exception as error:  # of TLS, of HTTP, of the network, of the address
        raise Unusable(f"{url} cannot be fetched: {error!r:.200}") from None


class Keys:
    """The keys that are in force."""

    def __init__(
        self,
        provider: Provider,
        fetch: Callable[[Provider], bytes] = fetched,
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
        self.got = self.tried = -STALE_SECONDS

    def follow(self) -> None:
        """From now on keeps the keys fresh, whether somebody asks or not."""
        if not self.provider.keys_file:
            threading.Thread(target=self._keep_fresh, daemon=True).start()

    def _keep_fresh(self) -> None:
        while True:
            self.update(REFRESH_SECONDS)
            time.sleep(max(1.0, self.tried + REFRESH_SECONDS - self.clock()))

    def find(self, kid: str | None, algorithm: str) -> Any:
        """The public key that may have signed by this algorithm; None if there is not exactly one."""
        if self.provider.keys_file:
            self.read_file()
        found = self._matching(kid, algorithm)
        if not found and not self.provider.keys_file:
            self.update(RETRY_SECONDS if self.known else FIRST_SECONDS)
            found = self._matching(kid, algorithm)
        if not self.known or not self.provider.keys_file and self.clock() - self.got > STALE_SECONDS:
            raise Unusable("the keys of the OpenID provider could not be fetched")
        return found[0].public if len(found) == 1 else None

    def _matching(self, kid: str | None, algorithm: str) -> list[Key]:
        return [
            key for key in self.known
            if key.kind == KEY_TYPES[algorithm] and key.algorithm in (None, algorithm) and kid in (None, key.kid)
        ]

    def update(self, after: float) -> None:
        """Has the keys fetched if the last attempt is so old, and waits for that, or for the one under way."""
        with self.change:
            if not self.fetching and self.clock() - self.tried >= after:
                self.tried = self.clock()
                self.deadline = time.monotonic() + FETCH_SECONDS
                self.fetching = True
                threading.Thread(target=self._fetch, daemon=True).start()
            self.change.wait_for(lambda: not self.fetching, max(0.0, self.deadline - time.monotonic()))

    def _fetch(self) -> None:
        try:
            self.known = keys_in(self.fetch(self.provider))
            self.got = self.clock()
        except Exception as error:  # whatever it is, what is known stays
            tell(f"The keys of the OpenID provider stay as they are: {error}")
        finally:
            with self.change:
                self.fetching = False
                self.change.notify_all()

    def read_file(self) -> None:
        """Takes the file's keys; a change counts at once, if it is a key set. Without the file nobody passes."""
        path = self.provider.keys_file
        try:
            state = os.stat(path)
            stamp = (state.st_ino, state.st_mtime_ns, state.st_size)
            if stamp == self.stamp:
                return
            with open(path, "rb") as stream:
                data = stream.read(LARGEST)
        except OSError as error:
            raise Unusable(f"{path} cannot be read: {error}") from None
        self.stamp = stamp
        try:
            self.known = keys_in(data)
        except Unusable as error:
            tell(f"The keys of {path} stay as they were: {error}")
