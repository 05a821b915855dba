# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import signal
from typing import Any

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import auth_alt
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import MISSING, PathInfo, User
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import daemon_problems
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import problems as host_problems
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import processes, units
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.install_paths import Libjwt
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release

DEBIAN_11, DEBIAN_12, DEBIAN_13, DEBIAN_SID = (
    Release(20, 11, 4),
    Release(22, 5, 8),
    Release(24, 11, 5),
    Release(26, 5, 5),
)
SLURM = User("slurm", 64030, 64030)
FILE = PathInfo("file", False, 64030, 64030, 0o400, 32, 0.0, 1)
FOLDER = PathInfo("directory", False, 64030, 64030, 0o755, 4096, 0.0, 1)
UNIT = units.Unit("loaded", "active", "running", "enabled", 7, "slurm", False, (), (), False)
PROCESS = processes.Process(7, "slurmctld", 64030, 1.0, ("/usr/sbin/slurmctld",), False, False, None)


def conf(text: str, kind: str = "slurm") -> Conf:
    path = f"/etc/slurm/{kind}.conf"
    return Conf.load(path, {path: text.encode()}.__getitem__, kind)


def brief(problems: list[host_problems.Problem]) -> list[tuple[str, str]]:
    for problem in problems:
        assert problem.found.strip() and problem.effect.endswith(".") and problem.remedy
        assert not any("None" in text or "  " in text for text in problem[4:]), problem
    return [(problem.severity, problem.code) for problem in problems]


def test_the_worst_comes_first_and_none_twice() -> None:
    info = host_problems.Problem("info", "a", "node", None, "1", "2", "3")
    error = info._replace(severity="error")
    assert host_problems.in_order([info, error, info]) == [error, info]


def test_what_an_edit_fixes_is_only_noted() -> None:
    text = "ClusterName=c\nAuthAltTypes=rest_auth/jwt\nUnheardOf=1\n"
    before = host_problems.conf_lines("slurmctld", conf(text))
    assert brief(before) == [("error", "conf_line"), ("warning", "conf_line")]
    # One line more, so that the problem that stays is on another one.
    mended = conf("# new\nClusterName=c\nAuthAltTypes=auth/jwt\nUnheardOf=1\n")
    after = host_problems.conf_lines("slurmctld", mended)
    left = host_problems.with_fixed_noted(before, after)
    assert brief(left) == [("info", "conf_line"), ("warning", "conf_line")]
    assert left[0].remedy == "A rollout fixes it."


def test_what_an_edit_brings_about_is_told() -> None:
    before = host_problems.conf_lines("slurmctld", conf("ClusterName=c\n"))
    after = host_problems.conf_lines("slurmctld", conf("ClusterName=c\nAuthAltTypes=auth/jwt, auth/jwt\n"))
    assert ("error", "conf_line") in brief(host_problems.with_fixed_noted(before, after))


def test_no_slurm() -> None:
    assert brief(host_problems.no_slurm(["node"], ["slurmd"], [], None)) == [("error", "slurm_missing")]
    found = host_problems.no_slurm(["node"], ["slurmd"], ["/opt/x"], "/opt/slurm/sbin/slurmd")[0]
    assert "/opt/x and the usual folders" in found.found
    assert "There is /opt/slurm/sbin/slurmd" in found.remedy


def test_no_release() -> None:
    assert "its output: none" in host_problems.no_release("node", "/usr/sbin/slurmd", " \n")[0].found
    problems = host_problems.no_release("node", "/usr/sbin/slurmd", "error while loading shared libraries")
    assert brief(problems) == [("error", "release_unknown")]
    assert "shared libraries" in problems[0].found


def test_a_release_that_is_too_old() -> None:
    assert host_problems.release_too_old("slurmctld", DEBIAN_12, ["auth_jwt", "jwks"]) == []
    problems = host_problems.release_too_old("slurmctld", DEBIAN_11, ["jwks", "userclaimfield", "jwks"])
    assert brief(problems) == [("error", "release_too_old")] * 2
    assert problems[0].found == "jwks= needs Slurm 21.08 or later; found 20.11.4."
    assert "ignores" in problems[0].effect
    old = host_problems.release_too_old("node", Release(19, 5), ["auth_jwt"])[0]
    assert "unknown" in old.effect


