# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run reports of a key: result, diff and warnings. Private to this collection."""

from __future__ import annotations

import base64
import os
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import mode_text
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name, user_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import Ownership
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import SecretFile
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.change import CurrentKey, KeyChange
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.desired import DesiredKey
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import KeyRecord, format_time
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import Slot, Slots, read_slots

_NULL_UNLESS_KNOWN = (
    ("size", "fingerprint", "serial", "created", "age", "by", "owner", "group", "mode", "uid", "gid")
    + ("previous_fingerprint", "next_fingerprint", "next_created", "activated", "reason", "backup_file")
    + ("public_jwk", "next_public_jwk", "next_serial", "next_by", "next_run", "next_run_age")
)
_ABSENT = {"state": "absent"}


class KeyReport:
    """The result of one run."""

    def __init__(self, desired: DesiredKey, task: Task) -> None:
        self.desired = desired
        self.task = task
        self.backup_file: str | None = None

    def present(self, before: CurrentKey, change: KeyChange, after: CurrentKey) -> dict[str, Any]:
        """The result of state=present. BEFORE is the key for which the change was decided."""
        if before.slot and not change.reason:
            self._warn(before.slot.key)
        data, record = self._key_and_record(change, after)
        values = self._key(data, record, change.ownership)
        if change.reason and before.slot:
            values["previous_fingerprint"] = before.slot.fingerprint
        if self.task.diff:
            known_after = _hidden(values) if self.task.check_mode else self._summary(after)
            values["diff"] = self._diff(self._summary(before), known_after)
        values.update(self._next(read_slots(self.desired.path).next))
        return self._result(change.acts, data, reason=change.reason, **values)

    def absent(self, before: CurrentKey, changed: bool) -> dict[str, Any]:
        """The result of state=absent."""
        values: dict[str, Any] = {}
        if before.slot:
            values["previous_fingerprint"] = before.slot.fingerprint
        if self.task.diff:
            values["diff"] = self._diff(self._summary(before), _ABSENT)
        return self._result(changed, None, **values)

    def rotation(self, before: Slots, after: Slots, changed: bool, **values: Any) -> dict[str, Any]:
        """The result of a state that moves keys between slots."""
        if after.current:
            key = after.current.key
            values.update(self._key(key.data, after.current.known, Ownership(key.uid, key.gid, key.mode)))
        values.update(self._next(after.next))
        if self.task.diff:
            values["diff"] = self._diff(_fingerprints(before), self._fingerprints_after(after, changed))
        return self._result(changed, after.next.key.data if after.next else None, **values)

    def _key_and_record(self, change: KeyChange, after: CurrentKey) -> tuple[bytes | None, KeyRecord]:
        """The current key after the run. In check mode, a random key that would be made has no data."""
        desired = self.desired
        if after.slot is None or (self.task.check_mode and change.reason):
            return desired.content, KeyRecord(desired.serial, desired.created, "", desired.by)
        known = after.slot.known
        return after.slot.key.data, (change.record or known) if self.task.check_mode else known

    def _key(self, data: bytes | None, record: KeyRecord, ownership: Ownership) -> dict[str, Any]:
        return {
            "state": "file",
            "size": self.desired.size if data is None else self.desired.kind.size(data),
            "fingerprint": None if data is None else fingerprint(data),
            "public_jwk": None if data is None else self._public_jwk(data),
            "serial": record.serial,
            "created": format_time(record.created),
            "age": max(0, int(self.desired.now) - record.created),
            "by": record.by,
            **self.desired.declared.names(ownership),
        }

    def _public_jwk(self, data: bytes) -> dict[str, str] | None:
        """The public half of a key that has one. It is not offered for a key that is too weak to be trusted."""
        return None if self.desired.kind.weakness(data) else self.desired.kind.public_jwk(data)

    def _next(self, slot: Slot | None) -> dict[str, Any]:
        if slot is None:
            return {}
        record = slot.known
        return {
            "next_fingerprint": slot.fingerprint,
            "next_created": format_time(record.created),
            "next_public_jwk": self._public_jwk(slot.key.data),
            "next_serial": record.serial,
            "next_by": record.by,
            "next_run": record.run,
            "next_run_age": None if slot.recorded is None else max(0, int(self.desired.now - slot.recorded)),
        }

    def _result(self, changed: bool, content: bytes | None, **values: Any) -> dict[str, Any]:
        if self.desired.return_content:
            values["content"] = None if content is None else base64.b64encode(content).decode()
        return {
            **dict.fromkeys(_NULL_UNLESS_KNOWN),
            **_ABSENT,
            "key_path": self.desired.path,
            "algorithm": self.desired.algorithm,
            "backup_file": self.backup_file,
            **values,
            "changed": changed,
            "differs": changed,
        }

    def _diff(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        path = self.desired.path
        return {"before_header": path, "after_header": path, "before": before, "after": after}

    def _summary(self, current: CurrentKey) -> dict[str, Any]:
        """What a diff shows: enough to tell two keys apart, and nothing of their content."""
        if current.slot is None:
            return _ABSENT
        key = current.slot.key
        return {
            "state": "present",
            "size": self.desired.kind.size(key.data),
            "fingerprint": current.slot.fingerprint,
            "serial": current.slot.known.serial,
            "owner": user_name(key.uid),
            "group": group_name(key.gid),
            "mode": mode_text(key.mode, key.acl),
            **({"acl": key.acl.words()} if key.acl.grants else {}),
        }

    def _fingerprints_after(self, after: Slots, changed: bool) -> dict[str, Any]:
        """The keys after the run. In check mode: the current ones, and a note of what would happen."""
        note = {"in check mode": f"{self.desired.state} would change this"}
        return {**_fingerprints(after), **(note if self.task.check_mode and changed else {})}

    def _warn(self, key: SecretFile) -> None:
        """Warn of problems of a key that stays."""
        path = self.desired.path
        fixed = "would be corrected" if self.task.check_mode else "were corrected"
        if key.acl.grants:
            self.task.warn(
                f"{path} had an access control list that gave access to the {key.acl.words()}. Its permissions {fixed}."
                " Assume that they know the key, and rotate it."
            )
        elif key.mode & 0o037:
            who = "every user of the host" if key.mode & 0o007 else "its group"
            did = "write" if key.mode & 0o022 else "read"
            self.task.warn(
                f"{path} had mode {key.mode:04o}, so {who} could {did} it. Its permissions {fixed}. Assume that they"
                " know the key, and rotate it."
            )
        if key.uid not in (0, os.geteuid(), self.desired.declared.ownership(key).uid):
            self.task.warn(
                f"{path} belonged to {user_name(key.uid)}, who may have kept a copy. Rotate the key unless that user is"
                " trusted like root."
            )
        remark = self.desired.kind.weakness(key.data) or self.desired.kind.remark(key.data)
        if remark:
            self.task.warn(f"{path} {remark}.")


def _hidden(values: dict[str, Any]) -> dict[str, Any]:
    """Like KeyReport._summary(), for a key that is not written yet."""
    names = ("size", "serial", "owner", "group", "mode")
    return {
        "state": "present",
        **{name: values[name] for name in names},
        "fingerprint": values["fingerprint"] or "(of a new random key)",
    }


def _fingerprints(slots: Slots) -> dict[str, Any]:
    return {
        name: {"fingerprint": slot.fingerprint, "serial": slot.known.serial} if slot else None
        for name, slot in zip(slots._fields, slots)
    }
