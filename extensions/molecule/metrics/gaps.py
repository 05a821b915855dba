# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gaps.py INTERVAL: fails if Prometheus was without a good scrape for more than one interval, or has no samples."""

import json
import sys
import time
import urllib.parse
import urllib.request

INTERVAL = float(sys.argv[1])
# A scrape may come late on a busy machine.
LATE = 2


def query(text):
    url = f"http://127.0.0.1:9090/api/v1/query?{urllib.parse.urlencode({'query': text})}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)["data"]["result"]


failed = False
for series in query('up{job=~"slurm-.*"}[30m]'):
    scrapes = [(float(when), value == "1") for when, value in series["values"]]
    good = [when for when, is_up in scrapes if is_up]
    now = [time.time()] if good else []
    gaps = [later - earlier for earlier, later in zip(good, [*good[1:], *now])]
    longest = max(gaps, default=float("inf"))
    job = series["metric"]["job"]
    bad = len(scrapes) - len(good)
    print(f"{job}: {len(scrapes)} scrapes, {bad} failed, longest time between two good ones {longest:.1f} s")
    # One missing scrape makes it two intervals.
    failed |= longest > 2 * INTERVAL + LATE or len(good) < 4
jobs = query("slurm_jobs_running")
print(f"slurm_jobs_running: {len(jobs)} series")
sys.exit(failed or len(jobs) != 1 or len(query('up{job=~"slurm-.*"}')) != 2)
