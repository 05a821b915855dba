# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of durations for all options and variables of this collection. Private to this collection.

A duration is a number of seconds, or one number for each of some of the units w, d, h, m and s, the larger units first:
1800, 30m, 12h, 1w3d. Blanks may be between them. The doc fragment durations documents it.
"""

from __future__ import annotations

import re

UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}

LONGEST = 100 * 366 * 86400
"""Seconds of the longest duration, a century. Anything longer is a mistake, and no calendar shows its end."""

# Ten digits are enough for a century of seconds. Not \d, which also matches digits that are not ASCII.
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,10}})\s*{unit}\s*)?" for unit in UNITS))
_SECONDS = re.compile(r"[0-9]{1,10}")


class DurationError(ValueError):
    """A text is not a duration. The message shows what one looks like; the option's name goes before it."""


def duration(text: str) -> int:
    """The seconds of a duration."""
    words = text.strip()
    if _SECONDS.fullmatch(words):
        seconds = int(words)
    else:
        match = _DURATION.fullmatch(words)
        if not words or match is None:
            raise DurationError(
                f"{text!r} is not a duration. Give seconds, or numbers with the units w, d, h, m and s, the larger "
                "ones first, such as 30m, 12h or 1w3d."
            )
        seconds = sum(int(number or 0) * size for number, size in zip(match.groups(), UNITS.values()))
    if seconds > LONGEST:
        raise DurationError(f"{text!r} is longer than a century. Give a shorter duration.")
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
