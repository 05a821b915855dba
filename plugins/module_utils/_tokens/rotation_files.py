# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a token while the key is rotated, and the swaps between them, on one host. Private to this collection.

Beside the file that a service reads, DEST, a rotation has two more: DEST.next holds the token that was signed with the
next key, and DEST.previous the one that DEST held before, for a rollback. These files alone show how far a rotation is.

DEST itself is never missing: the live token is copied to DEST.previous first, and DEST.next is then renamed to DEST.
A step may be killed at any point and done again.
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

_WIDEST_MODE = 0o640  # of a copy, whatever mode the original has


class TokenStep(NamedTuple):
    """The step for one token file, and its reason. Without a reason there is nothing to do."""

    dest: str
    source: str
    live: SecretFile | None
    new: SecretFile | None
    reason: str | None

    @property
    def swaps(self) -> bool:
        """Whether the file is to be replaced. If not, a copy may still have to be removed."""
        return self.reason == self.source


def step_to(dest: str, source: str, form: str) -> TokenStep:
    """The step by which the token in DEST.next, or DEST.previous, becomes the live one."""
    live, new = read_if_there(dest), read_if_there(beside(dest, source))
    if new is None:
        return TokenStep(dest, source, live, None, None)
    if live is not None and live.data == new.data:
        return TokenStep(dest, source, live, new, "same")
    try:
        extract(form, new.data)
    except TokenError as exc:
        raise TokenError(
            f"{beside(dest, source)} holds no token in the format {form}, so {dest} was not changed. {exc}"
        ) from exc
    return TokenStep(dest, source, live, new, source)


def do_steps(steps: Sequence[TokenStep], at: float | None) -> list[float | SecretFileError | None]:
    """Do all steps at that instant or now. Returns for each its time, or why it failed; None without a swap."""
    refuse_far(at)
    swaps = [step for step in steps if step.swaps]
    for step in swaps:
        _copy_live_token(step)
    with Renames([(beside(step.dest, step.source), step.dest) for step in swaps]) as renames:
        with on_time():
            wait_until(at)
            done = renames.go()
        times = {step.dest: _outcome(step, when) for step, when in zip(swaps, done)}
    for step in steps:
        if step.reason == "same":
            remove(beside(step.dest, step.source))
    return [times.get(step.dest) for step in steps]


def _outcome(step: TokenStep, when: float | SecretFileError) -> float | SecretFileError:
    """The time of a swap, or why it failed. It counts as done if another process did it first."""
    if isinstance(when, SecretFileError) and step.new is not None:
        live = read_if_there(step.dest)
        if live is not None and live.data == step.new.data:
            return time.time()
    return when


def _copy_live_token(step: TokenStep) -> None:
    """Copy the live token to DEST.previous. A rollback makes no copy: nobody needs the token that it replaces."""
    live = step.live
    if step.source == PREVIOUS or live is None or step.new is None:
        return
    mode = live.mode & _WIDEST_MODE
    # The staged token has the declared owner. The live one may have been given to another user since.
    uid = live.uid if live.uid in (0, step.new.uid) else step.new.uid
    gid = live.gid if live.gid in (0, step.new.gid) else step.new.gid
    previous = read_if_there(beside(step.dest, PREVIOUS))
    if previous is None or previous.data != live.data or not previous.has_ownership(uid, gid, mode):
        replace(beside(step.dest, PREVIOUS), live.data, uid, gid, mode)


def leftovers(dest: str) -> list[str]:
    """The files that a rotation has left beside the token file."""
    return [path for path in (beside(dest, NEXT), beside(dest, PREVIOUS)) if read_if_there(path, secret=False)]


def remove_stale_in_folders(paths: Sequence[str]) -> None:
    """Remove stale temporary files of killed runs, once for each folder."""
    for path in {os.path.dirname(path): path for path in paths}.values():
        with suppress(SecretFileMissing):
            remove_stale(path)
