# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems that any host of a cluster can have. Private to this collection.

Each function checks one observation and returns its problems. Nothing here reads the host.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import auth_alt
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import means_jwt
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, ReleaseTooOld, demand, has

if TYPE_CHECKING:
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import PathInfo
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.processes import Process

ERROR, WARNING, INFO = "error", "warning", "info"
_RANK = {ERROR: 0, WARNING: 1, INFO: 2}

_AUTH_PLUGINS = ("auth/jwt", "auth/munge", "auth/none", "auth/slurm")


class Problem(NamedTuple):
    """One thing that is wrong with a host, in sentences that do not name the host."""

    severity: str
    """error: a rollout would fail. warning: somebody should check it. info: a rollout fixes it, or nobody needs to."""
    code: str
    component: str
    path: str | None
    found: str
    effect: str
    remedy: str


def in_order(problems: list[Problem]) -> list[Problem]:
    """Worst first, without duplicates."""
    return sorted(dict.fromkeys(problems), key=lambda problem: _RANK[problem.severity])


def with_fixed_noted(before: list[Problem], after: list[Problem]) -> list[Problem]:
    """The problems of a file before and after the declared edits. Those that the edits fix get severity info."""
    left, known = {_name(problem) for problem in after}, {_name(problem) for problem in before}
    noted = [
        problem if _name(problem) in left else problem._replace(severity=INFO, remedy="A rollout fixes it.")
        for problem in before
    ]
    return noted + [problem for problem in after if _name(problem) not in known]


def _name(problem: Problem) -> tuple[str, str]:
    # Without line numbers: an edit may move later lines.
    return problem.code, re.sub(r":\d+", ":", problem.found)


# Slurm itself


def no_slurm(components: list[str], names: list[str], bin_dirs: list[str], elsewhere: str | None) -> list[Problem]:
    """None of the programs that report the release exists."""
    where = "the usual folders" if not bin_dirs else f"{', '.join(bin_dirs)} and the usual folders"
    remedy = "Install Slurm on this host or remove it from the inventory group; if it is in a prefix of its own, name "
    remedy += "its folders in bin_dirs (slurm_jwt_bin_dirs)."
    if elsewhere:
        remedy = f"There is {elsewhere}: if that is the site's Slurm, name its folder in bin_dirs (slurm_jwt_bin_dirs)."
    found = f"There is no {' or '.join(names)} in {where}."
    effect = "There is no Slurm here in which JWT could be enabled."
    return [Problem(ERROR, "slurm_missing", components[0], None, found, effect, remedy)]


def no_release(component: str, program: str, answer: str) -> list[Problem]:
    """The program did not report its release."""
    found = f"{program} -V reports no release; its output: {answer.strip()[:200] or 'none'}"
    effect = "What this Slurm can do is not known, so nothing can be decided."
    remedy = f"Run {program} -V on the host and fix what it reports: a missing library, a file that it refuses."
    return [Problem(ERROR, "release_unknown", component, program, found, effect, remedy)]


def release_too_old(component: str, release: Release, capabilities: list[str]) -> list[Problem]:
    """What is declared needs a later release."""
    problems = []
    for name in dict.fromkeys(capabilities):
        try:
            demand(release, name)
        except ReleaseTooOld as error:
            effect = "Slurm silently ignores a parameter in AuthAltParameters that it does not know."
            if name == "auth_jwt":
                effect = "AuthAltTypes is unknown to it: every daemon and command on the host would refuse to run."
            if name == "http_auth":
                effect = "Every daemon and command that reads a slurm.conf with these names would refuse to run."
            remedy = "Upgrade Slurm on this host, or do not declare it."
            problems.append(Problem(ERROR, "release_too_old", component, None, str(error), effect, remedy))
    return problems


def not_root(component: str, user: str) -> list[Problem]:
    """Without root, the inspection cannot see what it needs."""
    found = f"Ansible works as {user} on this host, not as root."
    effect = "It can neither read keys nor change files and daemons, so nothing else is known."
    remedy = "Run it with --become, or set ansible_become: true in the inventory; the user must be able to become root."
    return [Problem(ERROR, "not_root", component, None, found, effect, remedy)]


