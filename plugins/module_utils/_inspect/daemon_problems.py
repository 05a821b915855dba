# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems that only hosts of slurmctld, slurmdbd or slurmrestd can have. Private to this collection.

Separate from problems.py: nodes do not load this file, and a site has many of them.
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
    """A host of slurmdbd has no slurmdbd.conf."""
    effect = "slurmdbd does not run without it."
    remedy = "Name the file in dbd_conf_path (slurm_jwt_dbd_conf_path), or remove the host from the group."
    return [Problem(ERROR, "dbd_conf_missing", "slurmdbd", path, f"{path} does not exist.", effect, remedy)]


def dbd_conf_attributes(
    path: str, info: PathInfo, user: User | None, release: Release | None, included: bool
) -> list[Problem]:
    """slurmdbd does not start if slurmdbd.conf has the wrong owner or mode."""
    problems = []
    allowed = [0o600]
    owners = [user.uid] if user else []
    if release is not None and has(release, "slurmdbd_conf_group_readable"):
        owners.append(0)
        if not included:
            allowed.append(0o640)
    effect = "slurmdbd does not start with it, so it would stay down after a restart."
    if info.mode not in allowed:
        required = " or ".join(f"{mode:04o}" for mode in allowed)
        found = f"{path} has the mode {info.octal}; slurmdbd requires {required}."
        problems.append(Problem(ERROR, "dbd_conf_mode", "slurmdbd", path, found, effect, f"chmod 0600 {path}"))
    if user and not included and info.uid not in owners:
        found = f"{path} belongs to uid {info.uid}, not to SlurmUser {user.name} ({user.uid})."
        problems.append(Problem(ERROR, "dbd_conf_owner", "slurmdbd", path, found, effect, f"chown {user.name} {path}"))
    return problems


def no_slurm_user(component: str, name: str) -> list[Problem]:
    """SlurmUser does not exist here."""
    effect = f"{component} does not start, and the key can have no owner."
    remedy = "Create the user with the same uid as on the cluster's other hosts, or correct SlurmUser."
    missing = f"SlurmUser {name} does not exist here."
    return [Problem(ERROR, "slurm_user_missing", component, None, missing, effect, remedy)]


# The key and its folder


def state_dir(path: str, info: PathInfo, user: User | None) -> list[Problem]:
    """The default folder of the key."""
    if info.kind == "missing":
        effect = "slurmctld creates it when it starts. Until then there is no folder for the key."
        found, remedy = f"StateSaveLocation {path} does not exist.", "A rollout creates it."
        return [Problem(INFO, "state_dir_missing", "slurmctld", path, found, effect, remedy)]
    if info.kind != "directory":
        found = f"StateSaveLocation {path} is not a folder."
        effect, remedy = "slurmctld does not start.", "Create a folder there, or correct StateSaveLocation."
        return [Problem(ERROR, "state_dir_no_folder", "slurmctld", path, found, effect, remedy)]
    others = writable_by_others(info, user)
    if not others and (user is None or info.uid in (0, user.uid)):
        return []
    whose = "others can write" if others else f"belongs to uid {info.uid}"
    found = f"StateSaveLocation {path}, mode {info.octal}, {whose}."
    effect = "They can change the state of jobs. The folder is left as it is, and no key is written there."
    remedy = "Give slurmctld a folder of its own (StateSaveLocation), and the key another path (slurm_jwt_key_path)."
    return [Problem(WARNING, "state_dir_open", "slurmctld", path, found, effect, remedy)]


def writable_by_others(info: PathInfo, user: User | None) -> bool:
    """Whether users other than root and SlurmUser may write to a folder."""
    users, groups = ((0, user.uid), (0, user.gid)) if user else ((0,), (0,))
    if info.mode & 0o002 or (info.acl.group_permissions(info.mode) & WRITE and info.gid not in groups):
        return True
    writers = (grant for grant in info.acl.grants if grant.permissions & WRITE)
    return any(grant.number not in (users if grant.is_user else groups) for grant in writers)


