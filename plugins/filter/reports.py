# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that tell people what was found and done. NAME.yml beside this file documents the filter NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports import (
    html_report,
    key_copies,
    left_out_hosts,
    run_failure,
    run_summary,
    sample_token,
    token_states,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import filters


def cluster_report(hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]], now: float) -> str:
    """The page."""
    return html_report.page(html_report.gather(hostvars, groups, now))


def left_out(hostvars: Mapping[str, Any], hosts: Sequence[str] = ()) -> list[str]:
    """The sentences."""
    return left_out_hosts.sentences(hostvars, hosts)


def rollout_failure(hostvars: Mapping[str, Any], everybody: Sequence[str], left: Sequence[str]) -> dict[str, str]:
    """The failure, as a dictionary."""
    return run_failure.run_failure(hostvars, everybody, left)._asdict()


def token_findings(
    hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]], now: float
) -> list[dict[str, Any]]:
    """The problems, as dictionaries."""
    problems = token_states.findings(token_states.states(hostvars, groups, now))
    return [{**one._asdict(), "message": f"{one.host}: {one.text}"} for one in problems]


def token_table(hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]], now: float) -> list[str]:
    """The lines of the table."""
    return token_states.table(token_states.states(hostvars, groups, now))


class FilterModule:
    """Filters that tell people what was found and done."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(
            cluster_report=cluster_report,
            cluster_table=run_summary.table,
            key_copies=key_copies.table,
            keys_in_force=key_copies.current_keys,
            left_out=left_out,
            rollout_failure=rollout_failure,
            token_findings=token_findings,
            token_identity=sample_token.table,
            token_table=token_table,
        )
