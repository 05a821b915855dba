# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import mmap
import os
import pathlib
import subprocess
import sys
import time

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import processes, units

# What systemctl of systemd 257 printed for three units, the last of them unknown.
SHOWN = """\
MainPID=411
User=slurm
Environment=
EnvironmentFiles=/etc/default/slurmctld (ignore_errors=yes)
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/usr/lib/systemd/system/slurmctld.service
DropInPaths=/etc/systemd/system/slurmctld.service.d/a.conf /etc/systemd/system/slurmctld.service.d/b.conf
UnitFileState=enabled
NeedDaemonReload=no

MainPID=0
User=
Environment=SLURM_JWT=daemon "OTHER=a b"
EnvironmentFiles=/etc/default/slurmrestd (ignore_errors=yes)
EnvironmentFiles=/etc/environment (ignore_errors=no)
LoadState=loaded
ActiveState=failed
SubState=failed
FragmentPath=/usr/lib/systemd/system/slurmrestd.service
DropInPaths=
UnitFileState=disabled
NeedDaemonReload=yes

MainPID=0
LoadState=not-found
ActiveState=inactive
SubState=dead
NeedDaemonReload=no
"""


def test_units_are_told_apart() -> None:
    slurmctld, slurmrestd, unknown = units.parse(SHOWN)
    assert slurmctld == units.Unit(
        load="loaded",
        active="active",
        sub="running",
        enabled="enabled",
        pid=411,
        user="slurm",
        slurm_jwt=False,
        environment_files=("/etc/default/slurmctld",),
        files=(
            "/usr/lib/systemd/system/slurmctld.service",
            "/etc/systemd/system/slurmctld.service.d/a.conf",
            "/etc/systemd/system/slurmctld.service.d/b.conf",
        ),
        needs_reload=False,
    )
    assert slurmrestd.slurm_jwt
    assert slurmrestd.environment_files == ("/etc/default/slurmrestd", "/etc/environment")
    assert slurmrestd.needs_reload
    assert slurmctld.exists and slurmrestd.exists and not unknown.exists


def test_a_unit_in_use_is_enabled_or_has_been_started() -> None:
    slurmctld, slurmrestd, unknown = units.parse(SHOWN)
    assert slurmctld.in_use
    assert slurmrestd.in_use, "a failed unit was meant to run"
    assert not unknown.in_use
    assert not slurmrestd._replace(active="inactive").in_use
    assert slurmrestd._replace(active="inactive", enabled="enabled-runtime").in_use


def test_no_systemd_no_units() -> None:
    assert units.parse("") == []
    assert not units.NO_UNIT.exists


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("SLURM_JWT=daemon", True),
        ("A=1 SLURM_JWT=x", True),
        ('"SLURM_JWT=a b"', True),
        ("MY_SLURM_JWT=x", False),
        ("A=SLURM_JWT", False),
        ("SLURM_JWT_X=1", False),
    ],
)
def test_environment_of_a_unit(value: str, expected: bool) -> None:
    assert units.parse(f"Environment={value}\n")[0].slurm_jwt is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SLURM_JWT=abc\n", True),
        ("PATH=/bin\n  export SLURM_JWT = x", True),
        ("SLURM_JWT=", True),
        ("# SLURM_JWT=abc\n", False),
        ("XSLURM_JWT=abc\n", False),
        ("SLURM_JWT_KEY=abc\n", False),
        ("", False),
    ],
)
def test_files_of_variables(tmp_path: pathlib.Path, text: str, expected: bool) -> None:
    path = tmp_path / "environment"
    path.write_text(text)
    assert processes.sets_slurm_jwt(str(path)) is expected


def test_a_missing_file_sets_nothing(tmp_path: pathlib.Path) -> None:
    assert processes.sets_slurm_jwt(str(tmp_path / "none")) is False


