# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and writes files that hold secrets: keys, their records, tokens. Private to this collection.

A file written here is at every instant the old one or the new one, complete, and readable by nobody whom its
final owner and mode would keep out. What that rests on:

* Its folder is reached as _folder does it.
* A new file is drafted under a random private name in the same folder, made with O_EXCL and mode 0600, rid of the
  access control list that its folder may have given it, given its owner and mode while it is empty, filled, flushed to
  disk, and only then given its name: by link(), which fails when the name is taken, or by rename(), which replaces the
  old file. Both are atomic on NFS too.
* Nothing is ever opened for truncation. slurmctld and slurmdbd map their key, and would die of it. For the same
  reason overwrite() exists: bytes that change where they are, in one write of the same length, change in every process
  that has mapped the file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import Callable, Iterator, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import (
    NO_ACL,
    Acl,
    drop_acl,
    mode_text,
    read_acl,
    writers,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import (
    FolderMissing,
    SecretFileError,
    SecretFileMissing,
    exchange,
    explained,
    folder_of,
    kind,
    open_folder,
)

__all__ = ["FolderMissing", "SecretFileError", "SecretFileMissing"]

MODES = ("0400", "0440", "0600", "0640")

_LIMIT = 1024 * 1024  # nothing that this collection keeps secret is larger
_STALE = 600  # seconds after which a temporary file was surely left by a run that was killed
_BATCH = 100  # files that are flushed together, each with two descriptors of the 1024 that a process usually has
_PATIENCE = 60.0  # seconds to wait for another run that holds the lock
_LINKINGS = 10  # attempts, against runs that remove stale files at the same time
_TEMPORARY = re.compile(r"^\.slurm_jwt\..+\.[0-9a-f]{16}\.tmp$")

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REWRITE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_NO_SYNC = (errno.EBADF, errno.EINVAL, errno.EACCES, errno.EPERM, errno.ENOTSUP)
_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


class SecretFile(NamedTuple):
    """A file's content, and what stat() says of the very file that was read."""

    data: bytes
    uid: int
    gid: int
    mode: int
    mtime: float
    inode: int
    acl: Acl = NO_ACL
    """Whom an access control list gives more than owner, group and mode say."""

    def has_ownership(self, uid: int, gid: int, mode: int) -> bool:
        """Whether it has this owner, group and mode, and gives nobody more than they say."""
        return (self.uid, self.gid, self.mode) == (uid, gid, mode) and not self.acl.grants

    def __repr__(self) -> str:
        # A traceback must not print the secret.
        return f"SecretFile({len(self.data)} bytes, uid={self.uid}, gid={self.gid}, mode={self.mode:04o})"


def parse_mode(value: object) -> int:
    """The permissions a secret file may have, from what a playbook says; anything looser is an error."""
    allowed = {int(text, 8): text for text in MODES}
    advice = f"Allowed are {', '.join(MODES)}; write it as a quoted octal number, for example mode: '0400'."
    if isinstance(value, int) and not isinstance(value, bool):
        # YAML reads an unquoted 0400 as octal, so the number is right; an unquoted 400 is not.
        if value in allowed:
            return value
        raise SecretFileError(f"mode: {value} is not octal 0{value} but a decimal number, octal {value:04o}. {advice}")
    text = str(value).strip()
    digits = text[2:] if text.lower().startswith("0o") else text
    if not re.match(r"^[0-7]{3,5}$", digits):
        raise SecretFileError(f"mode: '{text}' is not an octal number. {advice}")
    mode = int(digits, 8)
    if mode in allowed:
        return mode
    raise SecretFileError(f"mode: '{text}' {_objection(mode)}. {advice}")


def _objection(mode: int) -> str:
    if mode & 0o7:
        return "gives permissions to every user of the host"
    if mode & 0o7000:
        return "sets a set-user-ID, set-group-ID or sticky bit"
    if mode & 0o30:
        return "lets the group write or execute the file"
    return "does not let the owner read it, or lets the owner execute it"


def examine_place(path: str, secret: bool = True) -> None:
    """Raise SecretFileError unless PATH is free or a plain file, in a folder that no stranger can tamper with."""
    with folder_of(path, secret) as (folder, name):
        _plain(folder, name, path)


def read_secret(path: str, secret: bool = True, limit: int = _LIMIT) -> SecretFile:
    """The content of a plain file and its attributes; SecretFileMissing when it is not there.

    What is no SECRET, or what is only read to be removed, may lie in a folder that a group shares.
    """
    with folder_of(path, secret) as (folder, name), explained("read", path):
        fd = _open(folder, name, path)
        try:
            info = os.fstat(fd)
            if info.st_size > limit:
                raise SecretFileError(
                    f"{path} has {info.st_size} bytes, which is no secret of ours: at most {limit} are read."
                    " Check the path, and move the file away if it is the right one."
                )
            data, acl = _drain(fd, limit), _file_acl(fd, info)
        finally:
            os.close(fd)
    return SecretFile(data, info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode), info.st_mtime, info.st_ino, acl)


