# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of Slurm in the lab, and their differences."""

from __future__ import annotations

from typing import NamedTuple

from progress import LabError


class Build(NamedTuple):
    """How a site has built its Slurm: the arguments of image/build, in its order."""

    #: The options of ./configure; VERSION stands for that of the sources.
    prefix: str
    libraries: str
    conf: str
    #: The folder of the units.
    units: str
    #: The prefix in the units; a link to the real one if they differ.
    programs: str
    #: The uid of slurm, which owns slurmdbd.conf, or may only read it.
    uid: int
    dbd_conf_owner: str = "slurm"
    dbd_conf_mode: int = 0o600
    #: False: no apt, as on a host of another distribution. The packages that the collection would install are there.
    has_apt: bool = True


#: As most sites build it by hand.
PREFIX = Build(
    "/opt/slurm/VERSION", "/opt/slurm/VERSION/lib", "/opt/slurm/etc", "/etc/systemd/system", "/opt/slurm/current", 450
)
#: The paths of RPMs of Slurm's own spec.
RPM = Build("/usr", "/usr/lib64", "/etc/slurm", "/usr/lib/systemd/system", "/usr", 450, has_apt=False)


class Release(NamedTuple):
    name: str
    #: The suite of Debian that carries it.
    suite: str
    #: Packages that are downloaded into the image and not installed: the collection has to do that.
    waiting: tuple[str, ...]
    #: What slurmd needs in a container.
    cgroup_conf: str = ""
    mmdebstrap: tuple[str, ...] = ()
    #: How it is compiled from the suite's source package. None: Debian's packages.
    build: Build | None = None

    @property
    def programs(self) -> str:
        return self.build.programs if self.build else "/usr"

    @property
    def conf(self) -> str:
        """The folder of Slurm's configuration."""
        return self.build.conf if self.build else "/etc/slurm"


PYJWT = ("python3-jwt", "python3-cryptography")

SID = ('--aptopt=Acquire::Check-Valid-Until "false"',)

RELEASES = {
    release.name: release
    for release in (
        # auth_jwt.so is in slurm-wlm-basic-plugins here, which is always installed.
        # Its security updates are incomplete: mirrors do not have all packages of the list.
        Release(
            "20.11", "bullseye", PYJWT,
            mmdebstrap=('--setup-hook=sed -i /security/d "$1/etc/apt/sources.list"',),
        ),
        Release(
            "22.05", "bookworm", ("slurm-wlm-jwt-plugin", *PYJWT),
            "CgroupPlugin=cgroup/v1\nCgroupMountpoint=/var/lib/slurm/no-cgroups\nCgroupAutomount=no\n",
        ),
        Release("24.11", "trixie", ("slurm-wlm-jwt-plugin", *PYJWT), "CgroupPlugin=disabled\n"),
        # The mirrors' Release file of sid may have expired.
        Release(
            "26.05", "sid", ("slurm-wlm-jwt-plugin", *PYJWT), "CgroupPlugin=disabled\n", SID,
        ),
        # Compiled, which takes ten minutes; only on demand.
        Release("24.11-prefix", "trixie", PYJWT, "CgroupPlugin=disabled\n", build=PREFIX),
        Release("26.05-prefix", "sid", PYJWT, "CgroupPlugin=disabled\n", SID, PREFIX),
        Release("24.11-rpm", "trixie", PYJWT, "CgroupPlugin=disabled\n", build=RPM),
        # From 25.11 on slurmdbd.conf may belong to root; before that slurmdbd does not start.
        Release(
            "26.05-rpm", "sid", PYJWT, "CgroupPlugin=disabled\n", SID,
            RPM._replace(dbd_conf_owner="root:slurm", dbd_conf_mode=0o640),
        ),
    )
}


#: Releases from Debian's packages.
PACKAGED = tuple(name for name, release in RELEASES.items() if not release.build)


def release_named(name: str) -> Release:
    if name not in RELEASES:
        raise LabError(f"The lab has no Slurm {name!r}. It has {', '.join(RELEASES)}.")
    return RELEASES[name]
