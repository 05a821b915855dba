# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import releases
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release

DEBIAN_11 = Release(20, 11, 4)
DEBIAN_12 = Release(22, 5, 8)
DEBIAN_13 = Release(24, 11, 5)
DEBIAN_SID = Release(26, 5, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("slurm 24.11.5\n", Release(24, 11, 5)),
        ("slurm-wlm 20.11.4", Release(20, 11, 4)),
        ("24.11", Release(24, 11, 0)),
        ("slurm 23.11.0-0rc1", Release(23, 11, 0)),
        ("26.05.5-1", Release(26, 5, 5)),
        ("  slurm 22.05.11  ", Release(22, 5, 11)),
    ],
)
def test_parse(text: str, expected: Release) -> None:
    assert releases.parse(text) == expected


@pytest.mark.parametrize("text", ["", "slurm", "slurmctld: fatal: no such file", "24", "v1"])
def test_parse_refuses_what_is_no_release(text: str) -> None:
    with pytest.raises(ValueError, match="names no release of Slurm"):
        releases.parse(text)


@pytest.mark.parametrize(
    ("rc", "out", "expected"),
    [
        (0, "slurm 25.11.7\n", Release(25, 11, 7)),
        (0, "slurm-wlm 24.11.5\n", Release(24, 11, 5)),
        (0, "slurm 24.05.4-site1\n", Release(24, 5, 4)),
        (0, "slurm 26.05\n", Release(26, 5, 0)),
        # What slurmdbd says of a slurmdbd.conf that it cannot read, in this very second.
        (1, "[2026-11-29T09:36:18.046] error: Unable to read slurmdbd.conf\n", None),
        (0, "[2026-11-29T09:36:27.61] fatal: no\n", None),
        (1, "slurm 24.11.5\n", None),
        (0, "nginx version: 1.26.3", None),
        (0, "slurm 1.26.3", None),
        (0, "", None),
    ],
)
def test_a_program_tells_its_release_or_nothing(rc: int, out: str, expected: Release | None) -> None:
    assert releases.of_program(rc, out) == expected


def test_releases_are_written_as_slurm_writes_them() -> None:
    assert str(Release(22, 5, 8)) == "22.05.8"
    assert str(Release(24, 11)) == "24.11.0"
    assert Release(22, 5, 8).train == "22.05"


def test_releases_compare_as_numbers() -> None:
    assert Release(24, 5, 10) > Release(24, 5, 4) > Release(23, 11, 11)


# slurm-facts §0, the table of the four releases at a glance.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("auth_jwt", (True, True, True, True)),
        ("jwks", (False, True, True, True)),
        ("userclaimfield", (False, False, True, True)),
        ("max_token_lifespan", (False, True, True, True)),
        ("insecure_key_fatal", (False, False, True, True)),
        ("reconfigure_reloads_auth", (False, False, True, True)),
        ("username_claim", (False, True, True, True)),
        ("slurmrestd_refuses_root", (False, True, True, True)),
        ("slurmrestd_refuses_slurm_user", (False, False, True, True)),
        ("slurmrestd_security_env", (False, True, True, True)),
        ("slurmrestd_survives_slurmdbd_restart", (False, True, True, True)),
        ("slurmrestd_sockets_for_all", (False, True, True, True)),
        ("bearer_header", (False, False, True, True)),
        ("name_header_optional", (False, False, True, True)),
        ("auth_failure_reply", (False, False, True, True)),
        ("slurmdbd_conf_group_readable", (False, False, False, True)),
        ("infinite_lifespan", (False, False, True, True)),
        ("lifespan_bounds", (False, False, True, True)),
        ("name_override_safe_in_slurmdbd", (False, True, True, True)),
        ("reject_blank_member", (False, False, True, True)),
        ("bare_type_name", (False, False, True, True)),
        ("rest_plugins_by_daemon", (False, False, True, True)),
        ("job_environment_carries_token", (True, True, True, False)),
        ("client_ids", (False, False, False, True)),
        ("openmetrics", (False, False, False, True)),
        ("http_auth", (False, False, False, True)),
    ],
)
def test_the_four_releases(name: str, expected: tuple[bool, ...]) -> None:
    found = tuple(releases.has(release, name) for release in (DEBIAN_11, DEBIAN_12, DEBIAN_13, DEBIAN_SID))
    assert found == expected


