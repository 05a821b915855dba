# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of the sandbox. What systemd makes of them is asked in scenarios, see shared/tasks/exposure.yml."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.sandbox import (
    fixed_folder,
    is_hidden,
    quoted,
    sandbox,
)
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.access_lists import let_in, needs_acl


def lines(*arguments: object) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in sandbox(*arguments).splitlines():
        if not line.startswith("#"):
            name, dummy_sep, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_no_core_dump_and_only_required_rights():
    found = lines(["/etc/web"])
    assert (found["LimitCORE"], found["CoredumpFilter"]) == (["0"], ["elf-headers"])
    assert found["CapabilityBoundingSet"] == ["CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER"]
    assert found["SystemCallFilter"] == ["@system-service", "~@resources"]
    assert found["RestrictAddressFamilies"] == ["AF_UNIX AF_INET AF_INET6 AF_NETLINK"]
    assert lines(["/x"], ["CAP_NET_ADMIN"])["CapabilityBoundingSet"][0].endswith(" CAP_FOWNER CAP_NET_ADMIN")


def test_only_the_folders_that_are_named_can_be_written():
    found = lines(["/b c", "/a", "/a", "/50%"])
    assert found["ProtectSystem"] == ["strict"] and found["ReadWritePaths"] == ['"-/50%%" -/a "-/b c"']


@pytest.mark.skipif(os.geteuid() != 0, reason="gives folders to another user")
def test_a_folder_that_another_user_can_replace_is_written_through_the_one_above_it(tmp_path: pathlib.Path):
    folder = tmp_path / "prometheus" / "node-exporter"
    folder.mkdir(parents=True)
    assert fixed_folder(os.fspath(folder)) == os.fspath(folder)
    # The owner of the folder itself cannot replace it.
    os.chown(folder, 65534, 65534)
    assert fixed_folder(os.fspath(folder)) == os.fspath(folder)
    os.chown(folder.parent, 65534, 65534)
    assert fixed_folder(os.fspath(folder)) == os.fspath(folder.parent)
    os.chown(folder.parent, 0, 0)
    folder.parent.chmod(0o775)
    assert fixed_folder(os.fspath(folder)) == os.fspath(folder)
    os.chown(folder.parent, 0, 65534)
    assert fixed_folder(os.fspath(folder)) == os.fspath(folder.parent)
    folder.parent.chmod(0o1777)
    assert fixed_folder(os.fspath(folder)) == os.fspath(folder.parent)
    os.chown(folder, 0, 0)
    assert fixed_folder(os.fspath(folder)) == os.fspath(folder)


@pytest.mark.parametrize(("word", "text"), [("a", "a"), ('a"b\\', '"a\\"b\\\\"'), ("it's", '"it\'s"'), ("%n", '"%%n"')])
def test_words(word, text):
    assert quoted(word) == text


def test_what_is_in_a_folder_for_temporary_files_is_hidden(tmp_path: pathlib.Path):
    assert is_hidden("/tmp/x/token") and is_hidden("/var/tmp/token") and is_hidden("/tmp/../tmp/x")
    assert not is_hidden("/etc/tmp/token") and not is_hidden("/tmpx/token")
    link = tmp_path / "link"
    link.symlink_to("/var/tmp")
    assert is_hidden(os.fspath(link / "token"))


@needs_acl
@pytest.mark.skipif(os.geteuid() != 0, reason="wants folders of root")
def test_a_folder_that_another_user_can_replace_by_an_access_control_list(tmp_path: pathlib.Path):
    folder = tmp_path / "prometheus" / "node-exporter"
    folder.mkdir(parents=True)
    let_in(folder.parent, user=65534, permissions=5)
    assert fixed_folder(os.fspath(folder)) == os.fspath(folder)
    let_in(folder.parent, user=65534, permissions=7)
    assert fixed_folder(os.fspath(folder)) == os.fspath(folder.parent)
