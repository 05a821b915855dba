# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Slurm was installed on a host: programs, plugins, libraries, packages. Private to this collection."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import NamedTuple

CONFIGLESS_CONF = "/run/slurm/conf/slurm.conf"
USUAL_BIN_DIRS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# Where an undeclared Slurm may be: good for a hint, not for a decision.
_OTHER_BIN_DIRS = ("/opt/slurm/sbin", "/opt/slurm/bin", "/usr/local/slurm/sbin", "/usr/local/slurm/bin")

# Every folder of plugins has one of these.
_SIGN_OF_PLUGINS = ("auth_munge.so", "auth_none.so", "auth_jwt.so", "select_cons_tres.so", "rest_auth_local.so")

DAEMON_OF = {"slurmctld": "slurmctld", "slurmdbd": "slurmdbd", "slurmrestd": "slurmrestd", "node": "slurmd"}
# These print their release with any configuration. slurmdbd fails if something is wrong with slurmdbd.conf.
_ALWAYS_TELL = ("slurmctld", "slurmd", "slurmrestd")

PACKAGES_ASKED = (
    "slurm-wlm-basic-plugins",
    "slurm-wlm-jwt-plugin",
    "slurmctld",
    "slurmdbd",
    "slurmrestd",
    "slurm-smd",
)
DPKG_FORMAT = "${db:Status-Status} ${Package} ${Version}\\n"
RPM_FORMAT = "%{NAME} %{VERSION}-%{RELEASE}\\n"

# Commands that restore the files of a package in its installed version: another version would not fit Slurm.
_REINSTALL = (
    ("/usr/bin/apt-get", "apt-get install --reinstall {name}={version}"),
    ("/usr/bin/dnf", "dnf reinstall {name}"),
    ("/usr/bin/yum", "yum reinstall {name}"),
    ("/usr/bin/zypper", "zypper install --force {name}={version}"),
)


def release_programs(components: list[str]) -> list[str]:
    """Names of the daemons to ask for the release on a host with these components, the best first, none twice."""
    own = [daemon for component, daemon in DAEMON_OF.items() if component in components]
    return list(dict.fromkeys([*own, *_ALWAYS_TELL]))


def find_programs(names: list[str], bin_dirs: list[str], usual: tuple[str, ...] | None = None) -> list[str]:
    """Those of the programs that are in a declared folder, or else in a usual one."""
    found = []
    for name in names:
        for folder in (*bin_dirs, *(USUAL_BIN_DIRS if usual is None else usual)):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                found.append(path)
                break
    return found


def find_program(name: str, bin_dirs: list[str]) -> str | None:
    """The program in a declared folder, or else in a usual one."""
    return next(iter(find_programs([name], bin_dirs)), None)


def find_elsewhere(names: list[str]) -> str | None:
    """A program in a folder that is neither declared nor usual."""
    on_path = tuple(folder for folder in os.environ.get("PATH", "").split(":") if folder)
    return next(iter(find_programs(names, [], (*on_path, *_OTHER_BIN_DIRS))), None)


def plugin_dir(named: str | None, program: str | None, root: str = "/") -> str | None:
    """The folder of Slurm's plugins: the first that has plugins, of those in ``named``, or else of the usual ones.

    ``named`` is the value of ``PluginDir`` or of an option, with colons between folders.
    """
    candidates = (named or "").split(":") if named else _usual_plugin_dirs(program, root)
    folders = [folder for folder in candidates if folder]
    for folder in folders:
        if any(os.path.exists(os.path.join(folder, name)) for name in _SIGN_OF_PLUGINS):
            return folder
    return folders[0] if named and folders else None


def _usual_plugin_dirs(program: str | None, root: str) -> list[str]:
    prefixes = []
    if program:
        # In a separate prefix, PREFIX/sbin/slurmctld has its plugins in PREFIX/lib/slurm.
        prefixes.append(os.path.dirname(os.path.dirname(os.path.realpath(program))))
    prefixes += [os.path.join(root, "usr"), os.path.join(root, "usr/local")]
    found: list[str] = []
    for prefix in dict.fromkeys(prefixes):
        lib = os.path.join(prefix, "lib")
        libs = [os.path.join(prefix, "lib64"), lib]
        with suppress(OSError):
            libs += sorted(os.path.join(lib, name) for name in os.listdir(lib) if "-linux-gnu" in name)
        found += [os.path.join(each, name) for each in libs for name in ("slurm-wlm", "slurm")]
    return found


