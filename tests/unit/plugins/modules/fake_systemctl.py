# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A script in the place of systemctl, which keeps the state of units in a file and logs its calls."""

from __future__ import annotations

import os
import pathlib
import sys
from types import ModuleType
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.paths import TimerPaths
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import run

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


class TimerHost:
    """A host below a folder, on which the module of a timer runs."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        for name in ("bin", "units"):
            (folder / name).mkdir()
        systemctl = folder / "bin" / "systemctl"
        systemctl.write_text(SYSTEMCTL % {"python": sys.executable, "here": str(folder)})
        systemctl.chmod(0o755)
        (folder / "state").write_text("{}")

    def run_module(
        self, module: ModuleType, timers: ModuleType, unit: str, params: dict[str, Any], check: bool
    ) -> dict[str, Any]:
        """TIMERS has the paths at which the module works, and UNIT is in the names of its units."""
        (self.folder / "calls").write_text("")
        names = ("lib", "etc", "var", "units", "stamps")
        paths = TimerPaths(unit, *(str(self.folder / name) for name in names))

        def prepare() -> None:
            os.environ["PATH"] = f"{self.folder}/bin:{os.environ['PATH']}"
            timers.PATHS = paths  # type: ignore[attr-defined]

        return run(module, params, check, True, prepare)

    @property
    def calls(self) -> list[str]:
        return [line for line in (self.folder / "calls").read_text().splitlines() if not line.startswith("show")]

    @property
    def files(self) -> set[str]:
        found = [path for path in self.folder.rglob("*") if path.is_file() and path.parent.name != "bin"]
        return {str(path.relative_to(self.folder)) for path in found if path.name not in ("state", "calls")}
