# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The desired content of slurm.conf and slurmdbd.conf, from the site's variables. Private to this collection.

In Python, because Ansible would compile a template for each variable again for every node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import AUTH_ALT_OPTIONS, FLAG, NUMBER, PATH


class RoleVariables(dict):  # type: ignore[type-arg]
    """slurm_jwt_NAME as NAME, each evaluated when code reads it. None: the site leaves the variable out."""

    def __init__(self, value: Callable[[str], Any]) -> None:
        super().__init__()
        self._value = value

    def __missing__(self, name: str) -> Any:
        return self._value(name)


def declared(settings: Mapping[str, Any], removing: bool = False) -> dict[str, Any]:
    """The option O(declared) of slurm_jwt_info.

    ``settings`` has slurm_jwt_NAME as NAME. None: the site leaves the variable out, and the setting stays as it is.
    In the result a parameter has its value, true for a flag, or false if it must be absent.
    """
    users, path = openmetrics_users(settings["openmetrics_users"]), settings["openmetrics_key_path"] or ""
    metrics = {} if users is None else {"openmetrics": {"users": [] if removing else users, "key_path": path}}
    return {
        "auth_alt_types": [] if removing else ["auth/jwt"],
        "auth_alt_types_absent": ["auth/jwt"] if removing else [],
        "parameters": {name: False if removing else value for name, value in _parameters(settings).items()},
        **metrics,
    }


def openmetrics_users(declared: Any) -> list[str] | None:
    """The users who may read metrics. With --extra-vars a list is text. None: nothing is declared."""
    if declared is None:
        return None
    if isinstance(declared, str):
        return [user.strip() for user in declared.split(",") if user.strip()]
    return [str(user) for user in declared]


def _parameters(settings: Mapping[str, Any]) -> dict[str, Any]:
    with_jwks = bool(settings["jwks_sources"] or settings["rs256_key_path"])
    hs256 = settings["hs256"]
    with_hs256 = not with_jwks if hs256 is None else boolean(hs256)
    # If the site declares no path, the host finds it.
    found: dict[str, Any] = {"jwt_key": settings["key_path"] if with_hs256 else False}
    if settings["jwks_sources"] is not None or settings["rs256_key_path"]:
        found["jwks"] = settings["jwks_path"] if with_jwks else False
    for name, option in AUTH_ALT_OPTIONS.items():
        if option.kind != PATH and settings[name] is not None:
            found[name] = _declared_value(option.kind, settings[name])
    return found


def _declared_value(kind: str, value: Any) -> Any:
    """The declared value of a parameter. Empty text and the number 0 mean that it must be absent."""
    if kind == FLAG:
        return boolean(value)
    return value if (int(value) if kind == NUMBER else value) else False
