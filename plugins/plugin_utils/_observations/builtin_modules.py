# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations of the modules of ansible.builtin that roles use. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.observation import Observation, observation
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import (
    Members,
    Shape,
    either,
    flag,
    lines,
    list_of,
    maybe,
    number,
    whole,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.values import (
    CHECKSUM,
    ID,
    IDENTIFIER,
    LINE,
    MODE,
    NAME,
    PATH,
    TEXT,
)


def _builtin(optional: Mapping[str, Shape], seconds: int = 60) -> Observation:
    return observation({}, optional, seconds, names_dropped=False)


_COMMAND: Mapping[str, Shape] = {"stdout": lines(), "stderr": lines(), "stdout_lines": list_of(TEXT, 10_000)}
_WRITTEN: Mapping[str, Shape] = {"dest": LINE, "checksum": maybe(CHECKSUM), "backup_file": PATH, **_COMMAND}

BUILTINS: Mapping[str, Observation] = {
    "command": _builtin(_COMMAND, 120),
    "copy": _builtin(_WRITTEN),
    "file": _builtin({"dest": LINE}),
    "package": _builtin(_COMMAND, 900),
    "stat": _builtin(
        {
            "stat": Members(
                {"exists": flag},
                {
                    **dict.fromkeys(("isdir", "isreg", "issock"), flag),
                    **{"pw_name": NAME, "gr_name": NAME, "mode": MODE, "checksum": CHECKSUM},
                },
            )
        }
    ),
    "systemd_service": _builtin({"status": Members({}, {"ActiveState": IDENTIFIER})}, 180),
    "template": _builtin(_WRITTEN),
    "uri": _builtin({"status": whole(-1, 999)}, 120),
    # The module returns the group as a number.
    "user": _builtin({"name": NAME, "uid": ID, "group": maybe(either(ID, NAME))}, 120),
    "wait_for": _builtin({"elapsed": number()}, 400),
}
