# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes tokens for Slurm, reads them, and judges them as slurmctld and slurmdbd of a given release do.

Private to the collection hpc.slurm_jwt: no other collection and no playbook may rely on it.

Signing is left to PyJWT, which takes some 0.15 s to import and is therefore imported by sign() alone. Whether a token
was signed by a key is one HMAC, which the standard library does: a run that finds nothing to do never imports PyJWT.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import warnings
from contextlib import contextmanager, nullcontext
from typing import Any, Callable, ContextManager, Iterator, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, has
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration

ENDLESS = 2**31 - 2
"""Seconds that 'infinite' stands for, as in scontrol of Slurm 23.11.2 and later: some 68 years."""

LONGEST = 366 * 86400
"""Seconds beyond which a token counts as endless: nobody can take it back, except by changing the key."""

RESERVED_CLAIMS = ("iat", "exp", "sun", "username")
"""Claims that say who and until when. Whoever could set them freely could be anybody, for ever."""

_USER = re.compile(r"[^\s:,/\x00-\x1f\x7f-]([^\s:,/\x00-\x1f\x7f])*")
_NEVER_SHORT = 32  # bytes of a key for HS256 of which PyJWT never warns: what RFC 7518 demands
_HMAC = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


# What escapes libjwt's JSON reader may refuse: NUL, and halves of surrogate pairs.
_ODD = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def _whole(text: str) -> int:
    if not -(2**63) <= int(text) < 2**63:
        raise ValueError("no machine can hold it")
    return int(text)


def _broken(text: str) -> float:
    if float(text) in (float("inf"), float("-inf")):
        raise ValueError("no machine can hold it")
    return float(text)


