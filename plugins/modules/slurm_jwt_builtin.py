#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_builtin
short_description: "[INTERNAL] Run a builtin module, and let in what is declared of its result"
version_added: 1.0.0
description:
  - Runs one module of C(ansible.builtin) on a managed host. Of its result it lets in the members that the roles of this
    collection use, of the right type and length. Everything else is dropped, C(ansible_facts) first of all, so that the
    host cannot change a variable, and no text that it sends is a template.
  - A host that takes longer than the module may take has failed.
  - The guide R(Security, ansible_collections.hpc.slurm_jwt.docsite.guide_security) says why.
options:
  async_status:
    description:
      - Options of M(ansible.builtin.async_status), and C(of), the module of this collection that the job runs, such as
        V(slurm_jwt_key), C(not_before), when to ask for the first time, and C(deadline), after which the job counts as
        failed. Both are instants in seconds since 1970.
    type: dict
  command:
    description: Options of M(ansible.builtin.command).
    type: dict
  copy:
    description: Options of M(ansible.builtin.copy).
    type: dict
  file:
    description: Options of M(ansible.builtin.file).
    type: dict
  package:
    description: Options of M(ansible.builtin.package).
    type: dict
  stat:
    description: Options of M(ansible.builtin.stat).
    type: dict
  systemd_service:
    description: Options of M(ansible.builtin.systemd_service).
    type: dict
  template:
    description: Options of M(ansible.builtin.template).
    type: dict
  uri:
    description: Options of M(ansible.builtin.uri).
    type: dict
  user:
    description: Options of M(ansible.builtin.user).
    type: dict
  wait_for:
    description: Options of M(ansible.builtin.wait_for).
    type: dict
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
attributes:
  check_mode:
    support: full
    details: As the module that is run.
  diff_mode:
    support: full
    details: As the module that is run.
  idempotent:
    support: full
    details: As the module that is run.
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Restart slurmrestd on a host that may have been broken into
  hpc.slurm_jwt.slurm_jwt_builtin:
    systemd_service:
      name: slurmrestd
      state: restarted
"""

RETURN = r"""
stdout:
  description: What a command wrote, without control characters.
  returned: when a command was run
  type: str
stderr:
  description: What a command wrote to its standard error, likewise.
  returned: when a command was run
  type: str
stat:
  description: What there is at a path, with C(exists), C(isdir), C(pw_name), C(gr_name), C(mode) and C(checksum).
  returned: with O(stat)
  type: dict
backup_file:
  description: Where the old file is kept.
  returned: with O(copy) and O(template), if they keep one
  type: str
status:
  description: What systemd says of the unit, with C(ActiveState); for O(uri) the status of the answer.
  returned: with O(systemd_service) and O(uri)
  type: raw
"""

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._ansible import action_only

MODULES = (
    ("async_status", "command", "copy", "file", "package", "stat", "systemd_service")
    + ("template", "uri", "user", "wait_for")
)  # fmt: skip


def main() -> None:
    action_only.refuse(
        argument_spec={name: {"type": "dict"} for name in MODULES},
        mutually_exclusive=[MODULES],
        required_one_of=[MODULES],
    )


if __name__ == "__main__":
    main()
