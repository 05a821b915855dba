# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out which release of Slurm a host has. Private to this collection."""

from __future__ import annotations

from typing import Iterator

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import problems
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import Host
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths, releases


def inspect(host: Host) -> None:
    """Ask one program after the other for its release, until one answers."""
    complaint = ""
    for program in _programs(host):
        rc, out, err = host.run([program, "-V"], host.conf_for(program))
        host.release = releases.of_program(rc, out)
        if host.release is not None:
            host.program = program
            return
        host.program, complaint = host.program or program, complaint or out + err
    if host.program:
        host.problems += problems.no_release(host.components[0], host.program, complaint)
    elif not _is_expected(host):
        names = [install_paths.DAEMON_OF[component] for component in host.components] + ["scontrol"]
        elsewhere = install_paths.find_elsewhere(names)
        host.problems += problems.no_slurm(host.components, names, host.options.bin_dirs, elsewhere)


def _programs(host: Host) -> Iterator[str]:
    """The programs to ask, best first."""
    yield from install_paths.find_programs(install_paths.release_programs(host.components), host.options.bin_dirs)
    # A client command needs a valid slurm.conf, and waits a minute if it is missing.
    if host.conf_is_sound():
        yield from install_paths.find_programs(["scontrol"], host.options.bin_dirs)


def _is_expected(host: Host) -> bool:
    """Whether the reason for finding no program is known, or another problem reports it."""
    # The rollout may install slurmrestd, and no other daemon.
    if host.components == ["slurmrestd"] or install_paths.find_program("scontrol", host.options.bin_dirs):
        return True
    return any(setting.variable == "slurm_jwt_bin_dirs" for setting in host.undeclared)


def capabilities(host: Host) -> dict[str, object]:
    """The results "capabilities" and "rest_versions"."""
    return {
        "capabilities": releases.capabilities(host.release) if host.release else {},
        "rest_versions": releases.rest_versions(host.release) if host.release else [],
    }
