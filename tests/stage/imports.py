# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages of the plugins may import which, and a graph of their imports.

imports.py          prints the graph, for Mermaid; tests/stage/pages.py writes it into CONTRIBUTING.md
imports.py --check  fails unless all imports are absolute, go downwards in LAYERS, and have no cycle
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
COLLECTION = "ansible_collections.hpc.slurm_jwt.plugins."

#: Each layer may import those below it, and itself.
LAYERS = (
    ("modules", "action", "filter", "doc_fragments"),
    ("plugin_utils",),
    ("_reports",),
    ("_plans",),
    ("_services",),
    ("_cluster",),
    ("_inventory",),
    ("_observations",),
    ("_timers",),
    ("_inspect",),
    ("_proof",),
    ("_tokens",),
    ("_jwks",),
    ("_keys",),
    ("_conf",),
    ("_slurm",),
    ("_files",),
    ("_time",),
    ("_ansible",),
)
HEIGHT = {package: len(LAYERS) - number for number, layer in enumerate(LAYERS) for package in layer}
#: Modules run on managed hosts, where plugin_utils is missing.
FORBIDDEN = {
    ("modules", package)
    for package in ("plugin_utils", "_reports", "_plans", "_services", "_cluster", "_inventory", "_observations")
}


def modules() -> dict[str, Path]:
    """Name below plugins -> file."""
    return {".".join(path.relative_to(PLUGINS).with_suffix("").parts): path for path in sorted(PLUGINS.rglob("*.py"))}


def package_of(name: str) -> str:
    """The name in LAYERS: modules, _files, plugin_utils, ..."""
    parts = name.split(".")
    return parts[1] if parts[0] in ("module_utils", "plugin_utils") and len(parts) > 2 else parts[0]


def imported(path: Path, known: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """The imports of a file, each with its kind: ours, ansible, relative."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield node.module or ".", "relative"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(COLLECTION):
            base = str(node.module)[len(COLLECTION):]
            for alias in node.names:
                yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base, "ours"
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from ((str(name), "ansible") for name in names if str(name).partition(".")[0] == "ansible")


def graph() -> dict[str, set[tuple[str, str]]]:
    known = modules()
    return {name: set(imported(path, known)) for name, path in known.items()}


def violations(found: dict[str, set[tuple[str, str]]]) -> Iterator[str]:
    """A sentence for each import that is not allowed."""
    for name, others in found.items():
        mine = package_of(name)
        if name.endswith("__init__") and others:
            yield f"{name} imports something. A package's __init__ is empty, so that a module ships only what it needs."
        if mine not in HEIGHT:
            yield f"{name} is in no package of LAYERS."
            continue
        for other, kind in sorted(others):
            its = package_of(other)
            if kind == "relative":
                yield f"{name} imports {other} by a relative name."
            elif kind == "ansible" and name.startswith("module_utils.") and mine != "_ansible":
                yield f"{name} imports {other}. In module_utils only the package _ansible knows Ansible."
            elif kind == "ours" and ((mine, its) in FORBIDDEN or its != mine and HEIGHT[its] >= HEIGHT[mine]):
                yield f"{name} imports {other}, which is not below it."
    yield from (f"A cycle: {' -> '.join(cycle)}." for cycle in cycles(found))


def cycles(found: dict[str, set[tuple[str, str]]]) -> Iterator[list[str]]:
    """Each cycle of imports, once."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> Iterator[list[str]]:
        if name in way:
            yield [*way[way.index(name):], name]
        elif name not in done:
            for other, kind in sorted(found.get(name, ())):
                if kind == "ours":
                    yield from walk(other, [*way, name])
            done.add(name)

    for name in sorted(found):
        yield from walk(name, [])


def picture(found: dict[str, set[tuple[str, str]]]) -> str:
    """The graph of packages, for Mermaid. Leaves out arrows that others imply."""
    edges = {
        (package_of(name), package_of(other))
        for name, others in found.items() for other, kind in others
        if kind == "ours" and package_of(name) != package_of(other)
    }
    direct = [edge for edge in edges if not any((edge[0], by) in edges and (by, edge[1]) in edges for by in HEIGHT)]
    ordered = sorted(direct, key=lambda edge: (-HEIGHT[edge[0]], edge[0], -HEIGHT[edge[1]]))
    return "\n".join(["graph TD", *(f"    {importer} --> {other}" for importer, other in ordered)]) + "\n"


PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "```mermaid\n", "```\n"


def page() -> str:
    """CONTRIBUTING.md with the current graph."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN, 1)
    return f"{before}{BEGIN}{picture(graph())}{END}{rest.split(END, 1)[1]}"


def main(arguments: list[str]) -> int:
    imports = graph()
    if arguments == ["--check"]:
        problems = list(violations(imports))
        print("\n".join(problems) or f"{len(imports)} files: imports are absolute, go downwards, and have no cycle.")
        return 1 if problems else 0
    print(picture(imports), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
