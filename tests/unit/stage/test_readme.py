# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""README, galaxy.yml and docsite links agree. Galaxy and Automation Hub do not resolve relative links."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
REPOSITORY, DOCUMENTATION = GALAXY["repository"], GALAXY["documentation"]
README = (ROOT / "README.md").read_text(encoding="utf-8")

#: Made by the release.
CHANGELOG = "CHANGELOG.md"

#: What the page of the HTML documentation is made from (tests/stage/site.py).
SOURCES = {
    r"/reference/docsite/(\w+)\.html": "docs/docsite/rst/{}.rst",
    r"/(releases|benchmarks|dashboard|soak)\.html": "docs/{}.md",
}


def targets(markdown: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)", markdown) + re.findall(r"^\[[^\]]+\]: (\S+)$", markdown, re.M)


def is_valid(address: str) -> bool:
    """Whether it leads to something that is there: a page, a file of the repository, the list of issues."""
    if address in (REPOSITORY, DOCUMENTATION, GALAXY["issues"]):
        return True
    if address.startswith(f"{REPOSITORY}/blob/main/"):
        path = address[len(f"{REPOSITORY}/blob/main/"):]
        return path == CHANGELOG or (ROOT / path).is_file()
    for pattern, source in SOURCES.items():
        if page := re.fullmatch(re.escape(DOCUMENTATION) + pattern, address):
            return (ROOT / source.format(page[1])).is_file()
    return False


def tracked() -> list[Path]:
    """The files that are part of the collection or of its documentation."""
    names = subprocess.run(
        ("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        cwd=ROOT, check=True, capture_output=True, text=True, encoding="utf-8",
    ).stdout  # fmt: skip
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def test_galaxy_yml_has_all_addresses_below_one() -> None:
    assert GALAXY["homepage"] == REPOSITORY
    assert GALAXY["issues"] == f"{REPOSITORY}/issues"
    assert f"{REPOSITORY}/docs" == DOCUMENTATION


def test_every_link_of_the_readme_is_a_full_address() -> None:
    found = targets(README)
    assert len(found) > 20
    assert [target for target in found if not target.startswith("https://")] == []


def test_every_reference_of_the_readme_is_defined_once_and_used() -> None:
    defined = re.findall(r"^\[([^\]]+)\]: ", README, re.M)
    used = re.findall(r"\]\[([^\]]+)\]", README)
    assert len(defined) == len(set(defined))
    assert set(defined) == set(used)


def test_addresses_of_the_collection_are_valid_wherever_they_stand() -> None:
    address = re.compile(re.escape(REPOSITORY) + r"[\w./-]*")
    found = {
        (str(path.relative_to(ROOT)), link.rstrip("."))
        for path in tracked()
        if path.suffix in (".md", ".yml", ".rst", ".json", ".py") and path != Path(__file__)
        for link in address.findall(path.read_text(encoding="utf-8", errors="replace"))
    }
    files = {file for file, link in found}
    assert files.issuperset({"README.md", "galaxy.yml", "docs/docsite/links.yml"})
    assert sorted(one for one in found if not is_valid(one[1])) == []


def test_docsite_links_are_those_of_galaxy_yml() -> None:
    links = yaml.safe_load((ROOT / "docs/docsite/links.yml").read_text(encoding="utf-8"))
    own = [link["url"] for link in links["extra_links"]]
    assert own
    assert [url for url in own if not is_valid(url)] == []
    forums = [forum["url"] for forum in links["communication"]["forums"]]
    assert forums
    assert [url for url in forums if f"({url})" not in README] == []


@pytest.mark.parametrize(
    "address",
    ["{}/blob/main/docs/none.md", "{}/docs/reference/docsite/guide_none.html", "{}/wiki", "{}/blob/other/README.md"],
)
def test_an_address_that_leads_nowhere_is_found(address: str) -> None:
    assert not is_valid(address.format(REPOSITORY))


def test_the_version_to_install_is_the_one_of_galaxy_yml() -> None:
    named = re.findall(r"(?:hpc\.slurm_jwt:==|^    version: )([\d.]+)$", README, re.M)
    assert named == [GALAXY["version"]] * 2


def internal(module: Path) -> bool:
    return "[INTERNAL]" in module.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("Playbook", {path.stem for path in (ROOT / "playbooks").glob("*.yml")}),
        ("Role", {path.name for path in (ROOT / "roles").iterdir()}),
        ("Module", {path.stem for path in (ROOT / "plugins/modules").glob("*.py") if not internal(path)}),
    ],
)
def test_the_tables_of_the_readme_have_everything(kind: str, names: set[str]) -> None:
    table = README[README.index(f"\n| {kind} | "):].split("\n\n", 1)[0]
    assert sorted(re.findall(r"^\| `hpc\.slurm_jwt\.(\w+)` \|", table, re.M)) == sorted(names)


@pytest.mark.parametrize(
    "heading",
    ["Description", "Requirements", "Installation", "Use cases", "Testing", "Contributing", "Support", "Release notes",
     "Related information", "License"],
)  # fmt: skip
def test_the_readme_has_the_sections_of_certified_collections(heading: str) -> None:
    assert f"\n## {heading}\n" in README
