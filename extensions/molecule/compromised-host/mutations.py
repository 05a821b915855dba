# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces each member of real answers with invalid values, and checks what is accepted: mutations.py FOLDER

FOLDER has answers that evil_python.py has stored, MODULE.json each. An accepted answer must have no template, no line
break and no endless text. Prints the number of answers.
"""

import copy
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._checked_action import CheckedAction

LONG = "x" * 10_000_000
ODD = (
    17,
    "seventeen",
    True,
    None,
    [],
    {},
    {"x": [1]},
    "{{ lookup('pipe', 'id') }}",
    "a\nctl1  ok\x1b[2K",
    "../../x",
    LONG,
)
# Members that may have several lines.
SHOWN = ("diff", "before", "after", "prepared", "stdout", "stderr")
TEMPLATE = re.compile(r"\{[{%#]|#jinja2:")


def paths_in(value, path=()):
    """The path of every member of an answer. The first entry of a list stands for all."""
    if isinstance(value, dict):
        for name in value:
            yield (*path, name)
            yield from paths_in(value[name], (*path, name))
    elif isinstance(value, list) and value:
        yield (*path, 0)
        yield from paths_in(value[0], (*path, 0))


def replaced(answer, path, value):
    changed = copy.deepcopy(answer)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return changed


def texts(value, name=""):
    if isinstance(value, dict):
        for key, each in value.items():
            yield str(key), name
            yield from texts(each, str(key))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from texts(each, name)
    elif isinstance(value, str):
        yield value, name


def accept(module, answer):
    action = CheckedAction.__new__(CheckedAction)
    action._task = SimpleNamespace(async_val=0, action=f"hpc.slurm_jwt.{module}", args={})
    return action._accept(answer, action.observation(), "node1")


def violation(answer):
    """Why an accepted answer is wrong."""
    for text, name in texts(answer):
        if TEMPLATE.search(text):
            return f"a template in {name}"
        if "\n" in text and name not in SHOWN:
            return f"a line in {name}"
        if len(text) > 250_000:
            return f"{len(text)} characters in {name}"
    return None


def main():
    tried = 0
    for path in sorted(Path(sys.argv[1]).glob("*.json")):
        answer = json.loads(path.read_text())
        module = path.stem
        if accept(module, answer).get("failed") and not answer.get("failed"):
            sys.exit(f"{module}: a real answer is refused: {accept(module, answer)['msg']}")
        for member in paths_in(answer):
            for value in ODD:
                tried += 1
                problem = violation(accept(module, replaced(answer, member, value)))
                if problem:
                    sys.exit(f"{module}, {member} = {str(value)[:40]!r}: {problem}")
    print(tried)


main()
