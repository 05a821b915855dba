# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import openmetrics
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.auth_alt import DeclaredError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.openmetrics import DeclaredOpenMetrics

BEFORE = "ClusterName=c\nStateSaveLocation=/state\nNodeName=n1\n"
KEY = "/state/openmetrics_hs256.key"
ON = DeclaredOpenMetrics(["prometheus"], KEY)
OFF = DeclaredOpenMetrics([], KEY)


def conf(text: str) -> Conf:
    return Conf.load("/slurm.conf", {"/slurm.conf": text.encode()}.__getitem__)


def text(read: Conf) -> str:
    return read.data["/slurm.conf"].decode()


def applied(before: str, declared: DeclaredOpenMetrics, first: Conf | None = None) -> str:
    return text(openmetrics.apply(conf(before), openmetrics.edit(conf(before), declared, first))[0])


def test_on_and_off_again_changes_no_byte() -> None:
    on = applied(BEFORE, ON)
    assert set(on.splitlines()) - set(BEFORE.splitlines()) == {
        "MetricsType=metrics/openmetrics",
        "MetricsAuthUsers=prometheus",
        f"SlurmctldHttpAuthParameters=jwt_key={KEY}",
    }
    assert applied(on, OFF) == BEFORE


def test_what_differs() -> None:
    edits = openmetrics.edit(conf(BEFORE), ON)
    after, differences = openmetrics.apply(conf(BEFORE), edits)
    assert [(each["parameter"], each["before"], each["after"]) for each in differences] == [
        ("MetricsType", None, "metrics/openmetrics"),
        ("MetricsAuthUsers", None, "prometheus"),
        ("SlurmctldHttpAuthParameters", None, f"jwt_key={KEY}"),
    ]
    assert openmetrics.apply(after, openmetrics.edit(after, ON))[1] == []
    assert openmetrics.read(after) == openmetrics.OpenMetrics(
        True, ["prometheus"], KEY, f"jwt_key={KEY}", private=False, http=True
    )


def test_users_in_another_order_are_the_same() -> None:
    two = DeclaredOpenMetrics(["a", "b"], KEY)
    text = applied(BEFORE, DeclaredOpenMetrics(["b", "a"], KEY))
    assert applied(text, two) == text
    assert "MetricsAuthUsers=a\n" in applied(text, DeclaredOpenMetrics(["a"], KEY))


def test_another_key_is_not_switched_off() -> None:
    of_site = BEFORE + "MetricsAuthUsers=x\nSlurmctldHttpAuthParameters=jwt_key=/of/the/site\n"
    assert applied(of_site, OFF) == of_site


def test_metrics_that_were_served_before_are_served_again() -> None:
    served = BEFORE + "MetricsType=metrics/openmetrics\n"
    on = applied(served, ON)
    assert applied(on, OFF, conf(served)) == served
    assert "MetricsType" not in applied(on, OFF, conf(BEFORE)), "a rollout switched them on"
    assert "MetricsType" not in applied(on, OFF), "better none than open to all"


def test_other_members_stay() -> None:
    with_claim = BEFORE + "SlurmctldHttpAuthParameters=userclaimfield=name\n"
    on = applied(with_claim, ON)
    assert f"SlurmctldHttpAuthParameters=userclaimfield=name,jwt_key={KEY}\n" in on
    assert applied(on, OFF) == with_claim


@pytest.mark.parametrize(
    ("line", "private"),
    [
        ("", False),
        ("PrivateData=none", False),
        ("PrivateData=jobs", True),
        ("PrivateData=jobs\nMetricsParameters=ignore_private_data", False),
    ],
)
def test_private_data(line: str, private: bool) -> None:
    assert openmetrics.read(conf(f"ClusterName=c\n{line}\n")).private is private


def test_declarations() -> None:
    assert openmetrics.declare(None, "/state") is None
    assert openmetrics.declare({"users": None}, "/state") is None
    assert openmetrics.declare({"users": [], "key_path": ""}, "/state") == OFF
    assert openmetrics.declare({"users": ["prometheus", "prometheus"], "key_path": None}, "/state") == ON
    assert openmetrics.declare({"users": ["p"], "key_path": "/k"}, "/state") == DeclaredOpenMetrics(["p"], "/k")


@pytest.mark.parametrize("user", ["", "0", "a,b", "a b", "*", "a=b"])
def test_users_that_would_be_misread(user: str) -> None:
    with pytest.raises(DeclaredError, match="openmetrics.users"):
        openmetrics.declare({"users": [user]}, "/state")


@pytest.mark.parametrize("path", ["relative/key", "/with blank", "/with,comma", "/with#hash"])
def test_paths_that_would_be_misread(path: str) -> None:
    with pytest.raises(DeclaredError, match="openmetrics.key_path"):
        openmetrics.declare({"users": ["p"], "key_path": path}, "/state")
