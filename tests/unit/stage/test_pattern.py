# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pattern for Ansible Automation Platform fits the collection, and is what the specification demands."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PATTERN = ROOT / "extensions/patterns/slurm_jwt"

#: Members of a job template: those of the specification, and of the controller's API, which gets them as they are.
TEMPLATE = {"name", "description", "execution_environment", "playbook", "primary", "labels", "survey"} | {
    f"ask_{what}_on_launch" for what in ("inventory", "credential", "verbosity", "job_type", "diff_mode", "limit")
}
QUESTION = {"type", "question_name", "question_description", "variable", "required", "choices", "default"}
TYPES = {"text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def options_of_roles() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in ROOT.glob("roles/*/meta/argument_specs.yml"):
        found.update(load(file)["argument_specs"]["main"]["options"])
    return found


def problems(folder: Path) -> Iterator[str]:
    """What is wrong with a pattern in a folder."""
    pattern = json.loads((folder / "meta/pattern.json").read_text(encoding="utf-8"))
    resources = pattern["aap_resources"]
    templates = resources["controller_job_templates"]
    yield from problems_of_texts(pattern, folder)
    if [template["primary"] for template in templates].count(True) != 1:
        yield "not exactly one primary template"
    playbooks = {path.name for path in folder.glob("playbooks/*.yml")} - {
        path.name for path in folder.glob("playbooks/*.meta.yml")
    }
    if playbooks != {template["playbook"] for template in templates}:
        yield "playbooks and job templates differ"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    environment = resources["controller_execution_environment"]
    for playbook in sorted(playbooks & {template["playbook"] for template in templates}):
        specs = [each.get("survey", {}).get("spec", []) for each in templates if each["playbook"] == playbook]
        yield from problems_of_playbook(folder / "playbooks" / playbook, [each for spec in specs for each in spec])
    for template in templates:
        name = template["name"]
        if unknown := set(template) - TEMPLATE:
            yield f"{name}: unknown {sorted(unknown)}"
        if template["execution_environment"] != environment["name"]:
            yield f"{name}: another execution environment"
        if not set(template["labels"]) <= set(resources["controller_labels"]):
            yield f"{name}: unknown label"
        # Which cluster, and as whom, only the person who launches it knows.
        if not (template["ask_inventory_on_launch"] and template["ask_credential_on_launch"]):
            yield f"{name}: does not ask for inventory and credential"
        if f"| {name} |" not in readme:
            yield f"{name}: not in the README"
    if environment["image_name"] not in readme:
        yield "image is not in the README"


def problems_of_texts(pattern: dict[str, Any], folder: Path) -> Iterator[str]:
    if pattern["name"] != folder.name or not re.fullmatch("[a-z0-9_]{1,64}", pattern["name"]):
        yield "name is not the folder's, or has other characters"
    if len(pattern["title"]) > 64:
        yield "title is too long"
    if pattern["short_description"].endswith("."):
        yield "short description ends with a full stop"
    if not pattern["description"].endswith("."):
        yield "description is no sentence"


def problems_of_playbook(playbook: Path, questions: list[dict[str, Any]]) -> Iterator[str]:
    """A playbook imports the one of its name. Surveys, argument spec and roles have the same variables."""
    imported = [play.get("ansible.builtin.import_playbook") for play in load(playbook)]
    if imported != [f"hpc.slurm_jwt.{playbook.stem}"] or not (ROOT / "playbooks" / playbook.name).is_file():
        yield f"{playbook.name}: does not import a playbook of the collection"
    options = load(playbook.with_suffix(".meta.yml"))["argument_specs"]["main"]["options"]
    of_roles = options_of_roles()
    for name, option in options.items():
        for key in ("type", "default"):
            if option.get(key) != of_roles.get(name, {}).get(key):
                yield f"{playbook.name}: {name} has another {key} than in the role"
    if {question["variable"] for question in questions} != set(options):
        yield f"{playbook.name}: survey and argument spec have other variables"
    for question in questions:
        yield from problems_of_question(question, options.get(question["variable"], {}), playbook.name)


def problems_of_question(question: dict[str, Any], option: dict[str, Any], playbook: str) -> Iterator[str]:
    where = f"{playbook}: {question['variable']}"
    if set(question) - QUESTION or question["type"] not in TYPES:
        yield f"{where}: unknown member or type"
    # The controller sends an empty text for a question that was not answered.
    if not question["required"]:
        yield f"{where}: is not required"
    if "default" in question and question["default"] != str(option.get("default")).lower():
        yield f"{where}: another default"
    # A question with one choice is a confirmation.
    choices = ["false", "true"] if option.get("type") == "bool" else option.get("choices", [])
    if not set(question.get("choices", [])) <= set(choices) or (choices and not question.get("choices")):
        yield f"{where}: other choices than the variable has"


def test_the_pattern_is_valid() -> None:
    assert list(problems(PATTERN)) == []


def test_it_is_the_only_one() -> None:
    assert [path.name for path in PATTERN.parent.iterdir()] == ["slurm_jwt"]


def test_its_execution_environment_has_this_release() -> None:
    definition = load(PATTERN / "execution_environments/execution-environment.yml")
    galaxy = load(ROOT / "galaxy.yml")
    assert definition["version"] == 3
    assert definition["dependencies"]["galaxy"]["collections"] == [
        {"name": "hpc.slurm_jwt", "version": galaxy["version"]}
    ]
    core = load(ROOT / "meta/runtime.yml")["requires_ansible"]
    assert definition["dependencies"]["ansible_core"] == {"package_pip": f"ansible-core{core}"[:-2]}


def test_the_tarball_has_it() -> None:
    assert "extensions/molecule" in load(ROOT / "galaxy.yml")["build_ignore"]
    assert "extensions" not in load(ROOT / "galaxy.yml")["build_ignore"]


def change_first(**members: object) -> Callable[[dict[str, Any]], None]:
    return lambda pattern: pattern["aap_resources"]["controller_job_templates"][0].update(members)


def change_question(**members: object) -> Callable[[dict[str, Any]], None]:
    def change(pattern: dict[str, Any]) -> None:
        templates = pattern["aap_resources"]["controller_job_templates"]
        questions = [question for template in templates for question in template.get("survey", {}).get("spec", [])]
        next(question for question in questions if "choices" in question).update(members)

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda pattern: pattern.update(name="other"), "name is not the folder's"),
        (lambda pattern: pattern.update(title="x" * 65), "title is too long"),
        (change_first(playbook="missing.yml"), "playbooks and job templates differ"),
        (change_first(primary=False), "not exactly one primary"),
        (change_first(ask_inventory_at_launch=True), "unknown"),
        (change_first(ask_inventory_on_launch=False), "does not ask for inventory"),
        (change_first(execution_environment="Other"), "another execution environment"),
        (change_first(labels=["other"]), "unknown label"),
        (change_first(name="Other"), "not in the README"),
        (change_first(survey={"spec": []}), "survey and argument spec"),
        (change_question(choices=["false", "maybe"]), "other choices"),
        (change_question(choices=[]), "other choices"),
    ],
)
def test_a_fault_is_found(tmp_path: Path, change: Callable[[dict[str, Any]], None], problem: str) -> None:
    folder = tmp_path / PATTERN.name
    shutil.copytree(PATTERN, folder)
    file = folder / "meta/pattern.json"
    pattern = json.loads(file.read_text(encoding="utf-8"))
    change(pattern)
    file.write_text(json.dumps(pattern), encoding="utf-8")
    # A playbook that is missing ends the search.
    found = problems(folder)
    assert any(problem in one for one in found)
