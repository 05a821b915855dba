# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hides returned secrets in Ansible's output. Private to this collection."""

from __future__ import annotations

try:
    # ansible-core 2.22 and later mask values registered here in all output.
    from ansible.module_utils.secrets import register_secret
except ImportError:

    def register_secret(value: str) -> None:
        """Older ansible-core masks the values of no_log options only."""


__all__ = ("register_secret",)
