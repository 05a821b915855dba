# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that all timer modules have, as the doc fragment ``timers`` describes them. Private to this collection."""

from __future__ import annotations

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.conf_paths import SLURM_CONF

PROGRAM_OPTIONS = {
    "python": {"type": "path", "default": "/usr/bin/python3"},
    "conf_path": {"type": "path", "default": SLURM_CONF},
    "bin_dir": {"type": "path"},
    "metrics_dir": {"type": "path"},
}
