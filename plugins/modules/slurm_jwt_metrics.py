#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_metrics
short_description: Write metrics for node_exporter, in a folder that another user may own
version_added: 1.0.0
description:
  - Writes a file of metrics into the folder of node_exporter's textfile collector. The file is complete at every
    instant.
  - The folder may belong to the user that runs Prometheus. Symbolic links that this user has created there or on the
    path are not followed, so that root cannot be made to write elsewhere. The file belongs to root, and every user can
    read it.
  - Does nothing if the folder does not exist, as the host then has no node_exporter.
  - If the file cannot be written, for example because this user has put a link or a pipe in its place, the module
    warns, so that the user cannot make a run fail.
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
    description: The file. Its name has to end in C(.prom) for node_exporter to read it.
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
- name: Export the age of the key to Prometheus
  hpc.slurm_jwt.slurm_jwt_metrics:
    path: /var/lib/prometheus/node-exporter/slurm_jwt_key.prom
    content: "{{ hostvars[inventory_hostname] | hpc.slurm_jwt.key_metrics }}"
"""

RETURN = r"""
exists:
  description: Whether the folder for metrics exists, so that the file is written.
  returned: success
  type: bool
  sample: true
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.managed_files import (
    PUBLIC,
    ManagedFile,
    ManagedFiles,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}, "content": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    path = module.params["path"]
    files, exists = ManagedFiles(module.check_mode), os.path.isdir(os.path.dirname(path))
    changed = False
    try:
        changed = exists and files.write(path, ManagedFile(module.params["content"], PUBLIC))
    except (SecretFileError, OSError) as exc:
        module.warn(f"{exc} The metrics were not written.")
    # Without the path. Ansible would add the ownership of what is there by then, and follow a link.
    module.exit_json(changed=changed, exists=exists, diff=files.diffs)


if __name__ == "__main__":
    main()
