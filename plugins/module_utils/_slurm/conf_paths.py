# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Slurm's configuration files are by default. Private to this collection."""

from __future__ import annotations

SLURM_CONF = "/etc/slurm/slurm.conf"
SLURMDBD_CONF = "/etc/slurm/slurmdbd.conf"
