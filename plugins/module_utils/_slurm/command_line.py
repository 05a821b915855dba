# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What slurmctld was told when it was started. Private to this collection."""

from __future__ import annotations

from typing import Iterator, Sequence

# Of slurmctld(8): letters that take a value, in the same word or in the next one.
_WITH_VALUE = "fLn"


def in_foreground(command: Sequence[str]) -> bool:
    """Whether slurmctld runs with -D, however that is spelled: ``-Dv``, ``-vD``, ``-D -s``."""
    return "D" in letters(command)


def letters(command: Sequence[str]) -> Iterator[str]:
    """The options of one letter, as getopt(3) reads them."""
    words = iter(command[1:])
    for word in words:
        if word == "--":
            return
        if not word.startswith("-") or word.startswith("--"):
            continue
        for number, letter in enumerate(word[1:], 2):
            yield letter
            if letter in _WITH_VALUE:
                if number == len(word):
                    next(words, None)
                break
