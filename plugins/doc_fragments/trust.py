# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What filters that plan are told of the tokens that a site wants to count."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  jwks_sources:
    description: The sources of the keys that are trusted; empty for none, null where the site says nothing of it.
    type: list
    elements: dict
  hs256:
    description: Whether HS256 tokens count, null where the site says nothing of it.
    type: bool
  rs256_key_path:
    description: The path of the site's own RSA key on the primary controller.
    type: str
    default: ""
  signing:
    description: Which algorithm signs tokens of services and of the proof; empty for HS256 where that counts.
    type: str
    choices: ["", HS256, RS256]
    default: ""
"""
