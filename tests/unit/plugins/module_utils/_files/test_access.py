# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import access, paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import acl as file_acl
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.access_lists import let_in, needs_acl

DAEMON = pwd.getpwnam("daemon")
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(name="tree")
def _tree():
    """Not below pytest's own folder, which only its user may enter."""
    folder = tempfile.mkdtemp(dir="/var/tmp")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to others")
@pytest.mark.parametrize("user", [DAEMON, NOBODY], ids=["daemon", "nobody"])
@pytest.mark.parametrize(
    ("uid", "gid", "folder_mode", "file_mode"),
    [
        (0, 0, 0o755, 0o644),
        (0, 0, 0o700, 0o644),
        (0, 0, 0o711, 0o644),
        (0, 0, 0o755, 0o600),
        (0, DAEMON.pw_gid, 0o750, 0o640),
        # The group's bits decide, not those of others.
        (0, DAEMON.pw_gid, 0o705, 0o644),
        (DAEMON.pw_uid, 0, 0o700, 0o400),
        (DAEMON.pw_uid, 0, 0o077, 0o644),
    ],
)
def test_the_kernel_says_the_same(tree, user, uid, gid, folder_mode, file_mode):
    path = os.path.join(tree, "etc", "slurm.conf")
    os.mkdir(os.path.dirname(path))
    with open(path, "w", encoding="ascii") as file:
        file.write("x")
    for each, mode in ((path, file_mode), (os.path.dirname(path), folder_mode)):
        os.chown(each, uid, gid)
        os.chmod(each, mode)
    compare(path, user)


@needs_acl
@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to others")
@pytest.mark.parametrize("user", [DAEMON, NOBODY], ids=["daemon", "nobody"])
@pytest.mark.parametrize(
    ("mode", "entry"),
    [
        (0o600, {"user": NOBODY.pw_uid, "permissions": 4}),
        (0o600, {"group": NOBODY.pw_gid, "permissions": 4}),
        # An entry without permissions denies what everybody else has.
        (0o644, {"user": NOBODY.pw_uid, "permissions": 0}),
        (0o644, {"group": NOBODY.pw_gid, "permissions": 0}),
        (0o644, {"group": NOBODY.pw_gid, "permissions": 2}),
    ],
)
def test_the_kernel_says_the_same_of_a_list(tree, user, mode, entry):
    path = os.path.join(tree, "slurm.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write("x")
    os.chmod(path, mode)
    let_in(path, **entry)
    compare(path, user)


def compare(path, user):
    """Access as computed and as the kernel grants it."""
    tried = subprocess.run(
        ["/bin/cat", path], stdout=subprocess.DEVNULL,
        user=user.pw_uid, group=user.pw_gid, extra_groups=[], stderr=subprocess.DEVNULL, check=False,
    )
    found = access.first_denied(path, access.reader_of(paths.User(user.pw_name, user.pw_uid, user.pw_gid), None))
    assert (found is None) is (tried.returncode == 0)
    assert found in (None, path, os.path.dirname(path))


def test_a_list_decides_before_the_mode():
    acl = file_acl.Acl((file_acl.Grant(True, 7, 4), file_acl.Grant(False, 8, 5)), group=0)
    place = paths.PathInfo("file", False, 0, 9, 0o677, 1, 0.0, 1, acl)
    assert access.allows(place, access.Reader(7, frozenset()), access.READ)
    assert not access.allows(place, access.Reader(7, frozenset([8])), access.EXECUTE)
    assert access.allows(place, access.Reader(6, frozenset([8, 9])), access.EXECUTE)
    # The owning group has nothing behind the mask, although others have everything.
    assert not access.allows(place, access.Reader(6, frozenset([9])), access.READ)
    assert access.allows(place, access.Reader(6, frozenset()), access.READ)


def test_a_user_and_a_group_that_are_not_there_yet():
    assert access.reader_of(None, None) == (-1, frozenset())
    assert access.reader_of(None, 8) == (-1, frozenset([8]))
    assert access.gid_named("daemon") == DAEMON.pw_gid
    assert access.gid_named("4711") == 4711
    assert access.gid_named("no such group") is None
