# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unreachable hosts, and how many unreachable nodes a site allows. Private to this collection.

Some nodes are always down, cloud nodes most of the time. Servers have to answer: they change together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.declarations import DeclarationError
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import folded, grouped

Observed = Mapping[str, Any]
Components = Mapping[str, Sequence[str]]

VARIABLE = "slurm_jwt_nodes_unreachable_max"


class AllowanceError(DeclarationError):
    """The variable is neither a number nor a percentage."""


def unreachable(observed: Observed) -> bool:
    return bool(observed.get("unreachable"))


def reason(observed: Observed) -> str:
    """The first line of Ansible's message, which has the reason."""
    return (str(observed.get("msg", "")).strip() or "no reason given").splitlines()[0].rstrip(".")


def servers(observations: Mapping[str, Observed], components: Components) -> list[str]:
    """The unreachable hosts of slurmctld, slurmdbd and slurmrestd."""
    return [host for host in _silent(observations) if host in _servers(components)]


def nodes(observations: Mapping[str, Observed], components: Components) -> list[str]:
    """The unreachable hosts that are only nodes."""
    return [host for host in _silent(observations) if host not in _servers(components)]


def _silent(observations: Mapping[str, Observed]) -> list[str]:
    return [host for host, observed in observations.items() if unreachable(observed)]


def _servers(components: Components) -> set[str]:
    return {name for component in ("slurmctld", "slurmdbd", "slurmrestd") for name in components[component]}


def allowed(declared: str, number: int) -> int:
    """How many of ``number`` nodes may be unreachable. ``declared``: a number, or a percentage, rounded down."""
    match = re.fullmatch(r"(\d{1,7})|(\d{1,3}) *%", str(declared).strip(), re.ASCII)
    if match is None or int(match[2] or 0) > 100:
        raise AllowanceError(
            f"{VARIABLE} is {declared!r}. Give a number of nodes, such as 20, or a percentage of all nodes, such as 5%."
        )
    return int(match[1]) if match[1] else number * int(match[2]) // 100


def refusals(observations: Mapping[str, Observed], components: Components) -> list[str]:
    """A sentence for each reason of servers, and one for all nodes: there may be hundreds."""
    reasons = grouped(
        (host, f"cannot be reached ({reason(observations[host])}). Bring it up.")
        for host in servers(observations, components)
    )
    silent = nodes(observations, components)
    if silent:
        it = "it" if len(silent) == 1 else "them"
        limit = f"leave {it} out for now with --limit 'all:!{':!'.join(silent)}', " if len(silent) <= 3 else ""
        reasons.append(
            f"{folded(silent)}: cannot be reached ({reason(observations[silent[0]])}). Bring {it} up, {limit}or allow "
            f"so many nodes to be down: {VARIABLE}={len(silent)}."
        )
    return reasons


def notes(silent: Sequence[str]) -> list[str]:
    """The warning about nodes that a run skips."""
    if not silent:
        return []
    return [
        f"{len(silent)} node(s) cannot be reached and were left out, as {VARIABLE} allows: {folded(silent)}. A later "
        "rollout changes them. Until then slurmctld logs that their slurm.conf differs."
    ]
