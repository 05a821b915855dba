# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An unprivileged user who attacks a host to get keys, tokens and decisions: attacker.py TASK FOLDER

TASK is a JSON file with targets (see Task). FOLDER belongs to the attacker and gets: gains.jsonl, a line for each gain;
tries.json, the number of attempts of each attack; loot, everything that may contain a key, for a later search.

The attacks run until the program is stopped. Gains are stored, and never printed.
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

LIMIT = 256 * 1024  # bytes to read of a file
STORED = 64 * 1024  # bytes to store as loot
TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.(eyJ[A-Za-z0-9_-]{8,})\.[A-Za-z0-9_-]{20,}")
PRIVATE = re.compile(rb"-----BEGIN (?:RSA |EC )?PRIVATE KEY-----\s+[A-Za-z0-9+/]{20}")
# A possible key of 32 bytes or more: in hex, in base64.
LIKE_A_KEY = re.compile(rb"[0-9a-fA-F]{64}|[A-Za-z0-9+/_-]{42}")


class Task(NamedTuple):
    """The targets. The attacker could find all of them himself."""

    ports: list[int]
    """Ports on loopback addresses where programs connect."""
    sockets: list[str]
    """Paths of Unix sockets."""
    marks: list[str]
    """Passwords to recognize."""
    links: list[str]
    """Files of root that root should write to by mistake; they need not exist."""
    planted: list[str]
    """Files that root writes in the attacker's folders, and that he replaces all the time."""
    swapped: dict[str, str]
    """The attacker's folders in which root writes, and a folder of root for a link in their place."""
    folders: list[str]
    """The attacker's folders. A default ACL lets him read files that are made there."""


class Ledger:
    """The attempts and gains of all attacks."""

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
        """The same gain counts once."""
        name = hashlib.sha256(f"{attack}\0{what}\0{where}\0{more}".encode()).digest()
        with self._lock:
            if name not in self._seen:
                self._seen.add(name)
                line = {"attack": attack, "what": what, "where": where, "at": time.strftime("%T"), **more}
                with open(self.folder / "gains.jsonl", "a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")

    def inspect(self, attack: str, where: str, data: bytes) -> None:
        """Searches data for secrets."""
        digest = hashlib.sha256(data).digest()
        with self._lock:
            if not data or digest in self._seen:
                return
            self._seen.add(digest)
        for match in TOKEN.finditer(data):
            user = user_of(match[1])
            # He may have his own token.
            if user not in ("", "mallory"):
                self.gained(attack, "token", where, user=user)
        if PRIVATE.search(data):
            self.gained(attack, "private key", where)
        for mark in self.marks:
            if mark in data:
                self.gained(attack, "password", where, mark=mark.decode())
        # Binary data, or its encoding.
        if (len(data) <= 128 and not data.isascii()) or LIKE_A_KEY.search(data):
            (self.folder / "loot" / digest.hex()).write_bytes(data[:STORED])

    def write_tries(self) -> None:
        temporary = self.folder / "tries.new"
        temporary.write_text(json.dumps(self.tries))
        temporary.rename(self.folder / "tries.json")


def user_of(claims: bytes) -> str:
    """The user of a token; empty if it is not for Slurm."""
    try:
        members = json.loads(base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4)))
        return str(members.get("sun", members.get("username", "")))
    except (ValueError, AttributeError):
        return ""


def read(path: str) -> bytes | None:
    """The content of a file, if this user can read it; never waits."""
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
    """One attack; step() is called repeatedly."""

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
                # Too many open files, a full disk: the other attacks go on.
                self.ledger.tried(f"{self.name} failed: {error.strerror}")
            time.sleep(self.pause)

    def step(self) -> None:
        raise NotImplementedError


def main() -> None:
    from files import FolderLinks, LocalFolders, NewFiles, Plants, ReadableFiles
    from hosts import Journals, Locks, Processes, Units
    from sockets import Ports, Sockets

    task = Task(**json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")))
    ledger = Ledger(pathlib.Path(sys.argv[2]), task)
    everything = (
        Ports, Sockets, NewFiles, ReadableFiles, LocalFolders, Plants, FolderLinks, Processes, Units, Journals, Locks,
    )  # fmt: skip
    for attack in everything:
        attack(ledger, task).start()
    while True:
        time.sleep(1)
        ledger.write_tries()


if __name__ == "__main__":
    # The other files import this one by name.
    sys.modules["attacker"] = sys.modules["__main__"]
    main()
