# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.lint import ConfFinding

TOP = "/etc/slurm/slurm.conf"


def problems(text: str, kind: str = "slurm") -> list[ConfFinding]:
    files = {TOP: text.encode(), "/etc/slurm/a.conf": b""}

    def read(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path]

    return Conf.load(TOP, read, kind).problems()


ON = "AuthAltTypes=auth/jwt\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ON + "AuthAltParameters=jwt_key=/a,jwks=/b,disable_token_creation,max_token_lifespan=5,userclaimfield=x\n",
        ON + 'AuthAltParameters="jwt_key=/a b" # comment\n',
        'NodeName=n CPUs=2 Reason="a b c" State=DOWN\nNodeName=m\nPartitionName=p Nodes=n,m  \n',
        "Prolog=/a\nProlog=/b\nSlurmctldHost=a\nSlurmctldHost=b\nNodeName=a\nNodeName=b\n",
        "AuthInfo=x\nAuthInfo=x\nInclude a.conf\nInclude a.conf # again\n",
        "AuthAltTypes=auth/jwt,auth/slurm,,auth/none\n",
        "# anything \\\n\n \t\r\n",
    ],
)
def test_sound_files_have_no_problem(text: str) -> None:
    assert problems(text) == []


@pytest.mark.parametrize(
    ("text", "severity", "line", "found"),
    [
        ("AuthInfo=a b\n", "error", 1, "text after the value of AuthInfo"),
        ("\nAuthInfo=a,\\\n  b\n", "error", 2, "text after the value of AuthInfo"),
        ("NodeName=n Reason=out of order\n", "error", 1, "text after the value of NodeName"),
        ("hello\n", "error", 1, "text that is not name=value"),
        ("Auth Type=x\n", "error", 1, "text that is not name=value"),
        ("AuthInfo= # nothing\n", "error", 1, "AuthInfo= without a value"),
        ("AuthInfo=a\0b\n", "warning", 1, "a NUL byte"),
        (" Include a.conf\n", "error", 1, "does not begin in the first column"),
        ("Include \n", "error", 1, "an Include without a file name"),
        ("Include a.conf", "error", 1, "an Include of a.conf with no blank or line feed"),
        ("Include a.conf#x\n", "error", 1, "an Include of a.conf with no blank or line feed"),
        ("Include a.conf x\n", "error", 1, "text after the value of Include"),
        ("Include %c.conf\n", "error", 1, "before ClusterName is set"),
        ("Include *.conf\n", "error", 1, "an Include of *.conf"),
        ("Include b.conf\n", "error", 1, "cannot be read: /etc/slurm/b.conf (No such file or directory)"),
        ("Include slurm.conf\n", "error", 1, "which is being read already"),
        ("NoSuchKey=1\n", "warning", 1, "NoSuchKey, which no release of Slurm"),
        ("DbdHost=1\n", "warning", 1, "DbdHost, which no release of Slurm"),
        ("AuthInfo=a\nAuthInfo=b\n", "warning", 2, f"AuthInfo with differing values in {TOP}:1, {TOP}:2"),
        ("AuthInfo+=a\n", "warning", 1, "AuthInfo+="),
        ("AuthAltTypes='auth/jwt'\n", "error", 1, "\"'auth/jwt'\" in AuthAltTypes"),
        ("AuthAltTypes=\u2018auth/jwt\u2019\n", "error", 1, "'\u2018auth/jwt\u2019' in AuthAltTypes"),
        ("AuthAltTypes=rest_auth/jwt\n", "error", 1, "'rest_auth/jwt' in AuthAltTypes (that is slurmrestd's plugin)"),
        ("AuthAltTypes=jwt\n", "warning", 1, "'jwt' in AuthAltTypes"),
        ("AuthAltTypes=Auth/JWT\n", "error", 1, "'Auth/JWT' in AuthAltTypes"),
        ('AuthAltTypes="x, auth/jwt"\n', "error", 1, "' auth/jwt' in AuthAltTypes"),
        ('AuthAltTypes="x, auth/y"\n', "error", 1, "' auth/y' in AuthAltTypes"),
        ('AuthAltTypes="auth/jwt",x\n', "error", 1, "'\"auth/jwt\"' in AuthAltTypes"),
        ("AuthAltTypes=auth/jwt#x\n", "warning", 1, "a # within AuthAltTypes"),
        ("AuthAltParameters=jwt_key=/a\n", "warning", 1, "AuthAltParameters with jwt_key, but no auth/jwt"),
        (ON + "AuthAltParameters=jwt_kex=/a\n", "warning", 2, "'jwt_kex=/a' in AuthAltParameters"),
        (ON + "AuthAltParameters=old_jwt_key=/a\n", "error", 2, "'old_jwt_key=/a' in AuthAltParameters"),
        (ON + "AuthAltParameters=jwt_key=/b,old_jwt_key=/a\n", "warning", 2, "'old_jwt_key=/a' in AuthAltParameters"),
        (ON + "AuthAltParameters=no_disable_token_creation\n", "warning", 2, "'no_disable_token_creation' in"),
        (ON + 'AuthAltParameters="x=1, jwt_key=/a"\n', "error", 2, "' jwt_key=/a' in AuthAltParameters"),
        (ON + 'AuthAltParameters="jwt_key=/a ,x"\n', "error", 2, "'jwt_key=/a ' in AuthAltParameters"),
        (ON + "AuthAltParameters=JWT_KEY=/a\n", "error", 2, "'JWT_KEY=/a' in AuthAltParameters"),
        (ON + "AuthAltParameters=jwt_key=\n", "error", 2, "'jwt_key=' in AuthAltParameters"),
        (ON + "AuthAltParameters=jwks\n", "error", 2, "'jwks' in AuthAltParameters"),
        (ON + "AuthAltParameters=jwt_key=a\n", "error", 2, "'jwt_key=a' in AuthAltParameters"),
        (ON + 'AuthAltParameters=jwt_key="/a"\n', "error", 2, "'jwt_key=\"/a\"' in AuthAltParameters"),
        (ON + "AuthAltParameters=jwt_key=/a,jwt_key=/b\n", "warning", 2, "jwt_key more than once"),
        (ON + "AuthAltParameters=max_token_lifespan=1h\n", "warning", 2, "'max_token_lifespan=1h' in"),
        (ON + "AuthAltParameters=disable_token_creation=no\n", "warning", 2, "'disable_token_creation=no' in"),
        (ON + 'AuthAltParameters="jwt_key=/a#b"\n', "warning", 2, "a # within AuthAltParameters"),
    ],
)
def test_problems_are_named(text: str, severity: str, line: int, found: str) -> None:
    matches = [problem for problem in problems(text) if found in problem.found]
    assert len(matches) == 1, problems(text)
    assert (matches[0].severity, matches[0].line, matches[0].path) == (severity, line, TOP)
    assert matches[0].effect.endswith(".") and matches[0].remedy.endswith(".")


def test_slurmdbd_needs_a_key() -> None:
    assert "without jwt_key= or jwks=" in problems(ON, "slurmdbd")[0].found
    assert problems(ON + "AuthAltParameters=jwks=/a\n", "slurmdbd") == []
    hidden = problems(ON + 'AuthAltParameters="disable_token_creation, jwks=/a"\n', "slurmdbd")
    assert any("without jwt_key= or jwks=" in problem.found for problem in hidden)


def test_no_password_is_repeated() -> None:
    text = "StoragePass=geheim word\nStoragePass=geheim2\ngeheim3\nStoragePass+=geheim4\nNoPass=geheim5\\\n  geheim6\n"
    matches = problems(text, "slurmdbd")
    assert len(matches) > 4
    assert "geheim" not in repr(matches)


def test_problems_are_in_the_order_of_the_lines() -> None:
    assert [problem.line for problem in problems("x\nAuthAltTypes=jwt\ny\nAuthInfo+=1\nNodeName=a b\n")] == [
        1,
        2,
        3,
        4,
        5,
    ]
