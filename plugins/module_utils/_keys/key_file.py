# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One signing key as a file: made, kept, replaced, removed. Private to this collection."""

from __future__ import annotations

import base64
import os
import re
import time
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import mode_text
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import (
    AtomicFile,
    create,
    move,
    remove,
    remove_stale,
    replace,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name, user_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import (
    DeclaredOwnership,
    Ownership,
    declared,
    ownership,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    SecretFile,
    read_if_there,
    refuse_public_folder,
    set_attributes,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import (
    KeyRecord,
    fingerprint,
    format_record,
    format_time,
    parse_record,
    parse_time,
    record_path,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.kinds import Refusal, kind_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rotation import (
    NEXT,
    PREVIOUS,
    Slot,
    beside,
    read_slots,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration

RESTLESS = "Something makes {0} and takes it away again all the time; find out who."
ATTEMPTS = 100  # against runs that do the opposite at the same time


class CurrentKey(NamedTuple):
    """The key, and the record beside it, which may speak of another key."""

    key: SecretFile | None = None
    record_file: SecretFile | None = None
    record: KeyRecord | None = None


class KeyChange(NamedTuple):
    """What is to be done about a key that exists: why another one takes its place, or what is mended."""

    ownership: Ownership
    reason: str | None = None
    record: KeyRecord | None = None  # to be written
    mend: bool = False  # owner or mode of the key or its record

    @property
    def acts(self) -> bool:
        return bool(self.reason or self.record or self.mend)


class KeyFile:
    """One key file, and what the task wants of it."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.params = task.params
        self.path: str = task.params["path"]
        self.now = time.time()
        self.kind = kind_of(task.params["algorithm"])
        self._check_size()
        self.content = self._content()
        self.serial = _serial(task.params["serial"])
        self.max_age = _seconds(task.params["max_age"])
        self.created = _created(task.params["created"])
        self.size = task.params["size"] or self.kind.default
        self.declared = declared(self.params, task.check_mode or self.params["state"] == "absent")
        self.outcome: dict[str, Any] = {"changed": False}

    def present(self) -> dict[str, Any]:
        refuse_public_folder(self.path, "a key")
        if not self.task.check_mode:
            remove_stale(self.path)
        for _attempt in range(ATTEMPTS):
            found = self._look()
            if found.key is None:
                plan = KeyChange(self.declared.ownership(None), reason="missing")
                if self.task.check_mode or self._make(plan):
                    return self._report(found, plan)
                continue  # another run was first: see to its key
            plan = self._plan(found)
            if not plan.acts or self.task.check_mode:
                return self._report(found, plan)
            try:
                with file_lock(self.path):
                    # Whoever held it before us may have done all there was to do.
                    found = self._look()
                    plan = self._plan(found)
                    self._carry_out(found, plan)
                return self._report(found, plan)
            except SecretFileMissing:
                continue  # removed by another run while we waited
        raise Refusal(RESTLESS.format(self.path))

    def absent(self) -> dict[str, Any]:
        for _attempt in range(ATTEMPTS):
            found = self._look()
            if found.key:
                self._refuse_to_remove(found.key)
            there = [name for name in self._belongings() if self._read(name)]
            if self.task.check_mode or not there:
                return self._report_absent(found, bool(there))
            try:
                with file_lock(there[0]):
                    now = self._look()
                    if bool(now.key) == bool(found.key):
                        return self._report_absent(now, self._take_away(now))
            except SecretFileMissing:
                continue  # another run was first
        raise Refusal(RESTLESS.format(self.path))

    def _check_size(self) -> None:
        size, kind = self.params["size"], self.kind
        if size is not None and not kind.least <= size <= kind.most:
            raise Refusal(
                f"size: {size} is out of range; an {self.params['algorithm']} key has {kind.least} to {kind.most}"
                f" {kind.unit}."
            )

    def _belongings(self) -> list[str]:
        """The key, and all that is its own in the folder."""
        keys = [self.path, beside(self.path, NEXT), beside(self.path, PREVIOUS)]
        return [name for key in keys for name in (key, record_path(key))]

    def _refuse_to_remove(self, key: SecretFile) -> None:
        strange = self.kind.not_a_key(key.data)
        if strange and not self.params["force"] and not self._is_named(key.data):
            raise Refusal(
                f"{self.path} {strange}. It was left as it is. Correct the path, or remove the file with force: true."
            )

    def _is_named(self, data: bytes) -> bool:
        """Whether the task consents to this very key, whatever it looks like."""
        return bool(data) and fingerprint(data) == self.params["fingerprint"]

    # What is there

    def _look(self) -> CurrentKey:
        key = self._read(self.path)
        if key is None and self.params["state"] == "present":
            return CurrentKey()
        record_file = self._read(record_path(self.path))
        record = parse_record(record_file.data) if record_file else None
        if key and record and record.fingerprint != fingerprint(key.data):
            record = None
        return CurrentKey(key, record_file, record)

    def _read(self, path: str) -> SecretFile | None:
        removes = self.params["state"] == "absent"
        return read_if_there(path, self.task.check_mode or removes, secret=not removes)

    # What is to be done

    def _plan(self, found: CurrentKey) -> KeyChange:
        key = found.key
        if key is None:
            raise SecretFileMissing(f"{self.path} does not exist.")
        ownership = self.declared.ownership(key)
        reason = self._reason(key, found.record)
        if reason:
            self._refuse_during_rotation()
            return KeyChange(ownership, reason)
        record = self._wanted_record(key, found.record)
        files = [key] + ([found.record_file] if found.record_file and found.record else [])
        mend = any(not file.has_ownership(*ownership) for file in files)
        return KeyChange(ownership, None, None if record == found.record else record, mend)

    def _refuse_during_rotation(self) -> None:
        staged = beside(self.path, NEXT)
        if os.path.lexists(staged):
            raise Refusal(
                f"{staged} is there, so a rotation is under way. {self.path} was left as it is. Let the rotation end,"
                " or take its key away with state: unstaged."
            )

    def _reason(self, key: SecretFile, record: KeyRecord | None) -> str | None:
        """Why the key is to be replaced, None if it stays."""
        strange = self.kind.not_a_key(key.data)
        if strange and not self.params["force"] and not self._is_named(key.data):
            raise Refusal(
                f"{self.path} {strange}. It was left as it is. Correct the path, or have a key made in its place with"
                " force: true (and backup: true to keep the file)."
            )
        if self.content is not None:
            return "content" if self.content != key.data else None
        if self.params["force"]:
            return "force"
        if self.serial and record and record.serial and record.serial != self.serial:
            return "serial"
        if self.max_age is not None and self._age(key, record) >= self.max_age:
            return "max_age"
        return self._reason_of_weakness(key.data)

    def _reason_of_weakness(self, data: bytes) -> str | None:
        weak = self.kind.weakness(data)
        if weak and self.params["weak"] == "replace":
            return "weak"
        if weak and not self._is_named(data) and (self.params["weak"] == "fail" or not data):
            accept = ", weak: keep accepts this one" if data else ""
            raise Refusal(
                f"{self.path} {weak}. It was left as it is. weak: replace makes a new key in its place (tokens signed"
                f" so far become invalid; backup: true keeps the old key){accept}."
            )
        return None

    def _wanted_record(self, key: SecretFile, record: KeyRecord | None) -> KeyRecord | None:
        """The record the key is to have; the one it has if the task declares nothing else."""
        if not self.serial and self.created is None and not self.params["by"]:
            return record
        serial = self.serial or (record.serial if record else None)
        created = self._born(key, record) if self.created is None else self.created
        # Who runs this task has not had the key made, unless it comes with the task.
        known = [record.by if record else None, self.params["by"]]
        by = next(filter(None, known if self.content is None else reversed(known)), None)
        return KeyRecord(serial, created, fingerprint(key.data), by)

    def _born(self, key: SecretFile, record: KeyRecord | None) -> int:
        return record.created if record else int(key.mtime)

    def _age(self, key: SecretFile, record: KeyRecord | None) -> int:
        return max(0, int(self.now) - self._born(key, record))

    # Doing it

    def _prepared(self, plan: KeyChange) -> tuple[AtomicFile, AtomicFile]:
        data = self.kind.generate(self.size) if self.content is None else self.content
        created = int(self.now) if self.created is None else self.created
        record = KeyRecord(self.serial, created, fingerprint(data), self.params["by"])
        return (
            AtomicFile(self.path, data, *plan.ownership),
            AtomicFile(record_path(self.path), format_record(record), *plan.ownership),
        )

    def _make(self, plan: KeyChange) -> bool:
        """Make the key; False if another run was first. Its record is complete on disk before the key appears."""
        key, record = self._prepared(plan)
        with key, record:
            if not key.link():
                return False
            record.rename()
        return True

    def _carry_out(self, found: CurrentKey, plan: KeyChange) -> None:
        if found.key and plan.reason:
            key, record = self._prepared(plan)
            with key, record:
                self._keep(found.key)
                key.rename()
                # Killed here, the key is new and its record speaks of the old one: it counts as none, and the next
                # run writes it anew. The other way round a declared rotation would be forgotten.
                record.rename()
        elif plan.acts:
            set_attributes(self.path, *plan.ownership)
            if plan.record:
                replace(record_path(self.path), format_record(plan.record), *plan.ownership)
            elif found.record:
                set_attributes(record_path(self.path), *plan.ownership)

    def _keep(self, key: SecretFile) -> None:
        if self.params["backup"]:
            spare = self._spare("bak")
            if not create(spare, key.data, *DeclaredOwnership.of_copy(key, self.declared.ownership(key))):
                raise Refusal(f"{spare} exists already: another run wrote it. Nothing was replaced; run again.")
            self.outcome["backup_file"] = spare

    def _take_away(self, found: CurrentKey) -> bool:
        _key, _record, *others = self._belongings()
        # The record first: as long as the key is there nobody makes another, whose record this one could be taken for.
        gone = [remove(name) for name in (*others, record_path(self.path))]
        if found.key and self.params["backup"]:
            spare = self._spare("removed")
            wanted = ownership(self.declared.uid, self.declared.gid, 0o400)
            set_attributes(self.path, *DeclaredOwnership.of_copy(found.key, wanted))
            move(self.path, spare)
            self.outcome["backup_file"] = spare
            return True
        return remove(self.path) or any(gone)

    def _spare(self, suffix: str) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now))
        names = [f"{self.path}.{stamp}{number}.{suffix}" for number in ("", *(f"-{again}" for again in range(2, 100)))]
        return next((name for name in names if not os.path.lexists(name)), names[-1])

    # What is said about it

    def _report(self, found: CurrentKey, plan: KeyChange) -> dict[str, Any]:
        """The result of state=present; FOUND is what the plan was made for."""
        changed = plan.acts
        after = found if self.task.check_mode or not changed else self._look()
        if found.key and not plan.reason:
            self._warn(found.key)
        described = self._describe(after, plan)
        self.outcome.update(described, changed=changed, reason=plan.reason, state="file")
        self._tell_next(read_slots(self.path).next)
        if plan.reason and found.key:
            self.outcome["previous_fingerprint"] = fingerprint(found.key.data)
            if self.task.check_mode and self.params["backup"]:
                self.outcome["backup_file"] = self._spare("bak")
        if self.params["return_content"]:
            self._return_content(after, plan)
        if self.task.diff:
            self._diff(self._summary(found), self._summary_after(after, plan))
        return self._complete()

    def _describe(self, after: CurrentKey, plan: KeyChange) -> dict[str, Any]:
        key, record = after.key, after.record
        if self.task.check_mode and plan.reason:
            key = record = None
        if key is None:
            return self._expected(plan)
        if self.task.check_mode and plan.record:
            record = plan.record
        return {
            "size": self.kind.size(key.data),
            "fingerprint": fingerprint(key.data),
            "public_jwk": self._public_jwk(key.data),
            "serial": record.serial if record else None,
            "created": format_time(self._born(key, record)),
            "age": self._age(key, record),
            "by": record.by if record else None,
            **self.declared.names(plan.ownership),
        }

    def _expected(self, plan: KeyChange) -> dict[str, Any]:
        """What can be said in check mode of a key that is not made yet."""
        created = int(self.now) if self.created is None else self.created
        return {
            "size": self.size if self.content is None else self.kind.size(self.content),
            "fingerprint": None if self.content is None else fingerprint(self.content),
            "public_jwk": None if self.content is None else self._public_jwk(self.content),
            "serial": self.serial,
            "created": format_time(created),
            "age": max(0, int(self.now) - created),
            "by": self.params["by"],
            **self.declared.names(plan.ownership),
        }

    def _public_jwk(self, data: bytes) -> dict[str, str] | None:
        """The public half of a key that has one; what is too weak to be trusted is not offered for it."""
        return None if self.kind.weakness(data) else self.kind.public_jwk(data)

    def _report_absent(self, found: CurrentKey, changed: bool) -> dict[str, Any]:
        if not self.task.check_mode and os.path.isdir(os.path.dirname(self.path)):
            remove_stale(self.path)
        self.outcome["changed"] = changed
        if found.key:
            self.outcome["previous_fingerprint"] = fingerprint(found.key.data)
            if self.task.check_mode and self.params["backup"]:
                self.outcome["backup_file"] = self._spare("removed")
        if self.params["return_content"]:
            self.outcome["content"] = None
        if self.task.diff:
            self._diff(self._summary(found), {"state": "absent"})
        return self._complete()

    def _complete(self) -> dict[str, Any]:
        nothing = dict.fromkeys(
            ("size", "fingerprint", "serial", "created", "age", "by", "owner", "group", "mode", "uid", "gid")
            + ("previous_fingerprint", "next_fingerprint", "next_created", "activated", "reason", "backup_file")
            + ("public_jwk", "next_public_jwk", "next_serial", "next_by", "next_run", "next_run_age")
        )
        always = {"path": self.path, "algorithm": self.params["algorithm"], "state": "absent"}
        return {**nothing, **always, **self.outcome, "differs": self.outcome["changed"]}

    def _tell_next(self, staged: Slot | None) -> None:
        if staged is None:
            return
        record = staged.spoken
        self.outcome.update(
            next_fingerprint=staged.fingerprint,
            next_created=format_time(record.created),
            next_public_jwk=self._public_jwk(staged.key.data),
            next_serial=record.serial,
            next_by=record.by,
            next_run=record.run,
            next_run_age=None if staged.recorded is None else max(0, int(self.now - staged.recorded)),
        )

    def _summary(self, found: CurrentKey) -> dict[str, Any]:
        """What a diff shows: enough to see that two keys differ, and nothing of what is in them."""
        if found.key is None:
            return {"state": "absent"}
        return {
            "state": "present",
            "size": self.kind.size(found.key.data),
            "fingerprint": fingerprint(found.key.data),
            "serial": found.record.serial if found.record else None,
            "owner": user_name(found.key.uid),
            "group": group_name(found.key.gid),
            "mode": mode_text(found.key.mode, found.key.acl),
            **({"acl": found.key.acl.words()} if found.key.acl.grants else {}),
        }

    def _summary_after(self, after: CurrentKey, plan: KeyChange) -> dict[str, Any]:
        if not self.task.check_mode:
            return self._summary(after)
        told = self._describe(after, plan)
        names = ("size", "fingerprint", "serial", "owner", "group", "mode")
        summary = {"state": "present", **{name: told[name] for name in names}}
        summary["fingerprint"] = summary["fingerprint"] or "(of a new random key)"
        return summary

    def _diff(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        self.outcome["diff"] = {
            "before_header": self.path,
            "after_header": self.path,
            "before": before,
            "after": after,
        }

    def _return_content(self, after: CurrentKey, plan: KeyChange) -> None:
        data = after.key.data if after.key else None
        if self.task.check_mode and plan.reason:
            data = self.content
        self.outcome["content"] = None if data is None else base64.b64encode(data).decode()

    def _warn(self, key: SecretFile) -> None:
        """Things about a key that stays which its owner should know."""
        mended = "would be mended" if self.task.check_mode else "were mended"
        if key.acl.grants:
            self.task.warn(
                f"{self.path} had an access control list that let in the {key.acl.words()}. Its permissions {mended},"
                " but take the key as known to them, and rotate it."
            )
        elif key.mode & 0o037:
            who = "every user of the host" if key.mode & 0o007 else "its group"
            did = "write" if key.mode & 0o022 else "read"
            self.task.warn(
                f"{self.path} had mode {key.mode:04o}, so {who} could {did} it. Its permissions {mended}, but take"
                " the key as known to them, and rotate it."
            )
        if key.uid not in (0, os.geteuid(), self.declared.ownership(key).uid):
            self.task.warn(
                f"{self.path} belonged to {user_name(key.uid)}, who may have kept a copy. Rotate the key unless that"
                " user is trusted as root is."
            )
        weak = self.kind.weakness(key.data)
        said = self.kind.remark(key.data) if weak is None else weak
        if said:
            self.task.warn(f"{self.path} {said}.")

    # What the task says

    def _content(self) -> bytes | None:
        text = self.params["content"]
        if text is None or self.params["state"] == "absent":
            return None
        data = _decode(text)
        if not data:
            raise Refusal("content is empty. Give the key in base64, or leave the option out to have a key made here.")
        weak = self.kind.not_a_key(data) or (None if self.params["weak"] == "keep" else self.kind.weakness(data))
        if weak and not self._is_named(data):
            raise Refusal(f"The key in content {weak}. It was not installed, and {self.path} was left as it is.")
        return data


def _decode(text: str) -> bytes:
    if text.lstrip().startswith("-----BEGIN "):
        return text.encode()
    packed = "".join(text.split())
    if re.match(r"^(?:[0-9a-f]{2}){16,}$|^(?:[0-9A-F]{2}){16,}$", packed):
        raise Refusal(
            "content is hexadecimal, which read as base64 would be another key. Give the bytes of the key file in"
            " base64, for example with the b64encode filter."
        )
    try:
        return base64.b64decode(packed.encode(), validate=True)
    except ValueError:
        raise Refusal("content is not base64. Give the bytes of the key file in base64.") from None


def _serial(value: Any) -> str | None:
    """The label as text. Ansible has turned unquoted numbers into numbers, and not all of them come back."""
    if isinstance(value, (bool, float, list, dict)):
        raise Refusal(f"serial: {value!r} is not text. Put it in quotes, for example serial: '2026.10'.")
    text = "" if value is None else str(value).strip()
    if len(text) > 255 or not text.isprintable():
        raise Refusal("serial is a label of one line, 255 characters at most.")
    return text or None


def _seconds(text: str | None) -> int | None:
    if not text:
        return None
    try:
        seconds = duration(text)
    except DurationError as exc:
        raise Refusal(f"max_age: {exc}") from None
    if seconds == 0:
        raise Refusal("max_age: 0 would replace the key at every run. For a new key now, say force: true.")
    return seconds


def _created(text: str | None) -> int | None:
    try:
        return parse_time(text) if text else None
    except ValueError as exc:
        raise Refusal(f"created: {exc}") from None
