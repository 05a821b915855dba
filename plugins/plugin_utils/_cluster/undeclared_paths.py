# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that a site has to set because its Slurm is not in the usual folders. Private to this collection.

Hosts only report values; the site declares them. The administrator copies what was found; no code uses it directly.
Key hosts determine the value for all hosts; the value of another host is for that host only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.inventory_values import SERVICE_VARIABLES
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.undeclared import CODE

FOR_ALL = "group_vars/all.yml"

_EVERYWHERE = ("slurmctld", "slurmdbd", "slurmrestd", "node")
# Variable -> the components that use it.
_COMPONENTS: Mapping[str, Sequence[str]] = {
    "slurm_jwt_conf_path": ("slurmctld", "slurmrestd", "node"),
    "slurm_jwt_dbd_conf_path": ("slurmdbd",),
    "slurm_jwt_bin_dirs": _EVERYWHERE,
    **{variable: (daemon,) for daemon, variable in SERVICE_VARIABLES.items()},
    "slurmrestd_binary": ("slurmrestd",),
}

Value = Any


def settings(
    observations: Mapping[str, Mapping[str, Any]], components: Mapping[str, Sequence[str]], key_hosts: Sequence[str]
) -> dict[str, dict[str, Value]]:
    """File of the inventory -> variable -> value."""
    files: dict[str, dict[str, Value]] = {}
    for variable, used_by in _COMPONENTS.items():
        values = {host: _of(observed) for host, observed in observations.items()}
        needed = {host: value[variable] for host, value in values.items() if variable in value}
        if not needed:
            continue
        hosts = [host for name in used_by for host in components[name]]
        common = _for_all(variable, needed, observations, hosts, key_hosts)
        if common is not None:
            files.setdefault(FOR_ALL, {})[variable] = common
        for host, value in needed.items():
            if value != common:
                files.setdefault(f"host_vars/{host}.yml", {})[variable] = value
    return files


def _of(observed: Mapping[str, Any]) -> Mapping[str, Value]:
    return observed.get("undeclared") or {}


def _for_all(
    variable: str,
    needed: Mapping[str, Value],
    observations: Mapping[str, Mapping[str, Any]],
    hosts: Sequence[str],
    key_hosts: Sequence[str],
) -> Value | None:
    """The value that fits every host of these components; None if there is none."""
    # A folder that a host does not have is harmless; a path or a unit that it does not have is not.
    harmless = variable == "slurm_jwt_bin_dirs"
    others = [host for host in hosts if host in observations and host not in needed]
    if not harmless and any(_uses(observations[host], variable) for host in others):
        return None
    deciding = [value for host, value in needed.items() if host in key_hosts]
    if harmless and not deciding:
        # Key hosts would run programs from there, so no other host may propose it.
        return None
    deciding = deciding or list(needed.values())
    return deciding[0] if all(value == deciding[0] for value in deciding) else None


def _uses(observed: Mapping[str, Any], variable: str) -> bool:
    """Whether a host uses the value that is declared now."""
    if variable != "slurm_jwt_conf_path":
        return True
    conf = observed.get("conf") or {}
    return bool(conf.get("exists")) and not conf.get("configless")


def text(files: Mapping[str, Mapping[str, Value]]) -> str:
    """The same as YAML, to copy."""
    lines = ["Put this into the inventory, then run it again:"]
    for file, variables in files.items():
        lines += ["", f"# {file}", *(f"{name}: {_yaml(value)}" for name, value in variables.items())]
    return "\n".join([*lines, ""])


def _yaml(value: Value) -> str:
    # Only what needs no quotes is accepted from a host.
    return str(value) if isinstance(value, str) else f"[{', '.join(value)}]"


def are_all(errors: Sequence[Mapping[str, str]]) -> bool:
    """Whether a host has no other errors."""
    return all(problem["code"] == CODE for problem in errors)


def sentences(errors: Sequence[tuple[str, Mapping[str, str]]]) -> list[str]:
    """The problems of hosts, those with the same problem together."""
    by_problem: dict[str, list[str]] = {}
    for host, problem in errors:
        by_problem.setdefault(problem["found"], []).append(host)
    return [f"{', '.join(names)}: {problem_text}" for problem_text, names in by_problem.items()]