def key_not_a_file(component: str, path: str, info: PathInfo, variable: str) -> list[Problem]:
    """Something else is where the key should be."""
    what = "a folder" if info.kind == "directory" else "neither a file nor a folder"
    effect, remedy = "No key can be written there.", f"Remove it, or choose another path ({variable})."
    if info.is_link:
        what, effect = "a symbolic link", "Anyone who may change the link chooses the cluster's key."
        remedy = f"Put the key itself there, or name the file that the link leads to ({variable})."
    return [Problem(ERROR, "key_not_a_file", component, path, f"{path} is {what}.", effect, remedy)]


def key_location(component: str, path: str, message: str, variable: str) -> list[Problem]:
    """Others can change a folder on the way to the key, or the key cannot be read."""
    effect = "Nothing is read from or written to such a folder."
    remedy = (
        f"Set {variable} to another path, in a folder of SlurmUser or root that nobody else can write to, such as "
        "/etc/slurm. The owner and mode of an existing folder are never changed."
    )
    return [Problem(ERROR, "key_place", component, path, message, effect, remedy)]


def key_missing(component: str, path: str) -> list[Problem]:
    """JWT is on, but there is no key."""
    effect = "The daemon does not start again; tokens are accepted by the running process only."
    remedy = "A rollout makes a new key. Tokens that were signed with the lost one are refused from then on."
    found = f"auth/jwt is in AuthAltTypes, but {path} does not exist."
    return [Problem(WARNING, "key_missing", component, path, found, effect, remedy)]


def key_attributes(component: str, path: str, info: PathInfo, user: User | None, release: Release) -> list[Problem]:
    """Who may read the key, and whether the daemon may."""
    problems = []
    if info.acl.grants:
        found = f"{path} has an access control list that gives access to the {info.acl.words()}."
        effect = "Anyone who has read the key is root on the cluster."
        remedy = "A rollout removes the list. Assume that the key is known, and rotate it."
        problems.append(Problem(WARNING, "key_shared", component, path, found, effect, remedy))
    if info.mode & 0o007:
        fatal = "Slurm of this release does not start with it. " if has(release, "insecure_key_fatal") else ""
        found = f"{path} has the mode {info.octal}, so others than its owner and group have access."
        effect = fatal + "Anyone who has read the key is root on the cluster."
        remedy = f"Assume that it is known: chmod 0400 {path}, then rotate the key."
        problems.append(Problem(ERROR, "key_readable", component, path, found, effect, remedy))
    if user and info.uid not in (0, user.uid):
        found = f"{path} belongs to uid {info.uid}, neither root nor {user.name}."
        effect = "That user can sign tokens for any user."
        remedy = "A rollout gives it to SlurmUser. Rotate the key if that user should not have had it."
        problems.append(Problem(WARNING, "key_owner", component, path, found, effect, remedy))
    elif user and not _may_read(info, user):
        found = f"{path} has the mode {info.octal} and belongs to uid {info.uid}."
        effect = f"{user.name} may not read it, and the daemons load it as {user.name} at some starts and reloads."
        problems.append(Problem(INFO, "key_owner", component, path, found, effect, "A rollout gives it to SlurmUser."))
    return problems


def _may_read(info: PathInfo, user: User) -> bool:
    # slurmctld drops its supplementary groups when it becomes SlurmUser.
    return allows(info, Reader(user.uid, frozenset([user.gid])), READ)


def key_weak(component: str, path: str, weakness: str, in_force: bool) -> list[Problem]:
    """The key is weak. If Slurm accepts it, it stays in force until somebody replaces it."""
    found, effect = f"{path} {weakness}.", "Anyone who guesses or knows the key is root on the cluster."
    if in_force:
        effect += " It is in force, and stays so until it is rotated."
        remedy = "Replace it: ansible-playbook hpc.slurm_jwt.rotate --extra-vars slurm_jwt_rotate_now=true"
        return [Problem(WARNING, "key_weak", component, path, found, effect, remedy)]
    effect += " No daemon uses it yet, and a rollout would bring it into force."
    remedy = "Move the file away, and the rollout makes a new key."
    return [Problem(ERROR, "key_weak", component, path, found, effect, remedy)]


