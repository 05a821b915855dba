# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a request is refused, and the log. Part of the verifier; see verifier.py."""

from __future__ import annotations

import sys


class PolicyError(Exception):
    """The policy cannot be used. The text says why, and what to do."""


class Refused(Exception):
    """The request is refused. The text says why, for the log only."""


class NotAuthenticated(Exception):
    """The user is not authenticated. The text says why, for the log; the client gets the challenge."""

    def __init__(self, why: str, challenge: str) -> None:
        super().__init__(why)
        self.challenge = challenge


class TooMany(Exception):
    """Too many attempts, or too much work. The client may retry after so many seconds."""

    def __init__(self, why: str, seconds: int) -> None:
        super().__init__(why)
        self.seconds = seconds


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
