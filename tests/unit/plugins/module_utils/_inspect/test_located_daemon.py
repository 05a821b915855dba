# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
from typing import Iterator

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import located_daemon, undeclared
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths, processes, units
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.access_lists import let_in, needs_acl

SHOWN = """\
MainPID=0
LoadState=loaded
ActiveState=inactive
Environment=SLURM_JWT=daemon SLURM_CONF={root}/etc/slurm.conf
ExecStart={{ path={root}/current/sbin/slurmrestd ; argv[]={root}/current/sbin/slurmrestd $OPTIONS ; ignore_errors=no }}
"""


class Prefix:
    """A Slurm of its own below a folder, with a link to the release that is in use."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.sbin = root / "24.11.5/sbin"
        for folder in (self.sbin, root / "24.11.5/bin", root / "etc"):
            folder.mkdir(parents=True)
        for name in ("slurmctld", "slurmdbd", "slurmrestd", "slurmd"):
            # A program that runs until it is ended, by the name of the daemon.
            shutil.copy("/bin/sleep", self.sbin / name)
        shutil.copy("/bin/true", root / "24.11.5/bin/scontrol")
        (root / "current").symlink_to("24.11.5")
        for name in ("slurm.conf", "slurmdbd.conf"):
            (root / "etc" / name).write_text("ClusterName=lab\n")
            (root / "etc" / name).chmod(0o644)
        self.conf = str(root / "etc/slurm.conf")

    def bin(self, name: str) -> str:
        return str(self.root / "current" / name)


@pytest.fixture(name="prefix")
def _prefix(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Prefix:
    monkeypatch.setattr(install_paths, "USUAL_BIN_DIRS", (str(tmp_path / "usual"),))
    # Folders for tests are below one that everybody can write.
    monkeypatch.setattr(located_daemon, "_anybody_writes", lambda path: False)
    return Prefix(tmp_path / "opt")


@pytest.fixture(name="slurmctld")
def _slurmctld(prefix: Prefix) -> Iterator[located_daemon.LocatedDaemon]:
    with subprocess.Popen([prefix.bin("sbin/slurmctld"), "60"], env={"SLURM_CONF": prefix.conf}) as started:
        process = None
        while process is None or not process.command:
            process = processes.inspect(started.pid)
        yield located_daemon.locate("slurmctld", "slurmctld", process=process)
        started.kill()


def test_a_daemon_is_known_by_the_link_that_it_was_started_by(
    prefix: Prefix, slurmctld: located_daemon.LocatedDaemon
) -> None:
    assert slurmctld.program == prefix.bin("sbin/slurmctld")
    assert slurmctld.conf == prefix.conf
    assert slurmctld.process is not None and slurmctld.process.program == str(prefix.sbin / "slurmctld")


def test_a_process_by_another_name_is_not_believed() -> None:
    myself = processes.inspect(os.getpid())
    assert myself is not None and myself.program == os.path.realpath(sys.executable)
    assert located_daemon.locate("slurmctld", "slurmctld", process=myself).program is None


def test_a_unit_that_does_not_run_says_what_it_would_start(prefix: Prefix) -> None:
    unit = units.parse(SHOWN.format(root=prefix.root))[0]
    assert unit.program == prefix.bin("sbin/slurmrestd")
    found = located_daemon.locate("slurmrestd", "slurmrestd", unit)
    assert (found.program, found.conf) == (prefix.bin("sbin/slurmrestd"), prefix.conf)


def test_only_services_of_the_system_are_believed(tmp_path: pathlib.Path) -> None:
    """A user can start a process by any name, but puts none into the control group of a service."""
    for number, (name, groups) in enumerate(
        (
            ("slurmctld", "1:name=systemd:/\n0::/user.slice/user-1000.slice/session-3.scope\n"),
            ("slurmctld", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/slurmctld.service\n"),
            ("slurmctld", "12:pids:/system.slice/cron.service\n1:name=systemd:/system.slice/ctld-prod.service\n"),
            ("slurmctld", "0::/system.slice/system-slurm.slice/slurmctld@a.service\n"),
            ("slurmctld", "0::/system.slice/x$(id).service\n"),
            ("slurmdbd", "0::/system.slice/slurmdbd.service\n"),
        ),
        100,
    ):
        folder = tmp_path / "proc" / str(number)
        folder.mkdir(parents=True)
        (folder / "comm").write_text(f"{name}\n")
        (folder / "cgroup").write_text(groups)
    found = list(located_daemon.running("slurmctld", str(tmp_path)))
    assert found == [(102, "ctld-prod"), (103, "slurmctld@a")]


def test_the_file_that_a_build_reads(prefix: Prefix) -> None:
    folder = prefix.root / "24.11.5/lib/slurm"
    folder.mkdir(parents=True)
    (folder / "auth_munge.so").touch()
    assert located_daemon.built_conf(prefix.bin("sbin/slurmctld")) is None
    (folder / "libslurmfull.so").write_bytes(
        b"\x7fELF\0/run/slurm/conf/slurm.conf\0see /etc/slurm.conf\0" + prefix.conf.encode() + b"\0"
    )
    assert located_daemon.built_conf(prefix.bin("sbin/slurmctld")) == prefix.conf
    daemon = _daemon("node", prefix.bin("sbin/slurmd"))
    assert located_daemon.conf(daemon) == prefix.conf
    assert located_daemon.dbd_conf(daemon) == str(prefix.root / "etc/slurmdbd.conf")


def _daemon(component: str, program: str | None, conf: str | None = None) -> located_daemon.LocatedDaemon:
    name = install_paths.DAEMON_OF[component]
    return located_daemon.LocatedDaemon(component, name, name, units.NO_UNIT, None, program, conf)


def test_what_is_named_to_a_person_needs_no_quotes(prefix: Prefix) -> None:
    odd = prefix.root / "{{ lookup('pipe', 'id') }}"
    odd.mkdir()
    (odd / "slurm.conf").touch()
    assert located_daemon.conf(_daemon("slurmctld", None, str(odd / "slurm.conf"))) is None
    assert located_daemon.conf(_daemon("slurmctld", None, f"{prefix.root}/etc/../etc/slurm.conf")) is None
    assert located_daemon.conf(_daemon("slurmctld", None, "/run/slurm/conf/slurm.conf")) is None


def test_what_a_configless_host_has_fetched_is_nobodys_to_declare(prefix: Prefix) -> None:
    cache = prefix.root / "spool/conf-cache"
    cache.mkdir(parents=True)
    (cache / "slurm.conf").touch()
    assert located_daemon.conf(_daemon("node", None, str(cache / "slurm.conf"))) is None
    (prefix.root / "spool/slurm.conf").touch()
    assert located_daemon.conf(_daemon("node", None, str(prefix.root / "spool/slurm.conf"))) is not None


def test_a_place_that_others_can_write(tmp_path: pathlib.Path) -> None:
    (tmp_path / "slurm.conf").touch()
    # Below /tmp, where everybody can.
    assert located_daemon.conf(_daemon("slurmctld", None, str(tmp_path / "slurm.conf"))) is None
    assert not located_daemon.only_root_writes(str(tmp_path / "slurm.conf"))
    assert not located_daemon.only_root_writes("/no/such/file")
    assert located_daemon.only_root_writes("/bin/sh")


@needs_acl
@pytest.mark.skipif(os.geteuid() != 0, reason="wants a folder of root below folders of root")
def test_a_place_that_an_access_control_list_opens_to_others() -> None:
    with tempfile.TemporaryDirectory(dir="/root") as folder:
        os.chmod(folder, 0o755)
        program = pathlib.Path(folder) / "slurmctld"
        program.touch(0o755)
        assert located_daemon.only_root_writes(str(program))
        # The group is root's, and the list lets one more user in.
        let_in(program, user=65534, permissions=6)
        assert stat.S_IMODE(program.stat().st_mode) & 0o020 and not located_daemon.only_root_writes(str(program))
        program.unlink()
        program.touch(0o755)
        let_in(folder, user=65534, permissions=7)
        assert not located_daemon.only_root_writes(str(program))


# What the site has to set


def test_programs_of_a_prefix(prefix: Prefix, slurmctld: located_daemon.LocatedDaemon) -> None:
    found = undeclared.programs([slurmctld], [])
    assert found is not None
    assert found.variable == "slurm_jwt_bin_dirs"
    assert found.value == [prefix.bin("bin"), prefix.bin("sbin")]
    program = prefix.bin("sbin/slurmctld")
    assert found.problem.found == f"slurmctld runs as {program}, and there is none in the usual folders."
    assert not found.usable, "root runs nothing of a folder that others can write"
    for declared in ([prefix.bin("sbin")], [str(prefix.sbin)]):
        assert undeclared.programs([slurmctld], declared) is None


def test_another_slurm_in_the_usual_folders(prefix: Prefix, slurmctld: located_daemon.LocatedDaemon) -> None:
    usual = prefix.root.parent / "usual"
    usual.mkdir()
    (usual / "slurmctld").symlink_to(prefix.sbin / "slurmctld")
    assert undeclared.programs([slurmctld], []) is None, "a link to it is as good"
    (usual / "slurmctld").unlink()
    shutil.copy("/bin/true", usual / "slurmctld")
    found = undeclared.programs([slurmctld], [])
    assert found is not None and f"the one that is found is {usual}/slurmctld" in found.problem.found


def test_an_upgrade_that_moved_the_link_is_no_other_slurm(
    prefix: Prefix, slurmctld: located_daemon.LocatedDaemon
) -> None:
    usual = prefix.root.parent / "usual"
    usual.symlink_to(prefix.root / "current/sbin")
    started_as = slurmctld._replace(program=f"{usual}/slurmctld")
    assert undeclared.programs([started_as], []) is None


def test_configuration_files(prefix: Prefix, slurmctld: located_daemon.LocatedDaemon) -> None:
    found = undeclared.slurm_conf([slurmctld], "/no/slurm.conf")
    assert found is not None and (found.variable, found.value) == ("slurm_jwt_conf_path", prefix.conf)
    assert found.problem.found == f"slurmctld reads {prefix.conf}, and not /no/slurm.conf, which does not exist."
    assert undeclared.slurm_conf([slurmctld], prefix.conf) is None
    slurmdbd = _daemon("slurmdbd", None, prefix.conf)
    assert undeclared.slurm_conf([slurmdbd], "/no/slurm.conf") is None, "slurmdbd reads none"
    found = undeclared.slurmdbd_conf([slurmdbd], "/no/slurmdbd.conf")
    assert found is not None and found.value == str(prefix.root / "etc/slurmdbd.conf")
    # Who was told nothing reads what the build says, and that only counts where there is nothing else.
    assert undeclared.slurm_conf([_daemon("slurmctld", None)], "/no/slurm.conf") is None


def test_the_program_of_slurmrestd(prefix: Prefix) -> None:
    unit = units.parse(SHOWN.format(root=prefix.root))[0]
    daemon = located_daemon.locate("slurmrestd", "slurmrestd", unit)
    found = undeclared.slurmrestd([daemon], undeclared.USUAL_SLURMRESTD, [])
    assert found is not None and found.value == prefix.bin("sbin/slurmrestd")
    assert undeclared.slurmrestd([daemon], prefix.bin("sbin/slurmrestd"), []) is None
    assert undeclared.slurmrestd([daemon], None, []) is None
    other = str(prefix.sbin / "slurmctld")
    assert undeclared.slurmrestd([daemon], other, []) is None, "the site names one, and it is there"
    # The program is declared in bin_dirs, and the unit would be given one that is not there.
    found = undeclared.slurmrestd([_daemon("slurmrestd", None)], "/no/slurmrestd", [prefix.bin("sbin")])
    assert found is not None and found.value == prefix.bin("sbin/slurmrestd")
