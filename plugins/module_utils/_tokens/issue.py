# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes tokens for Slurm. Private to this collection.

PyJWT signs them. Its import takes some 0.15 s, so only sign() imports it.
"""

from __future__ import annotations

import base64
import json
import re
import warnings
from contextlib import contextmanager, nullcontext
from typing import Any, ContextManager, Iterator

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, hmac_signature, parse_json

ENDLESS = 2**31 - 2
"""Seconds that 'infinite' means, as in scontrol of Slurm 23.11.2 and later: some 68 years."""

LONGEST = 366 * 86400
"""Seconds beyond which a token counts as endless. Only a change of the key revokes a token."""

RESERVED_CLAIMS = ("iat", "exp", "sun", "username")
"""Claims with user and expiry of a token. Anyone who could set them could be any user, forever."""

_USER = re.compile(r"[^\s:,/\x00-\x1f\x7f-]([^\s:,/\x00-\x1f\x7f])*")
_NEVER_SHORT = 32  # bytes; PyJWT never warns of an HS256 key of this length, the minimum of RFC 7518


def lifespan(text: str, allow_endless: bool = False, limit: int | None = None) -> int:
    """The lifespan of a new token in seconds, if it is allowed. LIMIT is the site's max_token_lifespan, in seconds."""
    endless = text.strip().lower() in ("infinite", "unlimited")
    try:
        seconds = ENDLESS if endless else duration(text)
    except DurationError as exc:
        raise TokenError(str(exc)) from None
    if seconds < 1:
        raise TokenError(f"A lifespan of {seconds} s is too short. Give at least 1 s, such as 30m.")
    if seconds > ENDLESS:
        raise TokenError(f"{text!r} is more than Slurm can count. Give at most {ENDLESS} s.")
    if allow_endless:
        return seconds
    if limit is not None and seconds > limit:
        raise TokenError(
            f"{text!r} is more than max_token_lifespan={limit} of this cluster. Give less, raise that limit, or set "
            "allow_endless=true."
        )
    if seconds > LONGEST:
        raise TokenError(
            f"{text!r} is more than {LONGEST // 86400} days, and only a change of the key revokes a token. Give a "
            "shorter lifespan and renew the token, or set allow_endless=true."
        )
    return seconds


def check_user_name(user: str) -> None:
    """Raise TokenError for a text that cannot be the name of a user, such as one that would end a header line."""
    if not _USER.fullmatch(user):
        raise TokenError(f"{user!r} cannot be the name of a user.")


def claims_for(
    user: str, seconds: int, now: float, username_claim: str = "sun", extra: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The claims of a token for that user that lives that many seconds from now."""
    check_user_name(user)
    reserved = sorted(set(extra or {}) & {*RESERVED_CLAIMS, username_claim})
    if reserved:
        raise TokenError(
            f"The claim {reserved[0]!r} is reserved: it says for whom the token is or how long it lives. "
            "Set the user and the lifespan instead."
        )
    if extra:
        _refuse_unreadable(extra)
    begin = int(now)
    return {"iat": begin, "exp": begin + seconds, username_claim: user, **(extra or {})}


def _refuse_unreadable(claims: dict[str, Any]) -> None:
    """Raise TokenError for claims with which Slurm could not read the token."""
    try:
        parse_json(json.dumps(claims).encode("ascii"))
    except (TypeError, ValueError, RecursionError) as exc:
        raise TokenError(f"The claims hold something that Slurm cannot read in a token: {exc}.") from None


def sign(claims: dict[str, Any], key: bytes, algorithm: str = "HS256", kid: str | None = None) -> str:
    """A signed token with these claims. The algorithm 'none' leaves it unsigned, to prove that it is refused."""
    jwt = _pyjwt()
    secret = None if algorithm == "none" else key
    # PyJWT 2.10 and later warn of short keys on stderr. slurm_jwt_key warns of them, with a remedy. Silencing
    # PyJWT takes as long as signing.
    silence: ContextManager[None] = nullcontext() if algorithm == "HS256" and len(key) >= _NEVER_SHORT else _silence()
    try:
        with silence:
            token = jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": kid} if kid else None)
    except (TypeError, ValueError, NotImplementedError, jwt.PyJWTError) as exc:
        if algorithm == "HS256" and isinstance(exc, jwt.exceptions.InvalidKeyError):
            # PyJWT refuses a PEM or an SSH key for an HMAC. Slurm accepts it, so it is valid until it is rotated.
            return _sign_with_any_key(claims, key)
        cause = str(exc).rstrip(".")
        raise TokenError(f"PyJWT {jwt.__version__} cannot sign with this key and these claims: {cause}.") from exc
    # PyJWT 1.7 returns bytes, 2.0 and later text.
    return token.decode("ascii") if isinstance(token, bytes) else str(token)


def _sign_with_any_key(claims: dict[str, Any], key: bytes) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    texts = (json.dumps(part, separators=(",", ":")).encode("utf-8") for part in parts)
    signed = ".".join(base64.urlsafe_b64encode(text).rstrip(b"=").decode("ascii") for text in texts)
    return f"{signed}.{hmac_signature(signed, key)}"


@contextmanager
def _silence() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _pyjwt() -> Any:
    try:
        import jwt
    except ImportError as exc:
        raise TokenError(
            "The Python library PyJWT is missing on this host, and tokens are signed with it. Install the package "
            f"python3-jwt, which the roles of this collection do. ({exc})"
        ) from exc
    if not hasattr(jwt, "PyJWTError"):
        raise TokenError(
            f"The Python library jwt at {getattr(jwt, '__file__', 'an unknown place')} is not PyJWT 1.7 or later. "
            "Install the package python3-jwt."
        )
    return jwt
