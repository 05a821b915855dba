# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a program of the site's who somebody is. Part of the verifier; see verifier.py."""

from __future__ import annotations

import ipaddress
import re
import ssl
import time
import urllib.parse
from typing import Any, NamedTuple

import timed

# For all of a question and its answer.
SECONDS = 5.0
LARGEST = 65536
# A socket in a folder below /run, which no user can put another one into, and what is asked there; written as in nginx.
SOCKET = re.compile(r"http://unix:(/(?:var/)?run/[^/:.][^/:]*/[^/:.][^/:]*):(/.*)")
# Any user may listen on the others, while the program is restarted.
FIRST_OPEN_PORT = 1024


class Hook(NamedTuple):
    url: str
    header: str
    """Of the answer, in which the name stands."""
    ca_file: str = ""


class Answer(NamedTuple):
    status: int
    """200, 401 or 403."""
    name: str = ""
    challenge: str = ""


def settings_of(members: dict[str, Any]) -> Hook:
    """What the policy says of the hook. Raises ValueError if it cannot be followed."""
    try:
        hook = Hook(**members)
        parts = urllib.parse.urlsplit(hook.url)
        host, port = parts.hostname, 0 if SOCKET.fullmatch(hook.url) else parts.port
    except TypeError as error:
        raise ValueError(f"what is said of the hook is not understood: {error}") from None
    if parts.scheme not in ("http", "https") or not host or not hook.header:
        raise ValueError(f"the hook {hook.url!r} is no http or https address, or its header has no name")
    if parts.scheme == "https" or SOCKET.fullmatch(hook.url):
        return hook
    if not is_here(host):
        raise ValueError(
            f"the hook {hook.url!r} is another host's without TLS: passwords would cross the network. Take https, or a "
            "socket of this host: http://unix:/run/NAME/SOCKET:/PATH"
        )
    if port is not None and port >= FIRST_OPEN_PORT:
        raise ValueError(
            f"at the hook {hook.url!r} any user of this host could listen while the program is restarted, and say that "
            "a request is anybody's. Take a socket (http://unix:/run/NAME/SOCKET:/PATH), https, or a port below 1024"
        )
    return hook


def is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def ask(hook: Hook, proof: dict[str, str]) -> Answer:
    """Who it is. Any answer that is not clear raises: then nothing can be decided."""
    parts = urllib.parse.urlsplit(hook.url)
    deadline = time.monotonic() + SECONDS
    connection: timed.Http
    socket = SOCKET.fullmatch(hook.url)
    if socket:
        connection = timed.Unix(socket[1], deadline)
        parts = urllib.parse.urlsplit(socket[2])
    elif parts.scheme == "https":
        context = ssl.create_default_context(cafile=hook.ca_file or None)
        connection = timed.Https(parts.netloc, deadline, context=context)
    else:
        connection = timed.Http(parts.netloc, deadline)
    try:
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        headers = {name: value for name, value in proof.items() if value}
        connection.request("GET", path, headers={"Connection": "close", **headers})
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
        raise ValueError(f"the hook answers {response.status}, with {len(names)} headers {hook.header} and not one")
    return Answer(200, name=names[0])


def printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else ""
