# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the packages that this host has, and those that it cannot install. Private to this collection.

A rollout refuses to start if it cannot install a package, instead of failing half-way. It uses only what the package
manager already knows. An unclear answer is no obstacle.
"""

from __future__ import annotations

import os
import re
from typing import Callable, Sequence

# Runs a command: its return code, standard output and standard error.
Run = Callable[["list[str]"], "tuple[int, str, str]"]

DPKG_QUERY, RPM = "/usr/bin/dpkg-query", "/usr/bin/rpm"
APT_CACHE, DNF, YUM, ZYPPER = "/usr/bin/apt-cache", "/usr/bin/dnf", "/usr/bin/yum", "/usr/bin/zypper"
# zypper(8): ZYPPER_EXIT_INF_CAP_NOT_FOUND
_NOT_FOUND = 104

# Python library -> its package in most distribution families, and in others.
LIBRARIES = {"pyjwt": "python3-jwt", "cryptography": "python3-cryptography"}
_ELSEWHERE = {("pyjwt", "Suse"): "python3-PyJWT"}


def of_library(library: str, family: str | None) -> str:
    """The distribution's package of a Python library."""
    return _ELSEWHERE.get((library, family or ""), LIBRARIES[library])


def installed(names: Sequence[str], run: Run) -> list[str]:
    """The packages that are installed under exactly this name."""
    if not names:
        return []
    if os.path.exists(DPKG_QUERY):
        query = [DPKG_QUERY, "--show", "--showformat=${db:Status-Status} ${Package}\\n"]
    else:
        query = [RPM, "--query", "--queryformat=installed %{NAME}\\n"]
    # For each of the others, rpm prints a sentence, and dpkg-query a line on standard error.
    lines = run([*query, "--", *names])[1].splitlines()
    return [name for name in names if f"installed {name}" in lines]


def unavailable(names: Sequence[str], run: Run) -> list[str]:
    """The packages, as NAME or NAME=VERSION, that no repository of this host has."""
    if not names:
        return []
    if os.path.exists(APT_CACHE):
        return _of_apt(names, run)
    for tool in (DNF, YUM):
        if os.path.exists(tool):
            return [name for name in names if _dnf_has_none(tool, name, run)]
    if os.path.exists(ZYPPER):
        search = [ZYPPER, "--non-interactive", "--no-refresh", "search", "--match-exact", "--type=package"]
        return [name for name in names if run([*search, name.partition("=")[0]])[0] == _NOT_FOUND]
    return []


def _of_apt(names: Sequence[str], run: Run) -> list[str]:
    rc, out, dummy_err = run([APT_CACHE, "policy", "--", *(name.partition("=")[0] for name in names)])
    if rc != 0:
        return []
    known = versions(out)
    return [name for name in names if not _is_known(*name.partition("=")[::2], known)]


def _is_known(name: str, version: str, known: dict[str, list[str]]) -> bool:
    found = known.get(name, [])
    return version in found if version else bool(found)


def versions(policy: str) -> dict[str, list[str]]:
    """Package -> the versions that apt can install, from ``apt-cache policy``."""
    found: dict[str, list[str]] = {}
    for block in re.split(r"^(?=\S)", policy, flags=re.MULTILINE):
        name = block.partition(":\n")[0]
        candidate = re.search(r"^  Candidate: (\S+)$", block, re.MULTILINE)
        if candidate and candidate[1] != "(none)":
            found[name] = re.findall(r"^ (?:   |\*\*\*) (\S+) -?\d+$", block, re.MULTILINE)
    return found


def _dnf_has_none(tool: str, name: str, run: Run) -> bool:
    rc, out, err = run([tool, "--quiet", "list", "--available", name.replace("=", "-")])
    return rc != 0 and "no matching packages" in (out + err).lower()
