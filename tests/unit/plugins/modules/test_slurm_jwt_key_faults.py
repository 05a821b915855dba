# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a key when many runs want it at once, when somebody watches, and when a run does not come to its end.

Real processes and real files throughout. What needs root or a kernel's permission is skipped without it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import KeyRecord, format_record, parse_record
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.folders import states, temporary_files_in
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.key_runs import (
    NOBODY,
    Run,
    Watcher,
    become_nobody,
    empty,
    environment,
    fill,
    killed_when,
    module_input,
    result_in,
    run,
    small_file_system,
    start,
    together,
)

ROOT = os.geteuid() == 0
OLD = bytes.fromhex("8e0bd5ff1d2b7c6a90e43f5a6677c8b9aa0b1c2d3e4f5061728394a5b6c7d8e9")
MODULE = "ansible_collections.hpc.slurm_jwt.plugins.modules.slurm_jwt_key"
as_root = pytest.mark.skipif(not ROOT, reason="needs root")


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """A folder that everybody may list, as a StateSaveLocation often is; pytest's own lie where only root can look."""
    path = pathlib.Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def in_order(folder: pathlib.Path, names: set[str] | None = None) -> bytes:
    """The one key in this folder, after checking that nothing is open to others and nothing else lies about."""
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o400, path
    assert {path.name for path in folder.iterdir()} == (names or {"key", "key.record"})
    key = (folder / "key").read_bytes()
    assert len(key) == 32
    record = parse_record((folder / "key.record").read_bytes())
    assert record is not None
    assert record.fingerprint == fingerprint(key)
    return key


class TestAllAtOnce:
    def test_a_hundred_processes_make_one_key(self, folder: pathlib.Path) -> None:
        """The module as Ansible runs it. Each process gets ready and waits for its parameters; then all get them."""
        runs = []
        for _number in range(100):
            command = [sys.executable, "-m", MODULE]
            pipe = subprocess.PIPE
            runs.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, env=environment()))
            if _number % 10 == 9:
                wait_until_reading(runs[-10:])
        data = module_input({"path": str(folder / "key"), "serial": "2026-11"})
        for process in runs:
            assert process.stdin is not None
            process.stdin.write(data)
        for process in runs:
            assert process.stdin is not None
            process.stdin.close()
        results = []
        for process in runs:
            assert process.stdout is not None
            results.append(result_in(process.stdout.read().decode()))
            process.stdout.close()
            process.wait()
        check_that_one_was_first(results)
        assert {result["fingerprint"] for result in results} == {fingerprint(in_order(folder))}

    @pytest.mark.parametrize("links", [True, False])
    def test_many_times_over(self, folder: pathlib.Path, links: bool) -> None:
        for _round in range(10):
            prepare = together(folder, None if links else without_links)
            runs = [Run({"path": str(folder / "key"), "serial": "x"}, prepare=prepare) for _number in range(20)]
            start(folder)
            results = [process.result() for process in runs]
            refused = [result for result in results if result.get("failed")]
            # Where there are only locks, who finds the folder locked says so.
            assert not refused or not links
            assert all("no hard links, and another process holds" in result["msg"] for result in refused)
            results = [result for result in results if not result.get("failed")]
            check_that_one_was_first(results)
            in_order(folder)
            empty(folder)

    def test_a_declared_rotation_is_done_once(self, folder: pathlib.Path) -> None:
        run({"path": str(folder / "key"), "serial": "0"})
        for serial in range(1, 11):
            params = {"path": str(folder / "key"), "serial": str(serial), "backup": True}
            runs = [Run(params, prepare=together(folder)) for _number in range(20)]
            start(folder)
            results = [process.result() for process in runs]
            check_that_one_was_first(results)
            (kept,) = (result["backup_file"] for result in results if result["backup_file"])
            os.unlink(kept)
            assert {result["fingerprint"] for result in results} == {fingerprint(in_order(folder))}

    def test_a_key_without_a_record_is_labelled_once(self, folder: pathlib.Path) -> None:
        for _round in range(5):
            have(folder, OLD)
            runs = [
                Run({"path": str(folder / "key"), "serial": "x"}, prepare=together(folder)) for _number in range(20)
            ]
            start(folder)
            results = [process.result() for process in runs]
            check_that_one_was_first(results)
            assert in_order(folder) == OLD
            empty(folder)

    @pytest.mark.parametrize("backup", [False, True])
    def test_those_who_make_and_those_who_remove(self, folder: pathlib.Path, backup: bool) -> None:
        """None fails, and the changes they report add up to what is there in the end."""
        params = {"path": str(folder / "key"), "serial": "x", "backup": backup}
        for _round in range(5):
            runs = [
                Run({**params, "state": ("present", "absent")[number % 2]}, prepare=together(folder))
                for number in range(20)
            ]
            start(folder)
            results = [process.result() for process in runs]
            assert [result["msg"] for result in results if result.get("failed")] == []
            made, removed = (sum(result["changed"] for result in results[first::2]) for first in (0, 1))
            assert made - removed == (folder / "key").exists()
            assert len(list(folder.glob("*.removed"))) == removed * backup
            for kept in folder.glob("*.removed"):
                kept.unlink()
            assert run(params)["changed"] is (made == removed)
            in_order(folder)
            empty(folder)

    def test_forced_replacements_follow_one_another(self, folder: pathlib.Path) -> None:
        run({"path": str(folder / "key")})
        runs = [Run({"path": str(folder / "key"), "force": True}, prepare=together(folder)) for _number in range(20)]
        start(folder)
        results = [process.result() for process in runs]
        assert all(result["changed"] for result in results)
        assert len({result["previous_fingerprint"] for result in results}) == 20
        in_order(folder)

    @pytest.mark.soak
    def test_a_thousand_rounds(self, folder: pathlib.Path) -> None:
        for _round in range(1000):
            runs = [
                Run({"path": str(folder / "key"), "serial": "x"}, prepare=together(folder)) for _number in range(10)
            ]
            start(folder)
            check_that_one_was_first([process.result() for process in runs])
            in_order(folder)
            empty(folder)


