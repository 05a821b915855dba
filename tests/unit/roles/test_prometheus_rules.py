# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alert rules ask for metrics that there are, fire when they should, and lead to a page that says what to do."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import yaml

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports import key_metrics
from ansible_collections.hpc.slurm_jwt.tests.unit.roles.monitoring import (
    FILES,
    FINGERPRINT,
    ROOT,
    names,
    written,
)

sys.path.insert(0, str(ROOT / "tests/stage"))
from prometheus import program  # noqa: E402

RULES = FILES / "prometheus_rules.yml"
SITE = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["documentation"]
PAGE = f"{SITE}/reference/docsite/guide_troubleshooting.html"


def rules():
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def test_every_metric_that_is_asked_for_is_written():
    asked = set(re.findall(r"slurm_jwt_\w+", " ".join(rule["expr"] for rule in rules().values())))
    # These are for people to look at.
    assert names(written()) - asked == {
        "slurm_jwt_token_renewal_timestamp_seconds",
        "slurm_jwt_key_info",
        "slurm_jwt_jwks_loaded_timestamp_seconds",
        "slurm_jwt_jwks_keys",
        "slurm_jwt_jwks_info",
    }
    assert asked <= names(written())


def test_the_names_are_one_family_with_units_at_their_end():
    for name in names(written()):
        assert re.fullmatch(r"slurm_jwt_(token|key|jwks)_[a-z_]+", name)
        assert re.search(r"_(timestamp_seconds|seconds|info|success|keys)$", name)
        assert f"# HELP {name} " in written() and f"# TYPE {name} gauge\n" in written()


def test_the_guide_has_each_metric_with_its_labels():
    guide = (ROOT / "docs/docsite/rst/guide_monitoring.rst").read_text(encoding="utf-8")
    rows = re.findall(r"   \* - ``(\w+)``\n     - (.+)\n", guide)
    series = re.findall(r"^(\w+){(.*)} ", written(), re.MULTILINE)
    assert {name: row.split(", ") for name, row in rows} == {
        name: re.findall(r'(\w+)="', labels) for name, labels in series
    }


def test_a_fingerprint_is_a_label_of_info_metrics_only():
    labelled = [line for line in written().splitlines() if FINGERPRINT in line]
    assert [line.partition("{")[0] for line in labelled] == ["slurm_jwt_jwks_info", "slurm_jwt_key_info"]
    assert all(line.endswith("} 1") for line in labelled)


def test_every_rule_says_how_bad_it_is_and_where_it_says_what_to_do():
    guide = (ROOT / "docs/docsite/rst/guide_troubleshooting.rst").read_text(encoding="utf-8")
    for name, rule in rules().items():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        notes = rule["annotations"]
        assert set(notes) == {"summary", "description", "runbook_url"}
        # A summary that differs from alert to alert cannot be grouped.
        assert "{{" not in notes["summary"] and notes["summary"].endswith(".")
        assert "{{" in notes["description"] and notes["description"].endswith(".")
        assert notes["runbook_url"] == f"{PAGE}#{name.lower()}"
        # Sphinx makes the anchor of a heading from its words.
        assert f"\n{name}\n{'^' * len(name)}\n" in guide


def test_promtool_has_no_complaint():
    for command in (["check", "rules", str(RULES)], ["check", "metrics"]):
        words = [program("promtool"), *command]
        done = subprocess.run(words, input=written(), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.strip()) == (0, ""), done.stdout


def test_the_text_is_what_prometheus_reads():
    text = written()
    assert 'slurm_jwt_token_expiry_timestamp_seconds{service="we\\"b",user="alice",file="/etc/web"} 5000\n' in text
    assert 'slurm_jwt_key_created_timestamp_seconds{file="/key"} 1795420800\n' in text
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) slurm_jwt_\w+ .+|slurm_jwt_\w+{[^{}]*} -?\d+", line)


def test_without_a_key_there_is_no_metric():
    assert key_metrics.metrics({}) == key_metrics.metrics({"slurm_jwt_observation": {"key": None}}) == ""


def test_after_a_rotation_the_key_is_the_new_one():
    old = {"path": "/key", "fingerprint": "SHA256:old", "created": "2026-11-23T08:00:00Z"}
    new = {"key_path": "/key", "fingerprint": "SHA256:new", "created": "2026-11-24T08:00:00Z"}
    seen = {"slurm_jwt_observation": {"key": old}, "slurm_jwt_unstaged_on_primary": new}
    assert 'fingerprint="SHA256:new"' in key_metrics.metrics(seen)
    seen["slurm_jwt_unstaged_on_primary"] = {"skipped": True}
    assert 'fingerprint="SHA256:old"' in key_metrics.metrics(seen)


