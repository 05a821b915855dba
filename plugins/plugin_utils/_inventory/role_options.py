# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the variables of a role have the types that it documents. Private to this collection.

Ansible asks that when a role begins, which is after the first change for all roles but the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

Spec = Mapping[str, Mapping[str, Any]]


def wrong(spec: Spec, names: Mapping[str, Any], value: Callable[[str], Any]) -> list[str]:
    """What Ansible would say of the variables of one host that are in ``spec``, a role's options, once the role begins.

    ``names`` are the host's variables; ``value`` gives one of them, evaluated, or raises whatever Ansible raises where
    that cannot be done yet.
    """
    told = []
    for name in sorted(set(spec) & set(names)):
        try:
            given = value(name)
        except Exception:  # pylint: disable=broad-except
            # It depends on what the play has still to learn, or on a default of the role, which is asked then.
            continue
        # None is how a variable of the inventory is taken back.
        if given is None or not isinstance(given, (str, int, float, bool, list, dict)):
            continue
        errors = ArgumentSpecValidator({name: dict(spec[name])}).validate({name: given}).errors
        # One is enough: others are said of what came of the first.
        told += [f"{name}: {'unknown: ' if isinstance(error, UnsupportedError) else ''}{error}" for error in errors[:1]]
    return told
