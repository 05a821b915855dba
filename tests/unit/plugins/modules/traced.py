# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills a module at one of its system calls, as a debugger would stop it there."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Callable

from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import Run

_TRACE_ME, _SYSCALL, _SET_OPTIONS = 0, 24, 0x4200
_MARK_SYSCALLS, _KILL_WITH_TRACER = 1, 0x100000
_libc = ctypes.CDLL(None, use_errno=True)


def wait_for_tracer() -> None:
    """For the module's process, where its own work begins."""
    _ptrace(_TRACE_ME, 0, 0)
    os.kill(os.getpid(), signal.SIGSTOP)


def killed_when(module: Run, due: Callable[[], bool]) -> bool:
    """Stop a module that waits for its tracer before and after each of its system calls, and kill it when DUE says so.

    False if it came to its end.
    """
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


def _ptrace(request: int, pid: int, data: int) -> None:
    if _libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, ctypes.c_void_p(data)) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
