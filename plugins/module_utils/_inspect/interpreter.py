# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the Python that runs this module is the one that the distribution's packages are for. Private to this
collection.

Ansible may use a Python of the site's own, of a newer stream or of a virtual environment. A package such as python3-jwt
is then of no use to it.
"""

from __future__ import annotations

import os
from typing import Sequence

# RHEL 8 and 9 have several Pythons in /usr/bin; packages whose names begin with python3- are for this one.
_OF_DISTRIBUTION = ("usr/libexec/platform-python", "usr/bin/python3")
_DEBIAN = "usr/lib/python3/dist-packages"


def distributions(root: str = "/") -> str | None:
    """The distribution's own Python, by the name to give to Ansible; None if there is none."""
    return next((f"/{path}" for path in _OF_DISTRIBUTION if os.path.exists(os.path.join(root, path))), None)


def is_served(folders: Sequence[str], root: str = "/") -> bool:
    """Whether an interpreter that looks into these folders finds the packages of the distribution."""
    if os.path.isdir(os.path.join(root, _DEBIAN)):
        expected = [_DEBIAN]
    else:
        own = distributions(root)
        if own is None:
            return False
        # python3.9, platform-python3.6
        name = os.path.basename(os.path.realpath(os.path.join(root, own.lstrip("/")))).replace("platform-", "")
        expected = [f"usr/{lib}/{name}/site-packages" for lib in ("lib64", "lib")]
    known = {os.path.realpath(folder) for folder in folders}
    return any(os.path.realpath(os.path.join(root, folder)) in known for folder in expected)
