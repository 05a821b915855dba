# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module for the tests as Ansible does, in a process of its own; forked, because that takes 10 ms, not 300."""

from __future__ import annotations

import json
import os
import sys
import traceback
from types import ModuleType
from typing import Any, Callable

from ansible.module_utils import basic


def module_input(params: dict[str, Any], check: bool = False, diff: bool = True) -> bytes:
    """What Ansible writes to a module's standard input."""
    own = {
        "_ansible_check_mode": check,
        "_ansible_diff": diff,
        "_ansible_remote_tmp": "/tmp",
        "_ansible_keep_remote_files": False,
    }
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**params, **own}}).encode()


class Run:
    """A module at work in a forked process. PREPARE is called in it beforehand, to drop privileges and such."""

    def __init__(
        self,
        module: ModuleType,
        params: dict[str, Any],
        check: bool = False,
        diff: bool = True,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self._out, out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            _be(module, module_input(params, check, diff), prepare)
        os.close(out)

    def said(self) -> str:
        """All that it printed."""
        with os.fdopen(self._out, "rb") as stream:
            text = stream.read().decode()
        os.waitpid(self.pid, 0)
        return text

    def forget(self) -> None:
        """Whatever it said, it is dead by now."""
        os.close(self._out)


def result_in(text: str) -> dict[str, Any]:
    """The module's result in what it printed."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines or "Traceback" in text.replace(lines[-1], ""):
        raise AssertionError(f"The module crashed:\n{text}")
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def run(
    module: ModuleType,
    params: dict[str, Any],
    check: bool = False,
    diff: bool = True,
    prepare: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """What the module returns, failed or not, and everything that it printed."""
    text = Run(module, params, check, diff, prepare).said()
    return {**result_in(text), "everything": text}


def _be(module: ModuleType, data: bytes, prepare: Callable[[], object]) -> None:
    code = 1
    try:
        prepare()
        give(data)
        module.main()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def give(data: bytes) -> None:
    """Makes this process one in which a module is about to run, with these arguments."""
    basic._ANSIBLE_ARGS = data
    if hasattr(basic, "_ANSIBLE_PROFILE"):
        basic._ANSIBLE_PROFILE = "legacy"
    internal = sys.modules.get("ansible.module_utils._internal")
    if internal is not None:
        # Tests of what runs where Ansible runs may have been here before.
        internal.is_controller = False
