# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of all actions that run a module on a managed host and check its result. Private to this collection.

A compromised host may answer anything, and Ansible would use much of it: facts become variables that override those
of the inventory, even connection variables, and on old releases text becomes a template. So every task of this
collection on a managed host uses this base class. It accepts what _observations declares for the module, marks it as
unsafe (not a template), reports what it dropped, and limits the host's time and memory.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionSkip, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.host_variables import PLAN, raw
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.modules import MODULES
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.observation import Observation
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import Members, Misfit, harmless
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import mark_unsafe

# The fact with the interpreter that Ansible discovers. A module cannot set it: Ansible removes it from results.
INTERPRETER = "discovered_interpreter_python"
_PATH = re.compile(r"/[A-Za-z0-9._/+-]{1,255}")

# Bytes by which Ansible's worker process may grow for the answer of one host.
MEMORY = 1 << 30

# Seconds to remove a temporary folder.
CLEANUP = 30

# Members that any module may return. They are dropped without a warning.
_COMMON = frozenset(
    ("invocation", "warnings", "deprecations", "exception", "_ansible_parsed", "stdout_lines", "stderr_lines")
    + ("module_stdout",)
)

# Options of modules that carry a secret.
_SECRETS = (
    *("content", "return_content", "token", "tokens", "return_token", "return_tokens", "sample_token", "current"),
    "environment",
)

display = Display()


class TimeIsUp(BaseException):
    """The host did not answer in time. Not an Exception, so no "except Exception" on the way catches it."""


class CheckedAction(ActionBase):  # type: ignore[misc]
    """Runs a module on a host and accepts the declared members of its result."""

    TRANSFERS_FILES = False
    _supports_async = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        super().run(tmp, variables)
        if C.DEFAULT_KEEP_REMOTE_FILES and self.carries_secrets():
            return failure(KEEPS_FILES)
        observation = self.observation()
        seconds = self._task.timeout or observation.seconds + self.more_seconds()
        try:
            with at_most(seconds, MEMORY):
                result = self.execute(variables)
        except AnsibleConnectionFailure as error:
            text = harmless(str(error))
            if self._is_planned(variables):
                return failure(f"The host could not be reached any more: {text.rstrip('.')}.")
            raise AnsibleConnectionFailure(text) from None
        except AnsibleActionSkip as skip:
            return {"skipped": True, "changed": False, "msg": harmless(str(skip))}
        except (TimeIsUp, MemoryError) as error:
            # This task asks nothing more of this host, not even to remove the temporary folder.
            self._connection._shell.tmpdir = None
            if isinstance(error, TimeIsUp):
                return failure(f"The host did not answer within {seconds:.0f} s.")
            return failure(f"The host's answer is larger than {MEMORY >> 20} MiB, so it was not read to its end.")
        except Exception as error:  # pylint: disable=broad-except
            display.vvv(traceback.format_exc())
            result = {"failed": True, "msg": str(error), **(getattr(error, "result", None) or {})}
        return self._accept(result, observation, str(variables.get("inventory_hostname", "?")))

    def cleanup(self, force: bool = False) -> None:
        """Removes the temporary folder on the host, also within a time limit."""
        with contextlib.suppress(TimeIsUp, MemoryError), at_most(CLEANUP, MEMORY):
            super().cleanup(force)

    # What a subclass may override.

    def execute(self, variables: dict[str, Any]) -> Mapping[str, Any]:
        """The module's result as it comes from the host."""
        background = bool(self._task.async_val) and not self._connection.has_native_async
        result: Mapping[str, Any] = self._execute_module(
            module_name=f"hpc.slurm_jwt.{self.module()}",
            module_args=self.module_options(variables),
            task_vars=variables,
            wrap_async=background,
        )
        if not background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def module(self) -> str:
        """The name of the module, without that of the collection."""
        return str(self._task.action).rpartition(".")[2]

    def module_options(self, dummy_variables: dict[str, Any]) -> dict[str, Any]:
        """The module's options."""
        # A copy. Ansible adds twenty options to it, and keeps the task's options of each host until all have answered.
        return dict(self._task.args)

    def more_seconds(self) -> float:
        """Seconds beyond the usual limit, because the task itself makes the module wait."""
        try:
            return float(self._task.args.get("timeout") or 0)
        except (TypeError, ValueError):
            return 0

    def carries_secrets(self) -> bool:
        return any(self._task.args.get(name) for name in _SECRETS)

    def observation(self) -> Observation:
        """The members that the result may have."""
        return MODULES[self.module()]

    def _is_planned(self, variables: Mapping[str, Any]) -> bool:
        """Whether this run has its plan. From then on an unreachable host is a failure, so a rescue runs for it.

        Ansible runs no rescue for a host that it cannot reach. It drops the host from all later plays, including the
        report, and plays of other hosts go on as if nothing had happened.
        """
        if self._task.ignore_unreachable:
            return False
        hostvars = variables.get("hostvars") or {}
        return "localhost" in hostvars and PLAN in raw(hostvars, "localhost")

    # The result.

    def _accept(self, answer: Mapping[str, Any], observation: Observation, host: str) -> dict[str, Any]:
        if not isinstance(answer, Mapping):
            return self._misfit("it is no dictionary")
        # A job that has just started and a failed task return only some of the members.
        partial = self._task.async_val or answer.get("failed")
        everything = Members({}, {**observation.members.always, **observation.members.optional})
        try:
            result = (everything if partial else observation.members)(answer, "")
        except Misfit as misfit:
            return self._misfit(str(misfit))
        self._warn_of_dropped(answer, everything, observation.names_dropped, host)
        warnings = answer.get("warnings")
        if isinstance(warnings, (list, tuple)) and warnings:
            result["warnings"] = [harmless(_text_of(each), 1000) for each in warnings[:20]]
        facts = answer.get("ansible_facts")
        interpreter = facts.get(INTERPRETER) if isinstance(facts, Mapping) else None
        if isinstance(interpreter, str) and _PATH.fullmatch(interpreter):
            result["ansible_facts"] = {INTERPRETER: str(interpreter)}
        accepted: dict[str, Any] = mark_unsafe(result)
        return accepted

    def _misfit(self, text: str) -> dict[str, Any]:
        return failure(
            f"The result of {self.module()} on this host is invalid and was discarded: {text}. No module of this "
            "collection returns that. Inspect the host before you trust it again."
        )

    def _warn_of_dropped(self, answer: Mapping[Any, Any], members: Members, every: bool, host: str) -> None:
        """Warns about undeclared members of an answer."""
        facts = answer.get("ansible_facts")
        expected = {"ansible_facts"} if isinstance(facts, Mapping) and set(facts) <= {INTERPRETER} else set()
        dropped = [name for name in members.undeclared(answer) if name not in _COMMON | expected]
        if not every:
            dropped = [
                name for name in dropped if name.startswith(("ansible_", "_ansible_", "add_")) or "slurm" in name
            ]
        if dropped:
            display.warning(
                f"{host}: the result of {self.module()} had undeclared members, which were dropped: "
                f"{', '.join(dropped[:10])}. Inspect the host before you trust it again."
            )


