# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The observation of slurm_jwt_info. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import openmetrics
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import inventory_values, node
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import rest_unit
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.observation import observation
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import (
    Members,
    Shape,
    either,
    flag,
    json_value,
    list_of,
    map_of,
    maybe,
    number,
    one_of,
    whole,
    word,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.values import (
    CHECKSUM,
    COPIED_PATH,
    COPIED_UNIT,
    FINGERPRINT,
    ID,
    IDENTIFIER,
    KID,
    LINE,
    MODE,
    NAME,
    PACKAGE,
    PATH,
    PORT,
    RELEASE,
    SECONDS,
    TEXT,
    TIME,
)

_OWNERSHIP: Mapping[str, Shape] = {"owner": maybe(NAME), "group": maybe(NAME), "mode": maybe(MODE)}
_MINIMAL_CONF: Mapping[str, Shape] = {"path": PATH, "exists": flag}
_IDENTITY = Members(
    {
        "path": LINE,
        "here": maybe(word(r"[0-9a-f-]{1,64}:[0-9]{1,20}:[0-9]{1,20}", 110, "the identity of a file")),
        "anywhere": word(r"[0-9]{1,20}:[0-9]{1,20}:[0-9]{1,20}", 64, "the identity of a file"),
        "network": flag,
        "may_be_shared": flag,
        "obstacle": maybe(TEXT),
    }
)
_OF_NODE: Mapping[str, Shape] = {
    "identities": list_of(_IDENTITY),
    "auth_alt_types": list_of(LINE, 100),
    "auth_alt_parameters": map_of(LINE, LINE, 100),
}
_ANY_CONF: Mapping[str, Shape] = {
    **_MINIMAL_CONF,
    **_OWNERSHIP,
    "files": list_of(LINE),
    "identities": list_of(_IDENTITY),
    "checksum": CHECKSUM,
    "slurm_user": NAME,
    "auth_type": maybe(LINE),
    "plugin_dir": maybe(LINE),
    "auth_alt_types": list_of(LINE, 100),
    "auth_alt_parameters": map_of(LINE, LINE, 100),
    "jwt_enabled": flag,
    "key_path": maybe(LINE),
    "jwks_path": maybe(LINE),
}


def _read(whole_file: Members, minimal: Members) -> Shape:
    """A file that was read completely; or one that could not be read, or that of a node with minimal=true."""
    beyond = set(whole_file.always) - {*minimal.always, *minimal.optional}

    def fit(value: object, member: str) -> object:
        shape = whole_file if isinstance(value, Mapping) and beyond & set(value) else minimal
        return shape(value, member)

    return fit


_CONF = Members(
    {
        **_ANY_CONF,
        "configless": flag,
        "cluster_name": maybe(LINE),
        "state_save_location": LINE,
        "controllers": list_of(Members({"name": LINE, "address": LINE}), 100),
        "controller_index": maybe(whole(0, 100)),
        "enable_configless": flag,
        "accounting": flag,
        "accounting_storage_host": LINE,
        "accounting_storage_backup_host": maybe(LINE),
        "slurmctld_port": PORT,
        "slurmdbd_port": PORT,
        "slurmctld_log_file": maybe(LINE),
    }
)
_DBD_CONF = Members(
    {
        **_ANY_CONF,
        "dbd_host": maybe(LINE),
        "dbd_backup_host": maybe(LINE),
        "standby": flag,
        "dbd_port": PORT,
        "log_file": maybe(LINE),
    }
)
_KEY_COPY: Mapping[str, Shape] = {
    **_OWNERSHIP,
    "fingerprint": maybe(FINGERPRINT),
    "serial": maybe(LINE),
    "created": maybe(TIME),
    "age": maybe(whole()),
    "by": maybe(LINE),
    "run": maybe(LINE),
    "run_age": maybe(whole()),
}
_KEY = Members(
    {
        **_KEY_COPY,
        "path": PATH,
        "exists": flag,
        "folder_exists": flag,
        "size": maybe(whole()),
        "weakness": maybe(TEXT),
        "inode": maybe(whole(0, 2**64)),
        "modified": maybe(number()),
        "next": maybe(Members(_KEY_COPY)),
        "previous": maybe(Members(_KEY_COPY)),
    }
)
_KEY_LOADED = one_of("current", "copied", "replaced", "absent", "unknown")
_OPENMETRICS = Members(
    {
        "serves": flag,
        "users": list_of(LINE, 100),
        "key_path": maybe(PATH),
        "key": maybe(_KEY),
        "in_force": maybe(LINE),
        "key_loaded": _KEY_LOADED,
    }
)
_STATE_DIR = Members(
    {
        **_OWNERSHIP,
        "path": PATH,
        "exists": flag,
        "writable_by_others": flag,
        "mount": maybe(LINE),
        "source": maybe(LINE),
        "fstype": maybe(LINE),
        "network": flag,
        "identity": maybe(word(r"[0-9:]+", 64, "the identity of a folder")),
    }
)
_DAEMON = Members(
    {
        "service": IDENTIFIER,
        "exists": maybe(flag),
        "active": maybe(IDENTIFIER),
        "sub": maybe(IDENTIFIER),
        "enabled": maybe(IDENTIFIER),
        "needs_reload": maybe(flag),
        "pid": whole(),
        "started": maybe(number()),
        "user": maybe(NAME),
        "uid": maybe(ID),
        "command": list_of(TEXT, 500),
        "slurm_jwt": maybe(flag),
        "key_loaded": _KEY_LOADED,
        "stale": list_of(TEXT, 100),
        "listens": list_of(LINE, 100),
        "before_jwt": maybe(one_of(*rest_unit.STATES)),
        "dropin": maybe(FINGERPRINT),
    }
)
_DIFFERENCES = list_of(
    Members(
        {"parameter": IDENTIFIER, "before": maybe(json_value()), "after": maybe(json_value())}, {"path": maybe(TEXT)}
    ),
    100,
)
_OPENMETRICS_EDIT = Members(
    {
        "settings": Members({}, dict.fromkeys(openmetrics.PARAMETERS[:2], maybe(LINE))),
        "present": Members({}, {"jwt_key": LINE}),
        "absent": list_of(IDENTIFIER, 10),
    }
)
_DESIRED = Members(
    {
        "parameters": map_of(IDENTIFIER, either(flag, maybe(number()), LINE), 100),
        "parameters_absent": list_of(IDENTIFIER, 100),
    },
    {"openmetrics": maybe(_OPENMETRICS_EDIT)},
)
PROBLEM = Members(
    {
        "severity": one_of("error", "warning", "info"),
        "code": IDENTIFIER,
        "component": IDENTIFIER,
        "path": maybe(TEXT),
        "found": TEXT,
        "effect": TEXT,
        "remedy": TEXT,
    }
)
_PROXY_FILE = Members(
    {
        **_OWNERSHIP,
        "path": LINE,
        "kind": one_of("file", "directory", "link", "socket", "other", "missing"),
        "target": maybe(LINE),
        "fingerprint": maybe(FINGERPRINT),
    }
)
_PROXY = Members(
    {
        "files": list_of(_PROXY_FILE, 200),
        "site_files": list_of(_PROXY_FILE, 100),
        "units": list_of(
            Members(
                {
                    "unit": IDENTIFIER,
                    "active": IDENTIFIER,
                    "enabled": IDENTIFIER,
                    "needs_reload": flag,
                    "inaccessible": list_of(LINE, 200),
                }
            ),
            50,
        ),
        "packages": list_of(PACKAGE, 50),
        "user": maybe(Members({"home": LINE, "shell": LINE})),
        "other_programs": whole(),
        "listens": list_of(LINE),
        "loaded": list_of(IDENTIFIER, 10),
        "passwords_usable": maybe(flag),
    }
)

INFO = observation(
    {
        "now": number(),
        "clock_lag": maybe(SECONDS),
        # The action plugin sets it, and ignores the host's value.
        "clock_lag_least": maybe(SECONDS),
        "hostname": IDENTIFIER,
        "os_family": maybe(IDENTIFIER),
        "components": list_of(one_of("slurmctld", "slurmdbd", "slurmrestd", "node"), 4),
        "program": maybe(PATH),
        "release": maybe(RELEASE),
        "capabilities": map_of(IDENTIFIER, flag, 200),
        "rest_versions": list_of(word(r"v0\.0\.[0-9]{1,4}", 12, "a version of the REST API"), 20),
        "conf": maybe(_read(_CONF, Members({**_MINIMAL_CONF, "configless": flag}, _OF_NODE))),
        "dbd_conf": maybe(_read(_DBD_CONF, Members(_MINIMAL_CONF))),
        "slurm_user": maybe(
            Members({"name": NAME, "exists": flag, "uid": maybe(ID), "gid": maybe(ID), "group": maybe(NAME)})
        ),
        "key_path": maybe(PATH),
        "key": maybe(_KEY),
        "openmetrics": maybe(_OPENMETRICS),
        "jwks": maybe(Members({**_OWNERSHIP, "path": PATH, "exists": flag, "kids": list_of(KID)})),
        "state_dir": maybe(_STATE_DIR),
        "plugins": maybe(
            Members(
                {
                    "dir": maybe(PATH),
                    "auth_jwt": maybe(PATH),
                    "rest_auth_jwt": maybe(PATH),
                    "libjwt": maybe(Members({"name": LINE, "path": maybe(LINE)})),
                    "packages": list_of(PACKAGE, 50),
                    "unavailable": list_of(PACKAGE, 50),
                }
            )
        ),
        "python": maybe(
            Members(
                {
                    **dict.fromkeys(("executable", "pyjwt", "cryptography", "distributions"), maybe(LINE)),
                    "version": LINE,
                    "served": maybe(flag),
                    "unavailable": list_of(PACKAGE, 10),
                }
            )
        ),
        "proxy": maybe(_PROXY),
        "daemons": Members({}, dict.fromkeys(("slurmctld", "slurmdbd", "slurmrestd", "slurmd"), _DAEMON)),
        "clusters": maybe(Members({"running": list_of(NAME, 1000), "error": maybe(TEXT)})),
        "differences": Members({"slurm_conf": _DIFFERENCES, "slurmdbd_conf": _DIFFERENCES}),
        "desired": Members({"slurm_conf": maybe(_DESIRED), "slurmdbd_conf": maybe(_DESIRED)}),
        "undeclared": Members(
            {},
            {
                **dict.fromkeys(("slurm_jwt_conf_path", "slurm_jwt_dbd_conf_path", "slurmrestd_binary"), COPIED_PATH),
                "slurm_jwt_bin_dirs": list_of(COPIED_PATH, 20),
                **dict.fromkeys(inventory_values.SERVICE_VARIABLES.values(), COPIED_UNIT),
            },
        ),
        "problems": list_of(PROBLEM, 500),
    }
)

_ANY = INFO.members.always
OF_A_NODE = observation(
    {name: _ANY[name] for name in node.ALWAYS}, {name: shape for name, shape in _ANY.items() if name not in node.ALWAYS}
)
"""The observation of a node with minimal=true, which leaves out what is empty."""


def complete(observed: Mapping[str, Any]) -> Mapping[str, Any]:
    """An observation with the members that minimal=true leaves out."""
    is_of_node = observed.get("components") == ["node"] and not observed.get("failed")
    return {**node.EMPTY, **observed} if is_of_node else observed
