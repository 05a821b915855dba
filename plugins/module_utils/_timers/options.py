# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that all timer modules have, as the doc fragment ``timers`` describes them. Private to this collection."""

from __future__ import annotations

PROGRAM_OPTIONS = {
    "python": {"type": "path", "default": "/usr/bin/python3"},
    "conf_path": {"type": "path", "default": "/etc/slurm/slurm.conf"},
    "bin_dir": {"type": "path"},
    "metrics_dir": {"type": "path"},
}
