# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings, record, decisions and metrics of the program that keeps the key set up to date. Private to this collection.

The program is jwks_program.py. A daemon has to load the key set if the file was written after the daemon started:
slurmctld and slurmdbd read it at their start, and a reconfigured slurmctld is a new process. So if a run writes the
file, and is killed or has to wait before it reloads daemons, the next run reloads them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.runtime import (
    format_settings,
    gauge,
    parse_record,
    parse_settings,
)

UNIT = "slurm-jwks-refresh"
"""The name of the service and of the timer."""

CURRENT, CHANGED, POSTPONED, WAITING, FAILED = "current", "changed", "postponed", "waiting", "failed"
"""How an attempt ends. POSTPONED: daemons were reloaded a moment ago, or the writer of the file reloads them.
WAITING: a source cannot be reached for now."""

RECONFIGURE, RESTART = "reconfigure", "restart"


class ReloadedDaemon(NamedTuple):
    """One daemon of this host that loads the key set."""

    component: str
    """slurmctld or slurmdbd."""
    service: str
    way: str
    """RECONFIGURE or RESTART."""
    port: int | None
    """Where it listens; None for a standby that does not."""


class JwksTimerSettings(NamedTuple):
    """The program's settings. Nothing in them is secret."""

    path: str
    sources: list[dict[str, Any]]
    retain: int
    remove: list[str]
    owner: str
    group: str
    daemons: list[ReloadedDaemon]
    """In the order in which they are reloaded."""
    min_reload_interval: int
    """Shortest time between two reloads, in seconds."""
    max_outage: int
    """Longest time for which a source may be unreachable before that is a failure, in seconds."""
    interval: int
    """Longest time between two attempts, in seconds."""
    record: str
    metrics: str | None
    conf_path: str
    bin_dir: str | None
    systemctl: str
    timeout: int = 60
    """Seconds within which a daemon has to start."""
    grace_period: int = 60
    """Seconds for which the reload is left to another writer of the file, such as a run of Ansible."""
    pause_connections: bool = True
    """Whether new connections to slurmdbd wait while it restarts."""


class JwksTimerRecord(NamedTuple):
    """The last attempt, for people, for the metrics, and for the next attempt."""

    at: int
    result: str
    said: str
    reached: int
    """When all sources were last reached; until then, when the program first ran."""
    loaded: int = 0
    """When daemons were last reloaded; 0 for never."""
    kids: list[str] = []
    next_change: int | None = None
    """When the next withdrawn key expires."""
    fingerprint: str | None = None
    """SHA-256 of the key set, to compare hosts."""


def write_settings(settings: JwksTimerSettings) -> str:
    content = {**settings._asdict(), "daemons": [daemon._asdict() for daemon in settings.daemons]}
    return format_settings(content)


def read_settings(text: str) -> JwksTimerSettings:
    def build(content: dict[str, Any]) -> JwksTimerSettings:
        return JwksTimerSettings(**{**content, "daemons": [ReloadedDaemon(**daemon) for daemon in content["daemons"]]})

    return parse_settings(build, text, "hpc.slurm_jwt.rollout")


def read_record(text: str) -> JwksTimerRecord | None:
    return parse_record(JwksTimerRecord, text)


# -- decisions ---------------------------------------------------------------------------------------------------------


def seconds_before_load(record: JwksTimerRecord | None, interval: int, now: int) -> int:
    """Seconds until daemons may be reloaded again: a provider must not have them restarted all the time.

    Setting the clock back does not lengthen the wait.
    """
    if record is None or not record.loaded or record.loaded > now:
        return 0
    return max(0, record.loaded + interval - now)


def seconds_for_writer(wrote: bool, modified: float, grace_period: int, now: float) -> int:
    """Seconds for which the reload is left to another writer of the file, such as a run of Ansible.

    Two restarts at once disturb each other. There is no wait for a file with a time in the future.
    """
    if wrote or modified > now:
        return 0
    return max(0, int(modified + grace_period - now))


def seconds_of_outage(record: JwksTimerRecord | None, now: int) -> int:
    """Seconds since all sources were last reached."""
    return 0 if record is None else max(0, now - record.reached)


def metrics(settings: JwksTimerSettings, record: JwksTimerRecord) -> str:
    """The last attempt for Prometheus, as node_exporter's textfile collector reads it."""
    values = (
        ("attempt_timestamp_seconds", "When the sources of trusted keys were last checked.", record.at),
        ("attempt_interval_seconds", "Longest time between two checks.", settings.interval),
        ("attempt_success", "Whether the last attempt found or left the key set up to date.",
         int(record.result != FAILED)),
        ("reached_timestamp_seconds", "When all sources were last reached.", record.reached),
        ("loaded_timestamp_seconds", "When daemons last loaded the keys; 0 for never.", record.loaded),
        ("keys", "How many keys are trusted.", len(record.kids)),
    )  # fmt: skip
    file = {"file": settings.path}
    text = "".join(gauge(f"jwks_{name}", text, file, value) for name, text, value in values)
    if record.fingerprint:
        text += gauge("jwks_info", "Which key set is in the file.", {**file, "fingerprint": record.fingerprint}, 1)
    return text
