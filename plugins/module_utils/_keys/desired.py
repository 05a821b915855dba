# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks of a key: its options, read and checked. Private to this collection."""

from __future__ import annotations

import base64
import re
import time
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import declared
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.kinds import kind_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import KeyRecord, parse_time
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration


class DesiredKey:
    """The key that a task asks for."""

    def __init__(self, task: Task) -> None:
        params = task.params
        self.path: str = params["path"]
        self.state: str = params["state"]
        self.algorithm: str = params["algorithm"]
        self.now = time.time()
        self.kind = kind_of(self.algorithm)
        self.declared_size: int | None = params["size"]
        self._check_size()
        self.weak: str = params["weak"]
        self.force: bool = params["force"]
        self.fingerprint: str | None = params["fingerprint"]
        self.content = self._content(params["content"])
        self.serial = _serial(params["serial"])
        self.max_age = _max_age(params["max_age"])
        self.declared_created = _created(params["created"])
        self.by: str | None = params["by"]
        self.backup: bool = params["backup"]
        self.return_content: bool = params["return_content"]
        self.declared = declared(params, task.check_mode or self.state == "absent")

    @property
    def size(self) -> int:
        """The size of a key that is made here."""
        return self.declared_size or self.kind.default

    @property
    def created(self) -> int:
        """The creation time of a key that is written now."""
        return int(self.now) if self.declared_created is None else self.declared_created

    def consents_to(self, data: bytes) -> bool:
        """Whether the task names this key by its fingerprint. An empty key is never accepted."""
        return bool(data) and fingerprint(data) == self.fingerprint

    def new_key(self, size: int, run: str | None = None) -> tuple[bytes, KeyRecord]:
        """The key to write, and its record."""
        data = self.kind.generate(size) if self.content is None else self.content
        return data, KeyRecord(self.serial, self.created, fingerprint(data), self.by, run)

    def refuse_other_file(self, data: bytes, remedy: str) -> None:
        """Raise TaskError for a file that is not a key of this algorithm, unless the task consents to it."""
        problem = self.kind.not_a_key(data)
        if problem and not self.force and not self.consents_to(data):
            raise TaskError(f"{self.path} {problem}. It was left as it is. Correct the path, or {remedy}.")

    def _check_size(self) -> None:
        size, kind = self.declared_size, self.kind
        if size is not None and not kind.least <= size <= kind.most:
            raise TaskError(
                f"size: {size} is out of range; an {self.algorithm} key has {kind.least} to {kind.most} {kind.unit}."
            )

    def _content(self, text: str | None) -> bytes | None:
        if text is None or self.state == "absent":
            return None
        data = _decode(text)
        if not data:
            raise TaskError("content is empty. Give the key in base64, or omit the option to have a key made here.")
        problem = self.kind.not_a_key(data) or (None if self.weak == "keep" else self.kind.weakness(data))
        if problem and not self.consents_to(data):
            raise TaskError(
                f"The key in content {problem}. It was not installed, and {self.path} was left as it is."
            )
        return data


def _decode(text: str) -> bytes:
    if text.lstrip().startswith("-----BEGIN "):
        return text.encode()
    packed = "".join(text.split())
    if re.match(r"^(?:[0-9a-f]{2}){16,}$|^(?:[0-9A-F]{2}){16,}$", packed):
        raise TaskError(
            "content is hexadecimal, which read as base64 would be another key. Give the bytes of the key file in"
            " base64, for example with the b64encode filter."
        )
    try:
        return base64.b64decode(packed.encode(), validate=True)
    except ValueError:
        raise TaskError("content is not base64. Give the bytes of the key file in base64.") from None


def _serial(value: Any) -> str | None:
    """The label as text. Ansible reads an unquoted label such as 2026.10 as a number, and the last 0 is lost."""
    if isinstance(value, (bool, float, list, dict)):
        raise TaskError(f"serial: {value!r} is not text. Put it in quotes, for example serial: '2026.10'.")
    text = "" if value is None else str(value).strip()
    if len(text) > 255 or not text.isprintable():
        raise TaskError("serial is a label of one line, 255 characters at most.")
    return text or None


def _max_age(text: str | None) -> int | None:
    """The option in seconds."""
    if not text:
        return None
    try:
        seconds = duration(text)
    except DurationError as exc:
        raise TaskError(f"max_age: {exc}") from None
    if seconds == 0:
        raise TaskError("max_age: 0 would replace the key at every run. For a new key now, set force: true.")
    return seconds


def _created(text: str | None) -> int | None:
    try:
        return parse_time(text) if text else None
    except ValueError as exc:
        raise TaskError(f"created: {exc}") from None
