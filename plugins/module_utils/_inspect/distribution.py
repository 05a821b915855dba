# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the family of a host's distribution in os-release(5). Private to this collection."""

from __future__ import annotations

import re

# Identifier in os-release -> Ansible's name of the family.
_FAMILIES = {
    "debian": "Debian",
    "ubuntu": "Debian",
    "rhel": "RedHat",
    "fedora": "RedHat",
    "centos": "RedHat",
    "suse": "Suse",
    "sles": "Suse",
    "opensuse": "Suse",
}
FILES = ("/etc/os-release", "/usr/lib/os-release")


def family(text: str) -> str | None:
    """The family from the text of os-release: of ID, else of the first known name in ID_LIKE."""
    values = dict(re.findall(r"^(ID|ID_LIKE)=[\"']?([^\"'\n]*)", text, re.MULTILINE))
    names = [values.get("ID", ""), *values.get("ID_LIKE", "").split()]
    return next((_FAMILIES[name] for name in names if name in _FAMILIES), None)


def family_of_host() -> str | None:
    """The family of this host's distribution; None if it is not known."""
    for path in FILES:
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                return family(stream.read())
        except OSError:
            continue
    return None
