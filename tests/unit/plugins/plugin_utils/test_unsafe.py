# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from hosts is no template, on this ansible-core and on those before 2.19, whatever is done to it."""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import subprocess
import sys

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.hpc.slurm_jwt.plugins.filter import security
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _unsafe

ROOT = pathlib.Path(__file__).resolve().parents[4]
OLD = ("2.16", "2.17", "2.18")
NEW = ROOT / ".work/sanity/2.21/venv/bin/python"
COLLECTIONS = pathlib.Path(_unsafe.__file__).parents[5]
FILTER_FILES = sorted(path.stem for path in (ROOT / "plugins/filter").glob("*.py"))
DOCUMENTED = sorted(path.stem for path in (ROOT / "plugins/filter").glob("*.yml"))

TEMPLATE = "{{ 1 + 1 }}"
VALUES = [
    TEMPLATE,
    "{% if true %}2{% endif %}",
    [TEMPLATE, [TEMPLATE]],
    {"a": TEMPLATE, TEMPLATE: {"b": [TEMPLATE]}},
    {"a": None, "b": 1.5, "c": True, "d": ""},
]


def templated(value):
    return Templar(loader=DataLoader(), variables={}).template(value)


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_nothing_is_evaluated(value):
    assert templated(_unsafe.mark_unsafe(value)) == value


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_the_value_is_the_same(value):
    assert _unsafe.mark_unsafe(value) == value
    assert json.loads(json.dumps(_unsafe.mark_unsafe(value))) == value


def test_filters_mark_what_they_return():
    def shout(text, mark="!"):
        """Loudly."""
        return [f"{text}{mark}"]

    function = _unsafe.filters(shout=shout)["shout"]
    assert function.__wrapped__ is shout
    assert function.__doc__ == "Loudly."
    assert templated(function("{{ 1 + 1 ", mark="}}")) == ["{{ 1 + 1 }}"]


def test_what_a_filter_raises_comes_through():
    def refuse():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        _unsafe.filters(refuse=refuse)["refuse"]()


def _filters():
    for file in FILTER_FILES:
        module = importlib.import_module(f"ansible_collections.hpc.slurm_jwt.plugins.filter.{file}")
        yield from module.FilterModule().filters().items()


def test_every_filter_marks():
    functions = dict(_filters())
    assert len(functions) > 20
    for name, function in functions.items():
        assert hasattr(function, "__wrapped__"), name


def test_every_filter_is_in_one_file_and_documented():
    assert sorted(name for name, _function in _filters()) == DOCUMENTED
    # Ansible would take such a file for the documentation of a filter.
    assert not set(FILTER_FILES) & set(DOCUMENTED)


def test_an_invalid_declaration_fails_as_a_filter_does():
    function = dict(_filters())["token_services"]
    with pytest.raises(AnsibleFilterError, match="the service web is to be on web1"):
        function([{"name": "web", "hosts": ["web1"]}], "svc1", {"all": ["svc1"]})


# -- results without secrets ------------------------------------------------------------------------------------------


def test_results_lose_their_secrets():
    result = {
        "content": "c2VjcmV0",
        "fingerprint": "SHA256:x",
        "token": "eyJ",
        "results": [{"content": "c2VjcmV0", "path": "/x"}],
        "tokens": [{"name": "web", "token": "eyJ", "claims": {"sun": "alice"}}],
        "none": None,
    }
    found = security.FilterModule().filters()["without_secrets"](result)
    assert found == {
        "content": None,
        "fingerprint": "SHA256:x",
        "token": None,
        "results": [{"content": None, "path": "/x"}],
        "tokens": [{"name": "web", "token": None, "claims": {"sun": "alice"}}],
        "none": None,
    }
    assert "eyJ" not in str(found)


def test_the_tokens_of_a_proof_are_gone():
    # So that nobody takes a proof without tokens for one with tokens that are null.
    found = security.without_secrets({"proven": True, "tokens": {"good": "eyJ", "expired": "eyJ"}})
    assert found == {"proven": True}


