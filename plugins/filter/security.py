# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that keep secrets and programs confined. NAME.yml beside this file documents the filter NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import sandbox
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import filters

_SECRETS = ("content", "token")


def without_secrets(result: Any) -> Any:
    """The result, in the same shape."""
    if isinstance(result, Mapping):
        found = {str(name): None if name in _SECRETS else without_secrets(value) for name, value in result.items()}
        # slurm_jwt_proof returns a token for each case.
        if isinstance(found.get("tokens"), Mapping):
            del found["tokens"]
        return found
    if isinstance(result, (list, tuple)):
        return [without_secrets(each) for each in result]
    return result


class FilterModule:
    """Filters that keep secrets and programs confined."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(
            sandbox_lines=sandbox.lines,
            without_secrets=without_secrets,
        )
