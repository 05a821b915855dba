# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the site declares, frozen before any host is inspected. Private to this collection.

Declarations are variables of the inventory and extra vars. With inject_facts_as_vars, facts of a host, from its answers
or from a fact cache, become variables as well, so a fact with the name of a declaration stops the run here. This code
freezes the hosts of the cluster and a digest of each host's declarations. A run decides only if they have not changed.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import jinja2
import jinja2.meta
import jinja2.nodes

Variables = Mapping[str, Any]

NAME = "slurm_jwt_declarations"

# What the names of this collection's variables begin with.
PREFIXES = ("slurm_jwt", "slurmrestd_")

# Variables of playbooks, which have no argument specs.
OF_PLAYBOOKS = frozenset(("slurm_jwt_report",))

# What this collection's own tasks register or set. A second playbook of the same run finds it. A test compares this
# list with the tasks.
OWN_RESULTS = frozenset(
    f"slurm_jwt_{name}"
    for name in (
        *("declarations", "declarations_read", "plan", "observation", "failure", "as_before", "removing"),
        *("verifying", "folder_stat"),
        *("conf", "dbd_conf", "packages", "folder", "jwks", "jwks_observation", "jwks_removed", "jwks_timer_result"),
        *("jwks_timer_removed", "conf_copies", "dbd_conf_copies"),
        *("key_at_source", "key_at_target", "key_read", "key_removed", "local_key", "local_key_made"),
        *("openmetrics_key_at_source", "openmetrics_key_at_target", "openmetrics_key_read", "openmetrics_key_removed"),
        *("openmetrics_staged", "openmetrics_staged_here", "openmetrics_next_key", "openmetrics_failure"),
        *("openmetrics_swapping", "openmetrics_swapped", "openmetrics_swapped_back", "openmetrics_unstaged"),
        *("openmetrics_unstaged_on_primary", "openmetrics_proof", "openmetrics_proof_again"),
        *("local_key_staged", "local_key_active", "local_key_ended", "local_key_removed"),
        *("staged", "staged_here", "staged_at", "swap_at"),
        *("swapping", "swapped", "swapping_back", "swapped_back", "unstaged", "unstaged_on_primary", "in_force"),
        *("slurmdbd_standby_restart", "slurmdbd_standby_stop", "slurmdbd_standby_start", "slurmdbd_restart"),
        *("standby_restart", "slurmctld_restart"),
        *("nodes_reconfigure", "slurmctld_reconfigure", "proof", "back_unproven", "left_out"),
        *("identity_slurmctld", "identity_slurmdbd", "tokens_failure", "proxy_failure"),
        *("tokens_here", "tokens_timers", "tokens_controller", "tokens_observation", "tokens_minted", "tokens_written"),
        *("tokens_swap", "tokens_activated", "tokens_put_back", "tokens_restarted", "tokens_reloaded"),
        *("tokens_timer_result", "tokens_unstaged", "tokens_key_metrics", "tokens_removed", "tokens_timers_removed"),
        *("proxy_observation", "proxy_package", "proxy_layout", "proxy_unit", "proxy_removed", "proxy_files_removed"),
        *("proxy_conf", "proxy_loaded", "proxy_children", "proxy_children_now", "proxy_probe", "proxy_refusals"),
        *(
            "proxy_program",
            "proxy_passwords",
            "proxy_passwords_read",
            "proxy_policy_written",
            "proxy_verifier",
            "proxy_units",
            "proxy_reads",
            "proxy_read_before",
            "proxy_watched",
            "proxy_watch_units",
        ),
    )
) | frozenset(
    f"slurmrestd_{name}"
    for name in (
        *("observation", "package", "account", "dropin", "dropin_folder", "dropin_removed", "unit", "proof"),
        *("put_back", "proof_from_controller", "stopped", "dropin_folder_removed"),
        *("account_found", "account_entry", "account_used", "account_removed"),
    )
)

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class DeclarationError(Exception):
    """A declaration cannot be used. The text says which, and what to do."""


class DeclarationsChanged(DeclarationError):
    """The declarations of a host have changed since they were frozen. The text names the host."""


def is_ours(name: str) -> bool:
    return name.startswith(PREFIXES)


def declared(variables: Variables) -> dict[str, Any]:
    """The variables of this collection that a host has, not evaluated."""
    return {
        name: variables[name]
        for name in variables
        if isinstance(name, str) and is_ours(name) and name not in OWN_RESULTS
    }


