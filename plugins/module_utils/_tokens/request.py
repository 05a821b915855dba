# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokens that a task asks for, checked. Private to this collection."""

from __future__ import annotations

import json
import time
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import gid_of, uid_of
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import find_user
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import parse_mode
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, PREVIOUS, beside
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import duration
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import (
    TokenError,
    expiry_of,
    lifespan_of,
    split,
    user_of,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import (
    LONGEST,
    check_user_name,
    claims_for,
    lifespan,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.privileged import refuse_privileged
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.site_policy import SitePolicy, site_policy

Entry = Mapping[str, Any]
"""The options of one token."""


class TokenRequest(NamedTuple):
    """One token that the task asks for, and its file."""

    name: str
    user: str
    seconds: int
    min_remaining: int
    claims: dict[str, Any]
    dest: str | None
    form: str
    uid: int | None
    gid: int | None
    mode: int | None
    given: str | None
    """The token itself, made elsewhere; empty if it is not known because this is check mode."""
    current: str | None
    """The token in a file of another host."""
    path: str | None
    """The file to write: dest, or DEST.next."""
    key_path: str | None = None
    """The path of its signing key."""


def entries(params: Mapping[str, Any]) -> list[Entry]:
    """The options of each token: those of its entry, and the task's where the entry sets none."""
    if params["tokens"] is None:
        return [{**params, "name": None}]
    return [
        {option: params.get(option) if value is None else value for option, value in entry.items()}
        for entry in params["tokens"]
    ]


def name_of(entry: Entry) -> str:
    return str(entry["name"] or entry["dest"] or entry["user"] or "token")


def dest_of(entry: Entry, state: str) -> str:
    """The token's file, for states that need one."""
    if entry["dest"] is None:
        raise TaskError(f"{name_of(entry)}: dest is needed with state={state}: it names the token's file.")
    return str(entry["dest"])


def requests(task: Task) -> list[TokenRequest]:
    """All tokens of the task. TaskError names the first that cannot be made, and why."""
    policy = site_policy(task.params)
    checked = [_request(entry, task, policy) for entry in entries(task.params)]
    refuse_shared_files([request.dest for request in checked])
    return checked


def refuse_shared_files(paths: Sequence[str | None]) -> None:
    """Raise TaskError if two tokens share a file, or if one has a file that a rotation uses for another."""
    seen = set()
    for path in paths:
        if path is not None and path in seen:
            raise TaskError(f"dest: {path} is given for two tokens. Give each a file of its own.")
        seen.add(path)
    for path in filter(None, paths):
        for reserved in (beside(path, NEXT), beside(path, PREVIOUS)):
            if reserved in seen:
                raise TaskError(
                    f"dest: {reserved} is the file in which a rotation keeps a token of {path}. Choose another name."
                )


def find_uid(name: str) -> int | None:
    """The uid of a user, by name or number; None if this host has no such user."""
    user = find_user(name)
    return user.uid if user else None


# -- one entry ---------------------------------------------------------------------------------------------------------


def _request(entry: Entry, task: Task, policy: SitePolicy) -> TokenRequest:
    params, name = task.params, name_of(entry)
    option = "current"
    try:
        if entry["current"] is not None and (entry["dest"] or entry["token"]):
            raise TokenError("It is what a file on another host holds, and excludes both dest and token.")
        option = "token"
        given, user = _given_token(entry, task.check_mode)
        option = "user"
        made_here = entry["token"] is None and params["method"] != "given"
        user = _allowed_user(user, entry, policy, params["check_user"] and made_here)
        option = "lifespan"
        seconds = lifespan(entry["lifespan"], entry["allow_endless"] or given is not None, policy.max_lifespan)
        option = "min_remaining"
        left = seconds // 5 if entry["min_remaining"] is None else duration(entry["min_remaining"])
        if left >= seconds:
            raise TokenError(f"{left} s is not less than the lifespan of {seconds} s: each run would make a new token.")
        option = "claims"
        # As they are read back from the token: names in JSON are text.
        claims = json.loads(json.dumps(entry["claims"] or {}))
        claims_for(user, seconds, 0, extra=claims)
        if claims and params["method"] == "scontrol":
            raise TokenError("slurmctld makes tokens without further claims. Remove them, or set method=key.")
        option = "owner"
        uid = _number(entry["owner"], uid_of, task)
        option = "group"
        gid = _number(entry["group"], gid_of, task)
        mode = parse_mode(entry["mode"]) if entry["mode"] else None
    except SecretFileError as exc:  # it names the option itself
        raise TaskError(f"{name}: {exc}") from exc
    except (TokenError, ValueError) as exc:
        raise TaskError(f"{name}: {option}: {exc}") from exc
    dest, form, current = entry["dest"], entry["format"], entry["current"]
    path = beside(dest, NEXT) if dest and params["state"] == "staged" else dest
    return TokenRequest(
        name, user, seconds, left, claims, dest, form, uid, gid, mode, given, current, path, entry["key_path"]
    )  # fmt: skip


def _given_token(entry: Entry, check_mode: bool) -> tuple[str | None, str]:
    """The given token, if it may be installed, and its user."""
    declared = str(entry["user"] or "")
    if entry["token"] is None:
        return None, declared
    token = str(entry["token"]).strip()
    if not token:
        if not check_mode:
            raise TokenError("It is empty. Give the token that is to be installed.")
        return token, declared
    claims = split(token).claims
    expiry, user = expiry_of(claims), user_of(claims)
    if expiry is None:
        raise TokenError("It does not say when it expires; Slurm treats such a token as expired. Make a new one.")
    if expiry < time.time():
        raise TokenError(f"It expired {int(time.time()) - expiry} s ago by the clock of this host. Make a new one.")
    if (lifespan_of(claims) or expiry) > LONGEST and not entry["allow_endless"]:
        raise TokenError(f"It lives for more than {LONGEST // 86400} days. Set allow_endless=true if it may.")
    if entry["user"] not in (None, user):
        raise TokenError(f"It is for the user {user!r}, not for {entry['user']!r}.")
    return token, str(user or "")


def _allowed_user(user: str, entry: Entry, policy: SitePolicy, must_exist: bool) -> str:
    """The user, if this one may have a token."""
    if not user:
        raise TokenError("No user is given. State whom the token is for.")
    check_user_name(user)
    uid = find_uid(user)
    if uid is None and must_exist:
        raise TokenError(
            f"There is no user {user!r} on this host. Slurm finds users on the hosts of slurmctld and slurmdbd: run "
            "this on a controller, create the user there, or set check_user=false if the controllers know this user."
        )
    if not entry["allow_privileged"]:
        slurm_uid = None if uid is None else find_uid(policy.slurm_user)
        refuse_privileged(user, uid, policy.slurm_user, slurm_uid)
    return user


def _number(name: str | None, find: Callable[[str], int | None], task: Task) -> int | None:
    """The uid or gid of a file's owner or group; None if the task leaves that open."""
    if name is None:
        return None
    number = find(name)
    if number is None:
        if not task.check_mode:
            raise TokenError(f"There is no {name!r} on this host. Create it first.")
        task.warn(f"There is no {name!r} on this host yet, so the token file cannot be given to it.")
    return number
