# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from unittest import mock

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _checked_action


@pytest.fixture(name="display", autouse=True)
def _display(monkeypatch):
    """Where actions would show their warnings."""
    found = mock.Mock()
    monkeypatch.setattr(_checked_action, "display", found)
    return found
