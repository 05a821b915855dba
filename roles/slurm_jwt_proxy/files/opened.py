# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password file as systemd hands it over, open. Part of the verifier; see verifier.py.

systemd opens it as root and makes it standard input, so that this program reads a file that its user could not open.
What is changed in place, as htpasswd does, counts at once. A file that took the place of the old one cannot be read
from here: then the program ends, and systemd starts it with the new one.
"""

from __future__ import annotations

import os
import signal
import stat
import threading
from typing import Callable

from errors import PolicyError, tell
from password_file import LARGEST, read


def end_gently() -> None:
    """Whoever has asked is still answered; see connections.py."""
    os.kill(os.getpid(), signal.SIGTERM)


class Opened:
    def __init__(self, path: str, number: int = 0, end: Callable[[], None] = end_gently, owner: int = 0) -> None:
        self.path = path
        self.number = number
        self.end = end
        self.owner = owner
        self.lock = threading.Lock()
        self.ended = False
        self.stamp = self._stamp()
        try:
            self.known = self._read()
        except (OSError, ValueError) as error:
            raise PolicyError(f"The password file cannot be used: {error}") from None
        # From within the sandbox of the unit, or for its user, the path may lead nowhere.
        self.followed = self._named_by_path() is True

    def hashes(self) -> dict[str, str]:
        """The hashes of passwords by name, as they are now."""
        with self.lock:
            if self.followed and not self.ended and self._named_by_path() is False:
                self.ended = True
                tell(f"{self.path} was replaced by another file: starting again with that")
                self.end()
            stamp = self._stamp()
            if stamp != self.stamp:
                # Once, also if it is no good: the next change makes another stamp.
                self.stamp = stamp
                try:
                    self.known = self._read()
                except (OSError, ValueError) as error:
                    tell(f"The passwords stay as they were: {error}")
            return self.known

    def _stamp(self) -> tuple[int, int, int]:
        state = os.fstat(self.number)
        return state.st_mtime_ns, state.st_ctime_ns, state.st_size

    def _named_by_path(self) -> bool | None:
        """Whether it is the file of that name. None: that cannot be seen."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self.number))
        except FileNotFoundError:
            return False
        except OSError:
            return None

    def _read(self) -> dict[str, str]:
        state = os.fstat(self.number)
        if not stat.S_ISREG(state.st_mode):
            raise ValueError(f"{self.path} was not handed over. Run the playbook hpc.slurm_jwt.proxy.")
        if state.st_uid != self.owner or state.st_mode & 0o027:
            raise ValueError(
                f"{self.path} has mode {stat.S_IMODE(state.st_mode):04o} and owner {state.st_uid}. Make it root's, "
                "writable for nobody else and readable for its group at most: mode 0640."
            )
        hashes, problems = read(os.pread(self.number, LARGEST + 1, 0), self.path)
        for problem in problems[:5]:
            tell(f"Left out: {problem}")
        if not hashes:
            raise ValueError(f"{self.path} names nobody who could pass.")
        return hashes
