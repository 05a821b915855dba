# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import secrets
from collections import ChainMap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import become_loader, connection_loader, shell_loader
from ansible.utils.display import Display

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._checked_action import KEEPS_FILES, failure
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import declared_conf, unreachable_hosts
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import (
    declarations,
    host_variables,
    hostlist,
    inventory_hosts,
    role_options,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import hosts_by_component
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import declared_services, service_checks
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import mark_unsafe

display = Display()

ROLES = Path(__file__).resolve().parents[2] / "roles"

INJECTED = (
    "inject_facts_as_vars is on, so facts of a host become variables like those of the inventory. This "
    "collection does not need it. Switch it off in ansible.cfg, in the section [defaults]: inject_facts_as_vars = false"
)

FREE = (
    "The strategy of this play is {0}, in which no host waits for another. The hosts of a cluster change one after "
    "the other. Write strategy: linear beside hosts: of the play; the playbooks of this collection have it."
)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Checks and freezes what the site declares, before any host is inspected. It connects to no host."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        super().run(tmp, variables)
        hostvars, groups = variables["hostvars"], variables["groups"]
        reasons: list[str] = [KEEPS_FILES] if C.DEFAULT_KEEP_REMOTE_FILES else []
        strategy = str(self._task.get_play().strategy)
        if strategy.endswith(("free", "host_pinned")):
            reasons.append(FREE.format(strategy))
        injected = bool(C.config.get_config_value("INJECT_FACTS_AS_VARS"))
        hosts = [host for host in dict.fromkeys([*groups.get("all", ()), "localhost"]) if host in hostvars]
        written = {host: host_variables.raw(hostvars, host) for host in hosts}
        written = {host: each for host, each in written.items() if isinstance(each, Mapping)}
        facts = {host: _facts_of(host, hostvars, variables_of_host) for host, variables_of_host in written.items()}
        of_all = {name for of_one in facts.values() for name in of_one if isinstance(name, str)}
        reserved = functools.lru_cache(maxsize=None)(lambda: _reserved(written.values()))
        names: set[str] = set()
        digests = {}
        for host, variables_of_host in written.items():
            names |= {name for name in variables_of_host if isinstance(name, str)}
            reasons += declarations.facts_against(host, facts[host], variables_of_host, reserved, injected, of_all)
            digests[host] = declarations.digest(variables_of_host)
        known, internal = _variables_of_roles()
        reasons += declarations.unknown(names, known)
        # The play's variables, which no host has, including those of the role itself.
        reasons += declarations.unknown({name for name in variables if isinstance(name, str)} - internal, known)
        if not reasons:
            # Only now, because this evaluates variables.
            reasons += _wrong_options(hostvars, groups, written, digests)
        if reasons:
            said = ["Nothing was changed. The declarations are invalid:", *dict.fromkeys(reasons)]
            return failure(mark_unsafe(said))
        if injected:
            display.warning(INJECTED)
        everywhere = host_variables.any_variables(groups, hostvars)
        # Ignores what an earlier playbook of this process froze.
        components = hosts_by_component(groups, _unfrozen(everywhere))
        frozen = {"run": secrets.token_hex(8), "components": components, "digests": digests}
        return {"changed": False, "frozen": mark_unsafe(frozen)}


def _facts_of(host: str, hostvars: Any, variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts of a host by their original names; ansible_facts has them without prefix."""
    cache = getattr(getattr(hostvars, "_variable_manager", None), "_fact_cache", None)
    try:
        return dict(cache.get(host) or {}) if cache is not None else _with_prefixes(variables)
    except (AttributeError, KeyError, TypeError):
        return _with_prefixes(variables)


def _with_prefixes(variables: Mapping[str, Any]) -> dict[str, Any]:
    facts = variables.get("ansible_facts") or {}
    return {**facts, **{f"ansible_{name}": value for name, value in facts.items()}}


def _unfrozen(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Hides what an earlier playbook froze. A copy would evaluate every variable, even those made from facts."""
    return ChainMap({declarations.NAME: None}, variables)  # type: ignore[arg-type]


def _wrong_options(
    hostvars: Any, groups: Any, written: Mapping[str, Mapping[str, Any]], digests: Mapping[str, str]
) -> list[str]:
    """A sentence for each option that a role would refuse after the first change, or that is wrong for a node."""
    everywhere = host_variables.any_variables(groups, hostvars)
    components = hosts_by_component(groups, _unfrozen(everywhere))
    services = declared_services.group_of(everywhere)
    try:
        nodes = [host for host in reversed(components["node"]) if host in digests]
        users = {
            # One node for all nodes with the same declarations.
            "slurm_jwt": list({digests[host]: host for host in nodes}.values()),
            "slurmrestd": components["slurmrestd"],
            "slurm_jwt_tokens": declared_services.service_hosts(groups, hostvars),
            "slurm_jwt_proxy": inventory_hosts.proxy_hosts(groups, hostvars),
        }
    except declared_services.ServicesError as error:
        return [str(error)]
    except (AttributeError, KeyError, TypeError):
        # The services are not a list of dictionaries. The check of the role's options reports that.
        users = {"slurm_jwt_tokens": list(written)}
    of_hosts: list[tuple[str, str]] = []
    of_services: list[str] = []
    of_all: list[str] = []
    if everywhere.get(unreachable_hosts.VARIABLE) is not None:
        try:
            unreachable_hosts.allowed(str(everywhere[unreachable_hosts.VARIABLE]), 0)
        except unreachable_hosts.AllowanceError as error:
            of_all.append(str(error))
    for role, hosts in users.items():
        for host in (host for host in hosts if host in written):
            variables = hostvars[host]
            sentences = role_options.wrong(_options_of_role(role), written[host], variables.__getitem__)
            if not sentences and role == "slurm_jwt_tokens":
                declared = variables.get(declared_services.DECLARED) or ()
                limit = variables.get("slurm_jwt_max_token_lifespan")
                readers = declared_conf.openmetrics_users(variables.get("slurm_jwt_openmetrics_users")) or ()
                of_services += service_checks.wrong(host, declared, groups, services, limit, readers)
            of_hosts += [(host, sentence) for sentence in sentences]
    return [*of_all, *hostlist.grouped(of_hosts), *of_services]


@functools.lru_cache(maxsize=None)
def _options_of_role(role: str) -> dict[str, Any]:
    """Every documented variable of a role, of all its entry points."""
    specs = _read(ROLES / role / "meta/argument_specs.yml").get("argument_specs", {})
    # main comes last: all entry points share its options.
    ordered = [spec for name, spec in specs.items() if name != "main"] + [specs.get("main", {})]
    return {name: option for spec in ordered for name, option in (spec.get("options") or {}).items()}


@functools.lru_cache(maxsize=None)
def _variables_of_roles() -> tuple[frozenset[str], frozenset[str]]:
    """Every variable that roles document, and their private ones."""
    known: set[str] = set()
    internal: set[str] = set()
    for role in sorted(ROLES.iterdir()):
        for spec in _read(role / "meta/argument_specs.yml").get("argument_specs", {}).values():
            known |= set(spec.get("options") or ())
        internal |= set(_read(role / "vars/main.yml"))
    return frozenset(known), frozenset(internal)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8") as stream:
        return yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}


def _reserved(variables: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Every variable that configures Ansible's connection, shell and become plugins, including those that hosts use."""
    names = {*C.COMMON_CONNECTION_VARS, *(name for mapped in C.MAGIC_VARIABLE_MAPPING.values() for name in mapped)}
    used = {"connection": "ansible_connection", "shell": "ansible_shell_type", "become": "ansible_become_method"}
    loaders = {"connection": connection_loader, "shell": shell_loader, "become": become_loader}
    of_hosts = {kind: {str(found[name]) for found in variables if name in found} for kind, name in used.items()}
    for kind, loader in loaders.items():
        plugins = [*loader.all(class_only=True), *(loader.get(name, class_only=True) for name in of_hosts[kind])]
        for plugin in filter(None, plugins):
            options = C.config.get_configuration_definitions(kind, getattr(plugin, "_load_name", "")) or {}
            for option in options.values():
                names |= {entry["name"] for entry in option.get("vars") or ()}
    # For modules and their interpreters, and what Ansible reads under any name.
    names |= {"ansible_python_interpreter", "ansible_shell_type", "ansible_connection", "ansible_module_compression"}
    return frozenset(names)
