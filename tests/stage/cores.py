# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual environment for each supported ansible-core: cores.py oldest|newest prints the folder of its programs.

The newest is the newest for which this machine has a Python.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".work/sanity"

#: ansible-core -> the Pythons that it supports, the best first.
CONTROLLER = {
    "2.16": ("3.12", "3.11", "3.10"),
    "2.17": ("3.12", "3.11", "3.10"),
    "2.18": ("3.13", "3.12", "3.11"),
    "2.19": ("3.13", "3.12", "3.11"),
    "2.20": ("3.14", "3.13", "3.12"),
    "2.21": ("3.14", "3.13", "3.12"),
}

# Without the virtual environment that runs this script: ansible-test makes its own, from real Pythons.
PATH = ":".join(folder for folder in os.environ["PATH"].split(":") if folder != str(Path(sys.executable).parent))


def find_python(version: str) -> str | None:
    """A Python of that version, with pip and venv: the system's or pyenv's."""
    of_pyenv = glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python{version}"))
    for candidate in (shutil.which(f"python{version}", path=PATH), *of_pyenv):
        if not candidate:
            continue
        done = subprocess.run((candidate, "-c", "import ensurepip, venv"), capture_output=True, check=False)
        if done.returncode == 0:
            return candidate
    return None


def controller_of(core: str) -> str | None:
    """The version of the best Python that this machine has for an ansible-core."""
    return next((version for version in CONTROLLER[core] if find_python(version)), None)


def programs_of(core: str) -> Path:
    """The folder of the programs of an ansible-core. Installs it if it is missing; two stages may call this at once."""
    folder = WORK / core
    programs = folder / "venv/bin"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ((programs / "python").exists() and (programs / "ansible-test").exists()):
            python = find_python(controller_of(core) or "")
            run(str(python), "-m", "venv", "--clear", str(folder / "venv"))
            run(str(programs / "pip"), "install", "--quiet", "--disable-pip-version-check", f"ansible-core=={core}.*")
    return programs


def run(*command: str, **options: object) -> str:
    print("+", *command, file=sys.stderr, flush=True)
    done = subprocess.run(command, check=True, text=True, **options)  # type: ignore[call-overload]
    return done.stdout or ""


def main(which: str) -> None:
    cores = [core for core in CONTROLLER if controller_of(core)]
    core = {"oldest": cores[0], "newest": cores[-1]}[which]
    print(programs_of(core))


if __name__ == "__main__":
    if sys.argv[1:] not in (["oldest"], ["newest"]):
        sys.exit("usage: cores.py oldest|newest")
    main(sys.argv[1])
