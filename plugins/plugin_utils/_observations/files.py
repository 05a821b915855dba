# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations of the modules that write configuration files, keys and key sets. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.observation import OF_A_PATH, observation
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import (
    Members,
    Shape,
    flag,
    list_of,
    map_of,
    maybe,
    number,
    one_of,
    whole,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.values import (
    BASE64,
    FINGERPRINT,
    IDENTIFIER,
    JWK,
    KID,
    LINE,
    PATH,
    TEXT,
    TIME,
)

_FILE: Mapping[str, Shape] = {name: OF_A_PATH[name] for name in ("owner", "group", "mode", "uid", "gid", "state")}
CONF = observation(
    {
        "path": PATH,
        "files": list_of(LINE),
        "changed_files": list_of(LINE),
        "backup_files": map_of(LINE, LINE),
        "pruned_backups": list_of(LINE),
        "before": map_of(IDENTIFIER, maybe(TEXT)),
        "effective": map_of(IDENTIFIER, maybe(TEXT)),
        "problems": list_of(
            Members(
                {
                    "severity": one_of("error", "warning"),
                    "path": TEXT,
                    "line": maybe(whole()),
                    "found": TEXT,
                    "effect": TEXT,
                    "remedy": TEXT,
                }
            )
        ),
    }
)
KEY = observation(
    {
        **_FILE,
        "key_path": PATH,
        "algorithm": one_of("HS256", "RS256"),
        "size": maybe(whole()),
        "fingerprint": maybe(FINGERPRINT),
        "previous_fingerprint": maybe(FINGERPRINT),
        "differs": flag,
        "next_fingerprint": maybe(FINGERPRINT),
        "next_created": maybe(TIME),
        "public_jwk": maybe(JWK),
        "next_public_jwk": maybe(JWK),
        "next_serial": maybe(LINE),
        "next_by": maybe(LINE),
        "next_run": maybe(LINE),
        "next_run_age": maybe(whole()),
        "activated": maybe(number()),
        "by": maybe(LINE),
        "reason": maybe(IDENTIFIER),
        "serial": maybe(LINE),
        "created": maybe(TIME),
        "age": maybe(whole()),
        "backup_file": maybe(PATH),
    },
    {"content": maybe(BASE64)},
    seconds=120,
)
JWKS = observation(
    {
        **_FILE,
        "jwks_path": PATH,
        "content_changed": flag,
        "differs": flag,
        "backup_files": map_of(LINE, LINE),
        "kids": list_of(KID),
        "added": list_of(KID),
        "kept": list_of(KID),
        "retired": list_of(Members({"kid": KID, "until": TIME})),
        "removed": list_of(Members({"kid": KID, "reason": TEXT})),
        "dropped": list_of(Members({"source": TEXT, "kid": TEXT, "reason": TEXT}), 10_000),
        "failed_sources": list_of(Members({"source": TEXT, "reason": TEXT})),
        "distrusts": flag,
        "next_change": maybe(TIME),
        "jwks": maybe(Members({"keys": list_of(JWK)})),
        "size": maybe(whole()),
        "fingerprint": maybe(FINGERPRINT),
        "previous_fingerprint": maybe(FINGERPRINT),
    },
    seconds=300,
)

METRICS = observation({"exists": flag})
