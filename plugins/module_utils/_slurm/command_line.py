# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a daemon's command line, as getopt(3) reads them. Private to this collection."""

from __future__ import annotations

import os
from typing import Iterable, Iterator, Sequence

# In all releases: letters that take a value, and letters that take one only in the same word.
_WITH_VALUE = {"slurmctld": "fLn", "slurmdbd": "n", "slurmd": "dfLnN", "slurmrestd": "adfgstu"}
_ATTACHED = {"slurmdbd": "R", "slurmd": "F"}


def in_foreground(command: Sequence[str]) -> bool:
    """Whether slurmctld runs with -D, however that is spelled: ``-Dv``, ``-vD``, ``-D -s``."""
    return any(letter == "D" for letter, dummy_value in options("slurmctld", command[1:]))


def conf(command: Sequence[str]) -> str | None:
    """The slurm.conf that -f names, however that is spelled: ``-f FILE``, ``-fFILE``, ``-Df FILE``."""
    # Debian's alternatives have names such as slurmctld-wlm.
    daemon = os.path.basename(command[0]).partition("-")[0] if command else ""
    # slurmdbd has no such option. It looks for slurmdbd.conf where SLURM_CONF or the build says that slurm.conf is.
    found = [value for letter, value in options(daemon, command[1:]) if letter == "f" and value]
    return found[-1] if found else None


def options(daemon: str, words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each option of one letter and its value, which is in the same word or in the next one.

    A word that is not an option has an empty letter. Long options are left out.
    """
    with_value, attached = _WITH_VALUE.get(daemon, ""), _ATTACHED.get(daemon, "")
    rest = iter(words)
    for word in rest:
        if word == "--":
            yield from (("", each) for each in rest)
        elif not word.startswith("-"):
            yield "", word
        elif not word.startswith("--"):
            for number, letter in enumerate(word[1:], 2):
                if letter in with_value:
                    yield letter, word[number:] or next(rest, "")
                    break
                if letter in attached:
                    yield letter, word[number:]
                    break
                yield letter, ""
