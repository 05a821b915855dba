# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide "Troubleshooting": no message of the code is missing in it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/stage"))
import troubleshooting_page  # noqa: E402


@pytest.fixture(name="code")
def _code(tmp_path):
    def write(text):
        path = tmp_path / "code.py"
        path.write_text(text)
        return path

    return write


def test_what_a_branch_adds_and_what_it_leaves_out(code):
    path = code('''
def judge(path, missing, names):
    """A docstring. It is no message."""
    remedy = "Mend it."
    if missing:
        remedy += f" Make {path}."
    found, effect = f"{path} has {', '.join(names)}.", "It dies."
    return [Problem(ERROR, "code", "part", path, found, effect, remedy)]
''')
    (message,) = troubleshooting_page.messages_of(path, troubleshooting_page.problem)
    assert message == ("PATH has NAMES.", "It dies.", "Mend it. Or: Mend it. Make PATH.")


def test_a_text_of_several_sentences(code):
    path = code('''
_DO = "Run it again."

def refusals(hosts):
    """A docstring. It is no message."""
    yield "one word"
    return [f"{host}: slurm.conf is broken in version 2.5. " + _DO for host in hosts]
''')
    (message,) = troubleshooting_page.messages_of(path, troubleshooting_page.spoken)
    assert message == ("HOST: slurm.conf is broken in version 2.5.", "", "Run it again.")


def test_every_problem_and_every_role_is_there():
    page = re.sub(r"\s+", " ", troubleshooting_page.page())
    for words in (
        "StateSaveLocation PATH is not a folder.",
        "SLURM_JWT is in the environment of COMPONENT, process PID.",
        "an Include without a file name",
        "Name its unit in COMPONENT_service",
        "Declare its addresses in slurmrestd_listen",
        "SILENT: cannot be reached",
    ):
        assert words in page
    # No placeholder for a text that is handed on, and no text for nobody.
    assert "* - FOUND" not in page
    assert len(re.findall(r"\* - ", page)) > 200


def test_what_reads_as_markup_is_shown_as_it_is():
    assert troubleshooting_page.escaped("a *b* `c` slurm_jwt_ d_e|") == r"a \*b\* \`c\` slurm_jwt\_ d_e\|"


@pytest.mark.parametrize("message", troubleshooting_page.ENDINGS, ids=lambda message: message.found[:40])
def test_last_messages_of_runs_are_those_of_the_code(message):
    """Their words, without values in capitals, are in the code."""
    files = [*ROOT.glob("roles/*/tasks/*.yml"), *(ROOT / "plugins/plugin_utils").rglob("*.py")]
    code = re.sub(r"\s+", " ", "".join(path.read_text(encoding="utf-8") for path in files))
    for words in re.split(r"'?(?:HOST|STEP|FINGERPRINT|PATH|NAME|LINES)S?'?", message.found):
        words = words.strip(" :.")
        assert len(words) < 8 or words in code or words.rstrip("s") in code, words


def test_what_a_run_says_at_its_end_comes_first():
    page = troubleshooting_page.page()
    assert page.index("failed in the step 'STEP'") < page.index("Refusals of a playbook")
    assert "any user of this host can listen" in re.sub(r"\s+", " ", page)
