# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the user nobody read a file by an access control list, as setfacl makes it: acl.py FILE"""

import os
import pwd
import struct
import sys

path, nobody = sys.argv[1], pwd.getpwnam("nobody").pw_uid
owner = os.stat(path).st_mode >> 6 & 7
entries = ((0x01, owner, -1), (0x02, 4, nobody), (0x04, 0, -1), (0x10, 4, -1), (0x20, 0, -1))
packed = b"".join(struct.pack("<HHi", *entry) for entry in entries)
os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + packed)
