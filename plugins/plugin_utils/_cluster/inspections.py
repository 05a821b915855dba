# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inspections of hosts amount to: which failed, whom a run goes on without. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.problems import CONF_NOT_WRITABLE
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.undeclared import CODE as UNDECLARED
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Observed
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.unreachable_hosts import reason, unreachable

# Members without which there is no inspection.
_NEEDED = ("problems", "daemons", "capabilities", "differences", "plugins")


def failed(look: Observed) -> bool:
    """Whether the inspection failed, or says of a file neither what it holds nor what is wrong with it."""
    if look.get("failed") or "conf" not in look:
        return True
    files = [conf for conf in (look["conf"], look.get("dbd_conf")) if conf and conf["exists"]]
    return any("auth_alt_parameters" not in conf for conf in files) and not errors_of(look, removing=False)


def key_hosts_of(components: Mapping[str, Sequence[str]]) -> list[str]:
    """The hosts that have the signing key, by the inventory: controllers and slurmdbd."""
    return list(dict.fromkeys([*components["slurmctld"], *components["slurmdbd"]]))


def left_out(
    looks: Mapping[str, Observed],
    components: Mapping[str, Sequence[str]],
    removing: bool = False,
    unreachable_too: bool = False,
) -> dict[str, str]:
    """The hosts without a key that a run goes on without, each with the reason.

    Such a host decides nothing about another one, so whatever it answers stops no run. One that cannot be reached stops
    a rollout before its first change, and no rotation.
    """
    trusted = key_hosts_of(components)
    found = {}
    for host, look in looks.items():
        if host in trusted:
            continue
        if unreachable(look):
            if unreachable_too:
                found[host] = f"It cannot be reached ({reason_of(look)})."
        elif failed(look) or any(member not in look for member in _NEEDED):
            found[host] = reason_of(look)
        else:
            errors = errors_of(look, removing)
            if errors:
                found[host] = " ".join(sentences_of(problem) for problem in errors)
    return found


_UNREAD = "its answer says neither what its configuration file holds nor what is wrong with that"


def reason_of(look: Observed) -> str:
    unread = not look.get("failed") and "conf" in look
    return _UNREAD if unread and not str(look.get("msg", "")).strip() else reason(look)


def short(name: str) -> str:
    return name.partition(".")[0].lower()


def sentences_of(problem: Mapping[str, str]) -> str:
    """A problem as sentences; what was found in a file is often a bare phrase."""
    found, effect = (problem[name].rstrip(".") for name in ("found", "effect"))
    return f"{found}. {effect}. {problem['remedy']}"


def host_and_problem(host: str, problem: Mapping[str, str]) -> str:
    return f"{host}: {sentences_of(problem)}"


def errors_of(look: Observed, removing: bool) -> list[Mapping[str, str]]:
    """What stands in the way of a run on a host. Whether it has to write its files is not its own to know."""
    return [
        problem
        for problem in look.get("problems") or ()
        if problem["severity"] == "error"
        and problem["code"] != CONF_NOT_WRITABLE
        and (not removing or problem["code"] in _STOPS_REMOVAL)
    ]


# What stands in the way of taking JWT back as well; anything else that is wrong with JWT goes with it.
_STOPS_REMOVAL = (
    "slurm_missing", "release_unknown", "conf_missing", "conf_broken", "dbd_conf_missing", "unit_missing", "no_room",
    UNDECLARED,
)  # fmt: skip
# Of a file that would be edited, if not another host that sees it does.
