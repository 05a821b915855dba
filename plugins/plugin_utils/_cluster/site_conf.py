# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What slurm.conf and slurmdbd.conf must say if another tool of the site writes them. Private to this collection.

With ``slurm_jwt_manage_conf: false`` no run edits either file. Differences are reported as lines for that tool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.auth_alt import PARAMETERS, TYPES
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.openmetrics import PARAMETERS as OPENMETRICS
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import folded

Observed = Mapping[str, Any]

VARIABLE = "slurm_jwt_manage_conf"

# Tags that prepare what the files name. They change no configuration file and no daemon.
PREPARING_TAGS = ("packages", "key")


class Lines(NamedTuple):
    """One file of one host that is not as declared."""

    host: str
    path: str
    desired: tuple[str, ...]
    """Lines that the file must have, each instead of a line with the same name."""
    unwanted: tuple[str, ...]
    """Parameters that it must not have."""

    def what(self) -> str:
        """What must change in the file, as the end of a sentence."""
        changes = []
        if self.desired:
            changes.append(f"must have the line{'s' if self.desired[1:] else ''} {' and '.join(self.desired)}")
        if self.unwanted:
            changes.append(f"must have no line {' and no line '.join(self.unwanted)}")
        return ", and ".join(changes)


def only_prepares(run_tags: Sequence[str]) -> bool:
    """Whether the run only prepares what the lines name."""
    return set(run_tags) <= {*PREPARING_TAGS, "always"}


def missing(
    host: str, conf: Observed, desired: Observed, differences: Sequence[Observed], key_path: str | None
) -> Lines | None:
    """The lines that a file needs; None if it is as declared. ``key_path``: what jwt_key= has to name."""
    names_another_key = key_path is not None and conf["auth_alt_parameters"].get("jwt_key") not in (None, key_path)
    after = {change["parameter"]: change.get("after") for change in differences}
    if not after and not names_another_key:
        return None
    lines: dict[str, str] = {}
    if TYPES in after:
        lines[TYPES] = after[TYPES] or ""
    if PARAMETERS in after or names_another_key:
        lines[PARAMETERS] = _parameters(conf["auth_alt_parameters"], desired, key_path)
    lines.update({name: after[name] or "" for name in OPENMETRICS if name in after})
    return Lines(
        host,
        conf["path"],
        tuple(f"{name}={value}" for name, value in lines.items() if value),
        tuple(name for name, value in lines.items() if not value),
    )


def _parameters(current: Mapping[str, str], desired: Observed, key_path: str | None) -> str:
    """The desired value of AuthAltParameters, including other members that the site has in it."""
    members: dict[str, Any] = {
        name: value for name, value in current.items() if name not in desired["parameters_absent"]
    }
    members.update({name: "" if value is True else value for name, value in desired["parameters"].items()})
    if key_path is not None:
        members["jwt_key"] = key_path
    return ",".join(f"{name}={value}" if value != "" else name for name, value in members.items())


def sentences(missing_lines: Sequence[Lines]) -> list[str]:
    """A sentence for each file. Hosts whose files need the same lines share one."""
    alike: dict[Lines, list[str]] = {}
    for lines in missing_lines:
        alike.setdefault(lines._replace(host=""), []).append(lines.host)
    return [f"{folded(hosts)}: {lines.path} {lines.what()}." for lines, hosts in alike.items()]


def refusals(missing_lines: Sequence[Lines], prepared: bool, removing: bool, key_path: str = "") -> list[str]:
    """Why a run is refused, and in which order to proceed. ``key_path``: set if only the lines name the key."""
    if not missing_lines:
        return []
    tool = f"{VARIABLE} is false, so the tool that writes these files has to do that; this collection does not."
    if removing:
        path = f" with slurm_jwt_key_path={key_path}, as no file names that key then" if key_path else ""
        order = f"Then run this again{path}: daemons forget the key, and it is put aside."
    elif prepared:
        order = "What they name is in place. Write them, then run this again: the daemons load them."
    else:
        # The path of the key on a host of slurmdbd is unknown before its file names it.
        order = (
            "What the lines name has to be in place before them, as a daemon that starts with them and without the key "
            "dies: run this with --tags packages,key, which edits no such file and touches no daemon. Then write the "
            "lines, and run this again without tags."
        )
    return [*sentences(missing_lines), f"{tool} {order}"]


def notes(keyless: Sequence[Lines], key_hosts: Sequence[Lines]) -> list[str]:
    """Warnings of a run that begins. On a host without the key the lines only keep messages out of slurmctld's log."""
    next_lines = [
        f"{text} {VARIABLE} is false: let your tool write that next, then run this without tags."
        for text in sentences(key_hosts)
    ]
    return next_lines + [
        f"{text} {VARIABLE} is false, so your tool has to do that. Until then slurmctld logs that the file differs "
        "from its own; there is no other effect."
        for text in sentences(keyless)
    ]
