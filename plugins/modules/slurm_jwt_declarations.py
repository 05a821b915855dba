#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_declarations
short_description: "[INTERNAL] Freeze what a site declares, before any host is asked"
version_added: 1.0.0
description:
  - Reads the variables of this collection from inventory and extra vars, without asking a host, and writes down which
    hosts make the cluster and a digest of what is declared for each. The playbooks decide nothing once that has
    changed.
  - Refuses a variable that begins with C(slurm_jwt) or C(slurmrestd_) and that no role knows, naming the nearest known
    one.
  - Refuses a host whose facts, from a fact cache or from earlier plays, bear the name of a variable of this collection,
    or of a connection, shell or become variable of Ansible's, and a declaration that is made from a fact.
  - Refuses to go on while C(ANSIBLE_KEEP_REMOTE_FILES) is on, with which keys and tokens would stay in files.
  - Warns where C(inject_facts_as_vars) is on.
options: {}
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes.info_module
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Freeze what the site declares
  hpc.slurm_jwt.slurm_jwt_declarations:
  register: declarations
  run_once: true
"""

RETURN = r"""
frozen:
  description:
    - C(parts) has the hosts of each part of the cluster, C(digests) a digest of the declarations of each host of the
      inventory, and C(run) a name for this run.
  returned: success
  type: dict
  sample:
    run: 5f2b0c1de0a94e77
    parts: {slurmctld: [ctl1], slurmdbd: [dbd1], slurmrestd: [rest1], node: [node1]}
    digests: {ctl1: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a}
"""

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._ansible import action_only


def main() -> None:
    action_only.refuse(argument_spec={})


if __name__ == "__main__":
    main()