def slurm_jwt_for_all(component: str, path: str | None) -> list[Problem]:
    """Every login on the host gets SLURM_JWT, or only Ansible's login does."""
    found = f"{path} sets SLURM_JWT." if path else "The login that Ansible uses on this host sets SLURM_JWT."
    effect = "Every Slurm command of that login presents this one token instead of munge, the rollout's own included."
    remedy = f"Remove it from {path or 'its profile'}; only slurmrestd's unit sets it for a whole process."
    return [Problem(ERROR, "slurm_jwt_for_all", component, path, found, effect, remedy)]


# Configuration files


def conf_missing(component: str, path: str) -> list[Problem]:
    """There is no slurm.conf where it should be."""
    effect = f"Nothing of Slurm runs without it, and a rollout would have no file to edit for {component}."
    remedy = "Name the file in conf_path (slurm_jwt_conf_path)."
    if component == "node":
        remedy += " A configless host has the controller's copy in /run/slurm/conf while its slurmd or sackd runs:"
        remedy += " start it, or remove the host from the group."
    return [Problem(ERROR, "conf_missing", component, path, f"{path} does not exist.", effect, remedy)]


def conf_elsewhere(component: str, path: str, process: Process | None) -> list[Problem]:
    """The daemon reads another file than the one that a rollout would edit."""
    if process is None or process.conf is None or os.path.realpath(process.conf) == os.path.realpath(path):
        return []
    found = f"{process.name}, process {process.pid}, reads {process.conf}, and not {path}."
    effect = "A rollout would edit a file that the daemon does not read."
    remedy = f"Name {process.conf} in conf_path (slurm_jwt_conf_path), or remove the other path from the daemon's unit."
    return [Problem(ERROR, "conf_elsewhere", component, path, found, effect, remedy)]


def conf_broken(component: str, path: str, message: str) -> list[Problem]:
    """Slurm would refuse the file, or this collection cannot read it."""
    effect = "The daemon would not come up again after a restart."
    remedy = "Fix the file first. A rollout does not change a file that it cannot read as Slurm does."
    return [Problem(ERROR, "conf_broken", component, path, message, effect, remedy)]


def conf_lines(component: str, conf: Conf) -> list[Problem]:
    """What the parser of the file found."""
    return [
        Problem(severity, "conf_line", component, path, f"{path}:{line}: {found}" if line else found, effect, remedy)
        for severity, path, line, found, effect, remedy in conf.problems()
    ]


def slurm_conf_mode(component: str, path: str, info: PathInfo) -> list[Problem]:
    """Not every user can read slurm.conf, but every Slurm command needs it."""
    if info.mode & 0o004:
        return []
    found = f"{path} has the mode {info.octal}."
    effect = "Slurm's commands fail for every user who may not read it, slurmrestd's user included."
    return [Problem(WARNING, "conf_unreadable", component, path, found, effect, f"chmod 0644 {path}")]


def auth_type(component: str, conf: Conf, default: str = "auth/munge") -> list[Problem]:
    """JWT is added to the cluster's own authentication and does not replace it."""
    setting = conf.effective("AuthType")
    value = (setting.value if setting else default).lower()
    value = value if value.startswith("auth/") else f"auth/{value}"
    if setting is None or value in ("auth/munge", "auth/slurm"):
        return []
    found = f"AuthType is {setting.value}."
    if value == "auth/jwt":
        effect = "slurmd and the daemons among themselves cannot use JWT; jobs do not start."
        remedy = "Set AuthType=auth/munge or auth/slurm; JWT belongs in AuthAltTypes."
        return [Problem(ERROR, "auth_type", component, setting.path, found, effect, remedy)]
    effect = "Daemons accept any identity that a client claims, so a signed token protects nothing."
    remedy = "Set AuthType=auth/munge or auth/slurm on every host of the cluster."
    return [Problem(WARNING, "auth_type", component, setting.path, found, effect, remedy)]


def alt_types(component: str, conf: Conf, release: Release) -> list[Problem]:
    """Members of AuthAltTypes that keep slurmctld and slurmdbd of this release from starting."""
    problems = []
    for member in conf.members(auth_alt.TYPES):
        if not member or member in _AUTH_PLUGINS:
            continue
        if means_jwt(member) and member != "jwt":
            # Reported by the parser, with its line.
            continue
        if f"auth/{member}" in _AUTH_PLUGINS:
            if has(release, "bare_type_name"):
                continue
            found = f"AuthAltTypes has the member {member}, which Slurm {release} does not read as auth/{member}."
        else:
            found = f"AuthAltTypes has the member {member}, and Slurm has no such plugin."
        path = _path(conf, auth_alt.TYPES)
        effect = "The daemon that reads this dies at its next start."
        remedy = "Replace it with auth/jwt, or remove it."
        problems.append(Problem(ERROR, "auth_alt_types", component, path, found, effect, remedy))
    return problems


