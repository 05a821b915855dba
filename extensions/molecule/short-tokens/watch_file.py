# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Polls a token's file without a pause until SIGTERM: watch_file.py FILE owner|stranger.

As its owner it reads it each time, and what is not a whole token is wrong. As anybody else it looks at it and at all
that lies beside it, and whatever can be opened, is empty, or has a bit for others is wrong.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys

WHOLE = re.compile(rb"[\w-]+\.[\w-]+\.[\w-]{43}\n?")


def as_owner(path: str) -> str | None:
    with open(path, "rb") as file:
        data = file.read()
    return None if WHOLE.fullmatch(data) else f"{len(data)} bytes that are no token"


def as_stranger(path: str) -> str | None:
    folder, name = os.path.split(path)
    for entry in os.scandir(folder):
        if name not in entry.name:
            continue
        try:
            state = entry.stat(follow_symlinks=False)
            with open(entry.path, "rb"):
                return f"{entry.name} could be opened"
        except PermissionError:
            pass
        except FileNotFoundError:
            continue
        if state.st_mode & 0o077:
            return f"{entry.name} has mode {state.st_mode & 0o777:o}"
        if entry.name == name and not state.st_size:
            return f"{entry.name} is empty"
    return None


def main(path: str, who: str) -> None:
    going = True

    def end(*_signal: object) -> None:
        nonlocal going
        going = False

    signal.signal(signal.SIGTERM, end)
    check = {"owner": as_owner, "stranger": as_stranger}[who]
    polls, files, wrong = 0, set(), []
    while going:
        problem = check(path)
        polls += 1
        files.add(os.stat(path).st_ino)
        if problem and len(wrong) < 10:
            wrong.append(problem)
    print(json.dumps({"polls": polls, "files": len(files), "wrong": wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])
