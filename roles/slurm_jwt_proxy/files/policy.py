# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's settings. Part of the verifier; see verifier.py."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from errors import PolicyError
from names import ATTRIBUTE, NAME, USER, NameMap


class Policy(NamedTuple):
    slurm_user: str
    uid_min: int
    subject: str = ""
    """The attribute of a certificate's subject that names the user. Empty: the server gives a plain name."""
    names: dict[str, str] = {}
    domains: tuple[str, ...] = ()
    lower_case: bool = False
    allowed_users: tuple[str, ...] = ()
    allowed_groups: tuple[str, ...] = ()
    denied_users: tuple[str, ...] = ()
    denied_groups: tuple[str, ...] = ()
    seconds: float = 10
    """How long an answer is cached."""
    rate: float = 0
    """How many requests per second from one address pass, for a server that cannot count. 0: no limit."""
    burst: int = 0
    password_file: str = ""
    """Empty: users do not authenticate with passwords."""
    failures: int = 20
    """How many wrong passwords an address may send at once."""
    openid: dict[str, Any] = {}
    """The provider whose tokens are accepted; see openid_keys.Provider. Empty: no OpenID."""
    hook: dict[str, Any] = {}
    """The site's own program that authenticates users; see hook.Hook. Empty: no such program."""

    @property
    def name_map(self) -> NameMap:
        return NameMap(self.names, self.domains, self.lower_case)


def read_policy(path: str) -> Policy:
    try:
        with open(path, encoding="utf-8") as stream:
            members: dict[str, Any] = json.load(stream)
        lists = {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
        policy = Policy(**{**members, **lists})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise PolicyError(f"{path} holds no policy: {error}. Run the playbook hpc.slurm_jwt.proxy.") from error
    check_names(policy)
    if policy.failures < 1:
        raise PolicyError("slurm_jwt_proxy_failures has to be 1 or more, because people mistype passwords.")
    return policy


def check_names(policy: Policy) -> None:
    """Raises PolicyError for names that no user can have."""
    for name, user in policy.names.items():
        if not NAME.fullmatch(name):
            raise PolicyError(f"The table of names has {name!r}. Names are printable ASCII, at most 256 characters.")
        if not USER.fullmatch(user):
            raise PolicyError(f"The table of names maps {name!r} to {user!r}, which no user can be called.")
    for domain in policy.domains:
        if not NAME.fullmatch(domain):
            raise PolicyError(f"The domain {domain!r} is not printable ASCII, so no name can have it.")
    if policy.subject and not ATTRIBUTE.fullmatch(policy.subject):
        raise PolicyError(
            f"{policy.subject!r} is no name of an attribute. Write it as openssl x509 -subject prints it: CN, UID."
        )
