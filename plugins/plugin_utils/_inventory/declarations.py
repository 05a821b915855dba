# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the site declares, frozen before any host is asked. Private to this collection.

Declarations are variables of the inventory and extra vars. A host's facts, from its answers or from a fact cache,
become variables of the same kind where inject_facts_as_vars is on, so facts that bear a declaration's name stop the run
here. What is frozen is the cluster's hosts, and a digest of each host's declarations: a decision is only made while
these are what they were.
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

# Of playbooks, which have no argument specs.
OF_PLAYBOOKS = frozenset(("slurm_jwt_report",))

# What this collection's own tasks register or set, which a second playbook of the same run meets. A test holds this
# list and the tasks together.
OWN_RESULTS = frozenset(
    f"slurm_jwt_{name}"
    for name in (
        *("declarations", "declarations_read", "plan", "observation", "failure", "as_before", "removing"),
        *("verifying", "folder_stat"),
        *("conf", "dbd_conf", "packages", "folder", "jwks", "jwks_observation", "jwks_removed", "jwks_timer_result"),
        *("jwks_timer_removed", "conf_copies", "dbd_conf_copies"),
        *("key_at_source", "key_at_target", "key_read", "key_removed", "local_key", "local_key_made"),
        *("local_key_staged", "local_key_active", "local_key_ended", "local_key_removed"),
        *("staged", "staged_here", "next_key", "swap_at"),
        *("swapping", "swapped", "swapping_back", "swapped_back", "unstaged", "unstaged_on_primary", "in_force"),
        *("slurmdbd_standby_restart", "slurmdbd_restart", "standby_restart", "slurmctld_restart", "clusters"),
        *("nodes_reconfigure", "slurmctld_reconfigure", "proof", "proof_again", "back_unproven", "left_out"),
        *("identity_slurmctld", "identity_slurmdbd", "tokens_failure", "proxy_failure"),
        *("tokens_here", "tokens_timers", "tokens_controller", "tokens_observation", "tokens_minted", "tokens_written"),
        *("tokens_swap", "tokens_activated", "tokens_put_back", "tokens_restarted", "tokens_reloaded"),
        *("tokens_timer_result", "tokens_unstaged", "tokens_key_metrics", "tokens_removed", "tokens_timers_removed"),
        *("proxy_observation", "proxy_package", "proxy_files", "proxy_unit", "proxy_removed", "proxy_files_removed"),
        *("proxy_listens", "proxy_conf", "proxy_loaded", "proxy_children", "proxy_children_now", "proxy_probe"),
        *(
            "proxy_program",
            "proxy_passwords",
            "proxy_passwords_read",
            "proxy_policy_written",
            "proxy_verifier",
            "proxy_units",
            "proxy_backend",
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
    """What is declared cannot be used. The text says what, and what to do."""


class DeclarationsChanged(DeclarationError):
    """A host's declarations are others than those that were frozen. The text names the host."""


def is_ours(name: str) -> bool:
    return name.startswith(PREFIXES)


def declared(variables: Variables) -> dict[str, Any]:
    """The variables of this collection among a host's, as they are written."""
    return {
        name: variables[name]
        for name in variables
        if isinstance(name, str) and is_ours(name) and name not in OWN_RESULTS
    }


def unknown(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """A sentence for each variable of our prefixes that no role knows, with the nearest that one does."""
    all_known = sorted({*known, *OF_PLAYBOOKS})
    told = []
    for name in sorted({name for name in names if is_ours(name)} - {*all_known, *OWN_RESULTS}):
        near = get_close_matches(name, all_known, 1, 0.6)
        meant = f" Did you mean {near[0]}?" if near else ""
        told.append(f"The variable {name} is unknown to this collection, so it would have no effect.{meant}")
    return told


def facts_against(
    host: str,
    facts: Variables,
    variables: Variables,
    reserved: Callable[[], frozenset[str]],
    injected: bool = True,
    of_all: Iterable[str] = (),
) -> list[str]:
    """A sentence for each fact of a host that would stand in for a declaration, or steer how Ansible reaches a host.

    ``facts`` are the host's, by the names under which they become variables if they are ``injected``; ``of_all`` are
    the names of those of all hosts. ``reserved`` gives the names of Ansible's connection, shell and become variables;
    it is only asked where there are facts.
    """
    names = {name for name in facts if isinstance(name, str)}
    if not names and not of_all:
        return []
    bad = sorted(name for name in names if is_ours(name) or name in reserved())
    remedy = (
        "Facts come from the host itself or from a fact cache. Nothing was changed. Look into the host; then remove "
        "its facts from the cache (ansible-playbook --flush-cache)."
    )
    told = [f"{host} has a fact {_shown(name)}, a name that is not a host's to set. {remedy}" for name in bad[:5]]
    shadowing = {"ansible_facts", "ansible_local"} | ({*names, *of_all} if injected else set())
    for name in declared(variables):
        taken = sorted(_asked_for(variables[name], variables) & shadowing - set(bad))
        if taken:
            told.append(
                f"{name} of {host} is made from {_shown(taken[0])}, which a host says of itself, as a fact. Nothing "
                "was changed. What is declared for a host is not the host's to say: write the value into the inventory."
            )
    return told


def _shown(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "?", name)[:80]


def _asked_for(value: Any, variables: Variables) -> set[str]:
    """Every variable in the templates of a value, and in those of the variables that these name."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, (list, tuple)):
            waiting += one
        elif isinstance(one, str) and ("{{" in one or "{%" in one):
            new = _names_in(str(one)) - found
            found |= new
            waiting += [variables[name] for name in new if name in variables and name not in _OF_ANSIBLE]
    return found


# Variables by which Ansible shows all others.
_OF_ANSIBLE = frozenset(("hostvars", "vars", "groups", "ansible_facts"))


@functools.lru_cache(maxsize=4096)
def _names_in(template: str) -> frozenset[str]:
    """The variables that a template asks for; of those that show all others, every member that it names."""
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
    """Of a host's declarations as they are written, so that nothing has to be evaluated."""
    written = json.dumps(_sortable(declared(variables)), sort_keys=True, default=_written)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()


def _sortable(value: Any) -> Any:
    """The same with dictionaries as pairs in an order: YAML has names that are no text."""
    if isinstance(value, Mapping):
        pairs = [(repr(name), _sortable(each)) for name, each in value.items()]
        return ["{}", *sorted(pairs, key=lambda pair: pair[0])]
    if isinstance(value, (list, tuple)):
        return [_sortable(each) for each in value]
    return value


def _written(value: Any) -> str:
    """A value that JSON has no word for. What a vault holds is not decrypted."""
    return str(getattr(value, "_ciphertext", None) or repr(value))


def changed_hosts(frozen: Variables, raw: Callable[[str], Variables], hosts: Sequence[str]) -> list[str]:
    """The hosts whose declarations are not those that were frozen."""
    digests = frozen["digests"]
    return [host for host in hosts if host in digests and digests[host] != digest(raw(host))]


def check(frozen: Variables | None, raw: Callable[[str], Variables], hosts: Sequence[str]) -> None:
    """Raise DeclarationsChanged unless all is as it was frozen."""
    changed = changed_hosts(frozen, raw, hosts) if frozen else []
    if changed:
        raise DeclarationsChanged(
            f"The variables of this collection changed for {', '.join(changed[:5])} while the run was at work. Nothing "
            "but inventory and extra vars may set them. Look into that host, and run this again."
        )
