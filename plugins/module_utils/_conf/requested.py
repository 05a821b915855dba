# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edits that a task of slurm_conf requests. Private to this collection."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf, ConfError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.editor import Editor, assign
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import KNOWN_OPTIONS, is_secret


class RequestedEdits:
    """The options settings, lists and options, with all checks that do not need the file."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.settings = {key: _setting_text(key, value) for key, value in params["settings"].items()}
        self.lists: dict[str, tuple[list[str], list[str]]] = {}
        self.options: dict[str, tuple[dict[str, str | None], list[str]]] = {}
        for key, edit in params["lists"].items():
            present, absent = _present_and_absent("lists", key, edit)
            self.lists[key] = (_names("lists", key, present), _names("lists", key, absent))
        for key, edit in params["options"].items():
            present, absent = _present_and_absent("options", key, edit)
            self.options[key] = (_option_values(key, present), _names("options", key, absent))
        self.keys = [*self.settings, *self.lists, *self.options]
        lowered = [key.lower() for key in self.keys]
        for key in self.keys:
            if lowered.count(key.lower()) > 1:
                raise ConfError(f"{key} is named more than once in settings, lists and options; name it once.")

    def apply(self, conf: Conf) -> Editor:
        """Make the edits in memory."""
        editor = Editor(conf)
        assign(editor, self.settings)
        for key, (members, absent) in self.lists.items():
            editor.edit_list(key, members, absent)
        for key, (options, absent) in self.options.items():
            editor.edit_options(key, options, absent)
        return editor

    def refuse_unknown(self, conf: Conf) -> None:
        """Refuse names that are probably misspelt."""
        added = [key for key, value in self.settings.items() if value is not None]
        added += [key for key, (present, _absent) in self.lists.items() if present]
        added += [key for key, (options, _absent) in self.options.items() if options]
        for key in added:
            if conf.canonical(key) is None and conf.effective(key) is None:
                raise ConfError(
                    f"{conf.path}: no release of Slurm from 20.11 to 26.05 knows {key} in {conf.kind}.conf, and a"
                    " daemon that does not know it does not start. Correct the spelling, or set allow_unknown=true."
                )
        for key, (options, _absent) in self.options.items():
            for name in sorted(set(options) - KNOWN_OPTIONS) if key.lower() == "authaltparameters" else ():
                raise ConfError(
                    f"{conf.path}: '{name}' is not an option of {key}; Slurm would ignore it. The options are"
                    f" {', '.join(sorted(KNOWN_OPTIONS))}. Correct the spelling, or set allow_unknown=true."
                )


def _refused(option: str, key: str, expected: str) -> ConfError:
    return ConfError(f"{option}: {key} must be {expected}. Nothing was changed.")


def _setting_text(key: str, value: Any) -> str | None:
    """A value in settings, as text."""
    if value is None:
        return None
    if is_secret(key):
        raise ConfError(
            f"settings: {key} is a password. This module does not accept it, because its options are logged."
            " Write that line by other means; nothing was changed."
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, (str, int, float)):
        raise _refused("settings", key, f"a text, a number, a boolean or null, not a {value.__class__.__name__}")
    return str(value)


def _present_and_absent(option: str, key: str, edit: Any) -> tuple[Any, Any]:
    if not isinstance(edit, dict) or set(edit) - {"present", "absent"}:
        raise _refused(option, key, "a dictionary with present, absent or both, and nothing else")
    return edit.get("present"), edit.get("absent")


def _names(option: str, key: str, value: Any) -> list[str]:
    value = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _refused(option, key, "given lists of texts")
    return list(value)


def _option_values(key: str, value: Any) -> dict[str, str | None]:
    value = {} if value is None else value
    if not isinstance(value, dict):
        raise _refused("options", key, "given a dictionary of names and values in present")
    options: dict[str, str | None] = {}
    for name, content in value.items():
        if content is False or not (content is None or isinstance(content, (str, int, float))):
            raise _refused("options", f"{name} of {key}", "a text, a number or true; to remove it, name it in absent")
        options[str(name)] = None if content is None or content is True else str(content)
    return options
