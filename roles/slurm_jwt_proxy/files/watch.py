# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reloads the proxy's server when its certificates, revocation lists, authorities or keytabs have changed.

    python3 -I -S watch.py SETTINGS follow                 reloads each unit whose files have changed, as the timer does
    python3 -I -S watch.py SETTINGS state                  prints which units have loaded their files, and the digests
    python3 -I -S watch.py SETTINGS loaded UNIT=DIGEST...  records that a unit has loaded the files of that digest
    python3 -I -S watch.py SETTINGS starts UNIT            records that a unit, which starts now, loads its files

A server reads these files only when it starts or is reloaded: until then it accepts a revoked certificate. The content
of a file counts, not its time. If the server could not load a file, it is named, and the server keeps the old one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import ssl
import subprocess
import sys
from typing import Any, NamedTuple

TIMEOUT = 60
"""Seconds for one command of systemctl."""


class Watched(NamedTuple):
    """A unit, and the files that it reads when it starts."""

    unit: str
    action: str
    """How it reads them again: reload or restart."""
    files: list[str]
    certificate: list[str] = []
    """The files of its certificate and of its key, which have to match."""
    authorities: list[str] = []
    """Files of certificates or of revocation lists."""
    written: list[str] = []
    """Files that only the role writes, which then restarts the unit: its programs, policy and unit file. The timer does
    not follow them, as another run may be writing them."""

    def digest(self) -> str:
        """The digests of the files that the timer follows, and of the others."""
        return f"{digest_of(self.files)}+{digest_of(self.written)}"

    def follows(self, loaded: str) -> bool:
        """Whether the unit has loaded the files that the timer follows as they are. LOADED is the recorded digest."""
        return loaded.partition("+")[0] == digest_of(self.files)


class Settings(NamedTuple):
    state: str
    """The file that records what each unit has loaded."""
    watched: list[Watched]


def read_settings(path: str) -> Settings:
    with open(path, encoding="utf-8") as stream:
        members: dict[str, Any] = json.load(stream)
    return Settings(members["state"], [Watched(**one) for one in members["watched"]])


def digest_of(paths: list[str]) -> str:
    """One digest of all files. A missing file is part of it, too."""
    digest = hashlib.sha256()
    for path in sorted(set(paths)):
        try:
            with open(path, "rb") as stream:
                content = hashlib.sha256(stream.read()).hexdigest()
        except FileNotFoundError:
            content = "missing"
        digest.update(f"{path}\0{content}\0".encode())
    return digest.hexdigest()


def read_state(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as stream:
            state = json.load(stream)
    except (FileNotFoundError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def note(settings: Settings, loaded: dict[str, str]) -> None:
    """Records what units have loaded, each with the digest of its files."""
    temporary = f"{settings.state}.new"
    # Nobody else can open this file. A user who can open a file or a folder can lock it, and keep it locked.
    lock = os.open(f"{settings.state}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # The timer, a unit that starts, and the role may write at the same moment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump({**read_state(settings.state), **loaded}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, settings.state)
    finally:
        os.close(lock)


def fault_in(watched: Watched) -> str | None:
    """Why the server cannot load its files; None if it can. Apache would stop, and its own test does not notice."""
    for path in watched.authorities:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
        except (OSError, ValueError) as error:
            return f"{path} cannot be used: {error}"
    if watched.certificate:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*watched.certificate)
        except (OSError, ValueError) as error:
            return f"{' and '.join(watched.certificate)} cannot be used together: {error}"
    return None


def systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    argv = ["systemctl", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=TIMEOUT, stdin=subprocess.DEVNULL)


def follow(settings: Settings) -> int:
    """Reloads units whose files have changed. The exit code: 1 if that failed for a unit."""
    failed = 0
    for watched in settings.watched:
        digest = watched.digest()
        if watched.follows(read_state(settings.state).get(watched.unit, "")):
            continue
        if systemctl("is-active", "--quiet", watched.unit).returncode:
            # The unit reads them when it starts.
            continue
        fault = fault_in(watched) or _reload(watched)
        if fault:
            failed = 1
            log(f"{watched.unit} keeps the files that it has loaded: {fault}. Replace the file with a valid one.")
        else:
            note(settings, {watched.unit: digest})
            log(f"{watched.unit} has loaded its files again, because they have changed ({watched.action} done).")
    return failed


def _reload(watched: Watched) -> str | None:
    done = systemctl(watched.action, watched.unit)
    if done.returncode:
        return f"systemctl {watched.action} {watched.unit} failed: {' '.join(done.stderr.split())}"
    return None


def log(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def state(settings: Settings) -> dict[str, dict[str, Any]]:
    """For each unit: the digest of its files, and whether it has loaded them."""
    loaded = read_state(settings.state)
    digests = {watched.unit: watched.digest() for watched in settings.watched}
    return {unit: {"digest": digest, "loaded": loaded.get(unit) == digest} for unit, digest in digests.items()}


def main(words: list[str]) -> int:
    settings = read_settings(words[0])
    if words[1:] == ["follow"]:
        return follow(settings)
    if words[1:] == ["state"]:
        print(json.dumps(state(settings)))
        return 0
    if words[1:2] == ["loaded"] and len(words) > 2:
        note(settings, dict(word.split("=", 1) for word in words[2:]))
        return 0
    if words[1:2] == ["starts"] and len(words) == 3:
        note(settings, {watched.unit: watched.digest() for watched in settings.watched if watched.unit == words[2]})
        return 0
    raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
