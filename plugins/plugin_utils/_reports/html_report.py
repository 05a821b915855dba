# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster's JWT on one HTML page that can be mailed: findings, keys, settings, tokens over time. Private to this
collection.

The page contains fingerprints, paths and users, and never a key or a token. report.html.j2 is its template.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.host_variables import any_variables
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import folded
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import cluster_hosts
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.info import complete
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.key_copies import (
    CURRENT,
    KeyCopy,
    copies_on,
    short,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.timeline import timeline
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.token_states import (
    ERROR,
    OK,
    WARNING,
    Finding,
    State,
    findings,
    span,
    states,
    utc,
)

Variables = Mapping[str, Any]

INFO = "info"
_RANKS = (ERROR, WARNING, INFO)


class Count(NamedTuple):
    """A number at the top of the page."""

    number: int
    thing: str
    """What is counted, in the singular."""
    color: str = ""

    @property
    def text(self) -> str:
        return self.thing if self.number == 1 else f"{self.thing}s"


class File(NamedTuple):
    """One configuration file of a host."""

    name: str
    types: str
    parameters: str


class ReportedKeySet(NamedTuple):
    """The key set of a host."""

    path: str
    kids: str


class Settings(NamedTuple):
    """What hosts with the same settings have in common."""

    hosts: str
    components: str
    release: str
    files: tuple[File, ...]
    daemons: str
    key_set: ReportedKeySet | None


class Report(NamedTuple):
    """All that is on the page."""

    cluster: str
    now: float
    findings: list[Finding]
    copies: list[KeyCopy]
    observations: dict[str, Variables]
    tokens: list[State]

    @property
    def counts(self) -> list[Count]:
        current = {str(one.key["fingerprint"]) for one in self.copies if one.slot == CURRENT}
        errors, warnings = (len([one for one in self.findings if one.severity == each]) for each in (ERROR, WARNING))
        return [
            Count(len(self.observations), "host"),
            Count(len(current), "current key", ERROR if len(current) > 1 else ""),
            Count(len(self.tokens), "declared token"),
            Count(errors, "error", ERROR if errors else OK),
            Count(warnings, "warning", WARNING if warnings else OK),
        ]

    @property
    def settings(self) -> list[Settings]:
        return _alike(_settings(host, observed) for host, observed in self.observations.items())


def gather(hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]], now: float) -> Report:
    """What the inspection of every host found."""
    hosts = [host for host in cluster_hosts(groups, any_variables(groups, hostvars)) if host in hostvars]
    observations = {host: complete(hostvars[host].get("slurm_jwt_observation") or {}) for host in hosts}
    names = [str((observed.get("conf") or {}).get("cluster_name") or "") for observed in observations.values()]
    tokens = states(hostvars, groups, now)
    copies = [copy for host, observed in observations.items() for copy in copies_on(host, observed)]
    problems = _alike_findings([*_of_inspections(observations), *_of_keys(copies), *findings(tokens)])
    return Report(
        next(filter(None, names), "?"),
        now,
        sorted(problems, key=lambda one: _RANKS.index(one.severity)),
        copies,
        observations,
        tokens,
    )


def _of_inspections(observations: Mapping[str, Variables]) -> list[Finding]:
    problems = []
    for host, observed in observations.items():
        if "conf" not in observed:
            message = str(observed.get("msg") or "it did not answer")
            problems.append(Finding(ERROR, host, f"The host could not be inspected: {message}"))
        for problem in observed.get("problems") or ():
            text = " ".join(str(problem.get(name) or "") for name in ("found", "effect", "remedy")).strip()
            severity = problem["severity"] if problem["severity"] in _RANKS else INFO
            problems.append(Finding(severity, host, text))
    return problems


def _alike_findings(problems: Iterable[Finding]) -> list[Finding]:
    """Each problem once, with all hosts that have it."""
    hosts_of: dict[Finding, list[str]] = {}
    for one in problems:
        hosts_of.setdefault(one._replace(host=""), []).append(one.host)
    return [one._replace(host=folded(hosts)) for one, hosts in hosts_of.items()]


def _of_keys(copies: Sequence[KeyCopy]) -> list[Finding]:
    key_hosts: dict[str, list[str]] = {}
    for one in copies:
        if one.slot == CURRENT:
            key_hosts.setdefault(str(one.key["fingerprint"]), []).append(one.host)
    if len(key_hosts) < 2:
        return []
    keys = "; ".join(f"{short(key)} on {', '.join(hosts)}" for key, hosts in key_hosts.items())
    text = (
        f"Key hosts have different keys: {keys}. Some daemons refuse what others sign. If a rotation did not finish, "
        "run the playbook hpc.slurm_jwt.rotate. Otherwise name the host with the right key in slurm_jwt_key_source, "
        "and run the playbook hpc.slurm_jwt.rollout."
    )
    return [Finding(ERROR, next(iter(key_hosts.values()))[0], text)]


# -- the page ----------------------------------------------------------------------------------------------------------


def page(report: Report) -> str:
    return _template().render(report=report, timeline=timeline(report.tokens, report.now))


@functools.lru_cache(maxsize=None)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(short=short, span=span, utc=utc)
    return environment.from_string(Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8"))


def _settings(host: str, observed: Variables) -> Settings:
    daemons = [
        f"{name}: {daemon.get('active') or '?'}" + (" with SLURM_JWT" if daemon.get("slurm_jwt") else "")
        for name, daemon in (observed.get("daemons") or {}).items()
        # slurmd is of interest for its release only.
        if name != "slurmd" or daemon.get("active")
    ]
    files = [
        _file(name, conf)
        for name, conf in (("slurm.conf", observed.get("conf")), ("slurmdbd.conf", observed.get("dbd_conf")))
        if conf and "auth_alt_types" in conf
    ]
    return Settings(
        host,
        ", ".join(observed.get("components") or ()),
        str(observed.get("release") or "?"),
        tuple(files),
        ", ".join(daemons),
        _key_set(observed.get("jwks")),
    )


def _file(name: str, conf: Variables) -> File:
    members = [f"{member}={value}" if value else member for member, value in conf["auth_alt_parameters"].items()]
    return File(name, ",".join(conf["auth_alt_types"]) or "no AuthAltTypes", ",".join(members))


def _key_set(observed: Variables | None) -> ReportedKeySet | None:
    if not observed or not observed.get("exists"):
        return None
    return ReportedKeySet(str(observed["path"]), ", ".join(map(str, observed.get("kids") or ())))


def _alike(rows: Iterable[Settings]) -> list[Settings]:
    """Hosts with the same settings share a line: a cluster has more nodes than a page has lines."""
    groups: dict[Settings, list[str]] = {}
    for row in rows:
        groups.setdefault(row._replace(hosts=""), []).append(row.hosts)
    return [
        settings._replace(hosts=", ".join(hosts) if len(hosts) < 4 else f"{hosts[0]} and {len(hosts) - 1} more")
        for settings, hosts in groups.items()
    ]
