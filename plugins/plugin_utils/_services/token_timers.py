# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a timer must check a token to renew it in time. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.token_refresh import is_unit_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import LONGEST, lifespan
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services.declared_services import (
    DECLARED,
    Service,
    ServicesError,
)

ATTEMPTS = 4
"""Least number of attempts between the moment when a token is due and its expiry."""

SHORTEST = 20
"""Shortest interval in seconds: an attempt without an answer from slurmctld takes that long."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400

# Divisors of a minute, an hour or a day, so the interval between any two checks is the same.
_STEPS = {
    **{step: f"*-*-* *:*:0/{step}" for step in (20, 30)},
    **{step * _MINUTE: f"*-*-* *:0/{step}:00" for step in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)},
    **{step * _HOUR: f"*-*-* 0/{step}:00:00" for step in (1, 2, 3, 4, 6, 8, 12)},
    _DAY: "*-*-* 00:00:00",
}


def calendar(seconds: int) -> tuple[int, str]:
    """The longest interval that is not longer than this, and its OnCalendar expression."""
    step = max(step for step in _STEPS if step <= max(seconds, SHORTEST))
    return step, _STEPS[step]


def timers(services: Iterable[Service], host: str) -> list[dict[str, Any]]:
    """The timers of the module slurm_jwt_token_timer: one for each service of a host with renew."""
    return [_timer(service, f"{DECLARED}: {service['name']} on {host}") for service in services if service.get("renew")]


def _timer(service: Service, where: str) -> dict[str, Any]:
    if not is_unit_name(service["name"]):
        raise ServicesError(
            f"{where}: with renew its name becomes part of the names of systemd units. Use letters, digits, _ and .,"
            " and - between these, 64 at most."
        )
    if service.get("claims"):
        raise ServicesError(
            f"{where}: renew excludes claims, as slurmctld makes tokens without any. Leave renew out, and run the"
            " playbook hpc.slurm_jwt.tokens regularly."
        )
    life, left, period = _seconds(service, where)
    step, words = calendar(period)
    jitter = step // 4
    return {
        **{name: service[name] for name in ("name", "user", "dest", "format") if name in service},
        **{name: service[name] for name in ("owner", "group", "mode", "restarts", "reloads") if name in service},
        "lifespan": life,
        "min_remaining": left,
        "calendar": words,
        "jitter": jitter,
        "interval": step + jitter,
    }


def _seconds(service: Service, where: str) -> tuple[int, int, int]:
    """Lifespan, min_remaining and the interval, if a timer can renew the token in time with these."""
    option = "lifespan"
    try:
        life = lifespan(str(service["lifespan"]), allow_endless=True)
        option = "min_remaining"
        left = _given(service, option, life // 5)
        option = "renew_period"
        period = _given(service, option, left // (ATTEMPTS + 2))
    except (DurationError, TokenError) as exc:
        raise ServicesError(f"{where}: {option}: {exc}") from exc
    if life > LONGEST:
        raise ServicesError(
            f"{where}: lifespan: a token that lives {life // _DAY} days is not to be renewed but to be given a shorter"
            " life. Leave renew out, or say such as lifespan: 1d."
        )
    if left >= life:
        raise ServicesError(
            f"{where}: min_remaining: {left} s is not less than the lifespan of {life} s: each look would make a new"
            " token."
        )
    if service.get("renew_period") is not None and period < SHORTEST:
        raise ServicesError(f"{where}: renew_period: {period} s is too short. Give {SHORTEST} s at least.")
    step, _words = calendar(period)
    most = step + step // 4
    if left // most < ATTEMPTS:
        raise ServicesError(
            f"{where}: its token is looked at every {most} s at the latest, so {left // most} attempts fit into the"
            f" min_remaining of {left} s, and {ATTEMPTS} is the least: slurmctld may be down for some of them."
            f" {_remedy(life, left, most)}"
        )
    return life, left, period


def _given(service: Mapping[str, Any], option: str, default: int) -> int:
    value = service.get(option)
    return default if value is None else duration(str(value))


def _remedy(life: int, left: int, most: int) -> str:
    enough = [step for step in _STEPS if left // (step + step // 4) >= ATTEMPTS]
    if enough:
        return f"Set renew_period to {max(enough)} s or less, or min_remaining to {ATTEMPTS * most} s or more."
    if life > ATTEMPTS * most:
        return f"Set min_remaining to {ATTEMPTS * most} s or more."
    return f"Give it a lifespan well above {ATTEMPTS * most} s, and min_remaining of as much at least."
