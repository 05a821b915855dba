# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a key rotation and the steps between them, on one host. Private to this collection.

Beside the key in force, KEY, a rotation has two more: KEY.next, staged and not yet in force, and KEY.previous, kept for
the way back. Each has its record. How far a rotation has come is read from these files and from nothing else:

    KEY.next is missing             no rotation is under way
    KEY.next differs from KEY       staged, not yet in force on this host
    KEY.next is the same as KEY     in force; what follows is to take KEY.next away

Every step may be taken again, and may be killed: it leaves the state before it or the state after it. Hosts that share
the folder may take the same step at once; the first takes it, and the others find it taken.

There are two ways to bring a key into force. By rename daemons go on with the old key until they load the new one. In
place, the bytes of the file change where they are: slurmctld and slurmdbd have mapped it (MAP_SHARED, every release),
so they have the new key at once, without a reload. That asks for a key of the same length.
"""

from __future__ import annotations

import time

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import (
    AtomicFile,
    link_as,
    overwrite,
    remove,
    rename_over,
    replace,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    read_if_there,
    read_secret,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import (
    KeyRecord,
    format_record,
    record_path,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import (
    NEXT,
    PREVIOUS,
    Slot,
    _dated_record,
    beside,
    read_slots,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.instant import on_time, refuse_far, wait_until

IN_PLACE = "in_place"
RENAME = "rename"
_LEAD = 0.3
"""Seconds before the instant at which KEY is held and all is made ready, so that nothing but the swap is left then."""


class RotationError(TaskError):
    """The step cannot be taken. The text says what was found, and what to do."""


def stage(path: str, data: bytes, record: KeyRecord, uid: int, gid: int, mode: int) -> None:
    """Lay the next key beside the one in force, in the place of one that was staged before. Hold PATH meanwhile."""
    staged = beside(path, NEXT)
    # The record first: a key that nobody knows the run of could be taken over from a run that lives.
    replace(record_path(staged), format_record(record), uid, gid, mode)
    replace(staged, data, uid, gid, mode)


def claim(path: str, record: KeyRecord) -> None:
    """Have the staged key's record say who is at work on it now. Hold PATH meanwhile."""
    staged = beside(path, NEXT)
    file = read_secret(staged)
    replace(record_path(staged), format_record(record), file.uid, file.gid, file.mode)


def activate(path: str, source: str, method: str, expected: str | None, at: float | None) -> float | None:
    """Bring the next or the previous key into force, at that instant or now; when it was, None if it was in force.

    With EXPECTED it must be the key of that fingerprint.
    """
    refuse_far(at)
    with file_lock(path):
        if _in_force(path, source, expected):
            _mend_record(path)
            return None
        before = _present(read_slots(path).current, path)
        if source == NEXT:
            _keep_previous(path, before, method)
    wait_until(at, _LEAD)
    with file_lock(path):
        slots = read_slots(path)
        if _in_force(path, source, expected):
            _mend_record(path)
            return None
        if _present(slots.current, path).key.data != before.key.data:
            raise RotationError(f"Somebody else has changed {path} meanwhile. It was left as it is; find out who.")
        new = _present(slots.next if source == NEXT else slots.previous, beside(path, source))
        when = _swap(path, source, method, before, new, at)
        _mend_record(path)
    return when


def is_due(path: str, source: str, expected: str | None, at: float | None) -> bool:
    """Whether activate() would swap the keys. It refuses what activate() refuses, and touches nothing."""
    refuse_far(at)
    # In the middle of another run's way back by rename there is no previous key any more, and the old one not yet.
    with file_lock(path):
        return not _in_force(path, source, expected)


def unstage(path: str, keep_previous: bool) -> bool:
    """Take the next key away, and what would lie beside KEY without a use; False if there was neither. Hold PATH.

    After a swap this ends the rotation, before it the rotation has never been.
    """
    _mend_record(path)
    gone = [remove(name) for name in left_to_unstage(path, keep_previous)]
    return any(gone)


def left_to_unstage(path: str, keep_previous: bool) -> list[str]:
    """The files that unstage() would remove, each key before its record: somebody may ask who staged it."""
    slots = read_slots(path)
    keys = [beside(path, NEXT)]
    current, previous = slots.current, slots.previous
    useless = previous is None or (current is not None and current.key.data == previous.key.data)
    if useless or not keep_previous:
        # After a way back by rename there is no such key any more, and its record still.
        keys.append(beside(path, PREVIOUS))
    return [name for key in keys for name in (key, record_path(key)) if read_if_there(name)]


def _in_force(path: str, source: str, expected: str | None) -> bool:
    """Whether the key to bring into force is so already; RotationError if there is no such key to bring."""
    slots = read_slots(path)
    live = _present(slots.current, path)
    if expected is not None and live.fingerprint == expected:
        return True
    new = slots.next if source == NEXT else slots.previous
    if new is None:
        if source == PREVIOUS and _came_back(path, live):
            return True
        raise RotationError(
            f"There is no {beside(path, source)}, so there is no {source} key to bring into force. {path} was left as"
            " it is."
        )
    if expected is not None and new.fingerprint != expected:
        raise RotationError(
            f"{beside(path, source)} is {new.fingerprint}, not {expected}: this host would get another key than the"
            f" others. {path} was left as it is."
        )
    return new.key.data == live.key.data


def _came_back(path: str, live: Slot) -> bool:
    """Whether the key in force is the previous one, which has lost that name to a way back by rename."""
    record = _record(beside(path, PREVIOUS))
    return record is not None and record.fingerprint == live.fingerprint


def _keep_previous(path: str, live: Slot, method: str) -> None:
    previous, key = beside(path, PREVIOUS), live.key
    replace(record_path(previous), format_record(live.known), key.uid, key.gid, key.mode)
    # By rename the old file itself is kept, so that daemons which still hold it have the right one after a way back.
    # In place its bytes change, so a copy it must be.
    if method == IN_PLACE or not link_as(path, previous):
        replace(previous, key.data, key.uid, key.gid, key.mode)


def _swap(path: str, source: str, method: str, before: Slot, new: Slot, at: float | None) -> float:
    if method == IN_PLACE:
        with on_time():
            wait_until(at)
            overwrite(path, new.key.data)
    elif source == PREVIOUS:
        wait_until(at)
        rename_over(beside(path, PREVIOUS), path)
    else:
        old = before.key
        with AtomicFile(path, new.key.data, old.uid, old.gid, old.mode) as file:
            wait_until(at)
            file.rename()
    return time.time()


def _mend_record(path: str) -> None:
    """Have the record of the key in force say what is known of it, and nothing of a run."""
    live = read_slots(path).current
    if live is None or live.record is None:
        return
    wanted = live.record._replace(run=None)
    if wanted != _record(path):
        replace(record_path(path), format_record(wanted), live.key.uid, live.key.gid, live.key.mode)


def _present(slot: Slot | None, path: str) -> Slot:
    if slot is None:
        raise SecretFileMissing(f"{path} does not exist.")
    return slot


def _record(path: str) -> KeyRecord | None:
    found = _dated_record(path)
    return found[0] if found else None
