# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers nginx's auth_request. Part of the verifier; see verifier.py."""

from __future__ import annotations

from typing import BinaryIO, Iterator

from authentication import Authenticate, Request
from decision import decide
from errors import log
from users import UserCache, slurm_uid

LONGEST_REQUEST = 262144


def reply(request: bytes, authenticate: Authenticate, cache: UserCache) -> bytes:
    """The answer to one request: 204 with the user in X-User, 401, 403; 500 if nothing can be decided.

    nginx accepts no other answer. So 429 is a 401 with the seconds until a retry in X-Wait.
    """
    try:
        lines = request.decode("ascii").split("\r\n")
        path = lines[0].split(" ")[1]
        if path == "/health":
            slurm_uid(cache.policy)
            return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
        headers = [line.partition(":") for line in lines[1:] if line]
        names = [name.lower() for name, _colon, _value in headers]
        if path != "/user" or len(names) != len(set(names)):
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        given = {name.lower(): value.strip(" \t") for name, _colon, value in headers}
        decision = decide(Request(*(given.get(f"x-{field}", "") for field in Request._fields)), authenticate, cache)
    except Exception as error:  # in any case, the request must not pass
        log(f"cannot decide: {error!r}")
        return b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
    head = {
        200: f"204 No Content\r\nX-User: {decision.user}",
        401: f"401 Unauthorized\r\nWWW-Authenticate: {decision.challenge}\r\nContent-Length: 0",
        429: f"401 Unauthorized\r\nX-Wait: {decision.seconds}\r\nContent-Length: 0",
    }.get(decision.status, "403 Forbidden\r\nContent-Length: 0")
    return f"HTTP/1.1 {head}\r\nX-Name: {decision.name}\r\n\r\n".encode("ascii")


def requests(stream: BinaryIO) -> Iterator[bytes]:
    """The heads of all requests of a connection."""
    request = b""
    while len(request) < LONGEST_REQUEST and (line := stream.readline(LONGEST_REQUEST)):
        request += line
        if line == b"\r\n":
            yield request
            request = b""
