# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of durations, for every plugin with an option that is one."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
notes:
  - A duration is a number of seconds, or numbers with the units V(w), V(d), V(h), V(m) and V(s), each unit at most once
    and the larger ones first, such as V(1800), V(30m), V(12h), V(1w3d). Blanks between them are allowed. The maximum is
    a century.
"""
