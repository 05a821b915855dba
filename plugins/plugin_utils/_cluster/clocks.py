# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the clock of a host is ahead of the clock where Ansible runs. Private to this collection.

A host reads its clock after it was asked and before its answer arrives, so only two bounds are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Observed


def lag(observed: Observed) -> tuple[float, float] | None:
    """Least and most seconds by which the clock is ahead; None if the host was not asked."""
    least, most = (observed.get(name) for name in ("clock_lag_least", "clock_lag"))
    if most is None:
        return None
    return float(most if least is None else least), float(most)


class ClockDifference(NamedTuple):
    """Two hosts, and the least seconds by which their clocks differ; negative if they may agree."""

    early: str
    late: str
    seconds: float


def largest_difference(observations: Mapping[str, Observed]) -> ClockDifference | None:
    """The hosts whose clocks surely differ most; None if no host was asked. Hosts are not asked at the same time."""
    lags = {host: known for host, observed in observations.items() if (known := lag(observed))}
    if not lags:
        return None
    early, late = min(lags, key=lambda host: lags[host][1]), max(lags, key=lambda host: lags[host][0])
    return ClockDifference(early, late, lags[late][0] - lags[early][1])


def surely_ahead(observed: Observed) -> float:
    """Seconds by which the clock is surely ahead; negative if it is behind; 0 if the clocks may agree."""
    known = lag(observed)
    return min(max(0.0, known[0]), known[1]) if known else 0.0
