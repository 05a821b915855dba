# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python library cryptography, which makes RSA keys and signs with them. Private to this collection.

Its import takes a third of a second, so it is imported only if it is needed. Public keys are read without it.
"""

from __future__ import annotations

from typing import Any


class LibraryMissing(Exception):
    """The library is missing or too old. The text says what to install."""


def backend() -> dict[str, Any]:
    """An argument that cryptography before 3.1 needs and later releases ignore."""
    from cryptography.hazmat.backends import default_backend

    return {"backend": default_backend()}


def missing_library(cause: ImportError) -> LibraryMissing:
    return LibraryMissing(
        "The Python library cryptography is missing on this host. It makes RSA keys and signs with them."
        f" Install the package python3-cryptography, as the roles of this collection do. ({cause})"
    )
