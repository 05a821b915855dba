# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signing key for Prometheus: which one it is, and when it was made. Private to this collection.

It gives a time, not an age, so the file stays correct without a rewrite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import parse_time
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.runtime import gauge

# Results of the module slurm_jwt_key, the latest first.
_RS256 = (
    "slurm_jwt_local_key_ended",
    "slurm_jwt_local_key_active",
    "slurm_jwt_local_key_made",
    "slurm_jwt_local_key",
)
_HS256 = ("slurm_jwt_unstaged_on_primary", "slurm_jwt_key_at_target", "slurm_jwt_key_at_source")
_OBSERVATIONS = ("slurm_jwt_observation", "slurm_jwt_tokens_controller")


def metrics(variables: Mapping[str, Any], algorithm: str = "HS256") -> str:
    """The metrics of the key that signs with this algorithm; empty if this run has not seen it on this host."""
    for path, key in _keys(variables, algorithm):
        if key.get("created") and key.get("fingerprint"):
            file = {"file": path}
            return gauge(
                "key_info",
                "Which key signs tokens.",
                {**file, "algorithm": algorithm, "fingerprint": key["fingerprint"]},
                1,
            ) + gauge(
                "key_created_timestamp_seconds", "When the key was made that signs tokens.", file,
                parse_time(key["created"]),
            )  # fmt: skip
    return ""


def _keys(variables: Mapping[str, Any], algorithm: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What is known of the key and its path, the latest first."""
    for name in _RS256 if algorithm == "RS256" else _HS256:
        result = variables.get(name) or {}
        yield result.get("key_path", ""), result
    if algorithm == "HS256":
        for name in _OBSERVATIONS:
            key = (variables.get(name) or {}).get("key") or {}
            yield key.get("path", ""), key
