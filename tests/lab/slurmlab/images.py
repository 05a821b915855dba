# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images with Slurm, made from the distribution's packages or compiled from its sources, and kept in podman's store.

An image is named after everything it is made of, so that a changed recipe is built and an unchanged one is not.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from podman import CONTAINER, lock, podman, succeeds
from progress import LabError, NotToBeHad, say, seconds
from releases import Build, Release

REPOSITORY = "localhost/slurm-jwt-lab"
IMAGE = pathlib.Path(__file__).resolve().parent.parent / "image"
#: What slurm.conf and slurmdbd.conf have to say too.
CLUSTER_NAME = "lab"
DATABASE_PASSWORD = "the-lab-is-open-to-all"

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "python3", "python3-apt", "iproute2", "nftables",
    "procps", "ca-certificates", "curl", "jq", "munge", "mariadb-server",
)
SLURM = ("slurmctld", "slurmd", "slurmdbd", "slurmrestd", "slurm-client")
#: What apt says of a suite that has ended, or that has lost a package.
NOT_THERE = re.compile(r"(?:404 +Not Found|does not have a Release file|Unable to locate package [^ \n]+)")
#: What the lab found when it made its images: release -> the Slurm in it, and release -> why there is none.
FOUND = pathlib.Path(__file__).resolve().parents[3] / ".work/lab/releases.json"
#: Most tests run on it. Without it they would all be left out, and nobody would notice.
NEEDED = "24.11"
#: Nobody reads these in a container.
LEFT_OUT = ("doc", "info", "locale", "man")


def recipe(release: Release) -> list[str]:
    """mmdebstrap's arguments. No mirror: mmdebstrap knows the one of each suite."""
    packages = PACKAGES if release.build else PACKAGES + SLURM
    setup = ("/tmp/image/setup", CLUSTER_NAME, DATABASE_PASSWORD, release.programs, *release.waiting)
    commands = (*_compile(release.build), setup, *_without_apt(release))
    return [
        "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(packages)}",
        # The collection is to find the package lists in place.
        "--skip=cleanup/apt",
        "--aptopt=APT::Install-Recommends \"false\"",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT),
        *release.mmdebstrap,
        f"--customize-hook=copy-in {IMAGE} /tmp",
        *_sources(release),
        *(f'--customize-hook=chroot "$1" {" ".join(command)}' for command in commands),
        '--customize-hook=rm -r "$1/tmp/image"',
        release.suite, "-",
    ]


def _sources(release: Release) -> list[str]:
    """Where a mirror has no sources: LAB_SOURCES names a folder with one below it for each release, with a tarball."""
    folder = pathlib.Path(os.environ.get("LAB_SOURCES", "/nowhere")) / release.name
    if not folder.is_dir():
        return []
    return [f"--customize-hook=mkdir -p $1/tmp/sources && cp {folder}/*.tar.* $1/tmp/sources"]


def _compile(build: Build | None) -> list[tuple[str, ...]]:
    if not build:
        return []
    folders = (build.prefix, build.libraries, build.conf, build.units, build.programs)
    return [("/tmp/image/build", *folders, str(build.uid))]


def _without_apt(release: Release) -> list[tuple[str, ...]]:
    return [("/tmp/image/no-apt", *release.waiting)] if release.build and not release.build.has_apt else []


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
        made_of, takes = ("source package", "ten minutes") if release.build else ("packages", "a minute or two")
        say(release.name, f"building {name} from the {made_of} of Debian {release.suite}; this takes {takes}")
        _make(release, name)
        size = int(podman("image", "inspect", "--format", "{{.Size}}", name)) / 1e6
        say(release.name, f"built in {seconds() - begin:.0f} s, {size:.0f} MB")
        _remove_others(release)
    return name


def build_all(releases: Iterable[Release]) -> None:
    """Several side by side; one that fails does not stop the others, and one that has ended is left out with a word."""
    failures, found, gone = [], {}, {}
    with ThreadPoolExecutor(max_workers=max(1, min(4, os.cpu_count() or 1))) as pool:
        for release, name in [(release, pool.submit(build, release)) for release in releases]:
            try:
                slurm = found[release.name] = slurm_in(name.result(), release.programs)
                same = slurm.startswith(release.name.partition("-")[0])
                moved_on = "" if same else f", as Debian {release.suite} has moved on"
                say(release.name, f"{name.result()} is ready: Slurm {slurm}{moved_on}")
                _remove_others(release)
            except NotToBeHad as failure:
                gone[release.name] = str(failure)
                say(release.name, f"cannot be had any more, so what needs it is skipped. {failure}")
            except LabError as failure:
                failures.append(str(failure))
    _note(found, gone)
    if failures or NEEDED in gone:
        raise LabError("\n".join([*failures, *gone.values()]))


def _note(found: dict[str, str], gone: dict[str, str]) -> None:
    """Beside what is known of other releases."""
    known = json.loads(FOUND.read_text(encoding="utf-8")) if FOUND.exists() else {"found": {}, "gone": {}}
    for name in (*found, *gone):
        known["found"].pop(name, None)
        known["gone"].pop(name, None)
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    said = {"found": {**known["found"], **found}, "gone": {**known["gone"], **gone}}
    FOUND.write_text(json.dumps(said, indent=1), encoding="utf-8")


def slurm_in(image: str, programs: str) -> str:
    """Which Slurm it really has: sid moves on."""
    said = podman("run", "--rm", "--network=none", *CONTAINER, f"--entrypoint={programs}/sbin/slurmctld", image, "-V")
    return said.split()[-1]


def _make(release: Release, name: str) -> None:
    # Under another name until it is whole: a build that is killed leaves half an image, or an empty one.
    unfinished = f"{name}-unfinished"
    if succeeds("image", "exists", unfinished):
        podman("image", "rm", unfinished)
    _import(release, unfinished)
    podman("tag", unfinished, name)
    # Without the second name it would lose all of them.
    podman("untag", unfinished, unfinished)


def _import(release: Release, name: str) -> None:
    with tempfile.TemporaryFile("w+") as complaints:
        # Nobody reads it unless it fails, and then apt's own words count.
        aloud = ["--verbose" if part == "--quiet" else part for part in recipe(release)]
        try:
            # /tmp may be small, and may not allow devices.
            bootstrap = subprocess.Popen(
                aloud, stdout=subprocess.PIPE, stderr=complaints, env={**os.environ, "TMPDIR": "/var/tmp"}
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
            said = complaints.read()
            if missing := NOT_THERE.search(said):
                raise NotToBeHad(f"Debian {release.suite}: {missing[0].strip()}")
            last = "\n".join(said.splitlines()[-30:])
            raise LabError(f"mmdebstrap could not make the image of Slurm {release.name}:\n{last}")
    if imported.returncode:
        raise LabError(f"podman could not import the image of Slurm {release.name}: {imported.stderr}")


def _remove_others(release: Release) -> None:
    """Those of earlier recipes; one that a cluster still runs on goes another time."""
    for other in podman("images", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY).split():
        ours = re.fullmatch(rf"{re.escape(f'{REPOSITORY}:{release.name}')}-[0-9a-f]{{12}}", other)
        if ours and other != image_name(release) and succeeds("image", "rm", other):
            say(release.name, f"removed the older {other}")
