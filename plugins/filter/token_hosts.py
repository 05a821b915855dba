# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: token_hosts
short_description: The hosts of a play that brings tokens to services
version_added: 1.0.0
description:
  - Lists the controllers, of which one signs, and every host for which C(slurm_jwt_tokens_services) declares a service.
    Without any service the list is empty, and so it is after a rollout that failed.
  - A service may name hosts outside the group C(slurm_jwt_group_tokens). These are found if the first host of the
    inventory has the declaration too, as it has when that is made for all hosts.
positional: _hostvars
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.groups
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Bring the tokens of services up to date
  hosts: "{{ groups | hpc.slurm_jwt.token_hosts(hostvars) }}"
  gather_facts: false
"""

RETURN = r"""
_value:
  description: The names of the hosts.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _services
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def token_hosts(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Any]) -> list[str]:
    """The controllers and every host with a service."""
    try:
        return _services.token_hosts(groups, hostvars)
    except _services.ServicesError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter token_hosts."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(token_hosts=token_hosts)
