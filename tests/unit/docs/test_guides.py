# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the guides: YAML that can be copied, and options that exist."""

from __future__ import annotations

import importlib.util
import re
import textwrap
from importlib import import_module
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
GUIDES = sorted((ROOT / "docs/docsite/rst").glob("*.rst"))
BLOCK = re.compile(r"^( *)\.\. code-block:: yaml\n(?:\1 +:.*\n)*\n((?:\1   .*\n|\n)+)", re.M)


def examples(guide: Path) -> list[str]:
    return [textwrap.dedent(text) for _language, text in BLOCK.findall(guide.read_text(encoding="utf-8"))]


def tasks(play: dict) -> list[dict]:
    return play.get("tasks", [])


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_yaml_of_a_guide_can_be_read(guide):
    for text in examples(guide):
        assert yaml.safe_load(text) is not None, text


def test_every_guide_is_listed_in_both_tables_of_contents():
    listed = yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text(encoding="utf-8"))["sections"]
    front = re.findall(r"^reference/docsite/(\w+)$", (ROOT / "docs/site/index.md").read_text(encoding="utf-8"), re.M)
    guides = sorted(guide.stem for guide in GUIDES)
    assert sorted(name for section in listed for name in section["toctree"]) == guides
    assert sorted(front) == guides


def test_awx_tasks_have_options_that_exist():
    """Checked against the modules' own documentation, as AWX itself is not available to tests."""
    checked = 0
    plays = [yaml.safe_load(text) for text in examples(ROOT / "docs/docsite/rst/guide_awx.rst")]
    for play in (play for content in plays if isinstance(content, list) for play in content):
        for task in tasks(play):
            for name in (key for key in task if key.startswith("awx.awx.")):
                source = import_module(f"ansible_collections.{name.replace('awx.awx.', 'awx.awx.plugins.modules.')}")
                options = yaml.safe_load(source.DOCUMENTATION)["options"]
                assert set(task[name]) <= set(options), name
                checked += 1
    assert checked == 5


@pytest.mark.parametrize(
    "path",
    [
        "docs/docsite/rst/guide_metrics.rst",
        "roles/slurm_jwt/meta/argument_specs.yml",
        "roles/slurm_jwt_tokens/meta/argument_specs.yml",
    ],
)
def test_what_a_token_for_metrics_can_read(path):
    """The scenario metrics asks slurmctld for both."""
    text = " ".join((ROOT / path).read_text(encoding="utf-8").split()).replace("C(", "``").replace(")", "``")
    assert "an read metrics, and slurmctld's configuration at ``/v0.0.45/conf``, and nothing else" in text


def test_surveys_ask_for_variables_that_exist():
    known = {
        name
        for spec in ROOT.glob("roles/*/meta/argument_specs.yml")
        for entry in yaml.safe_load(spec.read_text(encoding="utf-8"))["argument_specs"].values()
        for name in entry.get("options", {})
    }
    asked = re.findall(r"variable: (\w+)", (ROOT / "docs/docsite/rst/guide_awx.rst").read_text(encoding="utf-8"))
    assert asked and set(asked) <= known


# -- the program that runs the commands of a page ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def page():
    path = ROOT / "extensions/molecule/clients-24.11/page.py"
    spec = importlib.util.spec_from_file_location("page", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("guide", ["guide_quick_start", "guide_clients"])
def test_every_block_says_what_a_test_does_with_it(page, guide):
    found = page.blocks((ROOT / f"docs/docsite/rst/{guide}.rst").read_text(encoding="utf-8"))
    for block in found:
        if block.language == "console" and "host" in block.order:
            assert page.commands(block.text)
    assert sum("reason" not in block.order for block in found) >= 8


def test_block_without_a_comment_is_refused(page):
    with pytest.raises(page.PageError, match="line 3: a code block without a comment"):
        page.blocks("Text.\n\n.. code-block:: console\n\n   $ true\n")


def test_commands_of_several_lines(page):
    text = "$ cat > a <<'EOF'\n$ not a command\nEOF\n$ for a in b; do\n    echo $a\n  done\nb\n# printf \\\n  c\nc\n"
    assert page.commands(text) == [
        page.Command("cat > a <<'EOF'\n$ not a command\nEOF", []),
        page.Command("for a in b; do\n    echo $a\n  done", ["b"]),
        page.Command("printf \\\n  c", ["c"]),
    ]


def test_output_is_compared(page):
    block = page.Block(1, {"host": "a", "user": None, "end": None}, "console", "$ one\njob ... done\n$ two\n")
    page.compare(block, f"\n{page.MARK}0\nfirst\n  job 7 done\n{page.MARK}1\nanything\n")
    with pytest.raises(page.PageError, match="should print 'job ... done'"):
        page.compare(block, f"\n{page.MARK}0\njob 7 failed\n{page.MARK}1\njob 7 done\n")
