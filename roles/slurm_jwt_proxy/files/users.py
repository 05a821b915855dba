# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which users the proxy may act as. Part of the verifier; see verifier.py."""

from __future__ import annotations

import grp
import os
import pwd
import time
from typing import Callable

from errors import PolicyError, Refused, log
from limits import Buckets
from names import attribute, user_name
from policy import Policy

# The uids that kernels and file systems give to users that they cannot map.
NOBODY = (99, 65534, 65535, 2**32 - 2, 2**32 - 1)
CACHED_NAMES = 10000


def user_of(authenticated: str, policy: Policy) -> str:
    """The user of the cluster for an authenticated name or subject."""
    name = attribute(authenticated, policy.subject) if policy.subject else authenticated
    user = user_name(name, policy.name_map)
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise Refused("there is no such user on this host") from None
    check(user, entry, policy)
    return user


def check(user: str, entry: pwd.struct_passwd, policy: Policy) -> None:
    """Refuses users that the proxy must never act as, by name and by uid: root may have other names."""
    if entry.pw_name != user:
        # slurmctld would look up the name that is sent.
        raise Refused(f"the user's own name is {entry.pw_name!r}")
    if user == "root" or entry.pw_uid == 0:
        raise Refused("the proxy never acts as root")
    if user == policy.slurm_user or entry.pw_uid == slurm_uid(policy):
        raise Refused("the proxy never acts as SlurmUser")
    if entry.pw_uid < policy.uid_min:
        raise Refused(f"its uid {entry.pw_uid} is below {policy.uid_min}, as those of system accounts are")
    if entry.pw_uid in NOBODY:
        raise Refused(f"its uid {entry.pw_uid} is that of nobody")
    if user in policy.denied_users:
        raise Refused("the user is denied")
    if not (policy.denied_groups or policy.allowed_groups or policy.allowed_users):
        return
    groups = set(os.getgrouplist(user, entry.pw_gid))
    if groups & gids(policy.denied_groups):
        raise Refused("a group of the user is denied")
    if not (policy.allowed_users or policy.allowed_groups):
        return
    if user not in policy.allowed_users and not groups & gids(policy.allowed_groups):
        raise Refused("neither the user nor a group of theirs is allowed")


def slurm_uid(policy: Policy) -> int:
    try:
        return pwd.getpwnam(policy.slurm_user).pw_uid
    except KeyError:
        raise PolicyError(
            f"SlurmUser {policy.slurm_user!r} does not exist on this host, so other names for its uid could not be "
            "refused. Create it here, with its uid of the controllers."
        ) from None


def gids(names: tuple[str, ...]) -> set[int]:
    try:
        return {grp.getgrnam(name).gr_gid for name in names}
    except KeyError as error:
        raise PolicyError(f"{error.args[0]}. Correct the allowed and denied groups, or create it here.") from None


class UserCache:
    """Keeps answers for some seconds, so that a directory service is not asked for each request of a burst."""

    def __init__(self, policy: Policy, clock: Callable[[], float] = time.monotonic) -> None:
        self.policy = policy
        self.clock = clock
        self.answers: dict[str, tuple[float, str | None]] = {}
        self.limit = Buckets(policy.rate, policy.burst + 1, clock) if policy.rate else None
        # Health needs no authentication, and asks slurmctld each time.
        self.health_limit = Buckets(1, 6, clock)

    def user(self, authenticated: str) -> str | None:
        """The user of the cluster; None if the request is refused."""
        until, user = self.answers.get(authenticated, (0.0, None))
        if self.clock() < until:
            return user
        try:
            user = user_of(authenticated, self.policy)
        except Refused as refusal:
            log(f"refused {authenticated[:100]!r}: {refusal}")
            user = None
        if len(self.answers) >= CACHED_NAMES:
            self.answers.clear()
        self.answers[authenticated] = (self.clock() + self.policy.seconds, user)
        return user
