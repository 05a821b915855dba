# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of Slurm's client commands, independent of the user's environment. Private to this collection.

Slurm's variables are removed from the environment. Above all, SLURM_JWT must not reach a client that is to use munge. A
client gets a token in its environment, which only its owner and root can read, never on its command line. Some clients
wait minutes for a daemon that is down; such a client is ended.
"""

from __future__ import annotations

import os
import shutil
from typing import Callable, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, parse

TIMED_OUT = (124, 137)
"""Exit codes of a command that was ended because it took too long."""

_USUAL_FOLDERS = ("/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin")
# In this order, because scontrol of older releases needs a valid slurm.conf even to print its release.
_PROGRAMS_WITH_RELEASE = ("slurmctld", "slurmdbd", "slurmrestd", "slurmd", "scontrol")


class ClientError(Exception):
    """A program is missing, or its release is not known. The text says what was searched where, and what to do."""


class Client(NamedTuple):
    """Where a site has its clients and their configuration, and how long a client may take, in seconds."""

    bin_dir: str | None
    conf_path: str | None
    timeout: int

    def argv(self, name: str, *arguments: str) -> list[str]:
        """The command that runs a client."""
        bound = shutil.which("timeout", path=":".join(_USUAL_FOLDERS))
        if bound is None:
            raise ClientError("The program timeout, of the package coreutils, is missing on this host. Install it.")
        return [bound, "--kill-after=1", str(self.timeout), self.program(name), *arguments]

    def environment(self, token: str | None = None) -> dict[str, str]:
        """Variables to add to a client's environment."""
        variables = {"LC_ALL": "C"}
        # A configless host has no such file; its clients find their configuration themselves.
        if self.conf_path is not None and os.path.exists(self.conf_path):
            variables["SLURM_CONF"] = self.conf_path
        if token is not None:
            variables["SLURM_JWT"] = token
        return variables

    def program(self, name: str) -> str:
        """The path of a program."""
        path = self._find(name)
        if path is None:
            raise ClientError(
                f"The program {name} is not in {self.bin_dir or 'any of ' + ', '.join(_USUAL_FOLDERS)}. "
                "Install Slurm's client programs on this host, or name their folder in bin_dir."
            )
        return path

    def release(self, declared: str | None, run: Callable[[list[str]], str]) -> Release:
        """The release that the task declares, or the one installed here, which a program of Slurm prints."""
        text = run(self._release_command()) if declared is None else declared
        try:
            return parse(text)
        except ValueError as exc:
            raise ClientError(f"release: {exc}") from exc

    def _release_command(self) -> list[str]:
        for name in _PROGRAMS_WITH_RELEASE:
            path = self._find(name)
            if path is not None:
                return [path, "-V"]
        raise ClientError(
            f"None of Slurm's programs is in {self.bin_dir or 'any of ' + ', '.join(_USUAL_FOLDERS)}, so its release "
            "is not known. Set release, or name the folder of the programs in bin_dir."
        )

    def _find(self, name: str) -> str | None:
        folders = _USUAL_FOLDERS if self.bin_dir is None else (self.bin_dir, *_beside(self.bin_dir))
        return shutil.which(name, path=":".join(folders))


def _beside(folder: str) -> tuple[str, ...]:
    """The folder next to it: clients are in bin and daemons in sbin, and a site names only one of the two."""
    head, tail = os.path.split(folder.rstrip("/"))
    return (os.path.join(head, {"bin": "sbin", "sbin": "bin"}[tail]),) if tail in ("bin", "sbin") else ()


def forget_environment() -> None:
    """Remove all variables that affect Slurm's clients from this process, and so from the clients that it starts."""
    for name in list(os.environ):
        if name.startswith(("SLURM_", "SCONTROL_", "SINFO_", "SACCTMGR_")):
            del os.environ[name]
