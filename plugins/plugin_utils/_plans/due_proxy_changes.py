# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role slurm_jwt_proxy would change on a host, according to the inspection. Private to this collection.

The role renders its files where Ansible runs, and the inspection has fingerprints of those on the host. If nothing is
due, none of the role's tasks runs on the host. If in doubt something is due: the tasks change only what differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Paths to the text that each file must have. The other members are as in the result of slurm_jwt_info.
Files = Mapping[str, Any]


def due_proxy_changes(
    found: Mapping[str, Any] | None,
    files: Sequence[Files] = (),
    folders: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
    present: Sequence[str] = (),
    units: Sequence[str] = (),
    own_units: Sequence[str] = (),
    watched_units: Sequence[str] = (),
    packages: Sequence[str] = (),
    user: Mapping[str, str] | None = None,
    has_passwords: bool = False,
) -> list[str]:
    """A few words on each thing that is not as desired. FOUND is the member "proxy" of the inspection."""
    if not found:
        return ["the proxy was not inspected"]
    on_host = {each["path"]: each for each in [*found["files"], *found["site_files"]]}
    desired = [*_described(files, folders)]
    links = links or {}
    shown = {each["unit"]: each for each in found["units"]}
    return [
        *(f"{each['path']} differs" for each in desired if on_host.get(each["path"]) != each),
        *(f"{path} differs" for path, target in links.items() if on_host.get(path, {}).get("target") != target),
        *(f"{path} is missing" for path in present if on_host.get(path, {}).get("kind", "missing") == "missing"),
        *(words for unit in units for words in _wrong_with(unit, shown.get(unit), unit in own_units)),
        *(f"{unit} has not loaded its files" for unit in watched_units if unit not in found["loaded"]),
        *(f"the package {name} is missing" for name in packages if name not in found["packages"]),
        *(["the verifier's user differs"] if user is not None and found["user"] != user else []),
        *(["there are other programs in the verifier's folder"] if found["other_programs"] else []),
        *(["the password file cannot be used"] if has_passwords and found["passwords_usable"] is not True else []),
    ]


def _described(files: Sequence[Files], folders: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What the inspection reports for each file and folder that is as desired."""
    of_root = {"owner": "root", "group": "root", "target": None, "fingerprint": None}
    for some in files:
        ownership = {"group": some.get("group", "root"), "mode": some.get("mode", "0644")}
        for path, text in some["texts"].items():
            fingerprint = f"SHA256:{hashlib.sha256(str(text).encode()).hexdigest()}"
            yield {**of_root, **ownership, "path": path, "kind": "file", "fingerprint": fingerprint}
    for path in folders:
        yield {**of_root, "path": path, "kind": "directory", "mode": "0755"}


def _wrong_with(name: str, unit: Mapping[str, Any] | None, own: bool) -> Iterator[str]:
    if unit is None:
        yield f"{name} was not inspected"
        return
    if unit["active"] != "active":
        yield f"{name} is {unit['active'] or 'not loaded'}"
    if unit["enabled"] != "enabled":
        yield f"{name} is {unit['enabled'] or 'not enabled'}"
    if own and unit["needs_reload"]:
        yield f"systemd has not read {name}"
