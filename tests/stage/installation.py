# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""installation.py OLDER NEWER FOLDER: installs tarballs of the collection as the README says, and uses what it gets.

With the oldest and the newest ansible-core that this machine can run. Everything is below FOLDER.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import galaxy
import yaml
from cores import CONTROLLER, ROOT, controller_of, programs_of

NAME = "hpc.slurm_jwt"
#: ansible-core 2.21 warns that this part of its own has no version.
OF_ANSIBLE_ITSELF = "ansible/_internal/ansible_collections/ansible/_protomatter"
#: It must work with only these.
NEEDED = ("meta", "plugins", "roles", "playbooks")
GROUPS = ("slurmctld", "slurmdbd", "slurmrestd", "slurm_nodes", "slurm_proxy")


class Fault(Exception):
    """What is wrong with the installed collection."""


class Site:
    """A folder with collections, and the programs of one ansible-core."""

    def __init__(self, folder: Path, programs: Path, server: str) -> None:
        self.folder, self.programs, self.server = folder, programs, server
        self.collection = folder / "ansible_collections" / NAME.replace(".", "/")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def run(self, *command: str, folder: Path | None = None) -> str:
        program, *arguments = command
        done = subprocess.run((str(self.programs / program), *arguments), cwd=folder or self.folder, check=False,
                              capture_output=True, text=True, encoding="utf-8", env=self._environment())  # fmt: skip
        if done.returncode:
            raise Fault(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        if re.search(rf"^\[(WARNING|ERROR)\](?!.*{OF_ANSIBLE_ITSELF})", done.stderr, re.M):
            raise Fault(f"{' '.join(command)} warns:\n{done.stderr}")
        return done.stdout

    def version(self) -> str:
        manifest = json.loads((self.collection / "MANIFEST.json").read_text(encoding="utf-8"))
        return str(manifest["collection_info"]["version"])

    def _environment(self) -> Mapping[str, str]:
        # Python must not find this checkout, or it would count as installed.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHONPATH"))}
        return kept | {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder),
            "ANSIBLE_GALAXY_SERVER": self.server,
            "ANSIBLE_NOCOLOR": "1",
        }


