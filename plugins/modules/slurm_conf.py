#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_conf
short_description: Edit slurm.conf and slurmdbd.conf as Slurm reads them
version_added: 1.0.0
description:
  - Sets and removes parameters in C(slurm.conf) and C(slurmdbd.conf), and edits comma lists such as C(AuthAltTypes)
    and option lists such as C(AuthAltParameters) member by member. Every other byte of the files stays as it is.
  - Reads the files as Slurm's own parser does, with comments, continued lines, quotes, escapes, C(Include), names in
    any case, and parameters that are set more than once. A parameter is changed in the line that is in force, also in
    an included file. A new parameter is added where an administrator would put it. That is below a line in which it is
    commented out, or else below related parameters.
  - If you remove a parameter that this module has added, the file is again as it was before.
  - The changed files are parsed again before anything is written. If Slurm would not read exactly the requested change,
    or would not start with the result, nothing is written.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.attributes.safe_writes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The difference contains only the changed lines, without context, so that no password of C(slurmdbd.conf)
        appears.
  idempotent:
    support: full
  platform:
    platforms: posix
  safe_file_operations:
    support: full
    details:
      - Files keep their owner, group, mode, SELinux context and ACLs. Of two runs on the same file, one waits for the
        other.
      - If several files change, either all of them are replaced or none.
      - A symbolic link is followed, and stays, if root or the owner of the file made it where nobody else can write.
