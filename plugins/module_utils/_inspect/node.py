# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects a compute or login host of a Slurm cluster. Private to this collection.

A site has many nodes, so this does little: it runs ``slurmd -V`` and reads a few files. server.py inspects the hosts
of other daemons.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import (
    conf_files,
    distribution,
    environment,
    facts,
    location,
    problems,
    release,
    room,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import Host, Options, Run
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import processes

OF_CONF = ("path", "exists", "configless", "identities", "auth_alt_types", "auth_alt_parameters")
"""The members of the result "conf" that minimal=true keeps."""

ALWAYS = ("now", "hostname", "components", "conf")
"""The members of the result that minimal=true always keeps."""

EMPTY: dict[str, Any] = {
    **dict.fromkeys(("clock_lag", "os_family", "program", "release", "dbd_conf", "slurm_user", "key_path", "key")),
    **dict.fromkeys(("jwks", "state_dir", "plugins", "python", "openmetrics", "proxy", "clusters", "clock_lag_least")),
    "capabilities": {},
    "rest_versions": [],
    "daemons": {},
    "differences": {"slurm_conf": [], "slurmdbd_conf": []},
    "desired": {"slurm_conf": None, "slurmdbd_conf": None},
    "undeclared": {},
    "problems": [],
}
"""The empty values of the other members. minimal=true leaves a member out if it is empty."""


def inspect(options: Options, run: Run) -> dict[str, Any]:
    """The result of slurm_jwt_info for a node."""
    host = Host(options, run)
    environment.inspect(host)
    if not location.is_as_declared(host):
        location.follow(host, [location.slurmd(host)])
    slurm_conf = conf_files.slurm_conf(host)
    release.inspect(host)
    key_path = conf_files.key_path(host)
    differences = conf_files.differences(host, key_path, options.jwks_path)
    report_key(host, key_path)
    daemons = {"slurmd": slurmd(host)}
    room.inspect(host, differences["differences"], {})
    found = host.observation(
        **release.capabilities(host),
        os_family=distribution.family_of_host(),
        conf=slurm_conf,
        key_path=key_path,
        key=None,
        python=python(),
        daemons=daemons,
        **differences,
    )
    return minimal(found) if options.minimal else found


def minimal(found: dict[str, Any]) -> dict[str, Any]:
    """What a rollout needs from a node. The control node keeps it for thousands of nodes."""
    conf = found["conf"]
    conf = conf and {name: conf[name] for name in OF_CONF if name in conf}
    needed = {**found, "capabilities": {}, "rest_versions": [], "python": None, "daemons": {}, "conf": conf}
    return {name: value for name, value in needed.items() if name in ALWAYS or value != EMPTY[name]}


def report_key(host: Host, path: str | None) -> None:
    """A signing key is a problem on a host that needs none."""
    if path is not None and os.path.exists(path):
        host.problems += problems.key_out_of_place(host.components[0], path)


def python(**known: Any) -> dict[str, Any]:
    """The result "python": the interpreter, and KNOWN about it."""
    return {
        "executable": sys.executable,
        "version": ".".join(map(str, sys.version_info[:3])),
        **dict.fromkeys(("pyjwt", "cryptography", "served", "distributions")),
        "unavailable": [],
        **known,
    }


def slurmd(host: Host) -> dict[str, Any]:
    """slurmd in the result "daemons"."""
    service = host.service("slurmd")
    conf = host.slurm.conf if host.slurm else None
    process = host.running.get("slurmd")
    if process is None:
        pid_file = (conf.value("SlurmdPidFile") if conf else None) or "/var/run/slurmd.pid"
        pid = processes.main_pid(service, "slurmd", (pid_file,))
        process = processes.inspect(pid) if pid else None
    files = [path for path in processes.usual_environment_files("slurmd") if processes.sets_slurm_jwt(path)]
    host.problems += problems.environment("slurmd", service, process, False, files)
    if not host.configless:
        host.problems += problems.conf_elsewhere("node", host.options.conf_path, process)
    return facts.daemon(service, None, process)
