# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches key sets from issuers, who may be slow, broken or somebody else. Private to this collection.

A daemon's trust hangs on the answer, so it comes over TLS from whoever the certificate names, through every redirect,
unless the site says otherwise; it is small; and it comes in time. A timeout of sockets starts anew with every byte, so
one thread fetches while another looks at the clock. All sources are asked at once: a slow one delays no other.
"""

from __future__ import annotations

import ipaddress
import queue
import ssl
import threading
import time
import urllib.request
from http.client import HTTPException
from typing import Any, Callable, NamedTuple, TypeVar
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import MAX_SIZE, KeySetError, load_json

_T = TypeVar("_T")

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_PIECE = 16 * 1024

ANYBODYS_PORT = 1024
"""From this port on every user of a host may listen."""

DISCOVERY = "/.well-known/openid-configuration"

# Issuers whose keys sign for anybody in the world, each for their own. Slurm looks at neither issuer nor audience.
_ENTRA = "Microsoft Entra ID signs for all its tenants with the same keys"
_GOOGLE = "Google signs for everybody with the same keys"
_SHARED = {
    "login.microsoftonline.com": _ENTRA,
    "login.microsoftonline.us": _ENTRA,
    "login.windows.net": _ENTRA,
    "login.partner.microsoftonline.cn": _ENTRA,
    "sts.windows.net": _ENTRA,
    "accounts.google.com": _GOOGLE,
    "www.googleapis.com": _GOOGLE,
    "token.actions.githubusercontent.com": "GitHub signs for the workflows of everybody with the same keys",
    "gitlab.com": "GitLab signs for the pipelines of everybody with the same keys",
    "appleid.apple.com": "Apple signs for everybody with the same keys",
}


class FetchError(Exception):
    """A key set cannot be had. The text says from where, what was found, and what to do."""


class FetchRules(NamedTuple):
    """What the site asks of an address."""

    timeout: float = 30.0
    """Seconds for all of it: finding the host, redirects, the last byte."""
    allow_http: bool = False
    allow_shared: bool = False


Get = Callable[[str, float], Any]
"""Opens an address without following redirects; the number is the timeout of each single step."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are looked at before anybody follows them, or reads where they lead to."""


def _stay(*_args: Any) -> None:
    return None


for _code in _REDIRECTS:
    setattr(_Stay, f"http_error_{_code}", _stay)


def opener(ca_path: str | None) -> Get:
    """How an address is opened: with the authorities in a file, or with those of the host, and through the proxies of
    the environment. Nothing of it stays in the process, where another source with other authorities would find it."""
    try:
        context = ssl.create_default_context(cafile=ca_path)
    except OSError as exc:
        raise FetchError(
            f"ca_path: {ca_path} cannot be used: {exc.strerror or exc}. Bring it to this host, or correct the path."
        ) from None
    ours = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _Stay)
    ours.addheaders = [("User-Agent", "hpc.slurm_jwt"), ("Accept", "application/json")]
    return lambda url, timeout: ours.open(url, timeout=timeout)


def fetch_keys(url: str, get: Get, rules: FetchRules) -> Callable[[], bytes]:
    """Begin to fetch the document at an address; what returns it."""
    return _in_time(lambda end: _fetch(url, get, rules, end), url, rules.timeout)


def fetch_keys_of_issuer(issuer: str, get: Get, rules: FetchRules) -> Callable[[], tuple[str, bytes]]:
    """Begin to fetch the key set of an OpenID provider; what returns the address where its configuration says that it
    is, and the document."""

    def both(end: float) -> tuple[str, bytes]:
        # What an issuer has for a query belongs to its configuration too, such as ?appid= of Entra ID.
        base, mark, query = issuer.partition("?")
        address = base.rstrip("/") + DISCOVERY + mark + query
        uri = _jwks_uri(issuer, address, _fetch(address, get, rules, end))
        return uri, _fetch(uri, get, rules, end)

    return _in_time(both, issuer, rules.timeout)


