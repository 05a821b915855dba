# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches key sets from issuers, which may be slow, broken or malicious. Private to this collection.

The daemons trust what is fetched here. So it must come over TLS with a valid certificate, also after a redirect, unless
the site allows http. Size and time are limited. A socket timeout starts again with every byte, so one thread fetches
while another one measures the time. All sources are fetched at the same time: a slow one delays no other.
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
_MAX_REDIRECTS = 5
_CHUNK = 16 * 1024

FIRST_UNPRIVILEGED_PORT = 1024
"""Every user of a host may listen on this port and those above it."""

DISCOVERY = "/.well-known/openid-configuration"

# Issuers that sign for everybody with the same keys. Slurm checks neither issuer nor audience.
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
    """A key set cannot be fetched. The text says from where, what was found, and what to do."""


class FetchRules(NamedTuple):
    """What the site requires and allows."""

    timeout: float = 30.0
    """Seconds for everything: name lookup, redirects and the whole answer."""
    allow_http: bool = False
    allow_shared: bool = False


Get = Callable[[str, float], Any]
"""Opens an address without following redirects; the number is the timeout of each step in seconds."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect to the caller, who checks its target first."""


def _do_not_follow(*_args: Any) -> None:
    return None


for _code in _REDIRECTS:
    setattr(_NoRedirects, f"http_error_{_code}", _do_not_follow)


def opener(ca_path: str | None) -> Get:
    """A function that opens an address, with the CA certificates of a file or of the host, and through the proxies of
    the environment. It sets nothing globally, so it does not affect sources with other CA certificates."""
    try:
        context = ssl.create_default_context(cafile=ca_path)
    except OSError as exc:
        raise FetchError(
            f"ca_path: {ca_path} cannot be used: {exc.strerror or exc}. Copy it to this host, or correct the path."
        ) from None
    director = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirects)
    director.addheaders = [("User-Agent", "hpc.slurm_jwt"), ("Accept", "application/json")]
    return lambda url, timeout: director.open(url, timeout=timeout)


def fetch_keys(url: str, get: Get, rules: FetchRules) -> Callable[[], bytes]:
    """Start to fetch the document at an address; returns a function that waits for it and returns it."""
    return _within_timeout(lambda end: _fetch(url, get, rules, end), url, rules.timeout)


def fetch_keys_of_issuer(issuer: str, get: Get, rules: FetchRules) -> Callable[[], tuple[str, bytes]]:
    """Start to fetch the key set of an OpenID provider; returns a function that waits for it. That function returns the
    address in the provider's configuration, and the document."""

    def both(end: float) -> tuple[str, bytes]:
        # The query of an issuer, such as ?appid= of Entra ID, also belongs to the address of its configuration.
        base, mark, query = issuer.partition("?")
        address = base.rstrip("/") + DISCOVERY + mark + query
        uri = _jwks_uri(issuer, address, _fetch(address, get, rules, end))
        return uri, _fetch(uri, get, rules, end)

    return _within_timeout(both, issuer, rules.timeout)


