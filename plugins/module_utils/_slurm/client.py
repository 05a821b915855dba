# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Slurm's client programs are called so that nothing else has a say in it. Private to this collection.

What the user's environment says of Slurm is forgotten, SLURM_JWT least of all may reach a client that is to use
munge. A token goes to a client in its environment, which only its owner and root can read, never on its command line.
A client that waits for a daemon that is down (some do for minutes) is ended.
"""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple

TIMED_OUT = (124, 137)
"""Exit codes that mean that the time was up."""

_USUAL = ("/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin")
# In this order, because scontrol of older releases wants a valid slurm.conf before it says its release.
_TELL_RELEASE = ("slurmctld", "slurmdbd", "slurmrestd", "slurmd", "scontrol")


class ClientError(Exception):
    """A program is missing. The text says which, where it was sought, and what to do."""


class Client(NamedTuple):
    """Where a site has its clients and their configuration."""

    bin_dir: str | None
    conf_path: str | None
    timeout: int

    def argv(self, name: str, *arguments: str) -> list[str]:
        """The command that runs a client."""
        bound = shutil.which("timeout", path=":".join(_USUAL))
        if bound is None:
            raise ClientError("The program timeout, of the package coreutils, is missing on this host. Install it.")
        return [bound, "--kill-after=1", str(self.timeout), self.program(name), *arguments]

    def environment(self, token: str | None = None) -> dict[str, str]:
        """What a client has to find in its environment beside what is there."""
        wanted = {"LC_ALL": "C"}
        # A configless host has no such file; its clients find their configuration themselves.
        if self.conf_path is not None and os.path.exists(self.conf_path):
            wanted["SLURM_CONF"] = self.conf_path
        if token is not None:
            wanted["SLURM_JWT"] = token
        return wanted

    def program(self, name: str) -> str:
        """The path of a program."""
        path = self._find(name)
        if path is None:
            raise ClientError(
                f"The program {name} is not in {self.bin_dir or 'any of ' + ', '.join(_USUAL)}. "
                "Install Slurm's client programs on this host, or name their folder in bin_dir."
            )
        return path

    def teller_of_release(self) -> list[str]:
        """The command that says which release is installed here."""
        for name in _TELL_RELEASE:
            path = self._find(name)
            if path is not None:
                return [path, "-V"]
        raise ClientError(
            f"None of Slurm's programs is in {self.bin_dir or 'any of ' + ', '.join(_USUAL)}, so its release is not "
            "known. State it in release, or name the folder of the programs in bin_dir."
        )

    def _find(self, name: str) -> str | None:
        folders = _USUAL if self.bin_dir is None else (self.bin_dir, *_beside(self.bin_dir))
        return shutil.which(name, path=":".join(folders))


def _beside(folder: str) -> tuple[str, ...]:
    """Clients are in bin and daemons in sbin; a site names only one of the two."""
    head, tail = os.path.split(folder.rstrip("/"))
    return (os.path.join(head, {"bin": "sbin", "sbin": "bin"}[tail]),) if tail in ("bin", "sbin") else ()


def forget_environment() -> None:
    """Remove from this process, and so from the clients it starts, whatever would change what they do or say."""
    for name in list(os.environ):
        if name.startswith(("SLURM_", "SCONTROL_", "SINFO_", "SACCTMGR_")):
            del os.environ[name]
