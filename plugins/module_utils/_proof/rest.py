# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks slurmrestd, directly or through a proxy, and interprets its answers. Private to this collection."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.probe import Ask
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import peer
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client_reply import (
    ACCEPTED,
    CLOSED,
    HUNG_UP,
    NO,
    NO_ANSWER,
    REFUSED,
    UNASKED,
    UNCLEAR,
    UNREACHABLE,
    Reply,
    shortened,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, has, rest_versions
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import split, user_of

_MAX_BODY = 16 * 1024 * 1024
_NO_SUCH_PATH = Reply(UNCLEAR, "status 404: it does not know this path")


class Rest(NamedTuple):
    """Where slurmrestd, or a proxy in front of it, listens: http://HOST:PORT, https://HOST:PORT or unix:PATH."""

    url: str
    timeout: int
    ca_path: str | None = None
    user: str | None = None
    """The user whose program must listen there, if that is this host. None: no check."""

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body; OSError or HTTPException if there is no answer."""
        connection, base = self._connection()
        try:
            connection.connect()
            if self.user and not self.url.startswith("https:"):
                peer.expect(connection.sock, self.user)
            connection.request("GET", base + path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(_MAX_BODY)
        finally:
            connection.close()

    def _connection(self) -> tuple[http.client.HTTPConnection, str]:
        if self.url.startswith("unix:"):
            path = "/" + self.url[len("unix:") :].lstrip("/")
            return _UnixConnection(path, self.timeout), ""
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port
        except ValueError as exc:
            raise TaskError(f"{self.url!r} is not an address: {exc}.") from exc
        if parts.scheme not in ("http", "https") or not host:
            raise TaskError(f"{self.url!r} is not an address. Give http://HOST:PORT, https://HOST:PORT or unix:PATH.")
        base = parts.path.rstrip("/")
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self.timeout), base
        try:
            context = ssl.create_default_context(cafile=self.ca_path)
        except OSError as exc:
            raise TaskError(f"rest_ca_path: {self.ca_path} cannot be used: {exc}.") from exc
        return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=context), base


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: int) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def headers_of(case: str, tokens: dict[str, str], user: str | None) -> dict[str, str]:
    """The headers that present a case. slurmrestd up to 22.05 needs both headers; later releases accept both."""
    if case == "none":
        return {}
    if case == "foreign_name":
        return {"X-SLURM-USER-TOKEN": tokens["good"], "X-SLURM-USER-NAME": "root"}
    if case == "sample":
        user = user_of(split(tokens[case]).claims)
    named = {"X-SLURM-USER-NAME": user} if user else {}
    return {"X-SLURM-USER-TOKEN": tokens[case], **named}


def ask_rest(rest: Rest, path: str, headers: dict[str, str]) -> Reply:
    """Send one request, and interpret the answer."""
    try:
        status, body = rest.get(path, headers)
    except ssl.SSLError as exc:
        return Reply(UNASKED, f"TLS: {exc}")
    except (OSError, http.client.HTTPException) as exc:
        return Reply(UNREACHABLE, str(exc) or type(exc).__name__)
    return reply_of_rest(status, body)


def reply_of_rest(status: int, body: bytes) -> Reply:
    """What slurmrestd's status and body mean. Many of its answers can mean a refusal or a daemon that is down."""
    if status == 404:
        return _NO_SUCH_PATH
    try:
        content = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        content = None
    if status == 200 and isinstance(content, dict) and content.get("errors") == [] and "meta" in content:
        return Reply(ACCEPTED, "")
    detail = f"status {status}: {_errors_in(content) or shortened(' '.join(body.decode('utf-8', 'replace').split()))}"
    if status in (401, 403, 511):
        return Reply(REFUSED, detail)
    low = detail.lower()
    if any(text in low for text in NO):
        return Reply(REFUSED, detail)
    if any(text in low for text in NO_ANSWER):
        return Reply(UNREACHABLE, detail)
    return Reply(CLOSED if any(text in low for text in HUNG_UP) else UNCLEAR, detail)


def _errors_in(content: Any) -> str:
    errors = content.get("errors") if isinstance(content, dict) else None
    texts = []
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            texts += [str(error[name]) for name in ("description", "error") if error.get(name)]
    return shortened("; ".join(texts))


class Endpoint(NamedTuple):
    """A path of slurmrestd to request."""

    path: str
    skipped: dict[str, str]
    """Cases that must not be presented there, and why."""
    first: Reply
    """Its answer to the first token."""


def find_endpoint(behind: str, ask: Ask, release: Release | None) -> Endpoint:
    """The path of the newest API version that this slurmrestd serves for slurmctld or slurmdbd. ask takes a path."""
    pattern = {"slurmctld": "/slurm/{}/diag", "slurmdbd": "/slurmdb/{}/clusters"}[behind]
    for version in candidates(release, behind == "slurmdbd"):
        path = pattern.format(version)
        first = ask(path)
        if first != _NO_SUCH_PATH:
            return Endpoint(path, _dangerous_cases(behind, version, release), first)
    return Endpoint(pattern.format("*"), {}, Reply(UNASKED, "it does not know this path in any version"))


def candidates(release: Release | None, slurmdb: bool) -> list[str]:
    """API versions to try: those of the release first, if it is known, then all, the newest first."""
    newest = rest_versions(Release(99, 0), slurmdb)[-1]
    known = [f"v0.0.{number}" for number in range(int(newest.rpartition(".")[2]), 34, -1)]
    first = rest_versions(release, slurmdb)[::-1] if release else []
    return first + [version for version in known if version not in first]


def _dangerous_cases(behind: str, version: str, release: Release | None) -> dict[str, str]:
    """Cases to leave out: foreign_name crashes slurmdbd before 20.11.6. Those releases serve v0.0.36 at most."""
    safe = version not in ("v0.0.35", "v0.0.36") if release is None else has(release, "name_override_safe_in_slurmdbd")
    if behind == "slurmctld" or safe:
        return {}
    return {"foreign_name": "This request crashes slurmdbd before 20.11.6, and this may be such a release."}
