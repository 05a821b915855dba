# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for another key in a file, and measures how soon both daemons take its tokens and refuse the old ones.

    watch_swap.py KEY    prints a JSON object, with seconds since the change of the file
"""

import json
import os
import subprocess
import sys
import time

from tokens import token

CLIENTS = (("sinfo",), ("sacctmgr", "-n", "list", "cluster"))


def read():
    with open(sys.argv[1], "rb") as file:
        return file.read()


def takes(client, jwt):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.run(client, env=dict(os.environ, SLURM_JWT=jwt), check=False, **quiet).returncode == 0


old = read()
while read() == old:
    time.sleep(0.001)
changed = time.monotonic()
new, old = token(read()), token(old)
while True:
    begin = time.monotonic()
    answers = [(takes(client, new), takes(client, old)) for client in CLIENTS]
    if answers == [(True, False)] * 2 or begin - changed > 30:
        break
print(json.dumps({"asked_after": begin - changed, "right": answers == [(True, False)] * 2}))
