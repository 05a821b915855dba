# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds members of slurm_jwt_info's result from what was read on a host. Private to this collection."""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import auth_alt, openmetrics
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name, user_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import PathInfo, inspect
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.file_identity import identities
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.processes import Process
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.units import Unit

_OLD_CONTROLLERS = (("ControlMachine", "ControlAddr"), ("BackupController", "BackupAddr"))
_LARGEST_JWKS = 1024 * 1024


class ConfFile(NamedTuple):
    """slurm.conf or slurmdbd.conf as it is on disk."""

    kind: str
    """slurm or slurmdbd."""
    conf: Conf
    place: PathInfo
    jwt: auth_alt.AuthAlt

    @property
    def written(self) -> dict[str, str | None]:
        """The file's values of parameters that the daemon loads at its start or reconfiguration."""
        names = (auth_alt.TYPES, auth_alt.PARAMETERS, *(openmetrics.PARAMETERS if self.kind == "slurm" else ()))
        return {name: self.conf.value(name) for name in names}


def load(path: str, kind: str) -> ConfFile:
    """Read a file as Slurm does; raises ConfError and OSError."""
    conf = Conf.load(path, kind=kind)
    jwt = auth_alt.read(conf, None if kind == "slurmdbd" else default_key(conf))
    return ConfFile(kind, conf, inspect(path), jwt)


def state_save_location(conf: Conf) -> str:
    """The folder of slurmctld's state."""
    return conf.value("StateSaveLocation") or "/var/spool"


def default_key(conf: Conf) -> str:
    """The path of slurmctld's key unless jwt_key= names another one."""
    return os.path.join(state_save_location(conf), "jwt_hs256.key")


def slurm_conf(file: ConfFile) -> dict[str, Any]:
    """The result "conf"."""
    conf = file.conf
    names = controllers(conf)
    return {
        **_conf_file(file),
        "cluster_name": conf.value("ClusterName"),
        "controllers": names,
        "controller_index": position(names, os.uname().nodename),
        "enable_configless": "enable_configless" in (conf.value("SlurmctldParameters") or "").lower(),
        "accounting": (conf.value("AccountingStorageType") or "").lower().endswith("slurmdbd"),
        "accounting_storage_host": conf.value("AccountingStorageHost") or "localhost",
        "accounting_storage_backup_host": conf.value("AccountingStorageBackupHost"),
        "slurmctld_port": port(conf.value("SlurmctldPort"), 6817),
        "slurmdbd_port": port(conf.value("AccountingStoragePort"), 6819),
        "slurmctld_log_file": conf.value("SlurmctldLogFile"),
        "state_save_location": state_save_location(conf),
    }


def slurmdbd_conf(file: ConfFile) -> dict[str, Any]:
    """The result "dbd_conf"."""
    conf = file.conf
    return {
        **_conf_file(file),
        "dbd_host": conf.value("DbdHost"),
        "dbd_backup_host": conf.value("DbdBackupHost"),
        "standby": _is_this_host(conf.value("DbdBackupHost")),
        "dbd_port": port(conf.value("DbdPort"), 6819),
        "log_file": conf.value("LogFile"),
    }


def _is_this_host(name: str | None) -> bool:
    """Whether slurmdbd takes this name for its own host when it starts."""
    own = os.uname().nodename
    return name is not None and name in (own, own.partition(".")[0], "localhost")


def _conf_file(file: ConfFile) -> dict[str, Any]:
    conf = file.conf
    checksum = hashlib.sha256()
    for path in conf.paths:
        checksum.update(conf.data[path])
    return {
        **attributes(file.place),
        "path": conf.paths[0],
        "exists": True,
        "files": list(conf.paths),
        "identities": identities(conf.paths),
        "checksum": checksum.hexdigest(),
        "slurm_user": conf.value("SlurmUser") or "root",
        "auth_type": conf.value("AuthType"),
        "plugin_dir": conf.value("PluginDir"),
        "auth_alt_types": file.jwt.types,
        "auth_alt_parameters": file.jwt.parameters,
        "jwt_enabled": file.jwt.enabled,
        "key_path": file.jwt.key_path,
        "jwks_path": file.jwt.jwks_path,
    }


