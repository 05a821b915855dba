# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the hosts that run slurmctld, slurmdbd or slurmrestd. Private to this collection.

The continuation of _problems, for those hosts alone: nodes are many, and are not to wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.access import Reader, allows
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import READ, WRITE
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.inventory_values import SERVICE_VARIABLES
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.problems import ERROR, INFO, WARNING, Problem
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import listeners, rest_unit
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, has

if TYPE_CHECKING:
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import PathInfo, User
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.install_paths import Libjwt
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.processes import Process
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.units import Unit

# slurmdbd.conf and users


def dbd_conf_missing(path: str) -> list[Problem]:
    """There is no slurmdbd.conf on a host that is to run slurmdbd."""
    effect = "slurmdbd does not run without it."
    remedy = "Name the file in dbd_conf_path (slurm_jwt_dbd_conf_path), or take the host out of the group."
    return [Problem(ERROR, "dbd_conf_missing", "slurmdbd", path, f"{path} does not exist.", effect, remedy)]


def dbd_conf_attributes(
    path: str, place: PathInfo, user: User | None, release: Release | None, included: bool
) -> list[Problem]:
    """slurmdbd refuses to start with a slurmdbd.conf of another mode or owner."""
    problems = []
    allowed = [0o600]
    owners = [user.uid] if user else []
    if release is not None and has(release, "slurmdbd_conf_group_readable"):
        owners.append(0)
        if not included:
            allowed.append(0o640)
    effect = "slurmdbd does not start with it, so it would stay down after a restart."
    if place.mode not in allowed:
        wanted = " or ".join(f"{mode:04o}" for mode in allowed)
        found = f"{path} has the mode {place.octal}; slurmdbd wants {wanted}."
        problems.append(Problem(ERROR, "dbd_conf_mode", "slurmdbd", path, found, effect, f"chmod 0600 {path}"))
    if user and not included and place.uid not in owners:
        found = f"{path} belongs to the user with the number {place.uid}, not to SlurmUser {user.name} ({user.uid})."
        problems.append(Problem(ERROR, "dbd_conf_owner", "slurmdbd", path, found, effect, f"chown {user.name} {path}"))
    return problems


def no_slurm_user(component: str, name: str) -> list[Problem]:
    """SlurmUser does not exist here."""
    effect = f"{component} does not start, and the key can be given to nobody."
    remedy = "Make the user with the same number as on the cluster's other hosts, or correct SlurmUser."
    missing = f"SlurmUser {name} does not exist here."
    return [Problem(ERROR, "slurm_user_missing", component, None, missing, effect, remedy)]


# The key and where it lies


def state_dir(path: str, place: PathInfo, user: User | None) -> list[Problem]:
    """The folder in which the key lies by default."""
    if place.kind == "missing":
        effect = "slurmctld makes it at its start, the key has no place before that."
        found, remedy = f"StateSaveLocation {path} does not exist.", "A rollout makes it."
        return [Problem(INFO, "state_dir_missing", "slurmctld", path, found, effect, remedy)]
    if place.kind != "directory":
        found = f"StateSaveLocation {path} is not a folder."
        effect, remedy = "slurmctld does not start.", "Put a folder there, or correct StateSaveLocation."
        return [Problem(ERROR, "state_dir_no_folder", "slurmctld", path, found, effect, remedy)]
    others = writable_by_others(place, user)
    if not others and (user is None or place.uid in (0, user.uid)):
        return []
    whose = "others can write" if others else f"belongs to the user with the number {place.uid}"
    found = f"StateSaveLocation {path}, mode {place.octal}, {whose}."
    effect = "They can change what slurmctld knows of jobs. It is left as it is, and no key is put there."
    remedy = "Give slurmctld a folder of its own (StateSaveLocation), and the key too (slurm_jwt_key_path)."
    return [Problem(WARNING, "state_dir_open", "slurmctld", path, found, effect, remedy)]


def writable_by_others(place: PathInfo, user: User | None) -> bool:
    """Whether somebody beside root and SlurmUser may write to a folder."""
    users, groups = ((0, user.uid), (0, user.gid)) if user else ((0,), (0,))
    if place.mode & 0o002 or (place.acl.group_permissions(place.mode) & WRITE and place.gid not in groups):
        return True
    writers = (grant for grant in place.acl.grants if grant.permissions & WRITE)
    return any(grant.number not in (users if grant.is_user else groups) for grant in writers)


