# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all unit tests."""

from __future__ import annotations

from hypothesis import settings

# Containers start beside these tests: an example that takes a second says nothing about the code.
settings.register_profile("beside_others", deadline=None, print_blob=True)
settings.load_profile("beside_others")
