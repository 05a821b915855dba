# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identifies a file, to recognise two hosts that see the same file. Private to this collection.

Equal content proves nothing: most clusters have a copy of slurm.conf on each host. Two other things identify a file.
Under one running kernel, which the containers of a machine share, device and inode number identify it. On a network
file system, inode number, change time and size come from the server and are the same on every client. If the server is
a host of the cluster, it has the same values on its own disk.
"""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths as file_paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.network import is_network

BOOT_ID, MOUNTINFO = "/proc/sys/kernel/random/boot_id", "/proc/self/mountinfo"

# A partial mount here comes from how the operating system is deployed. It is no sign of a shared folder.
_OF_THE_SYSTEM = ("/", "/etc")


def identities(paths: list[str]) -> list[dict[str, Any]]:
    """The identity of each file that exists, in the order given."""
    boot, mounts = _read(BOOT_ID).strip(), _read(MOUNTINFO)
    return [found for found in (_identity(path, boot, mounts) for path in paths) if found]


def _identity(path: str, boot: str, mounts: str) -> dict[str, Any] | None:
    try:
        # Opening the file makes a network file system ask its server for the current state.
        with open(path, "rb") as stream:
            status = os.fstat(stream.fileno())
    except OSError:
        return None
    mount = file_paths.mount_of(path, mounts)
    network = is_network(mount.type)
    return {
        "path": path,
        "here": f"{boot}:{status.st_dev}:{status.st_ino}" if boot else None,
        "anywhere": f"{status.st_ino}:{status.st_ctime_ns}:{status.st_size}",
        "network": network,
        "may_be_shared": network or (mount.is_part and mount.point not in _OF_THE_SYSTEM),
        "obstacle": file_paths.obstacle(os.path.dirname(os.path.realpath(path))),
    }


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""
