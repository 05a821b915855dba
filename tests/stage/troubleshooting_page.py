# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the guide "Troubleshooting" from the code: every refusal and warning by its first words, and every alert.

A name in capitals stands for a value in a message. Nothing is imported: the texts are read from the syntax tree, so no
message is missing.
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import alerts_section
import yaml

ROOT = Path(__file__).resolve().parents[2]
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
PLUGINS = "ansible_collections.hpc.slurm_jwt.plugins."
PAGE = ROOT / "docs/docsite/rst/guide_troubleshooting.rst"

#: At most so many alternatives of one text are shown.
AT_MOST = 4

HEAD = """\
..
  Copyright (c) 2026, hpc.slurm_jwt contributors
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. Written by tests/stage/pages.py from the messages in the code. Change them there.

.. _ansible_collections.hpc.slurm_jwt.docsite.guide_troubleshooting:

Troubleshooting
===============

Search this page for the first words of a message. Values in a message are in capitals here: ``PATH`` is the path that
it names. A message about a host begins with the name of the host, or of all hosts for which it is the same.

.. contents::
   :local:
   :depth: 1
"""


class Message(NamedTuple):
    """What was found, and what follows from that: the effect, if the code keeps it apart, and what to do."""

    found: str
    effect: str
    remedy: str


class Section(NamedTuple):
    title: str
    text: str
    messages: list[Message]


Env = Mapping[str, "list[str]"]


# -- texts of the syntax tree ------------------------------------------------------------------------------------------


def texts(node: ast.expr | None, env: Env) -> list[str]:
    """The texts that an expression may be."""
    found = _texts(node, env)
    return list(dict.fromkeys(found))[:AT_MOST]


def _texts(node: ast.expr | None, env: Env) -> list[str]:
    if isinstance(node, ast.Constant):
        return [node.value if isinstance(node.value, str) else ""]
    if isinstance(node, ast.JoinedStr):
        parts = [texts(part.value if isinstance(part, ast.FormattedValue) else part, env) for part in node.values]
        return ["".join(chosen) for chosen in itertools.islice(itertools.product(*parts), AT_MOST)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return ["".join(pair) for pair in itertools.product(texts(node.left, env), texts(node.right, env))]
    if isinstance(node, ast.IfExp):
        return texts(node.body, env) + texts(node.orelse, env)
    if isinstance(node, ast.Name) and node.id in env:
        return env[node.id]
    return [placeholder(node)]


def placeholder(node: ast.AST | None) -> str:
    """The name of what a message fills in, in capitals."""
    if isinstance(node, ast.Name):
        return node.id.strip("_").upper()
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_").upper()
    if isinstance(node, ast.Subscript):
        key = node.slice
        named = isinstance(key, ast.Constant) and isinstance(key.value, str)
        return str(key.value).upper() if named else placeholder(node.value)  # type: ignore[attr-defined]
    if isinstance(node, (ast.GeneratorExp, ast.ListComp)):
        return placeholder(node.generators[0].iter)
    if isinstance(node, ast.Call):
        # What is joined, counted, or asked.
        method = node.func if isinstance(node.func, ast.Attribute) and not node.args else None
        return placeholder(node.args[0] if node.args else method.value if method else node.func)
    if isinstance(node, ast.BoolOp):
        return placeholder(node.values[0])
    return ELLIPSIS


def constants(tree: ast.Module) -> dict[str, list[str]]:
    """The texts that a file gives names to, or has from another of our files."""
    env: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PLUGINS):
            path = ROOT / "plugins" / f"{str(node.module)[len(PLUGINS):].replace('.', '/')}.py"
            names = [alias for alias in node.names if alias.name.isupper()]
            theirs = constants(ast.parse(path.read_text(encoding="utf-8"))) if names and path.is_file() else {}
            for each in names:
                # A number has no text.
                if theirs.get(each.name) and all(text and ELLIPSIS not in text for text in theirs[each.name]):
                    env[each.asname or each.name] = theirs[each.name]
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Constant, ast.JoinedStr, ast.BinOp)):
            env.update((name.id, texts(node.value, env)) for name in node.targets if isinstance(name, ast.Name))
    return env