def failure(text: str) -> dict[str, Any]:
    """The result of a task that failed and changed nothing."""
    return {"failed": True, "changed": False, "msg": text}


KEEPS_FILES = (
    "ANSIBLE_KEEP_REMOTE_FILES (keep_remote_files) is on, so a key or a token would stay in a file on the host. "
    "Nothing was sent. Unset it, and run this again."
)


def _text_of(warning: Any) -> str:
    """A warning as text. Since ansible-core 2.19 it may be an object; its form varies."""
    details = getattr(warning, "details", None)
    event = details[0] if details else getattr(warning, "event", None)
    return str(getattr(event, "msg", warning))


@contextlib.contextmanager
def at_most(seconds: float, memory: int) -> Iterator[None]:
    """Limits time and memory of a block in Ansible's worker process. At a limit, ends the programs that it started."""

    def time_is_up(*dummy: object) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, time_is_up)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as stream:
        now = int(stream.read().split()[0]) * resource.getpagesize()
    limit = now + memory if hard == resource.RLIM_INFINITY else min(now + memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    remaining = signal.setitimer(signal.ITIMER_REAL, seconds)[0]
    try:
        yield
    except (TimeIsUp, MemoryError):
        _end_children()
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, remaining)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _end_children() -> None:
    """Ends the programs that still talk to the host. A shared SSH connection is not a child of this process."""
    this = os.getpid()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stream:
                    parent = int(stream.read().rpartition(")")[2].split()[1])
                if parent == this:
                    os.kill(int(name), signal.SIGTERM)
