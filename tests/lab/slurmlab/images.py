# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images with Slurm, made from the distribution's own packages and kept in podman's store.

An image is named after everything it is made of, so that a changed recipe is built and an unchanged one is not.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from podman import lock, podman, succeeds
from progress import LabError, say, seconds
from releases import Release

REPOSITORY = "localhost/slurm-jwt-lab"
IMAGE = pathlib.Path(__file__).resolve().parent.parent / "image"
#: What slurm.conf and slurmdbd.conf have to say too.
CLUSTER_NAME = "lab"
DATABASE_PASSWORD = "the-lab-is-open-to-all"

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "python3", "python3-apt", "iproute2", "nftables",
    "procps", "ca-certificates", "curl", "jq", "munge", "mariadb-server",
    "slurmctld", "slurmd", "slurmdbd", "slurmrestd", "slurm-client",
)
#: Nobody reads these in a container.
LEFT_OUT = ("doc", "info", "locale", "man")


def recipe(release: Release) -> list[str]:
    """mmdebstrap's arguments. No mirror: mmdebstrap knows the one of each suite."""
    setup = ("/tmp/image/setup", CLUSTER_NAME, DATABASE_PASSWORD, *release.waiting)
    return [
        "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}",
        # The collection is to find the package lists in place.
        "--skip=cleanup/apt",
        "--aptopt=APT::Install-Recommends \"false\"",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT),
        *release.mmdebstrap,
        f"--customize-hook=copy-in {IMAGE} /tmp",
        f'--customize-hook=chroot "$1" {" ".join(setup)}',
        '--customize-hook=rm -r "$1/tmp/image"',
        release.suite, "-",
    ]


def image_name(release: Release) -> str:
    digest = hashlib.sha256()
    for part in recipe(release):
        digest.update(part.replace(str(IMAGE), "image").encode() + b"\0")
    for file in sorted(IMAGE.iterdir()):
        digest.update(file.read_bytes())
    return f"{REPOSITORY}:{release.name}-{digest.hexdigest()[:12]}"


def exists(release: Release) -> bool:
    return succeeds("image", "exists", image_name(release))


def build(release: Release) -> str:
    """Makes the image unless it is there; returns its name."""
    name = image_name(release)
    with lock(f"image-{release.name}"):
        if exists(release):
            return name
        begin = seconds()
        say(release.name, f"building {name} from the packages of Debian {release.suite}; this takes a minute or two")
        _make(release, name)
        size = int(podman("image", "inspect", "--format", "{{.Size}}", name)) / 1e6
        say(release.name, f"built in {seconds() - begin:.0f} s, {size:.0f} MB")
        _remove_others(release)
    return name


def build_all(releases: Iterable[Release]) -> None:
    """Several side by side; one that fails does not stop the others."""
    failures = []
    with ThreadPoolExecutor(max_workers=max(1, min(4, os.cpu_count() or 1))) as pool:
        for release, name in [(release, pool.submit(build, release)) for release in releases]:
            try:
                say(release.name, f"{name.result()} is ready")
                _remove_others(release)
            except LabError as failure:
                failures.append(str(failure))
    if failures:
        raise LabError("\n".join(failures))


def _make(release: Release, name: str) -> None:
    with tempfile.TemporaryFile("w+") as complaints:
        try:
            # /tmp may be small, and may not allow devices.
            bootstrap = subprocess.Popen(
                recipe(release), stdout=subprocess.PIPE, stderr=complaints, env={**os.environ, "TMPDIR": "/var/tmp"}
            )
        except FileNotFoundError:
            raise LabError("There is no mmdebstrap here. Run tests/lab/prerequisites as root first.") from None
        imported = subprocess.run(
            ("podman", "import", "--quiet", "--change", 'CMD ["/sbin/init"]', "-", name),
            stdin=bootstrap.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        )
        if bootstrap.stdout:
            bootstrap.stdout.close()
        if bootstrap.wait():
            if imported.returncode == 0:
                podman("image", "rm", name)
            complaints.seek(0)
            raise LabError(f"mmdebstrap could not make the image of Slurm {release.name}:\n{complaints.read()}")
    if imported.returncode:
        raise LabError(f"podman could not import the image of Slurm {release.name}: {imported.stderr}")


def _remove_others(release: Release) -> None:
    """Those of earlier recipes; one that a cluster still runs on goes another time."""
    for other in podman("images", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY).split():
        ours = other.startswith(f"{REPOSITORY}:{release.name}-")
        if ours and other != image_name(release) and succeeds("image", "rm", other):
            say(release.name, f"removed the older {other}")
