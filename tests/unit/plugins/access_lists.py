# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""POSIX access control lists for tests, as setfacl makes them, on file systems that have them."""

from __future__ import annotations

import os
import pathlib
import stat
import struct
import tempfile

import pytest

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
_NOBODY = 2**32 - 1


def let_in(
    path: os.PathLike[str] | str, user: int | None = None, group: int | None = None, permissions: int = 4,
    name: str = ACCESS,
) -> None:  # fmt: skip
    """Give a user or a group permissions by a list, whatever the mode says of others."""
    mode = os.stat(path).st_mode
    owners, others = (mode >> 6) & 7, mode & 7
    ours = (mode >> 3) & 7 if name == ACCESS and not names_in(path) else 0
    named = (0x02, permissions, user) if user is not None else (0x08, permissions, group or 0)
    unnamed = ((0x01, owners), (0x04, ours), (0x10, permissions | ours), (0x20, others))
    entries = sorted([named, *((tag, each, _NOBODY) for tag, each in unnamed)])
    packed = b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, name, struct.pack("<I", 2) + packed)


def names_in(path: os.PathLike[str] | str) -> set[str]:
    """The lists that a file has."""
    return {ACCESS, DEFAULT} & set(os.listxattr(path))


def _has_lists() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "file"
        path.write_text("")
        try:
            let_in(path, user=1)
        except OSError:
            return False
        return stat.S_IMODE(path.stat().st_mode) & 0o040 != 0


needs_acl = pytest.mark.skipif(not _has_lists(), reason="wants a file system with access control lists")
