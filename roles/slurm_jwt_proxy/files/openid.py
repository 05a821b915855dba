# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a bearer token of an OpenID provider is. Part of the verifier; see verifier.py.

Signatures, audience and times are PyJWT's work, of any version from 1.7 on. What its versions do differently, or not at
all, is done here: which algorithm goes with which key, the issuer to the letter, an expiry that has to be there.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse
import urllib.request
from typing import Any, Callable, NamedTuple

import jwt
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.asymmetric import ec, rsa

# Of which type the key has to be. HS256 is in no list: whoever has read a public key could sign with it.
KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
LEAST_BITS = 2048
TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
LONGEST_TOKEN = 16384
# Clocks of providers may be a little ahead.
LEEWAY = 10

DISCOVERY = "/.well-known/openid-configuration"
LARGEST = 1024 * 1024
FETCH_SECONDS = 5.0
REFRESH_SECONDS = 300.0
"""After so long the keys are fetched again, so that a withdrawn one is trusted no longer than that."""
RETRY_SECONDS = 30.0
"""A key that nobody knows has them fetched at once, but not more often than this."""
FIRST_SECONDS = 2.0
"""As long as there are none, each request tries, but not more often than this."""
STALE_SECONDS = 24 * 3600.0
"""A provider that cannot be reached is taken by its last word for so long."""


class Invalid(Exception):
    """The token proves nothing. The text says why, for the log."""


class Unusable(Exception):
    """What the site has said of its provider cannot be followed, or the provider cannot be reached."""


class Provider(NamedTuple):
    """Whose tokens are good, and for whom they have to be made."""

    issuer: str
    audiences: tuple[str, ...]
    claim: str
    algorithms: tuple[str, ...]
    keys_file: str = ""
    """The provider's key set on this host. Empty: it is fetched."""
    keys_url: str = ""
    """Where it is fetched from. Empty: where the issuer's configuration says."""
    ca_file: str = ""


def provider_of(members: dict[str, Any]) -> Provider:
    """What the policy says of the provider, if it can be followed."""
    lists = {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
    try:
        provider = Provider(**{**members, **lists})
    except TypeError as error:
        raise Unusable(f"what is said of the OpenID provider is not understood: {error}") from None
    unknown = set(provider.algorithms) - set(KEY_TYPES)
    if unknown or not provider.algorithms:
        raise Unusable(f"no token is taken by the algorithms {sorted(unknown)}; there are {', '.join(KEY_TYPES)}")
    if not provider.issuer or not provider.audiences or not provider.claim:
        raise Unusable("issuer, audiences and claim of the OpenID provider have to be said")
    return provider


# -- keys --------------------------------------------------------------------------------------------------------------


class Key(NamedTuple):
    kid: str | None
    kind: str
    algorithm: str | None
    public: Any


def keys_in(document: bytes) -> list[Key]:
    """The keys of a JWK set that may sign tokens; others are left out."""
    try:
        entries = json.loads(document)["keys"]
        usable = [key for key in map(key_of, entries) if key]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unusable(f"this is no JWK set: {error!r}") from None
    if not usable:
        raise Unusable("the JWK set holds no key that could sign tokens")
    return usable


def key_of(entry: dict[str, Any]) -> Key | None:
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        return None
    public: Any
    if entry.get("kty") == "RSA":
        public = rsa.RSAPublicNumbers(number(entry["e"]), number(entry["n"])).public_key(default_backend())
        if public.key_size < LEAST_BITS:
            return None
    elif entry.get("kty") == "EC" and entry.get("crv") == "P-256":
        point = ec.EllipticCurvePublicNumbers(number(entry["x"]), number(entry["y"]), ec.SECP256R1())
        public = point.public_key(default_backend())
    else:
        return None
    return Key(entry.get("kid"), entry["kty"], entry.get("alg"), public)


def number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


class Stay(urllib.request.HTTPRedirectHandler):
    """Nobody is sent elsewhere for keys."""

    def redirect_request(self, *dummy_args: Any) -> None:
        return None


def get(url: str, ca_file: str) -> bytes:
    """A small document over HTTPS, in time."""
    if urllib.parse.urlsplit(url).scheme != "https":
        raise Unusable(f"{url} is not https, so that anybody on the way could put keys of their own")
    end = time.monotonic() + FETCH_SECONDS
    pieces: list[bytes] = []
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), Stay)
        with opener.open(url, timeout=FETCH_SECONDS) as answer:
            while True:
                piece = answer.read1(65536)
                if not piece:
                    return b"".join(pieces)
                pieces.append(piece)
                if time.monotonic() > end or sum(map(len, pieces)) > LARGEST:
                    raise Unusable(f"{url} sends too much, or too slowly")
    except (OSError, ValueError) as error:
        raise Unusable(f"{url} cannot be fetched: {error}") from None


