# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: token_signer
short_description: The controller that signs the tokens of services
version_added: 1.0.0
description:
  - Names the primary controller and the path of its key, from the plan of a rollout in the same run, else from the look
    that the role R(hpc.slurm_jwt.slurm_jwt_tokens, ansible_collections.hpc.slurm_jwt.slurm_jwt_tokens_role) takes at
    the controllers.
positional: groups, hosts
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.played
  - hpc.slurm_jwt.inventory.and_groups
  - hpc.slurm_jwt.inventory.hostvars
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Show who signs
  ansible.builtin.debug:
    msg: "{{ hostvars | hpc.slurm_jwt.token_signer(groups, ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description:
    - The C(host), its C(key_path), and the C(algorithm) of that key. All are null if no controller is in the play.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _services
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter token_signer."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(token_signer=_services.signer)
