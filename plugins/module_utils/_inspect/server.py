# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a host of slurmctld, slurmdbd or slurmrestd, once, and changes nothing. Private to this collection."""

from __future__ import annotations

import os
import sys
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import access
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths as file_paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
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
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import hs256, rotation
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths, listeners, processes, rest_unit

DPKG_QUERY, RPM = "/usr/bin/dpkg-query", "/usr/bin/rpm"
_PLUGINS_OF = {
    "slurmctld": ("auth_jwt.so",),
    "slurmdbd": ("auth_jwt.so",),
    "slurmrestd": ("auth_jwt.so", "rest_auth_jwt.so"),
}


class DaemonHost(node.Host):
    """One look at a host of daemons, which may be a node, too."""

    def __init__(self, options: node.Options, run: node.Run) -> None:
        super().__init__(options, run)
        self._units: dict[str, processes.Unit] = {}
        self._user: file_paths.User | None = None
        self._uninstalled: set[str] = set()
        self._to_bring: dict[str, list[str]] = {}
        self._see_units()

    def _see_units(self) -> None:
        """Ask systemd once for every unit that matters, and learn from it what this host is if nobody said."""
        asked = [part for part in node.PARTS[:3] if part in (self.parts or node.PARTS)]
        if not self.parts:
            asked.append("slurmd")
        self._units = self._show(asked)
        if not self.parts:
            used = [part for part, unit in self._units.items() if unit.in_use]
            self.parts = [part for part in node.PARTS[:3] if part in used]
            if "slurmd" in used or not self.parts:
                self.parts.append("node")

    def _show(self, asked: list[str]) -> dict[str, processes.Unit]:
        names = [processes.unit_name(self._service(part)) for part in asked]
        argv = ["systemctl", "show", "--property", ",".join(processes.UNIT_PROPERTIES), "--", *names]
        dummy_rc, out, dummy_err = self.run(argv, self.options.conf_path)
        return dict(zip(asked, processes.parse_units(out)))

    def _service(self, part: str) -> str:
        return self.options.services.get(part, part)

    def _is_where_it_was_said(self) -> bool:
        # All daemons are looked at in any case.
        return super()._is_where_it_was_said() and self.parts == ["node"]

    def _daemon_of(self, part: str) -> whereabouts.SeenDaemon:
        """A daemon by its unit, or by the one that it runs in instead."""
        if part == "node":
            return super()._daemon_of(part)
        unit = self._units.get(part, processes.NO_UNIT)
        if not unit.pid:
            named = self._service(part)
            service = next((service for dummy_pid, service in whereabouts.running(part)), None)
            if service and processes.unit_name(service) != processes.unit_name(named):
                self.undeclared.append(undeclared.service(part, named, service))
                self.options = self.options._replace(services={**self.options.services, part: service})
                self._units.update(self._show([part]))
                unit = self._units.get(part, processes.NO_UNIT)
        self._running[part] = process = processes.look(unit.pid) if unit.pid else None
        found = whereabouts.look(part, self._service(part), unit, process)
        if found.program is None or not os.path.exists(found.program):
            at_hand = install_paths.find_program(part, self.options.bin_dirs)
            found = found._replace(program=None if at_hand else install_paths.find_elsewhere([part]))
        return found

    def _python(self) -> dict[str, Any]:
        # The first entry may be the module's own archive.
        folders = [folder for folder in sys.path if os.path.isdir(folder)]
        modules = {"pyjwt": "jwt", "cryptography": "cryptography"}
        found = {library: install_paths.python_library(name, folders) for library, name in modules.items()}
        family = distribution.family_of_host()
        missing = [packages.of_library(library, family) for library, version in found.items() if version is None]
        if found["pyjwt"] is None and "slurmctld" in self.parts:
            self.problems += daemon_problems.pyjwt_missing("slurmctld", sys.executable)
        return {
            **super()._python(),
            **found,
            "served": interpreter.is_served(folders),
            "distributions": interpreter.distributions(),
            "unavailable": self._unavailable(missing) if "slurmctld" in self.parts else [],
        }

    def _unavailable(self, names: list[str]) -> list[str]:
        return packages.unavailable(names, lambda argv: self.run(argv, self.options.conf_path))

    def _see_release(self) -> None:
        super()._see_release()
        if "slurmrestd" in self.parts and not install_paths.find_program("slurmrestd", self.options.bin_dirs):
            # Its unit and plugins come with it.
            self._uninstalled = {"slurmrestd"}
            self.problems += daemon_problems.no_slurmrestd(install_paths.find_elsewhere(["slurmrestd"]))

    def _no_program(self) -> None:
        if self.parts != ["slurmrestd"]:
            super()._no_program()

    # slurmdbd.conf and SlurmUser

    def _see_dbd_conf(self) -> dict[str, Any] | None:
        if "slurmdbd" not in self.parts:
            return None
        path = self.options.dbd_conf_path
        if file_paths.look(path).kind == "missing":
            self.problems += daemon_problems.dbd_conf_missing(path)
            return {"path": path, "exists": False}
        self.slurmdbd = self._load("slurmdbd", path, "slurmdbd")
        return facts.slurmdbd_conf(self.slurmdbd) if self.slurmdbd else {"path": path, "exists": True}

    def _see_slurm_user(self) -> dict[str, Any] | None:
        file = self.slurm if "slurmctld" in self.parts else self.slurmdbd or self.slurm
        if file is None:
            return None
        name = file.conf.value("SlurmUser") or "root"
        self._user = user = file_paths.find_user(name)
        if user is None:
            self.problems += daemon_problems.no_slurm_user(self.parts[0], name)
            return {"name": name, "exists": False, "uid": None, "gid": None, "group": None}
        group = group_name(user.gid)
        return {"name": user.name, "exists": True, "uid": user.uid, "gid": user.gid, "group": group}

    def _judge(self, file: facts.ConfFile) -> list[problems.Problem]:
        found = super()._judge(file)
        if file is self.slurmdbd:
            for path in file.conf.paths:
                included = path != file.conf.paths[0]
                place = file_paths.look(path)
                found += daemon_problems.dbd_conf_attributes(path, place, self._user, self.release, included)
        return found

    # Key and state

    def _key_hosts(self) -> list[tuple[str, facts.ConfFile]]:
        """The parts of this host that load keys, and the file that tells each which."""
        files = (("slurmctld", self.slurm), ("slurmdbd", self.slurmdbd))
        return [(part, file) for part, file in files if part in self.parts and file is not None]

    def _key(self, path: str | None) -> dict[str, Any] | None:
        if not {"slurmctld", "slurmdbd"} & set(self.parts):
            return super()._key(path)
        if path is None:
            return None
        key_hosts = self._key_hosts()
        found = self._key_file(key_hosts[0][0] if key_hosts else self.parts[0], path)
        for key_host, file in key_hosts:
            in_force = file.jwt.key_path if file.jwt.enabled else None
            if in_force and os.path.realpath(in_force) != os.path.realpath(path):
                self.problems += daemon_problems.key_elsewhere(key_host, path, in_force)
            elif in_force and not found["exists"]:
                self.problems += daemon_problems.key_missing(key_host, path)
            if in_force and not os.path.exists(in_force) and self._declared_parameters().get("jwt_key") is not False:
                self._brings(key_host, f"the key {in_force}")
        return found

    def _in_force(self, path: str) -> bool:
        """Whether the file of a daemon of this host says that this is its key."""
        named = [file.jwt.key_path for dummy, file in self._key_hosts() if file.jwt.enabled and file.jwt.key_path]
        return any(os.path.realpath(each) == os.path.realpath(path) for each in named)

    def _brings(self, part: str, what: str) -> None:
        """Note what a daemon's own file asks for, which is missing, and which a rollout puts in place."""
        if self.options.declared is not None:
            self._to_bring.setdefault(part, []).append(what)

    def _key_file(self, part: str, path: str) -> dict[str, Any]:
        place = file_paths.look(path)
        if place.is_link or place.kind not in ("file", "missing"):
            self.problems += daemon_problems.key_not_a_file(part, path, place)
            return facts.key(path, place)
        # Where no key is wanted, nobody minds that there is no place for one.
        wanted = place.kind == "file" or self._declared_parameters().get("jwt_key") is not False
        folder = os.path.dirname(path)
        if wanted and daemon_problems.writable_by_others(file_paths.look(folder), self._user):
            self.problems += daemon_problems.key_place(part, path, f"Others can write to {folder}.")
            return facts.key(path, place)
        try:
            slots = rotation.read_slots(path)
        except SecretFileError as error:
            if wanted:
                self.problems += daemon_problems.key_place(part, path, str(error))
            return facts.key(path, place)
        if slots.live is None:
            return facts.key(path, file_paths.MISSING)
        if self.release is not None:
            self.problems += daemon_problems.key_attributes(part, path, place, self._user, self.release)
        weakness = hs256.weakness(slots.live.key.data)
        if weakness:
            # With an empty key no daemon starts, whatever its file says.
            in_force = self._in_force(path) and bool(slots.live.key.data)
            self.problems += daemon_problems.key_weak(part, path, weakness, in_force)
        return {
            **facts.key(path, place),
            "weakness": weakness,
            **self._key_history(slots.live),
            "next": self._key_beside(path, rotation.NEXT, slots.next),
            "previous": self._key_beside(path, rotation.PREVIOUS, slots.previous),
        }

    def _key_beside(self, path: str, which: str, kept: rotation.Slot | None) -> dict[str, Any] | None:
        if kept is None:
            return None
        return {**facts.attributes(file_paths.look(rotation.beside(path, which))), **self._key_history(kept)}

    def _key_history(self, kept: rotation.Slot) -> dict[str, Any]:
        record = kept.spoken
        return {
            "fingerprint": kept.fingerprint,
            "serial": record.serial,
            "created": hs256.format_time(record.created),
            "age": max(0, int(self.now - record.created)),
            "by": record.by,
            "run": record.run,
            "run_age": max(0, int(self.now - kept.recorded)) if record.run and kept.recorded else None,
        }

    def _jwks_path(self) -> str | None:
        return self.options.jwks_path or next((file.jwt.jwks_path for dummy, file in self._key_hosts()), None)

    def _jwks(self) -> dict[str, Any] | None:
        path = self._jwks_path()
        if path is None:
            return None
        place = file_paths.look(path)
        for part, file in self._key_hosts():
            if file.jwt.enabled and file.jwt.jwks_path == path and self.release is not None:
                mended = bool(self._declared_parameters().get("jwks"))
                self.problems += daemon_problems.jwks(part, path, place, self._user, self.release, mended)
                if mended and place.kind == "missing":
                    self._brings(part, f"the key set {path}")
        exists, kids = place.kind == "file", facts.kids(path, place)
        return {**facts.attributes(place), "path": path, "exists": exists, "kids": kids}

    def _declared_parameters(self) -> dict[str, Any]:
        return (self.options.declared or {}).get("parameters") or {}

    def _state_dir(self) -> dict[str, Any] | None:
        if "slurmctld" not in self.parts or self.slurm is None:
            return None
        path = facts.state_save_location(self.slurm.conf)
        place = file_paths.look(path)
        self.problems += daemon_problems.state_dir(path, place, self._user)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
            mount = file_paths.mount_of(path, stream.read())
        return {
            **facts.attributes(place),
            "path": path,
            "exists": place.kind == "directory",
            "writable_by_others": daemon_problems.writable_by_others(place, self._user),
            "mount": mount.point,
            "source": mount.source,
            "fstype": mount.type,
            "network": network.is_network(mount.type),
            "identity": facts.identity(path),
        }

    # Plugins

    def _plugins(self) -> dict[str, Any] | None:
        # The part that needs a plugin most is named where it is missing.
        parts = [part for part in node.PARTS[:3] if part in self.parts and part not in self._uninstalled]
        needed = {name: part for part in reversed(parts) for name in _PLUGINS_OF[part]}
        if not needed:
            return None
        file = self.slurm or self.slurmdbd
        named = self.options.plugin_dir or (file.conf.value("PluginDir") if file else None)
        folder = install_paths.plugin_dir(named, self.program)
        paths = {name: facts.existing(folder, name) for name in ("auth_jwt.so", "rest_auth_jwt.so")}
        missing = {name: part for name, part in needed.items() if paths[name] is None}
        auth_jwt = paths["auth_jwt.so"]
        libjwt = install_paths.find_libjwt(auth_jwt) if auth_jwt else None
        if auth_jwt:
            self.problems += daemon_problems.libjwt_missing(needed["auth_jwt.so"], auth_jwt, libjwt)
        bring = self._packages(missing, folder) if missing else []
        return {
            "dir": folder,
            "auth_jwt": auth_jwt,
            "rest_auth_jwt": paths["rest_auth_jwt.so"],
            "libjwt": libjwt._asdict() if libjwt else None,
            "packages": bring,
            "unavailable": self._unavailable(bring),
        }

    def _packages(self, missing: dict[str, str], folder: str | None) -> list[str]:
        installed: dict[str, str] = {}
        if os.path.exists(DPKG_QUERY):
            argv = [DPKG_QUERY, "-W", "-f", install_paths.DPKG_FORMAT, *install_paths.PACKAGES_ASKED]
            installed = install_paths.parse_dpkg(self.run(argv, self.options.conf_path)[1])
        found: dict[str, None] = {}
        for name, part in missing.items():
            bring = install_paths.missing_packages(name, installed)
            owner = self._owner(os.path.join(folder, name)) if folder and not bring else None
            if owner:
                command = install_paths.reinstall(owner)
                self.problems += daemon_problems.plugin_lost(part, name, folder, owner.name, command)
            else:
                self.problems += daemon_problems.plugin_missing(part, name, folder, bring, os.path.exists(RPM))
            found.update(dict.fromkeys(bring))
            for key_host, file in self._key_hosts():
                if bring and name == "auth_jwt.so" and file.jwt.enabled:
                    self._brings(key_host, name)
        return list(found)

    def _owner(self, path: str) -> install_paths.Package | None:
        """The installed package that a missing file belongs to."""

        def said(*argv: str) -> str:
            return self.run(list(argv), self.options.conf_path)[1]

        if os.path.exists(DPKG_QUERY):
            name = install_paths.parse_dpkg_search(said(DPKG_QUERY, "-S", path), path)
            answer = said(DPKG_QUERY, "-W", "-f", install_paths.DPKG_FORMAT, name) if name else ""
            found = install_paths.parse_dpkg(answer)
            return install_paths.Package(name, found[name]) if name in found else None
        if os.path.exists(RPM):
            return install_paths.parse_rpm_owner(said(RPM, "-qf", "--queryformat", install_paths.RPM_FORMAT, path))
        return None

    # Daemons

    def _daemons(self) -> dict[str, Any]:
        found = {part: self._daemon(part) for part in self.parts if part != "node"}
        return {**found, **super()._daemons()} if "node" in self.parts else found

    def _daemon(self, part: str) -> dict[str, Any]:
        service = self._service(part)
        unit = self._units.get(part, processes.NO_UNIT)
        unmanaged = 0 if unit.pid else self._unmanaged(part)
        process = self._running.get(part) or (processes.look(unmanaged) if unmanaged else None)
        if part not in self._uninstalled:
            missing = self._to_bring.get(part, [])
            self.problems += daemon_problems.unit(part, service, unit, unmanaged, missing)
        self.problems += daemon_problems.replaced_program(part, process)
        if part != "slurmdbd":
            self.problems += problems.conf_elsewhere(part, self.options.conf_path, process)
        loaded, reasons = "unknown", []
        if part == "slurmrestd":
            self.problems += daemon_problems.slurmrestd_user(process, self._user)
            self.problems += daemon_problems.slurmrestd_unit(unit, rest_unit.dropins(service, unit.files))
            self._see_rest_user()
            self.problems += daemon_problems.slurmrestd_address(self.options.slurmrestd_listen, unit.pid)
            reasons = _stale_slurmrestd(unit, process)
        else:
            files = [path for path in unit.environment_files if processes.sets_slurm_jwt(path)]
            self.problems += problems.environment(part, service, process, unit.slurm_jwt, files)
            file = dict(self._key_hosts()).get(part)
            if process is not None and file is not None:
                loaded, reasons = self._stale_key_host(part, process, file)
        self.problems += daemon_problems.stale(part, reasons)
        listens = listeners.of_process(process.pid) if process and part == "slurmrestd" else []
        found = facts.daemon(service, unit, process)
        before = rest_unit.before_jwt(service) if part == "slurmrestd" else None
        return {**found, "key_loaded": loaded, "stale": reasons, "listens": listens, "before_jwt": before}

    def _see_rest_user(self) -> None:
        """Whether slurmrestd can run as whom the site wants."""
        name, group = self.options.slurmrestd_user, self.options.slurmrestd_group
        if not name:
            return
        user, gid = file_paths.find_user(name), access.gid_named(group) if group else None
        self.problems += daemon_problems.slurmrestd_user_to_be(name, user, self._user)
        if group and gid is None:
            self.problems += daemon_problems.slurmrestd_group_missing(group)
        for path in self.slurm.conf.paths if self.slurm else ():
            barrier = access.barrier(path, access.who(user, gid))
            if barrier:
                self.problems += daemon_problems.slurmrestd_conf(path, barrier, file_paths.look(barrier), name)

    def _unmanaged(self, part: str) -> int:
        file, key = (self.slurmdbd, "PidFile") if part == "slurmdbd" else (self.slurm, "SlurmctldPidFile")
        if part == "slurmrestd" or file is None:
            return 0
        pid_file = file.conf.value(key) or f"/var/run/{part}.pid"
        return processes.main_pid(self._service(part), part, (pid_file,))

    def _stale_key_host(
        self, part: str, process: processes.Process, file: facts.ConfFile
    ) -> tuple[str, list[str]]:
        """Whether slurmctld or slurmdbd has the key that is on the disk, and whether it knows its file as it is now."""
        key = file.jwt.key_path if file.jwt.enabled else None
        loaded = processes.holds(process.pid, key) if key and os.path.exists(key) else "unknown"
        if loaded == "replaced":
            return loaded, [f"{part} still holds a key that was replaced by the one in {key}."]
        if loaded == "absent":
            return loaded, [f"{part} was started before JWT was switched on with {key}."]
        jwks = file.jwt.jwks_path if file.jwt.enabled else None
        if jwks and file_paths.look(jwks).modified > process.started:
            return loaded, [f"{jwks} was written after {part} had started."]
        newest = max(file_paths.look(path).modified for path in file.data)
        return loaded, self._compare_with_memory(part, file) if newest > process.started else []

    def _compare_with_memory(self, part: str, file: facts.ConfFile) -> list[str]:
        """The file is newer than the process, which may have been told to read it again: ask the daemon itself."""
        argv = ["scontrol", "show", "config"] if part == "slurmctld" else ["sacctmgr", "show", "configuration"]
        # For slurmdbd that stands by, the other one would answer.
        stands_by = part == "slurmdbd" and facts.slurmdbd_conf(file)["standby"]
        may_ask = self._conf_is_sound() and not stands_by
        program = install_paths.find_program(argv[0], self.options.bin_dirs) if may_ask else None
        rc, out, dummy_err = self.run([program, *argv[1:]], self._conf_for(program)) if program else (127, "", "")
        path = file.conf.paths[0]
        if rc == 0:
            return [
                f"{path} says {name}={written or ''}, and {part} has {name}={memory or ''} in memory."
                for name, written, memory in facts.memory_differences(out, file.written)
            ]
        # slurmctld may have read it since. slurmdbd never reads it all again, and a restart is a small thing.
        return [f"{path} was written after slurmdbd had started."] if part == "slurmdbd" else []

    # Room

    def _places_to_write(self, found: dict[str, Any]) -> dict[str, str]:
        folders = super()._places_to_write(found)
        if self.options.declared is None:
            return folders
        declared = self._declared_parameters()
        if found["key"] is not None and not found["key"]["exists"] and declared.get("jwt_key") is not False:
            folders[os.path.dirname(os.path.realpath(found["key"]["path"]))] = self.parts[0]
        if declared.get("jwks") and found["jwks"] is not None:
            folders[os.path.dirname(os.path.realpath(found["jwks"]["path"]))] = self.parts[0]
        slurmrestd = found["daemons"].get("slurmrestd")
        if slurmrestd and not slurmrestd["slurm_jwt"]:
            folders["/etc/systemd/system"] = "slurmrestd"
        return folders


def _stale_slurmrestd(unit: processes.Unit, process: processes.Process | None) -> list[str]:
    """slurmrestd takes from its unit all that a rollout sets."""
    if process is None:
        return []
    newer = [path for path in unit.files if file_paths.look(path).modified > process.started]
    return [f"{path} was written after slurmrestd had started." for path in newer]
