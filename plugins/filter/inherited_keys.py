# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: inherited_keys
short_description: The withdrawn RS256 keys that a cluster still trusts, for a host that joins it
version_added: 1.0.0
description:
  - Lists the keys that no source has any more, and that controllers and hosts of slurmdbd trust until the tokens which
    they signed have run out, in the form that O(hpc.slurm_jwt.slurm_jwks#module:inherited) takes.
  - The role R(hpc.slurm_jwt.slurm_jwt, ansible_collections.hpc.slurm_jwt.slurm_jwt_role) has to have looked at those
    hosts in the same run.
positional: groups
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.and_groups
  - hpc.slurm_jwt.inventory.hostvars
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Show them
  ansible.builtin.debug:
    msg: "{{ hostvars | hpc.slurm_jwt.inherited_keys(groups) }}"
"""

RETURN = r"""
_value:
  description: The keys, each with C(jwk) and C(until).
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _cluster, _trust
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def inherited_keys(hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The keys."""
    variables = _cluster.any_variables(groups, hostvars)
    key_hosts = _cluster.cluster_hosts(groups, variables, ("slurmctld", "slurmdbd"))
    looks = (hostvars[host].get("slurm_jwt_jwks_observation") for host in key_hosts if host in hostvars)
    return _trust.inherited(look for look in looks if look)


class FilterModule:
    """The filter inherited_keys."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(inherited_keys=inherited_keys)
