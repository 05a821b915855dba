# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutants of _conf. The comparison must notice each of them: one that never objects proves nothing."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Callable, Iterator
from unittest.mock import patch

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import document, editor, lines, members, parser

_continued_length = parser.continued_length
_without = lines.without
_commit = editor.Editor._commit


def _everywhere(name: str, new: Any) -> Callable[[], AbstractContextManager[Any]]:
    """Replace a function in each module that has imported it."""

    @contextmanager
    def mutated() -> Iterator[None]:
        with ExitStack() as stack:
            for module in (document, editor, lines, members, parser):
                if hasattr(module, name):
                    stack.enter_context(patch.object(module, name, new))
            yield

    return mutated


def _in(owner: Any, name: str, new: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.object(owner, name, new)


def _without_comment_but_in_quotes(raw: bytes) -> bytes:
    match = re.match(rb'(?:\\.|"[^"\n]*"|[^#\\\0])*', raw, re.DOTALL)
    return match.group() if match else raw


def _option_anywhere(self: Any, key: str, name: str) -> str | None:
    text = self.value(key) or ""
    at = text.find(name + "=")
    return None if at < 0 else text[at + len(name) + 1 :].partition(",")[0]


def _commit_unix(self: Any, key: str, value: Any, files: dict[str, list[bytes]]) -> bool:
    return _commit(self, key, value, {path: [line.replace(b"\r\n", b"\n") for line in files[path]] for path in files})


def _commit_blind(self: Any, key: str, value: Any, files: dict[str, list[bytes]]) -> bool:
    self.conf = self.conf.with_files({path: b"".join(files[path]) for path in files})
    return True


def _insert_at_the_end(lines: list[bytes], first: int, last: int, name: str, value: bytes) -> list[bytes]:
    return [*lines, name.encode() + b"=" + value + b"\n"]


@contextmanager
def _careless_insertion() -> Iterator[None]:
    """New lines go to the end of the file, unquoted, whatever is there, and the result is not read again."""
    careless = patch.object(editor, "insert_after", _insert_at_the_end)
    with careless, patch.object(editor.Editor, "_commit", _commit_blind):
        yield


MUTANTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "backslashes stay": _in(parser, "_without_escapes", lambda text: text),
    "a blank after the backslash ends the line": _everywhere(
        "continued_length", lambda text: _continued_length(text) if text.rstrip(b"\r\n").endswith(b"\\") else None
    ),
    "quotes protect a #": _everywhere("without_comment", _without_comment_but_in_quotes),
    "the first setting wins": _in(
        document.Conf, "entries", lambda self, key: self.parsed.entries.get(key.lower().encode(), [])[::-1]
    ),
    "names have a case": _in(
        document.Conf,
        "entries",
        lambda self, key: [e for e in self.parsed.entries.get(key.lower().encode(), []) if e.key.decode() == key],
    ),
    "includes are not followed": _in(parser.ParsedConf, "_include", lambda *arguments: None),
    "options are found anywhere": _in(document.Conf, "option", _option_anywhere),
    "line ends are made Unix's": _in(editor.Editor, "_commit", _commit_unix),
    "new lines go to the end blindly": _careless_insertion,
    "only one line of a parameter is removed": _everywhere("without", lambda lines, spans: _without(lines, spans[-1:])),
}
