# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the HTML documentation in .work/docs/html: guides, reference, releases, benchmarks and changelog.

Neither the build nor a page fetches anything. Fails for a warning that is not in KNOWN, for an entry of KNOWN without a
warning, for a page that loads something from elsewhere, and for a missing page or heading to which the README or an
alert rule links. If this machine has a browser, it takes pictures of three pages, in .work/docs/pictures.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import browser

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".work"
SITE = WORK / "docs"
PAGES, HTML, WARNINGS = SITE / "source", SITE / "html", SITE / "warnings.txt"
PICTURES = SITE / "pictures"
GUIDES = sorted(str(guide.relative_to(ROOT)) for guide in (ROOT / "docs/docsite/rst").glob("*.rst"))
LINKING = ("README.md", "roles/slurm_jwt_tokens/files/prometheus_rules.yml")

#: Regular expression of a warning -> why it stays.
KNOWN = {
    "undefined label: '(action_plugins|common_return_values)'": "antsibull-docs links every module to docs.ansible.com",
    r"undefined label: 'ansible_collections\.ansible\.builtin\.\w+'": "modules of ansible-core are on docs.ansible.com",
}


def run(*command: object, folder: Path = ROOT, collections: Path = WORK / "collections") -> None:
    """Shows what a command prints only if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder, env={
        **os.environ,
        "PATH": f"{WORK}/venv/bin:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        # antsibull-docs leaves a log at home.
        "HOME": str(WORK / "home"),
    })  # fmt: skip
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}docs: {command[0]} failed.")


def write_sources() -> None:
    """Everything that Sphinx reads."""
    shutil.rmtree(SITE, ignore_errors=True)
    (WORK / "home").mkdir(exist_ok=True)
    shutil.copytree(ROOT / "docs/site", PAGES)
    for page in ("releases", "matrix", "benchmarks", "dashboard", "soak"):
        shutil.copy(ROOT / f"docs/{page}.md", PAGES)
    for picture in ("report.png", "benchmark_nodes.svg"):
        shutil.copy(ROOT / "docs" / picture, PAGES)
    write_reference(PAGES / "reference", copy_with_changelog())


def copy_with_changelog() -> Path:
    """The folder with a copy of the collection, whose changelog has the fragments that belong to no release yet."""
    folder = SITE / "copy"
    run("tests/stage/clean-copy", folder)
    copy = folder / "ansible_collections/hpc/slurm_jwt"
    if any((copy / "changelogs/fragments").glob("*.yml")):
        run("antsibull-changelog", "release", "--update-existing", folder=copy, collections=folder)
    return folder


def without_internal(index: str) -> str:
    """The index without plugins whose description begins with [INTERNAL]. Their pages stay, as others link to them."""
    entry = re.compile(r"^\* :ansplugin:`(\w+) (\w+) <.* -- \[INTERNAL\] .*\n", re.M)
    for name, kind in entry.findall(index):
        index = index.replace(f"    {name}_{kind}\n", "")
    return entry.sub("", index)


def write_reference(folder: Path, collections: Path) -> None:
    """Modules, roles, filters, guides and changelog, as antsibull-docs writes them."""
    folder.mkdir()
    # antsibull-docs refuses a folder that others can write to.
    folder.chmod(0o755)
    run("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", folder,
        "hpc.slurm_jwt", collections=collections)
    # No plugin has environment variables.
    (folder / "environment_variables.rst").unlink()
    changelog = folder / "changelog.rst"
    text, headings = re.subn(r"^=+\nHpc\.Slurm\\_Jwt Release Notes\n=+$", "=========\nChangelog\n=========",
                             changelog.read_text(encoding="utf-8"), flags=re.M)
    changelog.write_text(re.sub(r"^- .* - \\?\[INTERNAL.*\n", "", text, flags=re.M), encoding="utf-8")
    index = folder / "index.rst"
    text = index.read_text(encoding="utf-8")
    # The front page has the collection's name and lists the guides.
    title = "Modules, roles and filters"
    text, titles = re.subn(r"^Hpc\.Slurm_Jwt\n=+$", f"{title}\n{'=' * len(title)}", text, flags=re.M)
    text, guides = re.subn(r"^Guides\n-+\n\n\.\. toctree::\n(?:    .*\n|\n)+", "", text, flags=re.M)
    text = without_internal(text)
    if (headings, titles, guides) != (1, 1, 1):
        sys.exit("docs: antsibull-docs writes its pages differently than before. Adapt write_reference in this file.")
    index.write_text(text, encoding="utf-8")
    # The theme has a table of contents beside each page, and shows an error where a page has another one.
    for page in folder.rglob("*.rst"):
        text = page.read_text(encoding="utf-8")
        page.write_text(re.sub(r"^\.\. contents::.*\n(?:   +:.*\n)*", "", text, flags=re.M), encoding="utf-8")


def unknown_warnings() -> list[str]:
    """Sphinx's warnings that are not in KNOWN, and entries of KNOWN without one."""
    warnings = [line.replace(f"{PAGES}/", "") for line in WARNINGS.read_text(encoding="utf-8").splitlines() if line]
    known = {pattern: [line for line in warnings if re.search(pattern, line)] for pattern in KNOWN}
    unknown = [line for line in warnings if not any(line in lines for lines in known.values())]
    print(f"docs: {len(warnings)} warnings, {len(warnings) - len(unknown)} of them known")
    stale = [f"No warning matches {pattern!r}. Remove it from KNOWN." for pattern, lines in known.items() if not lines]
    return unknown + stale