def key_not_a_file(component: str, path: str, place: PathInfo) -> list[Problem]:
    """Something else is where the key should be."""
    what = "a folder" if place.kind == "directory" else "neither a file nor a folder"
    effect, remedy = "No key can be put there.", "Take it away, or choose another path (slurm_jwt_key_path)."
    if place.is_link:
        what, effect = "a symbolic link", "Whoever may change the link chooses the cluster's key."
        remedy = "Put the key itself there, or name the file that the link leads to (slurm_jwt_key_path)."
    return [Problem(ERROR, "key_not_a_file", component, path, f"{path} is {what}.", effect, remedy)]


def key_location(component: str, path: str, message: str) -> list[Problem]:
    """The way to the key leads through a place that a stranger can change, or it cannot be read."""
    effect = "Nothing is read from or written to such a place."
    remedy = (
        "Name another place in slurm_jwt_key_path, in a folder of SlurmUser's or root's that nobody else can write, "
        "such as /etc/slurm/jwt_hs256.key. An existing folder is never given another owner or mode."
    )
    return [Problem(ERROR, "key_place", component, path, message, effect, remedy)]


def key_missing(component: str, path: str) -> list[Problem]:
    """JWT is on, but there is no key."""
    effect = "The daemon does not start again; tokens are accepted by the running process only."
    remedy = "A rollout puts a key there; tokens that were signed with the lost one are refused from then on."
    found = f"auth/jwt is in AuthAltTypes, but {path} does not exist."
    return [Problem(WARNING, "key_missing", component, path, found, effect, remedy)]


def key_attributes(component: str, path: str, place: PathInfo, user: User | None, release: Release) -> list[Problem]:
    """Who may read the key, and whether the daemon may."""
    problems = []
    if place.acl.grants:
        found = f"{path} has an access control list that lets in the {place.acl.words()}."
        effect = "Whoever has read the key is root on the cluster."
        remedy = "A rollout takes the list away; assume that the key is known, and replace it."
        problems.append(Problem(WARNING, "key_shared", component, path, found, effect, remedy))
    if place.mode & 0o007:
        fatal = "Slurm of this release does not start with it. " if has(release, "insecure_key_fatal") else ""
        found = f"{path} has the mode {place.octal}, so others than its owner and group have access."
        effect = fatal + "Whoever has read the key is root on the cluster."
        remedy = f"Assume that it is known: chmod 0400 {path}, then replace the key."
        problems.append(Problem(ERROR, "key_readable", component, path, found, effect, remedy))
    if user and place.uid not in (0, user.uid):
        found = f"{path} belongs to the user with the number {place.uid}, neither root nor {user.name}."
        effect = "That user can sign tokens for anybody."
        remedy = "A rollout gives it to SlurmUser; replace the key if that user should not have had it."
        problems.append(Problem(WARNING, "key_owner", component, path, found, effect, remedy))
    elif user and not _may_read(place, user):
        found = f"{path} has the mode {place.octal} and belongs to the user with the number {place.uid}."
        effect = f"{user.name} may not read it, and the daemons load it as {user.name} at some starts and reloads."
        problems.append(Problem(INFO, "key_owner", component, path, found, effect, "A rollout gives it to SlurmUser."))
    return problems


def _may_read(place: PathInfo, user: User) -> bool:
    # slurmctld gives up supplementary groups when it becomes SlurmUser.
    return allows(place, Reader(user.uid, frozenset([user.gid])), READ)


def key_weak(component: str, path: str, weakness: str, in_force: bool) -> list[Problem]:
    """Nobody should sign with this key. One that Slurm accepts stays in force until somebody replaces it."""
    found, effect = f"{path} {weakness}.", "Whoever guesses or knows the key is root on the cluster."
    if in_force:
        effect += " It is in force, and stays so until it is rotated."
        remedy = "Replace it: ansible-playbook hpc.slurm_jwt.rotate --extra-vars slurm_jwt_rotate_now=true"
        return [Problem(WARNING, "key_weak", component, path, found, effect, remedy)]
    effect += " No daemon uses it yet, and a rollout would put it into force."
    remedy = "Move the file away, and the rollout makes a key in its place."
    return [Problem(ERROR, "key_weak", component, path, found, effect, remedy)]


