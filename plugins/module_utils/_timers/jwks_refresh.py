# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program that follows identity providers decides, and what it writes down. Private to this collection.

A daemon has to load the key set if the file was written after it had started: slurmctld and slurmdbd read it at their
start, and a reconfigured slurmctld is a new process. So a run that was killed between the two, or that had to leave the
daemons alone for a while, is made up for by the next one.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.runtime import (
    SettingsError,
    gauge,
    parse_record,
)

UNIT = "slurm-jwks-refresh"
"""The name of the service and of the timer."""

CURRENT, CHANGED, POSTPONED, WAITING, FAILED = "current", "changed", "postponed", "waiting", "failed"
"""How an attempt ends. POSTPONED: daemons were loaded a moment ago, or will be by whoever wrote the file. WAITING: a
source cannot be reached for now."""

RECONFIGURE, RESTART = "reconfigure", "restart"


class ReloadedDaemon(NamedTuple):
    """One daemon of this host that loads the key set."""

    part: str
    """slurmctld or slurmdbd, as its process is called."""
    service: str
    way: str
    """RECONFIGURE or RESTART."""
    port: int | None
    """Where it listens; None where it stands by and does not."""


class RefreshSettings(NamedTuple):
    """What the program is told. Nothing of it is secret."""

    path: str
    sources: list[dict[str, Any]]
    retain: int
    remove: list[str]
    owner: str
    group: str
    daemons: list[ReloadedDaemon]
    """In the order in which they load."""
    min_reload_interval: int
    """Seconds between two loads at least."""
    max_outage: int
    """Seconds for which a source may be out of reach before that is a failure."""
    interval: int
    """Seconds between two attempts at the most."""
    record: str
    metrics: str | None
    conf_path: str
    bin_dir: str | None
    systemctl: str
    timeout: int = 60
    """Seconds that a daemon has to come up."""
    grace_period: int = 60
    """Seconds for which a file that somebody else has written is his to have loaded."""
    pause_connections: bool = True
    """Whether new connections to slurmdbd wait while it restarts."""


class RefreshRecord(NamedTuple):
    """What the last attempt did, for people, for the metrics, and for the next attempt."""

    at: int
    result: str
    said: str
    reached: int
    """When all sources were last reached; at first, when the program was first run."""
    loaded: int = 0
    """When daemons were last made to load the file; 0 for never."""
    kids: list[str] = []
    next_change: int | None = None
    """When the next withdrawn key runs out."""


def write_settings(settings: RefreshSettings) -> str:
    content = {**settings._asdict(), "daemons": [daemon._asdict() for daemon in settings.daemons]}
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def read_settings(text: str) -> RefreshSettings:
    try:
        found = json.loads(text)
        return RefreshSettings(**{**found, "daemons": [ReloadedDaemon(**daemon) for daemon in found["daemons"]]})
    except (TypeError, ValueError, KeyError) as exc:
        raise SettingsError(
            f"These are no settings of this program ({exc}). Run the playbook hpc.slurm_jwt.rollout, which writes them."
        ) from None


def write_record(record: RefreshRecord) -> str:
    return json.dumps(record._asdict(), sort_keys=True) + "\n"


def read_record(text: str) -> RefreshRecord | None:
    return parse_record(RefreshRecord, text)


# -- decisions ---------------------------------------------------------------------------------------------------------


def wait_before_load(record: RefreshRecord | None, interval: int, now: int) -> int:
    """Seconds for which daemons have to be left alone yet, so that a provider cannot have them restarted all the time.

    A clock that was set back does not stretch it.
    """
    if record is None or not record.loaded or record.loaded > now:
        return 0
    return max(0, record.loaded + interval - now)


def wait_for_others(wrote: bool, modified: float, grace_period: int, now: float) -> int:
    """Seconds for which it is left to whoever has written a file, such as a run of Ansible, to have daemons load it.

    Two restarts at once get into each other's way. A file from the future is nobody's.
    """
    if wrote or modified > now:
        return 0
    return max(0, int(modified + grace_period - now))


def unheard(record: RefreshRecord | None, now: int) -> int:
    """Seconds since all sources were last reached."""
    return 0 if record is None else max(0, now - record.reached)


def metrics(settings: RefreshSettings, record: RefreshRecord) -> str:
    """The last attempt for Prometheus, as node_exporter's textfile collector reads it."""
    values = (
        ("attempt_timestamp_seconds", "When the sources of trusted keys were last looked at.", record.at),
        ("attempt_interval_seconds", "How often they are to be looked at, at least.", settings.interval),
        ("attempt_success", "Whether the last attempt found or left everything as it should be.",
         int(record.result != FAILED)),
        ("reached_timestamp_seconds", "When all sources were last reached.", record.reached),
        ("loaded_timestamp_seconds", "When daemons were last made to load the keys; 0 for never.", record.loaded),
        ("keys", "How many keys are trusted.", len(record.kids)),
    )  # fmt: skip
    return "".join(gauge(f"slurm_jwks_{name}", text, {}, value) for name, text, value in values)
