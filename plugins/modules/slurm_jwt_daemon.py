#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_daemon
short_description: Restart a Slurm daemon, and wait until it lives and answers
version_added: 1.0.0
description:
  - Waits until the unit of a Slurm daemon is active, the daemon accepts connections, and it has stayed the same
    process for a moment; fails as soon as it is seen dead, with the daemon's own last words.
  - A unit that C(systemctl) has started is not a daemon that lives. Most Slurm units are C(Type=simple), so the start
    succeeds although the daemon dies of its configuration a moment later.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: A restart is a change whenever it is asked for.
  platform:
    platforms: posix
options:
  state:
    description:
      - V(alive) waits and changes nothing. V(restarted) restarts the daemon first.
    type: str
    choices: [alive, restarted]
    default: alive
  service:
    description: The systemd unit of the daemon, for example V(slurmdbd).
    type: str
    required: true
  address:
    description:
      - Where the daemon must accept a connection, seen from this host. V(HOST:PORT), V(:PORT) for whichever address
        of this host it listens on, or V(unix:PATH).
      - Without it a living process is enough.
    type: str
  listens:
    description:
      - All addresses at which the daemon is to listen, each V(HOST:PORT), V(:PORT) or V(unix:PATH). The module fails if
        its process listens at another one, or not at one of these. It looks at the sockets of the process.
    type: list
    elements: str
  pause_connections:
    description:
      - With O(state=restarted), lets new connections to the port of O(address) wait while the daemon restarts, instead
        of being refused. Slurm's clients do not try slurmdbd twice, so that each C(sacct) which falls into its restart
        fails.
      - A rule of nftables drops the first packet of each new connection until the daemon listens, as a rule for well
        below a second; TCP sends it again. Connections that stand are left alone, and the rule goes by itself should
        this module be killed.
      - Where C(nft) is missing or refuses, the daemon is restarted without it; see RV(held).
    type: bool
    default: false
  timeout:
    description: Seconds to wait at the most.
    type: float
    default: 60
  settle:
    description: Seconds for which the daemon must have answered as the same process before it counts as alive.
    type: float
    default: 1
  log_file:
    description:
      - The daemon's own log file (C(SlurmctldLogFile), or C(LogFile) of slurmdbd), for its last words.
      - Without it the journal alone is read.
    type: path
seealso:
  - module: hpc.slurm_jwt.slurm_jwt_proof
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Restart slurmdbd without failing a sacct, and go on only when it answers
  hpc.slurm_jwt.slurm_jwt_daemon:
    service: slurmdbd
    state: restarted
    pause_connections: true
    address: ":6819"
    log_file: /var/log/slurm/slurmdbd.log

- name: See that slurmctld lives
  hpc.slurm_jwt.slurm_jwt_daemon:
    service: slurmctld
    address: ":6817"
"""

RETURN = r"""
pid:
  description: The daemon's main process.
  returned: success
  type: int
  sample: 4711
seconds:
  description: How long the wait took.
  returned: success
  type: float
  sample: 1.2
held:
  description: Whether new connections were held while the daemon restarted.
  returned: success
  type: bool
  sample: true
last_words:
  description: The last fatal or error lines that the daemon wrote.
  returned: failure
  type: list
  elements: str
  sample: ["slurmdbd: fatal: Could not load key file (/var/lib/slurm/slurmctld/jwt_hs256.key)"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.managed_daemon import ManagedDaemon


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "service": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["alive", "restarted"], "default": "alive"},
            "address": {"type": "str"},
            "listens": {"type": "list", "elements": "str"},
            "pause_connections": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 60.0},
            "settle": {"type": "float", "default": 1.0},
            "log_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    task = Task(module.params, module.check_mode, module._diff, module.warn)
    daemon = ManagedDaemon(task, module.run_command, module.get_bin_path("nft"))
    try:
        result = daemon.restarted() if module.params["state"] == "restarted" else daemon.alive()
    except TaskError as exc:
        module.fail_json(msg=str(exc), **exc.result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