def refuse_address(url: str, rules: FetchRules) -> None:
    """Raise FetchError for an invalid address, or one whose keys must not be trusted."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise FetchError(f"{ascii(url)} is not a URL. Write it as https://HOST/PATH.") from None
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise FetchError(f"{ascii(url)} is not an http or https URL. Write it as https://HOST/PATH.")
    if "@" in parts.netloc:
        raise FetchError(f"The address at {host} contains a user name. Keys are public; remove it.")
    if parts.scheme == "http" and not rules.allow_http:
        raise FetchError(
            f"{url} is plain http. Anyone on the network path could insert keys and become root on the cluster. Use"
            " https, with ca_path for a CA of the site. allow_http: true trusts the network."
        )
    if parts.scheme == "http" and _is_loopback(host) and (parts.port or 80) >= FIRST_UNPRIVILEGED_PORT:
        raise FetchError(
            f"{url} is a port of this host from {FIRST_UNPRIVILEGED_PORT} on. Any local user can listen there while the"
            " server is restarted, and publish keys. Use https, or a port below that."
        )
    why = _SHARED.get(host.lower())
    if why is None or rules.allow_shared:
        return
    raise FetchError(
        f"{url}: {why}, and Slurm checks neither issuer nor audience. It would accept a token that a stranger had"
        " issued for another application. Use an issuer with separate keys, such as a realm or a user pool. If you are"
        " sure that the keys at this address sign only for your site, for example those of an Entra ID application"
        " with its own signing key (?appid=), set allow_shared: true."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost")


def _within_timeout(work: Callable[[float], _T], what: str, timeout: float) -> Callable[[], _T]:
    """Start WORK in a thread; returns a function that waits for its result. That function raises FetchError if WORK
    fails or the time is over."""
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
            raise _timeout_error(what, timeout) from None
        if failure is None:
            return answer[0]
        if isinstance(failure, FetchError):
            raise failure
        # Libraries raise other exceptions, and the server decides which.
        raise FetchError(f"{what} cannot be fetched: {_cause(failure)}") from failure

    # A daemon thread does not keep the module running, even if it waits for a name server.
    threading.Thread(target=run, daemon=True).start()
    return result


def _timeout_error(what: str, timeout: float) -> FetchError:
    return FetchError(
        f"{what} has not answered in full within {timeout:g} s. Check that it works and can be reached from this host,"
        " or raise timeout."
    )


def _fetch(url: str, get: Get, rules: FetchRules, end: float) -> bytes:
    first = url
    for _step in range(_MAX_REDIRECTS + 1):
        try:
            refuse_address(url, rules)
        except FetchError as exc:
            raise exc if url == first else FetchError(f"{first} redirects: {exc}") from None
        answer = _open(url, get, rules, end)
        if isinstance(answer, str):
            url = urljoin(url, answer)
            continue
        try:
            return _read(url, answer, rules, end)
        finally:
            answer.close()
    raise FetchError(f"{first} redirects more than {_MAX_REDIRECTS} times. Use the final address.")


def _open(url: str, get: Get, rules: FetchRules, end: float) -> Any:
    """The answer, or the target of a redirect."""
    left = end - time.monotonic()
    if left <= 0:
        raise _timeout_error(url, rules.timeout)
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
    except Exception as exc:  # libraries raise other exceptions, too
        raise FetchError(f"{url} cannot be fetched: {_cause(exc)}") from exc


def _read(url: str, answer: Any, rules: FetchRules, end: float) -> bytes:
    chunks = []
    size = 0
    try:
        while True:
            # read() would wait for a whole chunk, which a slow server never fills.
            chunk = answer.read1(_CHUNK)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_SIZE:
                raise FetchError(
                    f"{url} sends more than {MAX_SIZE} bytes, which is too much for a key set. Check what is there."
                )
            if time.monotonic() > end:
                raise _timeout_error(url, rules.timeout)
        missing = getattr(answer, "length", None)
    except (OSError, HTTPException, ValueError) as exc:
        raise FetchError(f"{url} stopped before the end: {_cause(exc)}") from exc
    if missing:
        raise FetchError(f"{url} closed the connection {missing} bytes before the end. Try again.")
    return b"".join(chunks)


def _cause(exc: BaseException) -> str:
    """The error of a library in one sentence, and what to do about it."""
    cause: object = getattr(exc, "reason", None) or exc
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"its certificate cannot be verified ({cause.verify_message}). If a CA of the site issued it, set ca_path"
            " to the CA's certificate."
        )
    text = str(cause) or type(cause).__name__
    if "certificate verify failed" in text.lower():
        return f"its certificate cannot be verified ({text.rstrip('.')}). See ca_path."
    return text.rstrip(".") + ". Check that this host can reach it."


def _jwks_uri(issuer: str, address: str, data: bytes) -> str:
    """The address of the keys in an OpenID configuration; FetchError if it belongs to another issuer."""
    try:
        configuration = load_json(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, KeySetError):
        configuration = None
    if not isinstance(configuration, dict):
        raise FetchError(
            f"{address} is not the configuration of an OpenID provider: it is not a JSON object. Correct issuer, or"
            " name the address of the keys in url."
        )
    stated, uri = configuration.get("issuer"), configuration.get("jwks_uri")
    if not isinstance(stated, str) or stated.rstrip("/") != issuer.partition("?")[0].rstrip("/"):
        raise FetchError(
            f"{address} is the configuration of the issuer {ascii(stated)[:200]}, not of {issuer}. Correct issuer: it"
            " is the claim iss of the tokens."
        )
    if not isinstance(uri, str):
        raise FetchError(f"{address} has no jwks_uri, the address of the keys. Set url to that address.")
    return uri
