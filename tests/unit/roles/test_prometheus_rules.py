# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alert rules ask for metrics that there are, and fire when they should."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import jwks_refresh, token_refresh
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports import key_metrics

ROOT = pathlib.Path(__file__).resolve().parents[3]
RULES = ROOT / "roles/slurm_jwt_tokens/files/prometheus_rules.yml"
KEY = {"path": "/key", "fingerprint": "SHA256:ab", "created": "2026-11-23T08:00:00Z"}

SETTINGS = token_refresh.TokenTimerSettings(
    name='we"b',
    user="alice",
    dest="/etc/web",
    format="raw",
    lifespan=3600,
    min_remaining=1800,
    interval=300,
    owner=None,
    group=None,
    mode="0400",
    restarts=[],
    reloads=[],
    beside=[],
    record="/record",
    metrics=None,
    bin_dir=None,
    conf_path=None,
    systemctl="systemctl",
)


JWKS_SETTINGS = jwks_refresh.JwksTimerSettings(
    path="/jwks.json",
    sources=[],
    retain=3600,
    remove=[],
    owner="slurm",
    group="slurm",
    daemons=[],
    min_reload_interval=900,
    max_outage=86400,
    interval=1125,
    record="/record",
    metrics=None,
    conf_path="/slurm.conf",
    bin_dir=None,
    systemctl="systemctl",
)


def written():
    token_metrics = token_refresh.metrics(SETTINGS, token_refresh.TokenTimerRecord(1000, "kept", "", 5000, 900, -7))
    jwks_metrics = jwks_refresh.metrics(JWKS_SETTINGS, jwks_refresh.JwksTimerRecord(1000, "kept", "", 900, 800, ["a"]))
    return token_metrics + jwks_metrics + key_metrics.metrics({"slurm_jwt_observation": {"key": KEY}})


def test_every_metric_that_is_asked_for_is_written():
    asked = set(re.findall(r"slurm_jw\w+", " ".join(rule["expr"] for rule in rules())))
    there = set(re.findall(r"^(slurm_jw\w+)[{ ]", written(), re.MULTILINE))
    # These are for people to look at.
    assert there - asked == {
        "slurm_jwt_token_renewal_timestamp_seconds",
        "slurm_jwks_loaded_timestamp_seconds",
        "slurm_jwks_keys",
    }
    assert asked <= there


def rules():
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return group["rules"]


def test_every_rule_says_how_bad_it_is_and_what_to_do():
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_text_is_what_prometheus_reads():
    text = written()
    assert 'slurm_jwt_token_expiry_timestamp_seconds{service="we\\"b",user="alice",file="/etc/web"} 5000\n' in text
    assert f'{key_metrics.CREATED}{{file="/key",fingerprint="SHA256:ab"}} 1795420800\n' in text
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) slurm_jw\w+ .+|slurm_jw\w+({[^{}]*})? -?\d+", line)


def test_without_a_key_there_is_no_metric():
    assert key_metrics.metrics({}) == key_metrics.metrics({"slurm_jwt_observation": {"key": None}}) == ""


@pytest.mark.skipif(shutil.which("promtool") is None, reason="wants promtool of Prometheus")
def test_they_fire_before_the_token_expires(tmp_path):
    labels = '{service="web",instance="svc1"}'
    series = {
        "slurm_jwt_token_expiry_timestamp_seconds": 3600,
        "slurm_jwt_token_min_remaining_seconds": 1800,
        "slurm_jwt_token_attempt_timestamp_seconds": 0,
        "slurm_jwt_token_attempt_interval_seconds": 300,
        "slurm_jwt_token_attempt_success": 1,
    }
    stopped = "TimerStopped"
    fired = {"10m": [], "17m": [stopped], "46m": [stopped, "NotRenewed"], "60m": [stopped, "Expired"]}
    every = ("Expired", "NotRenewed", "TimerStopped", "RenewalFailing")
    test = {
        "interval": "1m",
        "input_series": [{"series": name + labels, "values": f"{value}x90"} for name, value in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="SlurmToken{name}",alertstate="firing"}}) or vector(0)',
                "eval_time": at,
                "exp_samples": [{"labels": "{}", "value": int(name in names)}],
            }
            for at, names in fired.items()
            for name in every
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(json.dumps({"rule_files": [str(RULES)], "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