def jwks(component: str, path: str, place: PathInfo, user: User | None, release: Release, mended: bool) -> list[Problem]:
    """The file that jwks= names. MENDED says that the site declares where its keys come from, so a rollout makes it."""
    severity, remedy = ERROR, "See that it is there and that SlurmUser can read it, or declare slurm_jwt_jwks_sources."
    if mended:
        severity, remedy = WARNING, "A rollout mends it."
    if place.kind != "file":
        found = f"jwks= names {path}, which is not there."
        effect = f"{component} does not start again; tokens are accepted by the running process only."
        return [Problem(severity, "jwks_missing", component, path, found, effect, remedy)]
    problems = []
    if place.mode & 0o002:
        fatal = "Slurm of this release does not start with it. " if has(release, "insecure_key_fatal") else ""
        found = f"{path} has the mode {place.octal}, so every user of the host can write it."
        effect = fatal + "Whoever puts a key of his own there is root on the cluster."
        problems.append(Problem(severity, "jwks_writable", component, path, found, effect, remedy))
    elif user and not _may_read(place, user):
        found = f"{path} has the mode {place.octal} and belongs to the user with the number {place.uid}."
        effect = f"{user.name} may not read it, and {component} does not start or reload with it."
        problems.append(Problem(severity, "jwks_unreadable", component, path, found, effect, remedy))
    return problems


def key_elsewhere(component: str, path: str, in_force: str) -> list[Problem]:
    """The site declares another path than the one in force."""
    found = f"The key in force is {in_force}, and {path} is declared."
    effect = "Tokens signed with the old key are refused after the change, unless the new file holds the same bytes."
    remedy = f"Declare {in_force} (slurm_jwt_key_path), or copy the key before the rollout."
    return [Problem(WARNING, "key_elsewhere", component, path, found, effect, remedy)]


# Plugins and libraries


def plugin_missing(component: str, name: str, folder: str | None, packages: list[str], rpm: bool) -> list[Problem]:
    """A plugin that the component needs is not installed."""
    found = f"{name} is not in {folder}." if folder else f"{name} was found nowhere, and no folder of Slurm's plugins."
    effect = f"{component} does not start with JWT switched on."
    if packages:
        remedy = f"The package {' and '.join(packages)} brings it; the role installs it."
        return [Problem(WARNING, "plugin_missing", component, None, found, effect, remedy)]
    feature = "jwt" if name == "auth_jwt.so" else "slurmrestd"
    if rpm:
        remedy = f"Install a Slurm that was built with it: rpmbuild --with {feature}."
    else:
        remedy = "Build Slurm with libjwt's headers installed (configure --with-jwt)"
        remedy += "." if feature == "jwt" else " and --enable-slurmrestd."
    if not folder:
        remedy += " If it is there already, name the folder in plugin_dir (slurm_jwt_plugin_dir)."
    return [Problem(ERROR, "plugin_missing", component, folder, found, effect, remedy)]


def plugin_lost(component: str, name: str, folder: str | None, package: str, command: str) -> list[Problem]:
    """A plugin is not there, although the package that it belongs to is installed: somebody took it away."""
    found = f"{name} is not in {folder}, although the package {package}, which brings it, is installed."
    effect = f"{component} does not start with JWT switched on."
    remedy = f"Have the package put it back: {command}"
    return [Problem(ERROR, "plugin_lost", component, folder, found, effect, remedy)]


def libjwt_missing(component: str, plugin: str, libjwt: Libjwt | None) -> list[Problem]:
    """auth_jwt.so is there, and what it needs is not."""
    if libjwt is None or libjwt.path:
        return []
    found = f"{plugin} needs {libjwt.name}, which was not found."
    effect = f"{component} does not start with JWT switched on."
    remedy = f"Install the package that brings {libjwt.name}."
    return [Problem(WARNING, "libjwt_missing", component, plugin, found, effect, remedy)]


