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
  python:
    description: The Python to run it with, 3.8 or later.
    type: path
    default: /usr/bin/python3
  conf_path:
    description: The slurm.conf for C(scontrol).
    type: path
    default: /etc/slurm/slurm.conf
  bin_dir:
    description: The folder of Slurm's programs, where they are not in the usual places.
    type: path
  metrics_dir:
    description: Where node_exporter looks for metrics. Nothing is written where there is no such folder.
    type: path
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

import os
import re
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import (
    installer,
    jwks_program,
    jwks_refresh,
    runtime,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.installer import (
    PRIVATE,
    PUBLIC,
    File,
    SourceMissing,
    at_work,
    forget,
    timer_states,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.jwks_refresh import UNIT
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.sandbox import quoted, sandbox

_SOURCE = {"issuer": None, "url": None, "path": None, "data": None, "kid": None, "ca_path": None}
_NO = {"allow_http": False, "allow_shared": False}

LONGEST_RUN = 900  # seconds

SERVICE = """\
# Written by hpc.slurm_jwt; changes are lost.
[Unit]
Description=Follow the keys of the identity providers that Slurm trusts
Wants=network-online.target
After=network-online.target munge.service slurmdbd.service slurmctld.service
# The timer alone says how often, also after attempts that failed.
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart={python} -I {program} {settings}
TimeoutStartSec={longest}
{environment}# With a token in its environment scontrol would ask as the token's user.
UnsetEnvironment=SLURM_JWT
{sandbox}"""

TIMER = """\
# Written by hpc.slurm_jwt; changes are lost.
[Unit]
Description=Follow the keys of the identity providers between two runs of Ansible

[Timer]
OnActiveSec={interval}
OnUnitInactiveSec={interval}
RandomizedDelaySec={jitter}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


class JwksTimerPlaces(NamedTuple):
    """Where everything is kept on a host."""

    program: str = "/usr/local/lib/slurm-jwks-refresh"
    settings: str = "/etc/slurm-jwks-refresh/settings.json"
    record: str = "/var/lib/slurm-jwks-refresh/record.json"
    units: str = "/etc/systemd/system"

    @property
    def environment(self) -> str:
        """Proxies, for instance, and perhaps their passwords: units are for everybody to read, and this is not."""
        return os.path.join(os.path.dirname(self.settings), "environment")

    @property
    def folders(self) -> tuple[str, ...]:
        """What is made here and nothing else's."""
        return (self.program, os.path.dirname(self.settings), os.path.dirname(self.record))

    @property
    def timer(self) -> str:
        return os.path.join(self.units, f"{UNIT}.timer")

    @property
    def service(self) -> str:
        return os.path.join(self.units, f"{UNIT}.service")


PLACES = JwksTimerPlaces()


class JwksTimerError(Exception):
    """What is wrong with the task, in words for the person who reads it."""


def seconds(params: dict[str, Any], option: str, least: int = 0) -> int:
    """A duration among the options."""
    try:
        found = duration(params[option])
    except DurationError as exc:
        raise JwksTimerError(f"{option}: {exc}") from None
    if found < least:
        raise JwksTimerError(f"{option}: {found} s is too short. Give {least} s at least.")
    return found


def environment(variables: dict[str, Any]) -> str:
    """The file of variables that systemd reads for the unit."""
    lines = []
    for name, value in sorted(variables.items()):
        text = str(value)
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or not text.isprintable():
            raise JwksTimerError(
                f"environment: {name!r} cannot be a variable of a unit. Use letters, digits and _ in its name, and one"
                " line as its value."
            )
        text = re.sub(r'(["\\`$])', r"\\\1", text)
        lines.append(f'{name}="{text}"\n')
    return "".join(lines)


class Timer:
    """The timer of one host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.systemctl = module.get_bin_path("systemctl", required=True)
        self.files = installer.Files(module.check_mode)

    def present(self) -> dict[str, Any]:
        wanted = self.wanted()
        state = self.state()
        if not self.module.check_mode:
            os.makedirs(os.path.dirname(PLACES.record), mode=0o700, exist_ok=True)
        with self.while_none_is_at_work():
            changed = [path for path, file in wanted.items() if self.files.put(path, file)]
            old = [path for path in installer.strangers(PLACES.program, wanted) if self.files.take_away(path)]
            if PLACES.environment not in wanted and self.files.take_away(PLACES.environment, secret=True):
                old.append(PLACES.environment)
        idle = not at_work(state)
        if not self.module.check_mode:
            if idle or PLACES.timer in changed or PLACES.service in changed:
                self.tell("daemon-reload")
            if idle:
                self.tell("enable", f"{UNIT}.timer")
            if idle or PLACES.timer in changed:
                self.tell("restart", f"{UNIT}.timer")
        return self.result(state, bool(changed or old or idle))

    def absent(self) -> dict[str, Any]:
        state = self.state()
        metrics = self.metrics()
        paths = [PLACES.timer, PLACES.service, PLACES.settings, PLACES.record]
        there = os.path.exists(PLACES.timer)
        if there and not self.module.check_mode:
            self.tell("stop", f"{UNIT}.timer")
        with self.while_none_is_at_work():
            gone = [
                path for path in [*paths, *installer.strangers(PLACES.program, {})] if self.files.take_away(path)
            ]
            gone += [PLACES.environment] if self.files.take_away(PLACES.environment, secret=True) else []
            gone += [metrics] if metrics and self.files.take_metrics_away(metrics, self.module.warn) else []
        gone += [path for path in PLACES.folders if self.files.take_folder_away(path)]
        if gone and not self.module.check_mode:
            forget(PLACES.units, f"{UNIT}.timer")
            self.tell("daemon-reload")
        return self.result(state, bool(gone))

    def paused(self) -> dict[str, Any]:
        state = self.state()
        works = state.get("ActiveState") == "active"
        if works and not self.module.check_mode:
            self.tell("stop", f"{UNIT}.timer")
        with self.while_none_is_at_work():
            return self.result(state, works)

    def while_none_is_at_work(self) -> AbstractContextManager[None]:
        """A run that has begun comes to its end first: it may be about to write the key set, or to load it."""
        if self.module.check_mode or not os.path.exists(PLACES.settings):
            return nullcontext()
        return file_lock(PLACES.settings, LONGEST_RUN)

    def wanted(self) -> dict[str, File]:
        """Every file, in the order in which it is to be there."""
        params = self.params
        interval = seconds(params, "refresh_interval", 20)
        settings = jwks_refresh.RefreshSettings(
            path=params["path"],
            sources=[{**_SOURCE, **_NO, **source} for source in params["sources"]],
            retain=seconds(params, "retain"),
            remove=params["remove"],
            owner=params["owner"],
            group=params["group"],
            daemons=[jwks_refresh.ReloadedDaemon(**daemon) for daemon in params["daemons"]],
            min_reload_interval=seconds(params, "min_reload_interval"),
            max_outage=seconds(params, "max_outage"),
            interval=interval + interval // 4,
            record=PLACES.record,
            metrics=self.metrics(),
            conf_path=params["conf_path"],
            bin_dir=params["bin_dir"],
            systemctl=self.systemctl,
            pause_connections=params["pause_connections"],
        )
        files = installer.program(PLACES.program, jwks_program)
        files[PLACES.settings] = File(jwks_refresh.write_settings(settings), PRIVATE)
        variables = environment(params["environment"])
        if variables:
            files[PLACES.environment] = File(variables, PRIVATE, secret=True)
        files[PLACES.service] = File(self.service(bool(variables)), PUBLIC)
        files[PLACES.timer] = File(TIMER.format(interval=interval, jitter=interval // 4), PUBLIC)
        return files

    def service(self, has_variables: bool) -> str:
        """The unit, which can write the key set and what the program leaves word in, and nothing else."""
        written = [self.params["path"], PLACES.record, self.metrics()]
        # Connections to slurmdbd wait in the packet filter while it restarts.
        pauses = self.params["pause_connections"] and any(one["part"] == "slurmdbd" for one in self.params["daemons"])
        return SERVICE.format(
            python=self.params["python"],
            program=PLACES.program,
            settings=PLACES.settings,
            environment=f"EnvironmentFile={quoted(PLACES.environment)}\n" if has_variables else "",
            longest=LONGEST_RUN,
            sandbox=sandbox(
                (os.path.dirname(path) for path in written if path), ("CAP_NET_ADMIN",) if pauses else ()
            ),
        )

    def metrics(self) -> str | None:
        folder = self.params["metrics_dir"]
        return os.path.join(folder, "slurm_jwks.prom") if folder else None

    def state(self) -> dict[str, str]:
        """What systemd says of the timer."""
        return timer_states(self.module.run_command, self.systemctl, [f"{UNIT}.timer"]).get(f"{UNIT}.timer", {})

    def tell(self, *words: str) -> None:
        self.module.run_command([self.systemctl, *words], check_rc=True)

    def result(self, state: dict[str, str], changed: bool) -> dict[str, Any]:
        record = runtime.last_record(PLACES.record, jwks_refresh.read_record)
        return {
            "changed": changed,
            "unit": f"{UNIT}.timer",
            "active": state.get("ActiveState", ""),
            "attempt": None if record is None else record._asdict(),
            "diff": self.files.diffs,
        }


def main() -> None:
    daemon = {
        "part": {"type": "str", "choices": ["slurmctld", "slurmdbd"], "required": True},
        "service": {"type": "str", "required": True},
        "way": {"type": "str", "choices": ["reconfigure", "restart"], "default": "restart"},
        "port": {"type": "int"},
    }
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent", "paused"], "default": "present"},
            "path": {"type": "path"},
            "sources": {"type": "list", "elements": "dict", "default": []},
            "retain": {"type": "str", "default": "1d"},
            "remove": {"type": "list", "elements": "str", "default": []},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "daemons": {"type": "list", "elements": "dict", "options": daemon, "default": []},
            "refresh_interval": {"type": "str", "default": "15m"},
            "min_reload_interval": {"type": "str", "default": "15m"},
            "max_outage": {"type": "str", "default": "1d"},
            "pause_connections": {"type": "bool", "default": True},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "conf_path": {"type": "path", "default": "/etc/slurm/slurm.conf"},
            "bin_dir": {"type": "path"},
            "metrics_dir": {"type": "path"},
        },
        required_if=[("state", "present", ("path", "sources", "owner", "group"))],
        supports_check_mode=True,
    )
    try:
        result = getattr(Timer(module), module.params["state"])()
    except (JwksTimerError, SourceMissing, SecretFileError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