def _not_json(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


# As strict as libjwt's reader: Python's would take NaN, and numbers of any size.
_JSON = json.JSONDecoder(parse_int=_whole, parse_float=_broken, parse_constant=_not_json)


class TokenError(Exception):
    """A token cannot be made, or is none. The text says what was found and what to do; it never holds the token."""


class Parts(NamedTuple):
    """What a token says. Nothing in it is proven: anybody can write a token."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signature: bytes


# -- reading -----------------------------------------------------------------------------------------------------------


def split(text: str) -> Parts:
    """The parts of a token, whoever signed it."""
    pieces = text.split(".")
    if len(pieces) != 3:
        raise TokenError(f"This is no token: it has {len(pieces)} parts between dots where a token has 3.")
    return Parts(_json_part(pieces[0], "header"), _json_part(pieces[1], "claims"), _decode(pieces[2], "signature"))


def _json_part(text: str, what: str) -> dict[str, Any]:
    raw = _decode(text, what)
    try:
        found = _parse(raw)
    except (ValueError, RecursionError):
        raise TokenError(f"This is no token: its {what} part is not JSON that Slurm can read.") from None
    if not isinstance(found, dict):
        raise TokenError(f"This is no token: its {what} part is not a JSON object.")
    return found


def _parse(raw: bytes) -> Any:
    """The JSON in it; ValueError if libjwt's reader would refuse it."""
    found = _JSON.decode(raw.decode("utf-8"))
    if _ODD.search(raw):
        _refuse_odd(found)
    return found


def _refuse_odd(found: object) -> None:
    """Raise ValueError for text with a NUL or with half a surrogate pair."""
    text = json.dumps(found, ensure_ascii=False)
    text.encode("utf-8")
    if re.search(r"(?<!\\)(?:\\\\)*\\u0000", text):
        raise ValueError("there is a NUL in it")


def _decode(text: str, what: str) -> bytes:
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError(f"This is no token: its {what} part is not base64url.") from None


def user_of(claims: dict[str, Any], release: Release | None = None) -> str | None:
    """The user whom Slurm takes the claims to name; without a release, the newest Slurm."""
    names = ["sun"]
    if release is None or has(release, "username_claim"):
        names.append("username")
    for name in names:
        if isinstance(claims.get(name), str):
            return str(claims[name])
    return None


def expiry_of(claims: dict[str, Any]) -> int | None:
    """The second until which Slurm accepts the token. Only a JSON integer counts; True is none."""
    return integer(claims.get("exp"))


def lifespan_of(claims: dict[str, Any]) -> int | None:
    """How long the token was made to live, as far as it says."""
    begin, end = integer(claims.get("iat")), expiry_of(claims)
    return None if begin is None or end is None else end - begin


def integer(value: object) -> int | None:
    """The value if JSON calls it an integer: true and false are none, though Python counts with them."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def stale(
    data: bytes,
    form: str,
    user: str,
    seconds: int,
    min_remaining: int,
    claims: dict[str, Any],
    key: bytes | None,
    now: float,
    kid: str | None = None,
) -> str | None:
    """In one word, why a token file has to be made anew; None if it can stay. Without a key any signature will do.

    With a kid the key is an RSA key in PEM.
    """
    try:
        token = extract(form, data)
        found = split(token)
    except TokenError:
        return "unreadable"
    expiry, life = expiry_of(found.claims), lifespan_of(found.claims)
    extra = {name: value for name, value in found.claims.items() if name not in ("iat", "exp", "sun")}
    reasons = (
        ("unreadable", expiry is None or life is None),
        ("algorithm", found.header.get("alg") not in _algorithms(key, kid)),
        ("user", found.claims.get("sun") != user),
        ("format", render(form, token, user) != data),
        ("claims", extra != claims),
        ("lifespan", life is not None and life > seconds),
        ("key", key is not None and not signed_by(token, key)),
        ("key", kid is not None and found.header.get("kid") != kid),
        ("expiring", expiry is not None and expiry - int(now) < min_remaining),
    )
    return next((reason for reason, holds in reasons if holds), None)


def _algorithms(key: bytes | None, kid: str | None) -> tuple[str, ...]:
    if key is None:
        return ("HS256", "RS256")
    return ("HS256",) if kid is None else ("RS256",)


def differs(data: bytes, form: str, token: str, user: str) -> str | None:
    """In one word, why a file is not the one that holds this very token; None if it is."""
    try:
        found = extract(form, data)
    except TokenError:
        return "unreadable"
    if found != token:
        return "given"
    return None if data == render(form, token, user) else "format"


def is_pem(key: bytes) -> bool:
    """Whether a key is one in PEM, and so none for HS256 unless somebody says that it is."""
    return key.lstrip().startswith(b"-----BEGIN ")


def signed_by(token: str, key: bytes) -> bool:
    """Whether this very key signed the token: with RS256 if it is in PEM and the token says so, else with an HMAC."""
    signed, _dot, signature = token.rpartition(".")
    # Slurm has a PEM as a key for HS256, too: what a key is used for is said by the token, and asked for by who calls.
    algorithm = str(split(token).header.get("alg")).upper()
    if algorithm == "RS256" and is_pem(key):
        return _signed_by_rsa_key(token, key)
    if algorithm not in _HMAC:
        return False
    return hmac.compare_digest(_hmac_signature(signed, key, algorithm), signature)


def _hmac_signature(signed: str, key: bytes, algorithm: str = "HS256") -> str:
    digest = hmac.new(key, signed.encode("utf-8"), _HMAC[algorithm]).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _signed_by_rsa_key(token: str, key: bytes) -> bool:
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rs256 import verifies

    parts = split(token)
    # The header must say so too: Slurm goes by it.
    return parts.header.get("alg") == "RS256" and verifies(token.rpartition(".")[0].encode(), parts.signature, key)


# -- judging -----------------------------------------------------------------------------------------------------------


def refusals(
    token: str,
    key: bytes,
    release: Release,
    now: float,
    user_known: Callable[[str], bool] | None = None,
    kid: str | None = None,
) -> list[str]:
    """Why slurmctld and slurmdbd of that release would refuse the token: all reasons, none if they accept it.

    user_known says whether a user, or the uid of a number, exists on the daemon's host. With a kid the key is an RSA
    key in PEM, whose public half the daemons have under that kid.
    """
    try:
        parts = split(token)
    except TokenError as exc:
        return [str(exc)]
    return [
        *_header_refusals(parts.header, release, kid),
        *_signature_refusals(token, parts.header, key, kid),
        *expiry_refusals(parts.claims, now),
        *_user_refusals(parts.claims, release, user_known),
    ]


def _header_refusals(header: dict[str, Any], release: Release, kid: str | None) -> list[str]:
    found = []
    algorithm = header.get("alg")
    if kid is not None:
        found += _rs256_refusals(header, release, kid)
    # Slurm 20.11 leaves the algorithm to libjwt, which takes any HMAC; 21.08 and later look themselves.
    accepted = ("HS256",) if has(release, "jwks") else tuple(_HMAC)
    # libjwt up to 1.12 minds no case; a newer one does.
    if kid is None and algorithm not in accepted:
        found.append(
            f"Its algorithm is {algorithm!r}; with a key for HS256, Slurm {release} accepts {' or '.join(accepted)}."
        )
    kind = header.get("typ")
    if isinstance(kind, str) and kind.upper() != "JWT":
        found.append(f"It is of type {kind!r}; Slurm with an older libjwt accepts 'JWT' or no type at all.")
    return found


def _rs256_refusals(header: dict[str, Any], release: Release, kid: str) -> list[str]:
    if not has(release, "jwks"):
        return [f"Slurm {release} verifies no RS256: jwks= needs Slurm 21.08 or later."]
    found = []
    if header.get("alg") != "RS256":
        found.append(f"Its algorithm is {header.get('alg')!r}; with an RSA key, Slurm accepts RS256.")
    if header.get("kid") != kid:
        found.append(f"Its kid is {header.get('kid')!r}, and that of the key is {kid!r}: Slurm finds no key for it.")
    return found


def _signature_refusals(token: str, header: dict[str, Any], key: bytes, kid: str | None) -> list[str]:
    algorithms = tuple(_HMAC) if kid is None else ("RS256",)
    if str(header.get("alg")).upper() not in algorithms or signed_by(token, key):
        return []
    return [
        "It was not signed by this key: it was made before the key was replaced, for another cluster, or by a forger."
    ]


def expiry_refusals(claims: dict[str, Any], now: float) -> list[str]:
    """Why a token with these claims would count as expired."""
    if "exp" not in claims:
        return ["It has no claim exp, which Slurm takes for expired."]
    expiry = expiry_of(claims)
    if expiry is None:
        return ["Its claim exp is not a JSON integer, which Slurm takes for expired."]
    if expiry < int(now):
        return [f"It expired {int(now) - expiry} s ago by the clock of this host."]
    return []


def _user_refusals(claims: dict[str, Any], release: Release, user_known: Callable[[str], bool] | None) -> list[str]:
    user = user_of(claims, release)
    if user is None:
        wanted = "sun or username" if has(release, "username_claim") else "sun"
        return [f"It names no user: Slurm {release} wants a claim {wanted} that is text."]
    if user_known is not None and not user_known(user):
        # Such a token is let in, measured on all releases, and fails at what it is used for.
        return [f"It is for the user {user!r}, who does not exist on this host: for Slurm it is nobody's, of uid 99."]
    return []


# -- making ------------------------------------------------------------------------------------------------------------


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


# -- scontrol token ----------------------------------------------------------------------------------------------------

# What scontrol prints, in lower case, and what that means to the person who asked.
_SCONTROL_FAILURES = (
    (
        ("access/permission denied",),
        "slurmctld makes no tokens for this user: AuthAltParameters has disable_token_creation. "
        "Run this as root or SlurmUser, or sign with method=key.",
    ),
    (
        ("invalid user id",),
        "slurmctld makes tokens of other users only for root and SlurmUser. Run this as one of them (become).",
    ),
    (
        ("requested time limit is invalid",),
        "The lifespan is beyond max_token_lifespan in AuthAltParameters. Ask for a shorter one, or run this as root.",
    ),
    (
        ("required plugin type not loaded",),
        "slurmctld has not loaded auth/jwt. Set AuthAltTypes=auth/jwt and restart it.",
    ),
    (
        ("token generation failed",),
        "slurmctld has no key for HS256, only jwks=. Add jwt_key= to AuthAltParameters, or take tokens of the issuer.",
    ),
    (
        (
            "unable to contact slurm controller",
            "connection refused",
            "connect failure",
            "connection timed out",
            "socket timed out",
        ),
        "slurmctld does not answer. Is it running, and can this host reach it?",
    ),
    (
        ("protocol authentication error", "invalid authentication credential", "munge"),
        "slurmctld does not believe who is asking. Look at munge on both hosts, which wants the same key and clocks "
        "less than 300 s apart.",
    ),
    (
        ("zero bytes were transmitted",),
        "slurmctld closed the connection without an answer. Look at munge on both hosts, which wants the same key and "
        "clocks less than 300 s apart, then at slurmctld's log.",
    ),
)


def why_scontrol_failed(code: int, errors: str, timed_out: tuple[int, ...]) -> str:
    """In sentences, why 'scontrol token' gave no token, and what to do."""
    said = " ".join(re.sub(r"^scontrol: (?:error: )?", "", line) for line in errors.split("\n")).strip()
    if code in timed_out:
        return "slurmctld does not answer in the time that it was given. Is it running, and can this host reach it?"
    for texts, meaning in _SCONTROL_FAILURES:
        if any(text in said.lower() for text in texts):
            return f"{meaning} (scontrol: {said})"
    if said.lower() == "error fetching token":
        # Slurm 22.05 and older say no more if there is no plugin or no key.
        return f"slurmctld has no key to sign with: auth/jwt is not loaded, or has jwks= only. (scontrol: {said})"
    return f"'scontrol token' failed with exit code {code}: {said or 'it printed no reason'}."


def token_from_scontrol(output: str, user: str, seconds: int) -> str:
    """The token in what scontrol printed, if it is the one that was asked for."""
    try:
        token = extract("env", output.encode("utf-8"))
    except TokenError as exc:
        raise TokenError(f"'scontrol token' succeeded, but what it printed holds no token. {exc}") from exc
    claims = split(token).claims
    if claims.get("sun") != user:
        raise TokenError(f"slurmctld made a token for {claims.get('sun')!r} instead of {user!r}. It is not used.")
    if lifespan_of(claims) != seconds:
        raise TokenError(f"slurmctld made a token for {lifespan_of(claims)} s instead of {seconds} s. It is not used.")
    return token


# -- files -------------------------------------------------------------------------------------------------------------

_JSON_MEMBERS = ("user", "token", "expires")

# How the line that sets the header begins and ends.
_DIRECTIVES = {"nginx": ("proxy_set_header", r"[ \t]*;"), "apache": (r"RequestHeader[ \t]+set", "")}

FORMATS = ("raw", "env", "header", "json", "nginx", "apache")
"""raw: the token and nothing else, not even a newline; env: for a shell or a systemd unit's EnvironmentFile;
header: both headers that slurmrestd of any release wants, for curl -H @FILE; json: an object; nginx and apache: one
line for their configuration, to be included, that sets the header with the token on requests to slurmrestd."""


def render(form: str, token: str, user: str) -> bytes:
    """What a file of that format holds for a token."""
    check_user_name(user)
    if form == "raw":
        text = token
    elif form == "env":
        text = f"SLURM_JWT={token}\n"
    elif form == "header":
        text = f"X-SLURM-USER-NAME: {user}\nX-SLURM-USER-TOKEN: {token}\n"
    elif form == "json":
        values = (user, token, expiry_of(split(token).claims))
        text = json.dumps(dict(zip(_JSON_MEMBERS, values))) + "\n"
    elif form == "nginx":
        text = f'proxy_set_header X-SLURM-USER-TOKEN "{token}";\n'
    elif form == "apache":
        text = f'RequestHeader set X-SLURM-USER-TOKEN "{token}"\n'
    else:
        raise TokenError(f"{form!r} is not a format of token files. There are {', '.join(FORMATS)}.")
    return text.encode("utf-8")


def extract(form: str, data: bytes) -> str:
    """The token in a file of that format, if its text has the shape of one."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise TokenError("The file holds binary data, not a token.") from None
    if form == "raw":
        token = text.strip()
    elif form == "env":
        token = _first(r"^[ \t]*(?:export[ \t]+)?SLURM_JWT=[\"']?([^\"'\s]*)[\"']?[ \t]*$", text, "a line SLURM_JWT=")
    elif form == "header":
        token = _first(r"^X-SLURM-USER-TOKEN:[ \t]*(\S*)[ \t]*$", text, "a line X-SLURM-USER-TOKEN:")
    elif form == "json":
        token = _json_token(text)
    elif form in _DIRECTIVES:
        begin, end = _DIRECTIVES[form]
        token = _first(
            rf"^[ \t]*{begin}[ \t]+X-SLURM-USER-TOKEN[ \t]+\"?([^\"\s;]*)\"?{end}[ \t]*$",
            text,
            "a line that sets X-SLURM-USER-TOKEN",
        )
    else:
        raise TokenError(f"{form!r} is not a format of token files. There are {', '.join(FORMATS)}.")
    split(token)
    return token


def _first(pattern: str, text: str, what: str) -> str:
    found = re.search(pattern, text.replace("\r\n", "\n"), re.MULTILINE | re.IGNORECASE)
    if not found:
        raise TokenError(f"The file has not {what}.")
    return found[1]


def _json_token(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise TokenError("The file is not JSON.") from None
    token = found.get("token") if isinstance(found, dict) else None
    if not isinstance(token, str):
        raise TokenError("The file is JSON without a member 'token' that is text.")
    return token