@pytest.mark.parametrize("result", [None, "text", 1, [], {}, ["text"]])
def test_results_without_secrets(result):
    assert security.without_secrets(result) == result


# -- ansible-core before 2.19, where text is a template unless it is marked --------------------------------------------

OTHER = """
import json, sys
from ansible.parsing.dataloader import DataLoader
from ansible.release import __version__
from ansible.template import Templar
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _unsafe
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations import shapes
try:
    from ansible.template import trust_as_template as trusted
except ImportError:
    trusted = str

def templated(value):
    return Templar(loader=DataLoader(), variables={"given": value}).template(trusted("{{ given }}"))

values, hostile = json.load(sys.stdin)
told = {"version": __version__}
told["unmarked"] = templated(values[0])
told["marked"] = [templated(_unsafe.mark_unsafe(value)) for value in values]
told["filtered"] = [templated(_unsafe.filters(same=lambda given: given)["same"](value)) for value in values]
told["direct"] = [Templar(loader=DataLoader()).template(_unsafe.mark_unsafe(value)) for value in values]
told["shaped"] = [Templar(loader=DataLoader()).template(shapes.sentence()(text, "")) for text in hostile]
told["lines"] = [Templar(loader=DataLoader()).template(shapes.lines()(text, "")) for text in hostile]
told["sentences"] = [shapes.sentence()(text, "") for text in hostile]
told["lines as shaped"] = [shapes.lines()(text, "") for text in hostile]
json.dump(told, sys.stdout)
"""
HOSTILE = [
    TEMPLATE,
    "{%if true%}2{%endif%}",
    "{#gone#}",
    "{{{{ 1 }}}}",
    "{\n{ 1 + 1 }\n}",
]
# Ansible before 2.19 lets text choose the delimiters that it is a template by.
HEADS = [
    "#jinja2:variable_start_string:'[[',variable_end_string:']]',trim_blocks:('[[ 1 + 1 ]]')x",
    "#jinja2:variable_start_string:'[[',variable_end_string:']]'\n[[ 1 + 1 ]]",
]


def elsewhere(python, hostile):
    """What another ansible-core makes of it."""
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", OTHER],
        input=json.dumps([VALUES, hostile]),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS), "ANSIBLE_HOME": "/tmp"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(name="old", params=OLD)
def _old(request):
    python = ROOT / f".work/sanity/{request.param}/venv/bin/python"
    if not python.exists():
        pytest.skip(f"There is no ansible-core {request.param} here; the stage 'sanity' brings it.")
    return python


def test_before_2_19_nothing_that_is_marked_is_evaluated(old):
    told = elsewhere(old, HOSTILE)
    assert told["version"].startswith(f"{old.parts[-4]}.")
    # Without the mark it is.
    assert str(told["unmarked"]) == "2"
    assert told["marked"] == told["filtered"] == told["direct"] == VALUES


def test_before_2_19_nothing_that_has_a_shape_is_evaluated_even_without_the_mark(old):
    told = elsewhere(old, HOSTILE)
    assert told["shaped"] == told["sentences"]
    assert told["lines"] == told["lines as shaped"]


@pytest.mark.parametrize("head", HEADS, ids=["one line", "two lines"])
def test_before_2_19_no_text_chooses_its_own_delimiters(old, head):
    told = elsewhere(old, [head])
    assert told["shaped"] == told["sentences"]
    assert told["lines"] == told["lines as shaped"]


@pytest.mark.parametrize("python", [sys.executable, NEW], ids=["here", "2.21"])
def test_elsewhere_nothing_is_evaluated(python):
    if not pathlib.Path(python).exists():
        pytest.skip("There is no ansible-core 2.21 here; the stage 'sanity' brings it.")
    told = elsewhere(python, [*HOSTILE, *HEADS])
    assert told["marked"] == told["filtered"] == told["direct"] == VALUES
    assert told["shaped"] == told["sentences"]
    assert told["lines"] == told["lines as shaped"]