def read_if_there(path: str, folder_may_lack: bool = True, secret: bool = True) -> SecretFile | None:
    """The same, or None if there is no such file."""
    try:
        return read_secret(path, secret)
    except FolderMissing:
        if folder_may_lack:
            return None
        raise
    except SecretFileMissing:
        return None


def refuse_public_folder(path: str, what: str) -> None:
    """Raise SecretFileError where others than root and the folder's owner could put WHAT of theirs there before us."""
    folder = os.path.dirname(path)
    try:
        info, acl = os.stat(folder), read_acl(folder)
    except OSError:
        return  # the look that follows says it better
    who = writers(info, acl)
    if who:
        raise SecretFileError(
            f"{folder} is writable by {' and by '.join(who)} (mode {mode_text(info.st_mode, acl)}), so {what} could be"
            " put there by them first. Choose another folder, or take that away (chmod go-w, setfacl -b)."
        )


def create(path: str, data: bytes, uid: int, gid: int, mode: int) -> bool:
    """Make PATH with this content unless it exists. False if it does: another was first."""
    with AtomicFile(path, data, uid, gid, mode) as temporary:
        return temporary.link()


def replace(path: str, data: bytes, uid: int, gid: int, mode: int) -> None:
    """Put a new file with this content in the place of PATH, whether it exists or not."""
    with AtomicFile(path, data, uid, gid, mode) as temporary:
        temporary.rename()


class NewFile(NamedTuple):
    """A file that is to be put in its place."""

    path: str
    data: bytes
    uid: int
    gid: int
    mode: int


def replace_all(files: Sequence[NewFile]) -> Iterator[NewFile]:
    """Put new files in the places of many, and yield each once it is there for good.

    For each of them the same holds as with replace(). It is many times faster, because what costs time is the disk, and
    a hundred files are flushed as one. If something goes wrong with a file, those that were not yielded yet are mostly
    as they were, and none of them is half written.
    """
    for first in range(0, len(files), _BATCH):
        batch = files[first : first + _BATCH]
        with ExitStack() as stack:
            opened = [stack.enter_context(AtomicFile(*file, in_batch=True)) for file in batch]
            _flush(opened)
            for temporary in opened:
                temporary.rename()
            _flush_folders(opened)
        yield from batch


def _flush(files: Sequence[AtomicFile]) -> None:
    # One journal entry for all of them. It alone says nothing of failures on older kernels; fsync() does, and finds
    # little left to do.
    syncfs = _syncfs() if len(files) > 1 else None
    if syncfs is not None:
        for fd in {os.fstat(temporary.fd).st_dev: temporary.fd for temporary in files}.values():
            syncfs(fd)
    for temporary in files:
        with explained("write", temporary.path):
            os.fsync(temporary.fd)


def _flush_folders(files: Sequence[AtomicFile]) -> None:
    for temporary in {os.fstat(temporary.folder)[1:3]: temporary for temporary in files}.values():
        with explained("write", temporary.path):
            _sync(temporary.folder)


def _syncfs() -> Callable[[int], int] | None:
    """syncfs(2), which Python lacks; None where the C library does, too."""
    import ctypes

    return getattr(ctypes.CDLL(None), "syncfs", None)


def set_attributes(path: str, uid: int, gid: int, mode: int, ours: bool = True) -> bool:
    """Give PATH this owner, group and mode, and nobody more than they say. False if that was so.

    Of a file that is not OURS but the site's, its access control list and its folder are the site's affair.
    """
    with folder_of(path, ours and _is_secret(mode)) as (folder, name), explained("set owner and mode of", path):
        fd = _open(folder, name, path)
        try:
            info = os.fstat(fd)
            if _dressed(info, uid, gid, mode) and not (ours and _file_acl(fd, info).grants):
                return False
            if info.st_nlink > 1:
                _refuse_other_names(fd, path, "its owner and mode are")
            # First take away what the new mode does not give, so that a new owner or group never gets the old one's.
            if ours:
                drop_acl(fd)
            os.fchmod(fd, stat.S_IMODE(info.st_mode) & mode)
            _dress(fd, uid, gid, mode, path, ours)
            os.fsync(fd)
        finally:
            os.close(fd)
    return True


