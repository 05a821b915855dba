# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of Slurm that the lab has, and all in which they differ."""

from __future__ import annotations

from typing import NamedTuple

from progress import LabError


class Build(NamedTuple):
    """How a site has built its Slurm: what image/build has to be told, in its order."""

    #: What ./configure is told; VERSION stands for that of the sources.
    prefix: str
    libraries: str
    conf: str
    #: Where the units go.
    units: str
    #: What the units call the prefix, which is a link to it if it is another.
    programs: str
    #: The number of slurm, which owns slurmdbd.conf, or may only read it.
    uid: int
    dbd_conf_owner: str = "slurm"
    dbd_conf_mode: int = 0o600
    #: Without apt, as on a host of another distribution; what the collection would install is there.
    has_apt: bool = True


#: Most sites that build by hand.
PREFIX = Build(
    "/opt/slurm/VERSION", "/opt/slurm/VERSION/lib", "/opt/slurm/etc", "/etc/systemd/system", "/opt/slurm/current", 450
)
#: What RPMs of Slurm's own spec leave behind.
RPM = Build("/usr", "/usr/lib64", "/etc/slurm", "/usr/lib/systemd/system", "/usr", 450, has_apt=False)


class Release(NamedTuple):
    name: str
    #: The suite of Debian that carries it.
    suite: str
    #: Downloaded into the image, but not installed: the collection has to do that.
    waiting: tuple[str, ...]
    #: What slurmd needs to hear in a container.
    cgroup_conf: str = ""
    mmdebstrap: tuple[str, ...] = ()
    #: Compiled from the suite's source package; else it is Debian's own packages.
    build: Build | None = None

    @property
    def programs(self) -> str:
        return self.build.programs if self.build else "/usr"

    @property
    def conf(self) -> str:
        """Where Slurm's configuration is."""
        return self.build.conf if self.build else "/etc/slurm"


PYJWT = ("python3-jwt", "python3-cryptography")

SID = ('--aptopt=Acquire::Check-Valid-Until "false"',)

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
            "26.05", "sid", ("slurm-wlm-jwt-plugin", *PYJWT), "CgroupPlugin=disabled\n", SID,
        ),
        # Compiled, which takes ten minutes; made when they are asked for.
        Release("24.11-prefix", "trixie", PYJWT, "CgroupPlugin=disabled\n", build=PREFIX),
        Release("26.05-prefix", "sid", PYJWT, "CgroupPlugin=disabled\n", SID, PREFIX),
        Release("24.11-rpm", "trixie", PYJWT, "CgroupPlugin=disabled\n", build=RPM),
        # From 25.11 on slurmdbd.conf may be root's; before that slurmdbd does not start.
        Release(
            "26.05-rpm", "sid", PYJWT, "CgroupPlugin=disabled\n", SID,
            RPM._replace(dbd_conf_owner="root:slurm", dbd_conf_mode=0o640),
        ),
    )
}


#: Those that are made of Debian's packages.
PACKAGED = tuple(name for name, release in RELEASES.items() if not release.build)


def release_named(name: str) -> Release:
    if name not in RELEASES:
        raise LabError(f"The lab has no Slurm {name!r}; it has {', '.join(RELEASES)}.")
    return RELEASES[name]
