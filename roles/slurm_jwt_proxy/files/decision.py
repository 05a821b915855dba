# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a request may pass, and as which user. Part of the verifier; see verifier.py."""

from __future__ import annotations

from typing import NamedTuple

from authentication import Authenticate, Request
from errors import NotAuthenticated, Refused, TooMany, log
from names import NAME
from users import UserCache


class Decision(NamedTuple):
    status: int
    """As in HTTP: 200, 401, 403, 429."""
    user: str = ""
    name: str = ""
    """The authenticated name, for the server's log."""
    challenge: str = ""
    seconds: int = 0
    """After which the client may retry."""


def decide(request: Request, authenticate: Authenticate, cache: UserCache) -> Decision:
    try:
        name = authenticate(request)
    except NotAuthenticated as error:
        log(f"not authenticated: {error}")
        return Decision(401, challenge=error.challenge)
    except Refused as refusal:
        log(f"refused: {refusal}")
        return Decision(403)
    except TooMany as error:
        log(f"put off: {error}")
        return Decision(429, seconds=error.seconds)
    user = cache.user(name)
    # The server logs valid names only. A subject may be longer.
    valid = NAME.fullmatch(name) or (cache.policy.subject and name.isascii() and name.isprintable())
    log_name = name if valid else ""
    return Decision(200, user, log_name) if user else Decision(403, name=log_name)
