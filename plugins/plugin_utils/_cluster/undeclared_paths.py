# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site has to put into its inventory because its Slurm is not at the usual places. Private to this collection.

Hosts say what is, the site says what shall be: what was found is shown to be copied, and never used as it is. The value
for all hosts is that of the hosts with the key; another host's own value is for itself alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.inventory_values import SERVICE_VARIABLES
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.undeclared import CODE

FOR_ALL = "group_vars/all.yml"

_EVERYWHERE = ("slurmctld", "slurmdbd", "slurmrestd", "node")
# Variable -> the components for which it counts.
_COMPONENTS: Mapping[str, Sequence[str]] = {
    "slurm_jwt_conf_path": ("slurmctld", "slurmrestd", "node"),
    "slurm_jwt_dbd_conf_path": ("slurmdbd",),
    "slurm_jwt_bin_dirs": _EVERYWHERE,
    **{variable: (daemon,) for daemon, variable in SERVICE_VARIABLES.items()},
    "slurmrestd_binary": ("slurmrestd",),
}

Value = Any


def settings(
    looks: Mapping[str, Mapping[str, Any]], components: Mapping[str, Sequence[str]], trusted: Sequence[str]
) -> dict[str, dict[str, Value]]:
    """File of the inventory -> variable -> value."""
    found: dict[str, dict[str, Value]] = {}
    for variable, counting in _COMPONENTS.items():
        needed = {host: values[variable] for host, look in looks.items() if variable in (values := _of(look))}
        if not needed:
            continue
        common = _for_all(variable, needed, looks, [host for name in counting for host in components[name]], trusted)
        if common is not None:
            found.setdefault(FOR_ALL, {})[variable] = common
        for host, value in needed.items():
            if value != common:
                found.setdefault(f"host_vars/{host}.yml", {})[variable] = value
    return found


def _of(look: Mapping[str, Any]) -> Mapping[str, Value]:
    return look.get("undeclared") or {}


def _for_all(
    variable: str,
    needed: Mapping[str, Value],
    looks: Mapping[str, Mapping[str, Any]],
    users: Sequence[str],
    trusted: Sequence[str],
) -> Value | None:
    """The value that fits every host for which the variable counts; None if there is none."""
    # Folders that a host does not have are no harm to it; a path or a unit that it does not have is.
    harmless = variable == "slurm_jwt_bin_dirs"
    if not harmless and any(host in looks and host not in needed and _uses(looks[host], variable) for host in users):
        return None
    deciding = [value for host, value in needed.items() if host in trusted]
    if harmless and not deciding:
        # Hosts with the key would run programs from there: no other host is to propose that.
        return None
    deciding = deciding or list(needed.values())
    return deciding[0] if all(value == deciding[0] for value in deciding) else None


def _uses(look: Mapping[str, Any], variable: str) -> bool:
    """Whether the value that is declared now is in use on a host."""
    if variable != "slurm_jwt_conf_path":
        return True
    conf = look.get("conf") or {}
    return bool(conf.get("exists")) and not conf.get("configless")


def text(files: Mapping[str, Mapping[str, Value]]) -> str:
    """The same as YAML, to be copied."""
    lines = ["Put this into the inventory, then run it again:"]
    for file, variables in files.items():
        lines += ["", f"# {file}", *(f"{name}: {_yaml(value)}" for name, value in variables.items())]
    return "\n".join([*lines, ""])


def _yaml(value: Value) -> str:
    # Only what needs no quotes is accepted from a host.
    return str(value) if isinstance(value, str) else f"[{', '.join(value)}]"


def are_all(errors: Sequence[Mapping[str, str]]) -> bool:
    """Whether nothing else is wrong with a host."""
    return all(problem["code"] == CODE for problem in errors)


def sentences(errors: Sequence[tuple[str, Mapping[str, str]]]) -> list[str]:
    """What was found, hosts with the same together; ``errors`` are hosts, each with a problem."""
    hosts: dict[str, list[str]] = {}
    for host, problem in errors:
        hosts.setdefault(problem["found"], []).append(host)
    return [f"{', '.join(found_on)}: {found}" for found, found_on in hosts.items()]
