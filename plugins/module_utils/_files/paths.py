# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files, folders, file systems and users of a host. Private to this collection."""

from __future__ import annotations

import os
import pwd
import stat
from typing import Callable, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import NO_ACL, Acl, mode_text, read_acl
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import user_name

# A configuration file has a few hundred kilobytes at most. The new one is written beside the old one.
ROOM_NEEDED = 1024 * 1024


class PathInfo(NamedTuple):
    """What is at a path."""

    kind: str
    """file, directory, other or missing, symbolic links followed."""
    is_link: bool
    uid: int
    gid: int
    mode: int
    size: int
    modified: float
    inode: int
    acl: Acl = NO_ACL
    """What an access control list grants beyond owner, group and mode."""

    @property
    def octal(self) -> str:
        return mode_text(self.mode, self.acl)


MISSING = PathInfo("missing", False, -1, -1, 0, 0, 0.0, 0)


def inspect(path: str) -> PathInfo:
    """What is at the path; MISSING also if this user may not enter the folder."""
    try:
        is_link = stat.S_ISLNK(os.lstat(path).st_mode)
    except OSError:
        return MISSING
    try:
        found = os.stat(path)
    except OSError:
        return MISSING._replace(is_link=is_link)
    if stat.S_ISREG(found.st_mode):
        kind = "file"
    elif stat.S_ISDIR(found.st_mode):
        kind = "directory"
    else:
        kind = "other"
    mode = stat.S_IMODE(found.st_mode)
    # The group bits of the mode limit what a list grants.
    acl = read_acl(path) if mode & 0o070 else NO_ACL
    return PathInfo(kind, is_link, found.st_uid, found.st_gid, mode, found.st_size, found.st_mtime, found.st_ino, acl)


class User(NamedTuple):
    """A user of this host."""

    name: str
    uid: int
    gid: int


def find_user(name: str) -> User | None:
    """The user of that name or number. Slurm tries the name first, as it may consist of digits (uid_from_string)."""
    finders: tuple[Callable[[], pwd.struct_passwd], ...] = (
        lambda: pwd.getpwnam(name),
        lambda: pwd.getpwuid(int(name) if name.isascii() and name.isdigit() else -1),
    )
    for find in finders:
        try:
            entry = find()
        except (KeyError, ValueError, OverflowError):  # the user name in a token may be anything
            continue
        return User(entry.pw_name, entry.pw_uid, entry.pw_gid)
    return None


class Mount(NamedTuple):
    """The file system of a path."""

    point: str
    type: str
    source: str
    is_part: bool = False
    """Whether only a part of the file system is mounted, such as a folder of the machine in a container."""


def mount_of(path: str, mountinfo: str) -> Mount:
    """The file system of a path, from the text of /proc/self/mountinfo."""
    real = os.path.realpath(path)
    best = Mount("", "", "")
    for line in mountinfo.splitlines():
        before, dummy_sep, after = line.partition(" - ")
        fields, described = before.split(), after.split()
        if len(fields) < 5 or len(described) < 2:
            continue
        point = _unescape(fields[4])
        # A later mount on the same point hides the earlier one.
        if len(point) >= len(best.point) and _is_below(real, point):
            best = Mount(point, described[0], _unescape(described[1]), _is_part(fields[3], described[2:]))
    return best


def _is_part(root: str, options: list[str]) -> bool:
    """Whether a mount shows only a part of its file system. A whole subvolume is not a part."""
    subvolumes = [name[len("subvol=") :] for name in ",".join(options).split(",") if name.startswith("subvol=")]
    return root not in ("/", *subvolumes)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def obstacle(folder: str) -> str | None:
    """Why nothing can be written to a folder, without a full stop; None if no obstacle is known."""
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    try:
        found = os.statvfs(folder)
    except OSError as error:
        return f"{folder} has an unknown amount of free space ({error.strerror})"
    if found.f_flag & os.ST_RDONLY:
        return f"{folder} is on a read-only file system"
    # A file server may map root to nobody, who may not be able to write.
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written by {user_name(os.geteuid())}, the user of this run"
    # Everything is written as root, who may use the reserved blocks.
    free = found.f_bfree * found.f_frsize
    if free < ROOM_NEEDED:
        return f"{folder} is on a file system with only {free} bytes free"
    if found.f_files and not found.f_ffree:
        return f"{folder} is on a file system with no inode free"
    return None