def remove(path: str) -> bool:
    """Remove PATH. False if it was not there."""
    with folder_of(path, secret=False) as (folder, name), explained("remove", path):
        if _plain(folder, name, path) is None:
            return False
        os.unlink(name, dir_fd=folder)
        _sync(folder)
    return True


def move(path: str, target: str) -> None:
    """Give PATH another name in its folder; a name that is taken is refused."""
    with folder_of(path) as (folder, name), explained("rename", path):
        new = os.path.basename(target)
        if _plain(folder, new, target) is not None:
            raise SecretFileError(f"{target} exists already; move it away and run again.")
        os.rename(name, new, src_dir_fd=folder, dst_dir_fd=folder)
        _sync(folder)


def overwrite(path: str, data: bytes) -> None:
    """Change the bytes of PATH where they are, for every process that has mapped it; the length must be the same.

    The one write lies within what is allocated already, so that a full disk cannot stop it half-way, and a kill comes
    before it or after it. Should it fail all the same, the old bytes are written again.
    """
    with folder_of(path) as (folder, name), explained("overwrite", path):
        fd = _open(folder, name, path, _REWRITE)
        try:
            old = os.pread(fd, _LIMIT, 0)
            if len(old) != len(data):
                raise SecretFileError(
                    f"{path} has {len(old)} bytes and would get {len(data)}. What has mapped it would die of that, so"
                    " it was left as it is."
                )
            if os.fstat(fd).st_nlink > 1:
                _refuse_other_names(fd, path, "its content is")
            try:
                if os.pwrite(fd, data, 0) != len(data):
                    raise OSError(errno.EIO, "only a part of it was written")
            except OSError:
                os.pwrite(fd, old, 0)
                raise
            os.fsync(fd)
        finally:
            os.close(fd)


