# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects the signing key and the key set of a host. Private to this collection."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths as file_paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import (
    daemon_problems,
    facts,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import Host
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import hs256
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import format_time
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, PREVIOUS, Slot, beside, read_slots


class KeyInspection:
    """The key and the key set that the daemons of one host load."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def key(self, path: str) -> dict[str, Any]:
        key_hosts = self.host.key_hosts()
        found = self._key_file(key_hosts[0][0] if key_hosts else self.host.components[0], path)
        for key_host, file in key_hosts:
            in_force = file.jwt.key_path if file.jwt.enabled else None
            if in_force and os.path.realpath(in_force) != os.path.realpath(path):
                self.host.problems += daemon_problems.key_elsewhere(key_host, path, in_force)
            elif in_force and not found["exists"]:
                self.host.problems += daemon_problems.key_missing(key_host, path)
            needed = self.host.declared_parameters().get("jwt_key") is not False
            if in_force and not os.path.exists(in_force) and needed:
                self.host.note_missing(key_host, f"the key {in_force}")
        return found

    def _in_force(self, path: str) -> bool:
        """Whether a configuration file of this host names this key."""
        named = [file.jwt.key_path for dummy, file in self.host.key_hosts() if file.jwt.enabled and file.jwt.key_path]
        return any(os.path.realpath(each) == os.path.realpath(path) for each in named)

    def _key_file(self, component: str, path: str) -> dict[str, Any]:
        # With jwt_key: false and no key file, the folder does not matter.
        needed = self.host.declared_parameters().get("jwt_key") is not False
        return self.slots_of(component, path, "slurm_jwt_key_path", needed, self._in_force(path))

    def slots_of(self, component: str, path: str, variable: str, needed: bool, named: bool = False) -> dict[str, Any]:
        """A key and its slots. VARIABLE: the variable with its path. NAMED: a configuration file names it."""
        place = file_paths.inspect(path)
        if place.is_link or place.kind not in ("file", "missing"):
            self.host.problems += daemon_problems.key_not_a_file(component, path, place, variable)
            return facts.key(path, place)
        needed = needed or place.kind == "file"
        folder = os.path.dirname(path)
        if needed and daemon_problems.writable_by_others(file_paths.inspect(folder), self.host.user):
            self.host.problems += daemon_problems.key_location(
                component, path, f"Others can write to {folder}.", variable
            )
            return facts.key(path, place)
        try:
            slots = read_slots(path)
        except SecretFileError as error:
            if needed:
                self.host.problems += daemon_problems.key_location(component, path, str(error), variable)
            return facts.key(path, place)
        if slots.current is None:
            return facts.key(path, file_paths.MISSING)
        if self.host.release is not None:
            self.host.problems += daemon_problems.key_attributes(
                component, path, place, self.host.user, self.host.release
            )
        weakness = hs256.weakness(slots.current.key.data)
        if weakness:
            # No daemon starts with an empty key, so it is not in force.
            in_force = named and bool(slots.current.key.data)
            self.host.problems += daemon_problems.key_weak(component, path, weakness, in_force)
        return {
            **facts.key(path, place),
            "weakness": weakness,
            **self._key_history(slots.current),
            "next": self._key_beside(path, NEXT, slots.next),
            "previous": self._key_beside(path, PREVIOUS, slots.previous),
        }

    def _key_beside(self, path: str, which: str, slot: Slot | None) -> dict[str, Any] | None:
        if slot is None:
            return None
        return {**facts.attributes(file_paths.inspect(beside(path, which))), **self._key_history(slot)}

    def _key_history(self, slot: Slot) -> dict[str, Any]:
        record = slot.known
        return {
            "fingerprint": slot.fingerprint,
            "serial": record.serial,
            "created": format_time(record.created),
            "age": max(0, int(self.host.now - record.created)),
            "by": record.by,
            "run": record.run,
            "run_age": max(0, int(self.host.now - slot.recorded)) if record.run and slot.recorded else None,
        }

    def jwks_path(self) -> str | None:
        return self.host.options.jwks_path or next((file.jwt.jwks_path for dummy, file in self.host.key_hosts()), None)

    def jwks(self) -> dict[str, Any] | None:
        path = self.jwks_path()
        if path is None:
            return None
        place = file_paths.inspect(path)
        for component, file in self.host.key_hosts():
            if file.jwt.enabled and file.jwt.jwks_path == path and self.host.release is not None:
                written = bool(self.host.declared_parameters().get("jwks"))
                self.host.problems += daemon_problems.jwks(
                    component, path, place, self.host.user, self.host.release, written
                )
                if written and place.kind == "missing":
                    self.host.note_missing(component, f"the key set {path}")
        exists, kids = place.kind == "file", facts.kids(path, place)
        return {**facts.attributes(place), "path": path, "exists": exists, "kids": kids}
