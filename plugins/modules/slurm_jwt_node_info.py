#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_node_info
short_description: "[INTERNAL] Inspect a node, with what the role declares"
version_added: 1.0.0
description:
  - Runs M(hpc.slurm_jwt.slurm_jwt_info) on a host that is a node and nothing else, with the options that follow from
    the variables of the role P(hpc.slurm_jwt.slurm_jwt#role). There may be thousands of nodes, and templates for these
    options would take longer than the rest of the task.
options: {}
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes.info_module
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Inspect the node
  hpc.slurm_jwt.slurm_jwt_node_info:
  register: observation
"""

RETURN = r"""
conf:
  description: What M(hpc.slurm_jwt.slurm_jwt_info) returns with O(hpc.slurm_jwt.slurm_jwt_info#module:minimal=true).
  returned: success
  type: dict
  sample:
    path: /etc/slurm/slurm.conf
    exists: true
"""

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._ansible import action_only


def main() -> None:
    action_only.refuse(argument_spec={})


if __name__ == "__main__":
    main()
