#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_token_timer
short_description: Timers that renew tokens between two runs of Ansible
version_added: 1.0.0
description:
  - Makes sure that a host has a systemd timer for each listed token, and no other token timer of this collection. Each
    timer runs a small program that tries the token with slurmctld, and has slurmctld make a new one if the token is
    about to expire, is missing or unreadable, or is refused.
  - The host has to be a client of Slurm with the cluster's munge key, so that slurmctld accepts requests of its root.
    It needs no signing key.
  - Installs the program and the units, and removes all of it with the last timer. Tokens are left as they are.
  - In check mode it returns the state of the timers, and changes nothing.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.timers
  - hpc.slurm_jwt.durations
attributes:
  check_mode:
    support: full
    details:
      - In check mode, missing clients of Slurm are a warning instead of an error, because an earlier task may have been
        about to install them.
  diff_mode:
    support: full
    details:
      - Programs are shown by their fingerprints.
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  timers:
    description:
      - The tokens to renew on this host, as the filter P(hpc.slurm_jwt.token_timers#filter) returns them. The filter
        also checks that the numbers fit together.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name of the service, which is part of the names of units. Letters, digits, C(_) and C(.), and C(-)
            between these.
        type: str
        required: true
      user:
        description: The user that the token is for.
        type: str
        required: true
      dest:
        description: The file of the token.
        type: path
        required: true
      format:
        description: See O(hpc.slurm_jwt.slurm_jwt_token#module:format).
        type: str
        choices: [raw, env, header, json, nginx, apache]
        default: raw
      lifespan:
        description: How long a new token is valid, a duration.
        type: str
        required: true
      min_remaining:
        description: A token that expires within this duration is renewed.
        type: str
        required: true
      calendar:
        description: When the token is checked, in the syntax of C(OnCalendar=) of systemd.timer.
        type: str
        required: true
      jitter:
        description: Longest random delay of each check in seconds, so that not all hosts ask slurmctld at once.
        type: int
        default: 0
      interval:
        description: Longest time between two checks in seconds, for the metrics.
        type: int
        required: true
      owner:
        description: See O(hpc.slurm_jwt.slurm_jwt_token#module:owner).
        type: str
      group:
        description: See O(hpc.slurm_jwt.slurm_jwt_token#module:group).
        type: str
      mode:
        description: See O(hpc.slurm_jwt.slurm_jwt_token#module:mode).
        type: raw
      restarts:
        description: Systemd units to restart when the token is new, if they run.
        type: list
        elements: str
        default: []
      reloads:
        description: Systemd units to reload when the token is new, if they run.
        type: list
        elements: str
        default: []
seealso:
  - module: hpc.slurm_jwt.slurm_jwt_token
  - plugin: hpc.slurm_jwt.token_timers
    plugin_type: filter
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Check the token of a dashboard twice an hour and renew it
  hpc.slurm_jwt.slurm_jwt_token_timer:
    timers:
      - name: dashboard
        user: slurm-web
        dest: /etc/slurm-web/slurm.token
        owner: slurm-web
        lifespan: 1d
        min_remaining: 4h48m
        calendar: "*-*-* *:0/30:00"
        jitter: 450
        interval: 2250
        restarts: [slurm-web.service]

- name: Inspect the timers
  hpc.slurm_jwt.slurm_jwt_token_timer:
    timers: "{{ slurm_jwt_tokens_timers }}"
  check_mode: true
  register: timers

- name: Remove all timers
  hpc.slurm_jwt.slurm_jwt_token_timer:
    timers: []
"""

RETURN = r"""
timers:
  description: One entry for each timer, in the order given.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The service.
      returned: success
      type: str
      sample: dashboard
    unit:
      description: The timer.
      returned: success
      type: str
      sample: slurm-jwt-renew@dashboard.timer
    changed:
      description: Whether it was written, enabled or started, or would be in check mode.
      returned: success
      type: bool
    active:
      description: The timer's ActiveState in systemd before this run, V(active) if it works.
      returned: success
      type: str
      sample: active
    enabled:
      description: Whether it was enabled before this run, so that it starts at each boot.
      returned: success
      type: bool
    next:
      description: When it checks the token next, as systemd prints it. Empty if that is not known.
      returned: success
      type: str
      sample: Wed 2026-11-25 03:00:17 UTC
    attempt:
      description:
        - The last attempt; null before the first one. C(result) is V(renewed), V(kept), V(left_alone) during a rotation
          of the key, or V(failed).
      returned: success
      type: dict
      sample:
        at: 1795574400
        result: kept
        said: "dashboard: the token of slurm-web in /etc/slurm-web/slurm.token is good for 30113 s."
        expires: 1795604513
        renewed_at: 1795518113
        offset: 0
        untold: false
removed:
  description: Services whose timers were removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [gateway]
"""

from typing import Sequence

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.options import PROGRAM_OPTIONS
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.program_files import SourceMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.systemctl import Systemctl
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.token_timers import TokenTimers
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import FORMATS

TIMER_OPTIONS = {
    "name": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "dest": {"type": "path", "required": True},
    "format": {"type": "str", "choices": list(FORMATS), "default": "raw"},
    "lifespan": {"type": "str", "required": True},
    "min_remaining": {"type": "str", "required": True},
    "calendar": {"type": "str", "required": True},
    "jitter": {"type": "int", "default": 0},
    "interval": {"type": "int", "required": True},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw"},
    "restarts": {"type": "list", "elements": "str", "default": []},
    "reloads": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    timers = {"type": "list", "elements": "dict", "options": TIMER_OPTIONS, "required": True}
    module = AnsibleModule(argument_spec={"timers": timers, **PROGRAM_OPTIONS}, supports_check_mode=True)

    def run(argv: Sequence[str]) -> str:
        return str(module.run_command(list(argv), check_rc=True)[1])

    try:
        task = Task(module.params, module.check_mode, module._diff, module.warn)
        result = TokenTimers(task, Systemctl(module.get_bin_path("systemctl", required=True), run)).run()
    except (TaskError, DurationError, SourceMissing, SecretFileError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
