# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of hosts, and what earlier plays of a run left among them. Private to this collection."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import declarations

DECLARATIONS = declarations.NAME
PLAN, FAILURE, TOKENS_FAILURE = "slurm_jwt_plan", "slurm_jwt_failure", "slurm_jwt_tokens_failure"
PROXY_FAILURE = "slurm_jwt_proxy_failure"
# The failed step of a host that was left out, see tasks/leave_out.yml.
LEFT_OUT = "slurm_jwt_left_out"


def any_variables(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables of the first host of the inventory, to choose the hosts of a play, and the frozen declarations."""
    everybody = [host for host in groups.get("all") or () if host in hostvars]
    first: Mapping[str, Any] = hostvars[everybody[0]] if everybody else {}
    frozen = frozen_declarations(hostvars)
    return ChainMap({DECLARATIONS: frozen}, first) if frozen else first  # type: ignore[arg-type]


def raw(hostvars: Mapping[str, Any], host: str) -> Mapping[str, Any]:
    """The variables of a host, not evaluated: to evaluate all takes long."""
    found: Mapping[str, Any] = getattr(hostvars, "raw_get", hostvars.__getitem__)(host)
    return found


def frozen_declarations(hostvars: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What slurm_jwt_declarations froze at the beginning of the run; None before that."""
    if "localhost" not in hostvars:
        return None
    frozen: Mapping[str, Any] | None = raw(hostvars, "localhost").get(DECLARATIONS)
    return frozen


def check_declarations(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> None:
    """Raise DeclarationsChanged if the declarations of a host have changed since then."""
    known = [host for host in hosts if host in hostvars]
    declarations.check(frozen_declarations(hostvars), lambda host: raw(hostvars, host), known)


def left_with_localhost(hostvars: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables of localhost, where earlier plays leave results. It exists even if no inventory names it."""
    if "localhost" not in hostvars:
        return {}
    left: Mapping[str, Any] = hostvars["localhost"]
    return left


def run_of(hostvars: Mapping[str, Any]) -> str:
    """The name of this run of a playbook; another one in the same process has another name."""
    return str((frozen_declarations(hostvars) or {}).get("run", ""))
