#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_daemon
short_description: Restart a Slurm daemon, and wait until it is up and answers
version_added: 1.0.0
description:
  - Waits until the unit of a Slurm daemon is active, the daemon accepts connections, and it has stayed the same
    process for a moment. Fails as soon as the unit is dead, with the last errors that the daemon logged.
  - A started unit is not a running daemon. Most Slurm units are C(Type=simple), so C(systemctl start) succeeds even if
    the daemon dies of its configuration a moment later.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: V(restarted) restarts the daemon every time.
  platform:
    platforms: posix
options:
  state:
    description:
      - V(alive) waits and changes nothing. V(restarted) restarts the daemon first.
      - V(stopped) stops it for a while, for example a standby slurmdbd that must not take over while the primary
        restarts. V(restarted) starts it again.
    type: str
    choices: [alive, restarted, stopped]
    default: alive
  service:
    description: The systemd unit of the daemon, for example V(slurmdbd).
    type: str
    required: true
  address:
    description:
      - Where the daemon must accept a connection from this host. V(HOST:PORT), V(:PORT) for any address of this host,
        or V(unix:PATH).
      - Without it, a running process is enough.
    type: str
  listens:
    description:
      - All addresses at which the daemon must listen, each V(HOST:PORT), V(:PORT) or V(unix:PATH). The module reads the
        sockets of the process, and fails if it listens at another address, or not at one of these.
    type: list
    elements: str
  pause_connections:
    description:
      - With O(state=restarted), new connections to the port of O(address) wait while the daemon restarts, instead of
        being refused. Slurm's clients do not try slurmdbd twice, so each C(sacct) during its restart would fail.
      - A rule of nftables drops the first packet of each new connection until the daemon listens, usually for less than
        a second. TCP sends it again. Existing connections go on. systemd removes the rule if this module is killed.
      - Where C(nft) is missing or fails, the daemon is restarted without a pause; see RV(held).
    type: bool
    default: false
  timeout:
    description: Seconds to wait at most.
    type: float
    default: 60
  settle:
    description: Seconds for which the daemon must have answered as the same process before it counts as alive.
    type: float
    default: 1
  start_after:
    description:
      - With O(state=stopped), systemd starts the daemon after so many seconds if nothing started it before, so that it
        does not stay down if the run is killed.
    type: int
    default: 180
  log_file:
    description:
      - The daemon's log file (C(SlurmctldLogFile), or C(LogFile) of slurmdbd), to report its last errors.
      - Without it, only the journal is read.
    type: path
seealso:
  - module: hpc.slurm_jwt.slurm_jwt_proof
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Restart slurmdbd without a failed sacct, and go on when it answers
  hpc.slurm_jwt.slurm_jwt_daemon:
    service: slurmdbd
    state: restarted
    pause_connections: true
    address: ":6819"
    log_file: /var/log/slurm/slurmdbd.log

- name: Keep the standby slurmdbd from taking over for the next minutes
  hpc.slurm_jwt.slurm_jwt_daemon:
    service: slurmdbd
    state: stopped
    start_after: 300

- name: Make sure that slurmctld is up
  hpc.slurm_jwt.slurm_jwt_daemon:
    service: slurmctld
    address: ":6817"
"""

RETURN = r"""
pid:
  description: The daemon's main process; 0 with O(state=stopped).
  returned: success
  type: int
  sample: 4711
seconds:
  description: How long the wait took.
  returned: success
  type: float
  sample: 1.2
held:
  description: Whether new connections were paused while the daemon restarted.
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
            "state": {"type": "str", "choices": ["alive", "restarted", "stopped"], "default": "alive"},
            "address": {"type": "str"},
            "listens": {"type": "list", "elements": "str"},
            "pause_connections": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 60.0},
            "settle": {"type": "float", "default": 1.0},
            "start_after": {"type": "int", "default": 180},
            "log_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    task = Task(module.params, module.check_mode, module._diff, module.warn)
    daemon = ManagedDaemon(task, module.run_command, module.get_bin_path("nft"))
    try:
        states = {"alive": daemon.alive, "restarted": daemon.restarted, "stopped": daemon.stopped}
        result = states[module.params["state"]]()
    except TaskError as exc:
        module.fail_json(msg=str(exc), **exc.result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
