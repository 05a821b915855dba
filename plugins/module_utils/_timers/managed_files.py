# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a module writes and removes, or would in check mode, with their diffs. Private to this collection."""

from __future__ import annotations

import os
import shutil
from typing import Any, Callable, Iterable, Mapping, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import remove, replace
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    SecretFile,
    read_if_there,
    set_attributes,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint

PUBLIC, PRIVATE = 0o644, 0o600


class ManagedFile(NamedTuple):
    """A desired file."""

    text: str
    mode: int
    secret: bool = False
    """Whether a diff shows only its size."""


class ManagedFiles:
    """The files of one module run."""

    def __init__(self, check_mode: bool) -> None:
        self.check_mode = check_mode
        self.diffs: list[dict[str, Any]] = []

    def write_all(self, desired: Mapping[str, ManagedFile]) -> list[str]:
        """Bring files up to date, in this order. Returns those that were not."""
        return [path for path, file in desired.items() if self.write(path, file)]

    def remove_all(self, paths: Iterable[str]) -> list[str]:
        """Remove files. Returns those that existed."""
        return [path for path in paths if self.remove(path)]

    def write(self, path: str, file: ManagedFile) -> bool:
        """Bring a file up to date. True if it was not."""
        # A public file may be in a folder that others can write.
        current = read_if_there(path, secret=file.mode == PRIVATE)
        data = file.text.encode("utf-8")
        ownership = (os.geteuid(), os.getegid(), file.mode)
        if current is not None and current.data == data and current.has_ownership(*ownership):
            return False
        self._add_diff(path, current, file.text, file.secret)
        if self.check_mode:
            return True
        if current is not None and current.data == data:
            return set_attributes(path, *ownership)
        os.makedirs(os.path.dirname(path), mode=0o755 if file.mode == PUBLIC else 0o700, exist_ok=True)
        replace(path, data, *ownership)
        return True

    def remove(self, path: str, secret: bool = False) -> bool:
        current = read_if_there(path, secret=False)
        if current is None:
            return False
        self._add_diff(path, current, "", secret)
        if not self.check_mode:
            remove(path)
        return True

    def remove_folder(self, folder: str) -> bool:
        """Remove a folder that this collection made, with Python's caches in it; not if it holds anything else."""
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

    def remove_metrics(self, path: str, warn: Callable[[str], object]) -> bool:
        """Remove a file of metrics. The owner of its folder can prevent that; then there is only a warning."""
        try:
            return self.remove(path)
        except SecretFileError as exc:
            warn(f"{exc} This file of metrics stays.")
            return False

    def _add_diff(self, path: str, current: SecretFile | None, text: str, secret: bool) -> None:
        before = "" if current is None else current.data.decode("utf-8", "replace")
        if secret:
            before, text = (each and f"({len(each)} characters that are not shown)\n" for each in (before, text))
        elif path.endswith(".py"):
            before, text = (each and fingerprint(each.encode("utf-8")) + "\n" for each in (before, text))
        self.diffs.append({"before_header": path, "after_header": path, "before": before, "after": text})
