# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: trusted_sources
short_description: The sources of all RS256 keys that a cluster is to trust
version_added: 1.0.0
description:
  - Adds the public half of the site's own RSA key, and that of the next one if there is one, to the sources that the
    site declares, in the form that M(hpc.slurm_jwt.slurm_jwks) takes.
  - The site's own key lies on the primary controller. What is known of it comes from the look of the role
    R(hpc.slurm_jwt.slurm_jwt, ansible_collections.hpc.slurm_jwt.slurm_jwt_role) in the same run, and from what the run
    has done to it since.
positional: groups, declared
options:
  declared:
    description: The sources that the site declares.
    type: list
    elements: dict
    required: true
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.and_groups
  - hpc.slurm_jwt.inventory.hostvars
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Show them
  ansible.builtin.debug:
    msg: "{{ hostvars | hpc.slurm_jwt.trusted_sources(groups, slurm_jwt_jwks_sources) }}"
"""

RETURN = r"""
_value:
  description: The sources.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _local_key
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter trusted_sources."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(trusted_sources=_local_key.sources)
