# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects slurm.conf and slurmdbd.conf, and what a rollout would change in them. Private to this collection."""

from __future__ import annotations

import os
from typing import Any, Callable

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import auth_alt, openmetrics
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf, ConfError, read_file
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import facts, problems
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.facts import ConfFile
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import Host
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.problems import Problem
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths


def slurm_conf(host: Host) -> dict[str, Any] | None:
    """The result "conf"; sets host.slurm."""
    components = [component for component in host.components if component != "slurmdbd"]
    path = host.options.conf_path
    if not os.path.exists(path):
        # A slurmdbd host needs no slurm.conf, but may have one for sacctmgr.
        if not components:
            return None
        if "node" in components and os.path.exists(install_paths.CONFIGLESS_CONF):
            path, host.configless = install_paths.CONFIGLESS_CONF, True
    component = (components or host.components)[0]
    place = paths.inspect(path)
    if place.kind == "missing":
        host.problems += problems.conf_missing(component, path)
        return {"path": path, "exists": False, "configless": False}
    host.slurm = load(host, component, path, "slurm")
    if host.slurm is None:
        return {"path": path, "exists": True, "configless": host.configless}
    host.problems += problems.slurm_conf_mode(component, path, place)
    return {**facts.slurm_conf(host.slurm), "configless": host.configless}


def load(host: Host, component: str, path: str, kind: str) -> ConfFile | None:
    """The file, or None and a problem if it cannot be read."""
    try:
        return facts.load(path, kind)
    except (ConfError, OSError) as error:
        host.problems += problems.conf_broken(component, path, str(error))
        return None


def key_path(host: Host) -> str | None:
    """Where this host's key is, or will be."""
    if host.options.key_path:
        return host.options.key_path
    # slurm.conf comes first on a controller, slurmdbd.conf on other hosts.
    files = [host.slurm, host.slurmdbd] if "slurmctld" in host.components else [host.slurmdbd, host.slurm]
    for file in files:
        if file and file.jwt.parameters.get("jwt_key"):
            return file.jwt.parameters["jwt_key"]
    return facts.default_key(host.slurm.conf) if host.slurm else None


def problems_of(host: Host, file: ConfFile) -> list[Problem]:
    """What is wrong in one file."""
    component, conf = host.component_of(file), file.conf
    found = problems.conf_lines(component, conf) + problems.auth_type(component, conf)
    if host.release is None:
        return found
    found += problems.alt_types(component, conf, host.release)
    found += problems.alt_parameters(component, conf, file.jwt.parameters, host.release)
    return found + problems.http_auth(component, conf, host.release, component == "node" and _lost_plugin(host, conf))


def _lost_plugin(host: Host, conf: Conf) -> bool:
    """Whether the folder of Slurm's plugins is known and has no auth_jwt.so."""
    folder = install_paths.plugin_dir(host.options.plugin_dir or conf.value("PluginDir"), host.program)
    return folder is not None and facts.existing(folder, "auth_jwt.so") is None


def differences(
    host: Host,
    key: str | None,
    jwks: str | None,
    check: Callable[[Host, ConfFile], list[Problem]] = problems_of,
) -> dict[str, Any]:
    """The results "differences" and "desired": what would change in each file, and the parameters to declare.

    Adds the problems of each file to HOST. Those that the change fixes get severity info.
    """
    changes: dict[str, Any] = {"slurm_conf": [], "slurmdbd_conf": []}
    desired: dict[str, Any] = {"slurm_conf": None, "slurmdbd_conf": None}
    for file in (host.slurm, host.slurmdbd):
        if file is None:
            continue
        before = after = check(host, file)
        if host.options.declared is not None:
            declared = auth_alt.declare(host.options.declared, key, jwks)
            if file.kind == "slurmdbd":
                declared = auth_alt.for_slurmdbd(declared)
            name = f"{file.kind}_conf"
            # The module slurm_conf takes true for a flag.
            parameters = {option: True if value is None else value for option, value in declared.parameters.items()}
            desired[name] = {"parameters": parameters, "parameters_absent": declared.parameters_absent}
            edited, metrics = file.conf, None
            if file.kind == "slurm":
                metrics = openmetrics_edit(host, file.conf)
            if metrics is not None:
                desired[name]["openmetrics"] = metrics._asdict()
            try:
                edited, changes[name] = _apply(host, file, declared)
                if metrics is not None and not host.configless:
                    edited, more = openmetrics.apply(edited, metrics)
                    changes[name] += more
            except ConfError as error:
                # Another problem may already report this error, with its line.
                if not any(problem.severity == problems.ERROR for problem in before):
                    host.problems += problems.conf_broken(host.component_of(file), file.conf.paths[0], str(error))
            after = check(host, file._replace(conf=edited)) if changes[name] else before
        host.problems += problems.with_fixed_noted(before, after)
    return {"differences": changes, "desired": desired}


def declared_openmetrics(host: Host, conf: Conf) -> openmetrics.DeclaredOpenMetrics | None:
    """What the site declares about metrics; None if nothing."""
    declared = (host.options.declared or {}).get("openmetrics")
    return openmetrics.declare(declared, facts.state_save_location(conf))


def openmetrics_edit(host: Host, conf: Conf) -> openmetrics.OpenMetricsEdit | None:
    """What a rollout changes about metrics; None if nothing is declared."""
    declared = declared_openmetrics(host, conf)
    if declared is None:
        return None
    return openmetrics.edit(conf, declared, None if declared.users else _first_copy(conf))


def _first_copy(conf: Conf) -> Conf | None:
    """The file before this collection first edited it, if there is a copy."""
    # Imported here: only needed if metrics are switched off.
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import writer

    try:
        copies = {path: writer.backups_of(os.path.realpath(path))[:1] for path in conf.paths}
        files = {path: read_file(copy) for path, found in copies.items() for copy in found}
        return conf.with_files(files) if files else None
    except (ConfError, OSError):
        return None


def _apply(
    host: Host, file: ConfFile, declared: auth_alt.DeclaredAuthAlt
) -> tuple[Conf, list[dict[str, str | None]]]:
    component = host.component_of(file)
    if host.release is not None:
        needed = auth_alt.needed(declared)
        if component not in ("slurmctld", "slurmdbd"):
            # Nodes and slurmrestd load no key, but must know the names of the parameters.
            needed = [name for name in needed if name == "auth_jwt"]
        metrics = declared_openmetrics(host, file.conf) if file.kind == "slurm" else None
        if metrics is not None and metrics.users:
            needed = [*needed, "http_auth"]
        host.problems += problems.release_too_old(component, host.release, needed)
    if host.configless and file.kind == "slurm":
        return file.conf, []
    return auth_alt.apply(file.conf, declared)
