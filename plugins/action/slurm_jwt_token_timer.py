# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._checked_action import CheckedAction


class ActionModule(CheckedAction):
    """Runs the module slurm_jwt_token_timer and checks its result."""
