#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwks_timer
short_description: A timer that follows identity providers between two runs of Ansible
version_added: 1.0.0
description:
  - Sees to it that a host of slurmctld or slurmdbd has a systemd timer that fetches the keys of identity providers as
    M(hpc.slurm_jwt.slurm_jwks) does, writes the key set only if they have changed, and has the daemons of the host load
    it only then.
  - A provider cannot have the daemons restarted as often as it likes (O(min_reload_interval)). When it cannot be
    reached for longer than O(max_outage), or publishes something that would end badly, the unit fails, and the keys
    that are trusted stay so. Other providers are followed meanwhile. What O(remove) names is distrusted first, and
    daemons load that at once.
  - Installs the program, its parts, and the units; with O(state=absent) it removes all of it. The key set is left as it
    is.
  - In check mode it tells the state of the timer, and changes nothing.
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
      - V(present) has the timer there and at work, V(absent) takes it away.
      - V(paused) stops it, where there is one, until the next run with V(present) or the next boot. Whoever changes the
        key set by other sources than the timer knows is alone then. A run of the timer that has begun is waited for.
    type: str
    choices: [present, absent, paused]
    default: present
  path:
    description: The key set. Needed with O(state=present), like O(sources), O(owner) and O(group).
    type: path
  sources:
    description: Where the keys come from, as O(hpc.slurm_jwt.slurm_jwks#module:sources) says it.
    type: list
    elements: dict
    default: []
  retain:
    description: As O(hpc.slurm_jwt.slurm_jwks#module:retain).
    type: str
    default: 1d
  remove:
    description: As O(hpc.slurm_jwt.slurm_jwks#module:remove).
    type: list
    elements: str
    default: []
  owner:
    description: The user the key set is to belong to, that is SlurmUser.
    type: str
  group:
    description: The group the key set is to belong to.
    type: str
  daemons:
    description: The daemons of this host that load the key set, in the order in which they do.
    type: list
    elements: dict
    default: []
    suboptions:
      part:
        description: Which one it is.
        type: str
        choices: [slurmctld, slurmdbd]
        required: true
      service:
        description: Its systemd unit.
        type: str
        required: true
      way:
        description:
          - How it loads the key set. V(reconfigure) is C(scontrol reconfigure), which is enough for the primary
            slurmctld from 23.11 on.
        type: str
        choices: [reconfigure, restart]
        default: restart
      port:
        description: The port on which it has to listen after that. Left out for one that stands by and does not.
        type: int
  refresh_interval:
    description:
      - How often the sources are looked at, a duration. The timer adds up to a quarter of it at random, so that not all
        hosts ask, and restart, at once.
    type: str
    default: 15m
  min_reload_interval:
    description:
      - How long daemons are left alone after they have loaded the keys, a duration, whatever the sources do meanwhile.
    type: str
    default: 15m
  max_outage:
    description: For how long a source may be out of reach before that counts as a failure, a duration.
    type: str
    default: 1d
  pause_connections:
    description:
      - Whether new connections to slurmdbd wait while it restarts, instead of being refused, where it has a
        O(daemons[].port) and the host has nftables. See the same option of M(hpc.slurm_jwt.slurm_jwt_daemon).
    type: bool
    default: true
  environment:
    description:
      - Variables for the program, such as C(HTTPS_PROXY), which may hold a password.
      - They are kept in C(/etc/slurm-jwks-refresh/environment), which only root can read, and shown nowhere.
    type: dict
    default: {}
author:
  - The hpc.slurm_jwt contributors (@hpc-slurm-jwt)
seealso:
  - module: hpc.slurm_jwt.slurm_jwks
"""

EXAMPLES = r"""
- name: Follow a realm of Keycloak on a controller
  hpc.slurm_jwt.slurm_jwks_timer:
    path: /etc/slurm/jwks.json
    owner: slurm
    group: slurm
    sources:
      - issuer: https://keycloak.example.org/realms/hpc
    daemons:
      - part: slurmctld
        service: slurmctld
        way: reconfigure
        port: 6817

- name: Follow nobody any more
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
  description: What systemd said of the timer before this run, V(active) if it is at work.
  returned: success
  type: str
  sample: active
attempt:
  description:
    - What the last attempt did; null before the first one. C(result) is V(current), V(changed), V(postponed) where
      daemons were to be left alone for a while, V(waiting) while a source is out of reach, or V(failed).
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
    "part": {"type": "str", "choices": ["slurmctld", "slurmdbd"], "required": True},
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
