# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sanity.py CORE: runs ansible-test sanity of ansible-core CORE, such as 2.19, on a clean copy of the collection.

Without containers and without an ignore file. Modules are compiled and imported by the Pythons of managed hosts that
this machine has. With EVERYTHING set, as in the matrix, each core takes all of them and all tests. Without it only the
newest does: the others take the first and the last of their Pythons, and those between the oldest and the newest leave
out pylint. If there is no Python for CORE, the one of a minimal Debian is used.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cores import CONTROLLER, PATH, ROOT, WORK, find_python, programs_of, run

HERE = Path(__file__).resolve().parent

# ansible-core -> the Debian whose Python it supports.
DEBIAN = {"2.16": "bookworm", "2.17": "bookworm"}
NEWER_DEBIAN = "trixie"

MANAGED = {
    "2.16": ("3.8", "3.9", "3.10", "3.11", "3.12"),
    "2.17": ("3.8", "3.9", "3.10", "3.11", "3.12"),
    "2.18": ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13"),
    "2.19": ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13"),
    "2.20": ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14"),
    "2.21": ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14"),
}

# Instead of the script to install pip that ansible-test downloads: Python has one.
GET_PIP = """\
import ensurepip, os
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
ensurepip.bootstrap()
"""


def pip_settings(python: str) -> str:
    """The site's settings of pip, from variables and files alike, as one file."""
    listed = subprocess.run((python, "-m", "pip", "config", "list"), capture_output=True, check=True, text=True)
    settings = {}
    for line in listed.stdout.splitlines():
        name, value = line.replace(":env:", "global", 1).split("=", 1)
        if name.startswith("global."):
            settings[name[len("global."):]] = value.strip("'")
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())


def make_home(home: Path, python: str) -> None:
    """A separate home: ansible-test has its virtual environments there, and does not pass on pip's variables."""
    (home / ".ansible/test/cache").mkdir(parents=True, exist_ok=True)
    for version in ("23_1_2", "24_2", "25_2"):
        (home / f".ansible/test/cache/get_pip_{version}.py").write_text(GET_PIP)
    (home / ".config/pip").mkdir(parents=True, exist_ok=True)
    (home / ".config/pip/pip.conf").write_text(pip_settings(python) + "quiet = 1\n")


def make_debian(release: str, root: Path) -> None:
    if root.exists():
        return
    temporary = root.with_suffix(".new")
    shutil.rmtree(temporary, ignore_errors=True)
    run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--include=ca-certificates,git,python3-venv",
        release, str(temporary))
    temporary.rename(root)


def in_debian(core: str) -> None:
    """Runs this script again, for the same core, with the Python of a minimal Debian."""
    release = DEBIAN.get(core, NEWER_DEBIAN)
    root = WORK / f"debian-{release}"
    WORK.mkdir(parents=True, exist_ok=True)
    with open(root.with_suffix(".lock"), "w", encoding="ascii") as lock:
        # Two cores may need the same Debian at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_debian(release, root)
    for file in ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt"):
        shutil.copy(file, f"{root}{file}")
    (root / "etc/pip.conf").write_text(pip_settings(sys.executable))
    # The mounts are private and end with the shell.
    run("unshare", "--mount", "sh", "-euc", """
        for folder in /dev /proc /sys "$2"; do
            mkdir -p "$1$folder"
            mount --bind "$folder" "$1$folder"
        done
        exec chroot "$1" env --chdir="$2" PATH=/usr/sbin:/usr/bin:/sbin:/bin python3 tests/stage/sanity.py "$3"
        """, "sh", str(root), str(ROOT), core)


def main(core: str) -> None:
    pythons = {version: find_python(version) for version in {*CONTROLLER[core], *MANAGED[core]}}
    controller = next((version for version in CONTROLLER[core] if pythons[version]), None)
    if controller is None:
        in_debian(core)
        return
    folder = WORK / core
    ansible = programs_of(core)
    make_home(folder / "home", str(ansible / "python"))
    # The cases of the conformance tests have to break every rule: other line ends, bytes that are no UTF-8. Files that
    # users do not install are checked only by the newest core, because that takes as long as everything else.
    excluded = ["tests/conformance/cases/*/**"] if core == max(CONTROLLER) else ["tests/*/**", "extensions/**"]
    run(str(HERE / "clean-copy"), str(folder), *(f":(exclude){path}" for path in excluded))
    managed = [version for version in MANAGED[core] if pythons[version]]
    left_out: tuple[str, ...] = ()
    if not os.environ.get("EVERYTHING"):
        if core != max(CONTROLLER):
            managed = sorted({managed[0], managed[-1]}, key=managed.index)
        if core not in (min(CONTROLLER), max(CONTROLLER)):
            left_out = ("--skip-test=pylint",)
    targets = [f"--target-python={version}@{pythons[version]}" for version in managed]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    # ansible-test searches there again, and must not find pyenv's shims first.
    folders = dict.fromkeys(str(Path(python).parent) for python in pythons.values() if python)
    environment.update(HOME=str(folder / "home"), PATH=":".join([str(ansible), *folders, PATH]))
    environment.pop("PYTHONPATH", None)
    run(
        str(ansible / "ansible-test"), "sanity", "--color=no", *left_out,
        f"--controller=origin:python=venv/{controller}@{pythons[controller]}", *targets,
        cwd=folder / "ansible_collections/hpc/slurm_jwt", env=environment,
    )


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CONTROLLER:
        sys.exit(f"usage: sanity.py {'|'.join(CONTROLLER)}")
    try:
        main(sys.argv[1])
    except subprocess.CalledProcessError as error:
        sys.exit(f"sanity.py: {error.cmd[0]} ended with {error.returncode}")
