# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inspection of the proxy's host: with real files, the role's own programs, and real grep and systemctl formats."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import packages, proxy
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import units

PROGRAMS = pathlib.Path(__file__).parents[5] / "roles/slurm_jwt_proxy/files"
HASH = "$2b$08$zEQ6HLeUW1/vWMdImvBrT.6iCXQoGONUGX1vA2jC8eO.KPXOIRCN2"
SHOWN = """\
LoadState=loaded
ActiveState=active
UnitFileState=enabled
NeedDaemonReload=no
InaccessiblePaths=-/srv/hidden +/srv/other
ProtectHome=yes

LoadState=not-found
ActiveState=inactive
UnitFileState=
NeedDaemonReload=no
"""


def run(argv):
    """Real programs, but for systemctl, and for the package manager."""
    if argv[0] == "systemctl":
        return 0, SHOWN, ""
    if argv[0] in (packages.DPKG_QUERY, packages.RPM):
        return 1, "installed nginx\nnot-installed gone\nconfig-files apache2\npackage httpd is not installed\n", "none"
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(name="layout")
def _layout(tmp_path):
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("watch.py", "password_file.py"):
        shutil.copy(PROGRAMS / name, folder)
    (tmp_path / "users").write_text(f"alice:{HASH}\n")
    (tmp_path / "server.conf").write_text("server\n")
    watched = {
        "state": str(tmp_path / "state.json"),
        "watched": [{"unit": "nginx.service", "action": "reload", "files": [str(tmp_path / "server.conf")]}],
    }
    (tmp_path / "watched.json").write_text(json.dumps(watched))
    return {
        "files": [str(tmp_path / "server.conf"), *(str(folder / name) for name in ("watch.py", "password_file.py"))],
        "site_files": [str(tmp_path / "users")],
        "units": ["nginx.service", "slurm-jwt-proxy-verifier.socket"],
        "packages": ["nginx", "gone", "apache2", "httpd"],
        "user": "nobody",
        "python": sys.executable,
        "program_folder": str(folder),
        "watched_file": str(tmp_path / "watched.json"),
        "password_file": str(tmp_path / "users"),
        "listens": [str(tmp_path / "apache")],
    }


def test_everything(layout, tmp_path):
    (tmp_path / "apache").mkdir()
    (tmp_path / "apache" / "ports.conf").write_text("Listen 80\n\tlisten 443 https\n# Listen 1\n")
    (tmp_path / "apache" / "slurm_jwt_proxy.conf").write_text("Listen 8443\n")
    found = proxy.inspect(layout, run)
    digest = "SHA256:" + hashlib.sha256(b"server\n").hexdigest()
    assert found["files"][0]["fingerprint"] == digest
    # A file of the site's is not read.
    assert found["site_files"][0]["kind"] == "file"
    assert found["site_files"][0]["fingerprint"] is None
    hidden = ["/srv/hidden", "/srv/other", "/home", "/root", "/run/user"]
    nginx, verifier = found["units"]
    assert nginx == {
        "unit": "nginx.service", "active": "active", "enabled": "enabled", "needs_reload": False, "inaccessible": hidden
    }  # fmt: skip
    assert (verifier["unit"], verifier["active"]) == ("slurm-jwt-proxy-verifier.socket", "inactive")
    assert (verifier["enabled"], verifier["inaccessible"]) == ("", [])
    assert found["packages"] == ["nginx"]
    assert set(found["user"]) == {"home", "shell"}
    assert found["other_programs"] == 0
    assert found["listens"] == ["Listen 80", "listen 443 https"]
    assert found["loaded"] == []
    assert found["passwords_usable"] is True


def test_a_host_without_anything(tmp_path):
    names = ("files", "site_files", "units", "packages", "listens")
    nothing = {**dict.fromkeys(names, []), "user": "no-such-user", "python": "/nonexistent/python3"}
    folders = {"program_folder": str(tmp_path / "none"), "watched_file": "", "password_file": ""}
    found = proxy.inspect({**nothing, **folders}, run)
    assert found == {
        **dict.fromkeys(("files", "site_files", "packages", "listens", "units", "loaded"), []),
        "user": None,
        "other_programs": 0,
        "passwords_usable": None,
    }


def test_what_was_loaded(layout, tmp_path):
    ask = [sys.executable, "-I", "-S", str(PROGRAMS / "watch.py"), layout["watched_file"]]
    state = json.loads(subprocess.run([*ask, "state"], capture_output=True, check=True).stdout)
    digest = state["nginx.service"]["digest"]
    subprocess.run([*ask, "loaded", f"nginx.service={digest}"], check=True)
    assert proxy.inspect(layout, run)["loaded"] == ["nginx.service"]
    (tmp_path / "server.conf").write_text("another\n")
    assert proxy.inspect(layout, run)["loaded"] == []
    (tmp_path / "watched.json").write_text("no JSON")
    assert proxy.inspect(layout, run)["loaded"] == []


