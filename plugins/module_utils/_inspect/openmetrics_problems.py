# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems that a controller can have with slurmctld's metrics. Private to this collection."""

from __future__ import annotations

import os
from typing import Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.openmetrics import HTTP_AUTH, TYPE, USERS, OpenMetrics
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.problems import ERROR, WARNING, Problem

# What a token for metrics allows: slurmctld also accepts it at /v0.0.45/conf.
READS = "can read metrics and slurmctld's configuration"


def open_to_all(conf: Conf, current: OpenMetrics, with_token: bool) -> list[Problem]:
    """Anyone can read metrics without a token."""
    if not (current.serves and current.http) or current.users or current.private:
        return []
    found = f"{TYPE} is {conf.value(TYPE)}, and no token is needed to read metrics."
    effect = "Everyone who can reach slurmctld's port can read jobs, nodes, users and accounts."
    remedy = "Declare who may read them (slurm_jwt_openmetrics_users)."
    if not with_token:
        remedy = "Set PrivateData, or upgrade to Slurm 26.05, which can ask for a token."
    return [Problem(WARNING, "metrics_open", "slurmctld", _path(conf, TYPE), found, effect, remedy)]


def without_key(conf: Conf, current: OpenMetrics) -> list[Problem]:
    """slurmctld asks for a token but has no key to check it."""
    if not current.users or current.http_auth:
        return []
    found = f"{USERS} is {conf.value(USERS)}, and {HTTP_AUTH} names no key."
    effect = "slurmctld answers 401 to every request for metrics, also with a token."
    remedy = f"Declare slurm_jwt_openmetrics_users, so that a rollout makes a key, or remove {USERS}."
    return [Problem(WARNING, "metrics_without_key", "slurmctld", _path(conf, USERS), found, effect, remedy)]


def http_disabled(conf: Conf, current: OpenMetrics, on: bool) -> list[Problem]:
    """Metrics are declared, but HTTP is disabled in slurmctld."""
    if current.http or not on:
        return []
    name = "CommunicationParameters"
    found = f"{name} is {conf.value(name)}, so slurmctld answers no HTTP."
    effect = "There would be no metrics."
    remedy = "Remove disable_http from it, or leave slurm_jwt_openmetrics_users out."
    return [Problem(ERROR, "http_disabled", "slurmctld", _path(conf, name), found, effect, remedy)]


def client_ids(conf: Conf, current: OpenMetrics, on: bool) -> list[Problem]:
    """slurmctld takes the uid from the token."""
    if "use_jwt_client_ids" not in current.http_auth.lower():
        return []
    found = f"{HTTP_AUTH} is {current.http_auth}."
    effect = "A token for metrics may then name any uid, also 0, so a plain user's token reads as root."
    remedy = f"Remove use_jwt_client_ids from {HTTP_AUTH}."
    severity = ERROR if on else WARNING
    return [Problem(severity, "http_client_ids", "slurmctld", _path(conf, HTTP_AUTH), found, effect, remedy)]


def one_file(conf: Conf, current: OpenMetrics, key_path: str | None, on: bool) -> list[Problem]:
    """The key for metrics is the cluster's signing key."""
    if not current.key_path or not key_path or os.path.realpath(current.key_path) != os.path.realpath(key_path):
        return []
    found = f"{HTTP_AUTH} and AuthAltParameters both name {key_path}."
    effect = "A token for metrics is then good for every request to Slurm in the name of its user."
    remedy = "Give metrics a key of its own (slurm_jwt_openmetrics_key_path)."
    severity = ERROR if on else WARNING
    return [Problem(severity, "metrics_same_key", "slurmctld", _path(conf, HTTP_AUTH), found, effect, remedy)]


def same_key(path: str, key_path: str) -> list[Problem]:
    """The metrics key and the signing key are the same, in two files."""
    found = f"{path} and {key_path} hold the same key."
    effect = "A token for metrics is then good for every request to Slurm in the name of its user."
    remedy = f"Move {path} away, and the rollout makes another key."
    return [Problem(ERROR, "metrics_same_key", "slurmctld", path, found, effect, remedy)]


def of_metrics_key(problem: Problem) -> Problem:
    """A problem of a signing key, reworded for the metrics key."""
    effect = problem.effect.replace("is root on the cluster", READS)
    return problem._replace(effect=effect.replace("sign tokens for any user", "sign tokens for metrics"))


def key_elsewhere(conf_path: str, path: str, in_force: str) -> list[Problem]:
    """The site declares another path than the one in force."""
    found = f"{HTTP_AUTH} names the key {in_force}, and {path} is declared."
    effect = "Tokens that the key in force signed would be refused."
    remedy = f"Declare it: slurm_jwt_openmetrics_key_path: {in_force}. Or remove jwt_key= from {HTTP_AUTH} first."
    return [Problem(ERROR, "metrics_key_elsewhere", "slurmctld", conf_path, found, effect, remedy)]


def users_missing(users: Sequence[str]) -> list[Problem]:
    """A user who may read metrics does not exist here."""
    effect = "slurmctld looks the user of a token up on its own host, and answers 500 if there is none."
    remedy = "Create the user on every controller, or correct slurm_jwt_openmetrics_users."
    return [
        Problem(
            ERROR, "metrics_user_missing", "slurmctld", None, f"There is no user {user} on this host.", effect, remedy
        )
        for user in users
    ]


def users_unserved(users: Sequence[str]) -> list[Problem]:
    """slurmctld does not answer this user, whatever the token."""
    effect = "slurmctld answers 500 to the user or the group nobody, whatever the token."
    remedy = "Name another user in slurm_jwt_openmetrics_users, one of a service's own."
    return [
        Problem(ERROR, "metrics_user_nobody", "slurmctld", None, f"{user} is the user or group nobody.", effect, remedy)
        for user in users
    ]


def clear_text(port: int) -> list[Problem]:
    """There is no TLS at slurmctld's port."""
    found = f"Tokens for metrics go to slurmctld's port {port} in clear text."
    effect = f"Anyone who can listen on that network {READS} until the token expires, and nothing else."
    remedy = "Let Prometheus reach the controllers over a network that you trust. Nothing else has to be done."
    return [Problem(WARNING, "metrics_clear_text", "slurmctld", None, found, effect, remedy)]


def left_after_removal(conf: Conf, current: OpenMetrics) -> list[Problem]:
    """slurmctld would still load the key of AuthAltParameters, which the removal puts aside."""
    if not current.http_auth:
        return []
    found = f"{HTTP_AUTH} is {current.http_auth}, and would stay."
    effect = "slurmctld then loads the signing key as well, which a removal puts aside, and dies at its next start."
    remedy = f"Remove {HTTP_AUTH}, or declare the key that it names (slurm_jwt_openmetrics_key_path)."
    return [Problem(ERROR, "http_auth_left", "slurmctld", _path(conf, HTTP_AUTH), found, effect, remedy)]


def _path(conf: Conf, key: str) -> str | None:
    setting = conf.effective(key)
    return setting.path if setting else None
