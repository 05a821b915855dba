# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that a run has to install on a host, and why it cannot. Private to this collection.

All reasons are known before the first change: the run is not allowed to install packages, no repository has them, or
they are for a different Python than Ansible uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.packages import LIBRARIES, of_library

Observed = Mapping[str, Any]

# Name of a library in pip.
_PIP = {"pyjwt": "PyJWT>=1.7", "cryptography": "cryptography"}
_LEAST_PYJWT = (1, 7)

_FORBIDDEN = "Install them, or let the rollout do it: slurm_jwt_install is false, or --tags leaves out packages."


def missing(observed: Observed, signs: bool, rs256: bool) -> list[str]:
    """NAME=VERSION of packages with missing plugins, and the packages of missing Python libraries on a host that signs
    tokens."""
    packages = list((observed["plugins"] or {}).get("packages", ()))
    libraries = ["pyjwt", *(["cryptography"] if rs256 else [])] if signs else []
    return packages + [of_library(name, observed.get("os_family")) for name in _absent(observed, libraries)]


def _absent(observed: Observed, libraries: Sequence[str]) -> list[str]:
    return [name for name in libraries if python_of(observed).get(name) is None]


def python_of(observed: Observed) -> Mapping[str, Any]:
    """The interpreter and its libraries; empty for a node, and for a host that reports none."""
    return observed.get("python") or {}


def obstacles(observed: Observed, packages: Sequence[str], may_install: bool) -> list[str]:
    """Why these packages cannot be installed on a host, each with the remedy."""
    python = python_of(observed)
    libraries = [name for name in LIBRARIES if of_library(name, observed.get("os_family")) in packages]
    if libraries and python.get("served") is False:
        return [_of_another_python(python, libraries)]
    if not packages:
        return _too_old(python)
    if not may_install:
        return [f"Missing packages: {' and '.join(packages)}. {_FORBIDDEN}"]
    none = [*python.get("unavailable", ()), *(observed["plugins"] or {}).get("unavailable", ())]
    none = [name for name in packages if name in none]
    return [_unavailable(observed, none)] if none else []


def _pip(python: Mapping[str, Any], libraries: Sequence[str]) -> str:
    requirements = " ".join(f"'{_PIP[name]}'" for name in libraries)
    return f"{python.get('executable') or 'python3'} -m pip install {requirements}"


def _of_another_python(python: Mapping[str, Any], libraries: Sequence[str]) -> str:
    names = " and ".join(_PIP[name].partition(">")[0] for name in libraries)
    distribution = python.get("distributions")
    other = "Install it"
    if distribution:
        other = f"Set ansible_python_interpreter to {distribution} for this host, or install it"
    other_python = f"the distribution's Python, {distribution}" if distribution else "another Python"
    executable, version, command = python.get("executable"), python.get("version"), _pip(python, libraries)
    return (
        f"Ansible uses {executable}, Python {version}, which has no {names}. The distribution's packages are for "
        f"{other_python}, so Ansible would not find them. {other} for the one in use: {command}."
    )


def _too_old(python: Mapping[str, Any]) -> list[str]:
    """A library that is installed but too old."""
    version = str(python.get("pyjwt") or "")
    numbers = tuple(int(number) for number in version.split(".")[:2] if number.isdigit())
    if len(numbers) < 2 or numbers >= _LEAST_PYJWT:
        return []
    executable, command = python.get("executable"), _pip(python, ["pyjwt"])
    return [f"{executable} has PyJWT {version}, and 1.7 or later is needed. Install a newer one for it: {command}."]


def _unavailable(observed: Observed, names: Sequence[str]) -> str:
    family = observed.get("os_family")
    where = "Add a repository that has them."
    if family == "Debian":
        where = "Refresh what apt knows (apt-get update), add a mirror that has them, or install them from files."
    elif family == "RedHat":
        where = "Enable the repository that has them: of Python's libraries AppStream or EPEL, by release."
    return f"Missing packages that no repository of this host has: {' and '.join(names)}. {where}"
