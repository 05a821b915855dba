# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that there is room for what a rollout writes. Private to this collection."""

from __future__ import annotations

import os
from typing import Any, Mapping

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import problems
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import Host


def inspect(host: Host, differences: Mapping[str, Any], folders: Mapping[str, str]) -> None:
    """Check the configuration files to edit, and other FOLDERS, each with the component that needs it."""
    edited = [change["path"] for name in ("slurm_conf", "slurmdbd_conf") for change in differences[name]]
    for path in dict.fromkeys(edited):
        obstacle = paths.obstacle(os.path.dirname(os.path.realpath(path)))
        if obstacle:
            host.problems += problems.conf_not_writable(host.components[0], path, obstacle)
    for folder, component in folders.items():
        obstacle = paths.obstacle(folder)
        if obstacle:
            host.problems += problems.no_room(component, obstacle)
