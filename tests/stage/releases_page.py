# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes docs/releases.md from the table that the modules use."""

from __future__ import annotations

import importlib.util
import pathlib
import re
import sys
import types

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "plugins/module_utils/_slurm/releases.py"
PAGE = ROOT / "docs" / "releases.md"

# The releases that every change is tested on, and where they come from.
TESTED = (
    ("20.11.4", "Debian 11"),
    ("22.05.8", "Debian 12"),
    ("24.11.5", "Debian 13"),
    ("26.05.5", "Debian sid"),
)

HEAD = """\
# Slurm's releases and JWT

<!-- Written by tests/stage/pages.py from plugins/module_utils/_slurm/releases.py. Change it there. -->

What each release of Slurm can do with JWT, and what it refuses. Modules and roles use this table, and
`hpc.slurm_jwt.slurm_jwt_info` returns it for a host's release as `capabilities`. Every change is tested on the releases
at the top of the columns. The column *Since* applies to the others.
"""


def load(path: pathlib.Path = SOURCE) -> types.ModuleType:
    """The module with the table, imported without the collection."""
    spec = importlib.util.spec_from_file_location("releases", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no Python module.")
    module = importlib.util.module_from_spec(spec)
    # NamedTuple searches here for the names in its annotations.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def page(table: types.ModuleType) -> str:
    """The whole page."""
    return "\n".join([HEAD, *capabilities(table), "", "## Versions of the REST API", "", *rest_versions(table), ""])


def capabilities(table: types.ModuleType) -> list[str]:
    """A line for each capability."""
    tested = [table.parse(name) for name, _where in TESTED]
    heads = [f"{name}<br>{where}" for name, where in TESTED]
    lines = [row(["Capability", "Since", *heads, "What it is"]), row(["---", "---", *[":-:"] * len(tested), "---"])]
    for entry in table.CAPABILITIES:
        marks = ["yes" if table.has(release, entry.name) else "no" for release in tested]
        lines.append(row([f"`{entry.name}`", span(entry), *marks, markdown(entry.summary)]))
    return lines


def span(entry: object) -> str:
    """The releases that have it."""
    since, until = entry.since, entry.until  # type: ignore[attr-defined]
    return f"{short_name(since)} until {short_name(until)}" if until else short_name(since)


def short_name(release: object) -> str:
    """21.08 rather than 21.08.0, as in Slurm's own documentation."""
    return re.sub(r"\.0$", "", str(release)) if release else "always"


def rest_versions(table: types.ModuleType) -> list[str]:
    """A line for each tested release."""
    lines = [row(["Slurm", "`/slurm/…`", "`/slurmdb/…`"]), row(["---"] * 3)]
    for name, _where in TESTED:
        release = table.parse(name)
        versions = [", ".join(table.rest_versions(release, slurmdb)) for slurmdb in (False, True)]
        lines.append(row([name, *versions]))
    return lines


def markdown(text: str) -> str:
    """A summary with Ansible's markup as Markdown, in one cell of a table."""
    return re.sub(r"[CV]\(([^)]*)\)", r"`\1`", text).replace("|", "\\|")


def row(cells: list[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"
