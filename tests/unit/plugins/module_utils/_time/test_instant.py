# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instant of a swap: who waits for it comes first, and nobody waits for one that never comes."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time import instant


@pytest.mark.parametrize("at", [None, 0.0])
def test_no_instant_and_a_past_one_mean_now(at: float | None) -> None:
    begin = time.monotonic()
    instant.refuse_far(at)
    instant.wait_until(at)
    assert time.monotonic() - begin < 0.1


@pytest.mark.parametrize("lead", [0.0, 0.1])
def test_it_returns_at_the_instant_and_not_before(lead: float) -> None:
    at = time.time() + 0.2
    instant.wait_until(at, lead)
    assert 0 <= time.time() - (at - lead) < 0.1


@pytest.mark.parametrize("ahead", [instant.LONGEST_WAIT + 1, float("nan"), float("inf")])
def test_too_far(ahead: float) -> None:
    with pytest.raises(instant.InstantTooFar, match="Compare the clocks of the hosts"):
        instant.refuse_far(time.time() + ahead)


def test_a_wait_has_real_time_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "sched_setscheduler", lambda pid, policy, param: asked.append(policy))
    with pytest.raises(KeyError), instant.on_time():
        assert asked == [os.SCHED_FIFO]
        raise KeyError
    assert asked == [os.SCHED_FIFO, os.SCHED_OTHER]


def test_or_the_usual_priority_if_not_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def no(pid: int, policy: int, param: os.sched_param) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", no)
    with instant.on_time():
        pass
    with pytest.raises(KeyError), instant.on_time():
        raise KeyError
