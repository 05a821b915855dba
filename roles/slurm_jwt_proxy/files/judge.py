# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a request may pass, and as whom. Part of the verifier; see verifier.py."""

from __future__ import annotations

from typing import NamedTuple

from errors import Refused, TooMany, Unproven, tell
from names import NAME
from proofs import Prover, Question
from users import Memory


class Verdict(NamedTuple):
    status: int
    """As in HTTP: 200, 401, 403, 429."""
    user: str = ""
    name: str = ""
    """By which they were authenticated, for the server's log."""
    challenge: str = ""
    seconds: int = 0
    """After which the client may come again."""


def judge(question: Question, prove: Prover, memory: Memory) -> Verdict:
    try:
        name = prove(question)
    except Unproven as error:
        tell(f"not authenticated: {error}")
        return Verdict(401, challenge=error.challenge)
    except Refused as refusal:
        tell(f"refused: {refusal}")
        return Verdict(403)
    except TooMany as error:
        tell(f"put off: {error}")
        return Verdict(429, seconds=error.seconds)
    user = memory.user(name)
    # What is no name is not worth a line in the server's log. (A subject may be longer.)
    said = name if NAME.fullmatch(name) or (memory.policy.subject and name.isascii() and name.isprintable()) else ""
    return Verdict(200, user, said) if user else Verdict(403, name=said)
