# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks whether Slurm is where the variables say, and finds it if not. Private to this collection."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import Host
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths, processes

if TYPE_CHECKING:
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.located_daemon import LocatedDaemon


def is_as_declared(host: Host) -> bool:
    """Whether slurmd, or the clients of a login host, are where the options say."""
    pid = processes.main_pid(host.service("slurmd"), "slurmd")
    host.running["slurmd"] = process = processes.inspect(pid) if pid else None
    if not _is_in_place(host):
        return False
    if process is None:
        return True
    path = install_paths.find_program("slurmd", host.options.bin_dirs)
    if path is None or os.path.realpath(path) != process.program:
        return False
    return process.conf is None or os.path.realpath(process.conf) == os.path.realpath(host.options.conf_path)


def _is_in_place(host: Host) -> bool:
    has_conf = os.path.exists(host.options.conf_path) or os.path.exists(install_paths.CONFIGLESS_CONF)
    return has_conf and bool(install_paths.find_programs(["slurmd", "scontrol"], host.options.bin_dirs))


def slurmd(host: Host) -> LocatedDaemon:
    """The running slurmd, or else the Slurm programs that the host has."""
    # Imported here: most nodes do not need it.
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import located_daemon

    service = host.service("slurmd")
    process = host.running.get("slurmd")
    if process is None and not _is_in_place(host):
        pid, service = next(located_daemon.running("slurmd"), (0, service))
        host.running["slurmd"] = process = processes.inspect(pid) if pid else None
    daemon = located_daemon.locate("node", service, process=process)
    if daemon.program is None and not _is_in_place(host):
        # A login host has clients only.
        daemon = daemon._replace(program=install_paths.find_elsewhere([daemon.name, "scontrol"]))
    return daemon


def follow(host: Host, daemons: Sequence[LocatedDaemon]) -> None:
    """Report what the site has to declare, and continue with the files and programs that the daemons use."""
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import undeclared

    options, bin_dirs = host.options, host.options.bin_dirs
    settings = [
        undeclared.programs(daemons, bin_dirs),
        undeclared.slurm_conf(daemons, options.conf_path),
        undeclared.slurmdbd_conf(daemons, options.dbd_conf_path),
        undeclared.slurmrestd(daemons, options.slurmrestd_binary, bin_dirs),
    ]
    host.undeclared += [setting for setting in settings if setting is not None]
    host.problems += [setting.problem for setting in host.undeclared]
    usable = {setting.variable: setting.value for setting in host.undeclared if setting.usable}
    host.options = options._replace(
        bin_dirs=[*usable.get("slurm_jwt_bin_dirs", ()), *bin_dirs],
        conf_path=str(usable.get("slurm_jwt_conf_path", options.conf_path)),
        dbd_conf_path=str(usable.get("slurm_jwt_dbd_conf_path", options.dbd_conf_path)),
    )
