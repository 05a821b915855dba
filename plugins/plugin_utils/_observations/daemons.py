# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations of the modules that restart and ask daemons. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.observation import observation
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import (
    Members,
    Shape,
    flag,
    json_value,
    list_of,
    map_of,
    maybe,
    number,
    one_of,
    whole,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.values import (
    ID,
    IDENTIFIER,
    KID,
    LINE,
    RELEASE,
    TEXT,
    TOKEN,
)

_CLAIMS = json_value()
DAEMON = observation(
    {"pid": whole(), "seconds": number(), "held": flag}, {"last_words": list_of(TEXT, 100)}, seconds=300
)
IDENTITY = observation(
    {
        "daemon": IDENTIFIER,
        "release": RELEASE,
        "claim": maybe(TEXT),
        "user": maybe(TEXT),
        "uid": maybe(ID),
        "signer": maybe(KID),
        "accepted": flag,
        "refusals": list_of(TEXT, 100),
        "cautions": list_of(TEXT, 100),
        "claims": _CLAIMS,
    }
)
_CASE: Mapping[str, Shape] = {
    "daemon": one_of("slurmctld", "slurmdbd", "slurmrestd", "metrics"),
    "asked": TEXT,
    "case": IDENTIFIER,
}
PROOF = observation(
    {
        "proven": flag,
        "answers": list_of(
            Members(
                {
                    **_CASE,
                    "expected": one_of("accepted", "refused"),
                    "answer": one_of("accepted", "refused", "unreachable", "unclear", "unasked"),
                    "detail": TEXT,
                }
            ),
            200,
        ),
        "left_out": list_of(Members({**_CASE, "reason": TEXT}), 200),
        "user": maybe(LINE),
        "tokens": map_of(IDENTIFIER, TOKEN, 20),
    },
    seconds=600,
)
