# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which inspections failed, and which hosts a run leaves out. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.problems import CONF_NOT_WRITABLE
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.undeclared import CODE as UNDECLARED
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Observed
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.unreachable_hosts import reason, unreachable

# Members that every inspection must have.
_NEEDED = ("problems", "daemons", "capabilities", "differences", "plugins")


def failed(observed: Observed) -> bool:
    """Whether the inspection failed, or reports neither the content of a file nor what is wrong with it."""
    if observed.get("failed") or "conf" not in observed:
        return True
    files = [conf for conf in (observed["conf"], observed.get("dbd_conf")) if conf and conf["exists"]]
    return any("auth_alt_parameters" not in conf for conf in files) and not errors_of(observed, removing=False)


def key_hosts_of(components: Mapping[str, Sequence[str]]) -> list[str]:
    """The hosts that have the signing key, by the inventory: controllers and slurmdbd."""
    return list(dict.fromkeys([*components["slurmctld"], *components["slurmdbd"]]))


def left_out(
    observations: Mapping[str, Observed],
    components: Mapping[str, Sequence[str]],
    removing: bool = False,
    unreachable_too: bool = False,
) -> dict[str, str]:
    """The hosts without a key that a run leaves out, each with the reason.

    Such a host decides nothing about other hosts, so its result stops no run. If it is unreachable, a rollout is
    refused, but a rotation is not.
    """
    key_hosts = key_hosts_of(components)
    reasons = {}
    for host, observed in observations.items():
        if host in key_hosts:
            continue
        if unreachable(observed):
            if unreachable_too:
                reasons[host] = f"It cannot be reached ({reason_of(observed)})."
        elif failed(observed) or any(member not in observed for member in _NEEDED):
            reasons[host] = reason_of(observed)
        else:
            errors = errors_of(observed, removing)
            if errors:
                reasons[host] = " ".join(sentences_of(problem) for problem in errors)
    return reasons


_NEITHER = "its result has neither the content of its configuration file nor what is wrong with that"


def reason_of(observed: Observed) -> str:
    unread = not observed.get("failed") and "conf" in observed
    return _NEITHER if unread and not str(observed.get("msg", "")).strip() else reason(observed)


def short(name: str) -> str:
    return name.partition(".")[0].lower()


def sentences_of(problem: Mapping[str, str]) -> str:
    """A problem as sentences; what was found in a file is often only a phrase."""
    found, effect = (problem[name].rstrip(".") for name in ("found", "effect"))
    return f"{found}. {effect}. {problem['remedy']}"


def errors_of(observed: Observed, removing: bool) -> list[Mapping[str, str]]:
    """The errors that stop a run on a host. An unwritable file is none: other code decides which host writes it."""
    return [
        problem
        for problem in observed.get("problems") or ()
        if problem["severity"] == "error"
        and problem["code"] != CONF_NOT_WRITABLE
        and (not removing or problem["code"] in _STOPS_REMOVAL)
    ]


# Errors that stop a removal as well. A removal ends all others, together with JWT.
_STOPS_REMOVAL = (
    "not_root", "slurm_missing", "release_unknown", "conf_missing", "conf_broken", "dbd_conf_missing", "unit_missing",
    "no_room", UNDECLARED,
)  # fmt: skip
