# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a daemon lives and answers, and its last words if it does not. Private to this collection.

A unit that systemd has started is not a daemon that lives: with ``Type=simple``, as most Slurm units have it,
``systemctl start`` succeeds even where the daemon dies of its configuration a moment later.
"""

from __future__ import annotations

import os
import re
import socket
import time
from typing import Callable, NamedTuple

# What a dying Slurm daemon leaves behind; the last such line is nearly always the cause.
_LAST_WORDS = re.compile(r"\b(fatal|error):\s", re.IGNORECASE)
_LOGGED = re.compile(r"\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?\]")
# systemd's own remarks say that the daemon died, never why.
_SYSTEMD = re.compile(r"\bsystemd\[\d+\]:")


class UnitState(NamedTuple):
    """What ``systemctl show`` says of one unit."""

    load: str
    active: str
    sub: str
    result: str
    pid: int
    started: float = 0.0
    """When its main process started last, in seconds since 1970, also if it took the place of another; 0 if systemd
    does not say."""
    invocation: str = ""
    """What systemd calls its present start, in the journal as well."""

    @property
    def dead(self) -> bool:
        """True where waiting longer is of no use."""
        return self.load == "not-found" or self.active in ("failed", "inactive")


UNIT_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "ExecMainStartTimestampMonotonic",
    "InvocationID",
)


def parse_unit(text: str) -> UnitState:
    """One unit's ``systemctl show --property`` of UNIT_PROPERTIES."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, sep, value = line.partition("=")
        if sep:
            found[name] = value
    pid = found.get("MainPID", "0")
    microseconds = found.get("ExecMainStartTimestampMonotonic", "0")
    since_boot = int(microseconds) / 1e6 if microseconds.isdigit() else 0.0
    return UnitState(
        load=found.get("LoadState", ""),
        active=found.get("ActiveState", ""),
        sub=found.get("SubState", ""),
        result=found.get("Result", ""),
        pid=int(pid) if pid.isdigit() else 0,
        started=since_boot and time.time() - time.clock_gettime(time.CLOCK_MONOTONIC) + since_boot,
        invocation=found.get("InvocationID", ""),
    )


def port(address: str | None) -> int | None:
    """The TCP port of an address; None for a socket file or no address."""
    number = (address or "").rpartition(":")[2]
    return int(number) if number.isdigit() and not (address or "").startswith("unix:") else None


def read(path: str) -> str:
    """A text of the kernel's; nothing where it is not there."""
    try:
        with open(path, encoding="ascii", errors="replace") as text:
            return text.read()
    except OSError:
        return ""


def answers(address: str, timeout: float = 1.0) -> bool:
    """Whether something accepts a connection at ``unix:PATH``, ``HOST:PORT`` or ``:PORT`` (any of this host's)."""
    if address.startswith("unix:"):
        return _connects(socket.AF_UNIX, address[len("unix:"):], timeout)
    host, sep, port = address.rpartition(":")
    if not sep or not port.isdigit():
        raise ValueError(f"{address!r} is neither HOST:PORT nor unix:PATH")
    # A daemon may listen on one address of the host only (NoCtldInAddrAny, DbdAddr).
    hosts = [host.strip("[]")] if host else ["127.0.0.1", "::1", socket.gethostname()]
    return any(_connects_tcp(each, int(port), timeout) for each in hosts)


def _connects_tcp(host: str, port: int, timeout: float) -> bool:
    wildcard = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}
    try:
        socket.create_connection((wildcard.get(host, host), port), timeout).close()
    except OSError:
        return False
    return True


def _connects(family: int, address: str, timeout: float) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True


def last_words(journal: str, log: str, most: int = 3) -> list[str]:
    """What a daemon said last, from its journal and its log file: the line that says why it died comes first.

    Both are to begin with the daemon's present start. A fatal line is the reason; errors tell what led to it, the
    latest last. What the log file repeats of the journal is left out.
    """
    lines = [line.strip() for line in (journal.splitlines() + log.splitlines()) if line.strip()]
    spoken = [line for line in lines if not _SYSTEMD.search(line)]
    once = list({_said(line): line for line in reversed(spoken)}.values())[::-1]
    fatal = [line for line in once if _level(line) == "fatal"]
    errors = [line for line in once if _level(line) == "error"]
    if not fatal and not errors:
        return (once or lines)[-most:]
    return [*fatal[-1:], *(errors[-(most - len(fatal[-1:])) :])]


def _level(line: str) -> str:
    match = _LAST_WORDS.search(line)
    return match[1].lower() if match else ""


def _said(line: str) -> str:
    """The line without what journal or log file wrote before it."""
    match = _LAST_WORDS.search(line)
    return line[match.start() :] if match else line


def written_since(path: str, begin: float, most: int = 16384) -> str:
    """The end of a log file, from the first line on that was written after ``begin``; nothing where it cannot be read.

    A line tells its time as Slurm writes it by default (slurm.conf, LogTimeFormat: iso8601 or iso8601_ms). Where a line
    tells none, it counts as written with the line before it.
    """
    try:
        with open(path, "rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(0, end - most))
            lines = log.read().decode("utf-8", "replace").splitlines(keepends=True)
    except OSError:
        return ""
    kept, counts = [], True
    for line in lines:
        at = _time_of(line)
        counts = counts if at is None else at >= begin
        kept += [line] if counts else []
    return "".join(kept)


def _time_of(line: str) -> float | None:
    """When a line of a log file was written, in seconds since 1970. Its time is local."""
    match = _LOGGED.match(line)
    return time.mktime(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S")) + float(match[2] or 0) if match else None


class Verdict(NamedTuple):
    """How the wait for a daemon ended."""

    alive: bool
    unit: UnitState
    seconds: float
    found: str


def wait(
    look: Callable[[], UnitState],
    address: str | None,
    timeout: float,
    settle: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    connects: Callable[[str], bool] = answers,
) -> Verdict:
    """Wait until a daemon is up, answers and has stayed the same process for ``settle`` seconds.

    ``look`` reads the unit; it is asked until the daemon is seen to live, is seen dead, or ``timeout`` has passed.
    """
    begin = clock()
    steady_since: float | None = None
    steady_pid = 0
    while True:
        unit, now = look(), clock()
        if unit.dead:
            return Verdict(False, unit, now - begin, f"the unit is {unit.active or unit.load} ({unit.result})")
        up = unit.active == "active" and unit.pid > 0
        reached = up and (address is None or connects(address))
        if not reached:
            steady_since = None
        elif steady_since is None or unit.pid != steady_pid:
            steady_since, steady_pid = now, unit.pid
        if steady_since is not None and now - steady_since >= settle:
            return Verdict(True, unit, now - begin, "")
        if now - begin >= timeout:
            what = f"nothing answers at {address}" if up else f"the unit is {unit.active} ({unit.sub})"
            return Verdict(False, unit, now - begin, what)
        sleep(0.1)
