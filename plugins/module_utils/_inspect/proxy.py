# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects the parts of the authenticating proxy on its host. Private to this collection.

The role slurm_jwt_proxy names the files, units and packages, and compares the result. This file decides nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import stat
from typing import Any, Mapping, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name, user_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import packages
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import units

_LARGEST = 4 * 1024 * 1024
"""Bytes. All files of the role are smaller."""
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFSOCK: "socket",
}
_PROGRAM_ENDINGS = (".py", ".new")


def inspect(layout: Mapping[str, Any], run: packages.Run) -> dict[str, Any]:
    """The result "proxy" of slurm_jwt_info; see its documentation."""
    return {
        "files": [description(path, with_content=True) for path in layout["files"]],
        "site_files": [description(path) for path in layout["site_files"]],
        "units": _units(layout["units"], run),
        "packages": packages.installed(layout["packages"], run),
        "user": _user(layout["user"]),
        "other_programs": _other_programs(layout["program_folder"], layout["files"]),
        "listens": _listens(layout["listens"], run),
        "loaded": _loaded(layout, run),
        "passwords_usable": _passwords_usable(layout, run),
    }


def description(path: str, with_content: bool = False) -> dict[str, Any]:
    """What is at a path. WITH_CONTENT: read the content of a file for its fingerprint."""
    found: dict[str, Any] = {
        "path": path, "kind": "missing", **dict.fromkeys(("owner", "group", "mode", "target", "fingerprint"))
    }  # fmt: skip
    try:
        status = os.lstat(path)
    except OSError:
        return found
    found["kind"] = _KINDS.get(stat.S_IFMT(status.st_mode), "other")
    found["owner"], found["group"] = user_name(status.st_uid), group_name(status.st_gid)
    found["mode"] = f"{stat.S_IMODE(status.st_mode):04o}"
    with contextlib.suppress(OSError):
        if found["kind"] == "link":
            found["target"] = os.readlink(path)
        elif found["kind"] == "file" and with_content and status.st_size <= _LARGEST:
            with open(path, "rb", opener=_without_links) as stream:
                found["fingerprint"] = f"SHA256:{hashlib.sha256(stream.read(_LARGEST + 1)).hexdigest()}"
    return found


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _units(names: Sequence[str], run: packages.Run) -> list[dict[str, Any]]:
    shown = units.parse(run(units.show(names))[1]) if names else []
    return [
        {
            "unit": name,
            "active": unit.active,
            "enabled": unit.enabled,
            "needs_reload": unit.needs_reload,
            "inaccessible": list(unit.inaccessible),
        }
        for name, unit in zip(names, shown)
    ]


def _user(name: str) -> dict[str, str] | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return {"home": entry.pw_dir, "shell": entry.pw_shell}


def _other_programs(folder: str, known: Sequence[str]) -> int:
    """The number of unknown programs, or temporary files of programs, in the folder."""
    try:
        names = [name for name in os.listdir(folder) if name.endswith(_PROGRAM_ENDINGS)]
    except OSError:
        return 0
    return len([name for name in names if os.path.join(folder, name) not in known])


def _listens(paths: Sequence[str], run: packages.Run) -> list[str]:
    """The Listen lines in Apache's configuration, without those of the role."""
    if not paths:
        return []
    pattern = "^[[:space:]]*Listen[[:space:]]"
    grep = ["grep", "-RhEi", "--exclude=slurm_jwt_proxy.conf", "-e", pattern, "--"]
    return [" ".join(line.split()) for line in run([*grep, *paths])[1].splitlines()]


def _loaded(layout: Mapping[str, Any], run: packages.Run) -> list[str]:
    """The units that have loaded their current files, according to the role's watch.py; none without it."""
    if not layout["watched_file"] or not os.path.exists(layout["watched_file"]):
        return []
    program = os.path.join(layout["program_folder"], "watch.py")
    rc, out, dummy_err = run([layout["python"], "-I", "-S", program, layout["watched_file"], "state"])
    try:
        state = json.loads(out) if rc == 0 else {}
        return [str(unit) for unit, entry in state.items() if entry["loaded"] is True]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def _passwords_usable(layout: Mapping[str, Any], run: packages.Run) -> bool | None:
    """Whether the role's password_file.py accepts the password file. Null if none is named."""
    if not layout["password_file"]:
        return None
    program = os.path.join(layout["program_folder"], "password_file.py")
    if not os.path.exists(program):
        return False
    return run([layout["python"], "-I", "-S", program, layout["password_file"]])[0] == 0
