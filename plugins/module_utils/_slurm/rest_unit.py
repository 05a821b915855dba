# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site's own files add to slurmrestd's unit, and what of that prevents a rollout. Private to this collection.

Upstream's unit reads /etc/sysconfig/slurmrestd and /etc/default/slurmrestd, and sites have drop-ins of their own.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shlex
import stat
from typing import Iterable, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import command_line

OPTIONS = "SLURMRESTD_OPTIONS"
DROPIN = "slurm_jwt.conf"
"""The drop-in of the role slurmrestd. systemd reads drop-ins in the order of their names, from all folders."""

STATES = ("off", "enabled", "running", "enabled and running")
"""The state of slurmrestd before JWT. A comment in the drop-in keeps it for the removal."""

# Lines of a later drop-in that undo what the role writes.
_UNDOES = re.compile(
    r"^\s*(User|Group|ExecStart|UnsetEnvironment|Environment(?==.*SLURM_(?:JWT|CONF)=))\s*=", re.MULTILINE
)


def before_jwt(service: str, root: str = "/") -> str | None:
    """One of STATES from the drop-in of a rollout; None without a drop-in, "off" if it has no comment."""
    path = os.path.join(root, f"etc/systemd/system/{service}.service.d", DROPIN)
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except FileNotFoundError:
        return None
    match = re.search(r"^# Before JWT: (.*)$", text, re.MULTILINE)
    return match[1] if match and match[1] in STATES else STATES[0]


def dropin_digest(service: str, root: str = "/") -> str | None:
    """SHA256:HEX of the drop-in that a rollout wrote; None unless owner and group are root and the mode is 0644."""
    path = os.path.join(root, f"etc/systemd/system/{service}.service.d", DROPIN)
    try:
        with open(path, "rb", opener=_without_links) as stream:
            status = os.fstat(stream.fileno())
            content = stream.read()
    except OSError:
        return None
    as_written = status.st_uid == status.st_gid == 0 and status.st_mode == stat.S_IFREG | 0o644
    return f"SHA256:{hashlib.sha256(content).hexdigest()}" if as_written else None


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def dropins(service: str, known: Iterable[str], root: str = "/") -> list[str]:
    """The drop-ins of a unit: those that systemd has read, and those that it will read at its next reload."""
    folders = ("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system")
    found = (glob.glob(os.path.join(root, folder, f"{glob.escape(service)}.service.d", "*.conf")) for folder in folders)
    return list(dict.fromkeys([*known, *(path for paths in found for path in sorted(paths))]))


class UnitVariable(NamedTuple):
    """The value of a variable, and where it is set."""

    value: str
    source: str


def variable(name: str, shown: Iterable[str], files: Sequence[str]) -> UnitVariable | None:
    """A variable of the unit's environment. Files come after the unit's own lines, and the last one wins."""
    found = None
    for line in shown:
        for word in _words(line):
            if word.startswith(f"{name}="):
                found = UnitVariable(word[len(name) + 1 :], "its unit")
    for path in files:
        try:
            with open(path.lstrip("-"), encoding="utf-8", errors="replace") as stream:
                text = stream.read()
        except OSError:
            continue
        for match in re.finditer(rf"^[ \t]*{name}=(.*)$", text, re.MULTILINE):
            found = UnitVariable(" ".join(_words(match[1])), path.lstrip("-"))
    return found


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=False)
    except ValueError:
        return text.split()


class RestOptions(NamedTuple):
    """What slurmrestd reads from its options."""

    user: list[str]
    """-u and -g, each with its value."""
    addresses: list[str]


def options(text: str) -> RestOptions:
    """Read the value of SLURMRESTD_OPTIONS."""
    found = list(command_line.options("slurmrestd", _words(text)))
    return RestOptions(
        [f"-{letter} {value}" for letter, value in found if letter in ("u", "g")],
        [word for letter, word in found if not letter],
    )


def overrules(path: str) -> list[str]:
    """The settings in a drop-in that undo what the role writes; none if systemd reads it before the role's drop-in.

    systemd reads the unit's own file before all drop-ins.
    """
    folder, name = os.path.split(path)
    if not folder.endswith(".d") or name <= DROPIN:
        return []
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return list(dict.fromkeys(_UNDOES.findall(stream.read())))
    except OSError:
        return []
