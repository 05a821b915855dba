# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The creation time of the signing key for Prometheus. Private to this collection.

A time, not an age, so that the file stays right without being written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import parse_time
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.runtime import gauge

CREATED = "slurm_jwt_key_created_timestamp_seconds"


def metrics(variables: Mapping[str, Any]) -> str:
    """The metric of the key that the inspection of a host found, empty if it found none."""
    for name in ("slurm_jwt_observation", "slurm_jwt_tokens_controller"):
        key = (variables.get(name) or {}).get("key") or {}
        if key.get("created") and key.get("fingerprint"):
            labels = {"file": key["path"], "fingerprint": key["fingerprint"]}
            return gauge(CREATED, "When the key was made that signs tokens.", labels, parse_time(key["created"]))
    return ""
