# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a request does not pass, and how the log hears of it. Part of the verifier; see verifier.py."""

from __future__ import annotations

import sys


class PolicyError(Exception):
    """The policy cannot be followed. The text says why, and what to do."""


class Refused(Exception):
    """The request must not pass. The text says why, for the log; the client is not told."""


class Unproven(Exception):
    """Nobody is authenticated. The text says why, for the log; the client is told how to do it."""

    def __init__(self, why: str, challenge: str) -> None:
        super().__init__(why)
        self.challenge = challenge


class TooMany(Exception):
    """Too many attempts, or too much work. The client may come again after so many seconds."""

    def __init__(self, why: str, seconds: int) -> None:
        super().__init__(why)
        self.seconds = seconds


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
