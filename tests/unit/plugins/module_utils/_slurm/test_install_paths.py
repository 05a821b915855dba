# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths


def program(path: pathlib.Path, mode: int = 0o755) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        (["slurmctld"], ["slurmctld", "slurmd", "slurmrestd"]),
        (["node"], ["slurmd", "slurmctld", "slurmrestd"]),
        (["node", "slurmctld"], ["slurmctld", "slurmd", "slurmrestd"]),
        (["slurmdbd"], ["slurmdbd", "slurmctld", "slurmd", "slurmrestd"]),
    ],
)
def test_who_is_asked_for_the_release(components: list[str], expected: list[str]) -> None:
    assert install_paths.release_programs(components) == expected


def test_the_folders_of_the_site_come_first(tmp_path: pathlib.Path) -> None:
    usual = program(tmp_path / "usr/sbin/slurmctld")
    own = program(tmp_path / "opt/sbin/slurmctld")
    folders = (str(usual.parent),)
    assert install_paths.find_programs(["slurmctld"], [str(own.parent)], folders) == [str(own)]
    assert install_paths.find_programs(["slurmctld"], [], folders) == [str(usual)]
    assert install_paths.find_programs(["slurmdbd", "slurmctld"], [], folders) == [str(usual)]
    assert install_paths.find_programs(["slurmdbd"], [str(own.parent)], folders) == []
    assert install_paths.find_program("slurmctld", [str(own.parent)]) == str(own)
    assert install_paths.find_program("no-such-program", [str(own.parent)]) is None


def test_what_cannot_be_run_is_no_program(tmp_path: pathlib.Path) -> None:
    program(tmp_path / "a/slurmctld", 0o644)
    (tmp_path / "b/slurmctld").mkdir(parents=True)
    found = program(tmp_path / "c/slurmctld")
    folders = tuple(str(tmp_path / name) for name in "abc")
    assert install_paths.find_programs(["slurmctld"], [], folders) == [str(found)]


def test_a_program_that_nobody_told_us_of(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "odd"))
    assert install_paths.find_elsewhere(["no-such-slurmctld"]) is None
    found = program(tmp_path / "odd/no-such-slurmctld")
    assert install_paths.find_elsewhere(["no-such-slurmctld"]) == str(found)


def plugin(root: pathlib.Path, folder: str, name: str = "auth_munge.so") -> str:
    path = root / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x7fELF")
    return str(path.parent)


@pytest.mark.parametrize(
    "folder", ["usr/lib/x86_64-linux-gnu/slurm-wlm", "usr/lib64/slurm", "usr/lib/slurm", "usr/local/lib/slurm"]
)
def test_usual_folders_of_plugins(tmp_path: pathlib.Path, folder: str) -> None:
    expected = plugin(tmp_path, folder)
    (tmp_path / "usr/lib64/slurm").mkdir(parents=True, exist_ok=True)
    assert install_paths.plugin_dir(None, None, str(tmp_path)) == expected


def test_a_prefix_of_its_own_comes_before_the_usual_folders(tmp_path: pathlib.Path) -> None:
    plugin(tmp_path, "usr/lib64/slurm")
    own = plugin(tmp_path, "opt/slurm-24.11/lib/slurm")
    real = program(tmp_path / "opt/slurm-24.11/sbin/slurmctld")
    (tmp_path / "opt/slurm").symlink_to("slurm-24.11")
    linked = tmp_path / "opt/slurm/sbin/slurmctld"
    assert install_paths.plugin_dir(None, str(real), str(tmp_path)) == own
    assert install_paths.plugin_dir(None, str(linked), str(tmp_path)) == own


def test_named_folders_of_plugins(tmp_path: pathlib.Path) -> None:
    first, second = str(tmp_path / "empty"), plugin(tmp_path, "full", "auth_jwt.so")
    plugin(tmp_path, "usr/lib64/slurm")
    assert install_paths.plugin_dir(f"{first}:{second}", None, str(tmp_path)) == second
    assert install_paths.plugin_dir(first, None, str(tmp_path)) == first, "the site named it, so Slurm uses that"
    assert install_paths.plugin_dir(None, None, str(tmp_path / "nowhere")) is None


def test_libjwt_from_the_linker_cache(tmp_path: pathlib.Path) -> None:
    auth_jwt = tmp_path / "auth_jwt.so"
    auth_jwt.write_bytes(b"\x7fELF\0\0libjwt.so.2\0libc.so.6\0")
    library = tmp_path / "odd/libjwt.so.2"
    library.parent.mkdir()
    library.write_bytes(b"")
    (tmp_path / "etc").mkdir()
    cache = tmp_path / "etc/ld.so.cache"
    cache.write_bytes(b"glibc-ld.so.cache1.1\0libjwt.so.2\0" + str(library).encode() + b"\0libk.so\0/lib/libk.so\0")
    assert install_paths.find_libjwt(str(auth_jwt), str(tmp_path)) == ("libjwt.so.2", str(library))
    library.unlink()
    assert install_paths.find_libjwt(str(auth_jwt), str(tmp_path)) == ("libjwt.so.2", None)


