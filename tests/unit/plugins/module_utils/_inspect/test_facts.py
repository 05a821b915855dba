# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import facts

SLURM = """\
ClusterName=lab
SlurmctldHost=ctl1(10.0.0.1)
SlurmctldHost=ctl2
SlurmUser=slurm
SlurmctldParameters=idle_on_node_suspend,Enable_Configless
StateSaveLocation=/var/lib/slurm/slurmctld
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=dbd1
SlurmctldPort=6820-6823
Include extra.conf
"""
EXTRA = "AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key=/k\n"


def conf(text: str) -> Conf:
    return Conf.load("/slurm.conf", {"/slurm.conf": text.encode()}.__getitem__)


@pytest.fixture(name="slurm")
def _slurm(tmp_path: pathlib.Path) -> facts.ConfFile:
    (tmp_path / "slurm.conf").write_text(SLURM)
    (tmp_path / "slurm.conf").chmod(0o644)
    (tmp_path / "extra.conf").write_text(EXTRA)
    return facts.load(str(tmp_path / "slurm.conf"), "slurm")


def test_slurm_conf(slurm: facts.ConfFile, tmp_path: pathlib.Path) -> None:
    found = facts.slurm_conf(slurm)
    assert found["files"] == [str(tmp_path / "slurm.conf"), str(tmp_path / "extra.conf")]
    assert found["controllers"] == [{"name": "ctl1", "address": "10.0.0.1"}, {"name": "ctl2", "address": "ctl2"}]
    assert found["enable_configless"] is True
    assert found["accounting"] is True
    assert found["slurmctld_port"] == 6820
    assert found["slurmdbd_port"] == 6819
    assert found["jwt_enabled"] is True
    assert found["key_path"] == "/k"
    assert found["mode"] == "0644"
    assert found["auth_type"] is None


def test_the_checksum_tells_included_files_too(slurm: facts.ConfFile, tmp_path: pathlib.Path) -> None:
    before = facts.slurm_conf(slurm)["checksum"]
    (tmp_path / "extra.conf").write_text(EXTRA + "# one comment more\n")
    again = facts.slurm_conf(facts.load(str(tmp_path / "slurm.conf"), "slurm"))["checksum"]
    assert before != again


def test_an_included_folder_is_empty_as_it_is_for_slurm(tmp_path: pathlib.Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "slurm.conf").write_text("ClusterName=lab\nInclude conf.d\n")
    file = facts.load(str(tmp_path / "slurm.conf"), "slurm")
    assert file.conf.problems() == []
    assert facts.slurm_conf(file)["files"] == [str(tmp_path / "slurm.conf"), str(tmp_path / "conf.d")]


def test_what_the_file_has_of_jwt(slurm: facts.ConfFile) -> None:
    nothing = dict.fromkeys(("MetricsType", "MetricsAuthUsers", "SlurmctldHttpAuthParameters"))
    assert slurm.written == {"AuthAltTypes": "auth/jwt", "AuthAltParameters": "jwt_key=/k", **nothing}
    assert facts.slurm_conf(slurm)["auth_alt_types"] == ["auth/jwt"]


