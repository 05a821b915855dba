# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a host of slurmctld, slurmdbd or slurmrestd, once, and changes nothing. Private to this collection."""

from __future__ import annotations

import os
import sys
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths as file_paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import (
    daemon_problems,
    distribution,
    facts,
    interpreter,
    network,
    node,
    packages,
    problems,
    undeclared,
    whereabouts,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.daemons import DaemonInspection
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.keys import KeyInspection
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.plugins import PluginInspection
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths, processes


class DaemonHost(node.Host):
    """One look at a host of daemons, which may be a node, too."""

    def __init__(self, options: node.Options, run: node.Run) -> None:
        super().__init__(options, run)
        self.units: dict[str, processes.Unit] = {}
        self.user: file_paths.User | None = None
        self.uninstalled: set[str] = set()
        self.to_bring: dict[str, list[str]] = {}
        self.keys, self.plugins, self.daemons = KeyInspection(self), PluginInspection(self), DaemonInspection(self)
        self._see_units()

    def _see_units(self) -> None:
        """Ask systemd once for every unit that matters, and learn from it what this host is if nobody said."""
        asked = [component for component in node.COMPONENTS[:3] if component in (self.components or node.COMPONENTS)]
        if not self.components:
            asked.append("slurmd")
        self.units = self._show(asked)
        if not self.components:
            used = [component for component, unit in self.units.items() if unit.in_use]
            self.components = [component for component in node.COMPONENTS[:3] if component in used]
            if "slurmd" in used or not self.components:
                self.components.append("node")

    def _show(self, asked: list[str]) -> dict[str, processes.Unit]:
        names = [processes.unit_name(self.service(component)) for component in asked]
        argv = ["systemctl", "show", "--property", ",".join(processes.UNIT_PROPERTIES), "--", *names]
        dummy_rc, out, dummy_err = self.run(argv, self.options.conf_path)
        return dict(zip(asked, processes.parse_units(out)))

    def service(self, component: str) -> str:
        return self.options.services.get(component, component)

    def _is_where_it_was_said(self) -> bool:
        # All daemons are looked at in any case.
        return super()._is_where_it_was_said() and self.components == ["node"]

    def _daemon_of(self, component: str) -> whereabouts.SeenDaemon:
        """A daemon by its unit, or by the one that it runs in instead."""
        if component == "node":
            return super()._daemon_of(component)
        unit = self.units.get(component, processes.NO_UNIT)
        if not unit.pid:
            named = self.service(component)
            service = next((service for dummy_pid, service in whereabouts.running(component)), None)
            if service and processes.unit_name(service) != processes.unit_name(named):
                self.undeclared.append(undeclared.service(component, named, service))
                self.options = self.options._replace(services={**self.options.services, component: service})
                self.units.update(self._show([component]))
                unit = self.units.get(component, processes.NO_UNIT)
        self.running[component] = process = processes.look(unit.pid) if unit.pid else None
        found = whereabouts.look(component, self.service(component), unit, process)
        if found.program is None or not os.path.exists(found.program):
            at_hand = install_paths.find_program(component, self.options.bin_dirs)
            found = found._replace(program=None if at_hand else install_paths.find_elsewhere([component]))
        return found

    def _python(self) -> dict[str, Any]:
        # The first entry may be the module's own archive.
        folders = [folder for folder in sys.path if os.path.isdir(folder)]
        modules = {"pyjwt": "jwt", "cryptography": "cryptography"}
        found = {library: install_paths.python_library(name, folders) for library, name in modules.items()}
        family = distribution.family_of_host()
        missing = [packages.of_library(library, family) for library, version in found.items() if version is None]
        if found["pyjwt"] is None and "slurmctld" in self.components:
            self.problems += daemon_problems.pyjwt_missing("slurmctld", sys.executable)
        return {
            **super()._python(),
            **found,
            "served": interpreter.is_served(folders),
            "distributions": interpreter.distributions(),
            "unavailable": self.unavailable(missing) if "slurmctld" in self.components else [],
        }

    def unavailable(self, names: list[str]) -> list[str]:
        return packages.unavailable(names, lambda argv: self.run(argv, self.options.conf_path))

    def _see_release(self) -> None:
        super()._see_release()
        if "slurmrestd" in self.components and not install_paths.find_program("slurmrestd", self.options.bin_dirs):
            # Its unit and plugins come with it.
            self.uninstalled = {"slurmrestd"}
            self.problems += daemon_problems.no_slurmrestd(install_paths.find_elsewhere(["slurmrestd"]))

    def _no_program(self) -> None:
        if self.components != ["slurmrestd"]:
            super()._no_program()

    # slurmdbd.conf and SlurmUser

    def _see_dbd_conf(self) -> dict[str, Any] | None:
        if "slurmdbd" not in self.components:
            return None
        path = self.options.dbd_conf_path
        if file_paths.look(path).kind == "missing":
            self.problems += daemon_problems.dbd_conf_missing(path)
            return {"path": path, "exists": False}
        self.slurmdbd = self._load("slurmdbd", path, "slurmdbd")
        return facts.slurmdbd_conf(self.slurmdbd) if self.slurmdbd else {"path": path, "exists": True}

    def _see_slurm_user(self) -> dict[str, Any] | None:
        file = self.slurm if "slurmctld" in self.components else self.slurmdbd or self.slurm
        if file is None:
            return None
        name = file.conf.value("SlurmUser") or "root"
        self.user = user = file_paths.find_user(name)
        if user is None:
            self.problems += daemon_problems.no_slurm_user(self.components[0], name)
            return {"name": name, "exists": False, "uid": None, "gid": None, "group": None}
        group = group_name(user.gid)
        return {"name": user.name, "exists": True, "uid": user.uid, "gid": user.gid, "group": group}

    def _judge(self, file: facts.ConfFile) -> list[problems.Problem]:
        found = super()._judge(file)
        if file is self.slurmdbd:
            for path in file.conf.paths:
                included = path != file.conf.paths[0]
                place = file_paths.look(path)
                found += daemon_problems.dbd_conf_attributes(path, place, self.user, self.release, included)
        return found

    # What has fields of its own

    def _key(self, path: str | None) -> dict[str, Any] | None:
        if not {"slurmctld", "slurmdbd"} & set(self.components):
            return super()._key(path)
        return self.keys.key(path) if path is not None else None

    def _jwks_path(self) -> str | None:
        return self.keys.jwks_path()

    def _jwks(self) -> dict[str, Any] | None:
        return self.keys.jwks()

    def _plugins(self) -> dict[str, Any] | None:
        return self.plugins.inspect()

    def _daemons(self) -> dict[str, Any]:
        found = {component: self.daemons.inspect(component) for component in self.components if component != "node"}
        return {**found, **super()._daemons()} if "node" in self.components else found

    # Files of daemons, and their state

    def key_hosts(self) -> list[tuple[str, facts.ConfFile]]:
        """The components of this host that load keys, and the file that tells each which."""
        files = (("slurmctld", self.slurm), ("slurmdbd", self.slurmdbd))
        return [(component, file) for component, file in files if component in self.components and file is not None]

    def brings(self, component: str, what: str) -> None:
        """Note what a daemon's own file asks for, which is missing, and which a rollout puts in place."""
        if self.options.declared is not None:
            self.to_bring.setdefault(component, []).append(what)

    def declared_parameters(self) -> dict[str, Any]:
        return (self.options.declared or {}).get("parameters") or {}

    def _state_dir(self) -> dict[str, Any] | None:
        if "slurmctld" not in self.components or self.slurm is None:
            return None
        path = facts.state_save_location(self.slurm.conf)
        place = file_paths.look(path)
        self.problems += daemon_problems.state_dir(path, place, self.user)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
            mount = file_paths.mount_of(path, stream.read())
        return {
            **facts.attributes(place),
            "path": path,
            "exists": place.kind == "directory",
            "writable_by_others": daemon_problems.writable_by_others(place, self.user),
            "mount": mount.point,
            "source": mount.source,
            "fstype": mount.type,
            "network": network.is_network(mount.type),
            "identity": facts.identity(path),
        }

    # Room

    def _places_to_write(self, found: dict[str, Any]) -> dict[str, str]:
        folders = super()._places_to_write(found)
        if self.options.declared is None:
            return folders
        declared = self.declared_parameters()
        if found["key"] is not None and not found["key"]["exists"] and declared.get("jwt_key") is not False:
            folders[os.path.dirname(os.path.realpath(found["key"]["path"]))] = self.components[0]
        if declared.get("jwks") and found["jwks"] is not None:
            folders[os.path.dirname(os.path.realpath(found["jwks"]["path"]))] = self.components[0]
        slurmrestd = found["daemons"].get("slurmrestd")
        if slurmrestd and not slurmrestd["slurm_jwt"]:
            folders["/etc/systemd/system"] = "slurmrestd"
        return folders
