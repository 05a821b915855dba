# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_plan
short_description: What a rollout has to do, from a look at every host
version_added: 1.0.0
description:
  - Decides once, from the results of M(hpc.slurm_jwt.slurm_jwt_info) on all hosts, what a rollout changes on which host
    and in which order, or every reason not to begin.
  - Meant for the role R(hpc.slurm_jwt.slurm_jwt, ansible_collections.hpc.slurm_jwt.slurm_jwt_role).
positional: groups, hosts
options:
  key_path:
    description: The path of the key where the site names one.
    type: str
    default: ""
  key_source:
    description: The host whose key all others get, where the site names one.
    type: str
    default: ""
  key_serial:
    description: The label of the key, where the site declares one.
    type: str
    default: ""
  install:
    description: Whether packages may be installed.
    type: bool
    default: true
  nodes_unreachable_max:
    description: How many nodes may be unreachable, a number or a percentage of all nodes such as V(5%).
    type: str
    default: "0"
  manage_conf:
    description: Whether slurm.conf and slurmdbd.conf may be edited, and no other tool of the site writes them.
    type: bool
    default: true
  verifying:
    description: Whether nothing is to be changed, so that what is not as declared is told and refuses nothing.
    type: bool
    default: false
  removing:
    description: Whether JWT is taken back rather than brought.
    type: bool
    default: false
  run_tags:
    description: The value of C(ansible_run_tags).
    type: list
    elements: str
    default: [all]
  skip_tags:
    description: The value of C(ansible_skip_tags).
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.looks
  - hpc.slurm_jwt.inventory.played
  - hpc.slurm_jwt.inventory.and_groups
  - hpc.slurm_jwt.trust
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Decide what to do
  ansible.builtin.set_fact:
    slurm_jwt_plan: "{{ hostvars | hpc.slurm_jwt.rollout_plan(groups, ansible_play_hosts_all) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - The plan. C(refusals) lists the reasons not to begin; if there is one, nothing else of it counts.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _cluster, _declared_trust, _desired, _plan
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unreachable import AllowanceError
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def rollout_plan(
    hostvars: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
    hosts: Sequence[str],
    jwks_sources: Sequence[Any] | None = None,
    hs256: bool | None = None,
    rs256_key_path: str = "",
    signing: str = "",
    **desired: Any,
) -> dict[str, Any]:
    """The plan of a rollout; see plugin_utils/_plan.py."""
    _cluster.check_declarations(hostvars, hosts)
    components = _cluster.hosts_by_component(groups, _cluster.any_variables(groups, hostvars))
    looks = _declared_trust.looks(hostvars, hosts)
    serial = desired.get("key_serial", "")
    trust = _declared_trust.trust(hostvars, groups, jwks_sources, hs256, rs256_key_path, signing, serial)
    # Left out, it follows slurm.conf.
    declared = [hostvars[host].get("slurmrestd_slurmdb", True) for host in components["slurmrestd"] if host in hostvars]
    serves = any(boolean(value, strict=False) for value in declared)
    listeners = _cluster.default_listeners(groups, hostvars)
    wanted = _desired.Desired(trust=trust, serves_slurmdb=serves, default_listeners=listeners, **desired)
    try:
        return _plan.plan(looks, components, hosts, wanted)
    except AllowanceError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter rollout_plan."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(rollout_plan=rollout_plan)
