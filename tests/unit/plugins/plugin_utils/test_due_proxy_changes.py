# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role of the proxy would change, by an inspection of real files: each thing that differs is named, alone."""

from __future__ import annotations

import copy
import os
import pwd

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.proxy import description
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.due_proxy_changes import due_proxy_changes

UNIT = {"active": "active", "enabled": "enabled", "needs_reload": False, "inaccessible": []}
TEXT = "{\n    \"name\": \"ä\"\n}\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of the role belong to root")


@pytest.fixture(name="place")
def _place(tmp_path):
    (tmp_path / "policy.json").write_text(TEXT, encoding="utf-8")
    (tmp_path / "policy.json").chmod(0o640)
    (tmp_path / "unit").write_text("[Unit]\n", encoding="utf-8")
    (tmp_path / "unit").chmod(0o644)
    (tmp_path / "link").symlink_to(tmp_path / "unit")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder").chmod(0o755)
    (tmp_path / "certificate").write_text("")
    return tmp_path


def inspected(place, **members):
    return {
        "files": [description(str(place / name), True) for name in ("policy.json", "unit", "link", "folder")],
        "site_files": [description(str(place / "certificate"))],
        "units": [{**UNIT, "unit": "nginx.service"}, {**UNIT, "unit": "verifier.socket"}],
        "packages": ["nginx"],
        "user": {"home": "/nonexistent", "shell": "/usr/sbin/nologin"},
        "other_programs": 0,
        "listens": [],
        "loaded": ["nginx.service"],
        "passwords_usable": True,
        **members,
    }


def due(place, found):
    return due_proxy_changes(
        found,
        files=[
            {"texts": {str(place / "policy.json"): TEXT}, "mode": "0640"},
            {"texts": {str(place / "unit"): "[Unit]\n"}},
        ],
        folders=[str(place / "folder")],
        links={str(place / "link"): str(place / "unit")},
        present=[str(place / "certificate")],
        units=["verifier.socket", "nginx.service"],
        own_units=["verifier.socket"],
        watched_units=["nginx.service"],
        packages=["nginx"],
        user={"home": "/nonexistent", "shell": "/usr/sbin/nologin"},
        has_passwords=True,
    )


def test_nothing_is_due(place):
    assert due(place, inspected(place)) == []


@pytest.mark.parametrize("found", [None, {}])
def test_without_an_inspection_everything_is_due(place, found):
    assert due(place, found) == ["the proxy was not inspected"]


def other_owner(path):
    os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)


def other_group(path):
    os.chown(path, -1, pwd.getpwnam("nobody").pw_gid)


def replaced_by_link(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


DAMAGE = {
    "content": ("policy.json", lambda path: path.write_text(TEXT.replace("ä", "a"), encoding="utf-8")),
    "mode": ("policy.json", lambda path: path.chmod(0o644)),
    "set-uid": ("unit", lambda path: path.chmod(0o4644)),
    "owner": ("unit", other_owner),
    "group": ("policy.json", other_group),
    "missing": ("unit", lambda path: path.unlink()),
    "behind a link": ("policy.json", replaced_by_link),
    "folder's mode": ("folder", lambda path: path.chmod(0o777)),
    "folder's owner": ("folder", other_owner),
    "link elsewhere": ("link", lambda path: (path.unlink(), path.symlink_to("/dev/null"))),
    "no link": ("link", lambda path: (path.unlink(), path.write_text("[Unit]\n"))),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_each_file_that_differs(place, name):
    file, damage = DAMAGE[name]
    damage(place / file)
    assert due(place, inspected(place)) == [f"{place / file} differs"]


def test_what_the_site_has_is_missing(place):
    (place / "certificate").unlink()
    assert due(place, inspected(place)) == [f"{place / 'certificate'} is missing"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"packages": []}, "the package nginx is missing"),
        ({"user": None}, "the verifier's user differs"),
        ({"user": {"home": "/nonexistent", "shell": "/bin/sh"}}, "the verifier's user differs"),
        ({"other_programs": 1}, "there are other programs in the verifier's folder"),
        ({"passwords_usable": False}, "the password file cannot be used"),
        ({"passwords_usable": None}, "the password file cannot be used"),
        ({"loaded": ["verifier.socket"]}, "nginx.service has not loaded its files"),
    ],
)
def test_each_other_thing_that_differs(place, members, words):
    assert due(place, inspected(place, **members)) == [words]


@pytest.mark.parametrize(
    ("unit", "member", "value", "words"),
    [
        ("nginx.service", "active", "failed", ["nginx.service is failed"]),
        ("verifier.socket", "active", "", ["verifier.socket is not loaded"]),
        ("nginx.service", "enabled", "disabled", ["nginx.service is disabled"]),
        ("nginx.service", "enabled", "", ["nginx.service is not enabled"]),
        ("verifier.socket", "needs_reload", True, ["systemd has not read verifier.socket"]),
        # The server's own unit is the distribution's.
        ("nginx.service", "needs_reload", True, []),
    ],
)
def test_units(place, unit, member, value, words):
    found = inspected(place)
    next(each for each in found["units"] if each["unit"] == unit)[member] = value
    assert due(place, found) == words


def test_a_unit_that_was_not_inspected(place):
    found = inspected(place)
    del found["units"][0]
    assert due(place, found) == ["nginx.service was not inspected"]


def test_files_of_another_group(place):
    group = pwd.getpwnam("nobody").pw_gid
    os.chown(place / "policy.json", -1, group)
    some = {"texts": {str(place / "policy.json"): TEXT}, "mode": "0640", "group": group_name(group)}
    found = copy.deepcopy(inspected(place))
    assert due_proxy_changes(found, files=[some]) == []
