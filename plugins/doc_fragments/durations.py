# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of durations, for every plugin with an option that is one."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
notes:
  - A duration is a number of seconds, or one number for each of some of the units V(w), V(d), V(h), V(m) and V(s), the
    larger units first, such as V(1800), V(30m), V(12h), V(1w3d). Blanks may be between them. A century is the longest.
"""