class Libjwt(NamedTuple):
    """The library that auth_jwt.so was built with."""

    name: str
    """As the plugin names it, such as libjwt.so.2."""
    path: str | None
    """Where the dynamic linker would find it, or None."""


def find_libjwt(plugin: str, root: str = "/") -> Libjwt | None:
    """The libjwt that a plugin needs; None where the plugin names none or cannot be read."""
    try:
        with open(plugin, "rb") as stream:
            match = re.search(rb"libjwt\.so\.\d+", stream.read())
    except OSError:
        return None
    if match is None:
        return None
    name = match.group().decode()
    return Libjwt(name, _in_linker_cache(name, root) or _in_usual_libs(name, plugin))


def _in_linker_cache(name: str, root: str) -> str | None:
    try:
        with open(os.path.join(root, "etc/ld.so.cache"), "rb") as stream:
            match = re.search(rb"/[^\0]*/" + re.escape(name.encode()) + rb"(?=\0)", stream.read())
    except OSError:
        return None
    path = match.group().decode(errors="replace") if match else ""
    return path if path and os.path.exists(path) else None


def _in_usual_libs(name: str, plugin: str) -> str | None:
    # PREFIX/lib/slurm/auth_jwt.so: its neighbours are in PREFIX/lib.
    beside = os.path.dirname(os.path.dirname(os.path.realpath(plugin)))
    for folder in (beside, "/usr/lib64", "/usr/lib", "/usr/local/lib"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    return None


def parse_dpkg(text: str) -> dict[str, str]:
    """Package to version, from dpkg-query -W -f DPKG_FORMAT; installed packages only."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[0] == "installed":
            found[fields[1]] = fields[2]
    return found


def missing_packages(plugin: str, installed: dict[str, str]) -> list[str]:
    """The packages, as NAME=VERSION, that add a plugin to a Debian host with the INSTALLED ones; none if unknown.

    The version is that of the installed Slurm: a plugin of another release would not load.
    """
    if "slurm-smd" in installed:
        # SchedMD's own packages have all plugins in one, or were built without this one.
        return []
    versions = [installed[name] for name in PACKAGES_ASKED if name in installed]
    if not versions:
        return []
    if "slurm-wlm-basic-plugins" not in installed:
        names = ["slurm-wlm-basic-plugins"]
        if plugin == "auth_jwt.so" and not versions[0].startswith("20."):
            names.append("slurm-wlm-jwt-plugin")
    elif plugin == "auth_jwt.so" and "slurm-wlm-jwt-plugin" not in installed:
        names = ["slurm-wlm-jwt-plugin"]
    else:
        return []
    return [f"{name}={versions[0]}" for name in names]


class Package(NamedTuple):
    """A package that is installed."""

    name: str
    version: str


def parse_dpkg_search(text: str, path: str) -> str | None:
    """The package of a file, from ``dpkg-query -S PATH``, whether the file exists or not."""
    for line in text.splitlines():
        names, sep, found = line.partition(": ")
        if sep and found == path and not names.startswith("diversion by "):
            return names.split(",")[0].partition(":")[0]
    return None


def parse_rpm_owner(text: str) -> Package | None:
    """The package of a file, from ``rpm -qf --queryformat RPM_FORMAT PATH``. Errors have more than two words."""
    fields = next((line.split() for line in text.splitlines()), [])
    return Package(*fields) if len(fields) == 2 else None


def reinstall(package: Package, root: str = "/") -> str:
    """The command of this host's distribution that restores the files of a package."""
    for tool, command in _REINSTALL:
        if os.path.exists(os.path.join(root, tool.lstrip("/"))):
            return command.format(name=package.name, version=package.version)
    return f"reinstall the package {package.name}, version {package.version}"


def python_library(name: str, folders: list[str]) -> str | None:
    """The version of a Python package in one of the folders, read, not imported: an import takes far longer."""
    for folder in folders:
        for file in ("__about__.py", "__init__.py"):
            try:
                with open(os.path.join(folder, name, file), encoding="utf-8", errors="replace") as stream:
                    match = re.search(r"^__version__\s*(?::[^=]*)?=\s*['\"]([^'\"]+)", stream.read(), re.MULTILINE)
            except OSError:
                continue
            if match:
                return match.group(1)
    return None