def jwks(
    component: str, path: str, info: PathInfo, user: User | None, release: Release, written: bool
) -> list[Problem]:
    """The file that jwks= names. WRITTEN: the site declares its sources, so a rollout writes it."""
    severity, remedy = ERROR, "Create it, readable for SlurmUser, or declare slurm_jwt_jwks_sources."
    if written:
        severity, remedy = WARNING, "A rollout fixes it."
    if info.kind != "file":
        found = f"jwks= names {path}, which does not exist."
        effect = f"{component} does not start again; tokens are accepted by the running process only."
        return [Problem(severity, "jwks_missing", component, path, found, effect, remedy)]
    problems = []
    if info.mode & 0o002:
        fatal = "Slurm of this release does not start with it. " if has(release, "insecure_key_fatal") else ""
        found = f"{path} has the mode {info.octal}, so every user of the host can write it."
        effect = fatal + "Anyone who adds a key of their own there is root on the cluster."
        problems.append(Problem(severity, "jwks_writable", component, path, found, effect, remedy))
    elif user and not _may_read(info, user):
        found = f"{path} has the mode {info.octal} and belongs to uid {info.uid}."
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
    found = f"{name} is not in {folder}." if folder else f"{name} was not found, nor a folder of Slurm's plugins."
    effect = f"{component} does not start with JWT enabled."
    if packages:
        remedy = f"The package {' and '.join(packages)} contains it; the role installs it."
        return [Problem(WARNING, "plugin_missing", component, None, found, effect, remedy)]
    feature = "jwt" if name == "auth_jwt.so" else "slurmrestd"
    if rpm:
        remedy = f"Install a Slurm that was built with it: rpmbuild --with {feature}."
    else:
        remedy = "Build Slurm with libjwt's headers installed (configure --with-jwt)"
        remedy += "." if feature == "jwt" else " and --enable-slurmrestd."
    if not folder:
        remedy += " If it is installed already, name the folder in plugin_dir (slurm_jwt_plugin_dir)."
    return [Problem(ERROR, "plugin_missing", component, folder, found, effect, remedy)]


def plugin_lost(component: str, name: str, folder: str | None, package: str, command: str) -> list[Problem]:
    """A plugin is missing although its package is installed: somebody removed it."""
    found = f"{name} is not in {folder}, although the package {package}, which contains it, is installed."
    effect = f"{component} does not start with JWT enabled."
    remedy = f"Reinstall the package: {command}"
    return [Problem(ERROR, "plugin_lost", component, folder, found, effect, remedy)]


def libjwt_missing(component: str, plugin: str, libjwt: Libjwt | None) -> list[Problem]:
    """auth_jwt.so is installed, but its library is not."""
    if libjwt is None or libjwt.path:
        return []
    found = f"{plugin} needs {libjwt.name}, which was not found."
    effect = f"{component} does not start with JWT enabled."
    remedy = f"Install the package that contains {libjwt.name}."
    return [Problem(WARNING, "libjwt_missing", component, plugin, found, effect, remedy)]


def pyjwt_missing(component: str, executable: str) -> list[Problem]:
    """Only scontrol can sign tokens on this host."""
    found = f"{executable} has no PyJWT."
    effect = "Tokens cannot be signed on this host, and the cluster cannot be proven from it."
    remedy = "The role installs python3-jwt where tokens are signed, on the primary controller."
    return [Problem(INFO, "pyjwt_missing", component, None, found, effect, remedy)]


# Daemons


