# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a key, as a file beside it. Private to this collection."""

from __future__ import annotations

import datetime
import json
import re
import time
from typing import NamedTuple

_TIME = re.compile(r"^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:Z|\+00:00)$")


class KeyRecord(NamedTuple):
    """What the site declares of a key. It describes the key with this fingerprint and no other."""

    serial: str | None
    created: int
    fingerprint: str
    by: str | None = None
    """Who made it, for people: USER@HOST."""
    run: str | None = None
    """The run that is rotating to this key; None for a current key."""


def record_path(path: str) -> str:
    """The path of the record of the key at PATH."""
    return path + ".record"


def format_record(record: KeyRecord) -> bytes:
    """The record as a file. Unknown values are left out, except for the serial."""
    content = {"serial": record.serial, "created": format_time(record.created), "fingerprint": record.fingerprint}
    content.update({name: value for name, value in (("by", record.by), ("run", record.run)) if value})
    return (json.dumps(content, indent=2) + "\n").encode()


def parse_record(data: bytes) -> KeyRecord | None:
    """The record in a file; None if it has no record."""
    try:
        content = json.loads(data.decode("utf-8"))
        serial, by, run = content["serial"], content.get("by"), content.get("run")
        record = KeyRecord(serial, parse_time(content["created"]), content["fingerprint"], by, run)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    texts = all(isinstance(text, (str, type(None))) for text in (serial, by, run))
    return record if isinstance(record.fingerprint, str) and texts else None


def format_time(seconds: float) -> str:
    """An instant in UTC as this collection writes it: 2026-11-23T03:45:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def parse_time(text: str) -> int:
    """The instant that format_time() wrote, or that YAML made of it; ValueError for anything else."""
    match = _TIME.match(text)
    if not match:
        raise ValueError(f"'{text}' is not a time in UTC such as 2026-11-23T03:45:00Z.")
    numbers = [int(number) for number in match.groups()]
    instant = datetime.datetime(*numbers[:6], tzinfo=datetime.timezone.utc)  # type: ignore[misc,arg-type]
    return int(instant.timestamp())
