# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one task of slurm_jwks: makes, updates or removes one file of trusted keys. Private to this collection."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Iterable, Mapping

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name, user_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import declared
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import SecretFile
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.file import (
    CurrentKeySet,
    FileChange,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.policy import (
    InheritedKey,
    PolicySettings,
    next_change,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.update import KeySetSettings, KeySetUpdate
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import (
    LEAST_BITS,
    MAX_BITS,
    Jwk,
    Rules,
    from_members,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.pem import KeyRefused
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import format_time, parse_time
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration

_LISTS = ("kids", "added", "kept", "retired", "removed", "dropped", "failed_sources")
_NULLS = (
    *("next_change", "jwks", "size", "fingerprint", "previous_fingerprint"),
    *("owner", "group", "mode", "uid", "gid"),
)


class KeySetTask:
    """One run of the module."""

    def __init__(self, task: Task) -> None:
        params = task.params
        _refuse_out_of_range(params)
        self.task = task
        self.path: str = params["path"]
        absent = params["state"] == "absent"
        self.declared = declared(params, task.check_mode or absent)
        remove = frozenset(params["remove"])
        self.policy = PolicySettings(_retain(params["retain"]), remove, params["merge"], params["force"])
        settings = KeySetSettings(
            path=self.path,
            sources=params["sources"] or [],
            policy=self.policy,
            declared=self.declared,
            min_bits=params["min_bits"],
            timeout=float(params["timeout"]),
            inherited=_inherited(params["inherited"], params["min_bits"]),
            backup=params["backup"],
            check_mode=task.check_mode,
            folder_may_be_missing=absent,
        )
        self.warned: set[str] = set()
        self.update = KeySetUpdate(settings, self._warn_once)

    def present(self) -> dict[str, Any]:
        """Make the file, or bring it up to date; returns the result."""
        current, change = self.update.run()
        decision = change.decision
        for failed in change.failed:
            self._warn_once(f"{failed.reason} Its trusted keys stay trusted, and new ones are not trusted.")
        for source, lost in decision.conflicts:
            self._warn_once(f"{source}: the key {lost.kid} is not trusted: it {lost.reason}.")
        result = self._empty_result()
        soon = next_change(decision)
        if current.file:
            self._warn_of_ownership(current.file)
            if change.writes_keys:
                result["previous_fingerprint"] = fingerprint(current.file.data)
        dropped = [(self.path, lost) for lost in current.dropped] + decision.dropped
        result.update(
            changed=change.acts,
            differs=change.acts,
            content_changed=change.writes_keys,
            backup_files=self.update.file.backups,
            state="file",
            kids=sorted(key.kid for key in decision.keys),
            added=decision.added,
            kept=decision.kept,
            retired=[{"kid": retired.kid, "until": format_time(retired.until)} for retired in decision.retired],
            removed=[lost._asdict() for lost in decision.removed],
            dropped=[{"source": source, **lost._asdict()} for source, lost in dropped],
            distrusts=decision.distrusts,
            failed_sources=[{"source": failed.source, "reason": failed.reason} for failed in change.failed],
            next_change=None if soon is None else format_time(soon),
            **self.declared.names(change.ownership),
        )
        if change.data:
            result.update(jwks=json.loads(change.data), size=len(change.data), fingerprint=fingerprint(change.data))
        if self.task.diff:
            result["diff"] = self._diff(self._summary(current), self._summary_after(change))
        return result

    def absent(self) -> dict[str, Any]:
        """Remove the file; returns the result."""
        current = self.update.remove()
        exists = bool(current.file or current.record_file)
        result = self._empty_result()
        result.update(changed=exists, differs=exists, content_changed=bool(current.file), state="absent")
        result.update(distrusts=False, backup_files=self.update.file.backups)
        if current.file:
            result["previous_fingerprint"] = fingerprint(current.file.data)
            result["removed"] = [{"kid": key.kid, "reason": "the file is removed"} for key in current.keys]
        if self.task.diff:
            result["diff"] = self._diff(self._summary(current), {"state": "absent"})
        return result

    def _warn_once(self, text: str) -> None:
        if text not in self.warned:
            self.warned.add(text)
            self.task.warn(text)

    def _empty_result(self) -> dict[str, Any]:
        # With a member path, Ansible would read the file's ownership again, and fail if another run has removed it.
        lists: dict[str, Any] = {name: [] for name in _LISTS}
        return {"jwks_path": self.path, **lists, **dict.fromkeys(_NULLS)}

    def _summary(self, current: CurrentKeySet) -> dict[str, Any]:
        """What a diff shows: enough to identify each key."""
        if current.file is None:
            return {"state": "absent"}
        retired = {
            recorded.kid: format_time(recorded.withdrawn + self.policy.retain)
            for recorded in current.record.keys
            if recorded.withdrawn is not None
        }
        return {
            "state": "present",
            "keys": _summary_of_keys(current.keys, retired),
            "owner": user_name(current.file.uid),
            "group": group_name(current.file.gid),
            "mode": f"{current.file.mode:04o}",
        }

    def _summary_after(self, change: FileChange) -> dict[str, Any]:
        names = self.declared.names(change.ownership)
        retired = {retired.kid: format_time(retired.until) for retired in change.decision.retired}
        return {
            "state": "present",
            "keys": _summary_of_keys(change.decision.keys, retired),
            **{name: names[name] for name in ("owner", "group", "mode")},
        }

    def _diff(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        return {"before_header": self.path, "after_header": self.path, "before": before, "after": after}

    def _warn_of_ownership(self, file: SecretFile) -> None:
        check = "Check that every key in kept and retired is one that you know."
        if file.mode & 0o022:
            who = "every user of the host" if file.mode & 0o002 else "its group"
            were = "would be" if self.task.check_mode else "were"
            self.task.warn(
                f"{self.path} had mode {file.mode:04o}, so {who} could write it. Its permissions {were} corrected."
                f" {check}"
            )
        if file.uid not in (0, os.geteuid(), self.declared.ownership(file).uid):
            self.task.warn(f"{self.path} belonged to {user_name(file.uid)}, who could write it. {check}")


def _refuse_out_of_range(params: Mapping[str, Any]) -> None:
    bits, timeout = params["min_bits"], params["timeout"]
    if not LEAST_BITS <= bits <= MAX_BITS:
        raise TaskError(f"min_bits: {bits} is out of range; give {LEAST_BITS} to {MAX_BITS}.")
    if not 1 <= timeout <= 3600:
        raise TaskError(f"timeout: {timeout} is out of range; give 1 to 3600 seconds.")


def _retain(text: str) -> int:
    try:
        return duration(text)
    except DurationError as exc:
        raise TaskError(f"retain: {exc}") from None


def _inherited(entries: list[dict[str, Any]], min_bits: int) -> list[InheritedKey]:
    try:
        rules = Rules(min_bits)
        return [InheritedKey(from_members(entry["jwk"], rules), parse_time(entry["until"])) for entry in entries]
    except KeyRefused as exc:
        raise TaskError(f"inherited: a key {exc}.") from None
    except ValueError as exc:
        raise TaskError(f"inherited: until: {exc}") from None


def _summary_of_keys(keys: Iterable[Jwk], retired: dict[str, str]) -> list[dict[str, Any]]:
    summary = []
    for key in sorted(keys):
        about = {"kid": key.kid, "bits": key.bits, "thumbprint": key.thumbprint}
        if key.kid in retired:
            about["retired until"] = retired[key.kid]
        summary.append(about)
    return summary


def variables(lines: list[str]) -> dict[str, str]:
    """The option environment as a dictionary."""
    for line in lines:
        if not re.match(r"[A-Za-z_][A-Za-z0-9_]*=[^\0]*$", line):
            raise TaskError(
                "environment: an entry is not a variable. Write each as NAME=VALUE, with letters, digits and _."
            )
    return dict(line.split("=", 1) for line in lines)
