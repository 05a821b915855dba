# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspects the systemd units of Slurm's daemons. Private to this collection."""

from __future__ import annotations

import os

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import located_daemon, undeclared
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import COMPONENTS, Host
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths, processes, units


def inspect(host: Host) -> None:
    """Ask systemd once about all units. If the components are not declared, they follow from the units in use."""
    asked = [component for component in COMPONENTS[:3] if component in (host.components or COMPONENTS)]
    if not host.components:
        asked.append("slurmd")
    host.units = _show(host, asked)
    if not host.components:
        used = [component for component, unit in host.units.items() if unit.in_use]
        host.components = [component for component in COMPONENTS[:3] if component in used]
        if "slurmd" in used or not host.components:
            host.components.append("node")


def daemon(host: Host, component: str) -> located_daemon.LocatedDaemon:
    """A daemon from its declared unit, or from the unit that it runs in instead."""
    unit = host.units.get(component, units.NO_UNIT)
    if not unit.pid:
        declared = host.service(component)
        service = next((service for dummy_pid, service in located_daemon.running(component)), None)
        if service and units.unit_name(service) != units.unit_name(declared):
            host.undeclared.append(undeclared.service(component, declared, service))
            host.options = host.options._replace(services={**host.options.services, component: service})
            host.units.update(_show(host, [component]))
            unit = host.units.get(component, units.NO_UNIT)
    host.running[component] = process = processes.inspect(unit.pid) if unit.pid else None
    found = located_daemon.locate(component, host.service(component), unit, process)
    if found.program is None or not os.path.exists(found.program):
        installed = install_paths.find_program(component, host.options.bin_dirs)
        found = found._replace(program=None if installed else install_paths.find_elsewhere([component]))
    return found


def _show(host: Host, asked: list[str]) -> dict[str, units.Unit]:
    dummy_rc, out, dummy_err = host.command(units.show([host.service(component) for component in asked]))
    return dict(zip(asked, units.parse(out)))
