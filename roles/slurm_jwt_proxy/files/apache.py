# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers Apache's mod_authnz_fcgi. Part of the verifier; see verifier.py."""

from __future__ import annotations

import http
import struct
from typing import BinaryIO, Iterator

from errors import tell
from judge import judge
from limits import network_of
from proofs import Prover, Question
from users import Memory, slurm_uid

LONGEST_REQUEST = 262144
# Kinds of records of FastCGI.
BEGIN, END, PARAMETERS, OUTPUT = 1, 3, 4, 6


def authorize(parameters: bytes, prove: Prover, memory: Memory) -> bytes:
    """FastCGI's answer to one request of Apache's mod_authnz_fcgi, with the same statuses."""
    try:
        given = {name: value.decode("ascii", "surrogateescape") for name, value in pairs_in(parameters)}
        if given.get("REQUEST_URI") == "/healthz":
            slurm_uid(memory.policy)
            if not memory.health_limit.passes(network_of(given.get("REMOTE_ADDR", ""))):
                return output("Status: 429 Too Many Requests\r\n\r\n")
            return output("Status: 200 OK\r\n\r\n")
        # As an authorizer it is asked after Apache has found out who it is, as an authenticator instead of that.
        authorizer = given.get("FCGI_APACHE_ROLE") == "AUTHORIZER"
        fields = ("REMOTE_USER" if authorizer else "slurm_jwt_proxy_name", "HTTP_AUTHORIZATION", "HTTP_COOKIE",
                  "REQUEST_METHOD", "REQUEST_URI", "REMOTE_ADDR")
        verdict = judge(Question(*(given.get(field, "") for field in fields)), prove, memory)
    except Exception as error:  # whatever it is, the request must not pass
        tell(f"cannot decide: {error!r}")
        return output("Status: 500 Internal Server Error\r\n\r\n")
    head = f"Status: {verdict.status} {http.HTTPStatus(verdict.status).phrase}\r\n"
    if verdict.status == 200:
        head += f"Variable-slurm_jwt_proxy_user: {verdict.user}\r\nVariable-slurm_jwt_proxy_said: {verdict.name}\r\n"
        # Apache makes 403 of any other status, so it is told what to answer.
        if memory.limit and not memory.limit.passes(network_of(given.get("REMOTE_ADDR", ""))):
            head += "Variable-slurm_jwt_proxy_late: yes\r\n"
    elif verdict.status == 429:
        head += f"Retry-After: {verdict.seconds}\r\n"
    elif verdict.challenge:
        head += f"WWW-Authenticate: {verdict.challenge}\r\n"
    return output(head + "\r\n")


def output(text: str) -> bytes:
    data = text.encode("ascii")
    return record(OUTPUT, data) + record(OUTPUT, b"") + record(END, bytes(8))


def record(kind: int, data: bytes) -> bytes:
    return struct.pack(">BBHHBx", 1, kind, 1, len(data), 0) + data


def pairs_in(parameters: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and values as FastCGI packs them."""
    place = 0

    def length() -> int:
        nonlocal place
        size = parameters[place]
        if size < 128:
            place += 1
            return size
        place += 4
        return int.from_bytes(parameters[place - 4:place], "big") & 0x7FFFFFFF

    while place < len(parameters):
        name_length, value_length = length(), length()
        middle = place + name_length
        name, value = parameters[place:middle], parameters[middle:middle + value_length]
        if len(name) + len(value) != name_length + value_length:
            raise ValueError("a parameter ends too early")
        place = middle + value_length
        yield name.decode("ascii", "replace"), value


def requests(stream: BinaryIO) -> Iterator[bytes]:
    """The parameters of the one request of a connection."""
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
