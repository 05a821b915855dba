# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that the module runs as root, and that SLURM_JWT is not set for all programs of a host. Private to this
collection."""

from __future__ import annotations

import os

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import user_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import problems
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import Host
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import processes

ETC_ENVIRONMENT = "/etc/environment"


def inspect(host: Host) -> None:
    """Report a user other than root, and SLURM_JWT if all programs get it. Later commands here run without it."""
    if os.geteuid() != 0:
        host.problems += problems.not_root(host.components[0], user_name(os.geteuid()))
    if processes.sets_slurm_jwt(ETC_ENVIRONMENT):
        host.problems += problems.slurm_jwt_for_all(host.components[0], ETC_ENVIRONMENT)
    elif "SLURM_JWT" in os.environ:
        host.problems += problems.slurm_jwt_for_all(host.components[0], None)
    os.environ.pop("SLURM_JWT", None)
