# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets an access control list, or prints a + if there is one, without setfacl and getfacl: let_in.py PATH [UID]"""

from __future__ import annotations

import os
import struct
import sys

ACCESS = "system.posix_acl_access"


def main(path: str, *uid: str) -> None:
    if uid:
        mode, nobody = os.stat(path).st_mode, 2**32 - 1
        entries = [(1, mode >> 6 & 7, nobody), (2, 4, int(uid[0])), (4, mode >> 3 & 7, nobody), (16, 4, nobody)]
        packed = b"".join(struct.pack("<HHI", *entry) for entry in [*entries, (32, mode & 7, nobody)])
        os.setxattr(path, ACCESS, struct.pack("<I", 2) + packed)
    elif ACCESS in os.listxattr(path):
        print("+")


if __name__ == "__main__":
    main(*sys.argv[1:])
