# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks text from a host as unsafe, so Ansible never evaluates it as a template. Private to this collection.

Before ansible-core 2.19 text is a template unless it is marked, and an f-string or a concatenation loses the mark. So
filters() marks what each filter of this collection returns. Since 2.19 only text marked as trusted is a template.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.release import __version__

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.declarations import DeclarationError

_TRUST_IS_EXPLICIT = tuple(map(int, __version__.split(".")[:2])) >= (2, 19)


def mark_unsafe(value: Any) -> Any:
    """The same value, in which Ansible takes no text for a template."""
    if _TRUST_IS_EXPLICIT:
        # Ansible marks what it reads from the inventory, and nothing else.
        return value
    from ansible.utils.unsafe_proxy import wrap_var  # pylint: disable=import-outside-toplevel

    return wrap_var(value)


def filters(**functions: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Filters by name, as Ansible needs them. Their results are marked; invalid declarations become filter errors."""
    return {name: _marking(function) for name, function in functions.items()}


def _marking(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def marked(*positional: Any, **named: Any) -> Any:
        try:
            return mark_unsafe(function(*positional, **named))
        except DeclarationError as error:
            raise AnsibleFilterError(str(error)) from error

    return marked
