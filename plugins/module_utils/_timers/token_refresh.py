# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings, record, decisions and metrics of the program that renews tokens. Private to this collection.

The program is token_program.py. It runs on hosts that have neither Ansible nor a key, with the standard library alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.runtime import (
    format_settings,
    gauge,
    parse_record,
    parse_settings,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, expiry_of, split
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import extract
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.freshness import stale

RENEWED, KEPT, LEFT_ALONE, FAILED = "renewed", "kept", "left_alone", "failed"
"""How an attempt ends. LEFT_ALONE: a rotation is running, which writes a token itself."""

CLOCK_TOLERANCE = 30
"""Seconds by which clocks may differ without a warning."""

LONGEST_ROTATION = 900
"""Seconds after which a rotation counts as dead if nothing shows whether it still runs."""

UNIT = "slurm-jwt-renew"
"""The name of the units that renew tokens, before the @."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]{0,63}(?:-[A-Za-z0-9_.]+)*")
_SDIAG = re.compile(r"^sdiag output at .*\((\d{9,11})\)", re.MULTILINE)


class TokenTimerSettings(NamedTuple):
    """The program's settings for one token. Nothing in them is secret."""

    name: str
    user: str
    dest: str
    format: str
    lifespan: int
    min_remaining: int
    interval: int
    """Longest time between two attempts, in seconds."""
    owner: str | None
    group: str | None
    mode: str
    restarts: list[str]
    reloads: list[str]
    beside: list[str]
    """Files that exist beside the token while a key is rotated."""
    record: str
    metrics: str | None
    bin_dir: str | None
    conf_path: str | None
    systemctl: str


class TokenTimerRecord(NamedTuple):
    """The last attempt, for people, for the metrics, and for the next attempt."""

    at: int
    result: str
    said: str
    expires: int | None
    renewed_at: int | None = None
    offset: int | None = None
    """Seconds by which slurmctld's clock was ahead of this host's when it was last read."""
    untold: bool = False
    """Whether services have not been restarted or reloaded yet for the token in the file."""


class TokenInFile(NamedTuple):
    """The token in the file, as far as its claims show."""

    reason: str | None
    """Why it has to be renewed; None if it can stay."""
    token: str | None
    expires: int | None
    left: int
    """Seconds until it expires; 0 if there is no token."""


# -- files -------------------------------------------------------------------------------------------------------------


def is_unit_name(name: str) -> bool:
    """Whether the name of a service can be part of the names of units and files as it is."""
    return bool(_NAME.fullmatch(name)) and len(name) <= 64


def write_settings(settings: TokenTimerSettings) -> str:
    return format_settings(settings._asdict())


def read_settings(text: str) -> TokenTimerSettings:
    return parse_settings(lambda content: TokenTimerSettings(**content), text, "hpc.slurm_jwt.tokens")


def read_record(text: str) -> TokenTimerRecord | None:
    return parse_record(TokenTimerRecord, text)


# -- decisions ---------------------------------------------------------------------------------------------------------


def token_in_file(data: bytes | None, settings: TokenTimerSettings, now: float) -> TokenInFile:
    """The token in the file, NOW by slurmctld's clock. Its signature is not checked: the host has no key."""
    if data is None:
        return TokenInFile("missing", None, None, 0)
    reason = stale(data, settings.format, settings.user, settings.lifespan, settings.min_remaining, {}, None, now)
    try:
        token = extract(settings.format, data)
        expires = expiry_of(split(token).claims)
    except TokenError:
        return TokenInFile(reason, None, None, 0)
    return TokenInFile(reason, token, expires, max(0, (expires or 0) - int(now)))


def latest_clock(now: float, token: str | None, record: TokenTimerRecord | None) -> float:
    """The latest time that slurmctld's clock may show if it was not just read; never earlier than this host's."""
    ahead = [0.0]
    if record is not None and record.offset is not None:
        ahead.append(record.offset)
    if token is not None:
        made = split(token).claims.get("iat")
        if isinstance(made, int):
            ahead.append(made - now)
    return now + max(ahead)


def rotation_is_running(ages: Sequence[float], live: TokenInFile, settings: TokenTimerSettings) -> bool:
    """Whether to leave the file alone because a rotation writes a token itself. AGES: of its files, in seconds.

    A token made before the swap and written after it has the signature of the old key, and slurmctld refuses it. But
    the token must not expire because a rotation is slow or has died.
    """
    return bool(ages) and min(ages) < LONGEST_ROTATION and live.left > settings.min_remaining // 2


def clock_in(output: str) -> int | None:
    """slurmctld's clock in the output of sdiag."""
    match = _SDIAG.search(output)
    return int(match[1]) if match else None


def offset_of(theirs: int, before: float, after: float) -> int:
    """Seconds by which slurmctld's clock is ahead of this host's, which was read before and after the question."""
    if theirs > after:
        return round(theirs - after)
    return min(0, theirs - int(before))


def clock_warning(offset: int | None) -> str:
    """A sentence if the clocks differ, else an empty text."""
    if offset is None or abs(offset) <= CLOCK_TOLERANCE:
        return ""
    side = "behind" if offset > 0 else "ahead of"
    return (
        f"The clock of this host is {abs(offset)} s {side} slurmctld's, by which tokens expire. Keep both in step"
        " with a time service; munge fails at 300 s."
    )


# -- metrics -----------------------------------------------------------------------------------------------------------


def metrics(settings: TokenTimerSettings, record: TokenTimerRecord) -> str:
    """The last attempt for Prometheus, as node_exporter's textfile collector reads it.

    Times are instants, not ages, so that the file stays correct while the program does not run.
    """
    families = (
        ("expiry_timestamp_seconds", "When the token in the file expires; 0 if there is none.", record.expires or 0),
        ("min_remaining_seconds", "The token is renewed when less than this is left.", settings.min_remaining),
        ("renewal_timestamp_seconds", "When the token was last renewed; 0 if never.", record.renewed_at or 0),
        ("attempt_timestamp_seconds", "When the token was last checked.", record.at),
        ("attempt_interval_seconds", "Longest time between two checks.", settings.interval),
        ("attempt_success", "Whether the last attempt found or left a good token.", int(record.result != FAILED)),
        ("clock_offset_seconds", "How far slurmctld's clock is ahead of this host's.", record.offset or 0),
    )
    labels = {"service": settings.name, "user": settings.user, "file": settings.dest}
    return "".join(gauge(f"token_{name}", text, labels, value) for name, text, value in families)
