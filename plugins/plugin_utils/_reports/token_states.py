# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of every declared token, and the problems. Private to this collection.

The role slurm_jwt_tokens has registered the parts on each host: the tokens in its files, the result of their check with
the key on the controller, and its timers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.token_refresh import UNIT
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.host_variables import any_variables
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.text_table import layout
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import declared_services, token_exchange

Variables = Mapping[str, Any]

MINTED, RENEWAL = "slurm_jwt_tokens_minted", "slurm_jwt_tokens_timer_result"

OK, WARNING, ERROR = "ok", "warning", "error"
RANKS = (ERROR, WARNING, OK)

# Reason to replace a token -> text and severity.
_REASONS = {
    "missing": ("there is none", ERROR),
    "unreadable": ("the file holds no token in that format", ERROR),
    "algorithm": ("signed with another algorithm", ERROR),
    "user": ("for another user", ERROR),
    "key": ("signed by another key", ERROR),
    "format": ("good, with other text around it", WARNING),
    "claims": ("of other claims", WARNING),
    "lifespan": ("lives longer than is declared", WARNING),
    "expiring": ("about to expire", WARNING),
    "attributes": ("owner, group or mode differ", WARNING),
}


class State(NamedTuple):
    """One declared token."""

    service: str
    user: str
    host: str
    dest: str
    lifespan: str
    made: int | None
    expires: int | None
    left: int | None
    key: str
    """Which key signed it: "current", "another", or "?"."""
    fingerprint: str | None
    state: str
    severity: str
    timer: str
    timer_severity: str
    message: str
    """The message of the last attempt to renew it."""


class Finding(NamedTuple):
    """A problem."""

    severity: str
    host: str
    text: str


def states(hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]], now: float) -> list[State]:
    """Every declared token of every host, the worst first."""
    group = declared_services.group_of(any_variables(groups, hostvars))
    answers = {
        answer["name"]: answer
        for host in groups.get("all") or ()
        for answer in ((hostvars[host].get(MINTED) or {}) if host in hostvars else {}).get("tokens") or ()
    }
    tokens_of_all = []
    for host in groups.get("all") or ():
        if host not in hostvars:
            continue
        variables = hostvars[host]
        declared = variables.get(declared_services.DECLARED) or ()
        tokens = (variables.get(token_exchange.OBSERVATION) or {}).get("tokens") or ()
        observations = {observed["name"]: observed for observed in tokens}
        timers = {timer["name"]: timer for timer in (variables.get(RENEWAL) or {}).get("timers") or ()}
        for service in declared_services.services_on(host, declared, groups, group):
            name = service["name"]
            answer = answers.get(token_exchange.request_name(name, host))
            tokens_of_all.append(_state(service, host, observations.get(name), answer, timers.get(name), now))
    return sorted(tokens_of_all, key=_rank)


def _rank(one: State) -> tuple[int, int]:
    """The worst first, and those that expire first."""
    return min(map(RANKS.index, (one.severity, one.timer_severity))), one.left or 0


def _state(
    service: Variables,
    host: str,
    observed: Variables | None,
    answer: Variables | None,
    timer: Variables | None,
    now: float,
) -> State:
    claims = (observed or {}).get("found") or {}
    made, expires = _second(claims.get("iat")), _second(claims.get("exp"))
    left = None if expires is None else expires - int(now)
    state, severity = _token(observed, answer, left)
    key, fingerprint = "?", None
    if observed is not None and observed["reason"] in (None, "attributes") and answer is not None:
        key = "another" if answer["reason"] == "key" else "current"
        fingerprint = answer["key_fingerprint"] if key == "current" else None
    timer_state, timer_severity, message = _timer(service, timer)
    return State(
        service["name"],
        service["user"],
        host,
        service["dest"],
        str(service["lifespan"]),
        made,
        expires,
        left,
        key,
        fingerprint,
        state,
        severity,
        timer_state,
        timer_severity,
        message,
    )


def _second(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _token(observed: Variables | None, answer: Variables | None, left: int | None) -> tuple[str, str]:
    """Text and severity of a token."""
    if observed is None:
        return "not inspected: the host did not answer", ERROR
    reason = observed["reason"]
    if reason == "expiring" and left is not None and left <= 0:
        return "expired", ERROR
    if reason is None and observed["changed"]:
        reason = "attributes"
    if reason in (None, "attributes") and answer is not None and answer["reason"] is not None:
        reason = answer["reason"]
    if reason is None:
        return ("good", OK) if answer is not None else ("good, as far as can be seen without the key", WARNING)
    return _REASONS.get(reason, (str(reason), WARNING))


def _timer(service: Variables, timer: Variables | None) -> tuple[str, str, str]:
    """Text and severity of the timer, and the message of its last attempt."""
    if not service.get("renew"):
        return "-", OK, ""
    if timer is None:
        return "?", WARNING, ""
    attempt = timer["attempt"] or {}
    message = str(attempt.get("said") or "")
    if timer["active"] != "active" or not timer["enabled"]:
        return "not running", ERROR, message
    if attempt.get("result") == "failed":
        return "last attempt failed", ERROR, message
    if timer["changed"]:
        return "not as declared", WARNING, message
    return str(attempt.get("result") or "waits").replace("_", " "), OK, message


def findings(tokens: Iterable[State]) -> list[Finding]:
    """The problems, a sentence or two each."""
    remedy = "Run the playbook hpc.slurm_jwt.tokens."
    problems = []
    for one in tokens:
        what = f"The token of {one.user} for {one.service} in {one.dest}"
        if one.severity != OK:
            problems.append(Finding(one.severity, one.host, f"{what}: {one.state}. {remedy}"))
        if one.timer_severity != OK:
            message = f" Its message: {one.message}" if one.message else ""
            text = f"The timer that renews the token for {one.service}: {one.timer}.{message}"
            unit = f"{UNIT}@{one.service}"
            problems.append(Finding(one.timer_severity, one.host, f"{text} {remedy} See journalctl -u {unit}."))
    return problems


def table(tokens: Sequence[State]) -> list[str]:
    """Every declared token, a line each."""
    if not tokens:
        return []
    rows = [("service", "user", "host", "lifespan", "left", "key", "token", "timer")]
    for one in tokens:
        rows.append(
            (one.service, one.user, one.host, one.lifespan, span(one.left), one.key, one.state, one.timer)
        )
    return layout(rows)


def span(seconds: int | None) -> str:
    """Seconds in their largest unit."""
    if seconds is None:
        return "-"
    if seconds <= 0:
        return "0"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def utc(second: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(second))