def pyjwt_missing(component: str, executable: str) -> list[Problem]:
    """Nothing on this host can sign a token but scontrol."""
    found = f"{executable} has no PyJWT."
    effect = "Tokens cannot be signed on this host, nor the cluster proven from it."
    remedy = "The role installs python3-jwt where tokens are signed, on the primary controller."
    return [Problem(INFO, "pyjwt_missing", component, None, found, effect, remedy)]


# Daemons


def unit(component: str, service: str, found: Unit, unmanaged: int, missing: Sequence[str] = ()) -> list[Problem]:
    """The daemon's unit before the rollout. MISSING names what its file asks for and a rollout puts in place."""
    if not found.exists:
        what = f"systemd knows no unit {service}."
        if unmanaged:
            what = f"{component} runs as process {unmanaged}, and systemd knows no unit {service}."
        effect = "A rollout could not restart the daemon, nor bring it back."
        variable = SERVICE_VARIABLES[component]
        remedy = f"Name its unit in {component}_service ({variable}), or take the host out of the group."
        return [Problem(ERROR, "unit_missing", component, None, what, effect, remedy)]
    if found.active in ("active", "reloading"):
        return []
    what = f"The unit {service} is {found.active} ({found.sub}) before anything was changed."
    if component == "slurmrestd":
        effect, remedy = "Without JWT it often cannot run at all.", "A rollout configures and starts it."
        return [Problem(INFO, "daemon_down", component, None, what, effect, remedy)]
    if missing:
        are = "are" if missing[1:] else "is"
        found_missing = f"{what} Its configuration has JWT switched on, and {' and '.join(missing)} {are} missing."
        effect = f"{component} does not start like this."
        remedy = f"A rollout puts that in place and starts {component}."
        return [Problem(WARNING, "daemon_down", component, None, found_missing, effect, remedy)]
    if unmanaged:
        what += f" {component} runs as process {unmanaged}, started by somebody else."
    effect = "After a rollout nobody could tell its mistakes from those that were there before."
    remedy = f"Bring it up first: journalctl -u {service} and the daemon's log file say why it is down."
    return [Problem(ERROR, "daemon_down", component, None, what, effect, remedy)]


def replaced_program(component: str, process: Process | None) -> list[Problem]:
    """The daemon was upgraded on the disk and not restarted."""
    if process is None or not process.replaced:
        return []
    found = f"The program of {component}, process {process.pid}, is no longer the one on the disk."
    effect = "A restart starts the newer program, with whatever an upgrade does to its state."
    remedy = "Finish the upgrade first, at a time of your choosing."
    return [Problem(WARNING, "program_replaced", component, None, found, effect, remedy)]


def no_slurmrestd(elsewhere: str | None) -> list[Problem]:
    """slurmrestd is not installed yet, which alone is no reason to refuse: its role does it."""
    effect = "There is no REST API from this host yet."
    remedy = "The role slurmrestd installs it (slurmrestd_install)."
    if elsewhere:
        remedy = f"If {elsewhere} is the site's, name it in slurmrestd_binary and its folder in bin_dirs "
        remedy += "(slurm_jwt_bin_dirs)."
    found = "slurmrestd is not installed."
    return [Problem(WARNING, "slurmrestd_missing", "slurmrestd", None, found, effect, remedy)]


def slurmrestd_user(process: Process | None, user: User | None) -> list[Problem]:
    """slurmrestd with more power than it needs."""
    if process is None or (process.uid != 0 and not (user and process.uid == user.uid)):
        return []
    name = "root" if process.uid == 0 else f"SlurmUser {user.name if user else ''}"
    found = f"slurmrestd, process {process.pid}, runs as {name}."
    effect = "A mistake in its HTTP server is a mistake with that power."
    remedy = "A rollout gives it a user of its own."
    return [Problem(WARNING, "slurmrestd_user", "slurmrestd", None, found, effect, remedy)]


