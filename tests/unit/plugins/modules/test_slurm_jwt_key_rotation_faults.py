# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation that is watched, killed, done by several at once, or that has no room.

Real processes and real files throughout. What needs root or a kernel's permission is skipped without it.
"""

from __future__ import annotations

import itertools
import mmap
import os
import pathlib
import stat
import subprocess
import time
from typing import Any, Callable, Iterator, NamedTuple

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rotation
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import KeyRecord, format_record
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import read_slots
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.folders import states, temporary_files_in
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.key_runs import (
    NOBODY,
    Run,
    Watcher,
    become_nobody,
    empty,
    fill,
    killed_when,
    quick_folder,
    run,
    small_file_system,
    start,
    together,
)

ROOT = os.geteuid() == 0
OLD = bytes.fromhex("8e0bd5ff1d2b7c6a90e43f5a6677c8b9aa0b1c2d3e4f5061728394a5b6c7d8e9")
NEW = bytes(reversed(OLD))
BORN = 1700000000
METHODS = ("rename", "in_place")
as_root = pytest.mark.skipif(not ROOT, reason="needs root")


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    with quick_folder() as path:
        yield path


def have(folder: pathlib.Path, name: str, data: bytes, serial: str, run: str | None = None) -> None:
    for path, content in (
        (folder / f"{name}.record", format_record(KeyRecord(serial, BORN, fingerprint(data), "root@a", run))),
        (folder / name, data),
    ):
        path.write_bytes(content)
        path.chmod(0o400)


def live(folder: pathlib.Path) -> None:
    have(folder, "key", OLD, "1")


def staged(folder: pathlib.Path) -> None:
    live(folder)
    have(folder, "key.next", NEW, "2", "run-b")


def swapped(folder: pathlib.Path) -> None:
    have(folder, "key", NEW, "2")
    have(folder, "key.next", NEW, "2", "run-b")
    have(folder, "key.previous", OLD, "1")


def keys(folder: pathlib.Path) -> dict[str, bytes]:
    names = ("key", "key.next", "key.previous")
    return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}


def serial_of(folder: pathlib.Path) -> str | None:
    """The label on record for the key in force."""
    slots = read_slots(str(folder / "key"))
    assert slots.current is not None
    return slots.current.known.serial


def mapped(folder: pathlib.Path) -> mmap.mmap:
    """The key as slurmctld holds it: mapped, and the file closed."""
    with open(folder / "key", "rb") as stream:
        return mmap.mmap(stream.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)


class TestMapped:
    def test_in_place_a_daemon_has_the_new_key_at_once(self, folder: pathlib.Path) -> None:
        staged(folder)
        with mapped(folder) as held:
            assert held[:] == OLD
            assert run({"path": str(folder / "key"), "state": "active", "method": "in_place"})["changed"] is True
            assert held[:] == NEW
            way_back = {"state": "active", "method": "in_place", "source": "previous"}
            assert run({"path": str(folder / "key"), **way_back})["changed"] is True
            assert held[:] == OLD

    def test_by_rename_it_has_the_old_one_until_it_loads_the_new(self, folder: pathlib.Path) -> None:
        staged(folder)
        with mapped(folder) as held:
            assert run({"path": str(folder / "key"), "state": "active"})["changed"] is True
            assert held[:] == OLD
            with mapped(folder) as loaded:
                assert loaded[:] == NEW
                # In place, who has not loaded the new one has no part in it.
                way_back = {"state": "active", "method": "in_place", "source": "previous"}
                assert run({"path": str(folder / "key"), **way_back})["changed"] is True
                assert loaded[:] == held[:] == OLD

    def test_who_never_loaded_the_new_one_has_the_file_in_force_after_a_way_back(self, folder: pathlib.Path) -> None:
        staged(folder)
        with mapped(folder) as held:
            run({"path": str(folder / "key"), "state": "active"})
            run({"path": str(folder / "key"), "state": "active", "source": "previous"})
            run({"path": str(folder / "key"), "state": "unstaged"})
            run({"path": str(folder / "key"), "state": "staged", "force": True})
            run({"path": str(folder / "key"), "state": "active", "method": "in_place"})
            assert held[:] == (folder / "key").read_bytes() != OLD


class TestWatched:
    def read_slots(self, folder: pathlib.Path) -> list[str]:
        """What a daemon that loads its key at this instant, or has mapped it, finds amiss."""
        data = (folder / "key").read_bytes()
        wrong = [] if data in (OLD, NEW) else [f"read {data.hex()}"]
        size = (folder / "key").stat().st_size
        wrong += [] if size == 32 else [f"{size} bytes"]
        data = self.mapping[:]
        return wrong if data in (OLD, NEW) else [*wrong, f"mapped {data.hex()}"]

    def begin(self, folder: pathlib.Path) -> Callable[[], None]:
        def load() -> None:
            self.mapping = mapped(folder)

        return load

    @pytest.mark.parametrize("method", METHODS)
    def test_three_hundred_swaps(self, folder: pathlib.Path, method: str) -> None:
        staged(folder)
        path = str(folder / "key")
        with Watcher(folder, self.read_slots, self.begin(folder)) as daemon:
            for _pair in range(150):
                assert rotation.activate(path, "next", method, None, None)
                assert rotation.activate(path, "previous", method, None, None)
        assert daemon.found == []
        assert daemon.looks > 300

    @as_root
    def test_by_a_stranger(self, folder: pathlib.Path) -> None:
        def stranger(folder: pathlib.Path) -> list[str]:
            found = []
            for name in os.listdir(folder):
                try:
                    os.close(os.open(folder / name, os.O_RDONLY))
                    found.append(f"could open {name}")
                except (PermissionError, FileNotFoundError):
                    pass
            return found

        live(folder)
        with Watcher(folder, stranger, become_nobody) as watcher:
            for number in range(12):
                for state in ("staged", "active", "unstaged"):
                    params = {"state": state, "method": METHODS[number % 2], "serial": f"s{number}"}
                    result = run({"path": str(folder / "key"), **params}, prepare=lambda: os.umask(0))
                    assert result["changed"] is True
        assert watcher.found == []
        assert watcher.looks > 36

    def test_the_watcher_would_see_it(self, folder: pathlib.Path) -> None:
        live(folder)
        (folder / "key").chmod(0o600)
        with Watcher(folder, self.read_slots, self.begin(folder)) as daemon, open(folder / "key", "r+b") as stream:
            stream.write(NEW[:16])
            stream.flush()
            time.sleep(0.2)
        half = (NEW[:16] + OLD[16:]).hex()
        assert {f"read {half}", f"mapped {half}"} <= set(daemon.found)


class Photograph(NamedTuple):
    """A folder at one instant, second names of a file included."""

    files: dict[int, tuple[list[str], int, bytes]]

    @classmethod
    def of(cls, folder: pathlib.Path) -> Photograph:
        files: dict[int, tuple[list[str], int, bytes]] = {}
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            info = entry.stat(follow_symlinks=False)
            if info.st_ino not in files:
                with open(entry.path, "rb") as stream:
                    files[info.st_ino] = ([], stat.S_IMODE(info.st_mode), stream.read())
            files[info.st_ino][0].append(entry.name)
        return cls(files)

    def restore(self, folder: pathlib.Path) -> None:
        empty(folder)
        for (name, *others), mode, data in self.files.values():
            (folder / name).write_bytes(data)
            (folder / name).chmod(mode)
            for other in others:
                os.link(folder / name, folder / other)


def snapshot(folder: pathlib.Path) -> tuple[object, ...]:
    """A run that fails may have made a temporary file, so the folder's own time may differ."""
    return states(folder), [path.read_bytes() for path in sorted(folder.iterdir())]