# Where the facts say each begins; the four releases above cannot tell 23.02 from 24.11.
SINCE = {
    "20.02": ("auth_jwt", "job_environment_carries_token"),
    "20.11.6": ("name_override_safe_in_slurmdbd",),
    "21.08": ("jwks", "username_claim", "slurmrestd_refuses_root", "slurmrestd_security_env"),
    "22.05": ("max_token_lifespan", "slurmrestd_survives_slurmdbd_restart"),
    "22.05.7": ("slurmrestd_sockets_for_all",),
    "23.02": ("userclaimfield", "lifespan_bounds", "bearer_header", "name_header_optional"),
    "23.11": (
        "reconfigure_reloads_auth",
        "insecure_key_fatal",
        "reject_blank_member",
        "bare_type_name",
        "rest_plugins_by_daemon",
    ),
    "23.11.2": ("infinite_lifespan",),
    "24.05.4": ("slurmrestd_refuses_slurm_user",),
    "24.11": ("auth_failure_reply",),
    "25.11": ("slurmdbd_conf_group_readable", "openmetrics"),
    "26.05": ("client_ids", "http_auth"),
}


def test_the_first_release_of_each() -> None:
    found = {capability.name: capability.since for capability in releases.CAPABILITIES}
    assert found == {name: releases.parse(since) for since, names in SINCE.items() for name in names}


def test_the_table_above_is_complete() -> None:
    tested = {case[0] for case in test_the_four_releases.pytestmark[0].args[1]}  # type: ignore[attr-defined]
    assert tested == {capability.name for capability in releases.CAPABILITIES}
    assert len(tested) == len(releases.CAPABILITIES)


def test_the_patch_release_counts() -> None:
    assert not releases.has(Release(23, 11, 1), "infinite_lifespan")
    assert releases.has(Release(23, 11, 2), "infinite_lifespan")
    assert not releases.has(Release(24, 5, 3), "slurmrestd_refuses_slurm_user")


def test_demand_names_both_releases() -> None:
    releases.demand(DEBIAN_12, "jwks")
    with pytest.raises(releases.ReleaseTooOld) as error:
        releases.demand(DEBIAN_11, "jwks")
    assert str(error.value) == "jwks= needs Slurm 21.08 or later; found 20.11.4."
    with pytest.raises(releases.ReleaseTooOld, match=r"needs Slurm 24\.05\.4 or later; found 22\.05\.8\."):
        releases.demand(DEBIAN_12, "slurmrestd_refuses_slurm_user")


def test_demand_says_what_has_ended() -> None:
    with pytest.raises(releases.ReleaseTooOld, match=r"ended with Slurm 26\.05; found 26\.05\.5\."):
        releases.demand(DEBIAN_SID, "job_environment_carries_token")


def test_an_unknown_name_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        releases.has(DEBIAN_13, "no_such_thing")


def test_capabilities_by_name() -> None:
    found = releases.capabilities(DEBIAN_12)
    assert found["jwks"] is True
    assert found["userclaimfield"] is False
    assert list(found) == [capability.name for capability in releases.CAPABILITIES]


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (DEBIAN_11, ["v0.0.35", "v0.0.36"]),
        (DEBIAN_12, ["v0.0.36", "v0.0.37", "v0.0.38"]),
        (Release(21, 8, 8), ["v0.0.35", "v0.0.36", "v0.0.37"]),
        (Release(23, 2, 8), ["v0.0.37", "v0.0.38", "v0.0.39"]),
        (Release(23, 11, 10), ["v0.0.38", "v0.0.39", "v0.0.40"]),
        (Release(24, 5, 8), ["v0.0.39", "v0.0.40", "v0.0.41"]),
        (Release(25, 5, 0), ["v0.0.40", "v0.0.41", "v0.0.42", "v0.0.43"]),
        (Release(25, 11, 7), ["v0.0.41", "v0.0.42", "v0.0.43", "v0.0.44"]),
        (DEBIAN_13, ["v0.0.40", "v0.0.41", "v0.0.42"]),
        (DEBIAN_SID, ["v0.0.42", "v0.0.43", "v0.0.44", "v0.0.45"]),
        (Release(27, 5), ["v0.0.43", "v0.0.44", "v0.0.45", "v0.0.46"]),
        (Release(19, 5), []),
    ],
)
def test_rest_versions(release: Release, expected: list[str]) -> None:
    assert releases.rest_versions(release) == expected


def test_the_first_rest_versions_had_no_slurmdb() -> None:
    assert releases.rest_versions(DEBIAN_11, slurmdb=True) == ["v0.0.36"]
    assert releases.rest_versions(Release(21, 8, 8), slurmdb=True) == ["v0.0.36", "v0.0.37"]
    assert releases.rest_versions(DEBIAN_13, slurmdb=True) == releases.rest_versions(DEBIAN_13)
