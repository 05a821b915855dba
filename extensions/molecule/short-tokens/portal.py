# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A portal that sends a request per second with SchedMD's slurm-rest, until SIGTERM: portal.py URL USER TOKEN_FILE.

It reads its token for each request, and prints at the end how many it made, what was refused, and how many tokens it
had.
"""

from __future__ import annotations

import json
import signal
import sys
import time

sys.path.insert(0, "/usr/local/lib/client.zip")

import slurm_rest  # noqa: E402
from slurm_rest.apis import SlurmApi  # noqa: E402


def ask(url: str, user: str, token: str) -> str | None:
    """The error, if there was one."""
    configuration = slurm_rest.Configuration(host=url, api_key={"user": user, "token": token})
    with slurm_rest.ApiClient(configuration) as client:
        try:
            # v0.0.36, which 20.11 and 22.05 support. The types of their answers are not tested.
            answer = SlurmApi(client).slurmctld_diag_0(_check_return_type=False, _request_timeout=20)
        except (slurm_rest.ApiException, OSError) as error:
            return f"{type(error).__name__}: {error}"[:300]
    errors = answer.to_dict().get("errors")
    return f"errors: {errors}" if errors else None


def main(url: str, user: str, token_file: str) -> None:
    going = True

    def end(*_signal: object) -> None:
        nonlocal going
        going = False

    signal.signal(signal.SIGTERM, end)
    requests, wrong, tokens = 0, [], set()
    while going:
        with open(token_file, encoding="ascii") as file:
            token = file.read().strip()
        tokens.add(token)
        error = ask(url, user, token)
        requests += 1
        if error:
            wrong.append(f"{time.strftime('%H:%M:%S')} {error}")
        time.sleep(1)
    print(json.dumps({"requests": requests, "wrong": wrong, "tokens": len(tokens)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
