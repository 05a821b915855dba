# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokens that a proof presents to a daemon, and what it should do with each. Private to this collection."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client_reply import ACCEPTED, REFUSED

CASES = {
    "good": "a good token",
    "expired": "an expired token",
    "forged": "a token signed with another key",
    "unsigned": "a token without a signature (alg none)",
    "retired": "a token signed with a key that is no longer valid",
    "sample": "the site's sample token",
    "forged_kid": "an RS256 token with the kid of a trusted key, signed with another",
    "unknown_kid": "an RS256 token of a key that is not trusted",
    "confused": "an HS256 token whose secret is a trusted public key",
    "own": "the cluster's own authentication without a token",
    "foreign_name": "a plain user's token under the name of root",
    "none": "no token at all",
    "other_user": "a token for a user who may not read metrics",
    "of_cluster": "a token of the cluster's own key",
    "of_metrics": "a token of the key for metrics",
}
METRICS = "metrics"
"""The name of the daemon in answers about slurmctld's metrics."""
MINTED = ("good", "expired", "forged", "unsigned", "retired", "forged_kid", "unknown_kid", "confused")
ACCEPTABLE = ("good", "sample", "own")
"""Cases that a daemon should accept. Its answer to the first available one decides how to read its other answers."""


class Answer(NamedTuple):
    """What a daemon did with one kind of token, and what it should do."""

    daemon: str
    asked: str
    case: str
    expected: str
    answer: str
    detail: str


def expected_of(case: str) -> str:
    """What a daemon should do with this case."""
    return ACCEPTED if case in ACCEPTABLE else REFUSED
