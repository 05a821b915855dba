# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one grammar of durations that every option and variable of this collection has. Private to this collection.

A duration is a number of seconds, or one number for each of some of the units w, d, h, m and s, the larger units first:
1800, 30m, 12h, 1w3d. Blanks may be between them. The doc fragment durations says the same to readers.
"""

from __future__ import annotations

import re

UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}

LONGEST = 100 * 366 * 86400
"""Seconds of the longest duration: a century. What is longer is a mistake, and no calendar can show where it ends."""

# Ten digits are enough for a century of seconds. In ASCII, as \d is more than what int() is asked to read.
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,10}})\s*{unit}\s*)?" for unit in UNITS))
_SECONDS = re.compile(r"[0-9]{1,10}")


class DurationError(ValueError):
    """A text is no duration. The message says what one looks like; the name of the option goes before it."""


def duration(text: str) -> int:
    """The seconds that a duration stands for."""
    words = text.strip()
    if _SECONDS.fullmatch(words):
        seconds = int(words)
    else:
        found = _DURATION.fullmatch(words)
        if not words or found is None:
            raise DurationError(
                f"{text!r} is no duration. Give seconds, or numbers with the units w, d, h, m and s, the larger ones "
                "first, such as 30m, 12h or 1w3d."
            )
        seconds = sum(int(number or 0) * size for number, size in zip(found.groups(), UNITS.values()))
    if seconds > LONGEST:
        raise DurationError(f"{text!r} is longer than a century.")
    return seconds


def option_seconds(option: str, text: str, least: int = 0) -> int:
    """The seconds of an option. DurationError names the option."""
    try:
        seconds = duration(text)
    except DurationError as exc:
        raise DurationError(f"{option}: {exc}") from None
    if seconds < least:
        raise DurationError(f"{option}: {seconds} s is too short. Give {least} s at least.")
    return seconds
