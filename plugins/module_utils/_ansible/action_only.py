# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module of an action plugin that does all its work on the control node. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule


def refuse(**spec: Any) -> None:
    """Fail: the action plugin does the work. ``spec`` holds the options of AnsibleModule."""
    AnsibleModule(supports_check_mode=True, **spec).fail_json(
        msg="This module works where Ansible runs, as an action plugin, and is not to be started on a host."
    )
