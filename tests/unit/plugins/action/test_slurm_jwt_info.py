# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the clock of a host is ahead, at least and at most: it was read after the question and before the answer."""

from __future__ import annotations

import time
from unittest import mock

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.action import slurm_jwt_info
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _checked_action


def answered(monkeypatch, answer, took=5.0):
    asked_at = time.time() - took
    monkeypatch.setattr(_checked_action.CheckedAction, "run", lambda *args, **kwargs: dict(answer))
    action = slurm_jwt_info.ActionModule(*[mock.Mock() for _index in range(6)])
    action._task.args = {"asked_at": str(asked_at)}
    return action.run(task_vars={})


def test_a_clock_that_is_right(monkeypatch):
    found = answered(monkeypatch, {"clock_lag": 2.0})
    assert found == {"clock_lag": 2.0, "clock_lag_least": pytest.approx(-3.0, abs=0.5)}


def test_a_host_does_not_say_it_itself(monkeypatch):
    found = answered(monkeypatch, {"clock_lag": 2.0, "clock_lag_least": 2.0})
    assert found["clock_lag_least"] == pytest.approx(-3.0, abs=0.5)
    for answer in ({"clock_lag": None}, {"failed": True}):
        assert answered(monkeypatch, {**answer, "clock_lag_least": 2.0}) == {**answer, "clock_lag_least": None}


def test_nobody_asked_later_than_it_was_answered(monkeypatch):
    assert answered(monkeypatch, {"clock_lag": 2.0}, took=-60)["clock_lag_least"] == 2.0
