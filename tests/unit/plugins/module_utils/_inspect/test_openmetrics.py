# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
from typing import Any

import pytest

from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils._inspect.test_node import (
    DECLARED,
    GOOD_KEY,
    ME,
    Site,
    _site,
    codes,
)

assert _site, "the fixture site"

OFF = {"auth_alt_types_absent": ["auth/jwt"], "parameters": {"jwt_key": False}, "openmetrics": {"users": []}}
CLEAR_TEXT = ("warning", "metrics_clear_text")


def on(*users: str, key_path: str = "") -> dict[str, Any]:
    return {**DECLARED, "openmetrics": {"users": list(users or [ME]), "key_path": key_path}}


@pytest.fixture(name="metrics")
def _metrics(site: Site) -> Site:
    """A controller that can ask for tokens, with JWT."""
    site.release = "slurm 26.05.5"
    site.switch_on()
    site.runs("slurmctld", pid=0)
    return site


def found_by(site: Site, extra: str, declared: dict[str, Any]) -> list[tuple[str, str]]:
    """The problems that are not about this host's daemons, with these lines in slurm.conf."""
    jwt = f"AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key={site.key}\n"
    site.write_slurm_conf(jwt + extra)
    found = codes(site.look(["slurmctld"], declared=declared))
    return [each for each in found if each[1].startswith(("metrics_", "http_", "release_", "key_"))]


def test_what_a_rollout_would_change(metrics: Site) -> None:
    found = metrics.look(["slurmctld"], declared=on())
    key = f"{metrics.state}/openmetrics_hs256.key"
    assert [change["parameter"] for change in found["differences"]["slurm_conf"]] == [
        "MetricsType", "MetricsAuthUsers", "SlurmctldHttpAuthParameters",
    ]  # fmt: skip
    assert found["desired"]["slurm_conf"]["openmetrics"] == {
        "settings": {"MetricsType": "metrics/openmetrics", "MetricsAuthUsers": ME},
        "present": {"jwt_key": key},
        "absent": [],
    }
    assert (found["openmetrics"]["key_path"], found["openmetrics"]["key"]["exists"]) == (key, False)
    assert (found["openmetrics"]["serves"], found["openmetrics"]["in_force"]) == (False, None)


def test_nothing_is_declared(metrics: Site) -> None:
    found = metrics.look(["slurmctld"], declared=DECLARED)
    assert found["differences"]["slurm_conf"] == []
    assert "openmetrics" not in found["desired"]["slurm_conf"]
    assert found["openmetrics"]["key"] is None


def test_a_node_gets_the_same_lines(site: Site) -> None:
    site.release = "slurm 26.05.5"
    node = site.look(["node"], declared=on())
    controller = site.look(["slurmctld"], declared=on())
    assert node["desired"]["slurm_conf"] == controller["desired"]["slurm_conf"]
    assert node["openmetrics"] is None
    assert codes(node) == []


@pytest.mark.parametrize("component", ["slurmctld", "node", "slurmrestd"])
def test_earlier_releases_are_refused_on_every_host(site: Site, component: str) -> None:
    site.release = "slurm 25.11.7"
    found = site.look([component], declared=on())
    refusal = next(each for each in found["problems"] if each["code"] == "release_too_old")
    assert refusal["found"] == "Metrics under a token needs Slurm 26.05 or later; found 25.11.7."
    assert "refuse to run" in refusal["effect"]


def test_metrics_under_a_token(metrics: Site) -> None:
    assert found_by(metrics, "", on()) == [CLEAR_TEXT]


def test_users_who_do_not_exist(metrics: Site) -> None:
    assert ("error", "metrics_user_missing") in found_by(metrics, "", on("nobody-has-this-name"))


def test_nobody_is_not_served(metrics: Site) -> None:
    assert ("error", "metrics_user_nobody") in found_by(metrics, "", on("nobody"))


def test_http_is_switched_off(metrics: Site) -> None:
    line = "CommunicationParameters=NoAddrCache,disable_http\n"
    assert ("error", "http_disabled") in found_by(metrics, line, on())
    assert found_by(metrics, line + "MetricsType=metrics/openmetrics\n", DECLARED) == []


@pytest.mark.parametrize("member", ["use_jwt_client_ids", "use_jwt_client_ids_only"])
def test_tokens_that_choose_their_uid(metrics: Site, member: str) -> None:
    line = f"SlurmctldHttpAuthParameters={member}\n"
    assert ("error", "http_client_ids") in found_by(metrics, line, on())
    assert found_by(metrics, line, DECLARED) == [("warning", "http_client_ids")]


