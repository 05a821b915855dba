# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: key_metrics
short_description: The age of the signing key for Prometheus
version_added: 1.0.0
description:
  - Says when the key of a host was made, in the format of node_exporter's textfile collector.
options:
  _input:
    description: The variables of a controller that was looked at, that is C(hostvars[inventory_hostname]).
    type: dict
    required: true
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Tell Prometheus how old the key is
  hpc.slurm_jwt.slurm_jwt_metrics:
    path: /var/lib/prometheus/node-exporter/slurm_jwt_key.prom
    content: "{{ hostvars[inventory_hostname] | hpc.slurm_jwt.key_metrics }}"
"""

RETURN = r"""
_value:
  description: The lines, empty if the host has no key.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _key_metrics
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter key_metrics."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(key_metrics=_key_metrics.metrics)
