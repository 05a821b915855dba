# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How users are authenticated: by the server, or here by the client's credentials. Part of the verifier."""

from __future__ import annotations

import base64
import re
from typing import Any, Callable, NamedTuple

from errors import NotAuthenticated, PolicyError, Refused
from names import NAME
from policy import Policy

BASIC = re.compile(r"[Bb][Aa][Ss][Ii][Cc] +([A-Za-z0-9+/]+={0,2})")
BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9_.=-]+)")
BASIC_CHALLENGE = 'Basic realm="Slurm"'


class Request(NamedTuple):
    """What the server sends about a request."""

    name: str = ""
    """The name that the server has authenticated."""
    authorization: str = ""
    cookie: str = ""
    method: str = ""
    uri: str = ""
    address: str = ""


Authenticate = Callable[[Request], str]
"""Returns the authenticated name. Raises NotAuthenticated, Refused or TooMany."""


def authenticator(policy: Policy, serving: bool = True) -> Authenticate:
    """The configured way to authenticate. If not SERVING, it opens nothing that systemd passes to the service."""
    try:
        if policy.password_file:
            return by_password(policy, serving)
        if policy.openid:
            return by_token(policy.openid, serving)
        if policy.hook:
            return by_hook(policy.hook)
    except ImportError as error:
        raise PolicyError(f"{error}. Install python3-jwt and python3-cryptography of the distribution.") from error
    except ValueError as error:
        raise PolicyError(f"{error}. Run the playbook hpc.slurm_jwt.proxy.") from error
    return lambda request: request.name


def by_password(policy: Policy, serving: bool) -> Authenticate:
    """By a name and a password. systemd has opened the file of hashes."""
    import attempts
    import libcrypt
    import open_password_file
    import passwords

    matches = libcrypt.Bcrypt().matches
    if not serving:
        return lambda request: request.name
    hashes = open_password_file.OpenPasswordFile(policy.password_file).hashes
    known = passwords.Passwords(hashes, matches, attempts.Attempts(policy.failures), policy.seconds)

    def authenticate(request: Request) -> str:
        name, password = name_and_password(request.authorization, libcrypt.LONGEST)
        if not known.is_right(name, password, request.address):
            # The log gets no name: it may be a password in the wrong field.
            raise NotAuthenticated(f"wrong name or password, from {request.address}", BASIC_CHALLENGE)
        return name

    return authenticate


def name_and_password(authorization: str, longest: int) -> tuple[str, bytes]:
    match = BASIC.fullmatch(authorization)
    try:
        name, colon, password = base64.b64decode(match[1] if match else "", validate=True).partition(b":")
    except ValueError:
        colon = b""
    # libcrypt would read a password only up to a NUL.
    if not colon or len(password) > longest or b"\0" in password or not NAME.fullmatch(name.decode("latin-1")):
        raise NotAuthenticated("there is no valid name and password", BASIC_CHALLENGE)
    return name.decode("ascii"), password


def by_token(members: dict[str, Any], serving: bool) -> Authenticate:
    """By a bearer token of an OpenID provider."""
    import openid
    import openid_keys

    keys = openid_keys.Keys(openid_keys.provider_of(members))
    if serving:
        keys.follow()

    def authenticate(request: Request) -> str:
        match = BEARER.fullmatch(request.authorization)
        if not match:
            raise NotAuthenticated("there is no bearer token", "Bearer")
        try:
            return openid.name_in(match[1], keys)
        except openid.InvalidToken as error:
            raise NotAuthenticated(f"the token is not accepted: {error}", 'Bearer error="invalid_token"') from None

    return authenticate


def by_hook(members: dict[str, Any]) -> Authenticate:
    """By the site's own program, which gets the client's credentials."""
    import hook

    settings = hook.settings_of(members)

    def authenticate(request: Request) -> str:
        headers = {
            "Authorization": request.authorization, "Cookie": request.cookie,
            "X-Original-Method": request.method, "X-Original-URI": request.uri,
        }
        answer = hook.ask(settings, headers)
        if answer.status == 401:
            raise NotAuthenticated("the hook answers 401", answer.challenge)
        if answer.status == 403:
            raise Refused("the hook answers 403")
        return answer.name

    return authenticate
