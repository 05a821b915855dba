# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found of every declared token, and what somebody should do about it. Private to this collection.

Put together from what the role slurm_jwt_tokens has left with each host: what its files hold, what the controller says
of that with the key, and what its timers do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.token_refresh import UNIT
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import any_variables
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.text_table import layout
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import declared_services

Variables = Mapping[str, Any]

MINTED, RENEWAL = "slurm_jwt_tokens_minted", "slurm_jwt_tokens_timer_result"

OK, WARNING, ERROR = "ok", "warning", "error"
RANKS = (ERROR, WARNING, OK)

# Why a token would be made anew -> how it is told, and how bad it is.
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
    """One declared token, as it was found."""

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
    said: str
    """What the last attempt to renew it has left as its word."""


class Finding(NamedTuple):
    """Something that somebody should look at."""

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
    found = []
    for host in groups.get("all") or ():
        if host not in hostvars:
            continue
        variables = hostvars[host]
        declared = variables.get(declared_services.DECLARED) or ()
        seen = (variables.get(declared_services.LOOK) or {}).get("tokens") or ()
        looks = {look["name"]: look for look in seen}
        timers = {timer["name"]: timer for timer in (variables.get(RENEWAL) or {}).get("timers") or ()}
        for service in declared_services.services_on(host, declared, groups, group):
            name = service["name"]
            answer = answers.get(declared_services.order_name(name, host))
            found.append(_state(service, host, looks.get(name), answer, timers.get(name), now))
    return sorted(found, key=lambda one: (min(map(RANKS.index, (one.severity, one.timer_severity))), one.left or 0))


def _state(
    service: Variables,
    host: str,
    look: Variables | None,
    answer: Variables | None,
    timer: Variables | None,
    now: float,
) -> State:
    claims = (look or {}).get("found") or {}
    made, expires = _second(claims.get("iat")), _second(claims.get("exp"))
    left = None if expires is None else expires - int(now)
    words, severity = _judged(look, answer, left)
    key, fingerprint = "?", None
    if look is not None and look["reason"] in (None, "attributes") and answer is not None:
        key = "another" if answer["reason"] == "key" else "current"
        fingerprint = answer["key_fingerprint"] if key == "current" else None
    renewal, bad, said = _timer(service, timer)
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
        words,
        severity,
        renewal,
        bad,
        said,
    )


def _second(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _judged(look: Variables | None, answer: Variables | None, left: int | None) -> tuple[str, str]:
    """The token in words, and how bad it is."""
    if look is None:
        return "not looked at: the host did not answer", ERROR
    reason = look["reason"]
    if reason == "expiring" and left is not None and left <= 0:
        return "expired", ERROR
    if reason is None and look["changed"]:
        reason = "attributes"
    if reason in (None, "attributes") and answer is not None and answer["reason"] is not None:
        reason = answer["reason"]
    if reason is None:
        return ("good", OK) if answer is not None else ("good, as far as shows without the key", WARNING)
    return _REASONS.get(reason, (str(reason), WARNING))


def _timer(service: Variables, timer: Variables | None) -> tuple[str, str, str]:
    """The timer in words, how bad that is, and what its last attempt said."""
    if not service.get("renew"):
        return "-", OK, ""
    if timer is None:
        return "?", WARNING, ""
    attempt = timer["attempt"] or {}
    said = str(attempt.get("said") or "")
    if timer["active"] != "active" or not timer["enabled"]:
        return "not running", ERROR, said
    if attempt.get("result") == "failed":
        return "last attempt failed", ERROR, said
    if timer["changed"]:
        return "not as declared", WARNING, said
    return str(attempt.get("result") or "waits").replace("_", " "), OK, said


def findings(found: Iterable[State]) -> list[Finding]:
    """What somebody should do something about, a sentence or two each."""
    remedy = "Run the playbook hpc.slurm_jwt.tokens."
    told = []
    for one in found:
        what = f"The token of {one.user} for {one.service} in {one.dest}"
        if one.severity != OK:
            told.append(Finding(one.severity, one.host, f"{what}: {one.state}. {remedy}"))
        if one.timer_severity != OK:
            said = f" It said: {one.said}" if one.said else ""
            text = f"The timer that renews the token for {one.service}: {one.timer}.{said}"
            unit = f"{UNIT}@{one.service}"
            told.append(Finding(one.timer_severity, one.host, f"{text} {remedy} See journalctl -u {unit}."))
    return told


def table(found: Sequence[State]) -> list[str]:
    """Every declared token, a line each."""
    if not found:
        return []
    rows = [("service", "user", "host", "lifespan", "left", "key", "token", "timer")]
    for one in found:
        rows.append(
            (one.service, one.user, one.host, one.lifespan, span(one.left), one.key, one.state, one.timer)
        )
    return layout(rows)


def span(seconds: int | None) -> str:
    """Seconds as a person says them."""
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
