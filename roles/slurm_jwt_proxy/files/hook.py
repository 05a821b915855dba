# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the site's own program which user sends a request. Part of the verifier; see verifier.py."""

from __future__ import annotations

import ipaddress
import re
import ssl
import time
import urllib.parse
from typing import Any, NamedTuple

import http_deadline

# For the whole request and its answer.
SECONDS = 5.0
LARGEST = 65536
# A socket in a folder below /run, where no user can put another one, and the path to request; written as in nginx.
SOCKET = re.compile(r"http://unix:(/(?:var/)?run/[^/:.][^/:]*/[^/:.][^/:]*):(/.*)")
# Any user may listen on this port and on higher ones while the program is restarted.
FIRST_UNPRIVILEGED_PORT = 1024


class Hook(NamedTuple):
    url: str
    header: str
    """The header of the answer with the name."""
    ca_file: str = ""


class Answer(NamedTuple):
    status: int
    """200, 401 or 403."""
    name: str = ""
    challenge: str = ""


def settings_of(members: dict[str, Any]) -> Hook:
    """The hook of the policy. Raises ValueError if it cannot be used."""
    try:
        hook = Hook(**members)
        parts = urllib.parse.urlsplit(hook.url)
        host, port = parts.hostname, 0 if SOCKET.fullmatch(hook.url) else parts.port
    except TypeError as error:
        raise ValueError(f"the settings of the hook are not valid: {error}") from None
    if parts.scheme not in ("http", "https") or not host or not hook.header:
        raise ValueError(f"the hook {hook.url!r} is no http or https address, or its header has no name")
    if parts.scheme == "https" or SOCKET.fullmatch(hook.url):
        return hook
    if not is_loopback(host):
        raise ValueError(
            f"the hook {hook.url!r} is on another host without TLS: passwords would cross the network. Use https, or a "
            "socket of this host: http://unix:/run/NAME/SOCKET:/PATH"
        )
    if port is not None and port >= FIRST_UNPRIVILEGED_PORT:
        raise ValueError(
            f"at the hook {hook.url!r} any user of this host could listen while the program is restarted, and name any "
            "user. Use a socket (http://unix:/run/NAME/SOCKET:/PATH), https, or a port below "
            f"{FIRST_UNPRIVILEGED_PORT}"
        )
    return hook


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def ask(hook: Hook, headers: dict[str, str]) -> Answer:
    """Raises if the answer is not clear: then nothing can be decided."""
    parts = urllib.parse.urlsplit(hook.url)
    deadline = time.monotonic() + SECONDS
    connection: http_deadline.Http
    socket = SOCKET.fullmatch(hook.url)
    if socket:
        connection = http_deadline.Unix(socket[1], deadline)
        parts = urllib.parse.urlsplit(socket[2])
    elif parts.scheme == "https":
        context = ssl.create_default_context(cafile=hook.ca_file or None)
        connection = http_deadline.Https(parts.netloc, deadline, context=context)
    else:
        connection = http_deadline.Http(parts.netloc, deadline)
    try:
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        given = {name: value for name, value in headers.items() if value}
        connection.request("GET", path, headers={"Connection": "close", **given})
        response = connection.getresponse()
        response.read(LARGEST)
    finally:
        connection.close()
    if response.status == 401:
        return Answer(401, challenge=printable(response.headers.get("WWW-Authenticate", "")))
    if response.status == 403:
        return Answer(403)
    names = response.headers.get_all(hook.header, [])
    if not 200 <= response.status < 300 or len(names) != 1:
        raise ValueError(f"the hook answers {response.status}, with {len(names)} headers {hook.header} instead of one")
    return Answer(200, name=names[0])


def printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else ""
