# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import stat

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_metrics
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import run

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="wants root")


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "node-exporter"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    return folder


def write(path: pathlib.Path, check: bool = False) -> dict:
    return run(slurm_jwt_metrics, {"path": str(path), "content": "age 1\n"}, check, True)


def test_it_is_written_once_and_everybody_can_read_it(folder: pathlib.Path) -> None:
    path = folder / "key.prom"
    assert write(path, check=True)["changed"] and not path.exists()
    assert write(path)["changed"] and path.read_text() == "age 1\n"
    assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (os.geteuid(), 0o644)
    result = write(path)
    assert not result["changed"] and result["exists"] and result["diff"] == []
    # Ansible adds them to a result with a path, and follows a link for them.
    assert not {"path", "owner", "state", "size"} & {*result}


@as_root
def test_a_file_of_the_folders_owner_becomes_roots(folder: pathlib.Path) -> None:
    path = folder / "key.prom"
    path.write_text("age 1\n")
    os.chown(path, NOBODY, NOBODY)
    assert write(path)["changed"] and path.stat().st_uid == 0


def test_nothing_without_the_folder(tmp_path: pathlib.Path) -> None:
    result = write(tmp_path / "none" / "key.prom")
    assert not result["changed"] and not result["exists"] and os.listdir(tmp_path) == []


@as_root
def test_a_folder_that_a_group_shares_will_do(folder: pathlib.Path) -> None:
    os.chown(folder, NOBODY, 100)
    folder.chmod(0o775)
    assert write(folder / "key.prom")["changed"]


@as_root
def test_no_link_of_the_folders_owner_is_followed(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    target = tmp_path / "passwd"
    target.write_text("root\n")
    (folder / "key.prom").symlink_to(target)
    (folder / "sub").symlink_to(tmp_path)
    for path in (folder / "key.prom", folder / "sub" / "passwd"):
        result = write(path)
        assert not result.get("failed") and not result["changed"]
        assert "is a symbolic link" in result["everything"] and "The metrics were not written" in result["everything"]
    assert target.read_text() == "root\n" and sorted(os.listdir(tmp_path)) == ["node-exporter", "passwd"]


@as_root
def test_a_pipe_in_its_place_keeps_nobody_waiting(folder: pathlib.Path) -> None:
    os.mkfifo(folder / "key.prom")
    result = write(folder / "key.prom")
    assert not result.get("failed") and "is a named pipe" in result["everything"]