def alt_parameters(component: str, conf: Conf, parameters: dict[str, str], release: Release) -> list[Problem]:
    """Members of AuthAltParameters that this release does not know."""
    problems = []
    for name in parameters:
        capability = auth_alt.capability_of(name)
        if capability and not has(release, capability):
            found = f"AuthAltParameters has {name}, which Slurm {release} does not know."
            effect, remedy = "It is silently ignored.", "Remove it, or upgrade Slurm."
            path = _path(conf, auth_alt.PARAMETERS)
            problems.append(Problem(WARNING, "parameter_ignored", component, path, found, effect, remedy))
    return problems


def _path(conf: Conf, key: str) -> str | None:
    setting = conf.effective(key)
    return setting.path if setting else None


def http_auth(component: str, conf: Conf, release: Release, plugin_missing: bool = False) -> list[Problem]:
    """From 26.05 on, SlurmdHttpAuthParameters makes slurmd on every node load the key."""
    setting = conf.effective("SlurmdHttpAuthParameters")
    if setting is None or not setting.value or not has(release, "http_auth"):
        return []
    found = f"SlurmdHttpAuthParameters={setting.value} is set."
    effect = "slurmd then loads the keys of AuthAltParameters too, and dies on every node that has none. A rollout"
    effect += " gives no key to nodes."
    remedy = "Remove it, unless every node is meant to have the key."
    if plugin_missing:
        found = f"SlurmdHttpAuthParameters={setting.value} is set, and auth_jwt.so is missing on this host."
        effect = "slurmd needs that plugin then, and dies at its next start or reconfiguration, which nobody reports."
    return [Problem(ERROR, "slurmd_loads_key", component, setting.path, found, effect, remedy)]


# Files, room and processes


def key_out_of_place(component: str, path: str) -> list[Problem]:
    """The key belongs on controllers and on slurmdbd's host, and nowhere else."""
    found = f"The signing key {path} is on this host, which does not need it as {component}."
    effect = "Anyone who becomes root here can sign tokens for any user."
    remedy = "Remove it. If this is a controller or slurmdbd's host, add the host to that group instead."
    return [Problem(WARNING, "key_out_of_place", component, path, found, effect, remedy)]


def no_room(component: str, found: str) -> list[Problem]:
    """There is no room for the files that a rollout writes."""
    effect = "A rollout could not write its files on this host."
    return [Problem(ERROR, "no_room", component, None, f"{found}.", effect, "Make room, or mount it for writing.")]


CONF_NOT_WRITABLE = "conf_not_writable"
CONF_NOT_WRITABLE_REMEDY = (
    "Make room, or mount it for writing. If another tool of the site writes the file, set slurm_jwt_manage_conf to "
    "false."
)


def conf_not_writable(component: str, path: str, found: str) -> list[Problem]:
    """A configuration file that a rollout edits cannot be written."""
    effect = f"A rollout could not edit {path} on this host."
    return [Problem(ERROR, CONF_NOT_WRITABLE, component, path, f"{found}.", effect, CONF_NOT_WRITABLE_REMEDY)]


def environment(
    component: str, service: str, process: Process | None, unit_sets: bool, files: list[str]
) -> list[Problem]:
    """SLURM_JWT in any daemon but slurmrestd replaces munge."""
    effect = f"SLURM_JWT makes {component} authenticate by JWT instead of AuthType, and cuts it off from the cluster."
    later = f"At its next start {effect}"
    problems = []
    for path in files:
        found = f"{path}, which {component} is started with, sets SLURM_JWT."
        remedy = "Remove it there."
        problems.append(Problem(ERROR, "slurm_jwt_in_daemon", component, path, found, later, remedy))
    if unit_sets:
        found = f"The unit {service} sets SLURM_JWT (Environment=)."
        remedy = f"Remove it there; systemctl cat {service} shows the file."
        problems.append(Problem(ERROR, "slurm_jwt_in_daemon", component, None, found, later, remedy))
    if process is not None and process.slurm_jwt:
        found = f"SLURM_JWT is in the environment of {component}, process {process.pid}."
        remedy = "Find out where it comes from, remove it there, and restart the daemon."
        problems.append(Problem(ERROR, "slurm_jwt_in_daemon", component, None, found, effect, remedy))
    return problems
