# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the timer's program many times as its unit would, for two users in turn: renew_often.py SERVICE TIMES.

A token of the other user is renewed whatever its age, so each run writes, unless the timer was first. It goes on until
as many have written as were asked for. Prints how many did, and the seconds of one.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
import time


def main(service: str, times: int) -> None:
    unit = subprocess.run(
        ["systemctl", "cat", f"slurm-jwt-renew@{service}.service"], stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    command = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1].split()[:-1]
    folder = pathlib.Path("/etc/slurm-jwt-renew")
    settings = json.loads((folder / f"{service}.json").read_text())
    pair = []
    for user in ("daemon", settings["user"]):
        path = pathlib.Path(f"/run/{service}-{user}.json")
        path.touch(mode=0o600)
        path.write_text(json.dumps({**settings, "user": user}), encoding="utf-8")
        pair.append(path)
    renewed, runs, begin = 0, 0, time.monotonic()
    while renewed < times:
        done = subprocess.run(
            [*command, pair[runs % 2]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            sys.exit(done.stdout)
        renewed += "reason: user" in done.stdout
        runs += 1
    for path in pair:
        path.unlink()
    print(json.dumps({"renewed": renewed, "seconds": round((time.monotonic() - begin) / runs, 3)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
