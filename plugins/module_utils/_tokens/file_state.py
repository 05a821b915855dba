# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a token while the key is rotated, and the steps between them, on one host. Private to this collection.

Beside the file that a service reads, DEST, a rotation has two more: DEST.next holds the token that was signed with the
next key, and DEST.previous the one that DEST held before, for the way back. How far a rotation has come is read from
these files and from nothing else.

DEST itself is missing at no instant: the token that was live is copied aside beforehand, and the next one takes the
name by one rename. Every step may be killed and taken again.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import Renames, remove, remove_stale, replace
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError, SecretFileMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import SecretFile, read_if_there
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, PREVIOUS, beside
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.instant import on_time, refuse_far, wait_until
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import extract

_TIGHTEST = 0o640  # no bit beyond these is ever given to a copy, whatever the original had


class Step(NamedTuple):
    """What there is to do to one token file, and why; no reason if there is nothing."""

    dest: str
    source: str
    live: SecretFile | None
    new: SecretFile | None
    reason: str | None

    @property
    def swaps(self) -> bool:
        """Whether the file is to be replaced; if not, there may still be something to take away."""
        return self.reason == self.source


def step_to(dest: str, source: str, form: str) -> Step:
    """What it takes to have the token in DEST.next, or DEST.previous, be the live one."""
    live, new = read_if_there(dest), read_if_there(beside(dest, source))
    if new is None:
        return Step(dest, source, live, None, None)
    if live is not None and live.data == new.data:
        return Step(dest, source, live, new, "same")
    try:
        extract(form, new.data)
    except TokenError as exc:
        raise TokenError(
            f"{beside(dest, source)} holds no token in the format {form}, so {dest} was left as it is. {exc}"
        ) from exc
    return Step(dest, source, live, new, source)


def take(steps: Sequence[Step], at: float | None) -> list[float | SecretFileError | None]:
    """Take the steps, all at that instant or now. For each when it was done, or why not; None if it was no swap."""
    refuse_far(at)
    swaps = [step for step in steps if step.swaps]
    for step in swaps:
        _keep(step)
    with Renames([(beside(step.dest, step.source), step.dest) for step in swaps]) as renames:
        with on_time():
            wait_until(at)
            done = renames.go()
        times = {step.dest: _taken(step, when) for step, when in zip(swaps, done)}
    for step in steps:
        if step.reason == "same":
            remove(beside(step.dest, step.source))
    return [times.get(step.dest) for step in steps]


def _taken(step: Step, when: float | SecretFileError) -> float | SecretFileError:
    """What became of a swap. One that another was first with is done: a killed run may have left a task that waits."""
    if isinstance(when, SecretFileError) and step.new is not None:
        live = read_if_there(step.dest)
        if live is not None and live.data == step.new.data:
            return time.time()
    return when


def _keep(step: Step) -> None:
    """Copy the live token aside. Going back needs no such copy: the token that is left was never meant to stay."""
    live = step.live
    if step.source == PREVIOUS or live is None or step.new is None:
        return
    mode = live.mode & _TIGHTEST
    # Whose the token is to be shows in the staged one. The live one may have been given to somebody else since.
    uid = live.uid if live.uid in (0, step.new.uid) else step.new.uid
    gid = live.gid if live.gid in (0, step.new.gid) else step.new.gid
    kept = read_if_there(beside(step.dest, PREVIOUS))
    if kept is None or kept.data != live.data or not kept.has_ownership(uid, gid, mode):
        replace(beside(step.dest, PREVIOUS), live.data, uid, gid, mode)


def leftovers(dest: str) -> list[str]:
    """What a rotation has left beside the file."""
    return [path for path in (beside(dest, NEXT), beside(dest, PREVIOUS)) if read_if_there(path, secret=False)]


def sweep_folders(paths: Sequence[str]) -> None:
    """Take away the temporary files that killed runs have left, looking into each folder once."""
    for path in {os.path.dirname(path): path for path in paths}.values():
        with suppress(SecretFileMissing):
            remove_stale(path)
