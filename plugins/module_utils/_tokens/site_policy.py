# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster's configuration says about tokens: SlurmUser, max_token_lifespan. Private to this collection."""

from __future__ import annotations

import os
from typing import Any, Mapping, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import option_seconds


class SitePolicy(NamedTuple):
    """Who is privileged besides root, and how long a token may live."""

    slurm_user: str
    max_lifespan: int | None
    """Seconds; None if the site sets no limit."""


def site_policy(params: Mapping[str, Any]) -> SitePolicy:
    """The task's options slurm_user and max_lifespan; what they leave open is read from slurm.conf if there is one."""
    slurm_user, limit = params["slurm_user"], params["max_lifespan"]
    if (slurm_user is None or limit is None) and os.path.exists(params["conf_path"]):
        conf_user, conf_limit = _read_conf(params["conf_path"])
        slurm_user = conf_user if slurm_user is None else slurm_user
        limit = conf_limit if limit is None else limit
    return SitePolicy(slurm_user or "slurm", option_seconds("max_lifespan", limit) if limit else None)


def _read_conf(path: str) -> tuple[str, str | None]:
    # The parser is large, and a task that sets both options does not need it.
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf, ConfError

    try:
        conf = Conf.load(path)
    except ConfError as exc:
        raise TaskError(f"conf_path: {exc}") from exc
    limit = conf.option("AuthAltParameters", "max_token_lifespan") or ""
    # Without SlurmUser in the file the daemons run as root. Slurm ignores a limit that is not a number.
    return conf.value("SlurmUser") or "root", limit if limit.isdigit() and int(limit) else None
