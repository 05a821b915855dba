# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's releases of Slurm, and what the collection's own table knows of them."""

from __future__ import annotations

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import releases

RELEASES = ("20.11", "22.05", "24.11", "26.05")


def has(release: str, capability: str) -> bool:
    return releases.has(releases.parse(release), capability)


def rest_version(release: str) -> str:
    """The newest version of the API in which slurmdbd can be asked, too."""
    return releases.rest_versions(releases.parse(release), slurmdb=True)[-1]
