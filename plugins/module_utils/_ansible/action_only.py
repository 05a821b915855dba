# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a host in place of an action that works where Ansible runs. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule


def refuse(**spec: Any) -> None:
    """Fails, as only the action does the work; ``spec`` holds the options of AnsibleModule."""
    AnsibleModule(supports_check_mode=True, **spec).fail_json(
        msg="This module works where Ansible runs, as an action plugin, and is not to be started on a host."
    )
