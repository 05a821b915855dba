# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A script in the place of systemctl, which keeps the state of units in a file and logs its calls."""

from __future__ import annotations

SYSTEMCTL = r"""#!%(python)s -IS
import json, pathlib, sys
here = pathlib.Path(%(here)r)
state = json.loads((here / "state").read_text())
verb, units = sys.argv[1], sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else []
with open(here / "calls", "a") as log:
    print(" ".join([verb, *units]), file=log)
for unit in units:
    mine = state.setdefault(unit, {"ActiveState": "inactive", "UnitFileState": ""})
    if verb == "show":
        print("\n".join(["Id=" + unit, *(f"{name}={value}" for name, value in mine.items()), ""]))
    elif verb == "enable":
        mine["UnitFileState"] = "enabled"
        wants = here / "units" / "timers.target.wants"
        wants.mkdir(exist_ok=True)
        (wants / unit).exists() or (wants / unit).symlink_to(here / "units" / unit)
    elif verb in ("restart", "stop"):
        mine["ActiveState"] = {"restart": "active", "stop": "inactive"}[verb]
(here / "state").write_text(json.dumps(state))
"""