def test_libjwt_beside_the_plugins_folder(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "lib/slurm"
    folder.mkdir(parents=True)
    (folder / "auth_jwt.so").write_bytes(b"libjwt.so.999\0")
    found = install_paths.find_libjwt(str(folder / "auth_jwt.so"), str(tmp_path))
    assert found == ("libjwt.so.999", None)
    (tmp_path / "lib/libjwt.so.999").write_bytes(b"")
    found = install_paths.find_libjwt(str(folder / "auth_jwt.so"), str(tmp_path))
    assert found == ("libjwt.so.999", str(tmp_path / "lib/libjwt.so.999"))


def test_a_plugin_that_names_no_library(tmp_path: pathlib.Path) -> None:
    (tmp_path / "auth_jwt.so").write_bytes(b"\x7fELF")
    assert install_paths.find_libjwt(str(tmp_path / "auth_jwt.so")) is None
    assert install_paths.find_libjwt(str(tmp_path / "none.so")) is None


DPKG = """\
installed slurm-wlm-basic-plugins 24.11.5-4
installed slurmctld 24.11.5-4
config-files slurmdbd 22.05.8-4
not-installed slurm-wlm-jwt-plugin \n"""


def test_installed_packages() -> None:
    assert install_paths.parse_dpkg(DPKG) == {"slurm-wlm-basic-plugins": "24.11.5-4", "slurmctld": "24.11.5-4"}


@pytest.mark.parametrize(
    ("plugin_name", "installed", "expected"),
    [
        (
            "auth_jwt.so",
            {"slurm-wlm-basic-plugins": "24.11.5-4", "slurmctld": "24.11.5-4"},
            ["slurm-wlm-jwt-plugin=24.11.5-4"],
        ),
        ("auth_jwt.so", {"slurmctld": "20.11.4-1"}, ["slurm-wlm-basic-plugins=20.11.4-1"]),
        (
            "auth_jwt.so",
            {"slurmrestd": "22.05.8-4"},
            ["slurm-wlm-basic-plugins=22.05.8-4", "slurm-wlm-jwt-plugin=22.05.8-4"],
        ),
        ("rest_auth_jwt.so", {"slurmrestd": "22.05.8-4"}, ["slurm-wlm-basic-plugins=22.05.8-4"]),
        # Installed and yet not there: to install it would not mend that.
        ("auth_jwt.so", {"slurm-wlm-basic-plugins": "24.11.5-4", "slurm-wlm-jwt-plugin": "24.11.5-4"}, []),
        ("rest_auth_jwt.so", {"slurm-wlm-basic-plugins": "24.11.5-4"}, []),
        ("auth_jwt.so", {"slurm-smd": "24.11.5-1", "slurmctld": "24.11.5-4"}, []),
        ("auth_jwt.so", {}, []),
    ],
)
def test_the_package_that_brings_a_plugin(plugin_name: str, installed: dict[str, str], expected: list[str]) -> None:
    assert install_paths.missing_packages(plugin_name, installed) == expected


PLUGIN = "/usr/lib/x86_64-linux-gnu/slurm-wlm/auth_jwt.so"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"slurm-wlm-jwt-plugin: {PLUGIN}\n", "slurm-wlm-jwt-plugin"),
        (f"slurm-smd:amd64: {PLUGIN}\n", "slurm-smd"),
        (f"one, other: {PLUGIN}\n", "one"),
        (f"diversion by site from: {PLUGIN}\ndiversion by site to: {PLUGIN}.distrib\na: {PLUGIN}\n", "a"),
        (f"a: {PLUGIN}.distrib\n", None),
        ("", None),
    ],
)
def test_the_package_that_a_file_belongs_to(text: str, expected: str | None) -> None:
    assert install_paths.parse_dpkg_search(text, PLUGIN) == expected


def test_the_package_that_a_file_belongs_to_by_rpm() -> None:
    assert install_paths.parse_rpm_owner("slurm 24.11.5-1.el9\n") == ("slurm", "24.11.5-1.el9")
    assert install_paths.parse_rpm_owner(f"file {PLUGIN} is not owned by any package\n") is None
    assert install_paths.parse_rpm_owner("") is None


@pytest.mark.parametrize(
    ("tools", "command"),
    [
        (["apt-get"], "apt-get install --reinstall slurm=1.0-2"),
        (["dnf", "yum"], "dnf reinstall slurm"),
        (["yum"], "yum reinstall slurm"),
        (["zypper"], "zypper install --force slurm=1.0-2"),
        ([], "reinstall the package slurm, version 1.0-2"),
    ],
)
def test_the_command_that_puts_files_back(tmp_path: pathlib.Path, tools: list[str], command: str) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    for tool in tools:
        (tmp_path / "usr/bin" / tool).touch()
    assert install_paths.reinstall(install_paths.Package("slurm", "1.0-2"), str(tmp_path)) == command


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("__init__.py", "__version__ = '1.7.1'\n", "1.7.1"),
        ("__init__.py", 'from .api import x\n\n__version__ = "2.10.1"\n', "2.10.1"),
        ("__about__.py", '__version__: str = "43.0.0"\n', "43.0.0"),
        ("__init__.py", "from ._version import version\n", None),
    ],
)
def test_versions_of_python_libraries(tmp_path: pathlib.Path, file: str, text: str, expected: str | None) -> None:
    (tmp_path / "jwt").mkdir()
    (tmp_path / "jwt" / file).write_text(text)
    assert install_paths.python_library("jwt", [str(tmp_path / "other"), str(tmp_path)]) == expected


def test_a_library_that_is_not_there(tmp_path: pathlib.Path) -> None:
    assert install_paths.python_library("jwt", [str(tmp_path)]) is None


def test_the_library_that_runs_this_test() -> None:
    pytest.importorskip("jwt")
    import sys

    import jwt

    assert install_paths.python_library("jwt", sys.path) == jwt.__version__
