# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import interpreter, packages

# What apt-cache policy of Debian 13 printed; of python3-nosuch it prints nothing.
POLICY = """\
python3-jwt:
  Installed: (none)
  Candidate: 2.10.1-2+deb13u1
  Version table:
     2.10.1-2+deb13u1 500
        500 http://mirror.example.org/debian trixie/main amd64 Packages
slurm-wlm-jwt-plugin:
  Installed: (none)
  Candidate: 24.11.5-4
  Version table:
     24.11.5-4 500
        500 http://mirror.example.org/debian trixie/main amd64 Packages
     24.11.3-2 100
        100 /var/lib/dpkg/status
slurmctld:
  Installed: 24.11.5-4
  Candidate: 24.11.5-4
  Version table:
 *** 24.11.5-4 500
        500 http://mirror.example.org/debian trixie/main amd64 Packages
python3-gone:
  Installed: (none)
  Candidate: (none)
  Version table:
     1.0-1 -1
        100 /var/lib/dpkg/status
"""


def missing(monkeypatch: pytest.MonkeyPatch, tool: str, names: list[str], *answer: object) -> list[str]:
    for name in ("APT_CACHE", "DNF", "YUM", "ZYPPER"):
        monkeypatch.setattr(packages, name, "/bin/sh" if name == tool else "/no/such/tool")
    return packages.unavailable(names, lambda argv: answer)  # type: ignore[arg-type, return-value]


def test_what_apt_has(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        *("python3-jwt", "python3-nosuch", "python3-gone", "slurmctld=24.11.5-4"),
        *("slurm-wlm-jwt-plugin=24.11.5-4", "slurm-wlm-jwt-plugin=24.11.3-2", "slurm-wlm-jwt-plugin=22.05.8-4"),
    ]
    lost = ["python3-nosuch", "python3-gone", "slurm-wlm-jwt-plugin=22.05.8-4"]
    assert missing(monkeypatch, "APT_CACHE", asked, 0, POLICY, "") == lost
    assert missing(monkeypatch, "APT_CACHE", asked, 100, "", "E: no cache") == [], "it has not said so"
    assert missing(monkeypatch, "APT_CACHE", asked[:1], 0, "", "") == ["python3-jwt"], "no list at all"


def test_what_dnf_and_zypper_have(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["python3-jwt"]
    assert missing(monkeypatch, "DNF", names, 1, "", "Error: No matching Packages to list\n") == names
    assert missing(monkeypatch, "YUM", names, 1, "", "No matching packages to list\n") == names
    assert missing(monkeypatch, "DNF", names, 0, "python3-jwt.noarch  2.4.0-1.el9  epel\n", "") == []
    assert missing(monkeypatch, "DNF", names, 1, "", "Error: Failed to download metadata\n") == []
    assert missing(monkeypatch, "ZYPPER", names, 104, "", "") == names
    assert missing(monkeypatch, "ZYPPER", names, 0, "", "") == []
    assert missing(monkeypatch, "none", names, 0, "", "") == []


def test_names_of_packages() -> None:
    assert packages.of_library("pyjwt", "Debian") == packages.of_library("pyjwt", None) == "python3-jwt"
    assert packages.of_library("pyjwt", "Suse") == "python3-PyJWT"
    assert packages.of_library("cryptography", "RedHat") == "python3-cryptography"


def tree(root: pathlib.Path, *folders: str, **links: str) -> str:
    for folder in folders:
        (root / folder).mkdir(parents=True)
    for name, target in links.items():
        path = root / name.replace("__", "/").replace("_", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return str(root)


def test_whom_packages_serve(tmp_path: pathlib.Path) -> None:
    debian = tree(tmp_path / "debian", "usr/lib/python3/dist-packages")
    assert interpreter.is_served([f"{debian}/usr/lib/python3/dist-packages"], debian)
    assert not interpreter.is_served(["/opt/python/lib/python3.11/site-packages"], debian)
    rhel = tree(tmp_path / "rhel", "usr/lib/python3.9/site-packages", "usr/lib/python3.11/site-packages")
    (tmp_path / "rhel/usr/bin").mkdir()
    for name in ("usr/bin/python3.9", "usr/bin/python3.11"):
        (tmp_path / "rhel" / name).touch()
    (tmp_path / "rhel/usr/bin/python3").symlink_to("python3.11")
    assert interpreter.is_served([f"{rhel}/usr/lib/python3.11/site-packages"], rhel)
    # python3 may be one of the newer streams; packages are for the platform's.
    tree(tmp_path / "rhel", usr__libexec__platform_python="../bin/python3.9")
    assert interpreter.distributions(rhel) == "/usr/libexec/platform-python"
    assert interpreter.is_served([f"{rhel}/usr/lib/python3.9/site-packages"], rhel)
    assert not interpreter.is_served([f"{rhel}/usr/lib/python3.11/site-packages"], rhel)
    nothing = tree(tmp_path / "nothing", "usr")
    assert interpreter.distributions(nothing) is None
    assert not interpreter.is_served(["/usr/lib/python3/dist-packages"], nothing)


def test_a_virtual_environment_is_not_served(tmp_path: pathlib.Path) -> None:
    """A real one, asked for its own folders."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    said = subprocess.run(
        [tmp_path / "venv/bin/python", "-c", "import sys; print(*sys.path, sep=chr(10))"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    debian = tree(tmp_path / "debian", "usr/lib/python3/dist-packages")
    assert not interpreter.is_served(said.stdout.splitlines(), debian)