@pytest.mark.parametrize("result", ["slurm_jwt_key_at_source", "slurm_jwt_key_at_target"])
def test_after_a_first_rollout_the_key_is_the_one_that_was_made(result):
    made = {"key_path": "/key", "fingerprint": "SHA256:new", "created": "2026-11-24T08:00:00Z"}
    assert 'fingerprint="SHA256:new"' in key_metrics.metrics({"slurm_jwt_observation": {"key": None}, result: made})


def test_the_key_is_the_one_that_signs():
    hs256 = {"path": "/hs", "fingerprint": "SHA256:hs", "created": "2026-11-23T08:00:00Z"}
    rs256 = {"key_path": "/rs", "fingerprint": "SHA256:rs", "created": "2026-11-23T08:00:00Z"}
    seen = {"slurm_jwt_observation": {"key": hs256}, "slurm_jwt_local_key": rs256}
    assert 'file="/rs",algorithm="RS256",fingerprint="SHA256:rs"' in key_metrics.metrics(seen, "RS256")
    assert 'file="/hs",algorithm="HS256",fingerprint="SHA256:hs"' in key_metrics.metrics(seen, "HS256")
    # The playbook tokens has not read the RS256 key.
    assert key_metrics.metrics({"slurm_jwt_tokens_controller": {"key": hs256}}, "RS256") == ""


# -- firing ------------------------------------------------------------------------------------------------------------

TOKEN = {"service": "web", "user": "alice", "file": "/etc/web", "instance": "svc1"}
KEY = {"file": "/key", "instance": "ctl1"}
JWKS = {"file": "/jwks.json", "instance": "ctl1"}
#: alert -> labels, metrics as promtool writes series (a sample a minute, or a day), last time without the alert, first
#: with it, what stands for {{ $value }} in its description
CASES = {
    "SlurmTokenExpired": (TOKEN, {"token_expiry_timestamp_seconds": "3600x90"}, "59m", "60m", ""),
    "SlurmTokenNotRenewed": (
        TOKEN, {"token_expiry_timestamp_seconds": "3600x90", "token_min_remaining_seconds": "1800x90"},
        "45m", "46m", "14m 0s",
    ),
    "SlurmTokenTimerStopped": (
        TOKEN, {"token_attempt_timestamp_seconds": "0x90", "token_attempt_interval_seconds": "300x90"},
        "16m", "17m", "17m 0s",
    ),
    # A failed attempt is repeated before it counts.
    "SlurmTokenRenewalFailing": (TOKEN, {"token_attempt_success": "0x9 1x4 0x60"}, "29m", "30m", ""),
    "SlurmClockDiffers": (TOKEN, {"token_clock_offset_seconds": "-60x10 -61x60"}, "25m", "26m", "61"),
    "SlurmKeyOld": (KEY, {"key_created_timestamp_seconds": "0x400"}, "366d", "367d", "367d 0h 0m 0s"),
    "SlurmKeySetTimerStopped": (
        JWKS, {"jwks_attempt_timestamp_seconds": "0x90", "jwks_attempt_interval_seconds": "300x90"},
        "16m", "17m", "17m 0s",
    ),
    "SlurmKeySetUpdateFailing": (JWKS, {"jwks_attempt_success": "0x9 1x4 0x60"}, "29m", "30m", ""),
    "SlurmKeySetSourceUnreachable": (JWKS, {"jwks_reached_timestamp_seconds": "0x800"}, "720m", "721m", "12h 1m 0s"),
}  # fmt: skip


def test_every_rule_has_a_case():
    assert set(CASES) == set(rules())


@pytest.mark.parametrize("name", CASES)
def test_it_fires(name, tmp_path):
    labels, series, quiet, fires, shown = CASES[name]
    rule = rules()[name]
    selector = ",".join(f'{label}="{value}"' for label, value in labels.items())
    description = rule["annotations"]["description"]
    assert ("$value" in description) == bool(shown)
    for placeholder in re.findall(r"\{\{[^}]+\}\}", description):
        text = shown if "$value" in placeholder else labels[placeholder.strip("{ }").rpartition(".")[2]]
        description = description.replace(placeholder, text)
    alert = {
        "exp_labels": {**labels, **rule["labels"]},
        "exp_annotations": {**rule["annotations"], "description": description},
    }
    test = {
        "interval": f"1{fires[-1]}",
        "input_series": [
            {"series": f"slurm_jwt_{metric}{{{selector}}}", "values": values} for metric, values in series.items()
        ],
        "alert_rule_test": [
            {"eval_time": quiet, "alertname": name, "exp_alerts": []},
            {"eval_time": fires, "alertname": name, "exp_alerts": [alert]},
        ],
    }
    path = tmp_path / "test.yml"
    content = {"rule_files": [str(RULES)], "evaluation_interval": test["interval"], "tests": [test]}
    path.write_text(json.dumps(content), encoding="utf-8")
    words = [program("promtool"), "test", "rules", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
