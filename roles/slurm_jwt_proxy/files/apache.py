# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers Apache's mod_authnz_fcgi. Part of the verifier; see verifier.py."""

from __future__ import annotations

import http
import struct
from typing import BinaryIO, Iterator

from authentication import Authenticate, Request
from decision import decide
from errors import log
from limits import network_of
from users import UserCache, slurm_uid

LONGEST_REQUEST = 262144
# Types of FastCGI records.
BEGIN, END, PARAMETERS, OUTPUT = 1, 3, 4, 6


def authorize(parameters: bytes, authenticate: Authenticate, cache: UserCache) -> bytes:
    """FastCGI's answer to one request of Apache's mod_authnz_fcgi, with the same statuses."""
    try:
        given = {name: value.decode("ascii", "surrogateescape") for name, value in pairs_in(parameters)}
        if given.get("REQUEST_URI") == "/healthz":
            slurm_uid(cache.policy)
            if not cache.health_limit.passes(network_of(given.get("REMOTE_ADDR", ""))):
                return output("Status: 429 Too Many Requests\r\n\r\n")
            return output("Status: 200 OK\r\n\r\n")
        # Apache asks an authorizer after it has authenticated the user. An authenticator does that for Apache.
        authorizer = given.get("FCGI_APACHE_ROLE") == "AUTHORIZER"
        fields = ("REMOTE_USER" if authorizer else "slurm_jwt_proxy_name", "HTTP_AUTHORIZATION", "HTTP_COOKIE",
                  "REQUEST_METHOD", "REQUEST_URI", "REMOTE_ADDR")
        decision = decide(Request(*(given.get(field, "") for field in fields)), authenticate, cache)
    except Exception as error:  # in any case, the request must not pass
        log(f"cannot decide: {error!r}")
        return output("Status: 500 Internal Server Error\r\n\r\n")
    head = f"Status: {decision.status} {http.HTTPStatus(decision.status).phrase}\r\n"
    if decision.status == 200:
        head += f"Variable-slurm_jwt_proxy_user: {decision.user}\r\n"
        head += f"Variable-slurm_jwt_proxy_log_name: {decision.name}\r\n"
        # Apache turns any other status into 403, so a variable says that it has to answer 429.
        if cache.limit and not cache.limit.passes(network_of(given.get("REMOTE_ADDR", ""))):
            head += "Variable-slurm_jwt_proxy_limited: yes\r\n"
    elif decision.status == 429:
        head += f"Retry-After: {decision.seconds}\r\n"
    elif decision.challenge:
        head += f"WWW-Authenticate: {decision.challenge}\r\n"
    return output(head + "\r\n")


def output(text: str) -> bytes:
    data = text.encode("ascii")
    return record(OUTPUT, data) + record(OUTPUT, b"") + record(END, bytes(8))


def record(kind: int, data: bytes) -> bytes:
    return struct.pack(">BBHHBx", 1, kind, 1, len(data), 0) + data


def pairs_in(parameters: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and values as FastCGI packs them."""
    position = 0

    def length() -> int:
        nonlocal position
        size = parameters[position]
        if size < 128:
            position += 1
            return size
        position += 4
        return int.from_bytes(parameters[position - 4:position], "big") & 0x7FFFFFFF

    while position < len(parameters):
        name_length, value_length = length(), length()
        middle = position + name_length
        name, value = parameters[position:middle], parameters[middle:middle + value_length]
        if len(name) + len(value) != name_length + value_length:
            raise ValueError("a parameter ends too early")
        position = middle + value_length
        yield name.decode("ascii", "replace"), value


def requests(stream: BinaryIO) -> Iterator[bytes]:
    """The parameters of the only request of a connection."""
    parameters = b""
    while len(parameters) < LONGEST_REQUEST and len(head := stream.read(8)) == 8:
        version, kind, dummy_request, length, padding = struct.unpack(">BBHHBx", head)
        if version != 1 or kind not in (BEGIN, PARAMETERS):
            return
        data = stream.read(length + padding)
        if len(data) != length + padding:
            return
        if kind == PARAMETERS and not length:
            yield parameters
            return
        if kind == PARAMETERS:
            parameters += data[:length]
