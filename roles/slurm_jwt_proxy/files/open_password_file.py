# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password file that systemd has opened. Part of the verifier; see verifier.py.

systemd opens it as root and passes it as standard input, so that this program reads a file that its user cannot open.
Changes in place, as htpasswd makes them, apply at once. A file that replaces the old one cannot be read from here: then
the program stops, and systemd starts it with the new one.
"""

from __future__ import annotations

import os
import signal
import stat
import threading
from typing import Callable

from errors import PolicyError, log
from password_file import LARGEST, read


def request_stop() -> None:
    """Pending requests are still answered; see connections.py."""
    os.kill(os.getpid(), signal.SIGTERM)


class OpenPasswordFile:
    def __init__(self, path: str, number: int = 0, end: Callable[[], None] = request_stop, owner: int = 0) -> None:
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
        # The unit's sandbox, or its user's rights, may hide the path.
        self.path_is_visible = self._named_by_path() is True

    def hashes(self) -> dict[str, str]:
        """The current hashes of passwords by name."""
        with self.lock:
            if self.path_is_visible and not self.ended and self._named_by_path() is False:
                self.ended = True
                log(f"{self.path} was replaced by another file: starting again with that")
                self.end()
            stamp = self._stamp()
            if stamp != self.stamp:
                # Even if the file is not valid: the next change makes another stamp.
                self.stamp = stamp
                try:
                    self.known = self._read()
                except (OSError, ValueError) as error:
                    log(f"The passwords stay as they were: {error}")
            return self.known

    def _stamp(self) -> tuple[int, int, int]:
        state = os.fstat(self.number)
        return state.st_mtime_ns, state.st_ctime_ns, state.st_size

    def _named_by_path(self) -> bool | None:
        """Whether the path still names the open file. None: unknown."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self.number))
        except FileNotFoundError:
            return False
        except OSError:
            return None

    def _read(self) -> dict[str, str]:
        state = os.fstat(self.number)
        if not stat.S_ISREG(state.st_mode):
            raise ValueError(f"systemd has not passed {self.path}. Run the playbook hpc.slurm_jwt.proxy.")
        if state.st_uid != self.owner or state.st_mode & 0o027:
            raise ValueError(
                f"{self.path} has mode {stat.S_IMODE(state.st_mode):04o} and owner {state.st_uid}. It has to belong to "
                "root, with mode 0640 or less."
            )
        hashes, problems = read(os.pread(self.number, LARGEST + 1, 0), self.path)
        for problem in problems[:5]:
            log(f"Ignored: {problem}")
        if not hashes:
            raise ValueError(f"{self.path} has no user who could pass.")
        return hashes
