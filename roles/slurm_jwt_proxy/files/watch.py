# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the proxy's server work with the files that are there now: certificates, revocation lists, authorities, keytabs.

    python3 -I -S watch.py SETTINGS follow                 reloads each unit whose files have changed, as the timer does
    python3 -I -S watch.py SETTINGS state                  tells which units work with their files, and the digests
    python3 -I -S watch.py SETTINGS loaded UNIT=DIGEST...  notes that a unit has loaded the files of that digest

A server reads these files when it starts and when it is reloaded, and at no other time: a certificate that was revoked
goes on opening the door. What counts is what is in a file, not when it was written. A file that the server would choke
on is named, and the server goes on with the one from before.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import sys
from typing import Any, NamedTuple

LONGEST = 60
"""Seconds for one command of systemctl."""


class Watched(NamedTuple):
    """A unit, and what it reads when it starts."""

    unit: str
    action: str
    """What makes it read them again: reload or restart."""
    files: list[str]
    certificate: list[str] = []
    """The file of its certificate and the one of its key, which have to belong together."""
    authorities: list[str] = []
    """Files of certificates or of revocation lists."""


class Settings(NamedTuple):
    state: str
    """The file that tells what each unit has loaded."""
    watched: list[Watched]


def read_settings(path: str) -> Settings:
    with open(path, encoding="utf-8") as stream:
        members: dict[str, Any] = json.load(stream)
    return Settings(members["state"], [Watched(**one) for one in members["watched"]])


def digest_of(paths: list[str]) -> str:
    """One for all of them; a file that is missing counts as one without content."""
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
    """Write down what units have loaded, each with the digest of its files."""
    temporary = f"{settings.state}.new"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump({**read_state(settings.state), **loaded}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, settings.state)


def fault_in(watched: Watched) -> str | None:
    """What the server would choke on; None if there is nothing. Apache would end, and its own test does not see it."""
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
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=LONGEST, stdin=subprocess.DEVNULL)


def follow(settings: Settings) -> int:
    """Reload what works with other files than are there. The exit code: 1 if that failed for a unit."""
    failed = 0
    for watched in settings.watched:
        digest = digest_of(watched.files)
        if read_state(settings.state).get(watched.unit) == digest:
            continue
        if systemctl("is-active", "--quiet", watched.unit).returncode:
            # It reads them when it starts.
            continue
        fault = fault_in(watched) or _have_read(watched)
        if fault:
            failed = 1
            say(f"{watched.unit} goes on with the files from before: {fault}. Put a good file in its place.")
        else:
            note(settings, {watched.unit: digest})
            say(f"{watched.unit} works with files that have changed since it read them ({watched.action} done).")
    return failed


def _have_read(watched: Watched) -> str | None:
    done = systemctl(watched.action, watched.unit)
    if done.returncode:
        return f"systemctl {watched.action} {watched.unit} failed: {' '.join(done.stderr.split())}"
    return None


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def state(settings: Settings) -> dict[str, dict[str, Any]]:
    """Of each unit: the digest of its files, and whether that is what it has loaded."""
    loaded = read_state(settings.state)
    digests = {watched.unit: digest_of(watched.files) for watched in settings.watched}
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
    raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