def test_a_variable_for_everybody() -> None:
    check = host_problems.slurm_jwt_for_all
    problems = check("node", "/etc/environment") + check("node", None)
    assert brief(problems) == [("error", "slurm_jwt_for_all")] * 2
    assert "/etc/environment sets" in problems[0].found
    assert "login that Ansible uses" in problems[1].found


def test_missing_files() -> None:
    assert brief(host_problems.conf_missing("slurmctld", "/c")) == [("error", "conf_missing")]
    assert "/run/slurm/conf" in host_problems.conf_missing("node", "/c")[0].remedy
    assert brief(daemon_problems.dbd_conf_missing("/c")) == [("error", "dbd_conf_missing")]
    assert brief(host_problems.conf_broken("node", "/c", "/c: cannot be read.")) == [("error", "conf_broken")]


def test_everybody_reads_slurm_conf() -> None:
    check = host_problems.slurm_conf_mode
    assert check("node", "/c", FILE._replace(mode=0o644)) == []
    assert brief(check("node", "/c", FILE._replace(mode=0o640))) == [("warning", "conf_unreadable")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ClusterName=c", []),
        ("AuthType=auth/munge", []),
        ("AuthType=munge", []),
        ("AuthType=auth/slurm", []),
        ("AuthType=auth/none", [("warning", "auth_type")]),
        ("AuthType=auth/jwt", [("error", "auth_type")]),
        ("AuthType=jwt", [("error", "auth_type")]),
    ],
)
def test_the_main_authentication(line: str, expected: list[tuple[str, str]]) -> None:
    assert brief(host_problems.auth_type("slurmctld", conf(f"{line}\n"))) == expected


@pytest.mark.parametrize(
    ("value", "release", "expected"),
    [
        ("auth/jwt", DEBIAN_11, []),
        ("auth/jwt,auth/munge", DEBIAN_11, []),
        ("jwt", DEBIAN_13, []),
        ("jwt", DEBIAN_12, [("error", "auth_alt_types")]),
        ("auth/jtw", DEBIAN_13, [("error", "auth_alt_types")]),
        ("auth/jwt,foo", DEBIAN_13, [("error", "auth_alt_types")]),
        ("auth/jwt,'auth/munge'", DEBIAN_13, [("error", "auth_alt_types")]),
        ("munge,auth/jwt", DEBIAN_13, []),
        ("munge,auth/jwt", DEBIAN_12, [("error", "auth_alt_types")]),
        ("auth/jwt,", DEBIAN_13, []),
        # These are for the reader of the file to find.
        ("rest_auth/jwt", DEBIAN_13, []),
        ("'auth/jwt'", DEBIAN_13, []),
    ],
)
def test_members_of_auth_alt_types(value: str, release: Release, expected: list[tuple[str, str]]) -> None:
    problems = host_problems.alt_types("slurmctld", conf(f"AuthAltTypes={value}\n"), release)
    assert brief(problems) == expected
    assert all(problem.path == "/etc/slurm/slurm.conf" for problem in problems)


def test_parameters_that_this_release_ignores() -> None:
    file = conf("AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key=/k,userclaimfield=u,unheard_of\n")
    parameters = auth_alt.read(file, "/k").parameters
    problems = host_problems.alt_parameters("slurmctld", file, parameters, DEBIAN_12)
    assert brief(problems) == [("warning", "parameter_ignored")]
    assert "userclaimfield" in problems[0].found
    assert host_problems.alt_parameters("slurmctld", file, parameters, DEBIAN_13) == []


def test_slurmd_with_a_key() -> None:
    file = conf("SlurmdHttpAuthParameters=jwt_key=/k\n")
    assert brief(host_problems.http_auth("node", file, DEBIAN_SID)) == [("error", "slurmd_loads_key")]
    assert host_problems.http_auth("node", file, DEBIAN_13) == []
    assert host_problems.http_auth("node", conf("ClusterName=c\n"), DEBIAN_SID) == []


def test_places() -> None:
    assert brief(host_problems.key_out_of_place("node", "/k")) == [("warning", "key_out_of_place")]
    assert brief(host_problems.no_room("node", "/etc/slurm is full")) == [("error", "no_room")]


