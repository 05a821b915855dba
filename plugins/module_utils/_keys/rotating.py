# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a rotation of one key file. Private to this collection."""

from __future__ import annotations

import base64
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import remove_stale
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import Ownership
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import refuse_public_folder
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import (
    KeyRecord,
    fingerprint,
    format_time,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.kinds import HS256, Refusal
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rotation import (
    IN_PLACE,
    NEXT,
    Slots,
    activate,
    claim,
    is_due,
    left_to_unstage,
    read_slots,
    stage,
    unstage,
)


class Rotating(KeyFile):
    """The states of a rotation: what the task wants of the next, the live and the previous key together."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.before = read_slots(self.path)

    def staged(self) -> dict[str, Any]:
        refuse_public_folder(self.path, "a key")
        slots = self._see()
        reason = self._reason_to_stage(slots)
        if reason and slots.live:
            self.declared.ownership(slots.live.key)  # refuses in check mode, too
        if reason and not self.task.check_mode:
            remove_stale(self.path)
            with file_lock(self.path):
                # Whoever held it before us may have staged a key.
                slots = self._see()
                reason = self._reason_to_stage(slots)
                self._stage(slots, reason)
        self.outcome["reason"] = None if reason == "take_over" else reason
        return self._tell(bool(reason))

    def active(self) -> dict[str, Any]:
        slots = self._see()
        source, method, expected, at = (
            self.params[name] for name in ("source", "method", "fingerprint", "activate_at")
        )
        if method == IN_PLACE and self.kind is not HS256:
            raise Refusal("method: in_place is for HS256. No daemon has an RS256 key in its memory; use rename.")
        new = slots.next if source == NEXT else slots.previous
        # In check mode state=staged, a task before this one, has staged nothing.
        swap = is_due(self.path, source, expected, at) if new or not self.task.check_mode else False
        if swap and new and slots.live:
            self._refuse_other_length(len(slots.live.key.data), len(new.key.data))
        if not self.task.check_mode:
            remove_stale(self.path)
            self.outcome["activated"] = activate(self.path, source, method, expected, at)
            swap = self.outcome["activated"] is not None
        if swap and slots.live:
            self.outcome["previous_fingerprint"] = slots.live.fingerprint
        return self._tell(swap)

    def unstaged(self) -> dict[str, Any]:
        slots = self._see(must_be=False)
        left = left_to_unstage(self.path, self.params["keep_previous"])
        changed = bool(left) and not self._of_another_run(slots)
        if not self.task.check_mode and (left or slots.live):
            remove_stale(self.path)
        if changed and not self.task.check_mode:
            with file_lock(self.path if slots.live else left[0]):
                # Whoever held it before us may have been another run that staged a key.
                changed = not self._of_another_run(self._see(must_be=False)) and unstage(
                    self.path, self.params["keep_previous"]
                )
        return self._tell(changed)

    def _see(self, must_be: bool = True) -> Slots:
        slots = read_slots(self.path)
        if must_be and slots.live is None:
            raise Refusal(
                f"There is no key at {self.path} to rotate. Make one with state: present, or correct the path."
            )
        return slots

    def _reason_to_stage(self, slots: Slots) -> str | None:
        """Why a key is to be staged, "take_over" if only the run is to be another, None if all is as it should be."""
        if slots.next is None:
            return self._reason_to_rotate(slots)
        claimed = slots.next.record.run if slots.next.record else None
        if claimed and claimed not in (self.params["run"], self.params["take_over"]):
            who = slots.next.spoken
            raise Refusal(
                f"{who.by or 'Somebody'} has been rotating {self.path} since {format_time(who.created)}, as the run"
                f" {who.run}. Nothing was changed. Wait until that is done; if it has died, name it in take_over."
            )
        if not slots.swapped:
            if self.content is not None and self.content != slots.next.key.data:
                return "content"
            if self.content is None and self.serial and slots.next.spoken.serial != self.serial:
                return "serial"
        return "take_over" if self._of_another_run(slots) else None

    def _reason_to_rotate(self, slots: Slots) -> str | None:
        live = slots.live
        if live is None:
            return None
        reason = self._reason(live.key, live.record)
        # A key without a label is not the one that the site asks for.
        unlabelled = self.content is None and self.serial and live.spoken.serial != self.serial
        return reason or ("serial" if unlabelled else None)

    def _of_another_run(self, slots: Slots) -> bool:
        claimed = slots.next.record.run if slots.next and slots.next.record else None
        return bool(self.params["run"] and claimed and claimed != self.params["run"])

    def _stage(self, slots: Slots, reason: str | None) -> None:
        if slots.live is None or reason is None:
            return
        if reason == "take_over" and slots.next:
            claim(self.path, slots.next.spoken._replace(run=self.params["run"], by=self.params["by"]))
            return
        size = self.kind.size(slots.live.key.data)
        if not self.params["size"] and self.kind.least <= size <= self.kind.most:
            self.size = size
        data = self.kind.generate(self.size) if self.content is None else self.content
        created = int(self.now) if self.created is None else self.created
        record = KeyRecord(self.serial, created, fingerprint(data), self.params["by"], self.params["run"])
        stage(self.path, data, record, *self.declared.ownership(slots.live.key))

    def _refuse_other_length(self, live: int, new: int) -> None:
        if self.params["method"] == IN_PLACE and live != new:
            raise Refusal(
                f"{self.path} has {live} bytes and the {self.params['source']} key has {new}. Daemons have mapped the"
                " file and would die of another length, so it was left as it is. Use method: rename, and have them load"
                " the key."
            )

    def _tell(self, changed: bool) -> dict[str, Any]:
        slots = read_slots(self.path)
        self.outcome["changed"] = changed
        if slots.live:
            key, record = slots.live.key, slots.live.spoken
            self.outcome.update(
                state="file",
                size=self.kind.size(key.data),
                fingerprint=slots.live.fingerprint,
                public_jwk=self._public_jwk(key.data),
                serial=record.serial,
                created=format_time(record.created),
                age=max(0, int(self.now) - record.created),
                by=record.by,
                **self.declared.names(Ownership(key.uid, key.gid, key.mode)),
            )
        self._tell_next(slots.next)
        if self.params["return_content"]:
            data = slots.next.key.data if slots.next else None
            self.outcome["content"] = None if data is None else base64.b64encode(data).decode()
        if self.task.diff:
            self._diff_rotation(slots, changed)
        return self._complete()

    def _diff_rotation(self, after: Slots, changed: bool) -> None:
        """Fingerprints of the files before and after; in check mode, of what is there and a word on what would be."""
        told = _fingerprints(after)
        if self.task.check_mode and changed:
            told = {**told, "in check mode": f"{self.params['state']} would change this"}
        self._diff(_fingerprints(self.before), told)


def _fingerprints(slots: Slots) -> dict[str, Any]:
    return {
        name: {"fingerprint": kept.fingerprint, "serial": kept.spoken.serial} if kept else None
        for name, kept in zip(slots._fields, slots)
    }
