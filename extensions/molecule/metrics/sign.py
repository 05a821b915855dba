# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sign.py KEY USER: prints a token. Independent of the collection."""

import sys
import time

import jwt

with open(sys.argv[1], "rb") as file:
    key = file.read()
now = int(time.time())
token = jwt.encode({"iat": now, "exp": now + 3600, "sun": sys.argv[2]}, key, "HS256")
print(token if isinstance(token, str) else token.decode())