def attributes(place: PathInfo) -> dict[str, Any]:
    """Owner, group and mode by name; null if the path does not exist."""
    if place.kind == "missing":
        return {"owner": None, "group": None, "mode": None}
    return {"owner": user_name(place.uid), "group": group_name(place.gid), "mode": place.octal}


def key(path: str, place: PathInfo) -> dict[str, Any]:
    """The result "key", without the values that need its content."""
    there = place.kind != "missing"
    return {
        **attributes(place),
        "path": path,
        "exists": there,
        "folder_exists": os.path.isdir(os.path.dirname(path)),
        "size": place.size if there else None,
        "inode": place.inode if there else None,
        "modified": place.modified if there else None,
        "fingerprint": None,
        "serial": None,
        "created": None,
        "age": None,
        "by": None,
        "run": None,
        "run_age": None,
        "weakness": None,
        "next": None,
        "previous": None,
    }


def daemon(service: str, unit: Unit | None, process: Process | None) -> dict[str, Any]:
    """One daemon. UNIT is None if systemd was not asked."""
    return {
        "service": service,
        "exists": unit.exists if unit else None,
        "active": unit.active if unit else None,
        "sub": unit.sub if unit else None,
        "enabled": unit.enabled if unit else None,
        "needs_reload": unit.needs_reload if unit else None,
        "pid": process.pid if process else 0,
        "started": round(process.started, 2) if process else None,
        "user": user_name(process.uid) if process else None,
        "uid": process.uid if process else None,
        "command": list(process.command) if process else [],
        "slurm_jwt": process.slurm_jwt if process else None,
        "key_loaded": "unknown",
        "stale": [],
        "listens": [],
        "before_jwt": None,
        "dropin": None,
    }


def port(value: str | None, default: int) -> int:
    """The first port of a value such as 6820-6823."""
    match = re.match(r"\d+", value or "")
    return int(match.group()) if match else default


def existing(folder: str | None, name: str) -> str | None:
    """The path of a file in a folder, if it exists."""
    path = os.path.join(folder, name) if folder else None
    return path if path and os.path.exists(path) else None


def kids(path: str, place: PathInfo) -> list[str]:
    """The names of the keys in a JWKS; none if it cannot be read."""
    if place.kind != "file" or place.size > _LARGEST_JWKS:
        return []
    try:
        with open(path, encoding="utf-8") as stream:
            entries = json.load(stream)["keys"]
        return [str(entry["kid"]) for entry in entries if "kid" in entry]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def controllers(conf: Conf) -> list[dict[str, str]]:
    """The controllers in Slurm's order, primary first."""
    written = [setting.value for setting in conf.occurrences("SlurmctldHost")]
    if written:
        return [_controller(value) for value in written]
    old = [(conf.value(name), conf.value(address)) for name, address in _OLD_CONTROLLERS]
    return [{"name": name, "address": address or name} for name, address in old if name]


def _controller(value: str) -> dict[str, str]:
    name, sep, address = value.partition("(")
    return {"name": name.strip(), "address": address.rstrip(") ") if sep else name.strip()}


def position(names: list[dict[str, str]], hostname: str) -> int | None:
    """The index of this host among the controllers; None if it is not one."""
    short = hostname.partition(".")[0].lower()
    for index, controller in enumerate(names):
        if controller["name"].partition(".")[0].lower() == short:
            return index
    return None


def identity(state_dir: str) -> str | None:
    """A value that is equal on two hosts only if they see the same folder; None before slurmctld has run there."""
    try:
        # slurmctld writes this file only once per cluster.
        found = os.stat(os.path.join(state_dir, "clustername"))
    except OSError:
        return None
    return f"{found.st_ino}:{found.st_ctime_ns}"


def memory_differences(shown: str, written: dict[str, str | None]) -> list[tuple[str, str | None, str | None]]:
    """The parameters that differ between a daemon and its file: name, file's value, daemon's value."""
    differences = []
    for name, value in written.items():
        match = re.search(rf"^{name}\s*= ?(.*?)\s*$", shown, re.MULTILINE | re.IGNORECASE)
        if match is None:
            continue
        memory = None if match.group(1) in ("", "(null)") else match.group(1)
        if memory != (value or None):
            differences.append((name, value, memory))
    return differences
