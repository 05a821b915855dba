#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwks_timer
short_description: A timer that keeps the key set up to date between two runs of Ansible
version_added: 1.0.0
description:
  - Makes sure that a host of slurmctld or slurmdbd has a systemd timer that fetches the keys of identity providers as
    M(hpc.slurm_jwt.slurm_jwks) does, writes the key set only if they have changed, and reloads the daemons of the host
    only then.
  - O(min_reload_interval) limits how often a provider can cause a reload. If a provider is unreachable for longer than
    O(max_outage), or publishes unusable keys, the unit fails. Trusted keys stay trusted, and keys of other providers
    are still updated. Keys in O(remove) are distrusted first, and the daemons load that at once.
  - Installs the program and the units; with O(state=absent) it removes all of it. The key set is left as it is.
  - In check mode it returns the state of the timer, and changes nothing.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.timers
  - hpc.slurm_jwt.durations
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Programs are shown by their fingerprints.
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  state:
    description:
      - V(present) installs and starts the timer, V(absent) removes it.
      - V(paused) stops it, if there is one, until the next run with V(present) or the next boot, so that it does not
        interfere with a task that writes the key set from other sources. It waits for a run of the program that has
        begun.
    type: str
    choices: [present, absent, paused]
    default: present
  path:
    description: The key set. Required with O(state=present), like O(sources), O(owner) and O(group).
    type: path
  sources:
    description: Where the keys come from, see O(hpc.slurm_jwt.slurm_jwks#module:sources).
    type: list
    elements: dict
    default: []
  retain:
    description: See O(hpc.slurm_jwt.slurm_jwks#module:retain).
    type: str
    default: 1d
  remove:
    description: See O(hpc.slurm_jwt.slurm_jwks#module:remove).
    type: list
    elements: str
    default: []
  owner:
    description: The user that owns the key set, which is SlurmUser.
    type: str
  group:
    description: The group that owns the key set.
    type: str
  daemons:
    description: The daemons of this host that load the key set, in the order in which they are reloaded.
    type: list
    elements: dict
    default: []
    suboptions:
      component:
        description: Which daemon it is.
        type: str
        choices: [slurmctld, slurmdbd]
        required: true
      service:
        description: Its systemd unit.
        type: str
        required: true
      way:
        description:
          - How it is reloaded. V(reconfigure) is C(scontrol reconfigure), which is enough for the primary slurmctld
            from 23.11 on.
        type: str
        choices: [reconfigure, restart]
        default: restart
      port:
        description: The port on which it has to listen afterwards. Omit it for a standby, which does not listen.
        type: int
  refresh_interval:
    description:
      - Time between two checks of the sources, a duration. The timer adds a random time of up to a quarter of it, so
        that not all hosts fetch, and restart daemons, at once.
    type: str
    default: 15m
  min_reload_interval:
    description:
      - Shortest time between two reloads of the daemons, a duration, whatever the sources do meanwhile.
    type: str
    default: 15m
  max_outage:
    description: How long a source may be unreachable before the unit fails, a duration.
    type: str
    default: 1d
  pause_connections:
    description:
      - Whether new connections to slurmdbd wait while it restarts, instead of being refused. This needs its
        O(daemons[].port) and nftables on the host. See the same option of M(hpc.slurm_jwt.slurm_jwt_daemon).
    type: bool
    default: true
  environment:
    description:
      - Variables for the program, such as C(HTTPS_PROXY), which may hold a password.
      - They are stored in C(/etc/slurm-jwks-refresh/environment), which only root can read, and never shown.
    type: dict
    default: {}
author:
  - The hpc.slurm_jwt contributors (@hpc-slurm-jwt)
seealso:
  - module: hpc.slurm_jwt.slurm_jwks
"""

EXAMPLES = r"""
- name: Keep the keys of a realm of Keycloak up to date on a controller
  hpc.slurm_jwt.slurm_jwks_timer:
    path: /etc/slurm/jwks.json
    owner: slurm
    group: slurm
    sources:
      - issuer: https://keycloak.example.org/realms/hpc
    daemons:
      - component: slurmctld
        service: slurmctld
        way: reconfigure
        port: 6817

- name: Remove the timer
  hpc.slurm_jwt.slurm_jwks_timer:
    state: absent
"""

RETURN = r"""
unit:
  description: The timer.
  returned: success
  type: str
  sample: slurm-jwks-refresh.timer
active:
  description: The timer's ActiveState in systemd before this run, V(active) if it works.
  returned: success
  type: str
  sample: active
attempt:
  description:
    - The last attempt; null before the first one. C(result) is V(current), V(changed), V(postponed) if a reload has to
      wait, V(waiting) while a source is unreachable, or V(failed).
  returned: success
  type: dict
  sample:
    at: 1795574400
    result: current
    said: "/etc/slurm/jwks.json: 2 keys."
    reached: 1795574400
    loaded: 1795518113
    kids: [FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE]
    next_change: null
"""

from typing import Sequence

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.jwks_timer import JwksTimer
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.options import PROGRAM_OPTIONS
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.program_files import SourceMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.systemctl import Systemctl

DAEMON_OPTIONS = {
    "component": {"type": "str", "choices": ["slurmctld", "slurmdbd"], "required": True},
    "service": {"type": "str", "required": True},
    "way": {"type": "str", "choices": ["reconfigure", "restart"], "default": "restart"},
    "port": {"type": "int"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent", "paused"], "default": "present"},
            "path": {"type": "path"},
            "sources": {"type": "list", "elements": "dict", "default": []},
            "retain": {"type": "str", "default": "1d"},
            "remove": {"type": "list", "elements": "str", "default": []},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "daemons": {"type": "list", "elements": "dict", "options": DAEMON_OPTIONS, "default": []},
            "refresh_interval": {"type": "str", "default": "15m"},
            "min_reload_interval": {"type": "str", "default": "15m"},
            "max_outage": {"type": "str", "default": "1d"},
            "pause_connections": {"type": "bool", "default": True},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            **PROGRAM_OPTIONS,
        },
        required_if=[("state", "present", ("path", "sources", "owner", "group"))],
        supports_check_mode=True,
    )

    def run(argv: Sequence[str]) -> str:
        return str(module.run_command(list(argv), check_rc=True)[1])

    try:
        task = Task(module.params, module.check_mode, module._diff, module.warn)
        timer = JwksTimer(task, Systemctl(module.get_bin_path("systemctl", required=True), run))
        result = getattr(timer, module.params["state"])()
    except (TaskError, DurationError, SourceMissing, SecretFileError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
