# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs that timers start have in common. Private to this collection.

Each reads one file of settings, does its work, and reports: a record for people and for its next run, metrics for
Prometheus, a line in the journal. They run without Ansible, with the standard library alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any, Callable, Mapping, TypeVar

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import replace
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_if_there, read_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import TIMED_OUT, forget_environment

ERROR, WARNING, INFO = 3, 4, 6
"""Levels of a line in the journal."""

_TOKEN = re.compile(r"eyJ[\w-]+(?:\.[\w-]*){0,2}")

Record = TypeVar("Record")
Settings = TypeVar("Settings")


class SettingsError(Exception):
    """The settings of a program cannot be used. The text says why, and what to do."""


def start(usage: str, read_settings: Callable[[str], Settings], attempt: Callable[[Settings], int]) -> int:
    """Run once with the file of settings on the command line, under its file lock. Returns the exit code."""
    if len(sys.argv) != 2:
        log(ERROR, usage)
        return 2
    path = sys.argv[1]
    forget_environment()
    os.umask(0o077)
    try:
        with file_lock(path):
            return attempt(read_settings(read_secret(path).data.decode("utf-8")))
    except (SettingsError, SecretFileError, UnicodeDecodeError) as exc:
        log(ERROR, f"{path}: {exc}")
        return 1


def parse_settings(build: Callable[[Any], Settings], text: str, playbook: str) -> Settings:
    try:
        return build(json.loads(text))
    except (TypeError, ValueError, KeyError) as exc:
        raise SettingsError(
            f"This file does not hold the settings of this program ({exc}). Run the playbook {playbook}, which writes"
            " them."
        ) from None


def format_settings(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, indent=2, sort_keys=True) + "\n"


# -- reports -----------------------------------------------------------------------------------------------------------


def log(level: int, text: str) -> None:
    """Write a line for the journal."""
    mark = f"<{level}>" if "JOURNAL_STREAM" in os.environ else ""
    stream = sys.stderr if level < INFO else sys.stdout
    stream.write(f"{mark}{without_tokens(text)}\n")
    stream.flush()


def without_tokens(text: str) -> str:
    """The text, with anything that looks like a token replaced."""
    return _TOKEN.sub("(a token)", text)


def report(record_path: str, record: Mapping[str, Any], metrics_path: str | None, metrics: str) -> str:
    """Write the record, and the metrics if their folder exists. Returns what failed, in sentences; empty if nothing.

    A host without the folder has no node_exporter.
    """
    failures = []
    for path, text, mode in ((record_path, format_record(record), 0o600), (metrics_path, metrics, 0o644)):
        if path is None or not os.path.isdir(os.path.dirname(path)):
            continue
        try:
            replace(path, text.encode("utf-8"), os.geteuid(), os.getegid(), mode)
        except SecretFileError as exc:
            failures.append(str(exc))
    return " ".join(failures)


def format_record(record: Mapping[str, Any]) -> str:
    return json.dumps(record, sort_keys=True) + "\n"


def parse_record(kind: Callable[..., Record], text: str) -> Record | None:
    """A record; None if it cannot be read: a run does not need it."""
    try:
        return kind(**json.loads(text))
    except (TypeError, ValueError):
        return None


def last_record(path: str, read_record: Callable[[str], Record | None]) -> Record | None:
    """The record of the last run; None if there is none that can be read."""
    file = read_if_there(path)
    return None if file is None else read_record(file.data.decode("utf-8", "replace"))


def gauge(name: str, text: str, labels: dict[str, str], value: int) -> str:
    """One metric with one value, in the text format of Prometheus. All metrics of this collection have one prefix."""
    pairs = ",".join(f'{label}="{_escaped(each)}"' for label, each in labels.items())
    selector = f"{{{pairs}}}" if pairs else ""
    full = f"slurm_jwt_{name}"
    return f"# HELP {full} {text}\n# TYPE {full} gauge\n{full}{selector} {value}\n"


def _escaped(text: Any) -> str:
    return str(text).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def run(argv: list[str], more: dict[str, str], timeout: int) -> tuple[int, str, str]:
    """A program's exit code, output and errors, after TIMEOUT seconds at most. Nothing of it is logged."""
    try:
        # There is no Ansible module here.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            argv,
            env={**os.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return TIMED_OUT[0], "", f"no answer within {timeout} s"
    except OSError as exc:
        return 127, "", f"{argv[0]}: {exc.strerror}"
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
