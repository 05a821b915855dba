# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bcrypt of the system's libcrypt, as the web servers use it. Part of the verifier; see verifier.py.

Python has no module for it from 3.13 on, and the old one blocked all other threads. A call by ctypes does not.
"""

from __future__ import annotations

import ctypes
import hmac

from errors import PolicyError

NAMES = ("libcrypt.so.2", "libcrypt.so.1")
# libxcrypt's working memory, and the longest password that it accepts.
SCRATCH_SIZE = 32768
LONGEST = 511

# The hash of the password "lab", to test the library.
KNOWN = "$2b$08$zEQ6HLeUW1/vWMdImvBrT.6iCXQoGONUGX1vA2jC8eO.KPXOIRCN2"


def _load() -> ctypes.CDLL:
    for name in NAMES:
        try:
            library = ctypes.CDLL(name)
            library.crypt_rn.restype = ctypes.c_char_p
            library.crypt_rn.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int]
            return library
        except (OSError, AttributeError):
            continue
    raise PolicyError(f"None of {' and '.join(NAMES)} is libxcrypt's. Install libcrypt1 or libxcrypt.")


class Bcrypt:
    def __init__(self) -> None:
        self.library = _load()
        if not self.matches(b"lab", KNOWN):
            raise PolicyError("The system's libcrypt cannot do bcrypt. Install libcrypt1 or libxcrypt.")

    def matches(self, password: bytes, stored: str) -> bool:
        """Whether it is the hash of that password. The time depends only on the hash's cost."""
        scratch = ctypes.create_string_buffer(SCRATCH_SIZE)
        expected = stored.encode("ascii")
        actual = self.library.crypt_rn(password, expected, ctypes.cast(scratch, ctypes.c_void_p), SCRATCH_SIZE)
        ctypes.memset(scratch, 0, SCRATCH_SIZE)
        return hmac.compare_digest(actual or b"", expected)