def foreign_resources() -> list[str]:
    """Pages that load something from elsewhere."""
    loads = re.compile(r"<(?:script|img|iframe|link(?=[^>]*stylesheet))[^>]*(?:src|href)=\"((?:https?:)?//[^\"]*)")
    return [
        f"{page.relative_to(HTML)} loads {address}."
        for page in sorted(HTML.rglob("*.html")) for address in loads.findall(page.read_text(encoding="utf-8"))
    ]


def refused_contents() -> list[str]:
    """Pages with a table of contents. The theme's style sheet shows an error there."""
    return [
        f"{page.relative_to(HTML)} has a table of contents, which the theme refuses."
        for page in sorted(HTML.rglob("*.html"))
        if re.search(r'<\w+ class="contents\b', page.read_text(encoding="utf-8"))
    ]


def missing_pages() -> list[str]:
    """Pages, and headings on them, that files in LINKING link to and that are not there."""
    documentation = re.search(r"^documentation: (\S+)$", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.M)
    assert documentation
    complaints = []
    for file in (*LINKING, *GUIDES):
        text = (ROOT / file).read_text(encoding="utf-8")
        links = re.findall(re.escape(f"{documentation[1]}/") + r"([\w/.-]+\.html)(?:#([\w-]+))?", text)
        if file in LINKING and not links:
            complaints.append(f"{file} links to no page of the address in galaxy.yml.")
        for page, heading in links:
            path = HTML / page
            if not path.is_file():
                complaints.append(f"{file} links to {page}, which is missing.")
            elif heading and f'id="{heading}"' not in path.read_text(encoding="utf-8"):
                complaints.append(f"{file} links to {page}#{heading}, and that page has no such heading.")
    return complaints


def take_pictures() -> None:
    """What a reader sees of three pages."""
    chosen = browser.find()
    if chosen is None:
        print(f"docs: no pictures of pages, as there is no browser. {browser.HOW_TO_GET}")
        return
    PICTURES.mkdir()
    for page in ("index", "reference/docsite/guide_monitoring", "reference/slurm_jwt_key_module"):
        browser.picture(chosen, HTML / f"{page}.html", PICTURES / f"{Path(page).name}.png", 1280, 900)
    print(f"docs: pictures of three pages in {PICTURES.relative_to(ROOT)}")


def main() -> int:
    write_sources()
    run("sphinx-build", "-q", "-b", "html", "-w", WARNINGS, "-d", SITE / "doctrees", PAGES, HTML)
    complaints = unknown_warnings() + foreign_resources() + refused_contents() + missing_pages()
    for complaint in complaints:
        print(f"docs: {complaint}")
    print(f"docs: {(HTML / 'index.html').relative_to(ROOT)}, {len(list(HTML.rglob('*.html')))} pages")
    take_pictures()
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
