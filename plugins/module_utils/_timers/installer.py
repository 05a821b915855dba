# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a small program of this collection on a host, for systemd to run. Private to this collection.

The program is a folder with a module of this collection, all that it imports of this collection, and a __main__.py that
starts it, so that it works on between two runs of Ansible as it was when it was installed.
"""

from __future__ import annotations

import ast
import glob
import importlib
import os
import shutil
from types import ModuleType
from typing import Any, Callable, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import remove, replace
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    SecretFile,
    read_if_there,
    set_attributes,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint

PUBLIC, PRIVATE = 0o644, 0o600

COLLECTION = "ansible_collections.hpc.slurm_jwt."

MAIN = """\
# Written by hpc.slurm_jwt; changes are lost.
import sys

from {0} import main

sys.exit(main())
"""

STAMPS = "/var/lib/systemd/timers"
"""Where systemd notes when a persistent timer last ran."""

TIMER_PROPERTIES = ("Id", "ActiveState", "UnitFileState", "NextElapseUSecRealtime", "NeedDaemonReload")


class SourceMissing(Exception):
    """A part of this collection is there without its source. The text says which."""


class File(NamedTuple):
    """A file as it is to be."""

    text: str
    mode: int
    secret: bool = False
    """Whether a diff says no more of it than its size."""


def program(folder: str, main: ModuleType) -> dict[str, File]:
    """The files of the program whose main() a module has: all that it imports, itself, and what starts it."""
    sources = _sources(main)
    files = {os.path.join(folder, *name.split(".")) + ".py": File(text, PUBLIC) for name, text in sources.items()}
    files[os.path.join(folder, "__main__.py")] = File(MAIN.format(main.__name__), PUBLIC)
    return files


def _sources(main: ModuleType) -> dict[str, str]:
    """Name to source of a module, and of every module of this collection that it imports, itself or by another."""
    found: dict[str, str] = {}
    waiting = [main.__name__]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _source_of(importlib.import_module(name))
            waiting += _imported(found[name])
    return dict(sorted(found.items()))


def _imported(source: str) -> list[str]:
    """The modules of this collection that a source imports; packages themselves are empty."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(COLLECTION):
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            names += [name for name in below if _is_module(name)] or [str(node.module)]
    return names


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def strangers(folder: str, wanted: dict[str, File]) -> list[str]:
    """What an earlier version has left in the program's folder."""
    return [path for path in glob.glob(os.path.join(folder, "**", "*.py"), recursive=True) if path not in wanted]


def _source_of(part: ModuleType) -> str:
    """The source of a part, from wherever Ansible has put it for this run."""
    loader: Any = part.__loader__
    text = loader.get_source(part.__name__)
    if text is None:
        raise SourceMissing(
            f"The source of {part.__name__} is not at hand. Install the collection with its sources."
        )
    return str(text)


class Files:
    """What is written and taken away, or would be in check mode, and the difference."""

    def __init__(self, check_mode: bool) -> None:
        self.check_mode = check_mode
        self.diffs: list[dict[str, Any]] = []

    def put(self, path: str, file: File) -> bool:
        """Bring a file to what is wanted. True if anything had to be done."""
        # What everybody may read needs no folder of its own.
        there = read_if_there(path, secret=file.mode == PRIVATE)
        data = file.text.encode("utf-8")
        ownership = (os.geteuid(), os.getegid(), file.mode)
        if there is not None and there.data == data and there.has_ownership(*ownership):
            return False
        self._note(path, there, file.text, file.secret)
        if self.check_mode:
            return True
        if there is not None and there.data == data:
            return set_attributes(path, *ownership)
        os.makedirs(os.path.dirname(path), mode=0o755 if file.mode == PUBLIC else 0o700, exist_ok=True)
        replace(path, data, *ownership)
        return True

    def take_away(self, path: str, secret: bool = False) -> bool:
        there = read_if_there(path, secret=False)
        if there is None:
            return False
        self._note(path, there, "", secret)
        if not self.check_mode:
            remove(path)
        return True

    def take_folder_away(self, folder: str) -> bool:
        """The same of a folder that this collection made, with what Python has left in it; not if others use it."""
        if os.path.islink(folder) or not os.path.isdir(folder):
            return False
        ours = {diff["before_header"] for diff in self.diffs}
        for path, _folders, names in os.walk(folder):
            left = [os.path.join(path, name) for name in names if os.path.basename(path) != "__pycache__"]
            if any(each not in ours or not self.check_mode for each in left):
                return False
        if not self.check_mode:
            shutil.rmtree(folder)
        return True

    def take_metrics_away(self, path: str, warn: Callable[[str], object]) -> bool:
        """The same of a file of metrics. Whoever owns its folder may keep it, and keeps nobody from anything else."""
        try:
            return self.take_away(path)
        except SecretFileError as exc:
            warn(f"{exc} This file of metrics stays.")
            return False

    def _note(self, path: str, there: SecretFile | None, text: str, secret: bool) -> None:
        before = "" if there is None else there.data.decode("utf-8", "replace")
        if secret:
            before, text = (short and f"({len(short)} characters that are not shown)\n" for short in (before, text))
        elif path.endswith(".py"):
            before, text = (short and fingerprint(short.encode("utf-8")) + "\n" for short in (before, text))
        self.diffs.append({"before_header": path, "after_header": path, "before": before, "after": text})


# -- timers ------------------------------------------------------------------------------------------------------------


def timer_states(run_command: Callable[..., Any], systemctl: str, units: Sequence[str]) -> dict[str, dict[str, str]]:
    """What systemd says of each timer, by its unit. RUN_COMMAND is that of an Ansible module."""
    argv = [systemctl, "show", "--property", ",".join(TIMER_PROPERTIES), "--", *units]
    output = run_command(argv, check_rc=True)[1]
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in output.split("\n\n")]
    return {block["Id"]: block for block in blocks if "Id" in block}


def at_work(state: dict[str, str]) -> bool:
    """Whether a timer does what its file says, now and after the next boot."""
    enabled = state.get("ActiveState") == "active" and state.get("UnitFileState") == "enabled"
    return enabled and not unread(state)


def unread(state: dict[str, str]) -> bool:
    """Whether systemd has yet to read the file, as after a run that was killed."""
    return state.get("NeedDaemonReload") == "yes"


def forget(units: str, timer: str, stamps: str = STAMPS) -> None:
    """Take away the link by which boots start a timer whose unit is gone already; disable wants that.

    And the file in which systemd notes when it last ran.
    """
    link, stamp = os.path.join(units, "timers.target.wants", timer), os.path.join(stamps, f"stamp-{timer}")
    for path in (link, stamp):
        if os.path.lexists(path):
            os.unlink(path)