def shape(folder: pathlib.Path) -> list[tuple[object, ...]]:
    """What is there, but for names and bytes that are random: those of temporary files, and of a key that was made."""
    known = {OLD: "old", NEW: "new"}
    files = []
    for path in folder.iterdir():
        info = path.stat()
        name = "temporary of " + path.name[:-21] if path in temporary_files_in(folder) else path.name
        said = known.get(path.read_bytes(), info.st_size)
        files.append((name, info.st_mode, info.st_nlink, str(said)))
    return sorted(files)


Begin = Callable[[pathlib.Path], None]


def by_state(folder: pathlib.Path, begin: Begin, params: dict[str, Any]) -> Iterator[int]:
    """The folder in each state that a run brings about. What is on disk is all that a killed run leaves behind, so
    this is every way in which it can end."""
    begin(folder)
    states = [Photograph.of(folder)]

    def read_slots() -> bool:
        now = Photograph.of(folder)
        if now != states[-1]:
            states.append(now)
        return False

    assert killed_when(params, read_slots) is False
    for number, state in enumerate(states):
        state.restore(folder)
        yield number


def by_stop(folder: pathlib.Path, begin: Begin, params: dict[str, Any]) -> Iterator[int]:
    """The same without relying on any thought: a run is killed at its first entry to or return from a system call,
    the next one at the second, and so on."""
    for number in itertools.count(1):
        empty(folder)
        begin(folder)
        stops = itertools.count(1)
        if not killed_when(params, lambda: next(stops) == number):  # noqa: B023
            return
        yield number