def test_slurm_jwt_in_a_daemon() -> None:
    assert host_problems.environment("slurmd", "slurmd", PROCESS, False, []) == []
    assert host_problems.environment("slurmd", "slurmd", None, False, []) == []
    process, files = PROCESS._replace(slurm_jwt=True), ["/etc/default/slurmd"]
    problems = host_problems.environment("slurmd", "slurmd", process, True, files)
    assert brief(problems) == [("error", "slurm_jwt_in_daemon")] * 3


@pytest.mark.parametrize(
    ("mode", "release", "included", "expected"),
    [
        (0o600, DEBIAN_11, False, []),
        (0o640, DEBIAN_13, False, ["dbd_conf_mode"]),
        (0o640, DEBIAN_SID, False, []),
        (0o640, DEBIAN_SID, True, ["dbd_conf_mode"]),
        (0o400, DEBIAN_SID, False, ["dbd_conf_mode"]),
        (0o644, DEBIAN_11, False, ["dbd_conf_mode"]),
    ],
)
def test_the_mode_of_slurmdbd_conf(mode: int, release: Release, included: bool, expected: list[str]) -> None:
    place = FILE._replace(mode=mode)
    problems = daemon_problems.dbd_conf_attributes("/c", place, SLURM, release, included)
    assert brief(problems) == [("error", code) for code in expected]


def test_the_owner_of_slurmdbd_conf() -> None:
    place = FILE._replace(mode=0o600, uid=0)
    wrong = [("error", "dbd_conf_owner")]
    assert brief(daemon_problems.dbd_conf_attributes("/c", place, SLURM, DEBIAN_13, False)) == wrong
    assert daemon_problems.dbd_conf_attributes("/c", place, SLURM, DEBIAN_SID, False) == []
    assert daemon_problems.dbd_conf_attributes("/c", place, None, DEBIAN_13, False) == []
    other = place._replace(uid=1000)
    assert brief(daemon_problems.dbd_conf_attributes("/c", other, SLURM, DEBIAN_SID, False)) == wrong


def test_slurm_user() -> None:
    assert brief(daemon_problems.no_slurm_user("slurmctld", "slurm")) == [("error", "slurm_user_missing")]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (FOLDER, []),
        (FOLDER._replace(mode=0o700), []),
        (FOLDER._replace(mode=0o770), []),
        (FOLDER._replace(mode=0o770, gid=0), []),
        (FOLDER._replace(mode=0o770, gid=100), [("warning", "state_dir_open")]),
        (FOLDER._replace(mode=0o757), [("warning", "state_dir_open")]),
        (FOLDER._replace(mode=0o1777, uid=0), [("warning", "state_dir_open")]),
        # Slurm's default, and what many sites have.
        (FOLDER._replace(mode=0o755, uid=0, gid=0), []),
        (FOLDER._replace(mode=0o770, uid=0), []),
        (FOLDER._replace(mode=0o755, uid=1000), [("warning", "state_dir_open")]),
        (MISSING, [("info", "state_dir_missing")]),
        (FILE, [("error", "state_dir_no_folder")]),
    ],
)
def test_the_state_folder(place: PathInfo, expected: list[tuple[str, str]]) -> None:
    assert brief(daemon_problems.state_dir("/state", place, SLURM)) == expected


def test_what_is_no_key() -> None:
    def found(place: PathInfo) -> list[host_problems.Problem]:
        return daemon_problems.key_not_a_file("slurmctld", "/k", place, "variable")

    for place in (FOLDER, PathInfo("other", False, 0, 0, 0, 0, 0.0, 0), FILE._replace(is_link=True)):
        assert brief(found(place)) == [("error", "key_not_a_file")]
    assert "a folder" in found(FOLDER)[0].found
    assert "link" in found(MISSING._replace(is_link=True))[0].found
    assert brief(daemon_problems.key_location("slurmctld", "/k", "It is bad.", "variable")) == [("error", "key_place")]
    assert brief(daemon_problems.key_missing("slurmctld", "/k")) == [("warning", "key_missing")]
    for in_force, severity, remedy in ((False, "error", "Move the file away"), (True, "warning", "rotate_now=true")):
        (found,) = daemon_problems.key_weak("slurmctld", "/k", "is weak", in_force)
        assert (found.severity, found.code) == (severity, "key_weak")
        assert remedy in found.remedy
    assert brief(daemon_problems.key_elsewhere("slurmctld", "/k", "/o")) == [("warning", "key_elsewhere")]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (FILE, []),
        (FILE._replace(mode=0o600), []),
        (FILE._replace(uid=0, mode=0o440), []),
        (FILE._replace(mode=0o404), [("error", "key_readable")]),
        (FILE._replace(mode=0o402), [("error", "key_readable")]),
        (FILE._replace(uid=1000), [("warning", "key_owner")]),
        (FILE._replace(uid=0, gid=0), [("info", "key_owner")]),
        (FILE._replace(uid=0, mode=0o400), [("info", "key_owner")]),
    ],
)
def test_who_may_read_the_key(place: PathInfo, expected: list[tuple[str, str]]) -> None:
    assert brief(daemon_problems.key_attributes("slurmctld", "/k", place, SLURM, DEBIAN_13)) == expected


