# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of Slurm that the lab has, and all in which they differ."""

from __future__ import annotations

from typing import NamedTuple

from progress import LabError


class Release(NamedTuple):
    name: str
    #: The suite of Debian that carries it.
    suite: str
    #: Downloaded into the image, but not installed: the collection has to do that.
    waiting: tuple[str, ...]
    #: What slurmd needs to hear in a container.
    cgroup_conf: str = ""
    mmdebstrap: tuple[str, ...] = ()


PYJWT = ("python3-jwt", "python3-cryptography")

RELEASES = {
    release.name: release
    for release in (
        # auth_jwt.so is in slurm-wlm-basic-plugins here, which is always installed.
        # Its security updates are no longer complete: the mirrors miss some packages that the list names.
        Release(
            "20.11", "bullseye", PYJWT,
            mmdebstrap=('--setup-hook=sed -i /security/d "$1/etc/apt/sources.list"',),
        ),
        Release(
            "22.05", "bookworm", ("slurm-wlm-jwt-plugin", *PYJWT),
            "CgroupPlugin=cgroup/v1\nCgroupMountpoint=/var/lib/slurm/no-cgroups\nCgroupAutomount=no\n",
        ),
        Release("24.11", "trixie", ("slurm-wlm-jwt-plugin", *PYJWT), "CgroupPlugin=disabled\n"),
        # The mirrors' Release file of sid may be past its date.
        Release(
            "26.05", "sid", ("slurm-wlm-jwt-plugin", *PYJWT), "CgroupPlugin=disabled\n",
            ('--aptopt=Acquire::Check-Valid-Until "false"',),
        ),
    )
}


def release_named(name: str) -> Release:
    if name not in RELEASES:
        raise LabError(f"The lab has no Slurm {name!r}; it has {', '.join(RELEASES)}.")
    return RELEASES[name]
