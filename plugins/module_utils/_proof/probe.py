# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Presents tokens to one daemon and interprets its answers. Private to this collection.

A proof must not guess. On some releases a client prints the same for a refused token as for a daemon that is down:
slurmctld up to 24.05 closes the connection without an answer, slurmrestd up to 22.05 prints "Unspecified error" for
both, slurmrestd 26.05 "Failed to open slurmdbd connection". Such an answer counts as a refusal only if the same request
with a good token was accepted before it and after it. If all keys belong to an identity provider, nothing on the
cluster can sign a good token. Then Slurm's clients use the cluster's own authentication (munge) instead, and such an
answer from slurmrestd proves nothing.
"""

from __future__ import annotations

from typing import Callable

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.cases import ACCEPTABLE, Answer, expected_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client_reply import (
    ACCEPTED,
    CLOSED,
    REFUSED,
    UNASKED,
    UNCLEAR,
    UNREACHABLE,
    Reply,
)

Ask = Callable[[str], Reply]
"""Presents one case to the daemon."""


def probe(daemon: str, asked: str, cases: list[str], ask: Ask, first: Reply | None = None) -> list[Answer]:
    """Present each case to a daemon. A good one comes first, and again at the end if another answer depends on it.

    FIRST is its answer to the good one, if it is known already.
    """
    reference = next(case for case in ACCEPTABLE if case in cases)
    first = first or ask(reference)
    replies = {reference: first}
    for case in cases:
        if case == reference:
            continue
        hopeless = first.kind in (UNREACHABLE, UNASKED)
        replies[case] = Reply(UNASKED, "not asked, because the first request got no answer") if hopeless else ask(case)
    if any(reply.kind in (CLOSED, UNCLEAR) for reply in replies.values()):
        last = ask(reference)
        replies = {case: _interpreted(reply, first, last) for case, reply in replies.items()}
    return [Answer(daemon, asked, case, expected_of(case), *replies[case]) for case in cases]


def probe_blindly(daemon: str, asked: str, cases: list[str], ask: Ask) -> tuple[list[Answer], dict[str, str]]:
    """Present bad tokens without a good one. Returns the answers, and the details of those that prove nothing."""
    replies = {case: ask(case) for case in cases}
    vague = {case: reply.detail for case, reply in replies.items() if reply.kind in (CLOSED, UNCLEAR)}
    answers = [Answer(daemon, asked, case, REFUSED, *reply) for case, reply in replies.items() if case not in vague]
    return answers, vague


def _interpreted(reply: Reply, first: Reply, last: Reply) -> Reply:
    """What an ambiguous answer means, with the answers to a good token before and after it."""
    if reply.kind not in (CLOSED, UNCLEAR):
        return reply
    if first.kind == last.kind == ACCEPTED:
        return Reply(REFUSED, reply.detail)
    if last.kind == UNREACHABLE:
        return Reply(UNREACHABLE, f"{reply.detail}; shortly afterwards: {last.detail}")
    # It accepted one more connection after it closed this one, so it runs.
    if reply.kind == CLOSED and last.kind in (CLOSED, REFUSED):
        return Reply(REFUSED, reply.detail)
    return Reply(UNCLEAR, reply.detail)
