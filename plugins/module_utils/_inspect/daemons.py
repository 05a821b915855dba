# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects the running daemons of a host. Private to this collection."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import access
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths as file_paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import (
    daemon_problems,
    facts,
    problems,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import Host
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths, listeners, processes, rest_unit
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.units import NO_UNIT, Unit


class DaemonInspection:
    """The daemons of one host."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def inspect(self, component: str) -> dict[str, Any]:
        service = self.host.service(component)
        unit = self.host.units.get(component, NO_UNIT)
        unmanaged = 0 if unit.pid else self._unmanaged(component)
        process = self.host.running.get(component) or (processes.inspect(unmanaged) if unmanaged else None)
        if component not in self.host.uninstalled:
            missing = self.host.missing.get(component, [])
            self.host.problems += daemon_problems.unit(component, service, unit, unmanaged, missing)
        self.host.problems += daemon_problems.replaced_program(component, process)
        if component != "slurmdbd":
            self.host.problems += problems.conf_elsewhere(component, self.host.options.conf_path, process)
        loaded, reasons = "unknown", []
        if component == "slurmrestd":
            self.host.problems += daemon_problems.slurmrestd_user(process, self.host.user)
            self.host.problems += daemon_problems.slurmrestd_unit(unit, rest_unit.dropins(service, unit.files))
            self._check_rest_user()
            self.host.problems += daemon_problems.slurmrestd_address(self.host.options.slurmrestd_listen, unit.pid)
            reasons = _stale_slurmrestd(unit, process)
        else:
            files = [path for path in unit.environment_files if processes.sets_slurm_jwt(path)]
            self.host.problems += problems.environment(component, service, process, unit.slurm_jwt, files)
            file = dict(self.host.key_hosts()).get(component)
            if process is not None and file is not None:
                loaded, reasons = self._stale_key_host(component, process, file)
        self.host.problems += daemon_problems.stale(component, reasons)
        listens = listeners.of_process(process.pid) if process and component == "slurmrestd" else []
        found = facts.daemon(service, unit, process)
        found.update(key_loaded=loaded, stale=reasons, listens=listens)
        if component == "slurmrestd":
            found.update(before_jwt=rest_unit.before_jwt(service), dropin=rest_unit.dropin_digest(service))
        return found

    def _check_rest_user(self) -> None:
        """Check whether slurmrestd can run as the declared user."""
        name, group = self.host.options.slurmrestd_user, self.host.options.slurmrestd_group
        if not name:
            return
        user, gid = file_paths.find_user(name), access.gid_named(group) if group else None
        self.host.problems += daemon_problems.slurmrestd_user_declared(name, user, self.host.user)
        if group and gid is None:
            self.host.problems += daemon_problems.slurmrestd_group_missing(group)
        for path in self.host.slurm.conf.paths if self.host.slurm else ():
            barrier = access.first_denied(path, access.reader_of(user, gid))
            if barrier:
                self.host.problems += daemon_problems.slurmrestd_conf(path, barrier, file_paths.inspect(barrier), name)

    def _unmanaged(self, component: str) -> int:
        of_slurmdbd = component == "slurmdbd"
        file, key = (self.host.slurmdbd, "PidFile") if of_slurmdbd else (self.host.slurm, "SlurmctldPidFile")
        if component == "slurmrestd" or file is None:
            return 0
        pid_file = file.conf.value(key) or f"/var/run/{component}.pid"
        return processes.main_pid(self.host.service(component), component, (pid_file,))

    def _stale_key_host(
        self, component: str, process: processes.Process, file: facts.ConfFile
    ) -> tuple[str, list[str]]:
        """Whether slurmctld or slurmdbd has loaded the key that is on disk, and what else it has not loaded."""
        key = file.jwt.key_path if file.jwt.enabled else None
        loaded = processes.mapping(process.pid, key) if key and os.path.exists(key) else "unknown"
        if loaded == "replaced":
            return loaded, [f"{component} still has a key loaded that was replaced by the one in {key}."]
        if loaded == "absent":
            return loaded, [f"{component} was started before JWT was enabled with {key}."]
        jwks = file.jwt.jwks_path if file.jwt.enabled else None
        if jwks and file_paths.inspect(jwks).modified > process.started:
            return loaded, [f"{jwks} was written after {component} had started."]
        files = [entry for entry in map(file_paths.inspect, file.conf.paths) if entry.kind == "file"]
        newest = max((entry.modified for entry in files), default=0.0)
        return loaded, self._compare_with_memory(component, file) if newest > process.started else []

    def _compare_with_memory(self, component: str, file: facts.ConfFile) -> list[str]:
        """Ask the daemon what it has in memory: it may have read the newer file since it started."""
        argv = ["scontrol", "show", "config"] if component == "slurmctld" else ["sacctmgr", "show", "configuration"]
        # If slurmdbd is a standby, the primary would answer.
        stands_by = component == "slurmdbd" and facts.slurmdbd_conf(file)["standby"]
        may_query = self.host.conf_is_sound() and not stands_by
        program = install_paths.find_program(argv[0], self.host.options.bin_dirs) if may_query else None
        rc, out = 127, ""
        if program:
            rc, out, dummy_err = self.host.run([program, *argv[1:]], self.host.conf_for(program))
        path = file.conf.paths[0]
        if rc == 0:
            return [
                f"{path} says {name}={written or ''}, and {component} has {name}={memory or ''} in memory."
                for name, written, memory in facts.memory_differences(out, file.written)
            ]
        # slurmctld may have read the file since. slurmdbd never reads all of it again, and restarting it costs little.
        return [f"{path} was written after slurmdbd had started."] if component == "slurmdbd" else []


def _stale_slurmrestd(unit: Unit, process: processes.Process | None) -> list[str]:
    """slurmrestd gets all its settings from its unit."""
    if process is None:
        return []
    newer = [path for path in unit.files if file_paths.inspect(path).modified > process.started]
    return [f"{path} was written after slurmrestd had started." for path in newer]
