# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a JWKS timer, for tests."""

from __future__ import annotations

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.jwks_refresh import (
    JwksTimerSettings,
    ReloadedDaemon,
)

JWKS = JwksTimerSettings(
    path="/etc/slurm/jwks.json",
    sources=[{"issuer": "https://idp"}],
    retain=3600,
    remove=[],
    owner="slurm",
    group="slurm",
    daemons=[ReloadedDaemon("slurmctld", "slurmctld", "reconfigure", 6817)],
    min_reload_interval=900,
    max_outage=86400,
    interval=1125,
    record="/var/lib/x/record.json",
    metrics=None,
    conf_path="/etc/slurm/slurm.conf",
    bin_dir=None,
    systemctl="/usr/bin/systemctl",
)
