# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import auth_alt
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf

KEY = "/var/spool/slurmctld/jwt_hs256.key"


def conf(text: str, kind: str = "slurm") -> Conf:
    path = f"/etc/slurm/{kind}.conf"
    return Conf.load(path, {path: text.encode()}.__getitem__, kind)


def read(text: str, default_key: str | None = KEY) -> auth_alt.AuthAlt:
    return auth_alt.read(conf(text), default_key)


def test_nothing_said() -> None:
    assert read("ClusterName=c\n") == ([], {}, False, KEY, None)
    assert read("ClusterName=c\n", None).key_path is None


def test_switched_on() -> None:
    text = "authalttypes = auth/jwt\nAuthAltParameters=disable_token_creation,jwt_key=/a/b,max_token_lifespan=60\n"
    settings = read(text)
    assert settings.enabled
    assert settings.types == ["auth/jwt"]
    assert settings.parameters == {"disable_token_creation": "", "jwt_key": "/a/b", "max_token_lifespan": "60"}
    assert settings.key_path == "/a/b"


def test_jwks_alone_loads_no_other_key() -> None:
    settings = read("AuthAltTypes=auth/jwt\nAuthAltParameters=jwks=/a/jwks.json\n")
    assert (settings.key_path, settings.jwks_path) == (None, "/a/jwks.json")
    both = read("AuthAltTypes=auth/jwt\nAuthAltParameters=jwks=/a/jwks.json,jwt_key=/a/b\n")
    assert (both.key_path, both.jwks_path) == ("/a/b", "/a/jwks.json")


def test_options_after_a_blank_do_not_count() -> None:
    settings = read('AuthAltTypes=auth/jwt\nAuthAltParameters="userclaimfield=u, jwt_key=/a/b"\n')
    assert settings.parameters == {"userclaimfield": "u"}
    assert settings.key_path == KEY


def declare(**options: Any) -> auth_alt.DeclaredAuthAlt:
    return auth_alt.declare(options, KEY, None)


def test_an_empty_path_is_the_one_of_the_host() -> None:
    for empty in (None, ""):
        assert declare(parameters={"jwt_key": empty}).parameters == {"jwt_key": KEY}
    assert declare(parameters={"jwt_key": "/other"}).parameters == {"jwt_key": "/other"}


def test_a_path_that_is_not_known_here() -> None:
    declared = auth_alt.declare({"parameters": {"jwt_key": None, "jwks": ""}}, None, None)
    assert declared.parameters == {}
    assert declared.unknown == ["jwt_key", "jwks"]


def test_flags() -> None:
    parameters = {"disable_token_creation": True, "use_jwt_client_ids": False}
    declared = declare(parameters=parameters, parameters_absent=["x"])
    assert declared.parameters == {"disable_token_creation": None}
    assert declared.parameters_absent == ["x", "use_jwt_client_ids"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"userclaimfield": None}, "userclaimfield has no value"),
        ({"userclaimfield": ""}, "userclaimfield has no value"),
        ({"max_token_lifespan": True}, "max_token_lifespan needs a value"),
        ({"max_token_lifespan": 0}, "number of seconds"),
        ({"max_token_lifespan": "-1"}, "number of seconds"),
        ({"max_token_lifespan": "infinite"}, "number of seconds"),
        ({"max_token_lifespan": "1800x"}, "number of seconds"),
        ({"jwt_key": "jwt.key"}, "absolute path"),
        ({"jwt_key": "/a,b"}, "comma"),
        ({"userclaimfield": "a b"}, "blank"),
        ({"userclaimfield": "a#b"}, "the value would end at"),
        ({"disable_token_creation": "yes"}, "is a flag without a value"),
        ({"a=b": "c"}, "letters, digits"),
    ],
)
def test_declarations_that_make_no_sense(parameters: dict[str, Any], expected: str) -> None:
    with pytest.raises(auth_alt.DeclaredError, match=expected):
        declare(parameters=parameters)


def test_present_and_absent_at_once() -> None:
    with pytest.raises(auth_alt.DeclaredError, match="jwt_key both"):
        declare(parameters={"jwt_key": None}, parameters_absent=["jwt_key"])


def test_slurmdbd_gets_only_what_it_reads() -> None:
    declared = declare(
        parameters={"jwt_key": None, "max_token_lifespan": 60, "disable_token_creation": True, "userclaimfield": "u"},
        parameters_absent=["disable_token_creation_x"],
    )
    assert auth_alt.for_slurmdbd(declared).parameters == {"jwt_key": KEY, "userclaimfield": "u"}
    assert auth_alt.for_slurmdbd(declare(parameters={"max_token_lifespan": False})).parameters_absent == []


DECLARED = {"auth_alt_types": ["auth/jwt"], "parameters": {"jwt_key": None, "disable_token_creation": True}}


def test_first_rollout() -> None:
    file = conf("ClusterName=c\nAuthType=auth/munge\n")
    edited, differences = auth_alt.apply(file, declare(**DECLARED))
    assert differences == [
        {"parameter": "AuthAltTypes", "before": None, "after": "auth/jwt", "path": "/etc/slurm/slurm.conf"},
        {
            "parameter": "AuthAltParameters",
            "before": None,
            "after": f"jwt_key={KEY},disable_token_creation",
            "path": "/etc/slurm/slurm.conf",
        },
    ]
    assert edited.data != file.data


def test_second_rollout() -> None:
    file = conf(f"AuthAltTypes=auth/jwt\nAuthAltParameters=userclaimfield=u,disable_token_creation,jwt_key={KEY}\n")
    edited, differences = auth_alt.apply(file, declare(**DECLARED))
    assert differences == []
    assert edited.data == file.data


def test_removal() -> None:
    file = conf(f"ClusterName=c\nAuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key={KEY}\n")
    declared = declare(auth_alt_types_absent=["auth/jwt"], parameters_absent=["jwt_key"])
    _edited, differences = auth_alt.apply(file, declared)
    assert [(change["parameter"], change["after"]) for change in differences] == [
        ("AuthAltTypes", None),
        ("AuthAltParameters", None),
    ]


def test_a_path_to_come_is_a_difference() -> None:
    declared = auth_alt.declare(DECLARED, None, None)
    file = conf("AuthAltTypes=auth/jwt\nAuthAltParameters=disable_token_creation\n", "slurmdbd")
    edited, differences = auth_alt.apply(file, auth_alt.for_slurmdbd(declared))
    assert differences == [
        {
            "parameter": "AuthAltParameters",
            "before": "disable_token_creation",
            "after": None,
            "path": "/etc/slurm/slurmdbd.conf",
        }
    ]
    assert not [problem for problem in edited.problems() if problem.severity == "error"]


def test_needed_capabilities() -> None:
    assert auth_alt.needed(declare()) == []
    assert auth_alt.needed(declare(**DECLARED)) == ["auth_jwt"]
    declared = auth_alt.declare({"parameters": {"jwks": None, "userclaimfield": "u", "unheard_of": "x"}}, None, None)
    assert auth_alt.needed(declared) == ["userclaimfield", "jwks"]