def fetched(provider: Provider) -> bytes:
    """The provider's key set, from where it says itself that it is."""
    url = provider.keys_url
    if not url:
        place = provider.issuer.rstrip("/") + DISCOVERY
        try:
            configuration = json.loads(get(place, provider.ca_file))
            issuer, url = configuration["issuer"], str(configuration["jwks_uri"])
        except (ValueError, TypeError, KeyError):
            raise Unusable(f"{place} is not the configuration of an OpenID provider") from None
        if issuer != provider.issuer:
            raise Unusable(f"{place} is the configuration of the issuer {issuer!r}")
    return get(url, provider.ca_file)


class Keys:
    """The keys that are in force. At most one request at a time waits for the provider."""

    def __init__(
        self,
        provider: Provider,
        fetch: Callable[[Provider], bytes] = fetched,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.provider = provider
        self.fetch = fetch
        self.clock = clock
        self.lock = threading.Lock()
        self.known: list[Key] = []
        self.stamp: Any = None
        self.got = self.tried = -STALE_SECONDS

    def find(self, kid: str | None, algorithm: str) -> Any:
        """The public key that may have signed by this algorithm."""
        self.refresh(REFRESH_SECONDS if self.known else FIRST_SECONDS, wait=not self.known)
        found = self.matching(kid, algorithm)
        if not found:
            self.refresh(RETRY_SECONDS, wait=True)
            found = self.matching(kid, algorithm)
        if len(found) != 1:
            raise Invalid(f"{len(found)} keys of the provider are called {str(kid)[:100]!r} and sign by {algorithm}")
        return found[0].public

    def matching(self, kid: str | None, algorithm: str) -> list[Key]:
        return [
            key for key in self.known
            if key.kind == KEY_TYPES[algorithm] and key.algorithm in (None, algorithm) and kid in (None, key.kid)
        ]

    def refresh(self, after: float, wait: bool) -> None:
        """Fetch the keys if the last attempt is so old. Raises Unusable if there are none."""
        if self.provider.keys_file:
            self.read_file()
            return
        if self.clock() - self.tried >= after and self.lock.acquire(blocking=wait):
            try:
                # Somebody else may have done it while this one waited.
                if self.clock() - self.tried >= after:
                    self.try_to_fetch()
            finally:
                self.lock.release()
        if not self.known or self.clock() - self.got > STALE_SECONDS:
            raise Unusable("the keys of the OpenID provider could not be fetched")

    def try_to_fetch(self) -> None:
        self.tried = self.clock()
        try:
            self.known = keys_in(self.fetch(self.provider))
            self.got = self.clock()
        except Unusable as error:
            if not self.known:
                raise
            print(f"The keys stay as they are: {error}", file=sys.stderr, flush=True)

    def read_file(self) -> None:
        """Take the file's keys; a file that was changed counts at once, if it is one."""
        path = self.provider.keys_file
        try:
            state = os.stat(path)
            stamp = (state.st_ino, state.st_mtime_ns, state.st_size)
            if stamp != self.stamp:
                with open(path, "rb") as stream:
                    self.known = keys_in(stream.read(LARGEST))
                self.stamp = stamp
        except (OSError, Unusable) as error:
            raise Unusable(f"{path} cannot be used: {error}") from None


# -- tokens ------------------------------------------------------------------------------------------------------------


def name_in(token: str, keys: Keys) -> str:
    """The name in the chosen claim of a token that the provider has signed, for us, and that is in force."""
    if len(token) > LONGEST_TOKEN:
        raise Invalid("the token is too long")
    provider = keys.provider
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in provider.algorithms:
            raise Invalid(f"its algorithm is {str(algorithm)[:20]!r}")
        kind = header.get("typ")
        if "crit" in header or (kind and str(kind).lower()) not in TYPES:
            raise Invalid("its header asks for what is not understood")
        kid = header.get("kid")
        if not isinstance(kid, (str, type(None))):
            raise Invalid("its kid is no text")
        claims = jwt.decode(
            token, keys.find(kid, algorithm), algorithms=[algorithm], audience=list(provider.audiences),
            issuer=provider.issuer, leeway=LEEWAY,
            # 1.7 and 2 have different names for it.
            options={"require": ["exp", "iss", "aud"], "require_exp": True},
        )
    except (jwt.InvalidTokenError, TypeError, ValueError, OverflowError) as error:
        raise Invalid(str(error)) from None
    expiry = claims.get("exp")
    if isinstance(expiry, bool) or not isinstance(expiry, (int, float)) or not expiry > time.time():
        raise Invalid("it has expired, or does not say when it does")
    if claims.get("iss") != provider.issuer:
        raise Invalid("it is another issuer's")
    if provider.claim == "email" and claims.get("email_verified") is not True:
        raise Invalid("nobody has verified that the address is the user's")
    name = claims.get(provider.claim)
    if not isinstance(name, str) or not name:
        raise Invalid(f"it has no text in its claim {provider.claim!r}")
    return name
