# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a run that does not begin. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import undeclared_paths
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Observed
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.inspections import errors_of, key_hosts_of
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import RefusedPlan


def refused(
    reasons: Sequence[str],
    without: Mapping[str, str],
    observations: Mapping[str, Observed],
    components: Mapping[str, Sequence[str]],
) -> RefusedPlan:
    """If the site has to set variables, the plan has them for all hosts at once."""
    settings = undeclared_paths.settings(observations, components, key_hosts_of(components))
    undeclared = {
        host: errors
        for host in without
        if settings
        and (errors := errors_of(observations[host], removing=False))
        and undeclared_paths.are_all(errors)
    }
    sentences = undeclared_paths.sentences(
        [(host, problem) for host, errors in undeclared.items() for problem in errors]
    )
    return RefusedPlan(
        refusals=[*reasons, *sentences],
        left_out={host: reason for host, reason in without.items() if host not in undeclared},
        settings=settings,
        settings_text=undeclared_paths.text(settings) if settings else "",
    )
