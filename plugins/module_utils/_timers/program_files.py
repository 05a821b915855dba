# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a small program that systemd runs on a host. Private to this collection.

The program is a folder with a module of this collection, all that it imports of this collection, and a __main__.py that
starts it. So it stays as installed between two runs of Ansible.
"""

from __future__ import annotations

import ast
import glob
import importlib
import os
from types import ModuleType
from typing import Any, Container

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.managed_files import PUBLIC, ManagedFile

_COLLECTION = "ansible_collections.hpc.slurm_jwt."

_MAIN = """\
# Written by hpc.slurm_jwt; changes are lost.
import sys

from {0} import main

sys.exit(main())
"""


class SourceMissing(Exception):
    """A module of this collection has no source. The text says which."""


def program_files(folder: str, main: ModuleType) -> dict[str, ManagedFile]:
    """The files of the program that runs a module's main(): the module, all that it imports, and __main__.py."""
    sources = _sources(main)
    files = {
        os.path.join(folder, *name.split(".")) + ".py": ManagedFile(text, PUBLIC) for name, text in sources.items()
    }
    files[os.path.join(folder, "__main__.py")] = ManagedFile(_MAIN.format(main.__name__), PUBLIC)
    return files


def stale_files(folder: str, desired: Container[str]) -> list[str]:
    """What another version has left in the program's folder."""
    return [path for path in glob.glob(os.path.join(folder, "**", "*.py"), recursive=True) if path not in desired]


def _sources(main: ModuleType) -> dict[str, str]:
    """Name and source of a module, and of every module of this collection that it imports, directly or not."""
    sources: dict[str, str] = {}
    waiting = [main.__name__]
    while waiting:
        name = waiting.pop()
        if name not in sources:
            sources[name] = _source_of(importlib.import_module(name))
            waiting += _imported(sources[name])
    return dict(sorted(sources.items()))


def _imported(source: str) -> list[str]:
    """The modules of this collection that a source imports; packages themselves are empty."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_COLLECTION):
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            names += [name for name in below if _is_module(name)] or [str(node.module)]
    return names


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _source_of(module: ModuleType) -> str:
    """The source of a module, from wherever Ansible has put it for this run."""
    loader: Any = module.__loader__
    text = loader.get_source(module.__name__)
    if text is None:
        raise SourceMissing(f"{module.__name__} has no source here. Install the collection with its sources.")
    return str(text)
