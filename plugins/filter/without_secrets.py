# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: without_secrets
short_description: A result without the keys and tokens in it
version_added: 1.0.0
description:
  - Puts null in the place of every C(content) and C(token), and leaves out the tokens of a proof, so that a key or a
    token does not stay among a host's variables after the step that needs it.
options:
  _input:
    description: The registered result of a module of this collection.
    type: dict
    required: true
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Forget the key
  ansible.builtin.set_fact:
    slurm_jwt_key_read: "{{ slurm_jwt_key_read | hpc.slurm_jwt.without_secrets }}"
"""

RETURN = r"""
_value:
  description: The same result.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters

_SECRETS = ("content", "token")


def without_secrets(result: Any) -> Any:
    """The result, in the same shape."""
    if isinstance(result, Mapping):
        found = {str(name): None if name in _SECRETS else without_secrets(value) for name, value in result.items()}
        # Of a proof: token by case.
        if isinstance(found.get("tokens"), Mapping):
            del found["tokens"]
        return found
    if isinstance(result, (list, tuple)):
        return [without_secrets(each) for each in result]
    return result


class FilterModule:
    """The filter without_secrets."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(without_secrets=without_secrets)
