# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import jwks_refresh, runtime
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.jwks_refresh import (
    JwksTimerRecord,
)
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils._timers.timer_settings import JWKS

NOW = 1_795_420_800


def record(**changes):
    return JwksTimerRecord(NOW, "current", "", NOW)._replace(**changes)


def test_settings_and_records_are_read_as_they_were_written():
    assert jwks_refresh.read_settings(jwks_refresh.write_settings(JWKS)) == JWKS
    found = record(kids=["a"], next_change=NOW, loaded=5)
    assert jwks_refresh.read_record(runtime.format_record(found._asdict())) == found


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"path": 1, "daemons": []}', '{"daemons": [{"x": 1}]}'])
def test_invalid_settings(text):
    with pytest.raises(runtime.SettingsError, match=r"hpc\.slurm_jwt\.rollout"):
        jwks_refresh.read_settings(text)


def test_a_record_that_cannot_be_read_is_none():
    assert jwks_refresh.read_record("{") is None
    assert jwks_refresh.read_record('{"at": 1}') is None


@pytest.mark.parametrize(
    ("loaded", "wait"),
    [(0, 0), (NOW, 900), (NOW - 899, 1), (NOW - 900, 0), (NOW + 60, 0)],
    ids=["never", "just now", "almost", "long enough ago", "by a clock that was set back"],
)
def test_time_until_the_next_reload(loaded, wait):
    assert jwks_refresh.seconds_before_load(record(loaded=loaded), 900, NOW) == wait


def test_the_first_run_waits_for_nothing():
    assert jwks_refresh.seconds_before_load(None, 900, NOW) == 0
    assert jwks_refresh.seconds_of_outage(None, NOW) == 0


@pytest.mark.parametrize(
    ("wrote", "modified", "wait"),
    [(False, NOW, 60), (False, NOW - 59, 1), (False, NOW - 60, 0), (False, NOW + 1, 0), (True, NOW, 0)],
)
def test_the_reload_is_left_to_the_writer_of_the_file_first(wrote, modified, wait):
    assert jwks_refresh.seconds_for_writer(wrote, modified, 60, NOW) == wait


def test_an_outage_begins_when_all_sources_were_last_reached():
    assert jwks_refresh.seconds_of_outage(record(reached=NOW - 7), NOW) == 7


def test_metrics():
    text = jwks_refresh.metrics(JWKS, record(result="failed", kids=["a", "b"]))
    assert 'slurm_jwt_jwks_attempt_success{file="/etc/slurm/jwks.json"} 0\n' in text
    assert 'slurm_jwt_jwks_keys{file="/etc/slurm/jwks.json"} 2\n' in text
    assert f'slurm_jwt_jwks_reached_timestamp_seconds{{file="/etc/slurm/jwks.json"}} {NOW}\n' in text
    assert "slurm_jwt_jwks_info" not in text
    with_keys = jwks_refresh.metrics(JWKS, record(fingerprint="SHA256:ab"))
    assert 'slurm_jwt_jwks_info{file="/etc/slurm/jwks.json",fingerprint="SHA256:ab"} 1\n' in with_keys
