# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rotation_plan
short_description: What a key rotation has to do, from a look at every host
version_added: 1.0.0
description:
  - Decides once, from the results of M(hpc.slurm_jwt.slurm_jwt_info) on controllers and hosts of slurmdbd and
    slurmrestd, whether the signing key is to be rotated, and how; or every reason not to begin.
  - The key that signs is rotated. One for HS256 is swapped, one for RS256 overlaps with the next.
  - A rotation that did not come to its end is seen from the keys on the hosts, and gone on with.
  - Meant for the playbook C(hpc.slurm_jwt.rotate).
positional: groups, hosts
options:
  serial:
    description: The label of the key that the site wants, where it declares one.
    type: str
    default: ""
  max_age:
    description: The greatest age of a key, a duration such as V(90d).
    type: str
    default: ""
  now:
    description: Whether to rotate whatever the key in force is.
    type: bool
    default: false
  method:
    description: How daemons get to know the new key.
    type: str
    choices: [auto, reload, restart]
    default: auto
  take_over:
    description: Whether to go on with the rotation of a run of which it cannot be told from here whether it lives.
    type: bool
    default: false
  forks:
    description: The value of C(ansible_forks).
    type: int
    default: 5
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.looks
  - hpc.slurm_jwt.inventory.played
  - hpc.slurm_jwt.inventory.and_groups
  - hpc.slurm_jwt.trust
  - hpc.slurm_jwt.durations
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Decide what to do
  ansible.builtin.set_fact:
    slurm_jwt_plan: "{{ hostvars | hpc.slurm_jwt.rotation_plan(groups, ansible_play_hosts_all, serial='2026-12') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - The plan. C(refusals) lists the reasons not to begin; if there is one, nothing else of it counts. C(reason) is
      empty if there is nothing to do.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import (
    _cluster,
    _declared_trust,
    _local_key,
    _rotation,
    _rsa_rotation,
    _run,
    _services,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def rotation_plan(
    hostvars: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
    hosts: Sequence[str],
    max_age: str = "",
    jwks_sources: Sequence[Any] | None = None,
    hs256: bool | None = None,
    rs256_key_path: str = "",
    signing: str = "",
    **settings: Any,
) -> dict[str, Any]:
    """The plan of a rotation; see plugin_utils/_rotation.py and, of an RSA key, _rsa_rotation.py."""
    _cluster.check_declarations(hostvars, hosts)
    components = {**_cluster.hosts_by_component(groups, _cluster.any_variables(groups, hostvars)), "node": []}
    looks = _declared_trust.looks(hostvars, hosts)
    try:
        seconds = duration(str(max_age)) if max_age else None
    except DurationError as error:
        raise AnsibleFilterError(f"slurm_jwt_key_max_age: {error}") from error
    using = _services.service_hosts(groups, hostvars)
    wanted = _rotation.RotationSettings(max_age=seconds, run=_run.this_run(), token_hosts=using, **settings)
    trust = _declared_trust.trust(hostvars, groups, jwks_sources, hs256, rs256_key_path, signing)
    if not trust.signs_rs256:
        plan = _rotation.plan(looks, components, hosts, wanted, _run.is_dead)
    else:
        primary = _local_key.primary(hostvars, groups)
        key = (hostvars[primary].get(_local_key.LOOK) or {}) if primary else {}
        plan = _rsa_rotation.plan(looks, components, hosts, wanted, trust, key, _run.is_dead)
    return {**plan, "by": _run.by_whom()}


class FilterModule:
    """The filter rotation_plan."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(rotation_plan=rotation_plan)
