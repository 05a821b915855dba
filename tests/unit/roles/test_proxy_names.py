# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names the proxy takes, and whom they stand for."""

from __future__ import annotations

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "roles/slurm_jwt_proxy/files"))

import errors
import names
import password_file
import policy

KELVIN = "\u212a"  # in lower case it is "k"


def mapped(name, table=None, domains=(), lower_case=False):
    return names.user_name(name, names.NameMap(table or {}, domains, lower_case))


@pytest.mark.parametrize(
    "name",
    [
        KELVIN + "im", "kim@" + KELVIN + "arma.example", "kim\u00a0", "\u3000kim", "ki\u200bm", "kim\x1f", "kim\x85",
        "ſim", "kim\u0661", "ＫＩＭ", "k\u0131m", " kim", "kim ", "\tkim", "", "k" * 257,
    ],
)
def test_only_ascii_is_mapped(name):
    """Even if the table has an entry for the name."""
    with pytest.raises(errors.Refused):
        mapped(name, {name: "kim"}, ("karma.example",), lower_case=True)


@pytest.mark.parametrize("user", ["0", "00", "12\n", "kim\n", "-kim", "k/m", "k" * 65, "$", "kim$$"])
def test_invalid_users(user):
    with pytest.raises(errors.Refused, match="can be called that"):
        mapped("x", {"x": user})


def test_a_table_that_no_name_can_match():
    for members in (
        {"names": {KELVIN + "im": "kim"}}, {"names": {" kim": "kim"}}, {"names": {"kim": "0"}},
        {"domains": (KELVIN + "arma.example",)}, {"subject": "CN=x"}, {"subject": "2.5.4.3"},
    ):
        with pytest.raises(errors.PolicyError):
            policy.check_names(policy.Policy("slurm", 1000, **members))
    policy.check_names(policy.Policy("slurm", 1000, subject="UID", names={"Liddell, Alice": "alice"}, domains=("x.y",)))


def test_names_in_a_password_file():
    for code in range(256):
        for name in (chr(code), "a" + chr(code), chr(code) + "a", "a" + chr(code) + "a"):
            if password_file.NAME.fullmatch(name):
                assert names.NAME.fullmatch(name), name
            elif names.NAME.fullmatch(name):
                assert ":" in name or name.startswith("#")


@pytest.mark.parametrize(
    ("subject", "value"),
    [
        ("CN=alice,O=Lab", "alice"),
        ("O=Lab,CN=alice", "alice"),
        (r"CN=Liddell\, Alice,O=Lab", "Liddell, Alice"),
        (r"CN=a\2Cb", "a,b"),
        (r"CN=\#a", "#a"),
        ("CN=a=b", "a=b"),
        (r"O=x\,CN=root,CN=alice", "alice"),
        (r"O=x\\,CN=alice", "alice"),
        (r"O=a\+CN=root,CN=alice", "alice"),
        (r"O=Universit\C3\A4t,CN=alice", "alice"),
        ("OU=a+L=b,CN=alice", "alice"),
        # An attribute that OpenSSL has no name for, and a value that is not text.
        ("1.2.3.4=#0C05616C696365,CN=alice", "alice"),
        # Two attributes, 2.5.4.3 and something else.
        ("cn=root,CN=alice", "alice"),
        ("emailAddress=alice@example.org,CN=alice", "alice"),
    ],
)
def test_subjects(subject, value):
    assert names.attribute(subject, "CN") == value


@pytest.mark.parametrize(
    "subject",
    [
        "", "O=Lab", "CN=alice,CN=root", "CN=alice+CN=root", "CN=alice,root", "alice", "cn=alice", "Cn=alice",
        "CN=alice+UID=x", "UID=x+CN=alice,O=Lab", "2.5.4.3=alice", "CN =alice", " CN=alice", "CN=alice,", ",CN=alice",
        "CN=alice;O=Lab", 'CN="alice"', 'O="x",CN=alice', "CN=#0C05616C696365", "CN= alice", "CN=alice ", "CN=al\0ice",
        "CN=al\x7fice", "CN=alicé", "O=Labé,CN=alice", r"CN=alice\x", "CN=alice\\", r"CN=alice\0", "CN=a<b", "CN=a>b",
        # Apache's and OpenSSL's old format, where nothing is escaped.
        "/O=Lab/CN=alice", "/O=x,CN=alice", "O = Lab, CN = alice", "=x,CN=alice", "CN=alice" + ",O=x" * 2000,
    ],
)
def test_ambiguous_subjects(subject):
    with pytest.raises(errors.Refused):
        names.attribute(subject, "CN")


def test_uid_is_not_UID():
    assert names.attribute("UID=alice,uid=root", "UID") == "alice"
    assert names.attribute("UID=alice,uid=root", "uid") == "root"
    with pytest.raises(errors.Refused, match="0 values of UID instead of one. It has O, uid"):
        names.attribute("uid=root,O=Lab", "UID")


@pytest.mark.parametrize(
    "subject", [r"CN=\E2\84\AAim", r"CN=kim\C2\A0", r"CN=kim\00", r"CN=kim\0A", r"CN=\FF", r"CN=\ kim"]
)
def test_escapes_do_not_get_around_ascii(subject):
    with pytest.raises(errors.Refused):
        mapped(names.attribute(subject, "CN"), lower_case=True)