def slurmrestd_unit(unit: Unit, files: Sequence[str]) -> list[Problem]:
    """What the site's own files say of slurmrestd, and what a rollout cannot go along with."""
    problems = []
    given = rest_unit.variable(rest_unit.OPTIONS, unit.environment, unit.environment_files)
    told = rest_unit.options(given.value) if given else rest_unit.RestOptions([], [])
    source = given.source if given else ""
    if told.user:
        found = f"{rest_unit.OPTIONS} in {source} has {' and '.join(told.user)}."
        effect = "The unit says who runs slurmrestd, and with both slurmrestd fails: it cannot drop its groups."
        remedy = "Take it out there, and name the user in slurmrestd_user."
        problems.append(Problem(ERROR, "slurmrestd_options", "slurmrestd", source, found, effect, remedy))
    if told.addresses:
        found = f"{rest_unit.OPTIONS} in {source} has {' and '.join(told.addresses)}."
        effect = "slurmrestd would listen there beside what is declared, or not start."
        remedy = "Take it out there, and name all addresses in slurmrestd_listen."
        problems.append(Problem(ERROR, "slurmrestd_options", "slurmrestd", source, found, effect, remedy))
    for path in files:
        undone = rest_unit.overrules(path)
        if undone:
            found = f"{path} sets {', '.join(undone)}, and comes after {rest_unit.DROPIN}, which a rollout writes."
            effect = "What the rollout sets has no effect."
            remedy = "Give it a name that comes before, or take these lines out; the role's variables do the same."
            problems.append(Problem(ERROR, "slurmrestd_dropin", "slurmrestd", path, found, effect, remedy))
    return problems


def slurmrestd_user_declared(name: str, user: User | None, slurm_user: User | None) -> list[Problem]:
    """The user that the site wants for slurmrestd has more power than it needs."""
    if name != "root" and (user is None or user.uid not in (0, slurm_user.uid if slurm_user else 0)):
        return []
    found = f"slurmrestd_user is {name}, the user that holds all power over the cluster."
    effect = "Slurm refuses to run slurmrestd so, or runs it with that power."
    remedy = "Name a system user of its own, for example slurmrestd."
    return [Problem(ERROR, "slurmrestd_user", "slurmrestd", None, found, effect, remedy)]


def slurmrestd_group_missing(name: str) -> list[Problem]:
    """The group that the site wants for slurmrestd does not exist."""
    found = f"slurmrestd_group is {name}, and this host has no such group."
    effect = "systemd would not start slurmrestd (216/GROUP)."
    remedy = "Make the group, or leave slurmrestd_group empty to run it with its user's own."
    return [Problem(ERROR, "slurmrestd_group", "slurmrestd", None, found, effect, remedy)]


def slurmrestd_conf(path: str, barrier: str, place: PathInfo, name: str) -> list[Problem]:
    """The user that slurmrestd is to run as cannot read slurm.conf."""
    what = "enter" if barrier != path else "read"
    found = f"{barrier} has the mode {place.octal}, so slurmrestd's user {name} cannot {what} it."
    effect = f"slurmrestd would not find {path}, and not start. What is there keeps its owner and mode in a rollout."
    remedy = f"Let it in (setfacl -m u:{name}:{'x' if what == 'enter' else 'r'} {barrier}), "
    remedy += "or name a user or a group that may do so in slurmrestd_user or slurmrestd_group."
    return [Problem(ERROR, "slurmrestd_conf", "slurmrestd", path, found, effect, remedy)]


def slurmrestd_address(declared: Sequence[str], own: int) -> list[Problem]:
    """Somebody else listens where slurmrestd is to listen."""
    effect = "slurmrestd could not listen there, and would not start."
    try:
        others = listeners.taken(declared, own)
    except listeners.AddressError as error:
        remedy = "Correct slurmrestd_listen."
        return [Problem(ERROR, "slurmrestd_listen", "slurmrestd", None, f"{error}", effect, remedy)]
    problems = []
    for other in others:
        who = f"{other.program}, process {other.pid}," if other.pid else "A program"
        found = f"{who} of the user with the number {other.uid} listens at {other.listener}."
        remedy = "Stop it, or name another address in slurmrestd_listen."
        if other.program == "slurmrestd":
            remedy = "If that is the site's slurmrestd, name its unit in slurmrestd_service; else stop it."
        problems.append(Problem(ERROR, "slurmrestd_address", "slurmrestd", None, found, effect, remedy))
    return problems


def stale(component: str, reasons: list[str]) -> list[Problem]:
    """The daemon runs with something older than the files say."""
    effect = "What was configured is not in force."
    remedy = "A rollout reloads or restarts the daemon."
    return [Problem(INFO, "daemon_stale", component, None, reason, effect, remedy) for reason in reasons]
