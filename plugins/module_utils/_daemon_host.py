# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a host of slurmctld, slurmdbd or slurmrestd, once, and changes nothing. Private to this collection."""

from __future__ import annotations

import os
import sys
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils import (
    _daemon_problems,
    _facts,
    _host,
    _install,
    _key,
    _key_rotation,
    _places,
    _problems,
    _processes,
    _secret_file,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import access
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import (
    distribution,
    interpreter,
    network,
    packages,
    undeclared,
    whereabouts,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._names import group_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import listeners, rest_unit

DPKG_QUERY, RPM = "/usr/bin/dpkg-query", "/usr/bin/rpm"
_PLUGINS_OF = {
    "slurmctld": ("auth_jwt.so",),
    "slurmdbd": ("auth_jwt.so",),
    "slurmrestd": ("auth_jwt.so", "rest_auth_jwt.so"),
}


class DaemonHost(_host.Host):
    """One look at a host of daemons, which may be a node, too."""

    def __init__(self, options: _host.Options, run: _host.Run) -> None:
        super().__init__(options, run)
        self._units: dict[str, _processes.Unit] = {}
        self._user: _places.User | None = None
        self._uninstalled: set[str] = set()
        self._to_bring: dict[str, list[str]] = {}
        self._see_units()

    def _see_units(self) -> None:
        """Ask systemd once for every unit that matters, and learn from it what this host is if nobody said."""
        asked = [part for part in _host.PARTS[:3] if part in (self.parts or _host.PARTS)]
        if not self.parts:
            asked.append("slurmd")
        self._units = self._show(asked)
        if not self.parts:
            used = [part for part, unit in self._units.items() if unit.in_use]
            self.parts = [part for part in _host.PARTS[:3] if part in used]
            if "slurmd" in used or not self.parts:
                self.parts.append("node")

    def _show(self, asked: list[str]) -> dict[str, _processes.Unit]:
        names = [_processes.unit_name(self._service(part)) for part in asked]
        argv = ["systemctl", "show", "--property", ",".join(_processes.UNIT_PROPERTIES), "--", *names]
        dummy_rc, out, dummy_err = self.run(argv, self.options.conf_path)
        return dict(zip(asked, _processes.parse_units(out)))

    def _service(self, part: str) -> str:
        return self.options.services.get(part, part)

    def _is_where_it_was_said(self) -> bool:
        # All daemons are looked at in any case.
        return super()._is_where_it_was_said() and self.parts == ["node"]

    def _daemon_of(self, part: str) -> whereabouts.Daemon:
        """A daemon by its unit, or by the one that it runs in instead."""
        if part == "node":
            return super()._daemon_of(part)
        unit = self._units.get(part, _processes.NO_UNIT)
        if not unit.pid:
            named = self._service(part)
            service = next((service for dummy_pid, service in whereabouts.running(part)), None)
            if service and _processes.unit_name(service) != _processes.unit_name(named):
                self.undeclared.append(undeclared.service(part, named, service))
                self.options = self.options._replace(services={**self.options.services, part: service})
                self._units.update(self._show([part]))
                unit = self._units.get(part, _processes.NO_UNIT)
        self._running[part] = process = _processes.look(unit.pid) if unit.pid else None
        found = whereabouts.look(part, self._service(part), unit, process)
        if found.program is None or not os.path.exists(found.program):
            at_hand = _install.find_program(part, self.options.bin_dirs)
            found = found._replace(program=None if at_hand else _install.find_elsewhere([part]))
        return found

    def _python(self) -> dict[str, Any]:
        # The first entry may be the module's own archive.
        folders = [folder for folder in sys.path if os.path.isdir(folder)]
        modules = {"pyjwt": "jwt", "cryptography": "cryptography"}
        found = {library: _install.python_library(name, folders) for library, name in modules.items()}
        family = distribution.family_of_host()
        missing = [packages.of_library(library, family) for library, version in found.items() if version is None]
        if found["pyjwt"] is None and "slurmctld" in self.parts:
            self.problems += _daemon_problems.pyjwt_missing("slurmctld", sys.executable)
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
        if "slurmrestd" in self.parts and not _install.find_program("slurmrestd", self.options.bin_dirs):
            # Its unit and plugins come with it.
            self._uninstalled = {"slurmrestd"}
            self.problems += _daemon_problems.no_slurmrestd(_install.find_elsewhere(["slurmrestd"]))

    def _no_program(self) -> None:
        if self.parts != ["slurmrestd"]:
            super()._no_program()

    # slurmdbd.conf and SlurmUser

    def _see_dbd_conf(self) -> dict[str, Any] | None:
        if "slurmdbd" not in self.parts:
            return None
        path = self.options.dbd_conf_path
        if _places.look(path).kind == "missing":
            self.problems += _daemon_problems.dbd_conf_missing(path)
            return {"path": path, "exists": False}
        self.slurmdbd = self._load("slurmdbd", path, "slurmdbd")
        return _facts.slurmdbd_conf(self.slurmdbd) if self.slurmdbd else {"path": path, "exists": True}

    def _see_slurm_user(self) -> dict[str, Any] | None:
        file = self.slurm if "slurmctld" in self.parts else self.slurmdbd or self.slurm
        if file is None:
            return None
        name = file.conf.value("SlurmUser") or "root"
        self._user = user = _places.find_user(name)
        if user is None:
            self.problems += _daemon_problems.no_slurm_user(self.parts[0], name)
            return {"name": name, "exists": False, "uid": None, "gid": None, "group": None}
        group = group_name(user.gid)
        return {"name": user.name, "exists": True, "uid": user.uid, "gid": user.gid, "group": group}

    def _judge(self, file: _facts.ConfFile) -> list[_problems.Problem]:
        found = super()._judge(file)
        if file is self.slurmdbd:
            for path in file.conf.paths:
                included = path != file.conf.paths[0]
                place = _places.look(path)
                found += _daemon_problems.dbd_conf_attributes(path, place, self._user, self.release, included)
        return found

    # Key and state

    def _holders(self) -> list[tuple[str, _facts.ConfFile]]:
        """The parts of this host that load keys, and the file that tells each which."""
        files = (("slurmctld", self.slurm), ("slurmdbd", self.slurmdbd))
        return [(part, file) for part, file in files if part in self.parts and file is not None]

    def _key(self, path: str | None) -> dict[str, Any] | None:
        if not {"slurmctld", "slurmdbd"} & set(self.parts):
            return super()._key(path)
        if path is None:
            return None
        holders = self._holders()
        found = self._key_file(holders[0][0] if holders else self.parts[0], path)
        for holder, file in holders:
            in_force = file.jwt.key_path if file.jwt.enabled else None
            if in_force and os.path.realpath(in_force) != os.path.realpath(path):
                self.problems += _daemon_problems.key_elsewhere(holder, path, in_force)
            elif in_force and not found["exists"]:
                self.problems += _daemon_problems.key_missing(holder, path)
            if in_force and not os.path.exists(in_force) and self._declared_parameters().get("jwt_key") is not False:
                self._brings(holder, f"the key {in_force}")
        return found

    def _in_force(self, path: str) -> bool:
        """Whether the file of a daemon of this host says that this is its key."""
        named = [file.jwt.key_path for dummy, file in self._holders() if file.jwt.enabled and file.jwt.key_path]
        return any(os.path.realpath(each) == os.path.realpath(path) for each in named)

    def _brings(self, part: str, what: str) -> None:
        """Note what a daemon's own file asks for, which is missing, and which a rollout puts in place."""
        if self.options.declared is not None:
            self._to_bring.setdefault(part, []).append(what)

    def _key_file(self, part: str, path: str) -> dict[str, Any]:
        place = _places.look(path)
        if place.is_link or place.kind not in ("file", "missing"):
            self.problems += _daemon_problems.key_not_a_file(part, path, place)
            return _facts.key(path, place)
        # Where no key is wanted, nobody minds that there is no place for one.
        wanted = place.kind == "file" or self._declared_parameters().get("jwt_key") is not False
        folder = os.path.dirname(path)
        if wanted and _daemon_problems.writable_by_others(_places.look(folder), self._user):
            self.problems += _daemon_problems.key_place(part, path, f"Others can write to {folder}.")
            return _facts.key(path, place)
        try:
            stand = _key_rotation.look(path)
        except _secret_file.SecretFileError as error:
            if wanted:
                self.problems += _daemon_problems.key_place(part, path, str(error))
            return _facts.key(path, place)
        if stand.live is None:
            return _facts.key(path, _places.MISSING)
        if self.release is not None:
            self.problems += _daemon_problems.key_attributes(part, path, place, self._user, self.release)
        weakness = _key.weakness(stand.live.key.data)
        if weakness:
            # With an empty key no daemon starts, whatever its file says.
            in_force = self._in_force(path) and bool(stand.live.key.data)
            self.problems += _daemon_problems.key_weak(part, path, weakness, in_force)
        return {
            **_facts.key(path, place),
            "weakness": weakness,
            **self._key_history(stand.live),
            "next": self._key_beside(path, _key_rotation.NEXT, stand.next),
            "previous": self._key_beside(path, _key_rotation.PREVIOUS, stand.previous),
        }

    def _key_beside(self, path: str, which: str, kept: _key_rotation.Kept | None) -> dict[str, Any] | None:
        if kept is None:
            return None
        return {**_facts.attributes(_places.look(_key_rotation.beside(path, which))), **self._key_history(kept)}

    def _key_history(self, kept: _key_rotation.Kept) -> dict[str, Any]:
        record = kept.spoken
        return {
            "fingerprint": kept.fingerprint,
            "serial": record.serial,
            "created": _key.format_time(record.created),
            "age": max(0, int(self.now - record.created)),
            "by": record.by,
            "run": record.run,
            "run_age": max(0, int(self.now - kept.recorded)) if record.run and kept.recorded else None,
        }

    def _jwks_path(self) -> str | None:
        return self.options.jwks_path or next((file.jwt.jwks_path for dummy, file in self._holders()), None)

    def _jwks(self) -> dict[str, Any] | None:
        path = self._jwks_path()
        if path is None:
            return None
        place = _places.look(path)
        for part, file in self._holders():
            if file.jwt.enabled and file.jwt.jwks_path == path and self.release is not None:
                mended = bool(self._declared_parameters().get("jwks"))
                self.problems += _daemon_problems.jwks(part, path, place, self._user, self.release, mended)
                if mended and place.kind == "missing":
                    self._brings(part, f"the key set {path}")
        exists, kids = place.kind == "file", _facts.kids(path, place)
        return {**_facts.attributes(place), "path": path, "exists": exists, "kids": kids}

    def _declared_parameters(self) -> dict[str, Any]:
        return (self.options.declared or {}).get("parameters") or {}

    def _state_dir(self) -> dict[str, Any] | None:
        if "slurmctld" not in self.parts or self.slurm is None:
            return None
        path = _facts.state_save_location(self.slurm.conf)
        place = _places.look(path)
        self.problems += _daemon_problems.state_dir(path, place, self._user)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
            mount = _places.mount_of(path, stream.read())
        return {
            **_facts.attributes(place),
            "path": path,
            "exists": place.kind == "directory",
            "writable_by_others": _daemon_problems.writable_by_others(place, self._user),
            "mount": mount.point,
            "source": mount.source,
            "fstype": mount.type,
            "network": network.is_network(mount.type),
            "identity": _facts.identity(path),
        }

    # Plugins

    def _plugins(self) -> dict[str, Any] | None:
        # The part that needs a plugin most is named where it is missing.
        parts = [part for part in _host.PARTS[:3] if part in self.parts and part not in self._uninstalled]
        needed = {name: part for part in reversed(parts) for name in _PLUGINS_OF[part]}
        if not needed:
            return None
        file = self.slurm or self.slurmdbd
        named = self.options.plugin_dir or (file.conf.value("PluginDir") if file else None)
        folder = _install.plugin_dir(named, self.program)
        paths = {name: _facts.existing(folder, name) for name in ("auth_jwt.so", "rest_auth_jwt.so")}
        missing = {name: part for name, part in needed.items() if paths[name] is None}
        auth_jwt = paths["auth_jwt.so"]
        libjwt = _install.find_libjwt(auth_jwt) if auth_jwt else None
        if auth_jwt:
            self.problems += _daemon_problems.libjwt_missing(needed["auth_jwt.so"], auth_jwt, libjwt)
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
            argv = [DPKG_QUERY, "-W", "-f", _install.DPKG_FORMAT, *_install.PACKAGES_ASKED]
            installed = _install.parse_dpkg(self.run(argv, self.options.conf_path)[1])
        found: dict[str, None] = {}
        for name, part in missing.items():
            bring = _install.missing_packages(name, installed)
            owner = self._owner(os.path.join(folder, name)) if folder and not bring else None
            if owner:
                command = _install.reinstall(owner)
                self.problems += _daemon_problems.plugin_lost(part, name, folder, owner.name, command)
            else:
                self.problems += _daemon_problems.plugin_missing(part, name, folder, bring, os.path.exists(RPM))
            found.update(dict.fromkeys(bring))
            for holder, file in self._holders():
                if bring and name == "auth_jwt.so" and file.jwt.enabled:
                    self._brings(holder, name)
        return list(found)

    def _owner(self, path: str) -> _install.Package | None:
        """The installed package that a missing file belongs to."""

        def said(*argv: str) -> str:
            return self.run(list(argv), self.options.conf_path)[1]

        if os.path.exists(DPKG_QUERY):
            name = _install.parse_dpkg_search(said(DPKG_QUERY, "-S", path), path)
            found = _install.parse_dpkg(said(DPKG_QUERY, "-W", "-f", _install.DPKG_FORMAT, name)) if name else {}
            return _install.Package(name, found[name]) if name in found else None
        if os.path.exists(RPM):
            return _install.parse_rpm_owner(said(RPM, "-qf", "--queryformat", _install.RPM_FORMAT, path))
        return None

    # Daemons

    def _daemons(self) -> dict[str, Any]:
        found = {part: self._daemon(part) for part in self.parts if part != "node"}
        return {**found, **super()._daemons()} if "node" in self.parts else found

    def _daemon(self, part: str) -> dict[str, Any]:
        service = self._service(part)
        unit = self._units.get(part, _processes.NO_UNIT)
        unmanaged = 0 if unit.pid else self._unmanaged(part)
        process = self._running.get(part) or (_processes.look(unmanaged) if unmanaged else None)
        if part not in self._uninstalled:
            missing = self._to_bring.get(part, [])
            self.problems += _daemon_problems.unit(part, service, unit, unmanaged, missing)
        self.problems += _daemon_problems.replaced_program(part, process)
        if part != "slurmdbd":
            self.problems += _problems.conf_elsewhere(part, self.options.conf_path, process)
        loaded, reasons = "unknown", []
        if part == "slurmrestd":
            self.problems += _daemon_problems.slurmrestd_user(process, self._user)
            self.problems += _daemon_problems.slurmrestd_unit(unit, rest_unit.dropins(service, unit.files))
            self._see_rest_user()
            self.problems += _daemon_problems.slurmrestd_address(self.options.slurmrestd_listen, unit.pid)
            reasons = _stale_slurmrestd(unit, process)
        else:
            files = [path for path in unit.environment_files if _processes.sets_slurm_jwt(path)]
            self.problems += _problems.environment(part, service, process, unit.slurm_jwt, files)
            file = dict(self._holders()).get(part)
            if process is not None and file is not None:
                loaded, reasons = self._stale_holder(part, process, file)
        self.problems += _daemon_problems.stale(part, reasons)
        listens = listeners.of_process(process.pid) if process and part == "slurmrestd" else []
        found = _facts.daemon(service, unit, process)
        before = rest_unit.before_jwt(service) if part == "slurmrestd" else None
        return {**found, "key_loaded": loaded, "stale": reasons, "listens": listens, "before_jwt": before}

    def _see_rest_user(self) -> None:
        """Whether slurmrestd can run as whom the site wants."""
        name, group = self.options.slurmrestd_user, self.options.slurmrestd_group
        if not name:
            return
        user, gid = _places.find_user(name), access.gid_named(group) if group else None
        self.problems += _daemon_problems.slurmrestd_user_to_be(name, user, self._user)
        if group and gid is None:
            self.problems += _daemon_problems.slurmrestd_group_missing(group)
        for path in self.slurm.conf.paths if self.slurm else ():
            barrier = access.barrier(path, access.who(user, gid))
            if barrier:
                self.problems += _daemon_problems.slurmrestd_conf(path, barrier, _places.look(barrier), name)

    def _unmanaged(self, part: str) -> int:
        file, key = (self.slurmdbd, "PidFile") if part == "slurmdbd" else (self.slurm, "SlurmctldPidFile")
        if part == "slurmrestd" or file is None:
            return 0
        pid_file = file.conf.value(key) or f"/var/run/{part}.pid"
        return _processes.main_pid(self._service(part), part, (pid_file,))

    def _stale_holder(
        self, part: str, process: _processes.Process, file: _facts.ConfFile
    ) -> tuple[str, list[str]]:
        """Whether slurmctld or slurmdbd has the key that is on the disk, and whether it knows its file as it is now."""
        key = file.jwt.key_path if file.jwt.enabled else None
        loaded = _processes.holds(process.pid, key) if key and os.path.exists(key) else "unknown"
        if loaded == "replaced":
            return loaded, [f"{part} still holds a key that was replaced by the one in {key}."]
        if loaded == "absent":
            return loaded, [f"{part} was started before JWT was switched on with {key}."]
        jwks = file.jwt.jwks_path if file.jwt.enabled else None
        if jwks and _places.look(jwks).modified > process.started:
            return loaded, [f"{jwks} was written after {part} had started."]
        newest = max(_places.look(path).modified for path in file.data)
        return loaded, self._compare_with_memory(part, file) if newest > process.started else []

    def _compare_with_memory(self, part: str, file: _facts.ConfFile) -> list[str]:
        """The file is newer than the process, which may have been told to read it again: ask the daemon itself."""
        argv = ["scontrol", "show", "config"] if part == "slurmctld" else ["sacctmgr", "show", "configuration"]
        # For slurmdbd that stands by, the other one would answer.
        stands_by = part == "slurmdbd" and _facts.slurmdbd_conf(file)["standby"]
        may_ask = self._conf_is_sound() and not stands_by
        program = _install.find_program(argv[0], self.options.bin_dirs) if may_ask else None
        rc, out, dummy_err = self.run([program, *argv[1:]], self._conf_for(program)) if program else (127, "", "")
        path = file.conf.paths[0]
        if rc == 0:
            return [
                f"{path} says {name}={written or ''}, and {part} has {name}={memory or ''} in memory."
                for name, written, memory in _facts.memory_differences(out, file.written)
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


def _stale_slurmrestd(unit: _processes.Unit, process: _processes.Process | None) -> list[str]:
    """slurmrestd takes from its unit all that a rollout sets."""
    if process is None:
        return []
    newer = [path for path in unit.files if _places.look(path).modified > process.started]
    return [f"{path} was written after slurmrestd had started." for path in newer]
