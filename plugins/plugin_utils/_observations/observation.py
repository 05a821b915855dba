# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a result of one module may be, and how long a host may take for it. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import (
    Members,
    Shape,
    either,
    flag,
    json_value,
    lines,
    list_of,
    maybe,
    sentence,
    whole,
    word,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.values import (
    ID,
    IDENTIFIER,
    LINE,
    MODE,
    NAME,
    PATH,
    TEXT,
)

_DIFF = Members(
    {},
    {
        "before": json_value(lines(), most=10_000),
        "after": json_value(lines(), most=10_000),
        "before_header": TEXT,
        "after_header": TEXT,
        "prepared": lines(),
    },
)
STANDARD: Mapping[str, Shape] = {
    "changed": flag,
    # A job in the background has a number here.
    "failed": either(flag, whole(0, 1)),
    "skipped": flag,
    "msg": sentence(16_000),
    "diff": either(_DIFF, list_of(_DIFF)),
    "module_stderr": TEXT,
    "rc": whole(-256, 2**16),
}
# What AnsibleModule adds to a result with a path.
OF_A_PATH: Mapping[str, Shape] = {
    "uid": maybe(ID),
    "gid": maybe(ID),
    "owner": maybe(NAME),
    "group": maybe(NAME),
    "mode": maybe(MODE),
    "state": IDENTIFIER,
    "size": maybe(whole()),
    "secontext": LINE,
}
# What Ansible itself returns about a job in the background.
JOB: Mapping[str, Shape] = {
    "ansible_job_id": word(r"j?[0-9.]+", 64, "the number of a job"),
    "started": either(flag, whole(0, 1)),
    "finished": either(flag, whole(0, 1)),
    "results_file": PATH,
    "erased": PATH,
}


class Observation(NamedTuple):
    """What a result of one module may be."""

    members: Members
    seconds: int
    """How long a host may take. One that takes longer has failed."""
    names_dropped: bool = True
    """Whether undeclared members are named in a warning. Builtin modules have many harmless ones."""


def observation(
    always: Mapping[str, Shape],
    optional: Mapping[str, Shape] | None = None,
    seconds: int = 60,
    names_dropped: bool = True,
) -> Observation:
    members = Members(always, {**STANDARD, **OF_A_PATH, **JOB, **(optional or {})})
    return Observation(members, seconds, names_dropped)
