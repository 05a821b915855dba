# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the clock of a host is ahead of the clock where Ansible runs. Private to this collection.

A host reads its clock after it was asked and before its answer arrives, so only two bounds are known.
"""

from __future__ import annotations

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Observed


def lag(observed: Observed) -> tuple[float, float] | None:
    """Least and most seconds by which the clock is ahead; None if the host was not asked."""
    least, most = (observed.get(name) for name in ("clock_lag_least", "clock_lag"))
    if most is None:
        return None
    return float(most if least is None else least), float(most)


def surely_ahead(observed: Observed) -> float:
    """Seconds by which the clock is surely ahead; negative if it is behind; 0 if the clocks may agree."""
    known = lag(observed)
    return min(max(0.0, known[0]), known[1]) if known else 0.0
