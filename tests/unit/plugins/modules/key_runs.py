# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs slurm_jwt_key for the tests: each run is a process of its own, and some of them die half-way."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.desired import DesiredKey
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_key
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import give

NOBODY = 65534

_TRACE_ME, _SYSCALL, _SET_OPTIONS = 0, 24, 0x4200
_MARK_SYSCALLS, _KILL_WITH_TRACER = 1, 0x100000
_libc = ctypes.CDLL(None, use_errno=True)


def module_input(params: dict[str, Any], check: bool = False, diff: bool = True) -> bytes:
    """What Ansible writes to a module's standard input."""
    own = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": "/tmp"}
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**params, **own, "_ansible_keep_remote_files": False}}).encode()


def environment() -> dict[str, str]:
    """The environment in which another Python finds what this one has found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


class Run:
    """The module at work in a forked process. PREPARE is called in it beforehand, to drop privileges and such."""

    def __init__(
        self, params: dict[str, Any], check: bool = False, prepare: Callable[[], object] = lambda: None
    ) -> None:
        self._out, out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            _be_the_module(module_input(params, check), prepare)
        os.close(out)

    def result(self) -> dict[str, Any]:
        with os.fdopen(self._out, "rb") as stream:
            text = stream.read().decode()
        os.waitpid(self.pid, 0)
        return result_in(text)

    def forget(self) -> None:
        """Whatever it said, it is dead by now."""
        os.close(self._out)


def run(params: dict[str, Any], check: bool = False, prepare: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """What the module returns, failed or not."""
    return Run(params, check, prepare).result()


def result_in(text: str) -> dict[str, Any]:
    """The module's result in what it printed."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines or "Traceback" in text.replace(lines[-1], ""):
        raise AssertionError(f"The module crashed:\n{text}")
    result: dict[str, Any] = json.loads(lines[-1])
    if "warnings" in result:
        # From ansible-core 2.19 on a warning is an object.
        result["warnings"] = [said if isinstance(said, str) else said["event"]["msg"] for said in result["warnings"]]
    return result


def killed_when(params: dict[str, Any], due: Callable[[], bool]) -> bool:
    """Run the module, stop it before and after each of its system calls, and kill it when DUE says so.

    False if it came to its end.
    """
    module = Run(params, prepare=_stop_when_ready)
    try:
        os.waitpid(module.pid, 0)
        _ptrace(_SET_OPTIONS, module.pid, _MARK_SYSCALLS | _KILL_WITH_TRACER)
        while True:
            _ptrace(_SYSCALL, module.pid, 0)
            _pid, status = os.waitpid(module.pid, 0)
            if os.WIFEXITED(status):
                return False
            if os.WSTOPSIG(status) == signal.SIGTRAP | 0x80 and due():
                os.kill(module.pid, signal.SIGKILL)
                os.waitpid(module.pid, 0)
                return True
    finally:
        module.forget()


def _stop_when_ready() -> None:
    """Let the tracer begin where the module's own work begins, after AnsibleModule has read the parameters."""
    begin = DesiredKey.__init__

    def stop_and_begin(self: DesiredKey, task: Task) -> None:
        _ptrace(_TRACE_ME, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        begin(self, task)

    DesiredKey.__init__ = stop_and_begin  # type: ignore[method-assign]


def _ptrace(request: int, pid: int, data: int) -> None:
    if _libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, ctypes.c_void_p(data)) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def _be_the_module(data: bytes, prepare: Callable[[], object]) -> None:
    code = 1
    try:
        prepare()
        give(data)
        slurm_jwt_key.main()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


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


def temporary_files_in(folder: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".slurm_jwt.")]


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
