# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copies of the signing key: which host has which, in which slot. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.text_table import layout

Variables = Mapping[str, Any]

CURRENT = "current"


class KeyCopy(NamedTuple):
    """One copy of the key on one host."""

    host: str
    slot: str
    """current, next or previous."""
    path: str
    key: Variables

    @property
    def short(self) -> str:
        return short(str(self.key["fingerprint"]))

    @property
    def owner(self) -> str:
        return f"{self.key['owner']}:{self.key['group']}"


def copies_on(host: str, observed: Variables) -> list[KeyCopy]:
    """Every copy of the key that the inspection of a host found."""
    current = observed.get("key") or {}
    slots = ((CURRENT, current), ("next", current.get("next")), ("previous", current.get("previous")))
    return [
        KeyCopy(host, slot, f"{current['path']}{'' if slot == CURRENT else f'.{slot}'}", key)
        for slot, key in slots
        if key and key.get("fingerprint")
    ]


def short(fingerprint: str) -> str:
    """Enough of a fingerprint to tell keys apart."""
    return fingerprint[:19]


def table(hostvars: Mapping[str, Variables], hosts: Sequence[str]) -> list[str]:
    """A line for each copy."""
    rows = [("host", "slot", "key", "owner", "mode", "age in days", "serial", "made by")]
    for host in hosts:
        for copy in copies_on(host, hostvars[host].get("slurm_jwt_observation") or {}):
            rows.append(
                (
                    host,
                    copy.slot,
                    copy.short,
                    copy.owner,
                    str(copy.key["mode"]),
                    f"{(copy.key['age'] or 0) / 86400:.1f}",
                    str(copy.key.get("serial") or "-"),
                    str(copy.key.get("by") or "-"),
                )
            )
    return layout(rows)


def current_keys(hostvars: Mapping[str, Variables], hosts: Sequence[str]) -> str:
    """The current key of each host, as it was read after everything was put back."""
    by_key: dict[str, list[str]] = {}
    for host in hosts:
        fingerprint = (hostvars[host].get("slurm_jwt_in_force") or {}).get("fingerprint")
        by_key.setdefault(short(str(fingerprint)) if fingerprint else "not known", []).append(host)
    if set(by_key) == {"not known"}:
        return "The current key of no host is known."
    return "The current key: " + "; ".join(f"{key} on {', '.join(names)}" for key, names in by_key.items()) + "."
