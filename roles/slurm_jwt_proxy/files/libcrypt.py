# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bcrypt of the system's own library, as the web servers use it. Part of the verifier; see verifier.py.

Python has no module for it from 3.13 on, and the one it had kept all other threads waiting. A call by ctypes does not.
"""

from __future__ import annotations

import ctypes
import hmac

from errors import PolicyError

NAMES = ("libcrypt.so.2", "libcrypt.so.1")
# What libxcrypt wants to work in, and the longest password that it takes.
ROOM = 32768
LONGEST = 511

# Of the password "lab": to see that the library can do it.
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
        """Whether it is the hash of that password. Takes as long as the hash's cost says, whatever the answer."""
        room = ctypes.create_string_buffer(ROOM)
        wanted = stored.encode("ascii")
        found = self.library.crypt_rn(password, wanted, ctypes.cast(room, ctypes.c_void_p), ROOM)
        ctypes.memset(room, 0, ROOM)
        return hmac.compare_digest(found or b"", wanted)
