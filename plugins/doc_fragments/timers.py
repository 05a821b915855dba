# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that install a program and a timer for it; _timers/options.py has their types."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  python:
    description: The Python that runs the program, 3.8 or later.
    type: path
    default: /usr/bin/python3
  conf_path:
    description: The cluster's slurm.conf, for Slurm's clients. It need not exist, as on configless hosts.
    type: path
    default: /etc/slurm/slurm.conf
  bin_dir:
    description: The folder of Slurm's programs, if they are not in one of the usual folders.
    type: path
  metrics_dir:
    description:
      - The folder from which the textfile collector of Prometheus's node_exporter reads files. If it does not exist, no
        metrics are written.
    type: path
"""
