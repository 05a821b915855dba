# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_report
short_description: A cluster's JWT on one page of HTML
version_added: 1.0.0
description:
  - Tells what a look at every host has found. Findings by severity, tokens over a time line, keys and who holds them,
    settings and daemons.
  - The page loads nothing and runs no script, so it can be mailed. It holds no key and no token, but names of users and
    hosts, paths, and fingerprints of keys.
  - The playbook C(hpc.slurm_jwt.report) looks and writes it.
positional: groups, now
options:
  now:
    description: The instant of the report, in seconds since 1970.
    type: float
    required: true
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.and_groups
  - hpc.slurm_jwt.inventory.hostvars
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Write it
  ansible.builtin.copy:
    content: "{{ hostvars | hpc.slurm_jwt.cluster_report(groups, now().timestamp()) }}"
    dest: /root/slurm-jwt.html
    mode: "0600"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _report
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def cluster_report(hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]], now: float) -> str:
    """The page."""
    return _report.page(_report.gather(hostvars, groups, now))


class FilterModule:
    """The filter cluster_report."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(cluster_report=cluster_report)
