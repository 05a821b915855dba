# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the small programs have in common that timers run between two runs of Ansible. Private to this collection.

Each is given one file of settings, does its work alone, and leaves word of it: a record for people and for its next
run, metrics for Prometheus, a line in the journal. _installation puts them on a host, which has neither Ansible nor
more than the standard library.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any, Callable, Iterable, TypeVar

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import replace
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_if_there, read_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import TIMED_OUT, forget_environment

ERROR, WARNING, INFO = 3, 4, 6
"""Of a line in the journal."""

_TOKEN = re.compile(r"eyJ[\w-]+(?:\.[\w-]*){0,2}")

Record = TypeVar("Record")
Settings = TypeVar("Settings")


class SettingsError(Exception):
    """The settings of a program cannot be used. The text says what was found, and what to do."""


def start(usage: str, read_settings: Callable[[str], Settings], attempt: Callable[[Settings], int]) -> int:
    """One run, with the file of settings that the command line names, while no other run has it. Its exit code."""
    if len(sys.argv) != 2:
        say(ERROR, usage)
        return 2
    path = sys.argv[1]
    forget_environment()
    os.umask(0o077)
    try:
        with file_lock(path):
            return attempt(read_settings(read_secret(path).data.decode("utf-8")))
    except (SettingsError, SecretFileError, UnicodeDecodeError) as exc:
        say(ERROR, f"{path}: {exc}")
        return 1


# -- word of it --------------------------------------------------------------------------------------------------------


def say(level: int, text: str) -> None:
    """A line for the journal."""
    mark = f"<{level}>" if "JOURNAL_STREAM" in os.environ else ""
    stream = sys.stderr if level < INFO else sys.stdout
    stream.write(f"{mark}{without_tokens(text)}\n")
    stream.flush()


def without_tokens(text: str) -> str:
    """The text without anything that looks like a token, whoever has printed it."""
    return _TOKEN.sub("(a token)", text)


def leave(files: Iterable[tuple[str | None, str, int]]) -> str:
    """Write files, each with path, content and mode, where there is a folder for them; what went wrong with that."""
    wrong = []
    for path, text, mode in files:
        # Without the folder for metrics there is no node_exporter here.
        if path is None or not os.path.isdir(os.path.dirname(path)):
            continue
        try:
            replace(path, text.encode("utf-8"), os.geteuid(), os.getegid(), mode)
        except SecretFileError as exc:
            wrong.append(str(exc))
    return " ".join(wrong)


def parse_record(kind: Callable[..., Record], text: str) -> Record | None:
    """A record, None if there is none that can be read: everything in it can be learnt anew."""
    try:
        return kind(**json.loads(text))
    except (TypeError, ValueError):
        return None


def last_record(path: str, read_record: Callable[[str], Record | None]) -> Record | None:
    """What the last run has left in a file, None if there is nothing that can be read."""
    file = read_if_there(path)
    return None if file is None else read_record(file.data.decode("utf-8", "replace"))


def gauge(name: str, text: str, labels: dict[str, str], value: int) -> str:
    """One metric with one value, in the text format of Prometheus."""
    told = ",".join(f'{label}="{_escaped(each)}"' for label, each in labels.items())
    whose = f"{{{told}}}" if told else ""
    return f"# HELP {name} {text}\n# TYPE {name} gauge\n{name}{whose} {value}\n"


def _escaped(text: Any) -> str:
    return str(text).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def run(argv: list[str], more: dict[str, str], timeout: int) -> tuple[int, str, str]:
    """A program's exit code, output and errors. Nothing of it is written anywhere."""
    try:
        # There is no module here, and no Ansible.
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
