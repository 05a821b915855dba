# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows identity providers: python3 -I DIRECTORY SETTINGS, as slurm-jwks-refresh.service runs it on controllers and
on the hosts of slurmdbd.

Each run fetches the keys, and writes the file that Slurm reads only if they have changed. Daemons that started before
the file was written load it: slurmdbd by a restart, slurmctld by scontrol reconfigure where that is enough. Nothing
else touches a daemon, and not twice within the time that the settings name, unless a key is distrusted: that waits for
nothing, and for no source.

Exit code: 0 if all is as it should be, or a source is out of reach for not too long; 1 otherwise, and the reason on
standard error.
"""

from __future__ import annotations

import grp
import pwd
import shutil
import time
from typing import Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import DeclaredOwnership
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_if_there
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.file import (
    FileChange,
    KeySetJob,
    KeySetRefused,
    TrustFile,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.policy import PolicySettings, next_change
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.record import parse_record
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.pem import LibraryMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import record_path
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import pause, readiness
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import Client, ClientError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.jwks_refresh import (
    CHANGED,
    CURRENT,
    FAILED,
    POSTPONED,
    RECONFIGURE,
    WAITING,
    RefreshRecord,
    RefreshSettings,
    ReloadedDaemon,
    metrics,
    read_record,
    read_settings,
    unheard,
    wait_before_load,
    wait_for_others,
    write_record,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.runtime import (
    ERROR,
    INFO,
    WARNING,
    last_record,
    leave,
    run,
    say,
    start,
)

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
COMMAND_TIMEOUT = 120  # seconds for systemctl or scontrol
SETTLE = 1.0  # seconds that a daemon has to live before it counts as alive


class RefreshFailed(Exception):
    """The attempt failed. The text says why, and what to do."""


class Following:
    """One attempt."""

    def __init__(self, settings: RefreshSettings, record: RefreshRecord | None) -> None:
        self.settings = settings
        self.record = record
        self.now = int(time.time())
        self.reached = self.now if record is None else record.reached
        self.loaded = 0 if record is None else record.loaded
        self.kids = [] if record is None else record.kids
        self.next_change = None if record is None else record.next_change
        self.notes: list[str] = []
        self.wrote = False

    def run(self) -> str:
        """Do what has to be done; how it ended."""
        try:
            plan = self.fetch()
        except (KeySetRefused, SecretFileError, LibraryMissing):
            # A file that was written and not loaded is no fault of a source, least of all where a key was distrusted.
            self.load()
            raise
        self.notes += [failed.reason for failed in plan.failed if failed.unreachable]
        loaded = self.load()
        wrong = [failed.reason for failed in plan.failed if not failed.unreachable]
        wrong += [f"{source}: the key {lost.kid} {lost.reason}." for source, lost in plan.outcome.conflicts]
        if wrong:
            raise RefreshFailed(" ".join(wrong))
        if not plan.failed:
            self.reached = self.now
            return loaded or (CHANGED if plan.acts else CURRENT)
        quiet = unheard(self.record, self.now)
        if quiet > self.settings.max_outage:
            raise RefreshFailed(
                f"The sources have not all been heard of for {quiet} s, and {self.settings.max_outage} s is the most."
                " The keys that are trusted stay so; new ones of a source that is silent are refused."
            )
        return loaded or WAITING

    def fetch(self) -> FileChange:
        """Bring the file to what its sources have."""
        settings = self.settings
        # A rollout that distrusts a key writes the record before it writes these settings.
        policy = PolicySettings(settings.retain, frozenset(settings.remove), remembers=True)
        task = KeySetJob(settings.path, settings.sources, policy, declared(settings), tolerant=True)
        file = TrustFile(task, self.notes.append)
        try:
            dummy_found, plan = file.bring_up_to_date()
        finally:
            self.wrote = file.wrote
        outcome = plan.outcome
        self.kids = sorted(key.kid for key in outcome.keys)
        self.next_change = next_change(outcome)
        for text, kids in (
            ("New keys", outcome.added),
            ("Withdrawn keys that stay until their tokens have run out", [gone.kid for gone in outcome.retired]),
            ("Keys that are not trusted any more", [gone.kid for gone in outcome.removed]),
        ):
            if kids and plan.acts:
                self.notes.append(f"{text}: {', '.join(kids)}.")
        return plan

    # -- daemons -------------------------------------------------------------------------------------------------------

    def load(self) -> str | None:
        """Have daemons load the file that have an older one; None if there is none."""
        behind = [daemon for daemon in self.settings.daemons if self.is_behind(daemon)]
        if not behind:
            return None
        names = " and ".join(daemon.part for daemon in behind)
        modified = paths.look(self.settings.path).modified
        others = wait_for_others(self.wrote, modified, self.settings.grace_period, time.time())
        if others:
            self.notes.append(f"Whoever wrote the file a moment ago has {names} load it; if not, a look in {others} s.")
            return POSTPONED
        wait = wait_before_load(self.record, self.settings.min_reload_interval, self.now)
        if wait and not any(map(self.has_distrusted_key, behind)):
            self.notes.append(f"{names} will load the keys in {wait} s: the last time was a moment ago.")
            return POSTPONED
        # Whatever comes of it counts.
        self.loaded = int(time.time())
        self.note(CHANGED, "")
        for daemon in behind:
            self.have_it_load(daemon)
        self.notes.append(f"{names} loaded the keys.")
        return CHANGED

    def is_behind(self, daemon: ReloadedDaemon) -> bool:
        """Whether a daemon started before the file was written. One that does not run loads it at its start."""
        place, unit = paths.look(self.settings.path), self.unit(daemon)
        return place.kind == "file" and unit.pid > 0 and place.modified > unit.started

    def has_distrusted_key(self, daemon: ReloadedDaemon) -> bool:
        """Whether the site has distrusted a key since a daemon started. Which keys it names no source can choose."""
        record, unit = read_if_there(record_path(self.settings.path)), self.unit(daemon)
        distrusted = parse_record(record.data).distrusted if record else ()
        # The record has whole seconds.
        return unit.pid > 0 and any(each.name and each.since + 1 > unit.started for each in distrusted)

    def unit(self, daemon: ReloadedDaemon) -> readiness.UnitState:
        """What systemd says of a daemon. Its process cannot be asked: the sandbox hides those of others."""
        properties = ",".join(readiness.UNIT_PROPERTIES)
        argv = [self.settings.systemctl, "show", "--property", properties, "--", daemon.service]
        return readiness.parse_unit(run(argv, {}, COMMAND_TIMEOUT)[1])

    def have_it_load(self, daemon: ReloadedDaemon) -> None:
        if daemon.way == RECONFIGURE:
            client = Client(self.settings.bin_dir, self.settings.conf_path, COMMAND_TIMEOUT)
            argv, more = [client.program("scontrol"), "reconfigure"], client.environment()
        else:
            argv, more = [self.settings.systemctl, "restart", "--", daemon.service], {}

        def act() -> None:
            code, dummy_out, err = run(argv, more, COMMAND_TIMEOUT)
            if code != 0:
                raise RefreshFailed(
                    f"'{' '.join(argv)}' failed with exit code {code}: {' '.join(err.split()) or 'no word'}. See the "
                    f"log of {daemon.part}."
                )

        nft = shutil.which("nft", path=SYSTEM_PATH)
        # slurmctld's clients try again by themselves.
        if nft and self.settings.pause_connections and daemon.port and daemon.part == "slurmdbd":

            def nft_run(words: Sequence[str]) -> tuple[int, str, str]:
                return run(list(words), {}, COMMAND_TIMEOUT)

            pause.restart(nft_run, nft, daemon.port, act, lambda: self.unit(daemon).dead)
        else:
            act()
        verdict = readiness.wait(
            lambda: self.unit(daemon),
            f":{daemon.port}" if daemon.port else None,
            self.settings.timeout,
            SETTLE,
            time.monotonic,
            time.sleep,
        )
        if not verdict.alive:
            raise RefreshFailed(
                f"{daemon.part} is not running after it was to load the keys: {verdict.found}. See its log."
            )
        if self.is_behind(daemon):
            raise RefreshFailed(f"{daemon.part} goes on with the old keys after '{' '.join(argv)}'. See its log.")

    # -- word of it ----------------------------------------------------------------------------------------------------

    def note(self, result: str, said: str) -> str:
        """Keep what this attempt did, and give it to Prometheus; what went wrong with that."""
        record = RefreshRecord(self.now, result, said, self.reached, self.loaded, self.kids, self.next_change)
        return leave((
            (self.settings.record, write_record(record), 0o600),
            (self.settings.metrics, metrics(self.settings, record), 0o644),
        ))  # fmt: skip


def declared(settings: RefreshSettings) -> DeclaredOwnership:
    """Whose the file is to be."""
    try:
        uid, gid = pwd.getpwnam(settings.owner).pw_uid, grp.getgrnam(settings.group).gr_gid
    except KeyError as exc:
        raise RefreshFailed(f"The key set is to belong to somebody whom this host does not know: {exc}.") from None
    return DeclaredOwnership(settings.owner, settings.group, uid, gid, 0o400)


def attempt(settings: RefreshSettings) -> int:
    """Follow the sources once, and leave word of it."""
    following = Following(settings, last_record(settings.record, read_record))
    level = INFO
    try:
        result = following.run()
    except (RefreshFailed, KeySetRefused, ClientError, SecretFileError, LibraryMissing) as exc:
        result, level = FAILED, ERROR
        following.notes.insert(0, str(exc))
    if result in (WAITING, POSTPONED):
        level = WARNING
    keys = "1 key" if len(following.kids) == 1 else f"{len(following.kids)} keys"
    said = f"{settings.path}: {keys}. {' '.join(following.notes)}".strip()
    if result in (FAILED, WAITING):
        said += " The timer tries again."
    wrong = following.note(result, said)
    say(level, said)
    if wrong:
        say(WARNING, wrong)
    return 1 if result == FAILED else 0


def main() -> int:
    usage = "Usage: python3 -I DIRECTORY SETTINGS, as slurm-jwks-refresh.service runs it."
    return start(usage, read_settings, attempt)
