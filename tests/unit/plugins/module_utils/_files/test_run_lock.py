# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import threading
import time

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import run_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a folder of its own in /run")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    monkeypatch.setattr(run_lock, "FOLDER", str(tmp_path / "locks"))
    monkeypatch.setattr(run_lock, "PATIENCE", 0.3)
    return tmp_path / "locks"


def test_nobody_but_root_can_enter_and_nothing_is_left(folder: pathlib.Path) -> None:
    with run_lock.locked("/etc/slurm/slurm.conf"):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
    assert not folder.exists()


def test_a_second_run_gives_up_after_a_while_and_says_what_is_in_the_way() -> None:
    path = "/etc/slurm/slurm.conf"
    with run_lock.locked(path):
        with run_lock.locked("/etc/slurm/slurmdbd.conf"):
            pass
        with pytest.raises(SecretFileError, match=f"{path} .*fuser"), run_lock.locked(path):
            pass


def test_never_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "PATIENCE", 60.0)
    inside: list[int] = []
    worst: list[int] = []

    def work() -> None:
        for _turn in range(20):
            with run_lock.locked("/etc/slurm/slurm.conf"):
                inside.append(1)
                worst.append(len(inside))
                time.sleep(0.001)
                inside.pop()

    threads = [threading.Thread(target=work) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(worst) == 120
    assert max(worst) == 1


@pytest.mark.parametrize("planted", ["user", "open", "link", "file"])
def test_what_somebody_else_has_put_there_is_refused_by_name(folder: pathlib.Path, planted: str) -> None:
    if planted == "link":
        folder.symlink_to("/tmp")
    elif planted == "file":
        folder.write_text("", encoding="utf-8")
    else:
        folder.mkdir(mode=0o700)
        if planted == "user":
            os.chown(folder, 65534, 65534)
        else:
            folder.chmod(0o777)
    with pytest.raises(SecretFileError, match=f"{folder} .*Remove it"), run_lock.locked("/etc/slurm/slurm.conf"):
        pass