def link_as(path: str, target: str) -> bool:
    """Give the very file PATH a second name in its folder, in the place of what has it. False if that cannot be."""
    with folder_of(path) as (folder, name), explained("link", path):
        new = os.path.basename(target)
        _plain(folder, new, target)
        for attempts_left in reversed(range(_LINKINGS)):
            temporary = _temporary_name(name)
            try:
                os.link(name, temporary, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except OSError as exc:
                if exc.errno in _NO_LINKS:
                    return False
                raise
            try:
                os.replace(temporary, new, src_dir_fd=folder, dst_dir_fd=folder)
                break
            except FileNotFoundError:
                # Another run has just swept: to it a second name of PATH looks like a leftover.
                if not attempts_left:
                    raise
            finally:
                # To rename one name of a file to another does nothing at all, and neither does a rename that fails.
                _unlink_quietly(folder, temporary)
        _sync(folder)
    return True


def take_name(path: str, target: str) -> None:
    """Give PATH the name of another file of its folder, in the place of that file."""
    with folder_of(path) as (folder, name), explained("rename", path):
        new = os.path.basename(target)
        _plain(folder, new, target)
        os.replace(name, new, src_dir_fd=folder, dst_dir_fd=folder)
        _sync(folder)


def remove_stale(path: str) -> list[str]:
    """Remove the temporary files that killed runs left in the folder of PATH; their names are returned."""
    gone = []
    with folder_of(path, secret=False) as (folder, name):
        for temporary in filter(_TEMPORARY.match, _names(folder)):
            if _left_over(folder, temporary, name):
                _unlink_quietly(folder, temporary)
                gone.append(temporary)
    return gone


@contextmanager
def file_lock(path: str, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold PATH, which must exist, against other runs: those who hold it change it one after the other.

    The lock is on the file itself, which only its readers can open, so no unprivileged user can keep it from us.
    Where the file system has no locks there is none to hold; link() and rename() still keep every file whole.
    """
    deadline = time.monotonic() + patience
    while True:
        with folder_of(path, secret=False) as (folder, name), explained("lock", path):
            fd = _open_locked(folder, name, path, deadline)
            if _same(fd, folder, name):
                break
            os.close(fd)  # it was replaced while we waited: hold the new one
    try:
        yield
    finally:
        os.close(fd)


class Renames:
    """Several renames, each within its folder, that are to happen as nearly at once as can be.

    All that takes time or can be refused is done on entering: folders are reached and held open, files are looked up.
    go() does nothing but rename.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs
        self._folders: dict[str, int] = {}

    def __enter__(self) -> Renames:
        try:
            for path, target in self._pairs:
                with explained("rename", path):
                    folder = self._reach(path)
                    if _plain(folder, os.path.basename(path), path) is None:
                        raise SecretFileMissing(f"{path} does not exist.")
                    _plain(folder, os.path.basename(target), target)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        for fd in self._folders.values():
            os.close(fd)
        self._folders = {}

    def go(self) -> list[float | SecretFileError]:
        """For each rename when it was done, or why it was not; one that fails keeps no other from being done."""
        steps = [
            (self._folders[os.path.dirname(path)], os.path.basename(path), os.path.basename(target), path)
            for path, target in self._pairs
        ]
        done: list[float | SecretFileError] = []
        for folder, old, new, path in steps:
            try:
                with explained("rename", path):
                    os.replace(old, new, src_dir_fd=folder, dst_dir_fd=folder)
                done.append(time.time())
            except SecretFileError as exc:
                done.append(exc)
        for folder in self._folders.values():
            _sync(folder)
        return done

    def _reach(self, path: str) -> int:
        name = os.path.dirname(path)
        if name not in self._folders:
            self._folders[name] = open_folder(path)
        return self._folders[name]


class AtomicFile:
    """A complete file that has no name yet, or rather a private one; it gets its own by link() or rename().

    It is locked as file_lock() would lock it, until the end of the with block, so a reader who wants to change what
    has just appeared waits until its maker is done. A temporary file that got no name is removed at the end.

    One of many, in_batch, neither flushes itself nor its folder: replace_all() does that for all of them at once.
    """

    def __init__(self, path: str, data: bytes, uid: int, gid: int, mode: int, in_batch: bool = False) -> None:
        self.path = path
        self._in_batch = in_batch
        self._data = data
        self._dress = (uid, gid, mode)
        self._fd = self._folder = -1
        self._name = os.path.basename(path)
        self._draft = _temporary_name(self._name)
        self._left = False

    def __enter__(self) -> AtomicFile:
        try:
            with explained("write", self.path):
                self._folder = open_folder(self.path, self.is_secret())
                _plain(self._folder, self._name, self.path)
                self._write()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._left:
            _unlink_quietly(self._folder, self._draft)
        for fd in (self._fd, self._folder):
            if fd >= 0:
                os.close(fd)
        self._fd = self._folder = -1
        self._left = False

    def is_secret(self) -> bool:
        """Whether nobody but owner and root may be able to write to any folder on the way."""
        return _is_secret(self._dress[2])

    @property
    def fd(self) -> int:
        return self._fd

    @property
    def folder(self) -> int:
        return self._folder

    def link(self) -> bool:
        """Take the name if it is free; False if it is not."""
        with explained("write", self.path):
            try:
                here = self._folder
                os.link(self._draft, self._name, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)
            except FileExistsError:
                # An NFS server whose first answer was lost says so of a link that it has made.
                if not _same(self._fd, self._folder, self._name):
                    return False
            except OSError as exc:
                if exc.errno not in _NO_LINKS:
                    raise
                return self._rename_if_free()
            _unlink_quietly(self._folder, self._draft)
            self._left = False
            _sync(self._folder)
        return True

    def rename(self) -> None:
        """Take the name from whatever file has it."""
        with explained("write", self.path):
            os.replace(self._draft, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            self._left = False
            if not self._in_batch:
                _sync(self._folder)

    def _write(self) -> None:
        self._fd = os.open(self._draft, _CREATE, 0o600, dir_fd=self._folder)
        self._left = True
        drop_acl(self._fd)
        _dress(self._fd, *self._dress, path=self.path)
        _try_lock(self._fd)
        rest = memoryview(self._data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        if not self._in_batch:
            os.fsync(self._fd)

    def _rename_if_free(self) -> bool:
        """link() for a file system that has no hard links: rename, while nobody else with our manners can.

        The lock is on the folder, since there is no file yet. Without links and locks there is no way to be
        sure of making one key only, and so none is made.
        """
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            cause = "another process holds" if exc.errno in _TAKEN else "it cannot lock"
            raise SecretFileError(
                f"The file system of {self.path} has no hard links, and {cause} the folder, so two runs at once"
                " could not be told apart. Nothing was written. Run again, or choose a folder on another file system."
            ) from exc
        try:
            if _plain(self._folder, self._name, self.path) is not None:
                return False
            self.rename()
            return True
        finally:
            fcntl.flock(self._folder, fcntl.LOCK_UN)


def _temporary_name(name: str) -> str:
    return f".slurm_jwt.{name}.{os.urandom(8).hex()}.tmp"


def _plain(folder: int, name: str, path: str) -> os.stat_result | None:
    """stat() of a plain file, None if the name is free; an error for anything else."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISREG(info.st_mode):
        return info
    remedy = "name the file it leads to" if stat.S_ISLNK(info.st_mode) else "choose another path"
    raise SecretFileError(f"{path} is {kind(info.st_mode)}, not a file. Remove it, or {remedy}. Nothing was changed.")


def _open(folder: int, name: str, path: str, flags: int = _READ) -> int:
    """A plain file opened for reading, never a link or anything that would block or act on being opened."""
    if _plain(folder, name, path) is None:
        raise SecretFileMissing(f"{path} does not exist.")
    try:
        fd = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        raise SecretFileMissing(f"{path} does not exist.") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise SecretFileError(f"{path} was replaced by something that is not a file while it was read. Look who did.")
    return fd


def _drain(fd: int, limit: int) -> bytes:
    parts = []
    left = limit
    while left > 0:
        part = os.read(fd, left)
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _dressed(info: os.stat_result, uid: int, gid: int, mode: int) -> bool:
    return (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (uid, gid, mode)


def _dress(fd: int, uid: int, gid: int, mode: int, path: str, ours: bool = True) -> None:
    """Owner first, while nobody else may do anything, then the mode. Then look: some file systems only pretend."""
    info = os.fstat(fd)
    if (info.st_uid, info.st_gid) != (uid, gid):
        os.fchown(fd, uid, gid)
    os.fchmod(fd, mode)
    info = os.fstat(fd)
    acl = _file_acl(fd, info) if ours else NO_ACL
    if not _dressed(info, uid, gid, mode) or acl.grants:
        raise SecretFileError(
            f"The file system of {path} does not keep owners and modes: asked for {uid}:{gid} {mode:04o}, it made"
            f" {info.st_uid}:{info.st_gid} {mode_text(info.st_mode, acl)}. Choose a folder on another file system."
        )


def _file_acl(fd: int, info: os.stat_result) -> Acl:
    """The list of a file, where it can let anybody in: nobody in it gets what the group bits do not have."""
    return read_acl(fd) if info.st_mode & 0o070 else NO_ACL


def _is_secret(mode: int) -> bool:
    return not mode & 0o004


def _refuse_other_names(fd: int, path: str, what: str) -> None:
    """A hard link may be somebody's way to have us give them a file of another user.

    A run that is just making this file gives it a second name for an instant, so look twice.
    """
    for _attempt in range(20):
        if os.fstat(fd).st_nlink < 2:
            return
        time.sleep(0.05)
    raise SecretFileError(
        f"{path} has {os.fstat(fd).st_nlink} names (hard links), so {what} not changed: whoever has"
        " another name for it would have it still. Find them with find -samefile, and remove them, or let the secret be"
        " made anew."
    )


def _same(fd: int, folder: int, name: str) -> bool:
    """Whether the name still, or by now, belongs to the open file."""
    return _names_it(folder, name, os.fstat(fd))


def _names_it(folder: int, name: str, info: os.stat_result) -> bool:
    try:
        return os.path.samestat(info, os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _open_locked(folder: int, name: str, path: str, deadline: float) -> int:
    fd = _open(folder, name, path)
    try:
        if not _lock(fd, path, deadline):
            # NFS locks only what is open for writing. If that is not allowed either, we go on without.
            with suppress(OSError):
                fd = exchange(fd, os.open(name, _READ | os.O_RDWR, dir_fd=folder))
                _lock(fd, path, deadline)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _lock(fd: int, path: str, deadline: float) -> bool:
    """Wait for the lock; False if there is none to be had on this descriptor."""
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as exc:
            if exc.errno not in _TAKEN:
                return False
        if time.monotonic() > deadline:
            raise SecretFileError(
                f"Another process has been at work on {path} for too long (see fuser -v {path}). Nothing was changed;"
                " run again when it is done."
            )
        time.sleep(0.05)


def _try_lock(fd: int) -> None:
    with suppress(OSError):  # no locks here
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _names(folder: int) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []  # a folder that we may pass through and not list


def _left_over(folder: int, temporary: str, name: str) -> bool:
    """Whether a temporary file is old, or has got its name already and was only not taken away."""
    try:
        info = os.stat(temporary, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(info.st_mode):
        return False
    return info.st_mtime < time.time() - _STALE or (info.st_nlink > 1 and _names_it(folder, name, info))


def _unlink_quietly(folder: int, name: str) -> None:
    with suppress(OSError):  # somebody else swept it; or it is a private leftover that the next run sweeps
        os.unlink(name, dir_fd=folder)


def _sync(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as exc:
        # A folder that we may not list, or a file system that does not flush folders.
        if exc.errno not in _NO_SYNC:
            raise
