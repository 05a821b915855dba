# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the changed lines of a configuration file, without context. Private to this collection."""

from __future__ import annotations

import re
from typing import Iterator, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import SECRET_KEYS, is_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.parser import split_lines
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.writer import Change

_SECRET = re.compile(rb"pass|" + b"|".join(sorted(SECRET_KEYS)), re.IGNORECASE)


def difference(change: Change, keys: Sequence[str]) -> str:
    """The change as diff -U0 shows it. Lines with a password are hidden."""
    hidden = any(map(is_secret, keys))
    lines = [f"--- {change.path}", f"+++ {change.path}"]
    if change.mode != change.old_mode:
        lines.append(f"mode {change.old_mode:04o} -> {change.mode:04o}")
    before, after = split_lines(change.old), split_lines(change.new)
    for begin, end, new_begin, new_end in _hunks(before, after):
        lines.append(f"@@ -{_range(begin, end)} +{_range(new_begin, new_end)} @@")
        lines += _shown("-", before[begin:end], hidden) + _shown("+", after[new_begin:new_end], hidden)
    return "\n".join(lines) + "\n"


def _hunks(before: list[bytes], after: list[bytes]) -> Iterator[tuple[int, int, int, int]]:
    from difflib import SequenceMatcher  # most runs change nothing and do not need it

    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, begin, end, new_begin, new_end in matcher.get_opcodes():
        if tag != "equal":
            yield begin, end, new_begin, new_end


def _range(begin: int, end: int) -> str:
    count = end - begin
    return f"{begin + 1 if count else begin}" + ("" if count == 1 else f",{count}")


def _shown(sign: str, lines: list[bytes], hidden: bool) -> list[str]:
    shown = []
    for line in lines:
        if hidden or _SECRET.search(line):
            shown.append(sign + "(hidden)")
            continue
        text = line.decode("utf-8", "replace")
        shown.append(sign + text.rstrip("\n").replace("\r", ""))
        if not text.endswith("\n"):
            shown.append("\\ No newline at end of file")
    return shown