def unit(component: str, service: str, found: Unit, unmanaged: int, missing: Sequence[str] = ()) -> list[Problem]:
    """The daemon's unit before the rollout. MISSING: what its configuration needs and a rollout provides."""
    if not found.exists:
        what = f"systemd knows no unit {service}."
        if unmanaged:
            what = f"{component} runs as process {unmanaged}, and systemd knows no unit {service}."
        effect = "A rollout could not restart the daemon, and not restore it."
        variable = SERVICE_VARIABLES[component]
        remedy = f"Name its unit in {component}_service ({variable}), or remove the host from the group."
        return [Problem(ERROR, "unit_missing", component, None, what, effect, remedy)]
    if found.active in ("active", "reloading"):
        return []
    what = f"The unit {service} is {found.active} ({found.sub}) before anything was changed."
    if component == "slurmrestd":
        effect, remedy = "Without JWT it often cannot run at all.", "A rollout configures and starts it."
        return [Problem(INFO, "daemon_down", component, None, what, effect, remedy)]
    if missing:
        are = "are" if missing[1:] else "is"
        found_missing = f"{what} Its configuration has JWT enabled, and {' and '.join(missing)} {are} missing."
        effect = f"{component} does not start like this."
        remedy = f"A rollout provides what is missing and starts {component}."
        return [Problem(WARNING, "daemon_down", component, None, found_missing, effect, remedy)]
    if component == "slurmdbd" and found.ended_as_standby:
        found_ended = f"{what} SIGUSR1 ended it, as it ends a standby of Slurm 26.05 when the primary comes back."
        effect = "No slurmdbd takes over if the primary stops."
        remedy = "A rollout starts it. So does systemd with Restart=on-failure in a drop-in of the unit."
        return [Problem(WARNING, "daemon_down", component, None, found_ended, effect, remedy)]
    if unmanaged:
        what += f" {component} runs as process {unmanaged}, not started by systemd."
    effect = "After a rollout, new faults could not be told from old ones."
    remedy = f"Start it first: journalctl -u {service} and the daemon's log file show why it is down."
    return [Problem(ERROR, "daemon_down", component, None, what, effect, remedy)]


def replaced_program(component: str, process: Process | None) -> list[Problem]:
    """The daemon was upgraded on disk but not restarted."""
    if process is None or not process.replaced:
        return []
    found = f"The program of {component}, process {process.pid}, is no longer the one on the disk."
    effect = "A restart starts the newer program, with whatever an upgrade does to its state."
    remedy = "Finish the upgrade first, at a time of your choosing."
    return [Problem(WARNING, "program_replaced", component, None, found, effect, remedy)]


def no_slurmrestd(elsewhere: str | None) -> list[Problem]:
    """slurmrestd is not installed yet. This is only a warning: a rollout installs it."""
    effect = "There is no REST API from this host yet."
    remedy = "The role slurmrestd installs it (slurmrestd_install)."
    if elsewhere:
        remedy = f"If {elsewhere} is the site's, name it in slurmrestd_binary and its folder in bin_dirs "
        remedy += "(slurm_jwt_bin_dirs)."
    found = "slurmrestd is not installed."
    return [Problem(WARNING, "slurmrestd_missing", "slurmrestd", None, found, effect, remedy)]


def slurmrestd_user(process: Process | None, user: User | None) -> list[Problem]:
    """slurmrestd runs as root or SlurmUser."""
    if process is None or (process.uid != 0 and not (user and process.uid == user.uid)):
        return []
    name = "root" if process.uid == 0 else f"SlurmUser {user.name if user else ''}"
    found = f"slurmrestd, process {process.pid}, runs as {name}."
    effect = "A fault in its HTTP server has the power of that user."
    remedy = "A rollout gives it a user of its own."
    return [Problem(WARNING, "slurmrestd_user", "slurmrestd", None, found, effect, remedy)]


