# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out whether the Python that runs this module can import the distribution's packages. Private to this
collection.

Ansible may use the site's own Python, one from a newer stream or one from a virtual environment. Such a Python cannot
import a package such as python3-jwt.
"""

from __future__ import annotations

import os
from typing import Sequence

# RHEL 8 and 9 have several Pythons in /usr/bin. Packages named python3-* are for platform-python.
_OF_DISTRIBUTION = ("usr/libexec/platform-python", "usr/bin/python3")
_DEBIAN = "usr/lib/python3/dist-packages"


def distributions(root: str = "/") -> str | None:
    """The path of the distribution's Python, as in ansible_python_interpreter; None if there is none."""
    return next((f"/{path}" for path in _OF_DISTRIBUTION if os.path.exists(os.path.join(root, path))), None)


def is_served(folders: Sequence[str], root: str = "/") -> bool:
    """Whether a Python with these folders in sys.path finds the distribution's packages."""
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
