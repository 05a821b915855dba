# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether variables of a role have the documented types. Private to this collection.

Ansible checks that only when a role begins. For all roles but the first, that is after the first change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

Spec = Mapping[str, Mapping[str, Any]]


def wrong(spec: Spec, names: Mapping[str, Any], value: Callable[[str], Any]) -> list[str]:
    """The errors that Ansible would report when a role begins; ``spec`` are the options of the role.

    ``names`` are the variables of the host; ``value`` evaluates one of them, or raises what Ansible raises if that is
    not possible yet.
    """
    sentences = []
    for name in sorted(set(spec) & set(names)):
        try:
            given = value(name)
        except Exception:  # pylint: disable=broad-except
            # It depends on later results of the play, or on a default of the role.
            continue
        # None unsets a variable of the inventory.
        if given is None or not isinstance(given, (str, int, float, bool, list, dict)):
            continue
        errors = ArgumentSpecValidator({name: dict(spec[name])}).validate({name: given}).errors
        # One is enough: the others follow from the first.
        for error in errors[:1]:
            sentences.append(f"{name}: {'unknown: ' if isinstance(error, UnsupportedError) else ''}{error}")
    return sentences