def refuse_address(url: str, rules: FetchRules) -> None:
    """Raise FetchError for an address that is none, or that nobody should take keys from."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise FetchError(f"{ascii(url)} is not a URL. Write it as https://HOST/PATH.") from None
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise FetchError(f"{ascii(url)} is not a URL of the web. Write it as https://HOST/PATH.")
    if "@" in parts.netloc:
        raise FetchError(f"The address at {host} holds a user name. Keys are public; leave it out.")
    if parts.scheme == "http" and not rules.allow_http:
        raise FetchError(
            f"{url} is plain http, where anybody on the way could put keys of their own and be root on the cluster."
            " Use https, with ca_path for a certificate authority of the site. allow_http: true trusts the network."
        )
    if parts.scheme == "http" and _is_loopback(host) and (parts.port or 80) >= ANYBODYS_PORT:
        raise FetchError(
            f"{url} is a port from {ANYBODYS_PORT} on of this host itself. Any local user can listen there while the"
            " program that it belongs to is restarted, and publish keys of their own. Use https, or a port below that."
        )
    why = _SHARED.get(host.lower())
    if why is None or rules.allow_shared:
        return
    raise FetchError(
        f"{url}: {why}, and Slurm looks at neither issuer nor audience: a token that a stranger has made out for his"
        " own application would be good here. Use an issuer with keys of its own, such as a realm or a user pool. If"
        " you have made sure that the keys at this address sign for you alone, as those of an application of Entra ID"
        " with a signing key of its own may (?appid=), say allow_shared: true."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost")


def _in_time(work: Callable[[float], _T], what: str, timeout: float) -> Callable[[], _T]:
    """Begin WORK; what returns its result, or raises FetchError: when the time is over, whatever WORK is doing then,
    and whatever else becomes of it."""
    answers: queue.Queue[tuple[list[_T], BaseException | None]] = queue.Queue()
    end = time.monotonic() + timeout

    def run() -> None:
        try:
            answers.put(([work(end)], None))
        except BaseException as exc:
            answers.put(([], exc))

    def result() -> _T:
        try:
            answer, failure = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            raise _too_late(what, timeout) from None
        if failure is None:
            return answer[0]
        if isinstance(failure, FetchError):
            raise failure
        # Libraries raise exceptions of their own, and a stranger chooses which.
        raise FetchError(f"{what} cannot be fetched: {_cause(failure)}") from failure

    # A daemon: it does not keep the module from ending, even if it waits for a name server.
    threading.Thread(target=run, daemon=True).start()
    return result


def _too_late(what: str, timeout: float) -> FetchError:
    return FetchError(
        f"{what} has not answered in full within {timeout:g} s. See whether it works and can be reached from this host,"
        " or raise timeout."
    )


def _fetch(url: str, get: Get, rules: FetchRules, end: float) -> bytes:
    begin = url
    for _step in range(_MOST_REDIRECTS + 1):
        try:
            refuse_address(url, rules)
        except FetchError as exc:
            raise exc if url == begin else FetchError(f"{begin} redirects: {exc}") from None
        answer = _open(url, get, rules, end)
        if isinstance(answer, str):
            url = urljoin(url, answer)
            continue
        try:
            return _read(url, answer, rules, end)
        finally:
            answer.close()
    raise FetchError(f"{begin} redirects more than {_MOST_REDIRECTS} times. Name the last address itself.")


def _open(url: str, get: Get, rules: FetchRules, end: float) -> Any:
    """The answer, or where it redirects to."""
    left = end - time.monotonic()
    if left <= 0:
        raise _too_late(url, rules.timeout)
    try:
        return get(url, left)
    except HTTPError as exc:
        where = exc.headers.get("Location") if exc.code in _REDIRECTS else None
        exc.close()
        if where:
            return str(where)
        raise FetchError(
            f"{url} answers {exc.code} {ascii(exc.reason)[1:-1][:80]} instead of keys. Open it from this host with"
            " curl, and correct the address."
        ) from None
    except Exception as exc:  # libraries below raise exceptions of their own
        raise FetchError(f"{url} cannot be fetched: {_cause(exc)}") from exc


def _read(url: str, answer: Any, rules: FetchRules, end: float) -> bytes:
    pieces = []
    size = 0
    try:
        while True:
            # read() would wait for a whole piece, which a slow server never fills.
            piece = answer.read1(_PIECE)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
            if size > MAX_SIZE:
                raise FetchError(
                    f"{url} sends more than {MAX_SIZE} bytes, which no set of keys has. Look what is there."
                )
            if time.monotonic() > end:
                raise _too_late(url, rules.timeout)
        missing = getattr(answer, "length", None)
    except (OSError, HTTPException, ValueError) as exc:
        raise FetchError(f"{url} stops half-way: {_cause(exc)}") from exc
    if missing:
        raise FetchError(f"{url} closed the connection {missing} bytes before the end. Try again.")
    return b"".join(pieces)


def _cause(exc: BaseException) -> str:
    """What a library says, in one sentence, and what to do where that is known."""
    cause: object = getattr(exc, "reason", None) or exc
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not to be trusted ({cause.verify_message}). If an authority of the site has issued it,"
            " name that one's certificate in ca_path."
        )
    text = str(cause) or type(cause).__name__
    if "certificate verify failed" in text.lower():
        return f"its certificate is not to be trusted ({text.rstrip('.')}). See ca_path."
    return text.rstrip(".") + ". See whether this host can reach it."


def _jwks_uri(issuer: str, address: str, data: bytes) -> str:
    """Where an OpenID configuration says that the keys are, if it is that of this issuer."""
    try:
        found = load_json(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, KeySetError):
        found = None
    if not isinstance(found, dict):
        raise FetchError(
            f"{address} is not the configuration of an OpenID provider: it is no JSON object. Correct issuer, or name"
            " the address of the keys in url."
        )
    said, uri = found.get("issuer"), found.get("jwks_uri")
    if not isinstance(said, str) or said.rstrip("/") != issuer.partition("?")[0].rstrip("/"):
        raise FetchError(
            f"{address} is the configuration of the issuer {ascii(said)[:200]}, not of {issuer}. Correct issuer: it is"
            " what tokens have in their claim iss."
        )
    if not isinstance(uri, str):
        raise FetchError(f"{address} does not say where the keys are: it has no jwks_uri. Name their address in url.")
    return uri
