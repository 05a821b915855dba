# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of modules. A module itself documents only how far it supports each."""

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

    # Use instead of the standard fragment in a module that changes nothing.
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

    # Use in addition to the standard fragment in a module that writes a file and keeps owner and mode.
    SAFE_WRITES = r"""
options: {}
attributes:
  safe_file_operations:
    description:
      - Writes the file atomically. At every instant it is either the old file or the complete new one, and users who
        must not read the final file cannot read it either.
      - Refuses a destination or parent folder that is a symbolic link in a folder where an unprivileged user can write.
        On the path of a secret it also refuses a folder that users other than its owner and root can write, by its mode
        or by a POSIX access control list. The primary group of the owner may write, and in a folder of root a group
        that has one member only.
      - Removes an access control list that grants more than owner, group and mode from a secret.
"""

    # Use in addition to the standard fragment in a module that writes a file and has owner and mode as options.
    # A module with another default documents that option itself, which takes precedence.
    FILES = r"""
options:
  owner:
    description:
      - Name or number of the user who owns the file.
      - If not given, the user who runs the module, usually root. A file of any other user is refused then, so that it
        is neither left to an undeclared user, nor taken from a daemon that runs as that user.
    type: str
  group:
    description:
      - Name or number of the group of the file.
      - If not given, the primary group of the owner. An existing file keeps its group if that is the group of root, or
        if O(mode) grants the group nothing; otherwise it is refused.
    type: str
  mode:
    description:
      - Permissions of the file, as a quoted octal number such as V('0400').
    type: raw
attributes:
  safe_file_operations:
    description:
      - Writes the file atomically. At every instant it is either the old file or the complete new one, and users who
        must not read the final file cannot read it either.
      - Refuses a destination or parent folder that is a symbolic link in a folder where an unprivileged user can write.
        On the path of a secret it also refuses a folder that users other than its owner and root can write, by its mode
        or by a POSIX access control list. The primary group of the owner may write, and in a folder of root a group
        that has one member only.
      - Removes an access control list that grants more than owner, group and mode from a secret.
"""
