# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token authentication for slurmctld's metrics in slurm.conf: current and declared settings. Private to this
collection.

slurmctld has a separate key for them: a token for metrics is not valid for requests to Slurm.
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

# The key file in StateSaveLocation, if the site declares no path.
KEY_NAME = "openmetrics_hs256.key"


class OpenMetrics(NamedTuple):
    """The settings in force in one slurm.conf."""

    serves: bool
    """Whether slurmctld serves metrics that are not empty."""
    users: list[str]
    """Users who may read the metrics with a token; empty if no token is needed."""
    key_path: str | None
    """The key for these tokens; None if SlurmctldHttpAuthParameters names none."""
    http_auth: str
    """The value of SlurmctldHttpAuthParameters."""
    private: bool
    """Whether PrivateData hides the metrics from everybody but root and SlurmUser."""
    http: bool
    """Whether slurmctld answers HTTP at all."""


class DeclaredOpenMetrics(NamedTuple):
    """What the site declares. No users: undo the settings, if they were made with this key."""

    users: list[str]
    key_path: str


class OpenMetricsEdit(NamedTuple):
    """Edits for slurm_conf: parameters and values (None: remove it), and members of HTTP_AUTH."""

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
    """The option O(declared.openmetrics); None if the site declares nothing: then nothing changes."""
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
    """The edits that are needed. FIRST: the file before this collection edited it, if a backup exists."""
    current = read(conf)
    if declared.users:
        settings: dict[str, str | None] = {}
        if not current.serves:
            settings[TYPE] = OPENMETRICS
        if set(current.users) != set(declared.users):
            settings[USERS] = ",".join(declared.users)
        return OpenMetricsEdit(settings, {"jwt_key": declared.key_path}, [])
    if current.key_path != declared.key_path:
        # This collection did not set this key.
        return OpenMetricsEdit({}, {}, [])
    served_before = first is not None and read(first).serves
    settings = {USERS: None} if served_before else {TYPE: None, USERS: None}
    return OpenMetricsEdit(settings, {}, ["jwt_key"])


def apply(conf: Conf, edits: OpenMetricsEdit) -> tuple[Conf, list[dict[str, str | None]]]:
    """Make these edits in memory. Returns the edited configuration, and the parameters that differ."""
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