class TestVerifier:
    """Files that the role writes, and that a unit loads at its start."""

    UNIT = "slurm-jwt-proxy-verifier.service"

    @pytest.fixture(name="watch")
    def _watch(self, layout, tmp_path):
        for name in ("password", "policy"):
            (tmp_path / name).write_text("one\n")
        followed, written = ([str(tmp_path / name)] for name in ("password", "policy"))
        watched = [{"unit": self.UNIT, "action": "restart", "files": followed, "written": written}]
        state = str(tmp_path / "state.json")
        (tmp_path / "watched.json").write_text(json.dumps({"state": state, "watched": watched}))
        (tmp_path / "bin").mkdir()
        systemctl = tmp_path / "bin" / "systemctl"
        systemctl.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n')
        systemctl.chmod(0o755)

        def watch(*words):
            ask = [sys.executable, "-I", "-S", str(PROGRAMS / "watch.py"), layout["watched_file"], *words]
            subprocess.run(ask, check=True, timeout=20, env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})

        return watch

    def test_what_it_has_started_with(self, layout, tmp_path, watch):
        assert proxy.inspect(layout, run)["loaded"] == []
        watch("starts", self.UNIT)
        assert proxy.inspect(layout, run)["loaded"] == [self.UNIT]
        for name in ("password", "policy"):
            (tmp_path / name).write_text("two\n")
            assert proxy.inspect(layout, run)["loaded"] == []
            watch("starts", self.UNIT)
            assert proxy.inspect(layout, run)["loaded"] == [self.UNIT]

    def test_the_timer_does_not_follow_what_the_role_writes(self, layout, tmp_path, watch):
        watch("starts", self.UNIT)
        (tmp_path / "policy").write_text("two\n")
        watch("follow")
        assert not (tmp_path / "called").exists()
        assert proxy.inspect(layout, run)["loaded"] == []
        (tmp_path / "password").write_text("two\n")
        watch("follow")
        assert f"restart {self.UNIT}" in (tmp_path / "called").read_text()
        assert proxy.inspect(layout, run)["loaded"] == [self.UNIT]

    def test_a_unit_that_is_not_watched(self, layout, watch):
        watch("starts", "other.service")
        assert proxy.inspect(layout, run)["loaded"] == []

    def test_a_lock_of_somebody_else(self, layout, tmp_path, watch):
        watch("starts", self.UNIT)
        (lock,) = tmp_path.glob("*.lock")
        assert lock.stat().st_mode & 0o777 == 0o600
        # What others can open they can lock, and keep locked.
        locked = [os.open(path, os.O_RDONLY) for path in (tmp_path, tmp_path / "state.json", tmp_path / "watched.json")]
        for fd in locked:
            fcntl.flock(fd, fcntl.LOCK_EX)
        (tmp_path / "policy").write_text("two\n")
        watch("starts", self.UNIT)
        assert proxy.inspect(layout, run)["loaded"] == [self.UNIT]
        for fd in locked:
            os.close(fd)

    def test_all_write_at_once(self, layout, tmp_path, watch):
        watched = json.loads((tmp_path / "watched.json").read_text())
        names = [f"unit{number}.service" for number in range(12)]
        watched["watched"] = [{**watched["watched"][0], "unit": name} for name in names]
        (tmp_path / "watched.json").write_text(json.dumps(watched))
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda name: watch("starts", name), names))
        assert sorted(proxy.inspect(layout, run)["loaded"]) == sorted(names)


@pytest.mark.parametrize("output", ["", "null", "[]", '{"a": 1}', '{"a": {}}', "no JSON"])
def test_a_program_that_was_replaced(layout, output):
    def runs(argv):
        return (0, output, "") if argv[-1] == "state" else run(argv)

    assert proxy.inspect(layout, runs)["loaded"] == []


@pytest.mark.parametrize("text", ["", "alice:lab\n", f"alice:{HASH}:x\n", f"alice:{HASH}\nalice:{HASH}\n"])
def test_a_bad_password_file(layout, tmp_path, text):
    (tmp_path / "users").write_text(text)
    assert proxy.inspect(layout, run)["passwords_usable"] is False


def test_no_program_and_no_password_file(layout, tmp_path):
    (tmp_path / "users").unlink()
    assert proxy.inspect(layout, run)["passwords_usable"] is False
    shutil.rmtree(layout["program_folder"])
    assert proxy.inspect(layout, run)["passwords_usable"] is False


def test_other_programs(layout):
    folder = pathlib.Path(layout["program_folder"])
    (folder / "evil.py").write_text("")
    (folder / "watch.py.new").write_text("half")
    (folder / "answers").mkdir()
    assert proxy.inspect(layout, run)["other_programs"] == 2


def test_kinds(tmp_path):
    (tmp_path / "link").symlink_to("/nonexistent")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    kinds = {name: proxy.description(str(tmp_path / name), True)["kind"] for name in ("link", "socket", ".", "none")}
    assert kinds == {"link": "link", "socket": "socket", ".": "directory", "none": "missing"}
    assert proxy.description("/dev/null", True)["kind"] == "other"
    assert proxy.description(str(tmp_path / "link"), True)["target"] == "/nonexistent"


def test_sockets_and_timers_keep_their_names():
    names = ["a.service", "b.socket", "c.timer", "d"]
    assert units.show(names)[-4:] == ["a.service", "b.socket", "c.timer", "d.service"]
