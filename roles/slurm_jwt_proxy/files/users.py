# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the proxy may act as somebody. Part of the verifier; see verifier.py."""

from __future__ import annotations

import grp
import os
import pwd
import time
from typing import Callable, Optional

from errors import PolicyError, Refused, tell
from limits import Buckets
from names import attribute, user_name
from policy import Policy

# What kernels and file systems call "nobody": whoever could not be mapped ends as one of them.
NOBODY = (99, 65534, 65535, 2**32 - 2, 2**32 - 1)
CACHED_NAMES = 10000

Answer = Optional[str]
"""The user, or none: the request must not pass."""


def user_of(said: str, policy: Policy) -> str:
    """The user of the cluster for what the server says of whom it has authenticated."""
    user = user_name(attribute(said, policy.subject) if policy.subject else said, policy.name_map)
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise Refused("there is no such user on this host") from None
    check(user, entry, policy)
    return user


def check(user: str, entry: pwd.struct_passwd, policy: Policy) -> None:
    """Refuses whoever the proxy must never act as, by name and by number: root may have other names."""
    if entry.pw_name != user:
        # slurmctld would look for the name that is sent, here another one was found.
        raise Refused(f"the user's own name is {entry.pw_name!r}")
    if user == "root" or entry.pw_uid == 0:
        raise Refused("root is never acted as")
    if user == policy.slurm_user or entry.pw_uid == slurm_uid(policy):
        raise Refused("SlurmUser is never acted as")
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
            f"SlurmUser {policy.slurm_user!r} is not known on this host, so that other names for its uid could not be "
            "refused. Make it known here, with the uid that it has on the controllers."
        ) from None


def gids(names: tuple[str, ...]) -> set[int]:
    try:
        return {grp.getgrnam(name).gr_gid for name in names}
    except KeyError as error:
        raise PolicyError(f"{error.args[0]}. Correct the allowed and denied groups, or make it known here.") from None


class Memory:
    """Answers for a few seconds, so that a directory service is not asked for each request of a burst."""

    def __init__(self, policy: Policy, clock: Callable[[], float] = time.monotonic) -> None:
        self.policy = policy
        self.clock = clock
        self.known: dict[str, tuple[float, Answer]] = {}
        self.limit = Buckets(policy.rate, policy.burst + 1, clock) if policy.rate else None
        # Whoever asks for that needs no name, and slurmctld is asked each time.
        self.health_limit = Buckets(1, 6, clock)

    def user(self, said: str) -> Answer:
        until, answer = self.known.get(said, (0.0, None))
        if self.clock() < until:
            return answer
        try:
            answer = user_of(said, self.policy)
        except Refused as refusal:
            tell(f"refused {said[:100]!r}: {refusal}")
            answer = None
        if len(self.known) >= CACHED_NAMES:
            self.known.clear()
        self.known[said] = (self.clock() + self.policy.seconds, answer)
        return answer
