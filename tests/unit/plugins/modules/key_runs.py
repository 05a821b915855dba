# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs slurm_jwt_key for the tests: each run is a process of its own, and some of them die half-way."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.desired import DesiredKey
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_key
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules import forked, traced
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.folders import contents
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import module_input

NOBODY = 65534


def environment() -> dict[str, str]:
    """The environment in which another Python finds what this one has found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


class Run(forked.Run):
    """slurm_jwt_key at work in a forked process."""

    def __init__(
        self, params: dict[str, Any], check: bool = False, prepare: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(slurm_jwt_key, params, check, prepare=prepare)

    def result(self) -> dict[str, Any]:
        return result_in(self.said())


def run(params: dict[str, Any], check: bool = False, prepare: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """What the module returns, failed or not."""
    return Run(params, check, prepare).result()


def result_in(text: str) -> dict[str, Any]:
    """The module's result in what it printed. From ansible-core 2.19 on a warning is an object."""
    result = forked.result_in(text)
    if "warnings" in result:
        result["warnings"] = [said if isinstance(said, str) else said["event"]["msg"] for said in result["warnings"]]
    return result


class KeyFolder:
    """A key file in a folder of its own, and the module set on it."""

    def __init__(self, folder: pathlib.Path, name: str) -> None:
        self.folder = folder
        self.key = folder / name

    def run(self, check: bool = False, **params: Any) -> dict[str, Any]:
        return run({"path": str(self.key), **params}, check)

    def snapshot(self) -> dict[str, Any]:
        return contents(self.folder)

    def refused(self, said: str, **params: Any) -> None:
        """The module fails with these words, in check mode too, and nothing at all is touched."""
        before = self.snapshot()
        for check in (True, False):
            result = self.run(check, **params)
            assert result.get("failed"), result
            assert re.search(said, result["msg"]), result["msg"]
            assert self.snapshot() == before


def killed_when(params: dict[str, Any], due: Callable[[], bool]) -> bool:
    """Run the module, and kill it at the system call at which DUE says so. False if it came to its end."""
    return traced.killed_when(Run(params, prepare=_stop_when_ready), due)


def _stop_when_ready() -> None:
    """Let the tracer begin where the module's own work begins, after AnsibleModule has read the parameters."""
    begin = DesiredKey.__init__

    def stop_and_begin(self: DesiredKey, task: Task) -> None:
        traced.wait_for_tracer()
        begin(self, task)

    DesiredKey.__init__ = stop_and_begin  # type: ignore[method-assign]


def together(folder: pathlib.Path, also: Callable[[], None] | None = None) -> Callable[[], None]:
    """Have a process wait at a gate beside the folder until start() opens it for all."""
    gate = str(folder) + ".gate"

    def wait() -> None:
        if also:
            also()
        while os.path.exists(gate):
            time.sleep(0.0002)

    pathlib.Path(gate).touch()
    return wait


def start(folder: pathlib.Path) -> None:
    time.sleep(0.03)
    os.unlink(str(folder) + ".gate")


def become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def modules_of(name: str, params: dict[str, Any]) -> set[str]:
    """What Python has loaded when this Ansible module is done."""
    code = (
        "import runpy, sys\n"
        "try:\n"
        f"    runpy.run_module({name!r}, run_name='__main__', alter_sys=True)\n"
        "except SystemExit:\n"
        "    print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=module_input(params), env=environment(), capture_output=True, check=True
    )
    assert result_in(done.stdout.decode())["changed"] is False
    return set(done.stderr.decode().split())


class Watcher:
    """A process that looks again and again until it is told to say what it has found."""

    def __init__(
        self,
        folder: pathlib.Path,
        look: Callable[[pathlib.Path], list[str]],
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder, self.look, self.begin = folder, look, begin
        self.looks = 0
        self.found: list[str] = []

    def __enter__(self) -> Watcher:
        self.end, end = os.pipe()[::-1]
        told, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.end)
            self._watch(end, tell)
        os.close(end)
        os.close(tell)
        self.told = told
        os.read(told, 1)  # it is at work
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self.end)
        with os.fdopen(self.told, "rb") as stream:
            answer = json.loads(stream.read() or b'{"looks": 0, "found": ["it died"]}')
        os.waitpid(self.pid, 0)
        self.looks, self.found = answer["looks"], answer["found"]

    def _watch(self, end: int, tell: int) -> None:
        try:
            self.begin()
            found: list[str] = []
            os.write(tell, b" ")
            while not select.select([end], [], [], 0)[0]:
                found += self.look(self.folder)
                self.looks += 1
            os.write(tell, json.dumps({"looks": self.looks, "found": found[:20]}).encode())
        finally:
            os._exit(0)


def empty(folder: pathlib.Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@contextlib.contextmanager
def quick_folder() -> Iterator[pathlib.Path]:
    """A folder that everybody may list, in memory if there is such a place: flushing thousands of files takes long."""
    memory = "/dev/shm"
    path = pathlib.Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK | os.X_OK) else None))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def small_file_system(folder: pathlib.Path, blocks: int, files: int) -> Iterator[pathlib.Path]:
    """A folder with room for so many blocks of 4 KiB, and for so many files and folders, itself included."""
    inner = folder / "small"
    inner.mkdir()
    size = f"size={4 * blocks}k,nr_inodes={files},mode=755"
    mount = ["mount", "-t", "tmpfs", "-o", size, "none", str(inner)]
    may = os.geteuid() == 0 and shutil.which("mount")
    if not may or subprocess.run(mount, capture_output=True, check=False).returncode:
        inner.rmdir()
        pytest.skip("may not mount a file system here")
    try:
        yield inner
    finally:
        subprocess.run(["umount", str(inner)], check=True)
        inner.rmdir()


def fill(folder: pathlib.Path, leave: int) -> None:
    """Leave so many blocks of 4 KiB free."""
    free = os.statvfs(folder).f_bavail
    if free > leave:
        (folder / "filler").write_bytes(b"\0" * 4096 * (free - leave))
    assert os.statvfs(folder).f_bavail == leave
