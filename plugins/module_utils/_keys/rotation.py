# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a key rotation and the steps between them, on one host. Private to this collection.

Beside the current key, KEY, a rotation has two more: KEY.next, which is staged, and KEY.previous, which is kept for a
rollback. Each has its record. The progress of a rotation is read from these files alone:

    KEY.next is missing             no rotation is under way
    KEY.next differs from KEY       staged, not yet in force on this host
    KEY.next is the same as KEY     in force; next, KEY.next is removed

Every step can be repeated. A killed step leaves either the state before it or the state after it. Hosts that share the
folder may take the same step at once: the first host does it, and the others find it done.

There are two ways to bring a key into force. By rename, daemons keep the old key until they load the new one. In place,
the bytes of the file are overwritten: slurmctld and slurmdbd have mapped it (MAP_SHARED, every release), so they have
the new key at once, without a reload. The new key must have the same length.
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
"""So many seconds before the instant, KEY is locked and everything is prepared; only the swap is left."""


class RotationError(TaskError):
    """The step cannot be taken. The text says what was found, and what to do."""


def stage(path: str, data: bytes, record: KeyRecord, uid: int, gid: int, mode: int) -> None:
    """Write the next key, replacing one that was staged before. PATH must be locked."""
    staged = beside(path, NEXT)
    # The record comes first: without it, another run could take over the key of a run that is alive.
    replace(record_path(staged), format_record(record), uid, gid, mode)
    replace(staged, data, uid, gid, mode)


def claim(path: str, record: KeyRecord) -> None:
    """Record which run works on the staged key now. PATH must be locked."""
    staged = beside(path, NEXT)
    file = read_secret(staged)
    replace(record_path(staged), format_record(record), file.uid, file.gid, file.mode)


def activate(path: str, source: str, method: str, expected: str | None, at: float | None) -> float | None:
    """Bring the next or the previous key into force, at that instant or now.

    Returns when that was; None if the key was in force already. EXPECTED is the fingerprint that it must have.
    """
    refuse_far(at)
    with file_lock(path):
        if _in_force(path, source, expected):
            _correct_record(path)
            return None
        before = _present(read_slots(path).current, path)
        if source == NEXT:
            _keep_previous(path, before, method)
    wait_until(at, _LEAD)
    with file_lock(path):
        slots = read_slots(path)
        if _in_force(path, source, expected):
            _correct_record(path)
            return None
        if _present(slots.current, path).key.data != before.key.data:
            raise RotationError(f"{path} was changed by something else meanwhile, and left as it is. Find out by what.")
        new = _present(slots.next if source == NEXT else slots.previous, beside(path, source))
        when = _swap(path, source, method, before, new, at)
        _correct_record(path)
    return when


def is_due(path: str, source: str, expected: str | None, at: float | None) -> bool:
    """Whether activate() would swap the keys. It refuses what activate() refuses, and changes nothing."""
    refuse_far(at)
    # Without the lock this could see a rollback of another run half done: no previous key, and the old one not back.
    with file_lock(path):
        return not _in_force(path, source, expected)


def unstage(path: str, keep_previous: bool) -> bool:
    """Remove the next key, and the previous one unless it is kept and useful; False if there was nothing.

    After a swap this ends the rotation; before it, this cancels the rotation. PATH must be locked.
    """
    _correct_record(path)
    removed = [remove(name) for name in left_to_unstage(path, keep_previous)]
    return any(removed)


def left_to_unstage(path: str, keep_previous: bool) -> list[str]:
    """The files that unstage() would remove, each key before its record: another run may still read who staged it."""
    slots = read_slots(path)
    keys = [beside(path, NEXT)]
    current, previous = slots.current, slots.previous
    useless = previous is None or (current is not None and current.key.data == previous.key.data)
    if useless or not keep_previous:
        # After a rollback by rename only the record of that key is left.
        keys.append(beside(path, PREVIOUS))
    return [name for key in keys for name in (key, record_path(key)) if read_if_there(name)]


def _in_force(path: str, source: str, expected: str | None) -> bool:
    """Whether the key is in force already; RotationError if there is no such key."""
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
    """Whether a rollback by rename has made the previous key the current one."""
    record = _record(beside(path, PREVIOUS))
    return record is not None and record.fingerprint == live.fingerprint


def _keep_previous(path: str, live: Slot, method: str) -> None:
    previous, key = beside(path, PREVIOUS), live.key
    replace(record_path(previous), format_record(live.known), key.uid, key.gid, key.mode)
    # By rename, the old file itself is kept: daemons that still have it mapped have the right one after a rollback.
    # In place, its bytes are overwritten, so a copy is kept.
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


def _correct_record(path: str) -> None:
    """Write the record of the current key beside it, without a run."""
    live = read_slots(path).current
    if live is None or live.record is None:
        return
    desired = live.record._replace(run=None)
    if desired != _record(path):
        replace(record_path(path), format_record(desired), live.key.uid, live.key.gid, live.key.mode)


def _present(slot: Slot | None, path: str) -> Slot:
    if slot is None:
        raise SecretFileMissing(f"{path} does not exist.")
    return slot


def _record(path: str) -> KeyRecord | None:
    found = _dated_record(path)
    return found[0] if found else None
