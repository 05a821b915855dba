# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JWKS timer of a host: its units, settings and program. Private to this collection."""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Mapping

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.units import NO_UNIT, Unit
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import option_seconds
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import jwks_program, jwks_refresh, runtime
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.managed_files import (
    PRIVATE,
    PUBLIC,
    ManagedFile,
    ManagedFiles,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.paths import paths_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.program_files import program_files, stale_files
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.sandbox import quoted, sandbox
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.systemctl import Systemctl, remove_boot_files, works
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.unit_files import service_unit, timer_unit

PATHS = paths_of(jwks_refresh.UNIT)

_SETTINGS, _RECORD = "settings", "record"
_LONGEST_RUN = 900  # seconds
_SHORTEST_INTERVAL = 20  # seconds

# A source with every option of slurm_jwks.
_SOURCE = {"issuer": None, "url": None, "path": None, "data": None, "kid": None, "ca_path": None}
_SOURCE_FLAGS = {"allow_http": False, "allow_shared": False}


class JwksTimer:
    """The timer of one host. Each state is a method."""

    def __init__(self, task: Task, systemctl: Systemctl) -> None:
        self.task = task
        self.params = task.params
        self.systemctl = systemctl
        self.files = ManagedFiles(task.check_mode)

    def present(self) -> dict[str, Any]:
        desired = self._desired_files()
        state = self._state()
        if not self.task.check_mode:
            os.makedirs(PATHS.records, mode=0o700, exist_ok=True)
        with self._while_idle():
            written = self.files.write_all(desired)
            removed = self.files.remove_all(stale_files(PATHS.program, desired))
            if _environment_path() not in desired and self.files.remove(_environment_path(), secret=True):
                removed.append(_environment_path())
        idle = [] if works(state) else [PATHS.timer_unit()]
        if not self.task.check_mode:
            rewritten = [PATHS.timer_unit()] if PATHS.timer() in written else []
            self.systemctl.start(idle, rewritten, bool(idle or rewritten or PATHS.service() in written))
        return self._result(state, bool(written or removed or idle))

    def absent(self) -> dict[str, Any]:
        state = self._state()
        if os.path.exists(PATHS.timer()) and not self.task.check_mode:
            self.systemctl.call("stop", PATHS.timer_unit())
        with self._while_idle():
            paths = [PATHS.timer(), PATHS.service(), PATHS.settings_file(_SETTINGS), PATHS.record(_RECORD)]
            removed = self.files.remove_all([*paths, *stale_files(PATHS.program, ())])
            removed += [_environment_path()] if self.files.remove(_environment_path(), secret=True) else []
            metrics = self._metrics()
            removed += [metrics] if metrics and self.files.remove_metrics(metrics, self.task.warn) else []
        removed += [path for path in PATHS.folders if self.files.remove_folder(path)]
        if removed and not self.task.check_mode:
            remove_boot_files(PATHS.boot_files())
            self.systemctl.call("daemon-reload")
        return self._result(state, bool(removed))

    def paused(self) -> dict[str, Any]:
        state = self._state()
        active = state.active == "active"
        if active and not self.task.check_mode:
            self.systemctl.call("stop", PATHS.timer_unit())
        with self._while_idle():
            return self._result(state, active)

    def _while_idle(self) -> AbstractContextManager[None]:
        """Wait for a run of the program that has begun: it may be about to write the key set, or to load it."""
        if self.task.check_mode or not os.path.exists(PATHS.settings_file(_SETTINGS)):
            return nullcontext()
        return file_lock(PATHS.settings_file(_SETTINGS), _LONGEST_RUN)

    # -- files ---------------------------------------------------------------------------------------------------------

    def _desired_files(self) -> dict[str, ManagedFile]:
        """Every file, in the order in which they are written."""
        interval = option_seconds("refresh_interval", self.params["refresh_interval"], _SHORTEST_INTERVAL)
        jitter = interval // 4
        settings = jwks_refresh.write_settings(self._settings(interval + jitter))
        variables = _environment_file(self.params["environment"])
        files = program_files(PATHS.program, jwks_program)
        files[PATHS.settings_file(_SETTINGS)] = ManagedFile(settings, PRIVATE)
        if variables:
            files[_environment_path()] = ManagedFile(variables, PRIVATE, secret=True)
        files[PATHS.service()] = ManagedFile(self._service(bool(variables)), PUBLIC)
        schedule = {"OnActiveSec": interval, "OnUnitInactiveSec": interval, "RandomizedDelaySec": jitter}
        description = "Fetch the keys of the identity providers between two runs of Ansible"
        files[PATHS.timer()] = ManagedFile(timer_unit(description, schedule), PUBLIC)
        return files

    def _settings(self, interval: int) -> jwks_refresh.JwksTimerSettings:
        params = self.params
        return jwks_refresh.JwksTimerSettings(
            path=params["path"],
            sources=[{**_SOURCE, **_SOURCE_FLAGS, **source} for source in params["sources"]],
            retain=option_seconds("retain", params["retain"]),
            remove=params["remove"],
            owner=params["owner"],
            group=params["group"],
            daemons=[jwks_refresh.ReloadedDaemon(**daemon) for daemon in params["daemons"]],
            min_reload_interval=option_seconds("min_reload_interval", params["min_reload_interval"]),
            max_outage=option_seconds("max_outage", params["max_outage"]),
            interval=interval,
            record=PATHS.record(_RECORD),
            metrics=self._metrics(),
            conf_path=params["conf_path"],
            bin_dir=params["bin_dir"],
            systemctl=self.systemctl.path,
            pause_connections=params["pause_connections"],
        )

    def _service(self, has_variables: bool) -> str:
        """The unit of the program. It can write the key set, its record and its metrics."""
        written = [self.params["path"], PATHS.record(_RECORD), self._metrics()]
        # Connections to slurmdbd wait in the packet filter while it restarts.
        components = [daemon["component"] for daemon in self.params["daemons"]]
        pauses = self.params["pause_connections"] and "slurmdbd" in components
        return service_unit(
            "Fetch the keys of the identity providers that Slurm trusts",
            f"{self.params['python']} -I {PATHS.program} {PATHS.settings_file(_SETTINGS)}",
            _LONGEST_RUN,
            sandbox((os.path.dirname(path) for path in written if path), ("CAP_NET_ADMIN",) if pauses else ()),
            after="slurmdbd.service slurmctld.service",
            environment_file=quoted(_environment_path()) if has_variables else None,
        )

    def _metrics(self) -> str | None:
        folder = self.params["metrics_dir"]
        return os.path.join(folder, "slurm_jwks.prom") if folder else None

    # -- results -------------------------------------------------------------------------------------------------------

    def _state(self) -> Unit:
        return self.systemctl.timers([PATHS.timer_unit()]).get(PATHS.timer_unit(), NO_UNIT)

    def _result(self, state: Unit, changed: bool) -> dict[str, Any]:
        record = runtime.last_record(PATHS.record(_RECORD), jwks_refresh.read_record)
        return {
            "changed": changed,
            "unit": PATHS.timer_unit(),
            "active": state.active,
            "attempt": None if record is None else record._asdict(),
            "diff": self.files.diffs,
        }


def _environment_path() -> str:
    """Variables such as proxies, perhaps with passwords: every user can read a unit, but not this file."""
    return os.path.join(PATHS.settings, "environment")


def _environment_file(variables: Mapping[str, Any]) -> str:
    """The variables, as systemd reads them for the unit."""
    lines = []
    for name, value in sorted(variables.items()):
        text = str(value)
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or not text.isprintable():
            raise TaskError(
                f"environment: {name!r} cannot be a variable of a unit. Use letters, digits and _ in its name, and one"
                " line as its value."
            )
        text = re.sub(r'(["\\`$])', r"\\\1", text)
        lines.append(f'{name}="{text}"\n')
    return "".join(lines)
