# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a key rotation, as a task declares them. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import remove_stale
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import refuse_public_folder
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.change import reason_to_replace
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.desired import DesiredKey
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.kinds import HS256
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import format_time
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.report import KeyReport
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rotation import (
    IN_PLACE,
    activate,
    claim,
    is_due,
    left_to_unstage,
    stage,
    unstage,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, Slot, Slots, read_slots

_TAKE_OVER = "take_over"
"""The reason to write if the staged key stays and only the run that works on it changes."""


class KeyRotation:
    """The states staged, active and unstaged of one key."""

    def __init__(self, task: Task) -> None:
        self.desired = DesiredKey(task)
        self.path = self.desired.path
        self.check_mode = task.check_mode
        self.params = task.params
        self.report = KeyReport(self.desired, task)
        self.before = read_slots(self.path)

    def staged(self) -> dict[str, Any]:
        refuse_public_folder(self.path, "a key")
        slots, current = self._slots()
        reason = self._reason_to_stage(slots, current)
        if reason:
            self.desired.declared.ownership(current.key)  # refuses in check mode, too
        if reason and not self.check_mode:
            remove_stale(self.path)
            with file_lock(self.path):
                # Another run may have staged a key while it held the lock.
                slots, current = self._slots()
                reason = self._reason_to_stage(slots, current)
                self._stage(slots, current, reason)
        return self._result(bool(reason), reason=None if reason == _TAKE_OVER else reason)

    def active(self) -> dict[str, Any]:
        slots, current = self._slots()
        source, method, expected, at = (
            self.params[name] for name in ("source", "method", "fingerprint", "activate_at")
        )
        if method == IN_PLACE and self.desired.kind is not HS256:
            raise TaskError("method: in_place is for HS256. No daemon has an RS256 key in its memory; use rename.")
        new = slots.next if source == NEXT else slots.previous
        # In check mode, a task before this one with state=staged has staged nothing.
        swaps = is_due(self.path, source, expected, at) if new or not self.check_mode else False
        if swaps and new:
            self._refuse_other_length(len(current.key.data), len(new.key.data))
        activated = None
        if not self.check_mode:
            remove_stale(self.path)
            activated = activate(self.path, source, method, expected, at)
            swaps = activated is not None
        previous = current.fingerprint if swaps else None
        return self._result(swaps, activated=activated, previous_fingerprint=previous)

    def unstaged(self) -> dict[str, Any]:
        slots = read_slots(self.path)
        keep_previous = self.params["keep_previous"]
        left = left_to_unstage(self.path, keep_previous)
        changed = bool(left) and not self._is_of_another_run(slots)
        if not self.check_mode and (left or slots.current):
            remove_stale(self.path)
        if changed and not self.check_mode:
            with file_lock(self.path if slots.current else left[0]):
                # Another run may have staged a key while it held the lock.
                changed = not self._is_of_another_run(read_slots(self.path)) and unstage(self.path, keep_previous)
        return self._result(changed)

    def _slots(self) -> tuple[Slots, Slot]:
        """All slots, and the current one."""
        slots = read_slots(self.path)
        if slots.current is None:
            raise TaskError(
                f"There is no key at {self.path} to rotate. Make one with state: present, or correct the path."
            )
        return slots, slots.current

    def _reason_to_stage(self, slots: Slots, current: Slot) -> str | None:
        """Why another key is staged; None if nothing is to be written."""
        if slots.next is None:
            return self._reason_to_rotate(current)
        claimed = slots.next.record.run if slots.next.record else None
        if claimed and claimed not in (self.params["run"], self.params["take_over"]):
            known = slots.next.known
            raise TaskError(
                f"{known.by or 'Somebody'} has been rotating {self.path} since {format_time(known.created)}, as the run"
                f" {known.run}. Nothing was changed. Wait until that is done; if that run has died, name it in"
                " take_over."
            )
        content, serial = self.desired.content, self.desired.serial
        if not slots.swapped:
            if content is not None and content != slots.next.key.data:
                return "content"
            if content is None and serial and slots.next.known.serial != serial:
                return "serial"
        return _TAKE_OVER if self._is_of_another_run(slots) else None

    def _reason_to_rotate(self, current: Slot) -> str | None:
        reason = reason_to_replace(self.desired, current)
        # A key without a serial is not the desired one.
        serial = self.desired.serial
        other_label = self.desired.content is None and serial and current.known.serial != serial
        return reason or ("serial" if other_label else None)

    def _is_of_another_run(self, slots: Slots) -> bool:
        claimed = slots.next.record.run if slots.next and slots.next.record else None
        return bool(self.params["run"] and claimed and claimed != self.params["run"])

    def _stage(self, slots: Slots, current: Slot, reason: str | None) -> None:
        if reason is None:
            return
        run = self.params["run"]
        if reason == _TAKE_OVER and slots.next:
            claim(self.path, slots.next.known._replace(run=run, by=self.desired.by))
            return
        data, record = self.desired.new_key(self._size(current), run)
        stage(self.path, data, record, *self.desired.declared.ownership(current.key))

    def _size(self, current: Slot) -> int:
        """That of the current key unless the task declares another: one of the same size can be activated in place."""
        kind, size = self.desired.kind, self.desired.kind.size(current.key.data)
        keeps = not self.desired.declared_size and kind.least <= size <= kind.most
        return size if keeps else self.desired.size

    def _refuse_other_length(self, current: int, new: int) -> None:
        if self.params["method"] == IN_PLACE and current != new:
            raise TaskError(
                f"{self.path} has {current} bytes and the {self.params['source']} key has {new}. Daemons have mapped"
                " the file and would die of another length, so it was left as it is. Use method: rename, and have them"
                " load the key."
            )

    def _result(self, changed: bool, **values: Any) -> dict[str, Any]:
        return self.report.rotation(self.before, read_slots(self.path), changed, **values)
