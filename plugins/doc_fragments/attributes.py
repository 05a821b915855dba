# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the attributes of this collection's modules mean. A module says only how far it supports each."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
      - Differences show fingerprints, sizes, owners and modes; a key or a token never appears in one.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled by the module has not changed in a relevant way.
  platform:
    description: Target OS or families that can be operated against.
    platforms: posix
    support: full
"""

    # Use instead of the standard fragment in a module that only looks.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in
      diff mode.
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled by the module has not changed in a relevant way.
    support: full
    details:
      - This action does not modify state.
  platform:
    description: Target OS or families that can be operated against.
    platforms: posix
    support: full
"""

    # Use beside the standard fragment in a module that writes a file, and keeps owner and mode as they are.
    SAFE_WRITES = r"""
options: {}
attributes:
  safe_file_operations:
    description:
      - Writes so that the file is at every instant either the old one or the new one, complete, and never readable
        by anyone whom its final owner and mode would not let read it.
      - A destination or parent folder that is a symbolic link in a place where an unprivileged user can write is
        refused. So is a folder that others than its owner and root can write, by its mode or by a POSIX access control
        list, on the way to what is secret. The primary group of the folder's owner may, and in a folder of root's the
        group that is one user's alone.
      - An access control list that gives anybody more than owner, group and mode say is removed from what is secret.
"""

    # Use beside the standard fragment in a module that writes a file and takes its owner and mode as options.
    # A module with another default or more to say describes that option itself; its own words win.
    FILES = r"""
options:
  owner:
    description:
      - Name or number of the user who is to own the file.
      - If not given, it is the user who runs the module, root as a rule. A file that belongs to anybody else is refused
        then. It is neither left to a user whom nobody has declared, nor taken from a daemon that runs as that user.
    type: str
  group:
    description:
      - Name or number of the group that is to own the file.
      - If not given, it is the primary group of the owner. A file that exists keeps its group if that is root's, or if
        O(mode) gives nothing to a group; if not, it is refused.
    type: str
  mode:
    description:
      - Permissions of the file, as a quoted octal number such as V('0400').
    type: raw
attributes:
  safe_file_operations:
    description:
      - Writes so that the file is at every instant either the old one or the new one, complete, and never readable
        by anyone whom its final owner and mode would not let read it.
      - A destination or parent folder that is a symbolic link in a place where an unprivileged user can write is
        refused. So is a folder that others than its owner and root can write, by its mode or by a POSIX access control
        list, on the way to what is secret. The primary group of the folder's owner may, and in a folder of root's the
        group that is one user's alone.
      - An access control list that gives anybody more than owner, group and mode say is removed from what is secret.
"""
