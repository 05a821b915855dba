# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a password file: python3 -I -S password_file.py [FILE]  prints what is wrong with it, or with standard input.

Each line is a name, a colon and a bcrypt hash, and nothing else: servers differ on further fields, and the other hashes
that they accept are weak. The role runs this file alone, so it imports no other one.
"""

from __future__ import annotations

import re
import sys

# As in names.py, without a colon. A line that begins with # is a comment.
NAME = re.compile(r"(?!#)[!-9;-~](?:[ -9;-~]{0,254}[!-9;-~])?")
HASH = re.compile(r"\$2[by]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
# A hash of cost 8 takes some 20 ms, one of cost 14 more than a second.
COSTS = range(8, 15)
LARGEST = 4 * 1024 * 1024
REMEDY = "Replace the line with: htpasswd -B -C 10"


def read(data: bytes, file: str) -> tuple[dict[str, str], list[str]]:
    """The hashes by name, and the problems. Ignores invalid lines, and names with two lines.

    Problems do not have the name: text without a colon may be a password.
    """
    if len(data) > LARGEST:
        return {}, [f"{file} is larger than {LARGEST} bytes."]
    hashes: dict[str, str] = {}
    problems: list[str] = []
    seen: set[str] = set()
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line or line.startswith(b"#"):
            continue
        name, _colon, value = line.decode("utf-8", "replace").partition(":")
        problem = problem_of(name, value, file)
        if name in seen:
            problem = problem or "the name has another line already. Remove one of them."
            hashes.pop(name, None)
        seen.add(name)
        if problem:
            problems.append(f"{file}, line {number}: {problem}")
        else:
            hashes[name] = value
    if not hashes:
        problems.append(f"{file} has no user, so nobody could pass.")
    return hashes, problems


def problem_of(name: str, value: str, file: str) -> str:
    match = HASH.fullmatch(value)
    if not match:
        return f"this is no name and bcrypt hash, two fields with one colon. {REMEDY} {file} NAME"
    if int(match[1]) not in COSTS:
        return f"bcrypt's cost is {match[1]}, and not from {COSTS[0]} to {COSTS[-1]}. {REMEDY} {file} NAME"
    if not NAME.fullmatch(name):
        return "the name is not printable ASCII, or is longer than 256 characters, or has a blank at an end."
    return ""


def main(arguments: list[str]) -> int:
    try:
        if arguments:
            with open(arguments[0], "rb") as stream:
                problems = read(stream.read(LARGEST + 1), arguments[0])[1]
        else:
            problems = read(sys.stdin.buffer.read(LARGEST + 1), "FILE")[1]
    except OSError as error:
        problems = [str(error)]
    print("\n".join(problems[:5]), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