class Walk:
    """Follows a function from its first line to its last, and knows at each call what its variables may say."""

    def __init__(self, env: Env, reads: Callable[[ast.AST, Env], list[Message]]) -> None:
        self.env = dict(env)
        self.reads = reads
        self.messages: list[Message] = []

    def body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            # A docstring.
            return
        blocks = [getattr(node, name) for name in ("body", "orelse", "finalbody") if getattr(node, name, None)]
        if blocks:
            for expression in ast.iter_child_nodes(node):
                if isinstance(expression, ast.expr):
                    self.read(expression)
            self.branches(blocks, always=isinstance(node, (ast.With, ast.Try)) or bool(getattr(node, "orelse", None)))
            for handler in getattr(node, "handlers", ()):
                self.branches([handler.body], always=False)
            return
        self.read(node)
        self.assign(node)

    def branches(self, blocks: list[list[ast.stmt]], always: bool) -> None:
        """Afterwards a variable may be what it is after any of them, or what it was, if none of them has to run."""
        before = dict(self.env)
        ends = [] if always else [before]
        for block in blocks:
            self.env = dict(before)
            self.body(block)
            ends.append(self.env)
        names = {name for end in ends for name in end}
        self.env = {
            name: list(dict.fromkeys(text for end in ends for text in end.get(name, ())))[:AT_MOST] for name in names
        }

    def assign(self, node: ast.stmt) -> None:
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            added = itertools.product(self.env.get(name, [""]), texts(node.value, self.env))
            self.env[name] = ["".join(pair) for pair in added][:AT_MOST]
        if not isinstance(node, ast.Assign):
            return
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts))
            said = {name.id: texts(value, self.env) for name, value in pairs if isinstance(name, ast.Name)}
            for name, value in pairs:
                # What is computed keeps its name as the placeholder.
                if isinstance(name, ast.Name):
                    self.env.pop(name.id, None)
                    known = isinstance(value, ast.Constant) or not {*said[name.id]} <= {"", ELLIPSIS}
                    if known and isinstance(value, (ast.Constant, ast.JoinedStr, ast.BinOp, ast.IfExp, ast.Name)):
                        self.env[name.id] = said[name.id]

    def read(self, node: ast.AST) -> None:
        found = self.reads(node, self.env)
        self.messages += found
        # A part of a text is no text.
        if not isinstance(node, ast.JoinedStr) and not (found and isinstance(node, ast.BinOp)):
            for inner in ast.iter_child_nodes(node):
                self.read(inner)


def messages_of(path: Path, reads: Callable[[ast.AST, Env], list[Message]]) -> Iterator[Message]:
    """What the functions of a file say."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    env = constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            walk = Walk(env, reads)
            walk.body(node.body)
            yield from walk.messages


def alternatives(nodes: list[ast.expr], env: Env) -> list[Message]:
    """A message for each way of saying what was found."""
    founds, effects, remedies = (texts(node, env) for node in nodes)
    effect, remedy = (" Or: ".join(filter(None, each)) for each in (effects, remedies))
    return [Message(found, effect, remedy) for found in founds]


def problem(node: ast.AST, env: Env) -> list[Message]:
    """``Problem(severity, code, part, path, found, effect, remedy)``, and the shorter one of configuration files."""
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Problem", "_problem")
    if named and len(node.args) >= 5:  # type: ignore[attr-defined]
        return alternatives(node.args[-3:], env)  # type: ignore[attr-defined]
    if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 3:
        severity, effect, remedy = node.value.elts
        if isinstance(severity, ast.Constant) and severity.value in ("error", "warning"):
            found = ast.Constant("'MEMBER' in AuthAltParameters")
            return alternatives([found, effect, remedy], env)
    return []


def raised(node: ast.AST, env: Env) -> list[Message]:
    """The words of an exception."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
        return [each for text in texts(node.exc.args[0], env) for each in sentences(text)]
    return []


def spoken(node: ast.AST, env: Env) -> list[Message]:
    """Any text of two sentences and more."""
    is_text = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    if is_text or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)):
        assert isinstance(node, ast.expr)
        return [each for text in texts(node, env) for each in sentences(text)]
    return []


def sentences(text: str) -> list[Message]:
    """What was found in the first sentence, and what to do in the others; nothing, if it is no message."""
    plain = " ".join(text.split())
    first, dot, rest = re.sub(r"(?<=[\w)'\"…%])\. (?=[A-Z])", "\0", plain, count=1).partition("\0")
    return [Message(f"{first}.", "", rest)] if dot and len(first) > 12 and "<p" not in plain else []


# -- the sections ------------------------------------------------------------------------------------------------------


