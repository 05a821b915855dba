# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that do not answer, and how many nodes of them a site allows. Private to this collection.

Some nodes are always down, cloud nodes most of the time. Servers have to answer: they change together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.declarations import DeclarationError
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import folded

Look = Mapping[str, Any]
Components = Mapping[str, Sequence[str]]

VARIABLE = "slurm_jwt_nodes_unreachable_max"


class AllowanceError(DeclarationError):
    """The variable is neither a number nor a percentage."""


def unreachable(look: Look) -> bool:
    return bool(look.get("unreachable"))


def reason(look: Look) -> str:
    """Ansible's words, of which the first line says why."""
    return (str(look.get("msg", "")).strip() or "no reason given").splitlines()[0].rstrip(".")


def servers(looks: Mapping[str, Look], components: Components) -> list[str]:
    """The silent hosts of slurmctld, slurmdbd and slurmrestd."""
    return [host for host, look in looks.items() if unreachable(look) and host in _servers(components)]


def nodes(looks: Mapping[str, Look], components: Components) -> list[str]:
    """The silent hosts that are nodes and nothing else."""
    return [host for host, look in looks.items() if unreachable(look) and host not in _servers(components)]


def _servers(components: Components) -> set[str]:
    return {name for component in ("slurmctld", "slurmdbd", "slurmrestd") for name in components[component]}


def allowed(declared: str, number: int) -> int:
    """How many of so many nodes may be silent: a number, or a percentage of them, rounded down."""
    match = re.fullmatch(r"(\d{1,7})|(\d{1,3}) *%", str(declared).strip(), re.ASCII)
    if match is None or int(match[2] or 0) > 100:
        raise AllowanceError(
            f"{VARIABLE} is {declared!r}. Give a number of nodes, such as 20, or a percentage of all nodes, such as 5%."
        )
    return int(match[1]) if match[1] else number * int(match[2]) // 100


def refusals(looks: Mapping[str, Look], components: Components) -> list[str]:
    """A sentence for each server, and one for all nodes: there may be hundreds."""
    told = [f"{host}: cannot be reached ({reason(looks[host])}). Bring it up." for host in servers(looks, components)]
    silent = nodes(looks, components)
    if silent:
        it = "it" if len(silent) == 1 else "them"
        limit = f"leave {it} out for now with --limit 'all:!{':!'.join(silent)}', " if len(silent) <= 3 else ""
        told.append(
            f"{folded(silent)}: cannot be reached ({reason(looks[silent[0]])}). Bring {it} up, {limit}or allow so many "
            f"nodes to be down: {VARIABLE}={len(silent)}."
        )
    return told


def notes(silent: Sequence[str]) -> list[str]:
    """What a run says of nodes that it went on without."""
    if not silent:
        return []
    return [
        f"{len(silent)} node(s) cannot be reached and were left out, as {VARIABLE} allows: {folded(silent)}. A later "
        "rollout brings them up to date. Until then slurmctld logs that their slurm.conf differs."
    ]
