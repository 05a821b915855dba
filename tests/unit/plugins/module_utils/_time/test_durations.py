# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One grammar of durations, and every option that is one reads it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.doc_fragments.durations import ModuleDocFragment
from ansible_collections.hpc.slurm_jwt.plugins.filter import plans
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import key_set_task
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import desired
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time import durations
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens import issue
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import token_timers

ROOT = Path(durations.__file__).parents[3]

READERS = {
    "slurm_jwt_key: max_age": desired._max_age,
    "slurm_jwks: retain": key_set_task._retain,
    "an option of a timer": lambda text: durations.option_seconds("lifespan", text),
    "lifespan of a token": issue.lifespan,
    "min_remaining of a service": lambda text: token_timers._given({"min_remaining": text}, "min_remaining", 0),
}

# What a module or filter imports if it reads a duration, itself or through its package in module_utils.
NAMES_OF_READERS = {
    "duration", "lifespan", "prove", "KeyFile", "KeySetTask", "PresentTokens", "TokenTimers", "JwksTimer",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("1800", 1800), (" 90 ", 90), ("90s", 90), ("30m", 1800), ("12h", 43200), ("7d", 604800),
        ("2w", 1209600), ("1w3d", 864000), ("1d 12h", 129600), ("1 d 12 h", 129600), ("1w1d1h1m1s", 694861),
        ("0w5s", 5), ("36600d", durations.LONGEST),
    ],
)  # fmt: skip
def test_seconds(text: str, seconds: int) -> None:
    assert durations.duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "x", "h", "1800x", "-5", "+5", "1.5h", "1e3", "0x10", "1_000", "30M", "2H", "5 min", "90 days", "1y",
        "3d1w", "1d1d", "1w3", "1 800", "１", "１h", "9" * 11, "infinite", "1h\0",
    ],
)  # fmt: skip
def test_invalid_durations(text: str) -> None:
    with pytest.raises(durations.DurationError, match=r"is not a duration\. Give seconds, or numbers with the units"):
        durations.duration(text)


@pytest.mark.parametrize("text", ["36601d", "9999999999", "9999999999w"])
def test_a_century_is_the_longest(text: str) -> None:
    with pytest.raises(durations.DurationError, match="longer than a century"):
        durations.duration(text)


@given(st.lists(st.integers(0, 99), min_size=5, max_size=5), st.sampled_from(["", " "]))
def test_the_sum_of_its_numbers(numbers: list[int], blank: str) -> None:
    text = blank.join(f"{number}{unit}" for number, unit in zip(numbers, "wdhms"))
    expected = sum(number * size for number, size in zip(numbers, (604800, 86400, 3600, 60, 1)))
    assert durations.duration(text) == expected


@pytest.mark.parametrize("reader", READERS)
def test_every_option_reads_the_same(reader: str) -> None:
    assert [READERS[reader](text) for text in ("864000", "10d", "1w3d", "1w 3d")] == [864000] * 4
    with pytest.raises(Exception, match="'3d1w' is not a duration. Give seconds, or numbers with the units"):
        READERS[reader]("3d1w")


def test_rotation_names_the_variable() -> None:
    with pytest.raises(Exception, match="slurm_jwt_key_max_age: '2H' is not a duration"):
        plans.FilterModule().filters()["rotation_plan"]({}, {}, [], max_age="2H")


def test_the_grammar_is_documented_in_one_wording() -> None:
    (words,) = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["notes"]
    for role in ("slurm_jwt", "slurm_jwt_tokens"):
        spec = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())
        assert words in spec["argument_specs"]["main"]["description"], role


def test_modules_that_read_durations_document_the_grammar() -> None:
    for folder in ("modules", "filter"):
        for path in (ROOT / "plugins" / folder).glob("*.py"):
            text = path.read_text()
            # A file of filters has their documentation beside it.
            pages = [page for page in path.parent.glob("*.yml") if f"{page.stem}=" in text]
            described = text + "".join(page.read_text() for page in pages)
            imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
            reads = bool({name.name for node in imports for name in node.names} & NAMES_OF_READERS)
            assert reads == ("- hpc.slurm_jwt.durations\n" in described), path
