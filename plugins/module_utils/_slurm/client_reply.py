# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Slurm's client commands print when they show a token to a daemon, and what it means. Private to this collection.

Measured on 20.11.4, 22.05.8, 24.11.5 and 26.05.5: sdiag needs authentication and nothing else, whatever PrivateData
says (PrivateData=partitions denies sinfo to plain users). "sacctmgr list cluster" is the equivalent for slurmdbd.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ACCEPTED = "accepted"
REFUSED = "refused"
UNREACHABLE = "unreachable"
UNCLEAR = "unclear"
UNASKED = "unasked"

CLOSED = "closed"  # internal: the connection was accepted, and closed without an answer

CLIENTS = {
    "slurmctld": ("sdiag",),
    "slurmdbd": ("sacctmgr", "-n", "-P", "list", "cluster", "format=cluster"),
}
"""For each daemon, the cheapest client command that every authenticated user may run, and nobody else."""

# The client failed before it sent a request. These are checked first: later lines may mention authentication, too.
_NOT_ASKED = (
    "cannot find auth plugin",
    "cannot create auth context",
    "failed to initialize auth",
    "fatal:",
    "not running a supported accounting_storage plugin",
)
NO_ANSWER = (
    "unable to contact slurm controller",
    "failed to open persistent connection",
    "unable to resolve",
    "connection refused",
    "timed out",
    "no route to host",
    "network is unreachable",
)
# slurmdbd accepted the connection, but not the request. Without auth/jwt it cannot even read the request, and hangs up.
_NO_WELCOME = "failed to unpack slurm_persist_init"
NO = (
    "authentication error",
    "invalid authentication credential",
    "authentication credential expired",
    _NO_WELCOME,
)
HUNG_UP = ("zero bytes were transmitted",)


class Reply(NamedTuple):
    """What came back for one token."""

    kind: str
    detail: str


def reply_of_client(code: int, output: str, errors: str, timed_out: tuple[int, ...], timeout: int) -> Reply:
    """What a client's exit code and output mean."""
    if code in timed_out:
        return Reply(UNREACHABLE, f"no answer within {timeout} s")
    if code == 0:
        return Reply(ACCEPTED, "")
    said = " ".join(errors.split()) or " ".join(output.split()) or f"exit code {code} and no word"
    low = said.lower()
    if any(text in low for text in _NOT_ASKED):
        return Reply(UNASKED, shortened(said))
    if _NO_WELCOME in low and any(text in low for text in NO_ANSWER):
        # The client asked two hosts: a standby slurmdbd does not listen while the primary runs.
        first = next(line for line in errors.splitlines() if _NO_WELCOME in line.lower())
        return Reply(CLOSED, shortened(_last_word(first)))
    for kind, texts in ((UNREACHABLE, NO_ANSWER), (REFUSED, NO), (CLOSED, HUNG_UP)):
        if any(text in low for text in texts):
            return Reply(kind, shortened(_last_word(errors)))
    return Reply(UNCLEAR, shortened(said))


def _last_word(errors: str) -> str:
    """The line with the reason, in the output of a client that tried several times."""
    lines = [line.strip() for line in errors.splitlines() if line.strip() and "Problem with query" not in line]
    return re.sub(r"^\w+: (?:error: )?", "", lines[-1]) if lines else "no word"


def shortened(text: str) -> str:
    """The text, without its middle if it is long."""
    return text if len(text) <= 300 else f"{text[:200]} ... {text[-90:]}"
