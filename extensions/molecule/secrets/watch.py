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
