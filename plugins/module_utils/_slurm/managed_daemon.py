# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts a daemon, and waits until it is up and answers, or stops it for a while. Private to this collection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import RunCommand, Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import (
    last_words,
    listeners,
    pause,
    readiness,
    transient_timer,
    units,
)


class ManagedDaemon:
    """One daemon and its unit on this host. NFT is the path of nft; None without nft."""

    def __init__(self, task: Task, run: RunCommand, nft: str | None) -> None:
        self.params = task.params
        self.check_mode = task.check_mode
        self.run = run
        self.nft = nft
        self.service: str = task.params["service"]
        self.address: str | None = task.params["address"]

    def alive(self) -> dict[str, Any]:
        return {"changed": False, **self._wait(), "held": False}

    def restarted(self) -> dict[str, Any]:
        if self.check_mode:
            return {"changed": True, "pid": self._unit().pid, "seconds": 0.0, "held": False}
        paused = self._restart()
        self._cancel_start()
        return {"changed": True, **self._wait(), "held": paused}

    def stopped(self) -> dict[str, Any]:
        """Ask systemd to start the daemon again later, and stop it."""
        changed = not self._unit().dead
        if changed and not self.check_mode:
            self._cancel_start()
            start_after = self.params["start_after"]
            argv = ["systemctl", "start", "--", self.service]
            code, err = transient_timer.begin(self._systemd, self._start_unit, start_after, argv)
            if code != 0:
                raise TaskError(
                    f"systemd-run failed with exit code {code}: {err or 'no message'}. Nothing would start "
                    f"{self.service} again if this run were killed, so it was not stopped."
                )
            code, dummy_out, err = self.run(["systemctl", "stop", "--", self.service])
            if code != 0:
                raise TaskError(f"systemctl stop {self.service} failed with exit code {code}: {err.strip()}")
        return {"changed": changed, "pid": 0, "seconds": 0.0, "held": False}

    @property
    def _start_unit(self) -> str:
        return f"slurm_jwt_start_{units.unit_name(self.service).rpartition('.')[0]}"

    def _cancel_start(self) -> None:
        transient_timer.end(self._systemd, self._start_unit)

    def _systemd(self, argv: Sequence[str]) -> tuple[int, str, str]:
        return self.run(list(argv))

    def _unit(self) -> units.Unit:
        code, out, err = self.run(units.show([self.service]))
        if code != 0:
            raise TaskError(f"systemctl show {self.service} failed with exit code {code}: {err.strip()}")
        return next(iter(units.parse(out)), units.NO_UNIT)

    def _restart(self) -> bool:
        """Restart the unit. Returns whether new connections were paused meanwhile."""
        port = readiness.port(self.address)
        if self.nft is None or port is None or not self.params["pause_connections"]:
            self._systemctl_restart()
            return False

        return pause.restart(self._systemd, self.nft, port, self._systemctl_restart, lambda: self._unit().dead)

    def _systemctl_restart(self) -> None:
        code, dummy_out, err = self.run(["systemctl", "restart", "--", self.service])
        if code != 0:
            raise self._failure(f"systemctl restart failed with exit code {code}: {err.strip() or 'no message'}", 0.0)

    def _wait(self) -> dict[str, Any]:
        try:
            result = readiness.wait(
                self._unit,
                self.address,
                self.params["timeout"],
                self.params["settle"],
                time.monotonic,
                time.sleep,
            )
        except ValueError as error:
            raise TaskError(f"address: {error}.") from error
        if not result.alive:
            raise self._failure(result.reason, result.seconds)
        if self.params["listens"]:
            self._check_listeners(result.unit.pid)
        return {"pid": result.unit.pid, "seconds": round(result.seconds, 2)}

    def _check_listeners(self, pid: int) -> None:
        """Fail unless the process listens at the declared addresses and nowhere else."""
        declared, current = self.params["listens"], listeners.of_process(pid)
        difference = listeners.compare(current, declared)
        if difference.extra:
            raise TaskError(
                f"{self.service}, process {pid}, also listens at {', '.join(difference.extra)}. Declared is only"
                f" {', '.join(declared)}. 'systemctl cat {self.service}' shows where that comes from:"
                " SLURMRESTD_LISTEN, SLURMRESTD_OPTIONS or a drop-in."
            )
        if difference.missing:
            raise TaskError(
                f"{self.service}, process {pid}, does not listen at {', '.join(difference.missing)}, but at"
                f" {', '.join(current) or 'no address'}."
            )

    def _failure(self, reason: str, seconds: float) -> TaskError:
        lines = self._last_lines()
        return TaskError(
            f"{self.service} is not running after {seconds:.1f} s: {reason.rstrip('.')}. Its last log lines:"
            f" {' | '.join(lines) or 'none'}",
            {"last_words": lines},
        )

    def _last_lines(self) -> list[str]:
        unit, log_file = self._unit(), self.params["log_file"]
        argv = ["journalctl", "--no-pager", "--quiet", "-n", "40"]
        # Only lines of its current start.
        start = unit.invocation
        of_start = [f"_SYSTEMD_INVOCATION_ID={start}", "+", f"INVOCATION_ID={start}"] if start else ["-u", self.service]
        code, journal, dummy_err = self.run(argv + of_start)
        # The times in a log file have milliseconds at best.
        log = last_words.written_since(log_file, unit.started - 0.01) if log_file else ""
        return last_words.last_words(journal if code == 0 else "", log)
