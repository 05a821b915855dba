# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file systems several hosts can share. Private to this collection."""

from __future__ import annotations

_NETWORK_FILE_SYSTEMS = frozenset(
    ("nfs", "nfs4", "lustre", "ceph", "gpfs", "beegfs", "glusterfs", "cifs", "smb3", "afs", "ocfs2", "gfs2", "9p")
    + ("virtiofs", "orangefs", "wekafs")
)


def is_network(fstype: str) -> bool:
    """Whether several hosts can share a file system of this type."""
    return fstype in _NETWORK_FILE_SYSTEMS or fstype.startswith(("fuse.", "beegfs_"))