def test_slurmdbd_conf_knows_no_default_key(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "any.conf"
    path.write_text("DbdHost=dbd1\nDbdPort=7000\nAuthAltTypes=auth/jwt\n")
    found = facts.slurmdbd_conf(facts.load(str(path), "slurmdbd"))
    assert (found["dbd_host"], found["dbd_port"], found["key_path"]) == ("dbd1", 7000, None)
    assert found["slurm_user"] == "root", "Slurm's own default"


def test_slurmdbd_knows_whether_it_stands_by(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "any.conf"
    path.write_text("DbdHost=dbd1\nDbdBackupHost=dbd2\n")
    for name, stands_by in (("dbd1", False), ("dbd2", True), ("dbd2.example.org", True), ("dbd20", False)):
        monkeypatch.setattr(facts.os, "uname", lambda name=name: os.uname_result(("Linux", name, "", "", "")))
        assert facts.slurmdbd_conf(facts.load(str(path), "slurmdbd"))["standby"] is stands_by, name


def test_the_default_key() -> None:
    assert facts.default_key(conf("StateSaveLocation=/state\n")) == "/state/jwt_hs256.key"
    assert facts.default_key(conf("ClusterName=c\n")) == "/var/spool/jwt_hs256.key"


def test_controllers_of_old_files() -> None:
    text = "ControlMachine=a\nControlAddr=10.0.0.1\nBackupController=b\n"
    assert facts.controllers(conf(text)) == [{"name": "a", "address": "10.0.0.1"}, {"name": "b", "address": "b"}]
    assert facts.controllers(conf("ClusterName=c\n")) == []


@pytest.mark.parametrize(
    ("hostname", "expected"), [("ctl1", 0), ("ctl2.example.org", 1), ("CTL1", 0), ("ctl", None), ("ctl11", None)]
)
def test_which_controller_a_host_is(hostname: str, expected: int | None) -> None:
    names = [{"name": "ctl1.cluster", "address": "x"}, {"name": "ctl2", "address": "y"}]
    assert facts.position(names, hostname) == expected


@pytest.mark.parametrize(("value", "expected"), [(None, 1), ("", 1), ("7000", 7000), ("6820-6823", 6820), ("x", 1)])
def test_ports(value: str | None, expected: int) -> None:
    assert facts.port(value, 1) == expected


def test_the_identity_of_a_folder(tmp_path: pathlib.Path) -> None:
    assert facts.identity(str(tmp_path)) is None
    (tmp_path / "clustername").write_text("lab\n")
    link = tmp_path.parent / f"{tmp_path.name}.link"
    link.symlink_to(tmp_path)
    found = facts.identity(str(tmp_path))
    assert found is not None
    assert found == facts.identity(str(link))
    other = tmp_path / "other"
    other.mkdir()
    (other / "clustername").write_text("lab\n")
    assert facts.identity(str(other)) != found


# What scontrol show config of 24.11 prints, and sacctmgr show configuration.
SHOWN = """\
Configuration data as of 2026-11-23T04:00:00
AccountingStorageBackupHost = (null)
AuthAltTypes            = auth/jwt
AuthAltParameters       = jwt_key=/k,disable_token_creation
AuthInfo                = (null)
"""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"AuthAltTypes": "auth/jwt", "AuthAltParameters": "jwt_key=/k,disable_token_creation"}, []),
        (
            {"AuthAltTypes": "auth/jwt", "AuthAltParameters": "jwt_key=/k"},
            [("AuthAltParameters", "jwt_key=/k", "jwt_key=/k,disable_token_creation")],
        ),
        (
            {"AuthAltTypes": None, "AuthAltParameters": "jwt_key=/k,disable_token_creation"},
            [("AuthAltTypes", None, "auth/jwt")],
        ),
        ({"AuthInfo": None}, []),
        ({"AuthInfo": ""}, []),
        ({"AuthInfo": "x"}, [("AuthInfo", "x", None)]),
        ({"NotShown": "x"}, []),
    ],
)
def test_what_a_daemon_has_in_memory(
    written: dict[str, str | None], expected: list[tuple[str, str | None, str | None]]
) -> None:
    assert facts.memory_differences(SHOWN, written) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"keys": [{"kid": "a"}, {"kty": "RSA"}, {"kid": "b"}]}', ["a", "b"]),
        ('{"keys": []}', []),
        ("<html>", []),
        ("[]", []),
        ('{"keys": 7}', []),
    ],
)
def test_names_of_trusted_keys(tmp_path: pathlib.Path, text: str, expected: list[str]) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(text)
    assert facts.kids(str(path), paths.inspect(str(path))) == expected


def test_no_trusted_keys(tmp_path: pathlib.Path) -> None:
    assert facts.kids(str(tmp_path), paths.inspect(str(tmp_path))) == []
    huge = tmp_path / "huge"
    with open(huge, "wb") as stream:
        stream.truncate(2**21)
    assert facts.kids(str(huge), paths.inspect(str(huge))) == []


def test_attributes() -> None:
    assert facts.attributes(paths.MISSING) == {"owner": None, "group": None, "mode": None}
    assert facts.attributes(paths.inspect("/")) == {
        "owner": "root",
        "group": "root",
        "mode": f"{os.stat('/').st_mode & 0o7777:04o}",
    }
