# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: token_timers
short_description: The timers that renew the tokens of one host
version_added: 1.0.0
description:
  - Picks the services that say C(renew), and works out when to look at their tokens.
  - Refuses what would have a token expire although somebody looks after it. From the moment at which a token is due,
    four attempts have to fit into what is left of its life.
positional: host
options:
  _input:
    description: The services of one host, as the filter P(hpc.slurm_jwt.token_services#filter) gives them.
    type: list
    elements: dict
    required: true
  host:
    description: The host, that is C(inventory_hostname).
    type: str
    required: true
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Have timers renew the tokens
  hpc.slurm_jwt.slurm_jwt_token_timer:
    timers: "{{ slurm_jwt_tokens_here | hpc.slurm_jwt.token_timers(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: What O(hpc.slurm_jwt.slurm_jwt_token_timer#module:timers) takes.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _services, _timers
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def token_timers(services: Sequence[Mapping[str, Any]], host: str) -> list[dict[str, Any]]:
    """The timers of one host."""
    try:
        return _timers.timers(services, host)
    except _services.ServicesError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter token_timers."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(token_timers=token_timers)