def unknown(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """A sentence for each variable with our prefixes that no role knows, with the nearest known one."""
    all_known = sorted({*known, *OF_PLAYBOOKS})
    sentences = []
    for name in sorted({name for name in names if is_ours(name)} - {*all_known, *OWN_RESULTS}):
        nearest = get_close_matches(name, all_known, 1, 0.6)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        sentences.append(f"The variable {name} is unknown to this collection, so it would have no effect.{hint}")
    return sentences


def facts_against(
    host: str,
    facts: Variables,
    variables: Variables,
    reserved: Callable[[], frozenset[str]],
    injected: bool = True,
    of_all: Iterable[str] = (),
) -> list[str]:
    """A sentence for each fact of a host that would replace a declaration, or change how Ansible connects.

    ``facts`` have the names under which they become variables if they are ``injected``; ``of_all`` are the names of the
    facts of all hosts. ``reserved`` returns the names of Ansible's connection, shell and become variables; it is called
    only if there are facts.
    """
    names = {name for name in facts if isinstance(name, str)}
    if not names and not of_all:
        return []
    forbidden = sorted(name for name in names if is_ours(name) or name in reserved())
    remedy = (
        "Facts come from the host itself or from a fact cache. Nothing was changed. Inspect the host; then remove "
        "its facts from the cache (ansible-playbook --flush-cache)."
    )
    sentences = [f"{host} has a fact {_shown(name)}, a name that no host may set. {remedy}" for name in forbidden[:5]]
    shadowing = {"ansible_facts", "ansible_local"} | ({*names, *of_all} if injected else set())
    for name in declared(variables):
        used = sorted(_variables_in(variables[name], variables) & shadowing - set(forbidden))
        if used:
            sentences.append(
                f"{name} of {host} is made from {_shown(used[0])}, a fact, which the host itself reports. Nothing was "
                "changed. A host must not set what is declared for it: write the value into the inventory."
            )
    return sentences


def _shown(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "?", name)[:80]


def _variables_in(value: Any, variables: Variables) -> set[str]:
    """Every variable in the templates of a value, and in the templates of these variables."""
    names: set[str] = set()
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Mapping):
            waiting += current.values()
        elif isinstance(current, (list, tuple)):
            waiting += current
        elif isinstance(current, str) and ("{{" in current or "{%" in current):
            more = _names_in(str(current)) - names
            names |= more
            waiting += [variables[name] for name in more if name in variables and name not in _OF_ANSIBLE]
    return names


# Variables of Ansible that contain all others.
_OF_ANSIBLE = frozenset(("hostvars", "vars", "groups", "ansible_facts"))


@functools.lru_cache(maxsize=4096)
def _names_in(template: str) -> frozenset[str]:
    """The variables in a template. If one contains all others, also every member that the template names."""
    try:
        tree = jinja2.Environment(autoescape=True).parse(template)
    except jinja2.TemplateSyntaxError:
        return frozenset(_IDENTIFIER.findall(template))
    names = set(jinja2.meta.find_undeclared_variables(tree))
    constants = {str(node.value) for node in tree.find_all(jinja2.nodes.Const)}
    if names & {"hostvars", "vars"} or constants & {"vars", "ansible.builtin.vars", "ansible.legacy.vars"}:
        names |= {node.attr for node in tree.find_all(jinja2.nodes.Getattr)} | constants
    return frozenset(names)


def digest(variables: Variables) -> str:
    """The digest of the declarations of a host, not evaluated."""
    written = json.dumps(_sortable(declared(variables)), sort_keys=True, default=_written)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()


def _sortable(value: Any) -> Any:
    """The value with dictionaries as sorted pairs: names in YAML need not be text."""
    if isinstance(value, Mapping):
        pairs = [(repr(name), _sortable(each)) for name, each in value.items()]
        return ["{}", *sorted(pairs, key=lambda pair: pair[0])]
    if isinstance(value, (list, tuple)):
        return [_sortable(each) for each in value]
    return value


def _written(value: Any) -> str:
    """Text for a value that JSON does not have. Vaults are not decrypted."""
    return str(getattr(value, "_ciphertext", None) or repr(value))


def changed_hosts(frozen: Variables, raw: Callable[[str], Variables], hosts: Sequence[str]) -> list[str]:
    """The hosts whose declarations have changed."""
    digests = frozen["digests"]
    return [host for host in hosts if host in digests and digests[host] != digest(raw(host))]


def check(frozen: Variables | None, raw: Callable[[str], Variables], hosts: Sequence[str]) -> None:
    """Raise DeclarationsChanged if any have changed."""
    changed = changed_hosts(frozen, raw, hosts) if frozen else []
    if changed:
        raise DeclarationsChanged(
            f"The variables of this collection changed for {', '.join(changed[:5])} during the run. Only inventory and "
            "extra vars may set them. Inspect that host, and run this again."
        )
