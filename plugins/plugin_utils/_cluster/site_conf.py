# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What slurm.conf and slurmdbd.conf have to say where a site's own tool writes them. Private to this collection.

With ``slurm_jwt_manage_conf: false`` no run edits either file. What is not as declared is told, line by line, for the
tool that writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.auth_alt import PARAMETERS, TYPES
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import folded

Look = Mapping[str, Any]

VARIABLE = "slurm_jwt_manage_conf"

# Tags of what has to be there before a file names it. They change no configuration file and touch no daemon.
BEFORE_THE_LINES = ("packages", "key")


class Lines(NamedTuple):
    """One file of one host that is not as declared."""

    host: str
    path: str
    wanted: tuple[str, ...]
    """Lines that the file is to have, each in the place of one with the same name."""
    unwanted: tuple[str, ...]
    """Parameters that it is not to have at all."""

    def what(self) -> str:
        """What is to become of the file, as the end of a sentence."""
        told = []
        if self.wanted:
            told.append(f"must have the line{'s' if self.wanted[1:] else ''} {' and '.join(self.wanted)}")
        if self.unwanted:
            told.append(f"must have no line {' and no line '.join(self.unwanted)}")
        return ", and ".join(told)


def only_prepares(run_tags: Sequence[str]) -> bool:
    """Whether the run was told to bring what the lines name, and nothing else."""
    return set(run_tags) <= {*BEFORE_THE_LINES, "always"}


def missing(
    host: str, conf: Look, wanted: Look, differences: Sequence[Look], key_path: str | None
) -> Lines | None:
    """What a file misses; None where it is as declared. KEY_PATH is given where jwt_key= has to name that key."""
    elsewhere = key_path is not None and conf["auth_alt_parameters"].get("jwt_key") not in (None, key_path)
    after = {change["parameter"]: change.get("after") for change in differences}
    if not after and not elsewhere:
        return None
    lines: dict[str, str] = {}
    if TYPES in after:
        lines[TYPES] = after[TYPES] or ""
    if PARAMETERS in after or elsewhere:
        lines[PARAMETERS] = _parameters(conf["auth_alt_parameters"], wanted, key_path)
    return Lines(
        host,
        conf["path"],
        tuple(f"{name}={value}" for name, value in lines.items() if value),
        tuple(name for name, value in lines.items() if not value),
    )


def _parameters(current: Mapping[str, str], wanted: Look, key_path: str | None) -> str:
    """The value that AuthAltParameters is to have, with what the site has in it beside that."""
    members: dict[str, Any] = {
        name: value for name, value in current.items() if name not in wanted["parameters_absent"]
    }
    members.update({name: "" if value is True else value for name, value in wanted["parameters"].items()})
    if key_path is not None:
        members["jwt_key"] = key_path
    return ",".join(f"{name}={value}" if value != "" else name for name, value in members.items())


def sentences(found: Sequence[Lines]) -> list[str]:
    """One for each file; hosts whose files miss the same share it."""
    alike: dict[Lines, list[str]] = {}
    for lines in found:
        alike.setdefault(lines._replace(host=""), []).append(lines.host)
    return [f"{folded(hosts)}: {lines.path} {lines.what()}." for lines, hosts in alike.items()]


def refusals(found: Sequence[Lines], prepared: bool, removing: bool, key_path: str = "") -> list[str]:
    """Why a run does not begin, and in which order it goes well. KEY_PATH: where the lines alone name the key."""
    if not found:
        return []
    tool = f"{VARIABLE} is false, so the tool that writes these files has to do that; no run of this collection does."
    if removing:
        told = f" with slurm_jwt_key_path={key_path}, as no file names that key then" if key_path else ""
        order = f"Then run this again{told}: it has the daemons forget the key, and puts that aside."
    elif prepared:
        order = "What they name is in place. Have them written, then run this again: it has the daemons load them."
    else:
        # On a host of slurmdbd nobody knows where the key is to be before its file says so.
        order = (
            "What the lines name has to be in place before them, as a daemon that starts with them and without the key "
            "dies: a run with --tags packages,key brings it, edits no such file and touches no daemon. Then have the "
            "lines written, and run this again without tags."
        )
    return [*sentences(found), f"{tool} {order}"]


def notes(keyless: Sequence[Lines], key_hosts: Sequence[Lines]) -> list[str]:
    """What a run says that goes on. A host without the key needs the lines for the peace of slurmctld's log alone."""
    told = [
        f"{text} {VARIABLE} is false: have your tool write that next, then run this without tags."
        for text in sentences(key_hosts)
    ]
    return told + [
        f"{text} {VARIABLE} is false, so your tool has to do that. Until then slurmctld logs that the file differs "
        "from its own; nothing else comes of it."
        for text in sentences(keyless)
    ]
