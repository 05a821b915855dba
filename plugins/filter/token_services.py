# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: token_services
short_description: The services of one host that use tokens
version_added: 1.0.0
description:
  - Picks, from what C(slurm_jwt_tokens_services) declares, the services of one host, and fills in defaults.
positional: host, groups, group
options:
  _input:
    description: The declaration, that is C(slurm_jwt_tokens_services).
    type: list
    elements: dict
    required: true
  host:
    description: The host, that is C(inventory_hostname).
    type: str
    required: true
  group:
    description: The group whose hosts have each service that names none.
    type: str
    default: slurm_token_hosts
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.and_groups
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Show the services of each host
  ansible.builtin.debug:
    msg: "{{ slurm_jwt_tokens_services | hpc.slurm_jwt.token_services(inventory_hostname, groups) }}"
"""

RETURN = r"""
_value:
  description: The services.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _services
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def token_services(
    services: Sequence[Mapping[str, Any]],
    host: str,
    groups: Mapping[str, Sequence[str]],
    group: str = _services.GROUP[1],
) -> list[dict[str, Any]]:
    """The services of one host."""
    try:
        return _services.services_on(host, services, groups, group)
    except _services.ServicesError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter token_services."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(token_services=token_services)
