# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs the proxy's programs all at once: python3 -I -S -c TEXT FOLDER [check], with a JSON dictionary on its input.

The folder belongs to root and has no other programs. Each file is replaced by a rename. Prints the names of files whose
content, owner or mode differed; with "check" nothing is written.
"""

from __future__ import annotations

import json
import os
import stat
import sys

MODE = 0o644


def read(path: str) -> str | None:
    """The text of an installed file; None if it is missing, or has another owner, group or mode."""
    try:
        status = os.lstat(path)
        if (status.st_uid, status.st_gid, status.st_mode) != (os.geteuid(), os.getegid(), stat.S_IFREG | MODE):
            return None
        with open(path, encoding="utf-8", newline="") as stream:
            return stream.read()
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def write(path: str, text: str) -> None:
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8", newline="") as stream:
        os.fchmod(stream.fileno(), MODE)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)


def install(folder: str, programs: dict[str, str], check: bool) -> list[str]:
    """The names of files that differed from the programs, and of programs that are no longer needed."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    differ = [name for name, text in programs.items() if read(os.path.join(folder, name)) != text]
    stale = [name for name in names if name.endswith((".py", ".new")) and name not in programs]
    if not check:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        for name in differ:
            write(os.path.join(folder, name), programs[name])
        for name in stale:
            os.unlink(os.path.join(folder, name))
    return differ + stale


if __name__ == "__main__":
    os.umask(0o022)
    print(json.dumps(install(sys.argv[1], json.load(sys.stdin.buffer), sys.argv[2:] == ["check"])))