class TestKilled:
    """What a run leaves that is killed at any instant is whole, and the next run ends well."""

    WAY = {
        "stage": {"state": "staged", "serial": "2", "run": "run-b", "by": "root@a"},
        "rename": {"state": "active"},
        "in_place": {"state": "active", "method": "in_place"},
        "back by rename": {"state": "active", "source": "previous"},
        "back in_place": {"state": "active", "source": "previous", "method": "in_place"},
        "unstage": {"state": "unstaged", "run": "run-b"},
        "unstage all": {"state": "unstaged", "run": "run-b", "keep_previous": False},
        "absent": {"state": "absent"},
    }

    @pytest.fixture(autouse=True)
    def may_trace(self, folder: pathlib.Path) -> None:
        try:
            killed_when({"path": str(folder / "key"), "state": "absent"}, lambda: True)
        except OSError:
            pytest.skip("may not trace processes here")

    @pytest.fixture(params=[by_state, pytest.param(by_stop, marks=pytest.mark.soak)])
    def when(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    def every_way_to_die(
        self,
        folder: pathlib.Path,
        when: Callable[[pathlib.Path, Begin, dict[str, Any]], Iterator[int]],
        begin: Begin,
        step: str,
        rest: list[str],
        whole: Callable[[], object],
        end: Callable[[], object],
    ) -> int:
        """Calls BEGIN, kills STEP, has WHOLE look at what is left, takes the REST of the steps, and has END look.

        The number of ways to die that there were.
        """
        path = str(folder / "key")
        ways = 0
        last = None
        for number in when(folder, begin, {"path": path, **self.WAY[step]}):
            ways += 1
            for file in folder.iterdir():
                mode = stat.S_IMODE(file.stat().st_mode)
                is_empty = file in temporary_files_in(folder) and file.stat().st_size == 0
                assert mode == 0o400 or (mode == 0o600 and is_empty)
            whole()
            # Of a thousand system calls a few change anything, and only after these is there something else to mend.
            last, before = shape(folder), last
            if last == before:
                continue
            for temporary in temporary_files_in(folder):
                os.utime(temporary, (0, 0))
            for name in rest:
                result = run({"path": path, **self.WAY[name]})
                assert not result.get("failed"), (number, name, result)
            end()
            assert temporary_files_in(folder) == []
        return ways

    def serial_fits(self, folder: pathlib.Path) -> None:
        """The key in force has its own label, before and after."""
        key = (folder / "key").read_bytes()
        assert serial_of(folder) == ("1" if key == OLD else "2")

    def rotated(self, folder: pathlib.Path, to: bytes | None = None) -> None:
        """The next key is in force, the old one kept, each with its record, and nothing else is there."""
        assert {path.name for path in folder.iterdir()} == {
            "key",
            "key.record",
            "key.previous",
            "key.previous.record",
        }
        slots = read_slots(str(folder / "key"))
        assert slots.current is not None and slots.previous is not None
        assert slots.previous.key.data == OLD != slots.current.key.data
        assert to is None or slots.current.key.data == to
        assert slots.current.record == KeyRecord("2", slots.current.known.created, slots.current.fingerprint, "root@a")
        assert slots.previous.record == KeyRecord("1", BORN, fingerprint(OLD), "root@a")
        assert (folder / "key").stat().st_nlink == (folder / "key.previous").stat().st_nlink == 1

    def went_back(self, folder: pathlib.Path) -> None:
        assert {path.name for path in folder.iterdir()} == {"key", "key.record"}
        slots = read_slots(str(folder / "key"))
        assert slots.current is not None
        assert (slots.current.key.data, slots.current.record) == (OLD, KeyRecord("1", BORN, fingerprint(OLD), "root@a"))

    @pytest.mark.parametrize("method", METHODS)
    def test_while_staging(self, folder: pathlib.Path, when: Any, method: str) -> None:
        seen = set()

        def whole() -> None:
            assert keys(folder)["key"] == OLD
            self.serial_fits(folder)
            slots = read_slots(str(folder / "key"))
            seen.add(slots.next is not None)
            # Whose it is was on record before the key had its name.
            assert slots.next is None or (len(slots.next.key.data), slots.next.known.run) == (32, "run-b")

        rest = ["stage", method, "unstage"]
        assert self.every_way_to_die(folder, when, live, "stage", rest, whole, lambda: self.rotated(folder)) >= 8
        assert seen == {True, False}

    @pytest.mark.parametrize("first", METHODS)
    @pytest.mark.parametrize("then", METHODS)
    def test_while_activating(self, folder: pathlib.Path, when: Any, first: str, then: str) -> None:
        """And even if the run that goes on has the other method."""
        seen = set()

        def whole() -> None:
            there = keys(folder)
            assert there["key"] in (OLD, NEW)
            assert there["key.next"] == NEW
            assert there.get("key.previous", OLD) == OLD
            # The way back is there before it is needed.
            assert there["key"] == OLD or there["key.previous"] == OLD
            self.serial_fits(folder)
            seen.add((there["key"] == NEW, "key.previous" in there))

        rest = ["stage", then, "unstage"]
        assert self.every_way_to_die(folder, when, staged, first, rest, whole, lambda: self.rotated(folder, NEW)) >= 8
        assert seen == {(False, False), (False, True), (True, True)}

    @pytest.mark.parametrize("method", METHODS)
    def test_while_going_back(self, folder: pathlib.Path, when: Any, method: str) -> None:
        seen = set()

        def whole() -> None:
            key = keys(folder)["key"]
            assert key in (OLD, NEW)
            assert key == OLD or keys(folder)["key.previous"] == OLD
            self.serial_fits(folder)
            seen.add(key == OLD)

        step = f"back {'by rename' if method == 'rename' else method}"
        rest = [step, "unstage"]
        assert self.every_way_to_die(folder, when, swapped, step, rest, whole, lambda: self.went_back(folder)) >= 4
        assert seen == {True, False}

    def test_while_unstaging(self, folder: pathlib.Path, when: Any) -> None:
        def whole() -> None:
            there = keys(folder)
            assert (there["key"], there["key.previous"]) == (NEW, OLD)
            self.serial_fits(folder)

        def end() -> None:
            self.rotated(folder, NEW)

        assert self.every_way_to_die(folder, when, swapped, "unstage", ["unstage"], whole, end) >= 2

    def test_while_unstaging_what_was_never_in_force(self, folder: pathlib.Path, when: Any) -> None:
        def whole() -> None:
            assert keys(folder)["key"] == OLD
            self.serial_fits(folder)

        def end() -> None:
            self.went_back(folder)

        assert self.every_way_to_die(folder, when, staged, "unstage all", ["unstage all"], whole, end) >= 2

    def test_while_removing_all(self, folder: pathlib.Path, when: Any) -> None:
        def end() -> None:
            assert list(folder.iterdir()) == []

        assert self.every_way_to_die(folder, when, swapped, "absent", ["absent"], lambda: None, end) >= 6


class TestAllAtOnce:
    """Hosts that share the StateSaveLocation, each told to do the same."""

    @pytest.mark.parametrize("at_an_instant", [True, False])
    @pytest.mark.parametrize("method", METHODS)
    def test_one_of_them_brings_it_into_force(self, folder: pathlib.Path, method: str, at_an_instant: bool) -> None:
        for _round in range(4):
            empty(folder)
            staged(folder)
            result = self.all(folder, 2 + 2 * _round, {"method": method}, at_an_instant)
            assert keys(folder) == {"key": NEW, "key.next": NEW, "key.previous": OLD}
            assert result["previous_fingerprint"] == fingerprint(OLD)
            slots = read_slots(str(folder / "key"))
            assert slots.current is not None and slots.previous is not None
            assert (slots.current.known.serial, slots.previous.known.serial) == ("2", "1")
            assert temporary_files_in(folder) == []

    @pytest.mark.parametrize("at_an_instant", [True, False])
    @pytest.mark.parametrize("method", METHODS)
    def test_one_of_them_goes_back(self, folder: pathlib.Path, method: str, at_an_instant: bool) -> None:
        for _round in range(4):
            empty(folder)
            swapped(folder)
            self.all(folder, 2 + 2 * _round, {"method": method, "source": "previous"}, at_an_instant)
            assert keys(folder)["key"] == OLD
            assert serial_of(folder) == "1"

    def all(self, folder: pathlib.Path, number: int, params: dict[str, Any], at_an_instant: bool) -> dict[str, Any]:
        """Run so many together; the result of the one that reports a change."""
        params = {"path": str(folder / "key"), "state": "active", **params}
        if at_an_instant:
            params["activate_at"] = time.time() + 1.5
        runs = [Run(params, prepare=together(folder)) for _number in range(number)]
        start(folder)
        results = [process.result() for process in runs]
        assert [result.get("msg") for result in results if result.get("failed")] == []
        (first,) = (result for result in results if result["changed"])
        for result in results:
            assert result["fingerprint"] == first["fingerprint"]
            assert result is first or result["previous_fingerprint"] is result["activated"] is None
        if at_an_instant:
            assert first["activated"] >= params["activate_at"]
        return first

    def test_one_of_them_ends_it(self, folder: pathlib.Path) -> None:
        for _round in range(4):
            empty(folder)
            swapped(folder)
            params = {"path": str(folder / "key"), "state": "unstaged", "run": "run-b"}
            runs = [Run(params, prepare=together(folder)) for _number in range(6)]
            start(folder)
            results = [process.result() for process in runs]
            assert [result.get("msg") for result in results if result.get("failed")] == []
            assert sum(result["changed"] for result in results) == 1
            assert keys(folder) == {"key": NEW, "key.previous": OLD}


STEPS = [
    pytest.param(live, {"state": "staged", "serial": "2"}, id="staged"),
    pytest.param(staged, {"state": "active"}, id="rename"),
    pytest.param(staged, {"state": "active", "method": "in_place"}, id="in_place"),
]


class TestNoRoom:
    @pytest.fixture
    def small(self, folder: pathlib.Path) -> Iterator[pathlib.Path]:
        with small_file_system(folder, blocks=12, files=20) as path:
            yield path

    def refused(self, folder: pathlib.Path, said: str, params: dict[str, Any], **options: Any) -> None:
        before = snapshot(folder)
        result = run({"path": str(folder / "key"), **params}, **options)
        assert result.get("failed"), result
        assert said in result["msg"]
        assert snapshot(folder) == before

    @pytest.mark.parametrize(("begin", "params"), STEPS)
    def test_on_a_full_disk_nothing_is_done(self, small: pathlib.Path, begin: Any, params: dict[str, Any]) -> None:
        begin(small)
        fill(small, 0)
        self.refused(small, "No space left on device. The file system is full (see df -h and df -i)", params)
        (small / "filler").unlink()
        assert run({"path": str(small / "key"), **params})["changed"] is True

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("blocks", [1, 2, 3])
    def test_or_no_more_than_can_be_done_again(self, small: pathlib.Path, method: str, blocks: int) -> None:
        """Where there is room for a part of the work, the old key is in force, or the new one with the old one kept."""
        staged(small)
        fill(small, blocks)
        params = {"path": str(small / "key"), "state": "active", "method": method}
        result = run(params)
        there = keys(small)
        assert there["key"] == (OLD if result.get("failed") else NEW) or there["key.previous"] == OLD
        assert there["key"] in (OLD, NEW)
        assert serial_of(small) == ("1" if there["key"] == OLD else "2")
        assert temporary_files_in(small) == []
        (small / "filler").unlink(missing_ok=True)
        assert not run(params).get("failed")
        assert keys(small) == {"key": NEW, "key.next": NEW, "key.previous": OLD}

    def test_the_way_back_in_place_needs_no_room(self, small: pathlib.Path) -> None:
        """But its record does; the next run writes that."""
        swapped(small)
        fill(small, 0)
        way_back = {"path": str(small / "key"), "state": "active", "source": "previous", "method": "in_place"}
        assert f"Cannot write {small}/key.record: No space left on device" in run(way_back)["msg"]
        assert (keys(small)["key"], serial_of(small)) == (OLD, "1")
        (small / "filler").unlink()
        result = run(way_back)
        assert (result["changed"], result["fingerprint"], result["serial"]) == (False, fingerprint(OLD), "1")

    def test_neither_does_taking_the_next_key_away(self, small: pathlib.Path) -> None:
        swapped(small)
        fill(small, 0)
        assert run({"path": str(small / "key"), "state": "unstaged"})["changed"] is True
        assert set(keys(small)) == {"key", "key.previous"}

    @pytest.mark.parametrize(("begin", "params"), STEPS)
    def test_on_a_read_only_file_system(self, small: pathlib.Path, begin: Any, params: dict[str, Any]) -> None:
        begin(small)
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        self.refused(small, "Read-only file system. The file system is mounted read-only", params)

    @pytest.mark.parametrize(("begin", "params"), [*STEPS, pytest.param(staged, {"state": "unstaged"}, id="unstaged")])
    def test_in_a_folder_that_is_not_ours(self, folder: pathlib.Path, begin: Any, params: dict[str, Any]) -> None:
        begin(folder)
        if ROOT:
            for path in folder.iterdir():
                os.chown(path, NOBODY, NOBODY)
        else:
            folder.chmod(0o555)
        try:
            drop = become_nobody if ROOT else lambda: None
            self.refused(folder, "Permission denied. Run as root (become: true)", params, prepare=drop)
        finally:
            folder.chmod(0o755)

    def test_a_key_of_two_names_is_not_changed_in_place(self, folder: pathlib.Path) -> None:
        """Somebody may have it in another place, for another purpose, or may have had us change another file."""
        staged(folder)
        os.link(folder / "key", folder / "other")
        params = {"path": str(folder / "key"), "state": "active"}
        result = run({**params, "method": "in_place"})
        said = f"{folder}/key has 2 names (hard links), so its content is not changed"
        assert said in result["msg"]
        assert keys(folder)["key"] == (folder / "other").read_bytes() == OLD
        assert run(params)["changed"] is True
        assert (keys(folder)["key"], (folder / "other").read_bytes()) == (NEW, OLD)

    def test_without_hard_links_the_key_before_is_a_copy(self, folder: pathlib.Path) -> None:
        def without_links() -> None:
            def link(*_args: object, **_options: object) -> None:
                raise PermissionError(1, "Operation not permitted")

            os.link = link  # type: ignore[assignment]

        staged(folder)
        params = {"path": str(folder / "key"), "state": "active"}
        assert run(params, prepare=without_links)["changed"] is True
        assert keys(folder) == {"key": NEW, "key.next": NEW, "key.previous": OLD}
