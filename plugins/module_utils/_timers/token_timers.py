# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token timers of a host: their units, settings and program. Private to this collection."""

from __future__ import annotations

import glob
import os
from typing import Any, Mapping

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import parse_mode, read_if_there
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, PREVIOUS, beside
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import client_reply
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import Client, ClientError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.units import NO_UNIT, Unit
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import option_seconds
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import runtime, token_program, token_refresh
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.managed_files import (
    PRIVATE,
    PUBLIC,
    ManagedFile,
    ManagedFiles,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.paths import paths_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.program_files import program_files, stale_files
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.sandbox import is_hidden, sandbox
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.systemctl import Systemctl, remove_boot_files, works
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.unit_files import service_unit, timer_unit

PATHS = paths_of(token_refresh.UNIT)

_CLIENTS = ("scontrol", client_reply.CLIENTS["slurmctld"][0])
_TIMEOUT = 600  # seconds for one run of the program

Timer = Mapping[str, Any]
"""One of the task's timers."""


class TokenTimers:
    """The timers of one host."""

    def __init__(self, task: Task, systemctl: Systemctl) -> None:
        self.task = task
        self.systemctl = systemctl
        self.timers: list[Timer] = task.params["timers"]
        self.files = ManagedFiles(task.check_mode)

    def run(self) -> dict[str, Any]:
        self._refuse()
        names = [timer["name"] for timer in self.timers]
        desired = self._desired_files()
        obsolete = [name for name in _installed() if name not in names]
        states = self.systemctl.timers([PATHS.timer_unit(name) for name in names])
        if desired and not self.task.check_mode:
            os.makedirs(PATHS.records, mode=0o700, exist_ok=True)
        written = self.files.write_all(desired)
        removed = self._remove(obsolete, desired)
        idle = [name for name in names if not works(_state(states, name))]
        if not self.task.check_mode:
            self._start(obsolete, idle, written, reload=bool(written or removed or _any_unread(states)))
        results = [self._result(name, _state(states, name), name in idle or _is_new(name, written)) for name in names]
        return {
            "changed": bool(written or removed or idle or obsolete),
            "timers": results,
            "removed": obsolete,
            "diff": self.files.diffs,
        }

    def _refuse(self) -> None:
        """Raise TaskError for timers that cannot work."""
        seen = set()
        for timer in self.timers:
            name = timer["name"]
            if not token_refresh.is_unit_name(name):
                raise TaskError(
                    f"timers: {name!r} cannot be part of the name of a unit. Use letters, digits, _ and ., and -"
                    " between these."
                )
            if name in seen:
                raise TaskError(f"timers: {name!r} is there twice. Give each a name of its own.")
            seen.add(name)
            if is_hidden(timer["dest"]):
                raise TaskError(
                    f"timers: {name}: {timer['dest']} is in a folder for temporary files, which every user of the host"
                    " can write; the timer's program does not see it. Choose another folder."
                )
        try:
            for each in _CLIENTS if self.timers else ():
                self._client().program(each)
        except ClientError as exc:
            text = (
                f"{exc} Only a client of Slurm can renew its tokens by itself. For other hosts remove renew from the"
                " declaration, and run the playbook hpc.slurm_jwt.tokens regularly."
            )
            if not self.task.check_mode:
                raise TaskError(text) from exc
            self.task.warn(text)

    def _client(self) -> Client:
        return Client(self.task.params["bin_dir"], self.task.params["conf_path"], 1)

    # -- files ---------------------------------------------------------------------------------------------------------

    def _desired_files(self) -> dict[str, ManagedFile]:
        """Every file, in the order in which they are written."""
        if not self.timers:
            return {}
        files = program_files(PATHS.program, token_program)
        for timer in self.timers:
            name = timer["name"]
            settings = token_refresh.write_settings(self._settings(timer))
            files[PATHS.settings_file(name)] = ManagedFile(settings, PRIVATE)
            files[PATHS.service(name)] = ManagedFile(self._service(timer), PUBLIC)
        for timer in self.timers:
            files[PATHS.timer(timer["name"])] = ManagedFile(_timer_unit(timer), PUBLIC)
        return files

    def _settings(self, timer: Timer) -> token_refresh.TokenTimerSettings:
        option = f"timers: {timer['name']}"
        try:
            mode = parse_mode(timer["mode"]) if timer["mode"] else 0o400
        except SecretFileError as exc:
            raise TaskError(f"{option}: {exc}") from exc
        return token_refresh.TokenTimerSettings(
            name=timer["name"],
            user=timer["user"],
            dest=timer["dest"],
            format=timer["format"],
            lifespan=option_seconds(f"{option}: lifespan", timer["lifespan"]),
            min_remaining=option_seconds(f"{option}: min_remaining", timer["min_remaining"]),
            interval=timer["interval"],
            owner=timer["owner"],
            group=timer["group"],
            mode=f"{mode:04o}",
            restarts=timer["restarts"],
            reloads=[unit for unit in timer["reloads"] if unit not in timer["restarts"]],
            beside=[beside(timer["dest"], NEXT), beside(timer["dest"], PREVIOUS)],
            record=PATHS.record(timer["name"]),
            metrics=self._metrics(timer["name"]),
            bin_dir=self.task.params["bin_dir"],
            conf_path=self.task.params["conf_path"],
            systemctl=self.systemctl.path,
        )

    def _service(self, timer: Timer) -> str:
        """The unit that renews one token. It can write beside the token, and its record and metrics."""
        written = [timer["dest"], PATHS.record(timer["name"]), self._metrics(timer["name"])]
        return service_unit(
            "Renew the Slurm token of %i",
            f"{self.task.params['python']} -I -S {PATHS.program} {PATHS.settings_file('%i')}",
            _TIMEOUT,
            sandbox(os.path.dirname(path) for path in written if path),
        )

    def _metrics(self, name: str) -> str | None:
        folder = self.task.params["metrics_dir"]
        return os.path.join(folder, f"slurm_jwt_token_{name}.prom") if folder else None

    def _remove(self, obsolete: list[str], desired: Mapping[str, ManagedFile]) -> list[str]:
        """Remove the files of timers that are not declared, and with the last timer the program and its folders."""
        # If the task does not say where the metrics are, the settings of the timer do.
        metrics = [self._metrics(name) or _metrics_in(PATHS.settings_file(name)) for name in obsolete]
        # An earlier version had one unit for all timers.
        stale = [os.path.join(PATHS.units, f"{PATHS.unit}@.service")]
        for name in obsolete:
            stale += [PATHS.timer(name), PATHS.service(name), PATHS.settings_file(name), PATHS.record(name)]
        removed = self.files.remove_all([*stale, *stale_files(PATHS.program, desired)])
        removed += [path for path in metrics if path and self.files.remove_metrics(path, self.task.warn)]
        if not desired:
            removed += [path for path in PATHS.folders if self.files.remove_folder(path)]
        return removed

    # -- systemd -------------------------------------------------------------------------------------------------------

    def _start(self, obsolete: list[str], idle: list[str], written: list[str], reload: bool) -> None:
        if obsolete:
            self.systemctl.call("stop", *map(PATHS.timer_unit, obsolete))
            for name in obsolete:
                remove_boot_files(PATHS.boot_files(name))
        rewritten = [timer["name"] for timer in self.timers if PATHS.timer(timer["name"]) in written]
        self.systemctl.start([*map(PATHS.timer_unit, idle)], [*map(PATHS.timer_unit, rewritten)], reload)

    @staticmethod
    def _result(name: str, state: Unit, changed: bool) -> dict[str, Any]:
        record = runtime.last_record(PATHS.record(name), token_refresh.read_record)
        return {
            "name": name,
            "unit": PATHS.timer_unit(name),
            "changed": changed,
            "active": state.active,
            "enabled": state.enabled == "enabled",
            "next": state.next_start,
            "attempt": None if record is None else record._asdict(),
        }


def _timer_unit(timer: Timer) -> str:
    schedule = {
        "OnCalendar": timer["calendar"],
        "RandomizedDelaySec": timer["jitter"],
        # If the host was down at that time, the timer runs at the next boot.
        "Persistent": "true",
    }
    return timer_unit(f"Renew the Slurm token of {timer['name']} between two runs of Ansible", schedule)


def _installed() -> list[str]:
    """The services that have a timer here, or remains of one."""
    begin, end = PATHS.timer_unit("*").split("*")
    timers = [os.path.basename(path)[len(begin) : -len(end)] for path in glob.glob(PATHS.timer("*"))]
    settings = [os.path.basename(path)[: -len(".json")] for path in glob.glob(PATHS.settings_file("*"))]
    return sorted({*timers, *settings})


def _metrics_in(settings_file: str) -> str | None:
    """The file of metrics that the settings of a timer name."""
    file = read_if_there(settings_file)
    try:
        return None if file is None else token_refresh.read_settings(file.data.decode("utf-8")).metrics
    except (runtime.SettingsError, UnicodeDecodeError):
        return None


def _state(states: Mapping[str, Unit], name: str) -> Unit:
    return states.get(PATHS.timer_unit(name), NO_UNIT)


def _any_unread(states: Mapping[str, Unit]) -> bool:
    return any(state.needs_reload for state in states.values())


def _is_new(name: str, written: list[str]) -> bool:
    return bool({PATHS.timer(name), PATHS.service(name), PATHS.settings_file(name)} & set(written))
