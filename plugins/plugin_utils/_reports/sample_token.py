# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which user a sample token would be on each host of a cluster. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.text_table import layout

RESULTS = ("slurm_jwt_identity_slurmctld", "slurm_jwt_identity_slurmdbd")
"""Results that tasks register on a host."""

_HEAD = ("host", "daemon", "Slurm reads", "user", "uid", "would be")


def table(hostvars: Mapping[str, Mapping[str, Any]], hosts: Sequence[str]) -> list[str]:
    """A line for each daemon, then each refusal and each caution once, with its hosts."""
    results = list(_results(hostvars, hosts))
    if not results:
        return []
    rows = [_HEAD, *(_row(host, result) for host, result in results)]
    remarks = [*_remarks(results, "refusals", "refused"), *_remarks(results, "cautions", "caution")]
    return [*layout(rows), *_differences(results), *remarks]


def _results(
    hostvars: Mapping[str, Mapping[str, Any]], hosts: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in RESULTS:
        for host in hosts:
            result = hostvars[host].get(name)
            if isinstance(result, Mapping) and "accepted" in result:
                yield host, result


def _row(host: str, result: Mapping[str, Any]) -> tuple[str, ...]:
    uid = "-" if result["uid"] is None else str(result["uid"])
    accepted = "accepted" if result["accepted"] else "refused"
    return host, result["daemon"], result["claim"] or "nothing", result["user"] or "-", uid, accepted


def _differences(results: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Whether daemons read different users from the token, or only some daemons accept it."""
    if len({(result["user"], result["uid"]) for _host, result in results}) > 1:
        users = [f"{result['user'] or 'nobody'} ({_row(host, result)[4]}) on {host}" for host, result in results]
        return [
            f"differs: the token is not the same user everywhere: {', '.join(users)}. Use the same users and "
            "userclaimfield= everywhere."
        ]
    if len({result["accepted"] for _host, result in results}) > 1:
        return ["differs: some daemons would accept it and others not. Give all of them the same keys and settings."]
    return []


def _remarks(results: Sequence[tuple[str, Mapping[str, Any]]], member: str, label: str) -> list[str]:
    by_text: dict[str, list[str]] = {}
    for host, result in results:
        for text in result[member]:
            by_text.setdefault(text, []).append(f"{result['daemon']} on {host}")
    everywhere = len(results)
    return [
        f"{label}: {text}" if len(daemons) == everywhere else f"{label} ({', '.join(daemons)}): {text}"
        for text, daemons in by_text.items()
    ]
