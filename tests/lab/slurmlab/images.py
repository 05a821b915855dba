# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images with Slurm, from the distribution's packages or compiled from its sources, in podman's store.

An image's name has a digest of everything it is made of, so that only a changed recipe is built again.
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
from progress import LabError, Unavailable, log, seconds
from releases import Build, Release

REPOSITORY = "localhost/slurm-jwt-lab"
IMAGE = pathlib.Path(__file__).resolve().parent.parent / "image"
#: Also in slurm.conf and slurmdbd.conf.
CLUSTER_NAME = "lab"
DATABASE_PASSWORD = "the-lab-is-open-to-all"

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "python3", "python3-apt", "iproute2", "nftables",
    "procps", "ca-certificates", "curl", "jq", "munge", "mariadb-server",
)
SLURM = ("slurmctld", "slurmd", "slurmdbd", "slurmrestd", "slurm-client")
#: apt's errors for a suite that was removed, or that has no such package.
UNAVAILABLE = re.compile(r"(?:404 +Not Found|does not have a Release file|Unable to locate package [^ \n]+)")
#: Written when images are built: release -> the version of its Slurm, and release -> why it is unavailable.
RECORD = pathlib.Path(__file__).resolve().parents[3] / ".work/lab/images.json"
#: Most tests run on it. Without it they would all be skipped, and nobody would notice.
NEEDED = "24.11"
#: Useless in a container.
EXCLUDED = ("doc", "info", "locale", "man")


def recipe(release: Release) -> list[str]:
    """mmdebstrap's arguments. Without a mirror: mmdebstrap knows the default of each suite."""
    packages = PACKAGES if release.build else PACKAGES + SLURM
    setup = ("/tmp/image/setup", CLUSTER_NAME, DATABASE_PASSWORD, release.programs, *release.waiting)
    commands = (*_compile(release.build), setup, *_without_apt(release))
    return [
        "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(packages)}",
        # The collection needs the package lists.
        "--skip=cleanup/apt",
        "--aptopt=APT::Install-Recommends \"false\"",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in EXCLUDED),
        *release.mmdebstrap,
        f"--customize-hook=copy-in {IMAGE} /tmp",
        *_sources(release),
        *(f'--customize-hook=chroot "$1" {" ".join(command)}' for command in commands),
        '--customize-hook=rm -r "$1/tmp/image"',
        release.suite, "-",
    ]


def _sources(release: Release) -> list[str]:
    """If a mirror has no sources: LAB_SOURCES names a folder that has a folder with a tarball for each release."""
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
    """Builds the image unless it exists. Returns its name."""
    name = image_name(release)
    with lock(f"image-{release.name}"):
        if exists(release):
            return name
        begin = seconds()
        source, takes = ("source package", "ten minutes") if release.build else ("packages", "a minute or two")
        log(release.name, f"building {name} from the {source} of Debian {release.suite}; this takes {takes}")
        _make(release, name)
        size = int(podman("image", "inspect", "--format", "{{.Size}}", name)) / 1e6
        log(release.name, f"built in {seconds() - begin:.0f} s, {size:.0f} MB")
        _remove_others(release)
    return name


def build_all(releases: Iterable[Release]) -> None:
    """Several at once. One that fails does not stop the others, and an unavailable one is skipped with a message."""
    failures, versions, unavailable = [], {}, {}
    with ThreadPoolExecutor(max_workers=max(1, min(4, os.cpu_count() or 1))) as pool:
        for release, name in [(release, pool.submit(build, release)) for release in releases]:
            try:
                slurm = versions[release.name] = slurm_in(name.result(), release.programs)
                is_same = slurm.startswith(release.name.partition("-")[0])
                newer = "" if is_same else f", because Debian {release.suite} has a newer one"
                log(release.name, f"{name.result()} is ready: Slurm {slurm}{newer}")
                _remove_others(release)
            except Unavailable as failure:
                unavailable[release.name] = str(failure)
                log(release.name, f"is no longer available, so tests that need it are skipped. {failure}")
            except LabError as failure:
                failures.append(str(failure))
    _record(versions, unavailable)
    if failures or NEEDED in unavailable:
        raise LabError("\n".join([*failures, *unavailable.values()]))


def _record(versions: dict[str, str], unavailable: dict[str, str]) -> None:
    """Updates the record of these releases."""
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {"versions": {}, "unavailable": {}}
    for name in (*versions, *unavailable):
        record["versions"].pop(name, None)
        record["unavailable"].pop(name, None)
    record["versions"].update(versions)
    record["unavailable"].update(unavailable)
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(record, indent=1), encoding="utf-8")


def slurm_in(image: str, programs: str) -> str:
    """The version of Slurm in an image: sid gets newer ones."""
    output = podman("run", "--rm", "--network=none", *CONTAINER, f"--entrypoint={programs}/sbin/slurmctld", image, "-V")
    return output.split()[-1]


def _make(release: Release, name: str) -> None:
    # Under another name until it is complete: a build that is killed leaves half an image, or an empty one.
    unfinished = f"{name}-unfinished"
    if succeeds("image", "exists", unfinished):
        podman("image", "rm", unfinished)
    _import(release, unfinished)
    podman("tag", unfinished, name)
    # Without the second name it would lose all of them.
    podman("untag", unfinished, unfinished)


def _import(release: Release, name: str) -> None:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        # If it fails, the messages of apt are needed.
        verbose = ["--verbose" if part == "--quiet" else part for part in recipe(release)]
        try:
            # /tmp may be small, and may not allow devices.
            bootstrap = subprocess.Popen(
                verbose, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, "TMPDIR": "/var/tmp"}
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
            errors.seek(0)
            output = errors.read()
            if missing := UNAVAILABLE.search(output):
                raise Unavailable(f"Debian {release.suite}: {missing[0].strip()}")
            last = "\n".join(output.splitlines()[-30:])
            raise LabError(f"mmdebstrap could not build the image of Slurm {release.name}:\n{last}")
    if imported.returncode:
        raise LabError(f"podman could not import the image of Slurm {release.name}: {imported.stderr}")


def _remove_others(release: Release) -> None:
    """Removes images of earlier recipes. One that a cluster still uses stays until the next time."""
    for other in podman("images", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY).split():
        ours = re.fullmatch(rf"{re.escape(f'{REPOSITORY}:{release.name}')}-[0-9a-f]{{12}}", other)
        if ours and other != image_name(release) and succeeds("image", "rm", other):
            log(release.name, f"removed the older {other}")
