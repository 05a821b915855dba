# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox in which systemd runs the small programs that timers start. Private to this collection.

The programs run as root, because they write files of any owner in any folder that a site declares, and because only
root may have systemd restart a service. Everything else that root can do is taken away.
"""

from __future__ import annotations

import os
import stat
from typing import Iterable, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.sandbox import lines

_FILES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER")
"""Capabilities that it takes to write a file into somebody else's folder and to give it to its owner."""

# munge and systemd listen on local sockets; the resolver asks the kernel for addresses over netlink.
_FAMILIES = ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK")

_TEMPORARY = ("/tmp", "/var/tmp")


def sandbox(writable: Iterable[str], capabilities: Sequence[str] = ()) -> str:
    """Lines of [Service] for a program that writes into these folders, and into no others."""
    # A folder that is missing is for the program to complain of; it would keep the whole unit from starting.
    folders = " ".join(quoted(f"-{folder}") for folder in sorted(set(map(firm, writable))))
    common = lines(_FAMILIES, [*_FILES, *capabilities], home="read-only", denied=["@resources"])
    return "\n".join([f"ReadWritePaths={folders}", "IPAddressDeny=multicast", *common, ""])


def firm(folder: str) -> str:
    """A folder, or the nearest above it, in whose place nobody but root can put something else.

    systemd fails to start a unit one of whose folders becomes a link or a pipe at that instant. So a user in whose
    folder a program writes, such as Prometheus's, could keep it from doing all the rest.
    """
    path = "/"
    for step in folder.split("/"):
        try:
            holder, entry = os.stat(path), os.lstat(os.path.join(path, step))
        except OSError:
            return folder  # not there yet
        if _is_replaceable(holder, entry):
            return path
        path = os.path.join(path, step)
    return path.rstrip("/") or "/"


def _is_replaceable(holder: os.stat_result, entry: os.stat_result) -> bool:
    """Whether somebody else can give the name of an entry to something of theirs."""
    trusted = (0, os.geteuid())
    if holder.st_uid not in trusted:
        return True
    shared = holder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return bool(shared) and not (holder.st_mode & stat.S_ISVTX and entry.st_uid in trusted)


def is_hidden(path: str) -> bool:
    """Whether a path lies where a program in the sandbox has a folder of its own instead of the host's."""
    places = {place for each in _TEMPORARY for place in (each, os.path.realpath(each))}
    return any(f"{os.path.realpath(path)}/".startswith(f"{place}/") for place in places)


def quoted(word: str) -> str:
    """A word of a line in a unit, whatever characters it has."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if text != word or " " in text or "'" in text else text
