# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics that the collection writes, by the code that writes them."""

from __future__ import annotations

import pathlib
import re

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import format_time
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import jwks_refresh, token_refresh
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports import key_metrics
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils._timers.timer_settings import JWKS

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = ROOT / "roles/slurm_jwt_tokens/files"
FINGERPRINT = "SHA256:" + 64 * "a"

TOKEN = token_refresh.TokenTimerSettings(
    name='we"b',
    user="alice",
    dest="/etc/web",
    format="raw",
    lifespan=3600,
    min_remaining=1800,
    interval=300,
    owner=None,
    group=None,
    mode="0400",
    restarts=[],
    reloads=[],
    beside=[],
    record="/record",
    metrics=None,
    bin_dir=None,
    conf_path=None,
    systemctl="systemctl",
)


def token_metrics(now: int = 1000, name: str = 'we"b', expires: int | None = 5000, result: str = "kept") -> str:
    record = token_refresh.TokenTimerRecord(now, result, "", expires, now - 100, -7)
    return token_refresh.metrics(TOKEN._replace(name=name), record)


def jwks_metrics(now: int = 1000) -> str:
    record = jwks_refresh.JwksTimerRecord(now, "kept", "", now - 100, now - 200, ["a"], None, FINGERPRINT)
    return jwks_refresh.metrics(JWKS, record)


def signing_key_metrics(created: int = 1795420800) -> str:
    key = {"path": "/key", "fingerprint": FINGERPRINT, "created": format_time(created)}
    return key_metrics.metrics({"slurm_jwt_observation": {"key": key}})


def written() -> str:
    """One of each metric."""
    return token_metrics() + jwks_metrics() + signing_key_metrics()


def names(text: str) -> set[str]:
    """The names of the metrics in a text that Prometheus reads."""
    return set(re.findall(r"^(\w+)[{ ]", text, re.MULTILINE))