@pytest.fixture(name="child")
def _child(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    code = getattr(request, "param", "import sys; print('up', flush=True); sys.stdin.read()")
    environment = {**os.environ, "SLURM_JWT": "secret-token"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout and process.stdin
        process.stdout.readline()
        yield process
        process.stdin.close()


def test_a_process_that_runs(child: subprocess.Popen[bytes]) -> None:
    before = time.time()
    found = processes.inspect(child.pid)
    assert found is not None
    assert found.pid == child.pid
    assert found.uid == os.geteuid()
    assert 0 <= before - found.started < 30
    assert found.command[:2] == (sys.executable, "-c")
    assert found.slurm_jwt is True
    assert found.replaced is False
    assert "secret-token" not in repr(found)


def test_the_start_of_a_process_stays_the_same(child: subprocess.Popen[bytes]) -> None:
    looks = [processes.inspect(child.pid) for _attempt in range(5)]
    starts = [found.started for found in looks if found]
    assert len(starts) == 5
    assert max(starts) - min(starts) < 0.01


def test_a_process_without_the_variable() -> None:
    with subprocess.Popen(["sleep", "30"], env={"PATH": os.environ["PATH"], "NOT_SLURM_JWT": "1"}) as process:
        deadline = time.time() + 5
        while (found := processes.inspect(process.pid)) and found.name != "sleep" and time.time() < deadline:
            time.sleep(0.01)
        process.kill()
    assert found is not None
    assert found.slurm_jwt is False


def test_no_such_process() -> None:
    assert processes.inspect(2**22 + 1) is None


def fake_process(root: pathlib.Path, pid: int, comm: str = "slurmctld") -> pathlib.Path:
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    fields = ["S", "1", *(["0"] * 17), "100", *(["0"] * 30)]
    (folder / "stat").write_text(f"{pid} ({comm}) {' '.join(fields)}\n")
    (folder / "comm").write_text(f"{comm[:15]}\n")
    (folder / "status").write_text(f"Name:\t{comm}\nUid:\t0\t64030\t64030\t64030\nGid:\t0\t0\t0\t0\n")
    (folder / "environ").write_bytes(b"PATH=/bin\0XSLURM_JWT=1\0")
    (folder / "cmdline").write_bytes(b"/usr/sbin/slurmctld\0--systemd\0")
    return folder


def test_the_effective_user_counts_and_names_may_hold_brackets(tmp_path: pathlib.Path) -> None:
    fake_process(tmp_path, 7, "odd) (name")
    found = processes.inspect(7, str(tmp_path))
    assert found is not None
    assert (found.name, found.uid, found.slurm_jwt) == ("odd) (name", 64030, False)
    assert found.command == ("/usr/sbin/slurmctld", "--systemd")


@pytest.mark.parametrize(
    ("command", "environment", "expected"),
    [
        (b"slurmctld\0--systemd\0", b"PATH=/bin\0", None),
        (b"slurmctld\0-D\0-f\0/a/slurm.conf\0", b"SLURM_CONF=/b/slurm.conf\0", "/a/slurm.conf"),
        (b"slurmctld\0-f/a/slurm.conf\0-D\0", b"", "/a/slurm.conf"),
        (b"slurmctld\0-Df\0/a/slurm.conf\0", b"SLURM_CONF=/b/slurm.conf\0", "/a/slurm.conf"),
        (b"slurmctld\0-D\0", b"A=1\0SLURM_CONF=/b/slurm.conf\0Z=1\0", "/b/slurm.conf"),
        (b"slurmctld\0-D\0", b"MY_SLURM_CONF=/b/slurm.conf\0", None),
        (b"slurmctld\0-f\0", b"", None),
    ],
)
def test_the_file_that_a_daemon_was_told_to_read(
    tmp_path: pathlib.Path, command: bytes, environment: bytes, expected: str | None
) -> None:
    folder = fake_process(tmp_path, 7)
    (folder / "cmdline").write_bytes(command)
    (folder / "environ").write_bytes(environment)
    found = processes.inspect(7, str(tmp_path))
    assert found is not None
    assert found.conf == expected


def test_an_unreadable_environment_is_unknown(tmp_path: pathlib.Path) -> None:
    (fake_process(tmp_path, 7) / "environ").unlink()
    found = processes.inspect(7, str(tmp_path))
    assert found is not None
    assert found.slurm_jwt is None


def test_a_program_that_was_upgraded(tmp_path: pathlib.Path) -> None:
    (fake_process(tmp_path, 7) / "exe").symlink_to("/usr/sbin/slurmctld (deleted)")
    found = processes.inspect(7, str(tmp_path))
    assert found is not None
    assert found.replaced


def test_a_mapped_key_is_recognised(tmp_path: pathlib.Path) -> None:
    key = tmp_path / "jwt_hs256.key"
    key.write_bytes(os.urandom(32))
    mine = os.getpid()
    assert processes.mapping(mine, str(key)) == "absent"
    with open(key, "rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
    try:
        assert processes.mapping(mine, str(key)) == "current"
        link = tmp_path / "link"
        link.symlink_to(key)
        assert processes.mapping(mine, str(link)) == "current"

        aside, other = tmp_path / "aside", tmp_path / "other"
        os.link(key, aside)
        other.write_bytes(os.urandom(32))
        other.rename(key)
        assert processes.mapping(mine, str(key)) == "replaced"

        # A rotation that finds its way back: the very file is there again, though the kernel calls it deleted.
        aside.rename(key)
        assert processes.mapping(mine, str(key)) == "current"
        other.write_bytes(os.urandom(32))
        other.rename(key)
        assert processes.mapping(mine, str(key)) == "replaced"
    finally:
        mapped.close()
    assert processes.mapping(mine, str(key)) == "absent"


def test_a_copy_of_its_own_is_told_from_the_file(tmp_path: pathlib.Path) -> None:
    key = tmp_path / "jwt_hs256.key"
    key.write_bytes(os.urandom(32))
    with open(key, "rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)
    assert processes.mapping(os.getpid(), str(key)) == "copied"
    mapped.close()


def test_a_mapped_file_with_a_longer_name_is_another(tmp_path: pathlib.Path) -> None:
    longer = tmp_path / "jwt_hs256.key.old"
    longer.write_bytes(os.urandom(32))
    (tmp_path / "jwt_hs256.key").write_bytes(os.urandom(32))
    with open(longer, "rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
    assert processes.mapping(os.getpid(), str(tmp_path / "jwt_hs256.key")) == "absent"
    mapped.close()


@pytest.mark.parametrize(
    ("same_device", "same_inode", "expected"),
    [(True, True, "current"), (True, False, "replaced"), (False, False, "current"), (False, True, "current")],
)
def test_a_file_that_another_host_replaced(
    tmp_path: pathlib.Path, same_device: bool, same_inode: bool, expected: str
) -> None:
    key = tmp_path / "jwt.key"
    key.write_bytes(b"x")
    found = key.stat()
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev) + (not same_device):02x}"
    inode = found.st_ino + (not same_inode)
    folder = fake_process(tmp_path, 7)
    lines = [f"7f00-7f01 r--s 00000000 {device} {inode}     {key}", "7f02-7f03 r--p 0 0:0 0"]
    (folder / "maps").write_text("\n".join(lines))
    assert processes.mapping(7, str(key), str(tmp_path)) == expected
    key.unlink()
    assert processes.mapping(7, str(key), str(tmp_path)) == "replaced"


def test_what_the_kernel_does_not_say_is_unknown() -> None:
    assert processes.mapping(2**22 + 1, "/etc/passwd") == "unknown"


@pytest.mark.parametrize("cgroup", ["sys/fs/cgroup/system.slice", "sys/fs/cgroup/systemd/system.slice"])
def test_the_main_process_of_a_unit(tmp_path: pathlib.Path, cgroup: str) -> None:
    fake_process(tmp_path, 41, "slurmstepd")
    fake_process(tmp_path, 42, "slurmd")
    folder = tmp_path / cgroup / "slurmd.service"
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").write_text("41\n42\n")
    assert processes.main_pid("slurmd", "slurmd", root=str(tmp_path)) == 42
    assert processes.main_pid("slurmd.service", "slurmd", root=str(tmp_path)) == 42
    assert processes.main_pid("other", "slurmd", root=str(tmp_path)) == 0


def test_a_pid_file_counts_if_its_process_is_the_daemon(tmp_path: pathlib.Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/slurmd.pid").write_text("42\n")
    assert processes.main_pid("slurmd", "slurmd", ("/run/slurmd.pid",), str(tmp_path)) == 0
    fake_process(tmp_path, 42, "bash")
    assert processes.main_pid("slurmd", "slurmd", ("/run/slurmd.pid",), str(tmp_path)) == 0
    (tmp_path / "proc/42/comm").write_text("slurmd\n")
    assert processes.main_pid("slurmd", "slurmd", ("/run/slurmd.pid",), str(tmp_path)) == 42
    (tmp_path / "run/slurmd.pid").write_text("no number\n")
    assert processes.main_pid("slurmd", "slurmd", ("/run/slurmd.pid",), str(tmp_path)) == 0


def test_how_a_daemon_ended() -> None:
    shown = "LoadState=loaded\nActiveState=failed\nExecMainCode={}\nExecMainStatus={}\n"
    killed, exited, never = (units.parse(shown.format(*how))[0] for how in ((2, 10), (1, 10), (0, 0)))
    assert (killed.signal, killed.ended_as_standby) == (10, True)
    assert (exited.signal, exited.ended_as_standby) == (0, False)
    assert never.signal == 0
