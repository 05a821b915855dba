#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_metrics
short_description: Metrics for node_exporter, in a folder that may be another user's
version_added: 1.0.0
description:
  - Writes a file of metrics where node_exporter's textfile collector looks for them, whole at every instant.
  - The folder may belong to the user whom Prometheus runs as. No link that this user has put there or on the way is
    followed, so that root writes nothing in another place. The file is root's, and everybody can read it.
  - Does nothing where there is no such folder, for there is no node_exporter then.
  - What keeps the file from being written, such as a link or a pipe that this user has put in its place, is a warning,
    so that the user cannot keep a run from the rest.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  path:
    description: The file, whose name has to end in C(.prom) for node_exporter to read it.
    type: path
    required: true
  content:
    description: The metrics, in the text format of Prometheus.
    type: str
    required: true
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Tell Prometheus how old the key is
  hpc.slurm_jwt.slurm_jwt_metrics:
    path: /var/lib/prometheus/node-exporter/slurm_jwt_key.prom
    content: "{{ hostvars[inventory_hostname] | hpc.slurm_jwt.key_metrics }}"
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /var/lib/prometheus/node-exporter/slurm_jwt_key.prom
exists:
  description: Whether there is a folder for metrics, so that the file is there or would be.
  returned: success
  type: bool
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.managed_files import PUBLIC, File, Files


def main() -> None:
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}, "content": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    # Ansible would follow whatever is at the path by now.
    module.add_path_info = lambda result: result
    path = module.params["path"]
    files, exists = Files(module.check_mode), os.path.isdir(os.path.dirname(path))
    changed = False
    try:
        changed = exists and files.write(path, File(module.params["content"], PUBLIC))
    except (SecretFileError, OSError) as exc:
        module.warn(f"{exc} Prometheus is not told.")
    module.exit_json(changed=changed, path=path, exists=exists, diff=files.diffs)


if __name__ == "__main__":
    main()
