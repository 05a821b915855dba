# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ask.py URL [HEADER]: asks, with the token on standard input if there is a header. Prints status and lines of body."""

import sys
import urllib.error
import urllib.request

headers = {}
if len(sys.argv) > 2:
    token = sys.stdin.read().strip()
    headers = {sys.argv[2]: f"Bearer {token}" if sys.argv[2] == "Authorization" else token}
try:
    with urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers=headers), timeout=10) as answer:
        # If the request has Connection: close, slurmctld 26.05.5 writes that line again behind its header.
        lines = [line for line in answer.read().splitlines() if line.strip() not in (b"", b"Connection: Close")]
        print(answer.status, len(lines))
except urllib.error.HTTPError as error:
    print(error.code, 0)
