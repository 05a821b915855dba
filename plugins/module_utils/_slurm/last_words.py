# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a daemon died, from its journal and its log file. Private to this collection."""

from __future__ import annotations

import os
import re
import time

# What a dying Slurm daemon writes; the last such line is nearly always the cause.
_LEVEL = re.compile(r"\b(fatal|error):\s", re.IGNORECASE)
_LOGGED = re.compile(r"\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?\]")
# systemd's own lines say that the daemon died, never why.
_SYSTEMD = re.compile(r"\bsystemd\[\d+\]:")


def last_words(journal: str, log: str, most: int = 3) -> list[str]:
    """The last errors that a daemon logged in its journal and its log file. The cause of its death comes first.

    Both must begin with the daemon's current start. A fatal line is the cause; the errors that led to it follow, the
    latest last. Lines of the log file that are also in the journal are left out.
    """
    lines = [line.strip() for line in (journal.splitlines() + log.splitlines()) if line.strip()]
    own = [line for line in lines if not _SYSTEMD.search(line)]
    once = list({_message(line): line for line in reversed(own)}.values())[::-1]
    fatal = [line for line in once if _level(line) == "fatal"]
    errors = [line for line in once if _level(line) == "error"]
    if not fatal and not errors:
        return (once or lines)[-most:]
    return [*fatal[-1:], *(errors[-(most - len(fatal[-1:])) :])]


def _level(line: str) -> str:
    match = _LEVEL.search(line)
    return match[1].lower() if match else ""


def _message(line: str) -> str:
    """The line without the prefix of the journal or the log file."""
    match = _LEVEL.search(line)
    return line[match.start() :] if match else line


def written_since(path: str, begin: float, most: int = 16384) -> str:
    """The lines at the end of a log file that were written after ``begin``; empty if it cannot be read.

    A line begins with its time in Slurm's default format (slurm.conf, LogTimeFormat: iso8601 or iso8601_ms). A line
    without a time belongs to the line before it.
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
