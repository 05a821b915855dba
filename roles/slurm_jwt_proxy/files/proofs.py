# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How somebody is authenticated: by the server, or here by what the client has sent. Part of the verifier."""

from __future__ import annotations

import base64
import re
from typing import Any, Callable, NamedTuple

from errors import PolicyError, Refused, Unproven
from names import NAME
from policy import Policy

BASIC = re.compile(r"[Bb][Aa][Ss][Ii][Cc] +([A-Za-z0-9+/]+={0,2})")
BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9_.=-]+)")
PASSWORDS_WANTED = 'Basic realm="Slurm"'


class Question(NamedTuple):
    """What the server tells of a request."""

    name: str = ""
    """By which the server has authenticated somebody."""
    authorization: str = ""
    cookie: str = ""
    method: str = ""
    uri: str = ""
    address: str = ""


Prover = Callable[[Question], str]
"""The name of whoever is authenticated. Raises Unproven, Refused or TooMany."""


def prover_of(policy: Policy, serving: bool = True) -> Prover:
    """How somebody is authenticated. Before it serves, nothing is opened that only the service is handed."""
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
    return lambda question: question.name


def by_password(policy: Policy, serving: bool) -> Prover:
    """By a name and a password, which are in the file that systemd has opened."""
    import attempts
    import libcrypt
    import opened
    import passwords

    matches = libcrypt.Bcrypt().matches
    if not serving:
        return lambda question: question.name
    hashes = opened.Opened(policy.password_file).hashes
    known = passwords.Passwords(hashes, matches, attempts.Attempts(policy.failures), policy.seconds)

    def prove(question: Question) -> str:
        name, password = name_and_password(question.authorization, libcrypt.LONGEST)
        if not known.is_right(name, password, question.address):
            # The name is not said: it may be a password in the wrong field.
            raise Unproven(f"wrong name or password, from {question.address}", PASSWORDS_WANTED)
        return name

    return prove


def name_and_password(authorization: str, longest: int) -> tuple[str, bytes]:
    found = BASIC.fullmatch(authorization)
    try:
        name, colon, password = base64.b64decode(found[1] if found else "", validate=True).partition(b":")
    except ValueError:
        colon = b""
    # A password with a NUL would be read up to there.
    if not colon or len(password) > longest or b"\0" in password or not NAME.fullmatch(name.decode("latin-1")):
        raise Unproven("there is no name and password that could be right", PASSWORDS_WANTED)
    return name.decode("ascii"), password


def by_token(members: dict[str, Any], serving: bool) -> Prover:
    """By a bearer token of an OpenID provider."""
    import openid
    import openid_keys

    keys = openid_keys.Keys(openid_keys.provider_of(members))
    if serving:
        keys.follow()

    def prove(question: Question) -> str:
        found = BEARER.fullmatch(question.authorization)
        if not found:
            raise Unproven("there is no bearer token", "Bearer")
        try:
            return openid.name_in(found[1], keys)
        except openid.Invalid as error:
            raise Unproven(f"the token is not taken: {error}", 'Bearer error="invalid_token"') from None

    return prove


def by_hook(members: dict[str, Any]) -> Prover:
    """By the site's own program, which sees what the client has sent as a proof."""
    import hook

    settings = hook.settings_of(members)

    def prove(question: Question) -> str:
        proof = {
            "Authorization": question.authorization, "Cookie": question.cookie,
            "X-Original-Method": question.method, "X-Original-URI": question.uri,
        }
        answer = hook.ask(settings, proof)
        if answer.status == 401:
            raise Unproven("the hook says 401", answer.challenge)
        if answer.status == 403:
            raise Refused("the hook says 403")
        return answer.name

    return prove
