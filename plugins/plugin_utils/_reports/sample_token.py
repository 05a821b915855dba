# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a sample token would be on each host of a cluster, told to a person. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.text_table import layout

RESULTS = ("slurm_jwt_identity_slurmctld", "slurm_jwt_identity_slurmdbd")
"""What the tasks of the role register on a host."""

_HEAD = ("host", "daemon", "Slurm reads", "user", "uid", "would be")


def table(hostvars: Mapping[str, Mapping[str, Any]], hosts: Sequence[str]) -> list[str]:
    """A line for each daemon, then each refusal and each caution once, with the hosts that it is of."""
    seen = list(_seen(hostvars, hosts))
    if not seen:
        return []
    rows = [_HEAD, *(_row(host, found) for host, found in seen)]
    remarks = [*_remarks(seen, "refusals", "refused"), *_remarks(seen, "cautions", "caution")]
    return [*layout(rows), *_differences(seen), *remarks]


def _seen(
    hostvars: Mapping[str, Mapping[str, Any]], hosts: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in RESULTS:
        for host in hosts:
            found = hostvars[host].get(name)
            if isinstance(found, Mapping) and "accepted" in found:
                yield host, found


def _row(host: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    uid = "-" if found["uid"] is None else str(found["uid"])
    accepted = "accepted" if found["accepted"] else "refused"
    return host, found["daemon"], found["claim"] or "nothing", found["user"] or "-", uid, accepted


def _differences(seen: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Daemons that would take the bearer for different people, or of which only some would let him in."""
    if len({(found["user"], found["uid"]) for _host, found in seen}) > 1:
        people = ", ".join(f"{found['user'] or 'nobody'} ({_row(host, found)[4]}) on {host}" for host, found in seen)
        return [f"differs: the bearer is not the same user everywhere: {people}. Let users and userclaimfield= agree."]
    if len({found["accepted"] for _host, found in seen}) > 1:
        return ["differs: some daemons would accept it and others not. Give all of them the same keys and settings."]
    return []


def _remarks(seen: Sequence[tuple[str, Mapping[str, Any]]], result: str, label: str) -> list[str]:
    by_text: dict[str, list[str]] = {}
    for host, found in seen:
        for text in found[result]:
            by_text.setdefault(text, []).append(f"{found['daemon']} on {host}")
    everywhere = len(seen)
    return [
        f"{label}: {text}" if len(who) == everywhere else f"{label} ({', '.join(who)}): {text}"
        for text, who in by_text.items()
    ]
