# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Searches files for the signing key and for tokens: scan.py KEY_IN_HEX PATH...

The key is looked for raw, in hex and in base64 (both alphabets, at each of three offsets); a token is anything
that has the shape of a signed JWT with a claim for Slurm's user (PyJWT's own documentation has one without). Prints
each hit; the exit code is 1 if there is one. Prints how many files were read.
"""

import base64
import os
import re
import sys

KEY = bytes.fromhex(sys.argv[1])
TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.(eyJ[A-Za-z0-9_-]{8,})\.[A-Za-z0-9_-]{20,}")
NOT_REAL = ("/proc", "/sys", "/dev", "/run/user")


def encodings(key):
    yield "raw", key
    yield "hex", key.hex().encode()
    yield "HEX", key.hex().upper().encode()
    for offset in range(3):
        # The middle of the key, whatever is before and after it.
        coded = base64.b64encode(key[offset : offset + (len(key) - offset) // 3 * 3])
        yield "base64", coded
        yield "base64url", coded.replace(b"+", b"-").replace(b"/", b"_")


def has_token(data):
    for match in TOKEN.finditer(data):
        claims = match.group(1)
        if b'"sun"' in base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4)):
            return True
    return False


def files(paths):
    for path in paths:
        if os.path.isfile(path):
            yield path
        for folder, below, names in os.walk(path):
            below[:] = [name for name in below if os.path.join(folder, name) not in NOT_REAL]
            yield from (os.path.join(folder, name) for name in names)


read, hits = 0, 0
for path in files(sys.argv[2:]):
    if os.path.islink(path) or not os.path.isfile(path):
        continue
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        continue
    read += 1
    matches = [name for name, text in encodings(KEY) if text in data]
    matches += ["token"] if has_token(data) else []
    for name in dict.fromkeys(matches):
        hits += 1
        print(f"{path}: {name}")
print(f"{read} files read, {hits} hits")
sys.exit(1 if hits else 0)