def check_that_one_was_first(results: list[dict[str, Any]]) -> None:
    assert [result.get("msg") for result in results if result.get("failed")] == []
    assert sum(result["changed"] for result in results) == 1
    for name in ("fingerprint", "serial", "created"):
        assert len({result[name] for result in results}) == 1, name


def wait_until_reading(processes: list[subprocess.Popen[bytes]]) -> None:
    """Until each waits in read(0, ...), that is, for its parameters; where that cannot be seen, for a second."""
    deadline = time.monotonic() + 20
    for process in processes:
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline:
                if pathlib.Path(f"/proc/{process.pid}/syscall").read_text(encoding="utf-8").startswith("0 0x0 "):
                    break
                time.sleep(0.01)


def without_links() -> None:
    def link(*_args: object, **_options: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    os.link = link  # type: ignore[assignment]


def have(folder: pathlib.Path, data: bytes, serial: str | None = None) -> None:
    (folder / "key").write_bytes(data)
    (folder / "key").chmod(0o400)
    if serial:
        (folder / "key.record").write_bytes(format_record(KeyRecord(serial, int(time.time()), fingerprint(data))))
        (folder / "key.record").chmod(0o400)


class TestWatched:
    """Two processes look at the folder all the time: one must see nothing, and one must see nothing but whole keys."""

    def stranger(self, folder: pathlib.Path) -> list[str]:
        """What a process without privileges got at: anything but the names is too much."""
        found = []
        for name in os.listdir(folder):
            try:
                os.close(os.open(folder / name, os.O_RDONLY))
                found.append(f"could open {name}")
            except (PermissionError, FileNotFoundError):
                pass
            with contextlib.suppress(FileNotFoundError):
                mode = stat.S_IMODE(os.stat(folder / name).st_mode)
                # 0600 is the mode in which a temporary file is born, still without content.
                if mode & 0o077:
                    found.append(f"{name} has mode {mode:04o}")
        return found

    def daemon(self, folder: pathlib.Path) -> list[str]:
        """What a daemon that loads its key at this instant would find amiss."""
        try:
            key = (folder / "key").read_bytes()
            record = (folder / "key.record").read_bytes()
        except FileNotFoundError:
            return []
        wrong = [] if len(key) == 32 else [f"the key has {len(key)} bytes"]
        return wrong if parse_record(record) else [*wrong, "the record is not whole"]

    def watch(self, folder: pathlib.Path, rounds: int, umask: int) -> None:
        with Watcher(folder, self.stranger, become_nobody) as stranger, Watcher(folder, self.daemon) as daemon:
            for number in range(rounds):
                backup = number % 5 == 0
                for params in ({"serial": str(number)}, {"force": True, "backup": backup}):
                    result = run({"path": str(folder / "key"), **params}, prepare=lambda: os.umask(umask))
                    assert result["changed"] is True
                if backup:
                    run({"path": str(folder / "key"), "state": "absent", "backup": True})
                empty(folder)
        assert stranger.found == daemon.found == []
        assert stranger.looks > rounds
        assert daemon.looks > rounds

    @as_root
    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
    def test_while_keys_come_and_go(self, folder: pathlib.Path, umask: int) -> None:
        self.watch(folder, 15, umask)

    @as_root
    @pytest.mark.soak
    def test_while_thousands_come_and_go(self, folder: pathlib.Path) -> None:
        self.watch(folder, 2000, 0)

    @as_root
    def test_while_an_open_key_is_corrected(self, folder: pathlib.Path) -> None:
        """From the moment the owner changes, the new group does not have what the old one had."""

        def look(folder: pathlib.Path) -> list[str]:
            info = (folder / "key").stat()
            granted = info.st_gid == NOBODY and info.st_mode & 0o040
            return ["the new group could read it"] if granted else []

        have(folder, OLD)
        with Watcher(folder, look, lambda: None) as watcher:
            for _round in range(50):
                os.chown(folder / "key", 0, 0)
                (folder / "key").chmod(0o440)
                run({"path": str(folder / "key"), "group": str(NOBODY)})
        assert watcher.found == []

    @as_root
    def test_the_watcher_would_see_it(self, folder: pathlib.Path) -> None:
        have(folder, OLD)
        with Watcher(folder, self.stranger, become_nobody) as stranger, Watcher(folder, self.daemon) as daemon:
            (folder / "key").chmod(0o444)
            (folder / "key.record").write_bytes(b"{")
            time.sleep(0.1)
        assert "could open key" in stranger.found
        assert "the record is not whole" in daemon.found


def by_state(folder: pathlib.Path, number: int) -> Callable[[], bool]:
    """Due when the folder has changed so many times. What is on disk is all that a killed run leaves behind, so this
    is every way in which it can end."""
    last = states(folder)
    changes = 0

    def due() -> bool:
        nonlocal last, changes
        now = states(folder)
        changes += now != last
        last = now
        return changes == number

    return due


def by_stop(_folder: pathlib.Path, number: int) -> Callable[[], bool]:
    """Due at so many entries to or returns from a system call: the same without relying on any thought."""
    stops = 0

    def due() -> bool:
        nonlocal stops
        stops += 1
        return stops == number

    return due


class TestKilled:
    """Each run is killed in the first state it brings about, then in the second, and so on to the last."""

    NEW = {"serial": "new"}

    def every_way_to_die(
        self,
        folder: pathlib.Path,
        params: dict[str, Any],
        begin: Callable[[], None] = lambda: None,
        whole: Callable[[], object] = lambda: None,
        when: Callable[[pathlib.Path, int], Callable[[], bool]] = by_state,
    ) -> int:
        """Calls BEGIN, kills a run, has WHOLE look at what is left, and has another run finish the work.

        The number of ways to die that there were.
        """
        params = {"path": str(folder / "key"), **params}
        number = 0
        while True:
            empty(folder)
            begin()
            number += 1
            if not killed_when(params, when(folder, number)):
                return number - 1
            self.check_what_is_left(folder)
            whole()
            result = run(params)
            assert not result.get("failed"), (number, result)
            for temporary in temporary_files_in(folder):
                os.utime(temporary, (0, 0))
            assert run(params)["changed"] is False
            assert temporary_files_in(folder) == []

    def check_what_is_left(self, folder: pathlib.Path) -> None:
        for path in folder.iterdir():
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode == 0o400 or (mode == 0o600 and path in temporary_files_in(folder) and path.stat().st_size == 0)
        if (folder / "key").exists():
            assert len((folder / "key").read_bytes()) == 32
        if (folder / "key.record").exists():
            assert parse_record((folder / "key.record").read_bytes())

    @pytest.fixture(autouse=True)
    def may_trace(self, folder: pathlib.Path) -> None:
        try:
            killed_when({"path": str(folder / "key"), "state": "absent"}, lambda: True)
        except OSError:
            pytest.skip("may not trace processes here")

    @pytest.fixture(params=[by_state, pytest.param(by_stop, marks=pytest.mark.soak)])
    def when(self, request: pytest.FixtureRequest) -> Callable[[pathlib.Path, int], Callable[[], bool]]:
        return request.param  # type: ignore[no-any-return]

    def test_while_making_a_key(self, folder: pathlib.Path, when: Any) -> None:
        assert self.every_way_to_die(folder, self.NEW, when=when) >= 8
        in_order(folder)

    @pytest.mark.parametrize("backup", [False, True])
    def test_while_replacing_it(self, folder: pathlib.Path, when: Any, backup: bool) -> None:
        seen = set()

        def whole() -> None:
            key = (folder / "key").read_bytes()
            record = parse_record((folder / "key.record").read_bytes())
            assert record is not None
            seen.add((key == OLD, record.fingerprint == fingerprint(OLD), record.fingerprint == fingerprint(key)))
            kept = [path.read_bytes() for path in folder.glob("*.bak")]
            assert not backup or key == OLD or kept == [OLD]

        def begin() -> None:
            have(folder, OLD, "old")

        assert self.every_way_to_die(folder, {**self.NEW, "backup": backup}, begin, whole, when) >= 8
        # The old key with its record; the new one with that of the old one, which counts as none; the new one with its
        # own. Never the old key with the record of the new one: a rotation would be forgotten.
        assert seen == {(True, True, True), (False, True, False), (False, False, True)}
        assert (folder / "key").read_bytes() != OLD

    def test_while_labelling_it(self, folder: pathlib.Path, when: Any) -> None:
        assert self.every_way_to_die(folder, self.NEW, lambda: have(folder, OLD), when=when) >= 3
        assert in_order(folder) == OLD

    @pytest.mark.parametrize("backup", [False, True])
    def test_while_removing_it(self, folder: pathlib.Path, when: Any, backup: bool) -> None:
        params = {"state": "absent", "backup": backup}
        assert self.every_way_to_die(folder, params, lambda: have(folder, OLD, "old"), when=when) >= 2
        assert [path.read_bytes() for path in folder.iterdir()] == [OLD] * backup

    @as_root
    def test_while_giving_it_to_somebody_else(self, folder: pathlib.Path, when: Any) -> None:
        seen = set()

        def begin() -> None:
            have(folder, OLD)
            (folder / "key").chmod(0o640)

        def whole() -> None:
            info = (folder / "key").stat()
            seen.add((info.st_gid, stat.S_IMODE(info.st_mode)))
            (folder / "key").chmod(0o400)

        self.check_what_is_left = lambda _folder: None  # type: ignore[method-assign]
        params = {"owner": str(NOBODY), "group": str(NOBODY), "mode": "0440"}
        self.every_way_to_die(folder, params, begin, whole, when)
        assert seen >= {(0, 0o440), (NOBODY, 0o440)}
        assert (NOBODY, 0o640) not in seen


class TestNoRoom:
    """What a full disk, a quota or a read-only file system leave is what was there before, and a clear word."""

    def refused(self, folder: pathlib.Path, said: str, **options: Any) -> None:
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        for params in ({"force": True}, {"serial": "new"}, {"force": True, "backup": True}):
            result = run({"path": str(folder / "key"), **params}, **options)
            assert result.get("failed"), result
            assert said in result["msg"]
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    @pytest.fixture
    def small(self, folder: pathlib.Path) -> Iterator[pathlib.Path]:
        with small_file_system(folder, blocks=4, files=8) as path:
            yield path

    @pytest.mark.parametrize("blocks", [0, 1])
    @pytest.mark.parametrize("exists", [False, True])
    def test_on_a_full_disk(self, small: pathlib.Path, blocks: int, exists: bool) -> None:
        """With room for the key and none for its record, neither is written."""
        if exists:
            have(small, OLD, "old")
        fill(small, blocks)
        self.refused(small, f"Cannot write {small}/key")
        self.refused(small, "No space left on device. The file system is full (see df -h and df -i); make room and run")
        (small / "filler").unlink()
        run({"path": str(small / "key"), "serial": "new"})
        in_order(small)

    def test_without_inodes(self, small: pathlib.Path) -> None:
        have(small, OLD, "old")
        for number in range(os.statvfs(small).f_favail):
            (small / str(number)).touch()
        self.refused(small, "No space left on device. The file system is full (see df -h and df -i)")

    @pytest.mark.parametrize("exists", [False, True])
    def test_when_writing_stops_half_way(self, folder: pathlib.Path, exists: bool) -> None:
        if exists:
            have(folder, OLD, "old")

        def limit() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))

        # What the module prints goes through a pipe, which the limit does not concern.
        self.refused(folder, "File too large. The largest file size allowed", prepare=limit)

    def test_on_a_read_only_file_system(self, small: pathlib.Path) -> None:
        have(small, OLD, "old")
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        self.refused(small, "Read-only file system. The file system is mounted read-only")
        assert run({"path": str(small / "key"), "serial": "old"})["changed"] is False
        result = run({"path": str(small / "key"), "state": "absent"})
        assert f"Cannot remove {small}/key.record: Read-only file system" in result["msg"]
        result = run({"path": str(small / "key"), "mode": "0600"})
        assert f"Cannot set owner and mode of {small}/key: Read-only file system" in result["msg"]

    def test_in_a_folder_that_is_not_ours(self, folder: pathlib.Path) -> None:
        have(folder, OLD, "old")
        if ROOT:
            for path in folder.iterdir():
                os.chown(path, NOBODY, NOBODY)
        else:
            folder.chmod(0o555)
        try:
            drop = become_nobody if ROOT else lambda: None
            self.refused(folder, "Permission denied. Run as root (become: true)", prepare=drop)
        finally:
            folder.chmod(0o755)
