# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every command line that runs on this host to a file, as any user could read it, until it is stopped."""

import pathlib
import sys
import time

seen = set()
with open(sys.argv[1], "wb", buffering=0) as log:
    while True:
        for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = process.read_bytes()
            except OSError:
                continue
            if line and line not in seen:
                seen.add(line)
                log.write(line.replace(b"\0", b" ") + b"\n")
        time.sleep(0.02)