def test_only_later_releases_look_at_the_mode_of_the_key() -> None:
    place = FILE._replace(mode=0o644)
    assert "does not start" in daemon_problems.key_attributes("slurmctld", "/k", place, SLURM, DEBIAN_13)[0].effect
    assert "does not start" not in daemon_problems.key_attributes("slurmctld", "/k", place, SLURM, DEBIAN_12)[0].effect


def test_root_may_read_every_key() -> None:
    root = User("root", 0, 0)
    place = FILE._replace(uid=0, gid=0)
    assert daemon_problems.key_attributes("slurmctld", "/k", place, root, DEBIAN_13) == []


def test_missing_plugins() -> None:
    packages = ["slurm-wlm-jwt-plugin=1"]
    problems = daemon_problems.plugin_missing("slurmctld", "auth_jwt.so", "/p", packages, False)
    assert brief(problems) == [("warning", "plugin_missing")]
    cases = (("/p", True, "rpmbuild --with jwt"), ("/p", False, "--with-jwt"), (None, False, "plugin_dir"))
    for folder, rpm, hint in cases:
        problems = daemon_problems.plugin_missing("slurmctld", "auth_jwt.so", folder, [], rpm)
        assert brief(problems) == [("error", "plugin_missing")]
        assert hint in problems[0].remedy
        assert ("is not in /p" in problems[0].found) is (folder == "/p")
        assert ("plugin_dir" in problems[0].remedy) is (folder is None)
    problems = daemon_problems.plugin_missing("slurmrestd", "rest_auth_jwt.so", "/p", [], False)
    assert "--enable-slurmrestd" in problems[0].remedy


def test_a_plugin_that_a_package_has_lost() -> None:
    problems = daemon_problems.plugin_lost("slurmdbd", "auth_jwt.so", "/p", "plugins", "apt-get install plugins=1")
    assert brief(problems) == [("error", "plugin_lost")]
    assert problems[0].remedy.endswith(": apt-get install plugins=1")


def test_missing_libraries() -> None:
    assert daemon_problems.libjwt_missing("slurmctld", "/p", None) == []
    assert daemon_problems.libjwt_missing("slurmctld", "/p", Libjwt("libjwt.so.2", "/l")) == []
    problems = daemon_problems.libjwt_missing("slurmctld", "/p", Libjwt("libjwt.so.2", None))
    assert brief(problems) == [("warning", "libjwt_missing")]
    assert brief(daemon_problems.pyjwt_missing("slurmctld", "/usr/bin/python3")) == [("info", "pyjwt_missing")]


def test_units() -> None:
    assert daemon_problems.unit("slurmctld", "slurmctld", UNIT, 0) == []
    assert daemon_problems.unit("slurmctld", "slurmctld", UNIT._replace(active="reloading"), 0) == []
    missing = UNIT._replace(load="not-found", active="inactive")
    failed = UNIT._replace(active="failed", sub="failed")
    assert brief(daemon_problems.unit("slurmdbd", "dbd", missing, 0)) == [("error", "unit_missing")]
    assert brief(daemon_problems.unit("slurmdbd", "dbd", failed, 0)) == [("error", "daemon_down")]
    assert brief(daemon_problems.unit("slurmrestd", "restd", failed, 0)) == [("info", "daemon_down")]
    ended = failed._replace(signal=signal.SIGUSR1)
    assert brief(daemon_problems.unit("slurmdbd", "dbd", ended, 0)) == [("warning", "daemon_down")]
    assert brief(daemon_problems.unit("slurmctld", "ctld", ended, 0)) == [("error", "daemon_down")]
    assert brief(daemon_problems.unit("slurmrestd", "restd", missing, 0)) == [("error", "unit_missing")]
    assert "slurmrestd_service" in daemon_problems.unit("slurmrestd", "restd", missing, 0)[0].remedy
    assert "slurm_jwt_slurmdbd_service" in daemon_problems.unit("slurmdbd", "dbd", missing, 0)[0].remedy
    assert "process" not in daemon_problems.unit("slurmdbd", "dbd", missing, 0)[0].found
    for unit in (missing, failed):
        assert "process 99" in daemon_problems.unit("slurmdbd", "dbd", unit, 99)[0].found


