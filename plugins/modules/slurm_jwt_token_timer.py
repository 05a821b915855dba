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
  - Sees to it that a host has a systemd timer for each token that is listed, and no other of this collection's. Each
    timer runs a small program that shows the token to slurmctld, and has slurmctld make another one when it is about
    to expire, is missing or broken, or is refused.
  - The host has to be a client of Slurm whose root slurmctld believes, as any host with the cluster's munge key is. It
    needs no signing key.
  - Installs the program, its parts, and the units; removes all of it with the last timer. Tokens are left as they are.
  - In check mode it tells the state of the timers, and changes nothing.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.timers
  - hpc.slurm_jwt.durations
attributes:
  check_mode:
    support: full
    details:
      - In check mode a host without Slurm's clients draws a warning instead of an error, because an earlier task may
        have been about to install them.
  diff_mode:
    support: full
    details:
      - Of the program only fingerprints are shown.
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  timers:
    description:
      - The tokens to renew on this host, as the filter P(hpc.slurm_jwt.token_timers#filter) gives them. That one sees
        to it that the numbers fit together, too.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The service. Letters, digits, C(_), C(.), and C(-) between these, as it becomes part of the names of units.
        type: str
        required: true
      user:
        description: The user the token is for.
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
        description: How long a new token is to live, a duration.
        type: str
        required: true
      min_remaining:
        description: A token with less of its life left than this duration is renewed.
        type: str
        required: true
      calendar:
        description: When the token is looked at, as C(OnCalendar=) of systemd.timer takes it.
        type: str
        required: true
      jitter:
        description: Seconds by which each look is put off at random, so that many hosts do not ask at once.
        type: int
        default: 0
      interval:
        description: Seconds between two looks at the most. It goes into the metrics.
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
- name: Renew the token of a dashboard, looking at it twice an hour
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

- name: What has become of the timers
  hpc.slurm_jwt.slurm_jwt_token_timer:
    timers: "{{ slurm_jwt_tokens_timers }}"
  check_mode: true
  register: renewal

- name: None at all, any more
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
      description: What systemd said of the timer before this run, V(active) if it is at work.
      returned: success
      type: str
      sample: active
    enabled:
      description: Whether it was started at each boot.
      returned: success
      type: bool
    next:
      description: When it looks again, in the words of systemd. Empty if that is not known.
      returned: success
      type: str
      sample: Wed 2026-11-25 03:00:17 UTC
    attempt:
      description:
        - What the last attempt did; null before the first one. C(result) is V(renewed), V(kept),
          V(left_alone) while a rotation of the key was under way, or V(failed).
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
