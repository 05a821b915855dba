# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program that renews tokens between two runs of Ansible is told, decides and writes down. Private to this
collection.

The program is token_program.py; the module installs it, together with this file and all that both import, on hosts that
have neither Ansible nor a key. So only the standard library is at hand here.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.runtime import (
    SettingsError,
    gauge,
    parse_record,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError, expiry_of, split
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import extract
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.freshness import stale

RENEWED, KEPT, LEFT_ALONE, FAILED = "renewed", "kept", "left_alone", "failed"
"""How an attempt ends. LEFT_ALONE: a rotation is under way, which brings a token of its own."""

CLOCK_TOLERANCE = 30
"""Seconds by which clocks may differ without a word about it."""

ROTATION_LASTS = 900
"""Seconds after which a rotation of which nobody can be asked whether it lives counts as dead."""

UNIT = "slurm-jwt-renew"
"""The name of the units that renew tokens, before the @."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]{0,63}(?:-[A-Za-z0-9_.]+)*")
_SDIAG = re.compile(r"^sdiag output at .*\((\d{9,11})\)", re.MULTILINE)


class RenewalSettings(NamedTuple):
    """What the program is told of one token. Nothing of it is secret."""

    name: str
    user: str
    dest: str
    format: str
    lifespan: int
    min_remaining: int
    interval: int
    """Seconds between two attempts at the most."""
    owner: str | None
    group: str | None
    mode: str
    restarts: list[str]
    reloads: list[str]
    beside: list[str]
    """Files that lie beside the token while a key is rotated."""
    record: str
    metrics: str | None
    bin_dir: str | None
    conf_path: str | None
    systemctl: str


class RenewalRecord(NamedTuple):
    """What the last attempt did, for people, for the metrics, and for the next attempt."""

    at: int
    result: str
    said: str
    expires: int | None
    renewed_at: int | None = None
    offset: int | None = None
    """How far slurmctld's clock was ahead of this host's when it was last seen."""
    untold: bool = False
    """Whether the services have yet to be told of the token that is in the file."""


class Live(NamedTuple):
    """The token in the file, as far as it says."""

    reason: str | None
    """Why it has to be made anew; None if it can stay."""
    token: str | None
    expires: int | None
    left: int
    """Seconds that it is good for yet; 0 if it is none."""


# -- what is written down ----------------------------------------------------------------------------------------------


def fits_a_unit(name: str) -> bool:
    """Whether the name of a service can be a part of the names of units and files as it is."""
    return bool(_NAME.fullmatch(name)) and len(name) <= 64


def write_settings(settings: RenewalSettings) -> str:
    return json.dumps(settings._asdict(), indent=2, sort_keys=True) + "\n"


def read_settings(text: str) -> RenewalSettings:
    try:
        found = json.loads(text)
        return RenewalSettings(**found)
    except (TypeError, ValueError) as exc:
        raise SettingsError(
            f"These are no settings of this program ({exc}). Run the playbook hpc.slurm_jwt.tokens, which writes them."
        ) from None


def write_record(record: RenewalRecord) -> str:
    return json.dumps(record._asdict(), sort_keys=True) + "\n"


def read_record(text: str) -> RenewalRecord | None:
    return parse_record(RenewalRecord, text)


# -- what is decided ---------------------------------------------------------------------------------------------------


def judge(data: bytes | None, settings: RenewalSettings, now: float) -> Live:
    """The token in the file at an instant by slurmctld's clock. Who signed it does not show here."""
    if data is None:
        return Live("missing", None, None, 0)
    reason = stale(data, settings.format, settings.user, settings.lifespan, settings.min_remaining, {}, None, now)
    try:
        token = extract(settings.format, data)
        expires = expiry_of(split(token).claims)
    except TokenError:
        return Live(reason, None, None, 0)
    return Live(reason, token, expires, max(0, (expires or 0) - int(now)))


def pessimistic(now: float, token: str | None, record: RenewalRecord | None) -> float:
    """What slurmctld's clock may say, where nobody has just asked it: never less than this host's own."""
    ahead = [0.0]
    if record is not None and record.offset is not None:
        ahead.append(record.offset)
    if token is not None:
        made = split(token).claims.get("iat")
        if isinstance(made, int):
            ahead.append(made - now)
    return now + max(ahead)


def rotation_under_way(ages: Sequence[float], live: Live, settings: RenewalSettings) -> bool:
    """Whether to keep one's hands off: a rotation puts a token of the next key into the file by itself.

    A token made before the swap and written after it would be of the old key, and the service refused. But neither may
    the token expire while somebody is slow, nor stay as it is for ever because a rotation has died.
    """
    return bool(ages) and min(ages) < ROTATION_LASTS and live.left > settings.min_remaining // 2


def clock_in(output: str) -> int | None:
    """slurmctld's clock in what sdiag printed."""
    found = _SDIAG.search(output)
    return int(found[1]) if found else None


def offset_of(theirs: int, before: float, after: float) -> int:
    """How far a clock is ahead of this host's, which was looked at before and after the question."""
    if theirs > after:
        return round(theirs - after)
    return min(0, theirs - int(before))


def words_on_clocks(offset: int | None) -> str:
    """A sentence if the clocks differ, else nothing."""
    if offset is None or abs(offset) <= CLOCK_TOLERANCE:
        return ""
    side = "behind" if offset > 0 else "ahead of"
    return (
        f"The clock of this host is {abs(offset)} s {side} slurmctld's, by which tokens expire. Have a time service"
        " keep both in step; munge gives up at 300 s."
    )


# -- metrics -----------------------------------------------------------------------------------------------------------


def metrics(settings: RenewalSettings, record: RenewalRecord) -> str:
    """The last attempt for Prometheus, as node_exporter's textfile collector reads it.

    What passes by itself is given as an instant: the file is right as well when nobody has written it for a while.
    """
    families = (
        ("expiry_timestamp_seconds", "When the token in the file expires; 0 if there is none.", record.expires or 0),
        ("min_remaining_seconds", "With how much of its life left the token is renewed.", settings.min_remaining),
        ("renewal_timestamp_seconds", "When the token was last renewed; 0 if never.", record.renewed_at or 0),
        ("attempt_timestamp_seconds", "When the token was last looked at.", record.at),
        ("attempt_interval_seconds", "How often it is to be looked at, at least.", settings.interval),
        ("attempt_success", "Whether the last attempt found or left a good token.", int(record.result != FAILED)),
        ("clock_offset_seconds", "How far slurmctld's clock is ahead of this host's.", record.offset or 0),
    )
    labels = {"service": settings.name, "user": settings.user, "file": settings.dest}
    return "".join(gauge(f"slurm_jwt_token_{name}", text, labels, value) for name, text, value in families)
