# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a result of each module may be. The documentation of the modules explains the members; a test compares the two.
Private to this collection.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations import daemons, files, info, tokens
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.observation import Observation
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import Members

MODULES: Mapping[str, Observation] = {
    "slurm_conf": files.CONF,
    "slurm_jwks": files.JWKS,
    "slurm_jwks_timer": tokens.JWKS_TIMER,
    "slurm_jwt_daemon": daemons.DAEMON,
    "slurm_jwt_identity": daemons.IDENTITY,
    "slurm_jwt_info": info.INFO,
    "slurm_jwt_key": files.KEY,
    "slurm_jwt_metrics": files.METRICS,
    "slurm_jwt_proof": daemons.PROOF,
    "slurm_jwt_token_timer": tokens.TOKEN_TIMERS,
    "slurm_jwt_token": tokens.TOKENS,
}


def of_job(module: str) -> Observation:
    """What ``async_status`` may return about a job that runs one of our modules. A running job has no result yet."""
    shape = MODULES[module]
    return Observation(Members({}, {**shape.members.always, **shape.members.optional}), 60, names_dropped=False)
