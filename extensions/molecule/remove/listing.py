# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists everything that a run may make or change on this host: path, type, owner, mode, sha256; and units."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess

TREES = ("/etc", "/usr/local", "/var/lib/systemd", "/var/lib/slurm", "/run/systemd/system")

# Files that other programs write: copies by useradd and userdel, the linker's list after packages were installed,
# states of daemons, a seed.
OTHERS = re.compile(
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-"
    r"|/etc/ld\.so\.cache"
    r"|/var/lib/slurm/[^/]+/(?!jwt).*"
    r"|/var/lib/systemd/(random-seed|timesync/.*|linger/.*)"
    r"|/run/systemd/system/.*\.scope.*|.*/__pycache__.*"
)


def main() -> None:
    paths = [*(os.path.join("/var/lib", name) for name in os.listdir("/var/lib"))]
    for tree in TREES:
        for folder, folders, files in os.walk(tree):
            paths += (os.path.join(folder, name) for name in [*folders, *files])
    for path in sorted(paths):
        if not OTHERS.fullmatch(path):
            print(line(path))
    argv = ["systemctl", "list-unit-files", "--no-legend", "--no-pager"]
    for unit in sorted(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()):
        print("unit", " ".join(unit.split()))


def line(path: str) -> str:
    there = os.lstat(path)
    what = ""
    if stat.S_ISLNK(there.st_mode):
        what = os.readlink(path)
    elif stat.S_ISREG(there.st_mode):
        with open(path, "rb") as file:
            what = hashlib.sha256(file.read()).hexdigest()
    return f"{path} {stat.filemode(there.st_mode)} {there.st_uid}:{there.st_gid} {what}"


if __name__ == "__main__":
    main()