def test_one_file_for_both_keys(metrics: Site) -> None:
    assert ("error", "metrics_same_key") in found_by(metrics, "", on(key_path=str(metrics.key)))
    line = f"SlurmctldHttpAuthParameters=jwt_key={metrics.key}\n"
    assert found_by(metrics, line, DECLARED) == [("warning", "metrics_same_key")]


def test_two_files_with_one_key(metrics: Site) -> None:
    shutil.copy(metrics.key, metrics.state / "openmetrics_hs256.key")
    assert ("error", "metrics_same_key") in found_by(metrics, "", on())


def test_another_key_is_in_force(metrics: Site) -> None:
    line = f"SlurmctldHttpAuthParameters=jwt_key={metrics.root}/other.key\n"
    assert ("error", "metrics_key_elsewhere") in found_by(metrics, line, on())
    assert found_by(metrics, line, on(key_path=f"{metrics.root}/other.key")) == [CLEAR_TEXT]


def test_users_without_a_key(metrics: Site) -> None:
    assert found_by(metrics, f"MetricsAuthUsers={ME}\n", DECLARED) == [("warning", "metrics_without_key")]
    assert ("info", "metrics_without_key") in found_by(metrics, f"MetricsAuthUsers={ME}\n", on())


def test_metrics_open_to_all(metrics: Site) -> None:
    line = "MetricsType=metrics/openmetrics\n"
    assert found_by(metrics, line, DECLARED) == [("warning", "metrics_open")]
    assert found_by(metrics, line + "PrivateData=jobs\n", DECLARED) == []
    assert ("info", "metrics_open") in found_by(metrics, line, on())
    metrics.release = "slurm 25.11.7"
    assert found_by(metrics, line, DECLARED) == [("warning", "metrics_open")]
    metrics.release = "slurm 24.11.5"
    assert found_by(metrics, line, DECLARED) == []


@pytest.mark.parametrize("mode", [0o404, 0o604])
def test_a_key_that_others_can_read(metrics: Site, mode: int) -> None:
    key = metrics.state / "openmetrics_hs256.key"
    key.write_bytes(GOOD_KEY[::-1])
    key.chmod(mode)
    found = metrics.look(["slurmctld"], declared=on())
    problem = next(each for each in found["problems"] if each["code"] == "key_readable")
    assert problem["path"] == str(key)
    assert "can read metrics and slurmctld's configuration" in problem["effect"]


def test_a_removal_leaves_nothing_that_loads_the_key(metrics: Site) -> None:
    key = f"{metrics.state}/openmetrics_hs256.key"
    ours = f"MetricsType=metrics/openmetrics\nMetricsAuthUsers={ME}\nSlurmctldHttpAuthParameters=jwt_key={key}\n"
    assert ("error", "http_auth_left") not in found_by(metrics, ours, OFF)
    of_site = "SlurmctldHttpAuthParameters=jwt_key=/of/the/site\n"
    assert ("error", "http_auth_left") in found_by(metrics, of_site, OFF)


def test_a_removal_takes_back_what_a_rollout_wrote(metrics: Site) -> None:
    metrics.write_slurm_conf()
    first = metrics.slurm_conf.read_text()
    key = f"{metrics.state}/openmetrics_hs256.key"
    lines = f"MetricsAuthUsers={ME}\nSlurmctldHttpAuthParameters=jwt_key={key}\n"
    metrics.write_slurm_conf("MetricsType=metrics/openmetrics\n" + lines)
    edit = metrics.look(["slurmctld"], declared=OFF)["desired"]["slurm_conf"]["openmetrics"]
    assert edit == {"settings": {"MetricsType": None, "MetricsAuthUsers": None}, "present": {}, "absent": ["jwt_key"]}
    # The oldest copy says what was there before the first rollout.
    metrics.file("slurm.conf.20261101T000000Z~", first + "MetricsType=metrics/openmetrics\n")
    metrics.file("slurm.conf.20261102T000000Z~", first)
    edit = metrics.look(["slurmctld"], declared=OFF)["desired"]["slurm_conf"]["openmetrics"]
    assert edit["settings"] == {"MetricsAuthUsers": None}


def test_the_plugin_that_slurmd_would_load(site: Site) -> None:
    site.release = "slurm 26.05.5"
    site.write_slurm_conf("SlurmdHttpAuthParameters=jwt_key=/k\n")
    options = {"plugin_dir": str(site.root / "lib/slurm")}
    assert "is missing" not in site.look(["node"], **options)["problems"][0]["found"]
    (site.root / "lib/slurm/auth_jwt.so").unlink()
    problem = site.look(["node"], **options)["problems"][0]
    assert (problem["severity"], problem["code"]) == ("error", "slurmd_loads_key")
    assert "auth_jwt.so is missing on this host" in problem["found"]
