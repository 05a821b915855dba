# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox in which systemd runs the programs that timers start. Private to this collection.

The programs run as root, because they write files of any owner in any folder that a site declares, and because only
root may have systemd restart a service. The sandbox removes all other rights of root.
"""

from __future__ import annotations

import os
from typing import Iterable, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import is_replaceable, write_acl
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.sandbox import lines

_FILES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER")
"""Capabilities that are needed to write a file into another user's folder and to give it to its owner."""

# munge and systemd listen on local sockets; the resolver asks the kernel for addresses over netlink.
_FAMILIES = ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK")

_TEMPORARY = ("/tmp", "/var/tmp")


def sandbox(writable: Iterable[str], capabilities: Sequence[str] = ()) -> str:
    """Lines of [Service] for a program that may write into these folders, and into no others."""
    # With the -, a missing folder does not keep the unit from starting, so that the program can report it.
    folders = " ".join(quoted(f"-{folder}") for folder in sorted(set(map(fixed_folder, writable))))
    common = lines(_FAMILIES, [*_FILES, *capabilities], home="read-only", denied=["@resources"])
    return "\n".join([f"ReadWritePaths={folders}", "IPAddressDeny=multicast", *common, ""])


def fixed_folder(folder: str) -> str:
    """The folder, or the nearest one above it that only root can replace.

    systemd does not start a unit if one of its folders is replaced by a link or a pipe at that instant. So a user into
    whose folder a program writes, such as Prometheus's, could keep the whole program from running.
    """
    path = "/"
    for step in folder.split("/"):
        try:
            parent, entry = os.stat(path), os.lstat(os.path.join(path, step))
        except OSError:
            return folder  # it does not exist yet
        if is_replaceable(parent, entry, write_acl(path, parent)):
            return path
        path = os.path.join(path, step)
    return path.rstrip("/") or "/"


def is_hidden(path: str) -> bool:
    """Whether a path is in /tmp or /var/tmp: the sandbox has private ones."""
    hidden = {name for each in _TEMPORARY for name in (each, os.path.realpath(each))}
    return any(f"{os.path.realpath(path)}/".startswith(f"{folder}/") for folder in hidden)


def quoted(word: str) -> str:
    """A word, quoted for a line of a unit."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if text != word or " " in text or "'" in text else text