def test_processes() -> None:
    assert daemon_problems.replaced_program("slurmctld", PROCESS) == []
    assert daemon_problems.replaced_program("slurmctld", None) == []
    upgraded = daemon_problems.replaced_program("slurmctld", PROCESS._replace(replaced=True))
    assert brief(upgraded) == [("warning", "program_replaced")]
    assert brief(daemon_problems.stale("slurmctld", ["It is old.", "Really."])) == [("info", "daemon_stale")] * 2


def test_a_daemon_that_reads_another_file() -> None:
    assert host_problems.conf_elsewhere("slurmctld", "/etc/slurm/slurm.conf", None) == []
    assert host_problems.conf_elsewhere("slurmctld", "/etc/slurm/slurm.conf", PROCESS) == []
    same = PROCESS._replace(conf="/etc/../etc/slurm/slurm.conf")
    assert host_problems.conf_elsewhere("slurmctld", "/etc/slurm/slurm.conf", same) == []
    other = PROCESS._replace(conf="/opt/slurm/etc/slurm.conf")
    problems = host_problems.conf_elsewhere("slurmctld", "/etc/slurm/slurm.conf", other)
    assert brief(problems) == [("error", "conf_elsewhere")]


def test_slurmrestd_is_not_installed() -> None:
    assert brief(daemon_problems.no_slurmrestd(None)) == [("warning", "slurmrestd_missing")]
    assert "/opt/x" in daemon_problems.no_slurmrestd("/opt/x/slurmrestd")[0].remedy


def test_the_user_of_slurmrestd() -> None:
    assert daemon_problems.slurmrestd_user(None, SLURM) == []
    assert daemon_problems.slurmrestd_user(PROCESS._replace(uid=990), SLURM) == []
    for uid, name in ((0, "root"), (64030, "SlurmUser slurm")):
        problems = daemon_problems.slurmrestd_user(PROCESS._replace(uid=uid), SLURM)
        assert brief(problems) == [("warning", "slurmrestd_user")]
        assert name in problems[0].found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"mode": 0o644, "uid": 0, "gid": 0}, []),
        ({"kind": "missing"}, [("error", "jwks_missing")]),
        ({"kind": "directory"}, [("error", "jwks_missing")]),
        ({"mode": 0o646}, [("error", "jwks_writable")]),
        ({"uid": 0, "gid": 0}, [("error", "jwks_unreadable")]),
    ],
)
def test_a_key_set(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    place = FILE._replace(**changes)
    assert brief(daemon_problems.jwks("slurmdbd", "/jwks", place, SLURM, DEBIAN_13, False)) == expected
    # What the site declares a rollout brings back.
    mended = [("warning", code) for _severity, code in expected]
    assert brief(daemon_problems.jwks("slurmdbd", "/jwks", place, SLURM, DEBIAN_13, True)) == mended


def test_a_user_for_slurmrestd_that_cannot_be():
    root, own = User("toor", 0, 0), User("slurmrestd", 990, 990)
    for name, user in (("root", None), ("toor", root), (SLURM.name, SLURM)):
        assert brief(daemon_problems.slurmrestd_user_declared(name, user, SLURM)) == [("error", "slurmrestd_user")]
    assert daemon_problems.slurmrestd_user_declared("slurmrestd", own, SLURM) == []
    assert daemon_problems.slurmrestd_user_declared("slurmrestd", None, SLURM) == []


def test_an_address_for_slurmrestd_that_is_none():
    (problem,) = daemon_problems.slurmrestd_address(["no such host:6820"], 0)
    assert brief([problem]) == [("error", "slurmrestd_listen")]
    assert "does not resolve on this host" in problem.found
