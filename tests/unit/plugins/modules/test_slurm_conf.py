# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
import pathlib
import random
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import run_lock
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_conf
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules import forked

SLURM = b"ClusterName=lab\nAuthType=auth/munge\nNodeName=n1\n"
ON = {
    "lists": {"AuthAltTypes": {"present": ["auth/jwt"]}},
    "options": {"AuthAltParameters": {"present": {"jwt_key": "/k", "disable_token_creation": True}}},
}
OFF = {
    "lists": {"AuthAltTypes": {"absent": ["auth/jwt"]}},
    "options": {"AuthAltParameters": {"absent": ["jwt_key", "disable_token_creation"]}},
}
AFTER = b"AuthType=auth/munge\nAuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key=/k,disable_token_creation\n"
KEYS = {"path", "files", "changed_files", "backup_files", "before", "effective", "problems", "changed"}


class Site:
    """A folder with a slurm.conf, and the module set on it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.file = folder / "slurm.conf"
        self.file.write_bytes(SLURM)

    def run(self, check: bool = False, **params: Any) -> dict[str, Any]:
        return forked.run(slurm_conf, {"path": str(self.file), **params}, check)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Site:
    tmp_path.chmod(0o755)
    return Site(tmp_path)


def test_backups_are_removed_if_the_file_is_as_it_was_before_the_first(site: Site) -> None:
    switch = {"lists": {"AuthAltTypes": {"present": ["auth/jwt"]}}, "backup": True}
    off = {"lists": {"AuthAltTypes": {"absent": ["auth/jwt"]}}, "backup": True}
    before = site.names()
    site.run(**switch)
    kept = set(site.names()) - set(before)
    assert len(kept) == 1
    # It may be all that is left of what the site had.
    result = site.run(prune_backups=True)
    assert (result["changed"], result["pruned_backups"]) == (False, [])
    site.run(**off)
    (site.folder / "slurm.conf.mine~").write_text("")
    assert len(site.run(check=True, prune_backups=True)["pruned_backups"]) == 2
    assert kept < set(site.names())
    result = site.run(prune_backups=True)
    assert result["changed"] and len(result["pruned_backups"]) == 2
    assert set(site.names()) == {*before, "slurm.conf.mine~"}
    assert not site.run(prune_backups=True)["changed"]


def test_switches_tokens_on_and_off_again(site: Site) -> None:
    result = site.run(backup=True, **ON)
    assert result["changed"] is True
    assert site.file.read_bytes() == SLURM.replace(b"AuthType=auth/munge\n", AFTER)
    assert result["changed_files"] == [str(site.file)]
    assert result["before"] == {"AuthAltTypes": None, "AuthAltParameters": None}
    assert result["effective"] == {
        "AuthAltTypes": "auth/jwt",
        "AuthAltParameters": "jwt_key=/k,disable_token_creation",
    }
    assert result["problems"] == []
    assert pathlib.Path(result["backup_files"][str(site.file)]).read_bytes() == SLURM
    again = site.run(backup=True, **ON)
    assert again["changed"] is False
    assert (again["changed_files"], again["backup_files"], again["diff"]) == ([], {}, [])
    assert site.run(**OFF)["changed"] is True
    assert site.file.read_bytes() == SLURM


def test_check_mode_says_the_same_and_does_nothing(site: Site) -> None:
    checked = site.run(check=True, backup=True, **ON)
    assert site.file.read_bytes() == SLURM
    assert site.names() == ["slurm.conf"]
    done = site.run(backup=True, **ON)
    for result in (checked, done):
        assert set(result) >= KEYS
    assert {key: checked[key] for key in KEYS - {"backup_files"}} == {key: done[key] for key in KEYS - {"backup_files"}}
    assert checked["diff"] == done["diff"]
    assert checked["backup_files"] == {}


def test_the_difference_has_the_changed_lines_alone(site: Site) -> None:
    site.file.write_bytes(b"A=1\n" * 4 + b"#AuthAltTypes=\nAuthAltParameters=jwt_key=/old")
    [difference] = site.run(check=True, allow_unknown=True, **ON)["diff"]
    assert difference["prepared"].split("\n")[2:] == [
        "@@ -6 +6,2 @@",
        "-AuthAltParameters=jwt_key=/old",
        "\\ No newline at end of file",
        "+AuthAltTypes=auth/jwt",
        "+AuthAltParameters=jwt_key=/k,disable_token_creation",
        "\\ No newline at end of file",
        "",
    ]


def test_nothing_of_slurmdbd_conf_but_the_change_comes_out(site: Site) -> None:
    dbd = site.folder / "slurmdbd.conf"
    dbd.write_bytes(b"DbdHost=x\nAuthType=auth/munge\nStoragePass=geheim one\nStorageHost=secret.example\n")
    dbd.chmod(0o600)
    result = forked.run(slurm_conf, {"path": str(dbd), "backup": True, **ON})
    assert result["changed"] is True
    assert "geheim" not in result["everything"] and "secret.example" not in result["everything"]
    assert result["problems"][0]["found"] == "text after the value of StoragePass"
    result = forked.run(slurm_conf, {"path": str(dbd), "settings": {"StoragePass": None}})
    assert result["before"] == {"StoragePass": "(hidden)"}
    assert result["effective"] == {"StoragePass": None}
    assert "-(hidden)" in result["diff"][0]["prepared"]
    assert "geheim" not in result["everything"]


def test_a_password_is_refused(site: Site) -> None:
    result = site.run(settings={"storagepass": "geheim"})
    assert result["failed"] and "is a password" in result["msg"]
    assert "geheim" not in result["msg"]


def test_slurmdbd_conf_becomes_private(site: Site) -> None:
    dbd = site.folder / "slurmdbd.conf"
    dbd.write_bytes(b"DbdHost=x\n")
    dbd.chmod(0o644)
    for check in (True, False):
        result = forked.run(slurm_conf, {"path": str(dbd)}, check)
        assert result["changed"] is True
        assert "mode 0644 -> 0600" in result["diff"][0]["prepared"]
    assert dbd.stat().st_mode & 0o777 == 0o600
    assert forked.run(slurm_conf, {"path": str(dbd)})["changed"] is False


def test_settings(site: Site) -> None:
    site.file.write_bytes(b"ClusterName=lab\nFastSchedule=1\nReturnToService=1\n")
    result = site.run(settings={"slurmctldtimeout": 300, "FastSchedule": None, "UsePAM": True, "MailProg": "a b"})
    assert site.file.read_bytes() == (
        b'ClusterName=lab\nReturnToService=1\nSlurmctldTimeout=300\nUsePAM=yes\nMailProg="a b"\n'
    )
    assert result["before"] == {"slurmctldtimeout": None, "FastSchedule": "1", "UsePAM": None, "MailProg": None}
    assert result["effective"] == {"slurmctldtimeout": "300", "FastSchedule": None, "UsePAM": "yes", "MailProg": "a b"}


def test_an_include_is_changed_where_it_holds_the_value(site: Site) -> None:
    site.file.write_bytes(SLURM + b"Include auth.conf\n")
    auth = site.folder / "auth.conf"
    auth.write_bytes(b"AuthAltTypes=auth/jwt\nAuthAltParameters=max_token_lifespan=60\n")
    result = site.run(backup=True, **ON)
    assert result["files"] == [str(site.file), str(auth)]
    assert result["changed_files"] == [str(auth)]
    assert list(result["backup_files"]) == [str(auth)]
    assert auth.read_bytes().endswith(b"=max_token_lifespan=60,jwt_key=/k,disable_token_creation\n")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"settings": {"AuthAltType": "x"}}, "no release of Slurm from 20.11 to 26.05 knows AuthAltType in slurm.conf"),
        ({"settings": {"DbdHost": "x"}}, "knows DbdHost in slurm.conf"),
        ({"options": {"AuthAltParameters": {"present": {"jwt_kex": "/k"}}}}, "'jwt_kex' is not an option"),
        ({"options": {"AuthAltParameters": {"present": {"jwt_key": "k"}}}}, "must be an absolute path"),
        ({"options": {"AuthAltParameters": {"present": {"jwt_key": False}}}}, "to remove it, name it in absent"),
        ({"options": {"AuthAltParameters": {"present": ["jwt_key"]}}}, "a dictionary of names and values"),
        ({"options": {"AuthAltParameters": ["jwt_key"]}}, "a dictionary with present, absent or both"),
        ({"lists": {"AuthAltTypes": {"presnt": []}}}, "a dictionary with present, absent or both"),
        ({"lists": {"AuthAltTypes": {"present": {"a": 1}}}}, "given lists of texts"),
        ({"settings": {"AuthInfo": [1]}}, "not a list"),
        ({"settings": {"AuthInfo": "a\nb"}}, "line break"),
        ({"settings": {"NodeName": "n2"}}, "many times"),
        ({"settings": {"AuthAltTypes": "x"}, "lists": {"authalttypes": {"absent": ["y"]}}}, "more than once"),
        ({"settings": {"AuthAltTypes": "rest_auth/jwt"}}, "they find no plugin of that name"),
        ({"settings": {"AuthAltParameters": "old_jwt_key=/k"}}, "some releases find jwt_key in it"),
        ({"path": "/etc/slurm/no such file"}, "cannot be read (No such file or directory). Name the file"),
        ({"kind": "slurmdbd", "lists": {"AuthAltTypes": {"present": ["auth/jwt"]}}}, "slurmdbd has no default key"),
    ],
)
def test_harmful_edits_are_refused(site: Site, params: dict[str, Any], words: str) -> None:
    for check in (True, False):
        result = site.run(check, **params)
        assert result.get("failed") is True
        assert words in result["msg"]
        assert site.file.read_bytes() == SLURM
        assert site.names() == ["slurm.conf"]


def test_the_unknown_can_be_allowed(site: Site) -> None:
    assert site.run(settings={"FromTheFuture": 1}, allow_unknown=True)["changed"] is True
    assert site.run(settings={"FromTheFuture": 2})["changed"] is True
    assert b"FromTheFuture=2\n" in site.file.read_bytes()


def test_old_problems_are_reported_and_do_not_prevent_edits(site: Site) -> None:
    site.file.write_bytes(SLURM + b"stray words\nNoSuchKey=1\nAuthAltParameters=site_option\n")
    result = site.run(**ON)
    assert result["changed"] is True
    assert [problem["found"].split(",")[0] for problem in result["problems"]] == [
        "text that is not name=value",
        "NoSuchKey",
        "'site_option' in AuthAltParameters",
    ]
    warning = result["warnings"][0]
    assert "slurm.conf:5: text that is not name=value." in (
        warning if isinstance(warning, str) else warning["event"]["msg"]
    )
    assert len(result["warnings"]) == 1


def test_without_edits_it_only_reports(site: Site) -> None:
    result = site.run()
    assert set(result) >= KEYS
    assert result["changed"] is False
    assert (result["before"], result["effective"]) == ({}, {})


def test_a_link_that_others_could_have_made_is_refused(site: Site) -> None:
    if os.geteuid() != 0:
        pytest.skip("changes owners, which only root can")
    open_folder = site.folder / "open"
    open_folder.mkdir()
    os.chown(open_folder, 1234, 1234)
    (open_folder / "slurm.conf").symlink_to(site.file)
    for check in (True, False):
        result = forked.run(slurm_conf, {"path": str(open_folder / "slurm.conf"), **ON}, check)
        assert "is a symbolic link in" in result["msg"]
    assert site.file.read_bytes() == SLURM


def test_a_folder_that_is_not_writable_is_named() -> None:
    def become_nobody() -> None:
        os.setgid(65534)
        os.setuid(65534)

    if os.geteuid() != 0:
        pytest.skip("becomes another user, which only root can")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        site = Site(pathlib.Path(folder))
        result = forked.run(slurm_conf, {"path": str(site.file), **ON}, prepare=become_nobody)
        assert str(site.file) in result["msg"] and "Permission denied" in result["msg"]
        assert site.file.read_bytes() == SLURM


def test_many_runs_at_once_lose_nothing(site: Site) -> None:
    def one(number: int) -> dict[str, Any]:
        return site.run(options={"SlurmctldParameters": {"present": {f"site{number}": str(number)}}})

    with ThreadPoolExecutor(12) as pool:
        results = list(pool.map(one, range(24)))
    assert all(result["changed"] for result in results)
    [line] = [line for line in site.file.read_bytes().split(b"\n") if line.startswith(b"SlurmctldParameters")]
    assert sorted(line.partition(b"=")[2].split(b",")) == sorted(
        b"site%d=%d" % (number, number) for number in range(24)
    )
    assert site.names() == ["slurm.conf"]


def test_a_run_waits_for_another(site: Site) -> None:
    with ThreadPoolExecutor(1) as pool:
        with run_lock.locked(str(site.file)):
            waiting = pool.submit(site.run, **ON)
            time.sleep(0.3)
            assert site.file.read_bytes() == SLURM
        assert waiting.result()["changed"] is True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lock where nobody else can")
def test_a_user_who_can_only_read_the_file_cannot_block_changes(site: Site) -> None:
    with open(site.file, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        begin = time.monotonic()
        assert site.run(**ON)["changed"] is True
        assert time.monotonic() - begin < 10


def test_killed_at_any_time_the_file_is_old_or_new(site: Site) -> None:
    new = SLURM.replace(b"AuthType=auth/munge\n", AFTER)
    outcomes = {SLURM: 0, new: 0}
    dice = random.Random(1)
    for _attempt in range(50):
        site.file.write_bytes(SLURM)
        pid = os.fork()
        if pid == 0:
            os.setpgrp()
            try:
                site.run(**ON)
            finally:
                os._exit(0)
        time.sleep(dice.random() * 0.06)
        with suppress(ProcessLookupError):  # it has ended, or not yet got so far
            os.killpg(pid, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        outcomes[site.file.read_bytes()] += 1
    assert sum(outcomes.values()) == 50
    site.run(**ON)
    assert site.file.read_bytes() == new
