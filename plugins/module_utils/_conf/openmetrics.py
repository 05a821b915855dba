# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""slurmctld's metrics under a token, in slurm.conf: what is in force, and what a site declares. Private to this
collection.

slurmctld has a key of its own for them, so that a token which reads metrics is good for no request to Slurm.
"""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.auth_alt import DeclaredError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.editor import Editor, assign
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.members import option_objection

TYPE, USERS, HTTP_AUTH = "MetricsType", "MetricsAuthUsers", "SlurmctldHttpAuthParameters"
PARAMETERS = (TYPE, USERS, HTTP_AUTH)
OPENMETRICS = "metrics/openmetrics"

# The name of the key in StateSaveLocation, if the site declares no path.
KEY_NAME = "openmetrics_hs256.key"


class OpenMetrics(NamedTuple):
    """The settings of one slurm.conf, as they are in force."""

    serves: bool
    """Whether slurmctld serves metrics that are not empty."""
    users: list[str]
    """Who may read them with a token; empty if no token is asked for."""
    key_path: str | None
    """The key of these tokens; None if SlurmctldHttpAuthParameters names none."""
    http_auth: str
    """SlurmctldHttpAuthParameters."""
    private: bool
    """Whether PrivateData keeps them from everybody but root and SlurmUser."""
    http: bool
    """Whether slurmctld answers HTTP at all."""


class DeclaredOpenMetrics(NamedTuple):
    """What the site declares. Without users it is switched off, where it was switched on with this key."""

    users: list[str]
    key_path: str


class OpenMetricsEdit(NamedTuple):
    """What slurm_conf is to do: parameters and their values, None to remove one; members of HTTP_AUTH."""

    settings: dict[str, str | None]
    present: dict[str, str]
    absent: list[str]


def read(conf: Conf) -> OpenMetrics:
    value = (conf.value(TYPE) or "").strip().lower()
    private = bool((conf.value("PrivateData") or "").strip().lower() not in ("", "none"))
    ignored = "ignore_private_data" in (conf.value("MetricsParameters") or "").lower()
    return OpenMetrics(
        serves=value in (OPENMETRICS, OPENMETRICS.partition("/")[2]),
        users=_members(conf, USERS),
        key_path=conf.option(HTTP_AUTH, "jwt_key") or None,
        http_auth=(conf.value(HTTP_AUTH) or "").strip(),
        private=private and not ignored,
        http="disable_http" not in (conf.value("CommunicationParameters") or "").lower(),
    )


def _members(conf: Conf, key: str) -> list[str]:
    return [member.strip() for member in conf.members(key) if member.strip()]


def declare(options: dict[str, Any] | None, state_save_location: str) -> DeclaredOpenMetrics | None:
    """The option O(declared.openmetrics); None if the site declares nothing, and all stays as it is."""
    if options is None or options.get("users") is None:
        return None
    users = [str(user) for user in options["users"]]
    for user in users:
        if not re.match(r"^[A-Za-z_][A-Za-z0-9_.-]*\$?$", user):
            raise DeclaredError(
                f"declared.openmetrics.users has {user!r}. Name users as the controllers know them, without a number, a"
                " blank or a comma."
            )
    path = options.get("key_path") or os.path.join(state_save_location, KEY_NAME)
    reason = option_objection("jwt_key", path)
    if reason or re.search(r"[\s,\"#\\]", path):
        reason = reason or f"is {path!r}; for Slurm the value would end at a comma, blank, quote, # or \\"
        raise DeclaredError(f"declared.openmetrics.key_path {reason}.")
    return DeclaredOpenMetrics(list(dict.fromkeys(users)), path)


def edit(conf: Conf, declared: DeclaredOpenMetrics, first: Conf | None = None) -> OpenMetricsEdit:
    """What has to change. FIRST: the file as it was before this collection edited it, if a copy is left."""
    current = read(conf)
    if declared.users:
        settings: dict[str, str | None] = {}
        if not current.serves:
            settings[TYPE] = OPENMETRICS
        if set(current.users) != set(declared.users):
            settings[USERS] = ",".join(declared.users)
        return OpenMetricsEdit(settings, {"jwt_key": declared.key_path}, [])
    if current.key_path != declared.key_path:
        # Not this collection's.
        return OpenMetricsEdit({}, {}, [])
    served_before = first is not None and read(first).serves
    settings = {USERS: None} if served_before else {TYPE: None, USERS: None}
    return OpenMetricsEdit(settings, {}, ["jwt_key"])


def apply(conf: Conf, edits: OpenMetricsEdit) -> tuple[Conf, list[dict[str, str | None]]]:
    """The configuration with these edits, in memory, and the parameters that differ."""
    editor = Editor(conf)
    assign(editor, edits.settings)
    editor.edit_options(HTTP_AUTH, present=dict(edits.present), absent=edits.absent)
    differences = []
    for key in PARAMETERS:
        before, after = conf.value(key), editor.conf.value(key)
        if before != after:
            setting = editor.conf.effective(key) or conf.effective(key)
            path = setting.path if setting else conf.paths[0]
            differences.append({"parameter": key, "before": before, "after": after, "path": path})
    return editor.conf, differences
