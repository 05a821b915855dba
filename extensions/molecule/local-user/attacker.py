# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An unprivileged user who wants keys, tokens and decisions: attacker.py TASK FOLDER

TASK is a file of JSON that says what is worth having and where to try (see Task). FOLDER is the attacker's own. In it:
gains.jsonl, one line for each thing that was gained; tries.json, how often each attack tried; loot, everything that
might hold a key, for whoever knows the key to search.

The attacks do not stop before the program is ended. What they gain they keep; nothing of it is printed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pathlib
import re
import sys
import threading
import time
from typing import Any, NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

LIMIT = 256 * 1024  # of what is read of one file
KEPT = 64 * 1024  # of what is kept as loot
TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.(eyJ[A-Za-z0-9_-]{8,})\.[A-Za-z0-9_-]{20,}")
PRIVATE = re.compile(rb"-----BEGIN (?:RSA |EC )?PRIVATE KEY-----\s+[A-Za-z0-9+/]{20}")
# What could be a key of 32 bytes or more: as it is, in hex, in base64.
LIKE_A_KEY = re.compile(rb"[0-9a-fA-F]{64}|[A-Za-z0-9+/_-]{42}")


class Task(NamedTuple):
    """What the scenario tells the attacker. He could find all of it out by himself."""

    ports: list[int]
    """Where somebody may connect on a loopback address."""
    sockets: list[str]
    """Where somebody may look for a Unix socket."""
    marks: list[str]
    """Passwords that are worth having, to be recognised."""
    links: list[str]
    """Files of root's that root is to write to by mistake; none need exist."""
    planted: list[str]
    """Files that root writes, in folders of the attacker's, which he replaces all the time."""
    swapped: dict[str, str]
    """Folders of the attacker's in which root writes, and the folder of root's to which a link takes their place."""
    folders: list[str]
    """The attacker's folders: a default ACL in each lets him read what is made there."""


class Ledger:
    """What was tried and gained, by all attacks."""

    def __init__(self, folder: pathlib.Path, task: Task) -> None:
        self.folder = folder
        self.marks = [mark.encode() for mark in task.marks]
        self.tries: dict[str, int] = {}
        self._lock = threading.Lock()
        self._seen: set[bytes] = set()
        (folder / "loot").mkdir(exist_ok=True)
        (folder / "gains.jsonl").touch()

    def tried(self, attack: str, times: int = 1) -> None:
        with self._lock:
            self.tries[attack] = self.tries.get(attack, 0) + times

    def gained(self, attack: str, what: str, where: str, **more: Any) -> None:
        """The same thing twice counts once."""
        name = hashlib.sha256(f"{attack}\0{what}\0{where}\0{more}".encode()).digest()
        with self._lock:
            if name not in self._seen:
                self._seen.add(name)
                line = {"attack": attack, "what": what, "where": where, "at": time.strftime("%T"), **more}
                with open(self.folder / "gains.jsonl", "a") as file:
                    file.write(json.dumps(line) + "\n")

    def inspect(self, attack: str, where: str, data: bytes) -> None:
        """See whether something that was read is worth having."""
        digest = hashlib.sha256(data).digest()
        with self._lock:
            if not data or digest in self._seen:
                return
            self._seen.add(digest)
        for match in TOKEN.finditer(data):
            user = user_of(match[1])
            # A token of the attacker's own is none that he should not have.
            if user not in ("", "mallory"):
                self.gained(attack, "token", where, user=user)
        if PRIVATE.search(data):
            self.gained(attack, "private key", where)
        for mark in self.marks:
            if mark in data:
                self.gained(attack, "password", where, mark=mark.decode())
        # Bytes that are no text, or what stands for such bytes.
        if (len(data) <= 128 and not data.isascii()) or LIKE_A_KEY.search(data):
            (self.folder / "loot" / digest.hex()).write_bytes(data[:KEPT])

    def write_tries(self) -> None:
        draft = self.folder / "tries.new"
        draft.write_text(json.dumps(self.tries))
        draft.rename(self.folder / "tries.json")


def user_of(claims: bytes) -> str:
    """Whose token it is; empty for one that is not for Slurm."""
    try:
        found = json.loads(base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4)))
        return str(found.get("sun", found.get("username", "")))
    except (ValueError, AttributeError):
        return ""


def read(path: str) -> bytes | None:
    """What this user can read of a file; never waits."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, LIMIT)
    except OSError:
        return None
    finally:
        os.close(fd)


class Attack(threading.Thread):
    """One way to gain something; step() is called again and again."""

    name = ""
    pause = 0.01

    def __init__(self, ledger: Ledger, task: Task) -> None:
        super().__init__(daemon=True)
        self.ledger = ledger
        self.task = task

    def run(self) -> None:
        while True:
            try:
                self.step()
            except OSError as error:
                # Too many open files, a full disk: others are not to notice.
                self.ledger.tried(f"{self.name} failed: {error.strerror}")
            time.sleep(self.pause)

    def step(self) -> None:
        raise NotImplementedError


def main() -> None:
    from files import Everything, FolderLinks, NewFiles, OwnPlaces, Plants
    from hosts import Journals, Locks, Processes, Units
    from sockets import Ports, Sockets

    task = Task(**json.loads(pathlib.Path(sys.argv[1]).read_text()))
    ledger = Ledger(pathlib.Path(sys.argv[2]), task)
    everything = (
        Ports, Sockets, NewFiles, Everything, OwnPlaces, Plants, FolderLinks, Processes, Units, Journals, Locks,
    )  # fmt: skip
    for attack in everything:
        attack(ledger, task).start()
    while True:
        time.sleep(1)
        ledger.write_tries()


if __name__ == "__main__":
    # The other files import this one by its name.
    sys.modules["attacker"] = sys.modules["__main__"]
    main()
