# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host under inspection: its options, and what is known about it so far. Private to this collection."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import problems
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.conf_paths import SLURM_CONF, SLURMDBD_CONF

if TYPE_CHECKING:
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import User
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.facts import ConfFile
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.undeclared import UndeclaredSetting
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.processes import Process
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.units import Unit

COMPONENTS = ("slurmctld", "slurmdbd", "slurmrestd", "node")

Run = Callable[["list[str]", str], "tuple[int, str, str]"]
"""Runs a command; the second argument is the value of SLURM_CONF."""


class Options(NamedTuple):
    """The options of slurm_jwt_info; see its documentation."""

    components: list[str] | None = None
    conf_path: str = SLURM_CONF
    dbd_conf_path: str = SLURMDBD_CONF
    key_path: str | None = None
    jwks_path: str | None = None
    declared: dict[str, Any] | None = None
    services: dict[str, str] = {}
    slurmrestd_listen: list[str] = []
    slurmrestd_user: str = ""
    slurmrestd_group: str = ""
    bin_dirs: list[str] = []
    plugin_dir: str | None = None
    slurmrestd_binary: str | None = None
    minimal: bool = False
    clusters: bool = False
    proxy: dict[str, Any] | None = None


class Host:
    """Collects what the inspections find. Later inspections use the results of earlier ones."""

    def __init__(self, options: Options, run: Run) -> None:
        self.options = options
        self.run = run
        self.now = time.time()
        self.components = list(options.components or ())
        self.problems: list[problems.Problem] = []
        self.release: Release | None = None
        self.program: str | None = None
        """The program that reported the release; if none did, the first one that was asked."""
        self.slurm: ConfFile | None = None
        self.slurmdbd: ConfFile | None = None
        self.configless = False
        self.user: User | None = None
        """SlurmUser."""
        self.undeclared: list[UndeclaredSetting] = []
        self.units: dict[str, Unit] = {}
        self.running: dict[str, Process | None] = {}
        self.uninstalled: set[str] = set()
        """The daemons whose package is missing."""
        self.missing: dict[str, list[str]] = {}
        """Daemon -> what its configuration needs, is missing, and a rollout provides."""

    def command(self, argv: list[str]) -> tuple[int, str, str]:
        """Run a command that does not depend on slurm.conf."""
        return self.run(argv, self.options.conf_path)

    def service(self, daemon: str) -> str:
        """The unit of a daemon, without .service."""
        return self.options.services.get(daemon, daemon)

    def conf_is_sound(self) -> bool:
        """Whether Slurm's clients can read slurm.conf."""
        return self.slurm is not None and not any(
            problem.severity == problems.ERROR for problem in self.slurm.conf.problems()
        )

    def conf_for(self, program: str) -> str:
        """The value of SLURM_CONF for a Slurm program. slurmdbd looks for slurmdbd.conf beside it."""
        if os.path.basename(program) == "slurmdbd":
            return os.path.join(os.path.dirname(self.options.dbd_conf_path), "slurm.conf")
        return install_paths.CONFIGLESS_CONF if self.configless else self.options.conf_path

    def component_of(self, file: ConfFile) -> str:
        """The component to name for a problem of a configuration file."""
        if file.kind == "slurmdbd":
            return "slurmdbd"
        return next((component for component in self.components if component != "slurmdbd"), self.components[0])

    def key_hosts(self) -> list[tuple[str, ConfFile]]:
        """The daemons of this host that load keys, each with the file that names its key."""
        files = (("slurmctld", self.slurm), ("slurmdbd", self.slurmdbd))
        return [(component, file) for component, file in files if component in self.components and file is not None]

    def declared_parameters(self) -> dict[str, Any]:
        """The AuthAltParameters that the site declares."""
        return (self.options.declared or {}).get("parameters") or {}

    def note_missing(self, component: str, what: str) -> None:
        """Note what a daemon's configuration needs, is missing, and a rollout provides."""
        if self.options.declared is not None:
            self.missing.setdefault(component, []).append(what)

    def observation(self, **values: Any) -> dict[str, Any]:
        """The result of slurm_jwt_info: VALUES, facts about the host, and its problems; null for the rest."""
        return {
            **dict.fromkeys(("dbd_conf", "slurm_user", "openmetrics", "jwks", "state_dir", "plugins", "clusters")),
            "proxy": None,
            "now": self.now,
            "hostname": os.uname().nodename,
            "components": self.components,
            "program": self.program,
            "release": str(self.release) if self.release else None,
            "undeclared": {setting.variable: setting.value for setting in self.undeclared},
            **values,
            "problems": [problem._asdict() for problem in problems.in_order(self._relevant_problems())],
        }

    def _relevant_problems(self) -> list[problems.Problem]:
        """Only the cause if the host has no Slurm or the user is not root: all other problems follow from it."""
        for code in ("not_root", "slurm_missing"):
            causes = [problem for problem in self.problems if problem.code == code]
            if causes:
                return causes
        return self.problems
