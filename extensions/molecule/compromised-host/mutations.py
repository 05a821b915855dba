"""Replaces each member of real answers by what no module would say, and has it checked: mutations.py FOLDER

FOLDER holds answers that evil_python.py has kept, MODULE.json each. Whatever comes in has no template, no line of its
own and no end of text, or the answer as a whole stays outside. Prints how many answers were tried.
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
# What is shown as a difference keeps its lines.
SHOWN = ("diff", "before", "after", "prepared", "stdout", "stderr")
TEMPLATE = re.compile(r"\{[{%#]|#jinja2:")


def places(value, path=()):
    """Every place in an answer; of a list the first entry stands for all."""
    if isinstance(value, dict):
        for name in value:
            yield (*path, name)
            yield from places(value[name], (*path, name))
    elif isinstance(value, list) and value:
        yield (*path, 0)
        yield from places(value[0], (*path, 0))


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


def let_in(module, answer):
    action = CheckedAction.__new__(CheckedAction)
    action._task = SimpleNamespace(async_val=0, action=f"hpc.slurm_jwt.{module}", args={})
    return action._accept(answer, action.observation(), "node1")


def wrong(found):
    """What of it must not have come in."""
    for text, name in texts(found):
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
        if let_in(module, answer).get("failed") and not answer.get("failed"):
            sys.exit(f"{module}: a real answer does not fit: {let_in(module, answer)['msg']}")
        for place in places(answer):
            for value in ODD:
                tried += 1
                said = wrong(let_in(module, replaced(answer, place, value)))
                if said:
                    sys.exit(f"{module}, {place} = {str(value)[:40]!r}: {said}")
    print(tried)


main()
