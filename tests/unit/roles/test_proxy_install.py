# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy's programs come all at once, as the role runs it: over standard input, the text on the command line."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest
import yaml

ROLE = pathlib.Path(__file__).parents[3] / "roles/slurm_jwt_proxy"
TEXT = (ROLE / "files/install.py").read_text()
PROGRAMS = {"a.py": "print('ä')\n", "b.py": "x = 1\n"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "lib" / "programs"


def install(folder, programs, *words):
    argv = [sys.executable, "-I", "-S", "-c", TEXT, str(folder), *words]
    done = subprocess.run(argv, input=json.dumps(programs), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_all_programs_are_installed_once(folder):
    assert install(folder, PROGRAMS, "check") == ["a.py", "b.py"]
    assert not folder.exists()
    assert install(folder, PROGRAMS) == ["a.py", "b.py"]
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == PROGRAMS
    assert {path.stat().st_mode & 0o7777 for path in [folder, *folder.iterdir()]} == {0o755, 0o644}
    assert install(folder, PROGRAMS) == []


def test_edited_and_old_files(folder):
    install(folder, PROGRAMS)
    (folder / "a.py").write_text("import evil\n")
    (folder / "old.py").write_text("")
    (folder / "b.py.new").write_text("half")
    assert install(folder, PROGRAMS, "check") == ["a.py", "b.py.new", "old.py"]
    assert (folder / "old.py").exists()
    assert install(folder, PROGRAMS) == ["a.py", "b.py.new", "old.py"]
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == PROGRAMS


def test_the_role_installs_all_its_programs():
    names = yaml.safe_load((ROLE / "vars/main.yml").read_text())["slurm_jwt_proxy__program_files"]
    # These two run once, from Ansible.
    others = {"install.py", "probe.py"}
    assert names == sorted({path.name for path in (ROLE / "files").glob("*.py")} - others)


def test_owner_and_mode_are_part_of_a_program(folder):
    install(folder, PROGRAMS)
    (folder / "a.py").chmod(0o666)
    (folder / "b.py").rename(folder / "c.txt")
    (folder / "b.py").symlink_to("c.txt")
    assert install(folder, PROGRAMS, "check") == ["a.py", "b.py"]
    assert install(folder, PROGRAMS) == ["a.py", "b.py"]
    assert not (folder / "b.py").is_symlink()
    assert {(folder / name).stat().st_mode & 0o7777 for name in PROGRAMS} == {0o644}
    assert install(folder, PROGRAMS) == []
