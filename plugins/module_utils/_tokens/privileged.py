# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users whose token gives power over the whole cluster. Private to this collection."""

from __future__ import annotations

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError


def refuse_privileged(
    user: str, uid: int | None = None, slurm_user: str | None = None, slurm_uid: int | None = None
) -> None:
    """Raise TokenError for a user who gets a token only with allow_privileged.

    Without the other arguments only the name is checked, which needs no host.
    """
    remedy = "Name a plain user, or set allow_privileged=true."
    if user.isdigit():
        raise TokenError(f"{user!r} is a number. Slurm takes it for a uid, 0 for root. {remedy}")
    if user == "root" or uid == 0:
        raise TokenError(f"{user!r} is root, whose token gives power over the whole cluster. {remedy}")
    if user == slurm_user or (uid is not None and uid == slurm_uid):
        raise TokenError(f"{user!r} is SlurmUser, whose token gives power over the whole cluster. {remedy}")
