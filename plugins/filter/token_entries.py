# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: token_entries
short_description: Services in the form that slurm_jwt_token takes
version_added: 1.0.0
description:
  - Leaves of each service what the option O(hpc.slurm_jwt.slurm_jwt_token#module:tokens) knows.
options:
  _input:
    description: The services of one host, as the filter P(hpc.slurm_jwt.token_services#filter) gives them.
    type: list
    elements: dict
    required: true
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Remove what a rotation has left
  hpc.slurm_jwt.slurm_jwt_token:
    state: unstaged
    tokens: "{{ slurm_jwt_tokens_here | hpc.slurm_jwt.token_entries }}"
"""

RETURN = r"""
_value:
  description: The entries.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _services
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter token_entries."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(token_entries=_services.entries)
