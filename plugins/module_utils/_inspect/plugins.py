# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects the plugins that JWT needs, and the packages that contain them. Private to this collection."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import (
    daemon_problems,
    facts,
    packages,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import COMPONENTS, Host
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths

DPKG_QUERY, RPM = "/usr/bin/dpkg-query", "/usr/bin/rpm"
_PLUGINS_OF = {
    "slurmctld": ("auth_jwt.so",),
    "slurmdbd": ("auth_jwt.so",),
    "slurmrestd": ("auth_jwt.so", "rest_auth_jwt.so"),
}


class PluginInspection:
    """The plugins of one host."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def inspect(self) -> dict[str, Any] | None:
        # If several components need a missing plugin, the problem names the first one.
        components = [
            name for name in COMPONENTS[:3] if name in self.host.components and name not in self.host.uninstalled
        ]
        needed = {name: component for component in reversed(components) for name in _PLUGINS_OF[component]}
        if not needed:
            return None
        file = self.host.slurm or self.host.slurmdbd
        named = self.host.options.plugin_dir or (file.conf.value("PluginDir") if file else None)
        folder = install_paths.plugin_dir(named, self.host.program)
        paths = {name: facts.existing(folder, name) for name in ("auth_jwt.so", "rest_auth_jwt.so")}
        missing = {name: component for name, component in needed.items() if paths[name] is None}
        auth_jwt = paths["auth_jwt.so"]
        libjwt = install_paths.find_libjwt(auth_jwt) if auth_jwt else None
        if auth_jwt:
            self.host.problems += daemon_problems.libjwt_missing(needed["auth_jwt.so"], auth_jwt, libjwt)
        bring = self._packages(missing, folder) if missing else []
        return {
            "dir": folder,
            "auth_jwt": auth_jwt,
            "rest_auth_jwt": paths["rest_auth_jwt.so"],
            "libjwt": libjwt._asdict() if libjwt else None,
            "packages": bring,
            "unavailable": packages.unavailable(bring, self.host.command),
        }

    def _packages(self, missing: dict[str, str], folder: str | None) -> list[str]:
        installed: dict[str, str] = {}
        if os.path.exists(DPKG_QUERY):
            argv = [DPKG_QUERY, "-W", "-f", install_paths.DPKG_FORMAT, *install_paths.PACKAGES_ASKED]
            installed = install_paths.parse_dpkg(self.host.command(argv)[1])
        found: dict[str, None] = {}
        for name, component in missing.items():
            # Look for the owner first: the package that contains auth_jwt.so differs between Debian releases.
            owner = self._owner(os.path.join(folder, name)) if folder else None
            bring = [] if owner else install_paths.missing_packages(name, installed)
            if owner:
                command = install_paths.reinstall(owner)
                self.host.problems += daemon_problems.plugin_lost(component, name, folder, owner.name, command)
            else:
                self.host.problems += daemon_problems.plugin_missing(
                    component, name, folder, bring, os.path.exists(RPM)
                )
            found.update(dict.fromkeys(bring))
            for key_host, file in self.host.key_hosts():
                if bring and name == "auth_jwt.so" and file.jwt.enabled:
                    self.host.note_missing(key_host, name)
        return list(found)

    def _owner(self, path: str) -> install_paths.Package | None:
        """The installed package that a missing file belongs to."""

        def output(*argv: str) -> str:
            return self.host.command(list(argv))[1]

        if os.path.exists(DPKG_QUERY):
            name = install_paths.parse_dpkg_search(output(DPKG_QUERY, "-S", path), path)
            answer = output(DPKG_QUERY, "-W", "-f", install_paths.DPKG_FORMAT, name) if name else ""
            found = install_paths.parse_dpkg(answer)
            return install_paths.Package(name, found[name]) if name in found else None
        if os.path.exists(RPM):
            return install_paths.parse_rpm_owner(output(RPM, "-qf", "--queryformat", install_paths.RPM_FORMAT, path))
        return None
