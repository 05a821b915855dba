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
  python:
    description: The Python that runs it, 3.8 or later. Nothing but its standard library is used.
    type: path
    default: /usr/bin/python3
  conf_path:
    description: The cluster's slurm.conf. It need not exist, as on configless hosts.
    type: path
    default: /etc/slurm/slurm.conf
  bin_dir:
    description: The folder of Slurm's programs, where they are not in the usual places.
    type: path
  metrics_dir:
    description:
      - The folder in which the textfile collector of Prometheus's node_exporter looks for files. Where it does not
        exist no metrics are written.
    type: path
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

import glob
import os
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import parse_mode, read_if_there
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, PREVIOUS, beside
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import client_reply
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import Client, ClientError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import (
    installer,
    runtime,
    token_program,
    token_renewal,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.installer import (
    PRIVATE,
    PUBLIC,
    File,
    SourceMissing,
    at_work,
    forget,
    timer_states,
    unread,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.sandbox import is_hidden, sandbox
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.token_renewal import UNIT
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens import file_format

_CLIENTS = ("scontrol", client_reply.CLIENTS["slurmctld"][0])

SERVICE = """\
# Written by hpc.slurm_jwt; changes are lost.
[Unit]
Description=Renew the Slurm token of %i
Wants=network-online.target
After=network-online.target munge.service
# The timer alone says how often, also after attempts that failed.
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart={python} -I -S {program} {settings}/%i.json
TimeoutStartSec=10min
# With a token in its environment a client would ask as the token's user.
UnsetEnvironment=SLURM_JWT
{sandbox}"""

TIMER = """\
# Written by hpc.slurm_jwt; changes are lost.
[Unit]
Description=Renew the Slurm token of {name} between two runs of Ansible

[Timer]
OnCalendar={calendar}
RandomizedDelaySec={jitter}
AccuracySec=1s
# What was missed while the host was down is made up for.
Persistent=true

[Install]
WantedBy=timers.target
"""


class TokenTimerPlaces(NamedTuple):
    """Where everything is kept on a host."""

    program: str = "/usr/local/lib/slurm-jwt-renew"
    settings: str = "/etc/slurm-jwt-renew"
    records: str = "/var/lib/slurm-jwt-renew"
    units: str = "/etc/systemd/system"
    stamps: str = installer.STAMPS

    @property
    def folders(self) -> tuple[str, ...]:
        """What is made here and nothing else's."""
        return (self.program, self.settings, self.records)

    def timer(self, name: str) -> str:
        return os.path.join(self.units, timer_of(name))

    def service(self, name: str) -> str:
        return os.path.join(self.units, f"{UNIT}@{name}.service")

    @property
    def template(self) -> str:
        """What an earlier version had for all timers together."""
        return os.path.join(self.units, f"{UNIT}@.service")

    def setting(self, name: str) -> str:
        return os.path.join(self.settings, f"{name}.json")

    def record(self, name: str) -> str:
        return os.path.join(self.records, f"{name}.json")


PLACES = TokenTimerPlaces()


class TokenTimerError(Exception):
    """What is wrong with the task or the host, in words for the person who reads it."""


def timer_of(name: str) -> str:
    return f"{UNIT}@{name}.timer"


class Renewals:
    """The timers of one host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.timers: list[dict[str, Any]] = module.params["timers"]
        self.systemctl = module.get_bin_path("systemctl", required=True)
        self.files = installer.Files(module.check_mode)

    def run(self) -> dict[str, Any]:
        self.refuse()
        wanted = self.wanted()
        gone = [name for name in self.installed() if name not in [timer["name"] for timer in self.timers]]
        states = self.states()
        if wanted and not self.module.check_mode:
            os.makedirs(PLACES.records, mode=0o700, exist_ok=True)
        changed = [path for path, file in wanted.items() if self.files.put(path, file)]
        metrics = self.metrics_left(gone)
        removed = [path for path in self.leftovers(gone, wanted) if self.files.take_away(path)]
        removed += [path for path in metrics if self.files.take_metrics_away(path, self.module.warn)]
        if not wanted:
            removed += [path for path in PLACES.folders if self.files.take_folder_away(path)]
        started = self.have_run(states, changed, gone, bool(changed or removed))
        results = [
            self.describe(timer["name"], states, timer["name"] in started or self.touched(timer["name"], changed))
            for timer in self.timers
        ]
        return {
            "changed": bool(changed or removed or started or gone),
            "timers": results,
            "removed": gone,
            "diff": self.files.diffs,
        }

    def refuse(self) -> None:
        """Raise Failure for what cannot be."""
        seen = set()
        for timer in self.timers:
            name = timer["name"]
            if not token_renewal.fits_a_unit(name):
                raise TokenTimerError(
                    f"timers: {name!r} cannot be a part of the names of units. Use letters, digits, _ and ., and -"
                    " between these."
                )
            if name in seen:
                raise TokenTimerError(f"timers: {name!r} is there twice. Give each a name of its own.")
            seen.add(name)
            if is_hidden(timer["dest"]):
                raise TokenTimerError(
                    f"timers: {name}: {timer['dest']} is in a folder for temporary files, which every user of the host"
                    " can write; the timer's program does not see it. Choose another folder."
                )
        try:
            for each in _CLIENTS if self.timers else ():
                Client(self.params["bin_dir"], self.params["conf_path"], 1).program(each)
        except ClientError as exc:
            text = (
                f"{exc} Only a client of Slurm can renew its tokens by itself. For other hosts leave renew out of the"
                " declaration, and run the playbook hpc.slurm_jwt.tokens regularly."
            )
            if not self.module.check_mode:
                raise TokenTimerError(text) from exc
            self.module.warn(text)

    def wanted(self) -> dict[str, File]:
        """Every file, in the order in which it is to be there."""
        if not self.timers:
            return {}
        files = installer.program(PLACES.program, token_program)
        for timer in self.timers:
            files[PLACES.setting(timer["name"])] = File(token_renewal.write_settings(self.settings(timer)), PRIVATE)
            files[PLACES.service(timer["name"])] = File(self.service(timer), PUBLIC)
        for timer in self.timers:
            files[PLACES.timer(timer["name"])] = File(TIMER.format(**timer), PUBLIC)
        return files

    def settings(self, timer: dict[str, Any]) -> token_renewal.RenewalSettings:
        try:
            mode = parse_mode(timer["mode"]) if timer["mode"] else 0o400
        except SecretFileError as exc:
            raise TokenTimerError(f"timers: {timer['name']}: {exc}") from exc
        return token_renewal.RenewalSettings(
            name=timer["name"],
            user=timer["user"],
            dest=timer["dest"],
            format=timer["format"],
            lifespan=self.seconds(timer, "lifespan"),
            min_remaining=self.seconds(timer, "min_remaining"),
            interval=timer["interval"],
            owner=timer["owner"],
            group=timer["group"],
            mode=f"{mode:04o}",
            restarts=timer["restarts"],
            reloads=[unit for unit in timer["reloads"] if unit not in timer["restarts"]],
            beside=[beside(timer["dest"], NEXT), beside(timer["dest"], PREVIOUS)],
            record=PLACES.record(timer["name"]),
            metrics=self.metrics_of(timer["name"]),
            bin_dir=self.params["bin_dir"],
            conf_path=self.params["conf_path"],
            systemctl=self.systemctl,
        )

    def seconds(self, timer: dict[str, Any], option: str) -> int:
        """One of the timer's durations."""
        try:
            return duration(timer[option])
        except DurationError as exc:
            raise TokenTimerError(f"timers: {timer['name']}: {option}: {exc}") from exc

    def service(self, timer: dict[str, Any]) -> str:
        """The unit that renews one token, and can write beside it and nowhere else."""
        written = [timer["dest"], PLACES.record(timer["name"]), self.metrics_of(timer["name"])]
        return SERVICE.format(
            python=self.params["python"],
            program=PLACES.program,
            settings=PLACES.settings,
            sandbox=sandbox(os.path.dirname(path) for path in written if path),
        )

    def metrics_of(self, name: str) -> str | None:
        folder = self.params["metrics_dir"]
        return os.path.join(folder, f"slurm_jwt_token_{name}.prom") if folder else None

    def installed(self) -> list[str]:
        """The services that have a timer here, or what is left of one."""
        found = [*glob.glob(PLACES.timer("*")), *glob.glob(PLACES.setting("*"))]
        names = [os.path.basename(path) for path in found]
        begin, end = timer_of("*").split("*")
        stems = [
            name[len(begin) : -len(end)] if name.endswith(end) else name[: -len(".json")] for name in names
        ]
        return sorted(set(stems))

    def leftovers(self, gone: list[str], wanted: dict[str, File]) -> list[str]:
        """Files to take away: those of timers that are not wanted, and with the last timer all the rest."""
        found = [PLACES.template]
        for name in gone:
            found += [PLACES.timer(name), PLACES.service(name), PLACES.setting(name), PLACES.record(name)]
        return found + installer.strangers(PLACES.program, wanted)

    def metrics_left(self, gone: list[str]) -> list[str]:
        """What timers that are not wanted have told Prometheus, as long as their settings say where."""
        found = [self.metrics_of(name) or metrics_in(PLACES.setting(name)) for name in gone]
        return [path for path in found if path]

    # -- systemd -------------------------------------------------------------------------------------------------------

    def states(self) -> dict[str, dict[str, str]]:
        """What systemd says of each timer, by its unit."""
        units = [timer_of(timer["name"]) for timer in self.timers]
        if not units:
            return {}
        return timer_states(self.module.run_command, self.systemctl, units)

    def have_run(
        self, states: dict[str, dict[str, str]], changed: list[str], gone: list[str], reload: bool
    ) -> list[str]:
        """Have systemd do what the files say; the timers that were not at work."""
        idle = [
            timer["name"]
            for timer in self.timers
            if not at_work(states.get(timer_of(timer["name"]), {}))
        ]
        if self.module.check_mode:
            return idle
        if gone:
            self.tell("stop", gone)
            for name in gone:
                forget(PLACES.units, timer_of(name), PLACES.stamps)
        if reload or any(map(unread, states.values())):
            self.module.run_command([self.systemctl, "daemon-reload"], check_rc=True)
        anew = [timer["name"] for timer in self.timers if PLACES.timer(timer["name"]) in changed]
        if idle:
            self.tell("enable", idle)
        if idle or anew:
            self.tell("restart", list(dict.fromkeys(idle + anew)))
        return idle

    def tell(self, verb: str, names: list[str]) -> None:
        self.module.run_command([self.systemctl, verb, "--", *map(timer_of, names)], check_rc=True)

    def touched(self, name: str, changed: list[str]) -> bool:
        return bool({PLACES.timer(name), PLACES.service(name), PLACES.setting(name)} & set(changed))

    def describe(self, name: str, states: dict[str, dict[str, str]], changed: bool) -> dict[str, Any]:
        state = states.get(timer_of(name), {})
        record = runtime.last_record(PLACES.record(name), token_renewal.read_record)
        return {
            "name": name,
            "unit": timer_of(name),
            "changed": changed,
            "active": state.get("ActiveState", ""),
            "enabled": state.get("UnitFileState") == "enabled",
            "next": state.get("NextElapseUSecRealtime", ""),
            "attempt": None if record is None else record._asdict(),
        }


def metrics_in(path: str) -> str | None:
    """The file of metrics that the settings of a timer name."""
    there = read_if_there(path)
    try:
        return None if there is None else token_renewal.read_settings(there.data.decode("utf-8")).metrics
    except (runtime.SettingsError, UnicodeDecodeError):
        return None


def main() -> None:
    timer = {
        "name": {"type": "str", "required": True},
        "user": {"type": "str", "required": True},
        "dest": {"type": "path", "required": True},
        "format": {"type": "str", "choices": list(file_format.FORMATS), "default": "raw"},
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
    module = AnsibleModule(
        argument_spec={
            "timers": {"type": "list", "elements": "dict", "options": timer, "required": True},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "conf_path": {"type": "path", "default": "/etc/slurm/slurm.conf"},
            "bin_dir": {"type": "path"},
            "metrics_dir": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = Renewals(module).run()
    except (TokenTimerError, SourceMissing, SecretFileError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