def fixed(path: Path, name: str) -> Iterator[Message]:
    """The messages of a table in the code: code -> (severity, found, effect, remedy)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    env = constants(tree)
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            assert isinstance(node.value, ast.Dict)
            for value in node.value.values:
                assert isinstance(value, ast.Tuple)
                for message in alternatives(value.elts[-3:], env):
                    yield Message(*(re.sub(r"\{(\w+)\}", lambda match: match[1].upper(), text) for text in message))


def of_roles() -> Iterator[Message]:
    """What roles say when they refuse: ``fail_msg``, and ``msg`` of fail."""
    for path in sorted(ROOT.glob("roles/*/*/*.yml")):
        if path.parent.name in ("tasks", "vars"):
            for text in said_in(yaml.safe_load(path.read_text(encoding="utf-8"))):
                plain = re.sub(r"\{\{\s*(?:\w+\.)*(\w+)[^}]*\}\}", lambda match: match[1].lstrip("_").upper(), text)
                if "{%" not in plain and "{{" not in plain:
                    yield from sentences(plain)


def said_in(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("fail_msg", "msg", "says", "message", "otherwise") and isinstance(value, str):
                yield value
            else:
                yield from said_in(value)
    elif isinstance(node, list):
        for each in node:
            yield from said_in(each)


#: The last message of a run. Its words are in roles and plugins, in several lines, so they are not found there.
ENDINGS = (
    Message(
        "Nothing was changed. The preflight found:", "",
        "The reasons follow, each with what to do. Remove all of them, and run the playbook again.",
    ),
    Message(
        "HOST failed in the step 'STEP':", "",
        "The cause follows, with the daemon's own last log lines. The next two lines say what became of the cluster.",
    ),
    Message(
        "Every file is as it was before this run, and the daemons run with it.", "",
        "The cluster works as before. Remove the cause that is named above, and run the playbook again.",
    ),
    Message(
        "These hosts could not be put back, see above for the reason: HOSTS", "",
        "Look at these hosts first: whether their daemons run, and which key they have. Then run the same playbook "
        "again, which repairs what was left half done.",
    ),
    Message(
        "The current key: FINGERPRINT on HOSTS.", "",
        "One key on all key hosts is right. If there are two, or not known for a host, some daemons refuse tokens: "
        "check that host, and run the playbook again.",
    ),
    Message(
        "Nothing failed in the cluster itself. Fix the cause, and run the playbook NAME.", "",
        "Only the services' tokens, or the proxy, are missing. Fix what is named above, and run hpc.slurm_jwt.tokens "
        "or hpc.slurm_jwt.proxy.",
    ),
    Message(
        "All other hosts are done. These were left out. Fix the cause on each, and run this again:", "",
        "The hosts follow, each with its reason. The rest of the cluster is up to date. The run ends with an error "
        "code so that no scheduler takes it for complete.",
    ),
    Message(
        "HOST: PATH must have the lines LINES", "",
        "slurm_jwt_manage_conf is false, so your own tool writes this file. Make it write these lines, after "
        "--tags packages,key has put the key in place.",
    ),
)


def sections() -> list[Section]:
    utils, plans = ROOT / "plugins/module_utils", ROOT / "plugins/plugin_utils"
    python = {folder: sorted(folder.rglob("*.py")) for folder in (utils, plans)}
    conf_problems = next(path for path in python[utils] if path.name == "lint.py")
    modules = sorted((ROOT / "plugins/modules").glob("*.py"))
    return [
        Section("How a run ends", "The last message of a playbook that has failed.", list(ENDINGS)),
        Section(
            "Refusals of a playbook",
            "A playbook is refused before its first change, with all reasons at once.",
            [each for path in python[plans] for each in messages_of(path, spoken)],
        ),
        Section(
            "Problems of a host",
            "``slurm_jwt_info`` finds them, ``verify`` shows them, and errors refuse a rollout.",
            [
                each for path in [*python[utils], *modules] if path != conf_problems
                for each in messages_of(path, problem)
            ],
        ),
        Section(
            "Problems of slurm.conf and slurmdbd.conf",
            "``slurm_conf`` and ``slurm_jwt_info`` report them, with file and line before the message.",
            [*fixed(conf_problems, "_FAULTS"), *messages_of(conf_problems, problem)],
        ),
        Section("Refusals of roles", "Variables and files that a role does not accept.", list(of_roles())),
        Section(
            "Errors of modules",
            "Errors with keys, key sets, tokens, files and daemons.",
            [each for path in [*python[utils], *modules] for each in messages_of(path, raised)],
        ),
    ]


def page() -> str:
    """The whole guide."""
    lines = (line for section in sections() for line in _section(section))
    return "\n".join([HEAD, *lines, *alerts_section.section()])


def _section(section: Section) -> Iterator[str]:
    yield from (section.title, "-" * len(section.title), "", section.text, "")
    columns = ("Message", "Effect", "What to do")
    rows = sorted(told_apart(each for each in section.messages if _is_said(each)), key=lambda each: each.found.lower())
    wide = any(each.effect for each in rows)
    yield from (".. list-table::", "   :header-rows: 1", f"   :widths: {'35 30 35' if wide else '45 55'}", "")
    for row in [Message(*columns), *rows]:
        cells = row if wide else (row.found, row.remedy)
        for number, cell in enumerate(cells):
            lines = textwrap.wrap(escaped(cell), 112, break_long_words=False, break_on_hyphens=False) or [""]
            yield f"   {'* -' if number == 0 else '  -'} {lines[0]}".rstrip()
            yield from (f"       {line}" for line in lines[1:])
    yield ""


def told_apart(messages: Iterable[Message]) -> Iterator[Message]:
    """One of each. Of remedies that begin alike the longest says it all."""
    alike: dict[tuple[str, str], dict[str, str]] = {}
    for found, effect, remedy in messages:
        remedies = alike.setdefault((found, effect), {})
        remedies[remedy[:8]] = max(remedy, remedies.get(remedy[:8], ""), key=len)
    for (found, effect), remedies in alike.items():
        yield Message(found, effect, " Or: ".join(remedies.values()))


def _is_said(message: Message) -> bool:
    """Not a message that only has placeholders."""
    return re.search(r"[a-z]{3}", message.found) is not None and bool(message.effect or message.remedy)


def escaped(text: str) -> str:
    """As reStructuredText that shows the very characters."""
    plain = " ".join(text.split())
    return re.sub(r"_(?=\W|$)", r"\\_", re.sub(r"([\\*`|])", r"\\\1", plain))
