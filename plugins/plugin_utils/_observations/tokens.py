# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations of the modules for tokens and timers. Private to this collection."""

from __future__ import annotations

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.observation import observation
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import (
    Members,
    Shape,
    flag,
    json_value,
    list_of,
    maybe,
    number,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.values import (
    FINGERPRINT,
    IDENTIFIER,
    KID,
    LINE,
    RELEASE,
    SECONDS,
    TEXT,
    TIME,
    TOKEN,
)

_CLAIMS = json_value()
TOKENS = observation(
    {
        "tokens": list_of(
            Members(
                {
                    "name": LINE,
                    "user": maybe(LINE),
                    "dest": maybe(LINE),
                    "format": maybe(IDENTIFIER),
                    "changed": flag,
                    "reason": maybe(IDENTIFIER),
                    "expires": maybe(TIME),
                    "remaining": maybe(SECONDS),
                    "claims": _CLAIMS,
                    "key_fingerprint": maybe(FINGERPRINT),
                    "signature_checked": flag,
                    "activated_at": maybe(number()),
                    "refusals": list_of(TEXT, 100),
                    "token": maybe(TOKEN),
                },
                {"found": maybe(_CLAIMS)},
            ),
            100_000,
        ),
        "token": maybe(TOKEN),
        "refusals": list_of(TEXT, 100_000),
        "release": maybe(RELEASE),
    },
    seconds=180,
)


def _attempt(**more: Shape) -> Shape:
    shared: dict[str, Shape] = {"at": maybe(number()), "result": maybe(IDENTIFIER), "said": maybe(TEXT)}
    return maybe(Members({}, {**shared, **more}))


TOKEN_TIMERS = observation(
    {
        "timers": list_of(
            Members(
                {
                    "name": LINE,
                    "unit": LINE,
                    "changed": flag,
                    "active": IDENTIFIER,
                    "enabled": flag,
                    "next": TEXT,
                    "attempt": _attempt(
                        expires=maybe(number()), renewed_at=maybe(number()), offset=maybe(SECONDS), untold=maybe(flag)
                    ),
                }
            ),
            10_000,
        ),
        "removed": list_of(LINE, 10_000),
    },
    seconds=180,
)
JWKS_TIMER = observation(
    {
        "unit": LINE,
        "active": maybe(IDENTIFIER),
        "attempt": _attempt(
            reached=maybe(number()),
            loaded=maybe(number()),
            kids=maybe(list_of(KID)),
            next_change=maybe(json_value()),
            fingerprint=maybe(FINGERPRINT),
        ),
    },
    seconds=120,
)
