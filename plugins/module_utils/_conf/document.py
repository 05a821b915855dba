# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""slurm.conf or slurmdbd.conf as Slurm reads it. Private to this collection.

A Conf is a file with all its included files. It never changes: Editor in editor.py makes a new one. Text is str; bytes
that are not UTF-8 become surrogates.
"""

from __future__ import annotations

import os
from typing import Callable, Mapping, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import (
    OPTIONS_FOUND_ANYWHERE,
    VALUE_OPTIONS,
    names,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.lint import ConfFinding, findings
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.parser import Entry, ParsedConf, decoded


class ConfError(Exception):
    """The file cannot be read or changed; str() says what was found, where, and what to do."""


class Setting(NamedTuple):
    """One parameter as Slurm sees it: lines joined, without quotes and escapes. Lines count from 1."""

    key: str
    value: str
    path: str
    first_line: int
    last_line: int


class Conf:
    """slurm.conf or slurmdbd.conf with its included files."""

    def __init__(self, path: str, kind: str, read: Callable[[str], bytes]) -> None:
        self.path = path
        self.kind = kind
        self.data: dict[str, bytes] = {}
        """The bytes of each file that was read."""
        self._source = read
        self.parsed = ParsedConf(path, kind, self._read)

    @classmethod
    def load(cls, path: str, read: Callable[[str], bytes] | None = None, kind: str | None = None) -> Conf:
        """Read the file and its included files. kind is slurm or slurmdbd; default: by the file name."""
        if kind is None:
            kind = "slurmdbd" if "slurmdbd" in os.path.basename(path) else "slurm"
        if read is None and os.path.isdir(path):
            raise ConfError(f"{path} is a folder. Name the file that the daemons of this host read.")
        try:
            return cls(path, kind, read or read_file)
        except OSError as exc:
            raise ConfError(
                f"{path}: cannot be read ({exc.strerror or exc}). Name the file that the daemons of this host read;"
                " a node of a configless cluster has none, and needs no edit."
            ) from exc

    def with_files(self, files: Mapping[str, bytes]) -> Conf:
        """A new configuration, with this content for some of its files."""

        def read(path: str) -> bytes:
            if path in files:
                return files[path]
            return self.data[path] if path in self.data else self._source(path)

        return Conf(self.path, self.kind, read)

    def _read(self, path: str) -> bytes:
        if path not in self.data:
            self.data[path] = self._source(path)
        return self.data[path]

    @property
    def paths(self) -> list[str]:
        """The files, in the order in which Slurm first opens them."""
        return list(self.parsed.lines)

    def entries(self, key: str) -> list[Entry]:
        """The lines that set the key, in the order that Slurm reads them. The last one is in force."""
        return self.parsed.entries.get(key.lower().encode("utf-8", "replace"), [])

    def effective(self, key: str) -> Setting | None:
        """The setting in force: the last one in all files."""
        entries = self.entries(key)
        return _setting(entries[-1]) if entries else None

    def value(self, key: str, default: str | None = None) -> str | None:
        """The value in force."""
        entries = self.entries(key)
        return decoded(entries[-1].value) if entries else default

    def occurrences(self, key: str) -> list[Setting]:
        """Every setting of the key, in the order that Slurm reads them."""
        return [_setting(entry) for entry in self.entries(key)]

    def members(self, key: str) -> list[str]:
        """A comma list as Slurm splits it: without empty members, but with the blanks around members."""
        return [member for member in (self.value(key) or "").split(",") if member]

    def option(self, key: str, name: str) -> str | None:
        """An option of a list such as AuthAltParameters, as the strictest release reads it; "" for a flag.

        The first member of that name counts. A blank before it hides it, except for options that every release finds
        anywhere in the value. An option that needs a value but has none counts as not set.
        """
        for member in self.members(key):
            if name in OPTIONS_FOUND_ANYWHERE:
                member = member.lstrip()
            if member == name:
                if name not in VALUE_OPTIONS:
                    return ""
            elif member.startswith(name + "="):
                value = member[len(name) + 1 :]
                return value or (None if name in VALUE_OPTIONS else "")
        return None

    def canonical(self, key: str) -> str | None:
        """The key as Slurm writes it; None if no release knows it."""
        return names(self.kind).get(key.lower())

    def problems(self) -> list[ConfFinding]:
        """All problems of the files that can be found without knowing the release."""
        return [problem for _key, problem in self.findings()]

    def findings(self) -> list[tuple[str, ConfFinding]]:
        """The problems, each with the key it is about (lower case, "" if none)."""
        return findings(self.parsed, self.kind)


def read_file(path: str) -> bytes:
    """The content of a file. A folder counts as empty, as in Slurm."""
    if os.path.isdir(path):
        return b""
    with open(path, "rb") as file:
        return file.read()


def _setting(entry: Entry) -> Setting:
    return Setting(decoded(entry.key), decoded(entry.value), entry.path, entry.first + 1, entry.last + 1)
