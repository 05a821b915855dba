# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the key set up to date: python3 -I DIRECTORY SETTINGS, as slurm-jwks-refresh.service runs it on controllers and
on the hosts of slurmdbd.

Each run fetches the keys, and writes the file that Slurm reads only if they have changed. Daemons that started before
the file was written are reloaded: slurmdbd by a restart, slurmctld by scontrol reconfigure where that is enough. They
are not reloaded for any other reason, and not again before the minimum reload interval is over. The removal of a
distrusted key waits for neither that interval nor a source.

Exit code: 0 if the key set is up to date, or if a source has been unreachable for less than the maximum outage; 1
otherwise, with the reason on standard error.
"""

from __future__ import annotations

import shutil
import time
from typing import Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import OwnershipError, declared
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_if_there
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.file import FileChange
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.policy import PolicySettings, next_change
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.record import parse_record
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.update import KeySetSettings, KeySetUpdate
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import record_path
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import pause, readiness, units
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import Client, ClientError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.jwks_refresh import (
    CHANGED,
    CURRENT,
    FAILED,
    POSTPONED,
    RECONFIGURE,
    WAITING,
    JwksTimerRecord,
    JwksTimerSettings,
    ReloadedDaemon,
    metrics,
    read_record,
    read_settings,
    seconds_before_load,
    seconds_for_writer,
    seconds_of_outage,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.runtime import (
    ERROR,
    INFO,
    WARNING,
    last_record,
    log,
    report,
    run,
    start,
)

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
COMMAND_TIMEOUT = 120  # seconds for systemctl or scontrol
SETTLE = 1.0  # seconds for which a daemon has to run before it counts as running


class JwksRefreshFailed(Exception):
    """The attempt failed. The text says why, and what to do."""


class JwksRefresh:
    """One attempt."""

    def __init__(self, settings: JwksTimerSettings, record: JwksTimerRecord | None) -> None:
        self.settings = settings
        self.record = record
        self.now = int(time.time())
        self.reached = self.now if record is None else record.reached
        self.loaded = 0 if record is None else record.loaded
        self.kids = [] if record is None else record.kids
        self.next_change = None if record is None else record.next_change
        self.fingerprint = None if record is None else record.fingerprint
        self.notes: list[str] = []
        self.wrote = False

    def run(self) -> str:
        """Update the key set, and reload daemons if necessary. Returns the result."""
        try:
            change = self.update_key_set()
        except (TaskError, SecretFileError):
            # Daemons must load a file that was written, above all if a key was distrusted.
            self.reload_daemons()
            raise
        self.notes += [failed.reason for failed in change.failed if failed.unreachable]
        reloaded = self.reload_daemons()
        wrong = [failed.reason for failed in change.failed if not failed.unreachable]
        wrong += [f"{source}: the key {lost.kid} {lost.reason}." for source, lost in change.decision.conflicts]
        if wrong:
            raise JwksRefreshFailed(" ".join(wrong))
        if not change.failed:
            self.reached = self.now
            return reloaded or (CHANGED if change.acts else CURRENT)
        outage = seconds_of_outage(self.record, self.now)
        if outage > self.settings.max_outage:
            raise JwksRefreshFailed(
                f"All sources were last reached {outage} s ago, and max_outage is {self.settings.max_outage} s. Trusted"
                " keys stay trusted; tokens that an unreachable source signs with a new key are refused."
            )
        return reloaded or WAITING

    def update_key_set(self) -> FileChange:
        """Bring the file up to date with its sources."""
        settings = self.settings
        # A rollout that distrusts a key writes the record before it writes these settings.
        policy = PolicySettings(settings.retain, frozenset(settings.remove), remembers=True)
        ownership = declared({"owner": settings.owner, "group": settings.group, "mode": "0400"}, False)
        key_set = KeySetSettings(settings.path, settings.sources, policy, ownership, tolerant=True)
        update = KeySetUpdate(key_set, self.notes.append)
        try:
            dummy_current, change = update.run()
        finally:
            self.wrote = update.file.wrote
        decision = change.decision
        self.kids = sorted(key.kid for key in decision.keys)
        self.next_change = next_change(decision)
        self.fingerprint = fingerprint(change.data) if change.data else None
        for text, kids in (
            ("New keys", decision.added),
            ("Withdrawn keys that stay until their tokens have expired", [key.kid for key in decision.retired]),
            ("Keys that are no longer trusted", [key.kid for key in decision.removed]),
        ):
            if kids and change.acts:
                self.notes.append(f"{text}: {', '.join(kids)}.")
        return change

    # -- daemons -------------------------------------------------------------------------------------------------------

    def reload_daemons(self) -> str | None:
        """Reload the daemons that have an older file. Returns None if there are none."""
        behind = [daemon for daemon in self.settings.daemons if self.is_behind(daemon)]
        if not behind:
            return None
        names = " and ".join(daemon.component for daemon in behind)
        modified = paths.inspect(self.settings.path).modified
        writer = seconds_for_writer(self.wrote, modified, self.settings.grace_period, time.time())
        if writer:
            self.notes.append(
                f"The file was just written by another process, which reloads {names}. If it does not, the timer does"
                f" so after {writer} s."
            )
            return POSTPONED
        wait = seconds_before_load(self.record, self.settings.min_reload_interval, self.now)
        if wait and not any(map(self.has_distrusted_key, behind)):
            self.notes.append(f"{names} will load the keys in {wait} s: the last reload was a moment ago.")
            return POSTPONED
        # This counts as a reload even if it fails.
        self.loaded = int(time.time())
        self.report(CHANGED, "")
        for daemon in behind:
            self.reload(daemon)
        self.notes.append(f"{names} loaded the keys.")
        return CHANGED

    def is_behind(self, daemon: ReloadedDaemon) -> bool:
        """Whether a daemon started before the file was written. A stopped daemon loads the file when it starts.

        The timer does not start it, unless it is a standby slurmdbd that the timer of the primary may have ended.
        """
        file, unit = paths.inspect(self.settings.path), self.unit(daemon)
        if daemon.component == "slurmdbd" and unit.ended_as_standby:
            return True
        return file.kind == "file" and unit.pid > 0 and file.modified > unit.started

    def has_distrusted_key(self, daemon: ReloadedDaemon) -> bool:
        """Whether the site has distrusted a key since a daemon started. Sources cannot cause that."""
        record, unit = read_if_there(record_path(self.settings.path)), self.unit(daemon)
        distrusted = parse_record(record.data).distrusted if record else ()
        # The record has whole seconds.
        return unit.pid > 0 and any(each.name and each.since + 1 > unit.started for each in distrusted)

    def unit(self, daemon: ReloadedDaemon) -> units.Unit:
        """The state of a daemon's unit. The sandbox hides the daemon's process."""
        output = run(units.show([daemon.service], self.settings.systemctl), {}, COMMAND_TIMEOUT)[1]
        return next(iter(units.parse(output)), units.NO_UNIT)

    def reload(self, daemon: ReloadedDaemon) -> None:
        if daemon.way == RECONFIGURE:
            client = Client(self.settings.bin_dir, self.settings.conf_path, COMMAND_TIMEOUT)
            argv, more = [client.program("scontrol"), "reconfigure"], client.environment()
        else:
            argv, more = [self.settings.systemctl, "restart", "--", daemon.service], {}

        def act() -> None:
            code, dummy_out, err = run(argv, more, COMMAND_TIMEOUT)
            if code != 0:
                raise JwksRefreshFailed(
                    f"'{' '.join(argv)}' failed with exit code {code}: {' '.join(err.split()) or 'no message'}. See "
                    f"the log of {daemon.component}."
                )

        nft = shutil.which("nft", path=SYSTEM_PATH)
        # slurmctld's clients try again by themselves.
        if nft and self.settings.pause_connections and daemon.port and daemon.component == "slurmdbd":

            def nft_run(words: Sequence[str]) -> tuple[int, str, str]:
                return run(list(words), {}, COMMAND_TIMEOUT)

            pause.restart(nft_run, nft, daemon.port, act, lambda: self.unit(daemon).dead)
        else:
            act()
        state = readiness.wait(
            lambda: self.unit(daemon),
            f":{daemon.port}" if daemon.port else None,
            self.settings.timeout,
            SETTLE,
            time.monotonic,
            time.sleep,
        )
        if not state.alive:
            raise JwksRefreshFailed(
                f"{daemon.component} is not running after it was reloaded: {state.reason}. See its log."
            )
        if self.is_behind(daemon):
            raise JwksRefreshFailed(
                f"{daemon.component} goes on with the old keys after '{' '.join(argv)}'. See its log."
            )

    # -- reports -------------------------------------------------------------------------------------------------------

    def report(self, result: str, text: str) -> str:
        """Write the record and the metrics. Returns what failed."""
        record = JwksTimerRecord(
            self.now, result, text, self.reached, self.loaded, self.kids, self.next_change, self.fingerprint
        )
        settings = self.settings
        return report(settings.record, record._asdict(), settings.metrics, metrics(settings, record))


def attempt(settings: JwksTimerSettings) -> int:
    """Update the key set once, and report. Returns the exit code."""
    refresh = JwksRefresh(settings, last_record(settings.record, read_record))
    level = INFO
    try:
        result = refresh.run()
    except (JwksRefreshFailed, TaskError, ClientError, OwnershipError, SecretFileError) as exc:
        result, level = FAILED, ERROR
        refresh.notes.insert(0, str(exc))
    if result in (WAITING, POSTPONED):
        level = WARNING
    keys = "1 key" if len(refresh.kids) == 1 else f"{len(refresh.kids)} keys"
    text = f"{settings.path}: {keys}. {' '.join(refresh.notes)}".strip()
    if result in (FAILED, WAITING):
        text += " The timer tries again."
    failure = refresh.report(result, text)
    log(level, text)
    if failure:
        log(WARNING, failure)
    return 1 if result == FAILED else 0


def main() -> int:
    usage = "Usage: python3 -I DIRECTORY SETTINGS, as slurm-jwks-refresh.service runs it."
    return start(usage, read_settings, attempt)