def slurmrestd_unit(unit: Unit, files: Sequence[str]) -> list[Problem]:
    """Settings in the site's own files for slurmrestd that a rollout cannot work with."""
    problems = []
    given = rest_unit.variable(rest_unit.OPTIONS, unit.environment, unit.environment_files)
    options = rest_unit.options(given.value) if given else rest_unit.RestOptions([], [])
    source = given.source if given else ""
    if options.user:
        found = f"{rest_unit.OPTIONS} in {source} has {' and '.join(options.user)}."
        effect = "The unit sets the user already, and with both slurmrestd fails: it cannot drop its groups."
        remedy = "Remove it there, and set slurmrestd_user."
        problems.append(Problem(ERROR, "slurmrestd_options", "slurmrestd", source, found, effect, remedy))
    if options.addresses:
        found = f"{rest_unit.OPTIONS} in {source} has {' and '.join(options.addresses)}."
        effect = "slurmrestd would listen there besides the declared addresses, or not start."
        remedy = "Remove it there, and list all addresses in slurmrestd_listen."
        problems.append(Problem(ERROR, "slurmrestd_options", "slurmrestd", source, found, effect, remedy))
    for path in files:
        undone = rest_unit.overrules(path)
        if undone:
            found = f"{path} sets {', '.join(undone)}, and comes after {rest_unit.DROPIN}, which a rollout writes."
            effect = "What the rollout sets has no effect."
            remedy = "Rename it so that it comes first, or remove these lines; the role has variables for the same."
            problems.append(Problem(ERROR, "slurmrestd_dropin", "slurmrestd", path, found, effect, remedy))
    return problems


def slurmrestd_user_declared(name: str, user: User | None, slurm_user: User | None) -> list[Problem]:
    """The declared user of slurmrestd is root or SlurmUser."""
    if name != "root" and (user is None or user.uid not in (0, slurm_user.uid if slurm_user else 0)):
        return []
    found = f"slurmrestd_user is {name}, the user with all power over the cluster."
    effect = "Slurm refuses to run slurmrestd as that user, or runs it with that power."
    remedy = "Name a system user of its own, for example slurmrestd."
    return [Problem(ERROR, "slurmrestd_user", "slurmrestd", None, found, effect, remedy)]


def slurmrestd_group_missing(name: str) -> list[Problem]:
    """The declared group of slurmrestd does not exist."""
    found = f"slurmrestd_group is {name}, and this host has no such group."
    effect = "systemd would not start slurmrestd (216/GROUP)."
    remedy = "Create the group, or leave slurmrestd_group empty to run it with the primary group of its user."
    return [Problem(ERROR, "slurmrestd_group", "slurmrestd", None, found, effect, remedy)]


def slurmrestd_conf(path: str, denied: str, info: PathInfo, name: str) -> list[Problem]:
    """The declared user of slurmrestd cannot read slurm.conf."""
    what = "enter" if denied != path else "read"
    found = f"{denied} has the mode {info.octal}, so slurmrestd's user {name} cannot {what} it."
    effect = f"slurmrestd could not read {path}, and not start. A rollout changes no owner or mode of what exists."
    remedy = f"Give it access (setfacl -m u:{name}:{'x' if what == 'enter' else 'r'} {denied}), "
    remedy += "or set slurmrestd_user or slurmrestd_group to a user or a group that has it."
    return [Problem(ERROR, "slurmrestd_conf", "slurmrestd", path, found, effect, remedy)]


def slurmrestd_address(declared: Sequence[str], own: int) -> list[Problem]:
    """Another program listens at a declared address of slurmrestd."""
    effect = "slurmrestd could not listen there, and would not start."
    try:
        others = listeners.others(declared, own)
    except listeners.AddressError as error:
        remedy = "Correct slurmrestd_listen."
        return [Problem(ERROR, "slurmrestd_listen", "slurmrestd", None, f"{error}", effect, remedy)]
    problems = []
    for other in others:
        who = f"{other.program}, process {other.pid}," if other.pid else "A program"
        found = f"{who} of uid {other.uid} listens at {other.listener}."
        remedy = "Stop it, or name another address in slurmrestd_listen."
        if other.program == "slurmrestd":
            remedy = "If that is the site's slurmrestd, name its unit in slurmrestd_service; else stop it."
        problems.append(Problem(ERROR, "slurmrestd_address", "slurmrestd", None, found, effect, remedy))
    return problems


def stale(component: str, reasons: list[str]) -> list[Problem]:
    """The daemon runs with older settings than those in its files."""
    effect = "What was configured is not in force."
    remedy = "A rollout reloads or restarts the daemon."
    return [Problem(INFO, "daemon_stale", component, None, reason, effect, remedy) for reason in reasons]
