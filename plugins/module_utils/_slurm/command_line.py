# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a daemon's command line, as getopt(3) reads them. Private to this collection."""

from __future__ import annotations

from typing import Iterable, Iterator, Sequence

# Of slurmctld(8): letters that take a value.
_SLURMCTLD_VALUES = "fLn"


def in_foreground(command: Sequence[str]) -> bool:
    """Whether slurmctld runs with -D, however that is spelled: ``-Dv``, ``-vD``, ``-D -s``."""
    return any(letter == "D" for letter, dummy_value in options(command[1:], _SLURMCTLD_VALUES))


def options(words: Iterable[str], with_value: str) -> Iterator[tuple[str, str]]:
    """Each option of one letter and its value, which is in the same word or in the next one.

    A word that is no option has an empty letter. Long options are left out.
    """
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
                yield letter, ""
