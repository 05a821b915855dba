# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import rest_unit


def test_a_variable_comes_from_the_last_file(tmp_path: Path) -> None:
    first, last = tmp_path / "sysconfig", tmp_path / "default"
    shown = ["SLURM_JWT=daemon SLURMRESTD_LISTEN=:6820 'SLURMRESTD_OPTIONS=-v -s slurmctld'"]
    assert rest_unit.variable("SLURMRESTD_OPTIONS", shown, [str(first)]) == ("-v -s slurmctld", "its unit")
    first.write_text("# SLURMRESTD_OPTIONS=-x\nSLURMRESTD_OPTIONS=\"-u slurmrestd -g slurmrestd\"\n")
    assert rest_unit.variable("SLURMRESTD_OPTIONS", shown, [str(first), f"-{last}"]) == (
        "-u slurmrestd -g slurmrestd", str(first)
    )  # fmt: skip
    last.write_text("SLURMRESTD_OPTIONS=\n")
    assert rest_unit.variable("SLURMRESTD_OPTIONS", shown, [str(first), f"-{last}"]) == ("", str(last))
    assert rest_unit.variable("SLURMRESTD_DEBUG", shown, [str(first)]) is None


@pytest.mark.parametrize(
    ("text", "user", "addresses"),
    [
        ("", [], []),
        ("-v -s openapi/v0.0.39 -d v0.0.40", [], []),
        ("-u rest -g rest", ["-u rest", "-g rest"], []),
        ("-vurest", ["-u rest"], []),
        ("-u", ["-u "], []),
        ("-f /etc/slurm/x.conf 0.0.0.0:6820 unix:/run/x.socket", [], ["0.0.0.0:6820", "unix:/run/x.socket"]),
        ("--generate-openapi-spec -v", [], []),
        ("-a rest_auth/jwt :6820", [], [":6820"]),
    ],
)
def test_who_runs_it_and_where_it_listens(text: str, user: list[str], addresses: list[str]) -> None:
    assert rest_unit.options(text) == (user, addresses)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("zz.conf", "[Service]\nExecStart=\nExecStart=/usr/sbin/slurmrestd :6820\n", ["ExecStart"]),
        ("zz.conf", "[Service]\nUser=rest\nGroup=rest\n", ["User", "Group"]),
        ("zz.conf", "[Service]\nEnvironment=SLURM_JWT=\n", ["Environment"]),
        ("zz.conf", "[Service]\nEnvironment=HTTP_PROXY=x\nLimitNOFILE=9\n# User=x\n", []),
        ("aa.conf", "[Service]\nExecStart=\n", []),
        ("slurm_jwt.conf", "[Service]\nExecStart=\n", []),
    ],
)
def test_a_dropin_that_comes_later_and_wins(tmp_path: Path, name: str, text: str, expected: list[str]) -> None:
    folder = tmp_path / "slurmrestd.service.d"
    folder.mkdir()
    (folder / name).write_text(text)
    assert rest_unit.overrules(str(folder / name)) == expected
    assert rest_unit.overrules(str(folder / "zz-missing.conf")) == []


def test_the_unit_itself_comes_first(tmp_path: Path) -> None:
    unit = tmp_path / "slurmrestd.service"
    unit.write_text("[Service]\nExecStart=/usr/sbin/slurmrestd\n")
    assert rest_unit.overrules(str(unit)) == []


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (None, None),
        ("[Service]\n", "off"),
        ("# Managed\n# Before JWT: enabled and running\n[Service]\n", "enabled and running"),
        ("# Before JWT: running\n", "running"),
        ("# Before JWT: whatever\n", "off"),
    ],
)
def test_what_slurmrestd_was_before_jwt(tmp_path, text, state):
    folder = tmp_path / "etc/systemd/system/rest.service.d"
    folder.mkdir(parents=True)
    if text is not None:
        (folder / rest_unit.DROPIN).write_text(text)
    assert rest_unit.before_jwt("rest", str(tmp_path)) == state


def test_the_drop_in_has_a_fingerprint_while_it_is_as_a_rollout_wrote_it(tmp_path):
    folder = tmp_path / "etc/systemd/system/rest.service.d"
    folder.mkdir(parents=True)
    dropin = folder / rest_unit.DROPIN
    assert rest_unit.dropin_digest("rest", str(tmp_path)) is None
    dropin.write_text("[Service]\n")
    dropin.chmod(0o644)
    ours = f"SHA256:{hashlib.sha256(b'[Service]' + bytes([10])).hexdigest()}" if os.getuid() == 0 else None
    assert rest_unit.dropin_digest("rest", str(tmp_path)) == ours
    dropin.chmod(0o664)
    assert rest_unit.dropin_digest("rest", str(tmp_path)) is None
    dropin.rename(folder / "elsewhere")
    dropin.symlink_to(folder / "elsewhere")
    assert rest_unit.dropin_digest("rest", str(tmp_path)) is None
    dropin.unlink()
    os.mkfifo(dropin, 0o644)
    assert rest_unit.dropin_digest("rest", str(tmp_path)) is None


def test_drop_ins_that_systemd_has_not_read_yet_count(tmp_path):
    folder = tmp_path / "etc/systemd/system/rest.service.d"
    folder.mkdir(parents=True)
    for name in ("zz-site.conf", "slurm_jwt.conf", "notes.txt"):
        (folder / name).touch()
    known = ["/usr/lib/systemd/system/rest.service", str(folder / "slurm_jwt.conf")]
    assert rest_unit.dropins("rest", known, str(tmp_path)) == [*known, str(folder / "zz-site.conf")]
    assert rest_unit.dropins("other", known, str(tmp_path)) == known