options:
  path:
    description:
      - Absolute path of the C(slurm.conf) or C(slurmdbd.conf) that the daemons of the host read.
      - The file must exist. A node of a configless cluster has none and needs no edit.
    type: path
    required: true
  kind:
    description:
      - Which of the two files it is.
      - By default a file with C(slurmdbd) in its name is a C(slurmdbd.conf), and any other is a C(slurm.conf).
      - A C(slurmdbd.conf) gets mode C(0600) if it has another one, because slurmdbd does not start otherwise.
        C(0640), which Slurm 25.11 and later also accept, stays.
    type: str
    choices: [slurm, slurmdbd]
  settings:
    description:
      - Parameters to set, by name, and their values. The value V(null) removes every line of a parameter, so that no
        earlier line comes into force.
      - Values with blanks are put in quotes, and a C(#) or a backslash is escaped. A value that a Slurm configuration
        file cannot contain is refused.
      - V(true) and V(false) are written as V(yes) and V(no).
      - Passwords such as C(StoragePass) cannot be set, because options of modules are logged.
      - Parameters that may have many lines, such as C(NodeName), are refused.
    type: dict
    default: {}
  lists:
    description:
      - Comma lists to edit, such as C(AuthAltTypes). Each value is a dictionary with lists V(present) and V(absent).
      - Members that are in neither list stay, in their order.
      - A parameter is removed with its last member.
      - In C(AuthAltTypes) the member V(auth/jwt) replaces V(jwt) and V(rest_auth/jwt), which are common mistakes for
        it.
    type: dict
    default: {}
  options:
    description:
      - Option lists to edit, such as C(AuthAltParameters). Each value is a dictionary with a dictionary V(present),
        of names and values, and a list V(absent), of names. An option whose value is V(true) is a flag.
      - Options that are in neither stay, in their order, also unknown ones.
      - A parameter is removed with its last option.
      - If there is a blank before an option of V(present), which hides it from Slurm, the blank is removed.
    type: dict
    default: {}
  backup:
    description:
      - Keep a copy of each changed file in the same folder, with a time stamp and C(~) added to its name. The copy has
        the owner and the mode of the file.
    type: bool
    default: false
  prune_backups:
    description:
      - Remove the copies that O(backup) has kept in all earlier runs, if the file is again the same as the first of
        them. Otherwise they stay, because the original may exist only there.
    type: bool
    default: false
  allow_unknown:
    description:
      - Write names that no release of Slurm from 20.11 to 26.05 knows. If your release does not know a parameter, every
        daemon and every command that reads the file fails. An unknown option of C(AuthAltParameters) is silently
        ignored.
    type: bool
    default: false
notes:
  - Every host with its own copy of C(slurm.conf) needs the same edit, compute and login nodes first. Otherwise
    slurmctld logs that their file differs.
  - Daemons use the change after a reconfiguration or a restart.
seealso:
  - module: hpc.slurm_jwt.slurm_jwt_info
  - module: hpc.slurm_jwt.slurm_jwt_key
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Make slurmctld accept tokens
  hpc.slurm_jwt.slurm_conf:
    path: /etc/slurm/slurm.conf
    lists:
      AuthAltTypes:
        present: [auth/jwt]
    options:
      AuthAltParameters:
        present:
          jwt_key: /var/lib/slurm/slurmctld/jwt_hs256.key
          disable_token_creation: true
        absent: [max_token_lifespan]
    backup: true

- name: Undo the same change
  hpc.slurm_jwt.slurm_conf:
    path: /etc/slurm/slurm.conf
    lists:
      AuthAltTypes:
        absent: [auth/jwt]
    options:
      AuthAltParameters:
        absent: [jwt_key, disable_token_creation]

- name: Change a time limit, and remove a parameter that newer releases do not know
  hpc.slurm_jwt.slurm_conf:
    path: /etc/slurm/slurm.conf
    settings:
      SlurmctldTimeout: 300
      FastSchedule: null

- name: Check a file for problems without changing it
  hpc.slurm_jwt.slurm_conf:
    path: /etc/slurm/slurmdbd.conf
  check_mode: true
  register: slurmdbd_conf
"""

RETURN = r"""
path:
  description: The file given by O(path).
  returned: always
  type: str
  sample: /etc/slurm/slurm.conf
files:
  description: All files that were read, in the order in which Slurm opens them.
  returned: always
  type: list
  elements: str
  sample: [/etc/slurm/slurm.conf, /etc/slurm/nodes.conf]
changed_files:
  description: The files that were changed, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [/etc/slurm/slurm.conf]
backup_files:
  description:
    - Where the old content of the changed files is kept, by the path of the file itself, behind symbolic links.
    - Empty without O(backup) and in check mode.
  returned: always
  type: dict
  sample:
    /etc/slurm/slurm.conf: /etc/slurm/slurm.conf.20261123T044300Z~
pruned_backups:
  description: The copies that were removed, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: [/etc/slurm/slurm.conf.20261123T044300Z~]
before:
  description:
    - The values in force before the run, of the parameters in O(settings), O(lists) and O(options). V(null) means that
      the parameter is not set.
    - A password is never shown. A placeholder replaces it.
  returned: always
  type: dict
  sample:
    AuthAltTypes: null
effective:
  description: The values of the same parameters in force after the run.
  returned: always
  type: dict
  sample:
    AuthAltTypes: auth/jwt
problems:
  description:
    - Problems in the files after the run, as far as they can be found without the release of Slurm.
    - Problems that were in the file before do not make the module fail, unless they concern a parameter that it edits.
      Those with the severity V(error) are also reported as warnings.
  returned: always
  type: list
  elements: dict
  contains:
    severity:
      description: V(error) if a daemon does not start or does not accept tokens, otherwise V(warning).
      type: str
      sample: warning
    path:
      description: The file.
      type: str
      sample: /etc/slurm/slurm.conf
    line:
      description: The line, counted from 1.
      type: int
      sample: 17
    found:
      description: What was found.
      type: str
      sample: "'disable_token_creaton' in AuthAltParameters"
    effect:
      description: What it does to the cluster.
      type: str
      sample: Slurm does not know this option and silently ignores it.
    remedy:
      description: What to do about it.
      type: str
      sample: Correct the spelling or remove it.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import ConfError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.edit_task import run
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.writer import ConfFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "kind": {"type": "str", "choices": ["slurm", "slurmdbd"]},
            "settings": {"type": "dict", "default": {}},
            "lists": {"type": "dict", "default": {}},
            "options": {"type": "dict", "default": {}},
            "backup": {"type": "bool", "default": False},
            "prune_backups": {"type": "bool", "default": False},
            "allow_unknown": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = run(Task(module.params, module.check_mode, module._diff, module.warn))
    except TaskError as exc:
        module.fail_json(msg=str(exc), **exc.result)
    except (ConfError, SecretFileError, ConfFileError) as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"{exc.filename or module.params['path']}: {exc.strerror or exc}. Nothing was changed.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
