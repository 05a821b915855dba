# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of declared services that need no host. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import check_user_name, lifespan
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.privileged import refuse_privileged
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import declared_services, token_timers


def wrong(
    host: str,
    services: Iterable[declared_services.Service],
    groups: Mapping[str, Sequence[str]],
    group: str,
    limit: Any = None,
    readers: Sequence[str] = (),
) -> list[str]:
    """A sentence for each service of a host that cannot get its token; ``limit`` is the site's max_token_lifespan.

    ``readers``: who may read slurmctld's metrics.
    """
    try:
        here = declared_services.services_on(host, services, groups, group)
    except declared_services.ServicesError as error:
        return [str(error)]
    return [
        sentence
        for service in here
        for sentence in _of_service(service, host, _seconds(limit)) or _of_key(service, host, readers)
    ]


def _of_key(service: declared_services.Service, host: str, readers: Sequence[str]) -> list[str]:
    """Why a service cannot use the key for metrics."""
    if service["key"] != declared_services.OPENMETRICS:
        return []
    where = f"{declared_services.DECLARED}: {service['name']} on {host}"
    if boolean(service.get("renew"), strict=False):
        return [
            f"{where}: renew excludes key: openmetrics, as slurmctld makes tokens with the cluster's own key only. "
            "Leave renew out, and run the playbook hpc.slurm_jwt.tokens regularly."
        ]
    if str(service["user"]) not in readers:
        return [
            f"{where}: its key is openmetrics, and slurm_jwt_openmetrics_users does not name {service['user']}, so "
            "slurmctld would refuse it. Add the user there."
        ]
    return []


def _of_service(service: declared_services.Service, host: str, limit: int | None) -> list[str]:
    where = f"{declared_services.DECLARED}: {service['name']} on {host}"
    empty = [option for option in ("user", "dest") if not service.get(option)]
    if empty:
        return [f"{where}: {empty[0]} is empty."]
    user = str(service["user"])
    try:
        token_timers.timers([service], host)
        if service.get("min_remaining") is not None:
            duration(str(service["min_remaining"]))
        lifespan(str(service["lifespan"]), boolean(service.get("allow_endless"), strict=False), limit)
        check_user_name(user)
        if not boolean(service.get("allow_privileged"), strict=False):
            refuse_privileged(user)
    except declared_services.ServicesError as error:
        return [str(error)]
    except (DurationError, TokenError) as error:
        return [f"{where}: {error}"]
    return []


def _seconds(limit: Any) -> int | None:
    """max_token_lifespan; the role reports a value that is no number."""
    text = str(limit).strip()
    return int(text) if text.isascii() and text.isdigit() and int(text) else None
