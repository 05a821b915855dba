# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a folder, to compare it before and after a run of a module."""

from __future__ import annotations

import pathlib
import stat
from typing import Any


def contents(folder: pathlib.Path) -> dict[str, Any]:
    """The folder and its files with all that a run could change, time and bytes included."""
    files = {}
    for path in [folder, *folder.iterdir()]:
        info = path.lstat()
        data = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
        files[path.name] = (info.st_ino, info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns, data)
    return files


def states(folder: pathlib.Path) -> list[tuple[object, ...]]:
    """Its files without their bytes, to see each state that a run brings about. It is quick."""
    files = []
    for path in sorted(folder.iterdir()):
        info = path.stat()
        files.append((path.name, info.st_ino, info.st_mode, info.st_uid, info.st_gid, info.st_size, info.st_nlink))
    return files


def temporary_files_in(folder: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".slurm_jwt.")]
