# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a compute or login host of a Slurm cluster, once, and changes nothing. Private to this collection.

Nodes are many, so this is all that they run: one ``slurmd -V`` and a few files. What the hosts of daemons have beside
that is in _daemon_host.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Iterator, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import auth_alt
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf, ConfError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import distribution, facts, problems
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths, processes, releases

if TYPE_CHECKING:
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import undeclared, whereabouts

COMPONENTS = ("slurmctld", "slurmdbd", "slurmrestd", "node")
CONFIGLESS_CONF = "/run/slurm/conf/slurm.conf"
ETC_ENVIRONMENT = "/etc/environment"

# Runs a command with SLURM_CONF set to the path that is given beside it.
Run = Callable[["list[str]", str], "tuple[int, str, str]"]


class Options(NamedTuple):
    """What the module was told; see its documentation."""

    components: list[str] | None = None
    conf_path: str = "/etc/slurm/slurm.conf"
    dbd_conf_path: str = "/etc/slurm/slurmdbd.conf"
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


class Host:
    """One look at a node. Whatever only other hosts have is None here."""

    def __init__(self, options: Options, run: Run) -> None:
        self.options = options
        self.run = run
        self.now = time.time()
        self.components = list(options.components or ())
        self.problems: list[problems.Problem] = []
        self.release: releases.Release | None = None
        self.program: str | None = None
        self.slurm: facts.ConfFile | None = None
        self.slurmdbd: facts.ConfFile | None = None
        self.configless = False
        self.undeclared: list[undeclared.UndeclaredSetting] = []
        self.running: dict[str, processes.Process | None] = {}

    def report(self) -> dict[str, Any]:
        """All that slurm_jwt_info returns."""
        self._see_environment()
        self._see_whereabouts()
        slurm_conf, dbd_conf = self._see_slurm_conf(), self._see_dbd_conf()
        self._see_release()
        slurm_user, key_path = self._see_slurm_user(), self._key_path()
        differences, wanted = self._differences(key_path)
        found = {
            "now": self.now,
            "hostname": os.uname().nodename,
            "os_family": distribution.family_of_host(),
            "components": self.components,
            "program": self.program,
            "release": str(self.release) if self.release else None,
            "capabilities": releases.capabilities(self.release) if self.release else {},
            "rest_versions": releases.rest_versions(self.release) if self.release else [],
            "conf": slurm_conf,
            "dbd_conf": dbd_conf,
            "slurm_user": slurm_user,
            "key_path": key_path,
            "key": self._key(key_path),
            "jwks": self._jwks(),
            "state_dir": self._state_dir(),
            "plugins": self._plugins(),
            "python": self._python(),
            "daemons": self._daemons(),
            "differences": differences,
            "wanted": wanted,
            "undeclared": {setting.variable: setting.value for setting in self.undeclared},
        }
        self._see_room(found)
        found["problems"] = [problem._asdict() for problem in problems.in_order(self._worth_telling())]
        return found

    def _worth_telling(self) -> list[problems.Problem]:
        """Where there is no Slurm at all, everything else that is missing follows from that."""
        missing = [problem for problem in self.problems if problem.code == "slurm_missing"]
        return missing or self.problems

    # What only hosts of daemons have

    def _see_dbd_conf(self) -> dict[str, Any] | None:
        return None

    def _see_slurm_user(self) -> dict[str, Any] | None:
        return None

    def _jwks_path(self) -> str | None:
        return self.options.jwks_path

    def _jwks(self) -> dict[str, Any] | None:
        return None

    def _state_dir(self) -> dict[str, Any] | None:
        return None

    def _plugins(self) -> dict[str, Any] | None:
        return None

    # Where Slurm is

    def _see_whereabouts(self) -> None:
        """Go on with the files and programs of the daemons that run, where they are not those that were named."""
        if self._is_where_it_was_said():
            return
        # Not imported where all is in its place, as on most nodes.
        from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import undeclared

        daemons = [self._daemon_of(component) for component in self.components]
        told, folders = self.options, self.options.bin_dirs
        found = [
            undeclared.programs(daemons, folders),
            undeclared.slurm_conf(daemons, told.conf_path),
            undeclared.slurmdbd_conf(daemons, told.dbd_conf_path),
            undeclared.slurmrestd(daemons, told.slurmrestd_binary, folders),
        ]
        self.undeclared += [setting for setting in found if setting is not None]
        self.problems += [setting.problem for setting in self.undeclared]
        usable = {setting.variable: setting.value for setting in self.undeclared if setting.usable}
        self.options = told._replace(
            bin_dirs=[*usable.get("slurm_jwt_bin_dirs", ()), *folders],
            conf_path=str(usable.get("slurm_jwt_conf_path", told.conf_path)),
            dbd_conf_path=str(usable.get("slurm_jwt_dbd_conf_path", told.dbd_conf_path)),
        )

    def _is_told(self, variable: str) -> bool:
        """Whether the site has to set a variable, from which all that is missing here may follow."""
        return any(setting.variable == variable for setting in self.undeclared)

    def _is_where_it_was_said(self) -> bool:
        pid = processes.main_pid(self.options.services.get("slurmd", "slurmd"), "slurmd")
        self.running["slurmd"] = process = processes.look(pid) if pid else None
        if not self._is_in_place():
            return False
        if process is None:
            return True
        at = install_paths.find_program("slurmd", self.options.bin_dirs)
        if at is None or os.path.realpath(at) != process.program:
            return False
        return process.conf is None or os.path.realpath(process.conf) == os.path.realpath(self.options.conf_path)

    def _is_in_place(self) -> bool:
        has_conf = os.path.exists(self.options.conf_path) or os.path.exists(CONFIGLESS_CONF)
        return has_conf and bool(install_paths.find_programs(["slurmd", "scontrol"], self.options.bin_dirs))

    def _daemon_of(self, component: str) -> whereabouts.SeenDaemon:
        """slurmd, or what is there of its host's Slurm."""
        from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import whereabouts

        service = self.options.services.get("slurmd", "slurmd")
        process = self.running.get("slurmd")
        if process is None and not self._is_in_place():
            pid, service = next(whereabouts.running("slurmd"), (0, service))
            self.running["slurmd"] = process = processes.look(pid) if pid else None
        found = whereabouts.look(component, service, process=process)
        if found.program is None and not self._is_in_place():
            # A login host has clients only.
            found = found._replace(program=install_paths.find_elsewhere([found.name, "scontrol"]))
        return found

    # Slurm itself

    def _see_release(self) -> None:
        complaint = ""
        for program in self._tellers():
            rc, out, err = self.run([program, "-V"], self.conf_for(program))
            self.release = releases.of_program(rc, out)
            if self.release is not None:
                self.program = program
                return
            self.program, complaint = self.program or program, complaint or out + err
        if self.program:
            self.problems += problems.no_release(self.components[0], self.program, complaint)
        elif not (install_paths.find_program("scontrol", self.options.bin_dirs) or self._is_told("slurm_jwt_bin_dirs")):
            self._no_program()

    def _tellers(self) -> Iterator[str]:
        """The programs to ask for the release, the best first."""
        yield from install_paths.find_programs(install_paths.release_programs(self.components), self.options.bin_dirs)
        # A client command wants a slurm.conf without a mistake, and waits a minute for one that is missing.
        if self.conf_is_sound():
            yield from install_paths.find_programs(["scontrol"], self.options.bin_dirs)

    def conf_is_sound(self) -> bool:
        return self.slurm is not None and not any(
            problem.severity == problems.ERROR for problem in self.slurm.conf.problems()
        )

    def conf_for(self, program: str) -> str:
        """The slurm.conf to name to a program; slurmdbd looks for its own file beside it."""
        if os.path.basename(program) == "slurmdbd":
            return os.path.join(os.path.dirname(self.options.dbd_conf_path), "slurm.conf")
        return CONFIGLESS_CONF if self.configless else self.options.conf_path

    def _no_program(self) -> None:
        names = [install_paths.DAEMON_OF[component] for component in self.components] + ["scontrol"]
        elsewhere = install_paths.find_elsewhere(names)
        self.problems += problems.no_slurm(self.components, names, self.options.bin_dirs, elsewhere)

    def _see_environment(self) -> None:
        if processes.sets_slurm_jwt(ETC_ENVIRONMENT):
            self.problems += problems.slurm_jwt_for_all(self.components[0], ETC_ENVIRONMENT)
        elif "SLURM_JWT" in os.environ:
            self.problems += problems.slurm_jwt_for_all(self.components[0], None)
        # The commands that follow are to be those of root under munge.
        os.environ.pop("SLURM_JWT", None)

    def _python(self) -> dict[str, Any]:
        version = ".".join(map(str, sys.version_info[:3]))
        return {
            "executable": sys.executable,
            "version": version,
            "pyjwt": None,
            "cryptography": None,
            "served": None,
            "distributions": None,
            "unavailable": [],
        }

    # slurm.conf

    def _see_slurm_conf(self) -> dict[str, Any] | None:
        components = [component for component in self.components if component != "slurmdbd"]
        path = self.options.conf_path
        if not os.path.exists(path):
            # slurmdbd's host may have one, for sacctmgr, and need not.
            if not components:
                return None
            if "node" in components and os.path.exists(CONFIGLESS_CONF):
                path, self.configless = CONFIGLESS_CONF, True
        component = (components or self.components)[0]
        place = paths.look(path)
        if place.kind == "missing":
            self.problems += problems.conf_missing(component, path)
            return {"path": path, "exists": False, "configless": False}
        self.slurm = self._load(component, path, "slurm")
        if self.slurm is None:
            return {"path": path, "exists": True, "configless": self.configless}
        self.problems += problems.slurm_conf_mode(component, path, place)
        return {**facts.slurm_conf(self.slurm), "configless": self.configless}

    def _load(self, component: str, path: str, kind: str) -> facts.ConfFile | None:
        try:
            return facts.load(path, kind)
        except (ConfError, OSError) as error:
            self.problems += problems.conf_broken(component, path, str(error))
            return None

    def _key_path(self) -> str | None:
        """Where this host's key is, or is to be."""
        if self.options.key_path:
            return self.options.key_path
        # A controller's own file is the first to ask, slurmdbd's the first on a host without a controller.
        files = [self.slurm, self.slurmdbd] if "slurmctld" in self.components else [self.slurmdbd, self.slurm]
        for file in files:
            if file and file.jwt.parameters.get("jwt_key"):
                return file.jwt.parameters["jwt_key"]
        return facts.default_key(self.slurm.conf) if self.slurm else None

    def _differences(self, key_path: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """What would change in each file, and the parameters to declare; the files' problems are noted on the way."""
        differences: dict[str, Any] = {"slurm_conf": [], "slurmdbd_conf": []}
        wanted: dict[str, Any] = {"slurm_conf": None, "slurmdbd_conf": None}
        for file in (self.slurm, self.slurmdbd):
            if file is None:
                continue
            before = after = self._judge(file)
            if self.options.declared is not None:
                declared = auth_alt.declare(self.options.declared, key_path, self._jwks_path())
                if file is self.slurmdbd:
                    declared = auth_alt.for_slurmdbd(declared)
                name = f"{file.kind}_conf"
                # In the words of slurm_conf, where a flag is true.
                parameters = {option: True if value is None else value for option, value in declared.parameters.items()}
                wanted[name] = {"parameters": parameters, "parameters_absent": declared.parameters_absent}
                edited = file.conf
                try:
                    edited, differences[name] = self._apply(file, declared)
                except ConfError as error:
                    # What is wrong with the file may be known by its line already.
                    if not any(problem.severity == problems.ERROR for problem in before):
                        self.problems += problems.conf_broken(self._component_of(file), file.conf.paths[0], str(error))
                after = self._judge(file._replace(conf=edited)) if differences[name] else before
            self.problems += problems.without_mended(before, after)
        return differences, wanted

    def _apply(
        self, file: facts.ConfFile, declared: auth_alt.DeclaredAuthAlt
    ) -> tuple[Conf, list[dict[str, str | None]]]:
        component = self._component_of(file)
        if self.release is not None:
            needed = auth_alt.needed(declared)
            if component not in ("slurmctld", "slurmdbd"):
                # Nodes and slurmrestd load no key: all they need is to know the parameters' names.
                needed = [name for name in needed if name == "auth_jwt"]
            self.problems += problems.lacking(component, self.release, needed)
        if self.configless and file is self.slurm:
            return file.conf, []
        return auth_alt.apply(file.conf, declared)

    def _component_of(self, file: facts.ConfFile) -> str:
        if file is self.slurmdbd:
            return "slurmdbd"
        return next((component for component in self.components if component != "slurmdbd"), self.components[0])

    def _judge(self, file: facts.ConfFile) -> list[problems.Problem]:
        component, conf = self._component_of(file), file.conf
        found = problems.conf_lines(component, conf) + problems.auth_type(component, conf)
        if self.release is None:
            return found
        found += problems.alt_types(component, conf, self.release)
        found += problems.alt_parameters(component, conf, file.jwt.parameters, self.release)
        return found + problems.http_auth(component, conf, self.release)

    # Key, daemon, room

    def _key(self, path: str | None) -> dict[str, Any] | None:
        if path is not None and os.path.exists(path):
            self.problems += problems.key_out_of_place(self.components[0], path)
        return None

    def _daemons(self) -> dict[str, Any]:
        service = self.options.services.get("slurmd", "slurmd")
        conf = self.slurm.conf if self.slurm else None
        process = self.running.get("slurmd")
        if process is None:
            pid_file = (conf.value("SlurmdPidFile") if conf else None) or "/var/run/slurmd.pid"
            pid = processes.main_pid(service, "slurmd", (pid_file,))
            process = processes.look(pid) if pid else None
        files = [path for path in processes.usual_environment_files("slurmd") if processes.sets_slurm_jwt(path)]
        self.problems += problems.environment("slurmd", service, process, False, files)
        if not self.configless:
            self.problems += problems.conf_elsewhere("node", self.options.conf_path, process)
        return {"slurmd": facts.daemon(service, None, process)}

    def _see_room(self, found: dict[str, Any]) -> None:
        """Where something is to be written, it must be possible."""
        edited = [change["path"] for name in ("slurm_conf", "slurmdbd_conf") for change in found["differences"][name]]
        for path in dict.fromkeys(edited):
            obstacle = paths.obstacle(os.path.dirname(os.path.realpath(path)))
            if obstacle:
                self.problems += problems.conf_not_writable(self.components[0], path, obstacle)
        for folder, component in self._places_to_write(found).items():
            obstacle = paths.obstacle(folder)
            if obstacle:
                self.problems += problems.full(component, obstacle)

    def _places_to_write(self, dummy_found: dict[str, Any]) -> dict[str, str]:
        """Folders beside those of configuration files, and the component that needs each."""
        return {}