def of_readme() -> tuple[list[str], str]:
    """The commands that install the collection by name, and the example of a requirements.yml."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme[readme.index("## Installation"):readme.index("## Use cases")]
    commands = re.findall(r"^```\n(ansible-galaxy .*)\n```$", section, re.M)
    commands += re.findall(r"`(ansible-galaxy collection install -r [^`]*)`", section)
    example = re.search(r"^```yaml\n(.*?)^```$", section, re.M | re.S)
    if len(commands) != 4 or example is None:
        raise Fault(f"The README's section Installation has other commands than expected: {commands}")
    return commands, example[1]


def install(site: Site, older: str, newer: str) -> None:
    """Each command of the README, in an empty folder, or in one with the older release for an upgrade."""
    commands, requirements = of_readme()
    for command in commands:
        shutil.rmtree(site.collection.parents[1], ignore_errors=True)
        (site.folder / "requirements.yml").write_text(requirements, encoding="utf-8")
        if "--upgrade" in command:
            site.run("ansible-galaxy", "collection", "install", f"{NAME}:=={older}")
            if site.version() != older:
                raise Fault(f"{NAME}:=={older} installed {site.version()}")
        site.run(*command.split())
        if site.version() != newer:
            raise Fault(f"{command} installed {site.version()} instead of {newer}")
        print(f"{command}: {site.version()}")
    print(site.run("ansible-galaxy", "collection", "verify", NAME).strip() or "verified")


def strip(site: Site) -> None:
    for path in site.collection.iterdir():
        if path.name not in NEEDED:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def use_playbooks(site: Site, project: Path) -> None:
    """Playbooks by name, and those of the patterns from the project that the platform makes of the tarball."""
    inventory = site.folder / "inventory"
    inventory.write_text("".join(f"[{group}]\nhost\n" for group in GROUPS), encoding="utf-8")
    names = sorted(f"{NAME}.{path.stem}" for path in (site.collection / "playbooks").glob("*.yml"))
    patterns = [str(path.relative_to(project)) for path in sorted(project.glob("extensions/patterns/*/playbooks/*.yml"))
                if not path.name.endswith(".meta.yml")]  # fmt: skip
    if len(names) < 7 or len(patterns) < 2:
        raise Fault(f"The tarball has too few playbooks: {names}, {patterns}")
    for playbook in names + patterns:
        site.run("ansible-playbook", "--inventory", str(inventory), "--syntax-check", playbook, folder=project)
    print(f"{len(names)} playbooks and {len(patterns)} of patterns: their syntax is right")


def read_documentation(site: Site) -> None:
    """ansible-doc finds every module, filter and role, and has a description of each."""
    expected = {
        "module": {path.stem for path in (site.collection / "plugins/modules").glob("*.py")},
        "role": {path.name for path in (site.collection / "roles").iterdir()},
        "filter": set(),
    }
    for kind, names in expected.items():
        listed = json.loads(site.run("ansible-doc", "--type", kind, "--list", "--json", NAME))
        found = {name.removeprefix(f"{NAME}.") for name in listed}
        if not found or (names and found != names):
            raise Fault(f"ansible-doc lists other {kind}s than there are: {sorted(found ^ names)}")
        data = json.loads(site.run("ansible-doc", "--type", kind, "--json", *sorted(listed)))
        pages = re.split(r"^> ", site.run("ansible-doc", "--type", kind, *sorted(listed)), flags=re.M)[1:]
        # The heading has the name, in capitals, or after the kind.
        name = re.compile(rf"{re.escape(NAME)}\.\w+", re.I)
        titles = {match[0].lower() for page in pages if len(page) > 200 and (match := name.search(page))}
        silent = [name for name in listed if not (data[name].get("entry_points") or data[name].get("doc"))]
        if silent or titles != set(listed):
            raise Fault(f"ansible-doc describes some {kind}s only: {silent or sorted(titles ^ set(listed))}")
        print(f"{len(found)} {kind}s: documented")


def introspect(site: Site, folder: Path, project: Path) -> None:
    """ansible-builder reads what an execution environment needs, and the pattern's definition of one."""
    tools = Site(folder, Path(sys.executable).parent, site.server)
    found = yaml.safe_load(tools.run("ansible-builder", "introspect", str(site.folder)))
    needed = (site.collection / "meta/ee-requirements.txt").read_text(encoding="utf-8").split()
    if found != {"python": [f"{package}  # from collection {NAME}" for package in needed], "system": []}:
        raise Fault(f"ansible-builder introspect finds {found}, not {needed}")
    definitions = sorted(project.glob("extensions/patterns/*/execution_environments/*.yml"))
    if not definitions:
        raise Fault("The tarball has no definition of an execution environment.")
    for definition in definitions:
        tools.run("ansible-builder", "create", "--file", str(definition), "--context", str(folder / "context"))
    print(f"ansible-builder introspect: {', '.join(needed)}; {len(definitions)} definition makes a build context")


def main(older: Path, newer: Path, folder: Path) -> None:
    project = folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    with tarfile.open(newer) as archive:
        archive.extractall(project, filter="data")
    versions = [galaxy.manifest(tarball)["version"] for tarball in (older, newer)]
    cores = [core for core in CONTROLLER if controller_of(core)]
    with galaxy.serve([older, newer]) as server:
        for core in (cores[0], cores[-1]):
            print(f"-- ansible-core {core}")
            site = Site(folder / core, programs_of(core), server)
            install(site, *versions)
            introspect(site, folder / "builder", project)
            read_documentation(site)
            strip(site)
            use_playbooks(site, project)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: installation.py OLDER NEWER FOLDER")
    try:
        main(*(Path(argument).resolve() for argument in sys.argv[1:]))
    except Fault as fault:
        sys.exit(f"installation.py: {fault}")
