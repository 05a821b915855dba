# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes tokens for Slurm. Private to this collection.

Signing is left to PyJWT, which takes some 0.15 s to import and is therefore imported by sign() alone.
"""

from __future__ import annotations

import base64
import json
import re
import warnings
from contextlib import contextmanager, nullcontext
from typing import Any, ContextManager, Iterator

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, _hmac_signature, _parse

ENDLESS = 2**31 - 2
"""Seconds that 'infinite' stands for, as in scontrol of Slurm 23.11.2 and later: some 68 years."""

LONGEST = 366 * 86400
"""Seconds beyond which a token counts as endless: nobody can take it back, except by changing the key."""

RESERVED_CLAIMS = ("iat", "exp", "sun", "username")
"""Claims that say who and until when. Whoever could set them freely could be anybody, for ever."""

_USER = re.compile(r"[^\s:,/\x00-\x1f\x7f-]([^\s:,/\x00-\x1f\x7f])*")
_NEVER_SHORT = 32  # bytes of a key for HS256 of which PyJWT never warns: what RFC 7518 demands


def lifespan(text: str, allow_endless: bool = False, limit: int | None = None) -> int:
    """Seconds that a new token is to live, if such a token may be made. limit is the site's max_token_lifespan."""
    endless = text.strip().lower() in ("infinite", "unlimited")
    try:
        seconds = ENDLESS if endless else duration(text)
    except DurationError as exc:
        raise TokenError(str(exc)) from None
    if seconds < 1:
        raise TokenError(f"A token that lives {seconds} s is of no use. Give at least 1 s, such as 30m.")
    if seconds > ENDLESS:
        raise TokenError(f"{text!r} is beyond what Slurm can count, {ENDLESS} s.")
    if allow_endless:
        return seconds
    if limit is not None and seconds > limit:
        raise TokenError(
            f"{text!r} is beyond max_token_lifespan={limit} of this cluster. Ask for less, raise that limit, or set "
            "allow_endless=true."
        )
    if seconds > LONGEST:
        raise TokenError(
            f"{text!r} makes a token that lives for more than {LONGEST // 86400} days, and only a change of the key "
            "takes a token back. Give it a shorter life and renew it, or set allow_endless=true."
        )
    return seconds


def check_user_name(user: str) -> None:
    """Refuses what cannot be the name of a user, such as one that would break a header line in two."""
    if not _USER.fullmatch(user):
        raise TokenError(f"{user!r} cannot be the name of a user.")


def claims_for(
    user: str, seconds: int, now: float, username_claim: str = "sun", extra: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The claims of a token for that user that lives that many seconds from now."""
    check_user_name(user)
    taken = sorted(set(extra or {}) & {*RESERVED_CLAIMS, username_claim})
    if taken:
        raise TokenError(
            f"The claim {taken[0]!r} is not free: it says who the token is for or how long it lives. "
            "State the user and the lifespan instead."
        )
    if extra:
        _refuse_unreadable(extra)
    begin = int(now)
    return {"iat": begin, "exp": begin + seconds, username_claim: user, **(extra or {})}


def _refuse_unreadable(claims: dict[str, Any]) -> None:
    """Raise TokenError for claims with which no Slurm could read the token."""
    try:
        _parse(json.dumps(claims).encode("ascii"))
    except (TypeError, ValueError, RecursionError) as exc:
        raise TokenError(f"The claims hold something that Slurm cannot read in a token: {exc}.") from None


def sign(claims: dict[str, Any], key: bytes, algorithm: str = "HS256", kid: str | None = None) -> str:
    """A token with these claims, signed. The algorithm 'none' leaves it unsigned, for tests that it is refused."""
    jwt = _pyjwt()
    secret = None if algorithm == "none" else key
    # PyJWT 2.10 and later warn of short keys on stderr. slurm_jwt_key says so, with a remedy. To silence them costs as
    # much as the token.
    silence: ContextManager[None] = nullcontext() if algorithm == "HS256" and len(key) >= _NEVER_SHORT else _silence()
    try:
        with silence:
            token = jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": kid} if kid else None)
    except (TypeError, ValueError, NotImplementedError, jwt.PyJWTError) as exc:
        if algorithm == "HS256" and isinstance(exc, jwt.exceptions.InvalidKeyError):
            # PyJWT has no HMAC with a PEM or an SSH key. Slurm does, and such a key is in force until it is rotated.
            return _sign_with_any_key(claims, key)
        cause = str(exc).rstrip(".")
        raise TokenError(f"PyJWT {jwt.__version__} cannot sign with this key and these claims: {cause}.") from exc
    # PyJWT 1.7 returns bytes, 2.0 and later text.
    return token.decode("ascii") if isinstance(token, bytes) else str(token)


def _sign_with_any_key(claims: dict[str, Any], key: bytes) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    texts = (json.dumps(part, separators=(",", ":")).encode("utf-8") for part in parts)
    signed = ".".join(base64.urlsafe_b64encode(text).rstrip(b"=").decode("ascii") for text in texts)
    return f"{signed}.{_hmac_signature(signed, key)}"


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
