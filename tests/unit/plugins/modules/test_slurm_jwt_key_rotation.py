# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states staged, active and unstaged of slurm_jwt_key, and what they mean for present and absent."""

from __future__ import annotations

import base64
import json
import mmap
import os
import pathlib
import re
import stat
import time
from typing import Any, Iterator

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import (
    KeyRecord,
    format_record,
    format_time,
    parse_record,
    record_path,
)
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.key_runs import (
    NOBODY,
    KeyFolder,
    Run,
    quick_folder,
    run,
    start,
    together,
)

ME = os.geteuid()
OLD = bytes.fromhex("8e0bd5ff1d2b7c6a90e43f5a6677c8b9aa0b1c2d3e4f5061728394a5b6c7d8e9")
NEW = bytes(reversed(OLD))
THIRD = OLD[16:] + NEW[:16]
BORN = 1700000000
METHODS = ("rename", "in_place")
as_root = pytest.mark.skipif(ME != 0, reason="changes owners, which only root can")


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Place(KeyFolder):
    """The three keys of a rotation in a folder, and the module set on them."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder, "key")
        self.next = folder / "key.next"
        self.previous = folder / "key.previous"

    def have(
        self, path: pathlib.Path, data: bytes, serial: str | None = None, by: str | None = None, run: str | None = None
    ) -> None:
        """A key, and its record if that has anything to say."""
        path.write_bytes(data)
        path.chmod(0o400)
        os.utime(path, (BORN, BORN))
        if serial or by or run:
            record = pathlib.Path(record_path(str(path)))
            record.write_bytes(format_record(KeyRecord(serial, BORN, fingerprint(data), by, run)))
            record.chmod(0o400)

    def live(self) -> None:
        self.have(self.key, OLD, "1", "root@a")

    def staged(self) -> None:
        self.live()
        self.have(self.next, NEW, "2", "root@b", "run-b")

    def swapped(self) -> None:
        self.have(self.key, NEW, "2", "root@b")
        self.have(self.next, NEW, "2", "root@b", "run-b")
        self.have(self.previous, OLD, "1", "root@a")

    def run(self, check: bool = False, **params: Any) -> dict[str, Any]:
        result = super().run(check, **params)
        if not params.get("return_content"):
            told = json.dumps({name: value for name, value in result.items() if name != "invocation"})
            for path in self.folder.iterdir():
                data = path.read_bytes()
                assert b64(data)[:20] not in told
                assert data.hex()[:20] not in told
        return result

    def applied(self, **params: Any) -> dict[str, Any]:
        """In check mode, which touches nothing and tells the same; for real; and again, when nothing is left to do."""
        before = self.snapshot()
        foretold = self.run(True, **params)
        assert not foretold.get("failed"), foretold
        assert self.snapshot() == before
        result = self.run(**params)
        assert not result.get("failed"), result
        assert set(result) == set(foretold)
        for name in ("changed", "reason", "previous_fingerprint", "key_path", "state", "mode", "uid", "gid"):
            assert foretold[name] == result[name], name
        assert result["diff"]["before"] == foretold["diff"]["before"]
        # A diff that shows a change is one. Who had the key made is the only thing that no diff shows.
        assert result["changed"] or foretold["diff"]["before"] == foretold["diff"]["after"]
        assert params.get("by") or (foretold["diff"]["before"] == foretold["diff"]["after"]) is not result["changed"]
        if not result["changed"]:
            assert self.snapshot() == before
        after = self.snapshot()
        again = self.run(**params)
        assert again["changed"] is False, again
        assert again["reason"] is again["previous_fingerprint"] is again["activated"] is None
        assert self.snapshot() == after
        return result

    def keys(self) -> dict[str, bytes]:
        paths = {"current": self.key, "next": self.next, "previous": self.previous}
        return {name: path.read_bytes() for name, path in paths.items() if path.exists()}

    def record(self, path: pathlib.Path) -> KeyRecord | None:
        return parse_record(pathlib.Path(record_path(str(path))).read_bytes())

    def names(self) -> set[str]:
        return set(os.listdir(self.folder))


@pytest.fixture
def place() -> Iterator[Place]:
    with quick_folder() as folder:
        yield Place(folder)


def mode_of(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


class TestStaged:
    @pytest.mark.parametrize(
        ("data", "size"),
        [(b"-----BEGIN RSA PRIVATE KEY-----\n" + b"Ab1" * 500, 1532), (OLD[:16], 32), (b"-----BEGIN X-----" * 400, 32)],
    )
    def test_what_nobody_should_sign_with_gets_a_next_key_of_its_length_if_it_can(
        self, place: Place, data: bytes, size: int
    ) -> None:
        place.key.write_bytes(data)
        place.key.chmod(0o400)
        named = fingerprint(data)
        result = place.run(state="staged", serial="2", fingerprint=named)
        assert (result["changed"], result["reason"]) == (True, "serial")
        assert (len(place.next.read_bytes()), place.key.read_bytes()) == (size, data)
        method = "in_place" if size == len(data) else "rename"
        place.run(state="active", method=method)
        assert len(place.key.read_bytes()) == size
        assert place.previous.read_bytes() == data

    def test_lays_a_key_beside_the_one_in_force_and_leaves_that_alone(self, place: Place) -> None:
        place.live()
        before = place.snapshot()
        result = place.applied(state="staged", serial="2", by="root@b", run="run-b")
        assert (result["changed"], result["reason"]) == (True, "serial")
        assert place.names() == {"key", "key.record", "key.next", "key.next.record"}
        assert {name: place.snapshot()[name] for name in ("key", "key.record")} == {
            name: before[name] for name in ("key", "key.record")
        }
        staged = place.next.read_bytes()
        assert len(staged) == 32
        assert mode_of(place.next) == mode_of(place.folder / "key.next.record") == 0o400
        record = place.record(place.next)
        assert record is not None
        assert record == KeyRecord("2", record.created, fingerprint(staged), "root@b", "run-b")
        assert 0 <= time.time() - record.created < 60
        # What is returned is the key in force, and the fingerprint of the next.
        assert (result["fingerprint"], result["serial"], result["by"]) == (fingerprint(OLD), "1", "root@a")
        assert result["created"] == format_time(BORN)
        assert result["next_fingerprint"] == fingerprint(staged)
        assert result["previous_fingerprint"] is result["activated"] is None

    @pytest.mark.parametrize(
        ("serial", "params", "reason"),
        [
            ("1", {"serial": "2"}, "serial"),
            # A rotation is asked for, so a key of which nobody knows the label is not the one.
            (None, {"serial": "1"}, "serial"),
            ("1", {"max_age": "1d"}, "max_age"),
            (None, {"max_age": "1d"}, "max_age"),
            ("1", {"force": True}, "force"),
            ("1", {"content": b64(NEW)}, "content"),
            ("1", {"content": b64(NEW), "serial": "1"}, "content"),
        ],
    )
    def test_for_a_reason(self, place: Place, serial: str | None, params: dict[str, Any], reason: str) -> None:
        place.have(place.key, OLD, serial)
        result = place.applied(state="staged", **params)
        assert (result["changed"], result["reason"]) == (True, reason)
        assert place.keys()["current"] == OLD
        assert place.keys()["next"] == (NEW if "content" in params else place.keys()["next"]) != OLD

    def test_in_the_place_of_a_weak_key_if_so_asked(self, place: Place) -> None:
        place.have(place.key, b"x" * 16, "1")
        place.refused("key has 16 bytes only.*It was left as it is", state="staged")
        result = place.applied(state="staged", weak="replace")
        assert (result["reason"], len(place.keys()["next"])) == ("weak", 32)

    @pytest.mark.parametrize(
        "params",
        [{}, {"serial": "1"}, {"max_age": "5000w"}, {"content": b64(OLD)}, {"content": b64(OLD), "serial": "2"}],
    )
    def test_without_a_reason_nothing(self, place: Place, params: dict[str, Any]) -> None:
        place.live()
        result = place.applied(state="staged", **params)
        assert (result["changed"], result["reason"], result["next_fingerprint"]) == (False, None, None)
        assert place.names() == {"key", "key.record"}

    @pytest.mark.parametrize("params", [{}, {"serial": "2"}, {"force": True}, {"max_age": "1d"}, {"content": b64(NEW)}])
    def test_a_key_that_is_staged_stays(self, place: Place, params: dict[str, Any]) -> None:
        place.staged()
        result = place.applied(state="staged", run="run-b", **params)
        assert (result["changed"], result["next_fingerprint"]) == (False, fingerprint(NEW))

    @pytest.mark.parametrize(("params", "reason"), [({"serial": "3"}, "serial"), ({"content": b64(THIRD)}, "content")])
    def test_unless_another_one_is_asked_for(self, place: Place, params: dict[str, Any], reason: str) -> None:
        place.staged()
        result = place.applied(state="staged", run="run-b", **params)
        assert (result["changed"], result["reason"]) == (True, reason)
        assert place.keys()["current"] == OLD
        assert place.keys()["next"] != NEW

    @pytest.mark.parametrize("params", [{"serial": "3"}, {"content": b64(THIRD)}, {"force": True}])
    def test_or_is_in_force_already_for_that_rotation_has_to_end_first(
        self, place: Place, params: dict[str, Any]
    ) -> None:
        place.swapped()
        assert place.applied(state="staged", run="run-b", **params)["changed"] is False
        assert place.keys() == {"current": NEW, "next": NEW, "previous": OLD}

    @pytest.mark.parametrize(("params", "size"), [({}, 64), ({"size": 48}, 48)])
    def test_as_long_as_the_one_in_force_unless_told(self, place: Place, params: dict[str, Any], size: int) -> None:
        place.have(place.key, OLD + NEW, "1")
        result = place.applied(state="staged", serial="2", **params)
        assert (len(place.keys()["next"]), result["size"]) == (size, 64)

    def test_a_given_key_with_its_label_and_age(self, place: Place) -> None:
        place.live()
        given = {"content": b64(NEW), "created": "2026-11-23T03:45:00Z", "serial": "2"}
        place.applied(state="staged", by="root@b", run="run-b", **given)
        record = place.record(place.next)
        assert record is not None
        assert (record.serial, format_time(record.created)) == ("2", "2026-11-23T03:45:00Z")

    def test_is_returned_on_request_only(self, place: Place) -> None:
        place.live()
        assert place.run(True, state="staged", serial="2", return_content=True)["content"] is None
        result = place.run(state="staged", serial="2", return_content=True)
        assert result["content"] == b64(place.keys()["next"])
        assert "content" not in place.run(state="staged", serial="2")

    def test_the_diff_shows_fingerprints(self, place: Place) -> None:
        place.live()
        result = place.run(state="staged", serial="2")
        live = {"fingerprint": fingerprint(OLD), "serial": "1"}
        staged = {"fingerprint": fingerprint(place.keys()["next"]), "serial": "2"}
        assert result["diff"]["before"] == {"current": live, "next": None, "previous": None}
        assert result["diff"]["after"] == {"current": live, "next": staged, "previous": None}

    @as_root
    def test_has_the_owner_that_is_declared(self, place: Place) -> None:
        place.live()
        os.chown(place.key, NOBODY, NOBODY)
        place.refused("the task declares no owner", state="staged", serial="2", mode="0440")
        place.applied(state="staged", serial="2", mode="0440", owner=str(NOBODY), group=str(NOBODY))
        for path in (place.next, place.folder / "key.next.record"):
            assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (NOBODY, NOBODY, 0o440)

    def test_what_cannot_be(self, place: Place) -> None:
        place.refused("There is no key at .*/key to rotate. Make one with state: present", state="staged", serial="2")
        place.have(place.key, b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ\n-----END PRIVATE KEY-----\n")
        place.refused("key is a PEM file.*It was left as it is", state="staged", serial="2")
        place.key.unlink()
        place.live()
        place.refused("The key in content has 16 bytes only.*not installed", state="staged", content=b64(OLD[:16]))


class TestTwoRuns:
    def test_the_second_is_refused_and_told_who_is_at_work(self, place: Place) -> None:
        place.staged()
        since = format_time(BORN)
        said = f"root@b has been rotating .*/key since {since}, as the run run-b. Nothing was changed. .*take_over"
        for params in ({}, {"serial": "2"}, {"serial": "3"}, {"content": b64(THIRD)}, {"take_over": "run-x"}):
            place.refused(said, state="staged", run="run-c", by="root@c", **params)
        place.refused(said, state="staged", serial="3")

    def test_even_if_its_key_is_in_force(self, place: Place) -> None:
        place.swapped()
        place.refused("root@b has been rotating", state="staged", run="run-c", serial="3")

    def test_who_goes_on_for_a_dead_one_has_its_key(self, place: Place) -> None:
        place.staged()
        inode = place.next.stat().st_ino
        result = place.applied(state="staged", serial="2", run="run-c", by="root@c", take_over="run-b")
        assert (result["changed"], result["reason"]) == (True, None)
        assert (place.next.stat().st_ino, place.keys()["next"]) == (inode, NEW)
        assert place.record(place.next) == KeyRecord("2", BORN, fingerprint(NEW), "root@c", "run-c")
        place.refused("root@c has been rotating .* as the run run-c", state="staged", serial="2", run="run-b")

    def test_or_another_one_if_it_asks_for_another(self, place: Place) -> None:
        place.staged()
        result = place.applied(state="staged", serial="3", run="run-c", by="root@c", take_over="run-b")
        assert (result["reason"], place.keys()["current"]) == ("serial", OLD)
        record = place.record(place.next)
        assert record is not None
        assert (record.serial, record.run, record.fingerprint) == ("3", "run-c", fingerprint(place.keys()["next"]))

    def test_a_staged_key_without_a_name_belongs_to_whoever_comes(self, place: Place) -> None:
        place.live()
        place.have(place.next, NEW, "2")
        assert place.applied(state="staged", serial="2", run="run-c")["changed"] is False

    def test_many_at_once(self, place: Place) -> None:
        for round_number in range(3):
            for path in place.folder.iterdir():
                path.unlink()
            place.live()
            names = [f"run-{round_number}-{number}" for number in range(8)]
            runs = [
                Run(
                    {"path": str(place.key), "state": "staged", "serial": "2", "run": name, "by": f"root@{name}"},
                    prepare=together(place.folder),
                )
                for name in names
            ]
            start(place.folder)
            results = [process.result() for process in runs]
            (first,) = [name for name, result in zip(names, results) if not result.get("failed")]
            record = place.record(place.next)
            assert record is not None
            assert (record.run, record.fingerprint) == (first, fingerprint(place.keys()["next"]))
            for result in results:
                assert result.get("changed") or f"root@{first} has been rotating" in result["msg"]

    def test_many_of_one_run_stage_one_key(self, place: Place) -> None:
        """Hosts that share the folder."""
        place.live()
        params = {"path": str(place.key), "state": "staged", "serial": "2", "run": "run-b"}
        runs = [Run(params, prepare=together(place.folder)) for _number in range(8)]
        start(place.folder)
        results = [process.result() for process in runs]
        assert [result.get("msg") for result in results if result.get("failed")] == []
        assert sum(result["changed"] for result in results) == 1
        assert {result["next_fingerprint"] for result in results} == {fingerprint(place.keys()["next"])}


class TestActive:
    def test_by_rename(self, place: Place) -> None:
        place.staged()
        inode = place.key.stat().st_ino
        result = place.applied(state="active")
        assert (result["changed"], result["reason"]) == (True, None)
        assert place.keys() == {"current": NEW, "next": NEW, "previous": OLD}
        assert place.key.stat().st_ino != inode == place.previous.stat().st_ino
        assert place.key.stat().st_nlink == place.previous.stat().st_nlink == 1
        self.check(place, result)

    def test_in_place(self, place: Place) -> None:
        place.staged()
        inode = place.key.stat().st_ino
        result = place.applied(state="active", method="in_place")
        assert result["changed"] is True
        assert place.keys() == {"current": NEW, "next": NEW, "previous": OLD}
        assert place.key.stat().st_ino == inode != place.previous.stat().st_ino
        self.check(place, result)

    def check(self, place: Place, result: dict[str, Any]) -> None:
        assert (result["fingerprint"], result["serial"], result["by"]) == (fingerprint(NEW), "2", "root@b")
        assert result["previous_fingerprint"] == fingerprint(OLD)
        assert result["next_fingerprint"] == fingerprint(NEW)
        assert 0 <= time.time() - result["activated"] < 60
        assert {mode_of(path) for path in place.folder.iterdir()} == {0o400}
        # The key in force is of no run.
        assert place.record(place.key) == KeyRecord("2", BORN, fingerprint(NEW), "root@b")
        assert place.record(place.previous) == KeyRecord("1", BORN, fingerprint(OLD), "root@a")
        place.applied(state="unstaged", run="run-b")
        assert place.names() == {"key", "key.record", "key.previous", "key.previous.record"}
        assert place.keys() == {"current": NEW, "previous": OLD}

    @as_root
    @pytest.mark.parametrize("method", METHODS)
    def test_owner_and_mode_stay(self, place: Place, method: str) -> None:
        place.staged()
        for path in place.folder.iterdir():
            os.chown(path, NOBODY, 1)
        place.key.chmod(0o440)
        place.run(state="active", method=method, mode="0400")
        for path in (place.key, place.previous, place.folder / "key.record", place.folder / "key.previous.record"):
            assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (NOBODY, 1, 0o440), path

    @pytest.mark.parametrize("method", METHODS)
    def test_what_has_no_record_gets_none_that_tells_more(self, place: Place, method: str) -> None:
        place.have(place.key, OLD)
        place.have(place.next, NEW)
        result = place.applied(state="active", method=method)
        assert (result["serial"], result["by"]) == (None, None)
        assert place.record(place.previous) == KeyRecord(None, BORN, fingerprint(OLD))

    @pytest.mark.parametrize("method", METHODS)
    def test_the_key_before_is_kept_once(self, place: Place, method: str) -> None:
        """Whatever was kept before gives way, and activating again does not put the new key there."""
        place.staged()
        place.have(place.previous, THIRD, "0")
        for again in range(3):
            assert place.run(state="active", method=method)["changed"] is (again == 0)
            assert place.keys() == {"current": NEW, "next": NEW, "previous": OLD}

    @pytest.mark.parametrize("methods", [("rename", "in_place"), ("in_place", "rename"), METHODS[:1] * 2])
    def test_one_rotation_after_another(self, place: Place, methods: tuple[str, str]) -> None:
        place.live()
        for number, method in enumerate((*methods, *methods), start=2):
            before = place.key.read_bytes()
            place.applied(state="staged", serial=str(number), run="r")
            place.applied(state="active", method=method)
            place.applied(state="unstaged", run="r")
            assert place.keys()["previous"] == before != place.keys()["current"]
            assert place.run()["serial"] == str(number)
            assert place.key.stat().st_nlink == 1

    def test_another_length_only_by_rename(self, place: Place) -> None:
        place.live()
        place.have(place.next, OLD + NEW, "2")
        place.refused(
            "key has 32 bytes and the next key has 64. .*left as it is. Use method: rename",
            state="active",
            method="in_place",
        )
        assert place.applied(state="active")["size"] == 64

    @pytest.mark.parametrize("method", METHODS)
    def test_the_very_key_that_was_named(self, place: Place, method: str) -> None:
        place.staged()
        place.refused(
            f"key.next is {fingerprint(NEW)}, not {fingerprint(THIRD)}: this host would get another key",
            state="active",
            method=method,
            fingerprint=fingerprint(THIRD),
        )
        assert place.applied(state="active", method=method, fingerprint=fingerprint(NEW))["changed"] is True
        # What is in force already stays so, whatever is staged, and when nothing is.
        place.run(state="unstaged")
        assert place.applied(state="active", method=method, fingerprint=fingerprint(NEW))["changed"] is False
        place.have(place.next, THIRD + OLD, "3")
        result = place.applied(state="active", method=method, fingerprint=fingerprint(NEW))
        assert (result["changed"], result["previous_fingerprint"]) == (False, None)

    def test_without_a_staged_key(self, place: Place) -> None:
        place.live()
        before = place.snapshot()
        result = place.run(state="active")
        assert re.search("There is no .*/key.next, so there is no next key to bring into force", result["msg"])
        assert place.snapshot() == before
        # In check mode the task before this one has staged nothing.
        assert place.run(True, state="active")["changed"] is False
        place.key.unlink()
        place.refused("There is no key at .*/key to rotate", state="active")

    def test_the_diff_shows_fingerprints(self, place: Place) -> None:
        place.staged()
        foretold = place.run(True, state="active")["diff"]
        result = place.run(state="active")["diff"]
        old, new = {"fingerprint": fingerprint(OLD), "serial": "1"}, {"fingerprint": fingerprint(NEW), "serial": "2"}
        assert result["before"] == foretold["before"] == {"current": old, "next": new, "previous": None}
        assert result["after"] == {"current": new, "next": new, "previous": old}
        assert foretold["after"] == {**foretold["before"], "in check mode": "active would change this"}


class TestTheInstant:
    @pytest.mark.parametrize("method", METHODS)
    def test_is_kept(self, place: Place, method: str) -> None:
        """Never before, and soon after. A busy machine may be late now and then, so the best of some counts."""
        late = []
        for _attempt in range(8):
            place.staged()
            at = time.time() + 1
            process = Run({"path": str(place.key), "state": "active", "method": method, "activate_at": at})
            while place.key.read_bytes() == OLD:
                time.sleep(0.0002)
            seen = time.time()
            result = process.result()
            assert result["activated"] >= at
            assert seen >= at
            late.append(seen - at)
            for path in place.folder.iterdir():
                path.unlink()
            if min(late) < 0.01:
                break
        assert min(late) < 0.01

    @pytest.mark.parametrize("at", [0, 1.5, BORN])
    def test_that_has_passed_is_now(self, place: Place, at: float) -> None:
        place.staged()
        before = time.time()
        result = place.applied(state="active", activate_at=at)
        assert result["activated"] >= before

    @pytest.mark.parametrize("ahead", [125, 1e9, float("inf"), float("nan")])
    def test_that_is_too_far_ahead_is_refused(self, place: Place, ahead: float) -> None:
        """Before anything is done: the key kept for a way back stays, too."""
        place.staged()
        place.have(place.previous, THIRD, "0")
        place.refused(
            r"activate_at is \S+ s ahead by the clock of this host; the limit is 120 s. Nothing was changed. Compare",
            state="active",
            activate_at=time.time() + ahead,
        )

    @pytest.mark.parametrize("method", METHODS)
    def test_a_key_that_changes_before_it_is_left_alone(self, place: Place, method: str) -> None:
        place.staged()
        process = self.waiting(place, method)
        place.key.chmod(0o600)
        place.have(place.folder / "other", THIRD)
        os.replace(place.folder / "other", place.key)
        result = process.result()
        assert re.search("/key was changed by something else meanwhile, and left as it is", result["msg"])
        assert place.keys()["current"] == THIRD

    @pytest.mark.parametrize("method", METHODS)
    def test_a_rotation_that_ends_before_it(self, place: Place, method: str) -> None:
        place.staged()
        process = self.waiting(place, method)
        assert place.run(state="unstaged")["changed"] is True
        assert "key.next" in process.result()["msg"]
        assert place.keys()["current"] == OLD

    def waiting(self, place: Place, method: str) -> Run:
        params = {"path": str(place.key), "state": "active", "method": method, "activate_at": time.time() + 4}
        process = Run(params)
        deadline = time.monotonic() + 20
        while not place.previous.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        return process


class TestTheWayBack:
    @pytest.mark.parametrize("forth", METHODS)
    def test_by_rename_the_very_file_returns(self, place: Place, forth: str) -> None:
        """Daemons that still have it mapped have the right one, then."""
        place.staged()
        inode = place.key.stat().st_ino
        place.run(state="active", method=forth)
        kept = place.previous.stat().st_ino
        assert forth == "in_place" or kept == inode
        result = place.applied(state="active", source="previous")
        assert (result["changed"], result["previous_fingerprint"]) == (True, fingerprint(NEW))
        assert (result["fingerprint"], result["serial"], result["by"]) == (fingerprint(OLD), "1", "root@a")
        assert place.key.stat().st_ino == kept
        assert place.keys() == {"current": OLD, "next": NEW}
        self.check_the_end(place)

    @pytest.mark.parametrize("forth", METHODS)
    def test_in_place_the_bytes_return(self, place: Place, forth: str) -> None:
        place.staged()
        place.run(state="active", method=forth)
        inode = place.key.stat().st_ino
        with open(place.key, "rb") as stream, mmap.mmap(stream.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
            result = place.applied(state="active", source="previous", method="in_place")
            assert mapped[:] == OLD
        assert (result["changed"], result["fingerprint"], result["serial"]) == (True, fingerprint(OLD), "1")
        assert place.key.stat().st_ino == inode
        assert place.keys() == {"current": OLD, "next": NEW, "previous": OLD}
        self.check_the_end(place)

    def check_the_end(self, place: Place) -> None:
        assert place.record(place.key) == KeyRecord("1", BORN, fingerprint(OLD), "root@a")
        place.applied(state="unstaged", run="run-b")
        assert place.names() == {"key", "key.record"}
        assert place.keys() == {"current": OLD}

    def test_and_forth_again(self, place: Place) -> None:
        place.staged()
        for method in ("rename", "in_place", "in_place", "rename"):
            place.applied(state="active", method=method)
            assert place.keys() == {"current": NEW, "next": NEW, "previous": OLD}
            place.applied(state="active", method=method, source="previous")
            assert place.keys()["current"] == OLD

    def test_after_the_rotation_has_ended(self, place: Place) -> None:
        place.swapped()
        place.run(state="unstaged")
        assert place.applied(state="active", source="previous")["serial"] == "1"
        assert place.keys() == {"current": OLD}

    @pytest.mark.parametrize("method", METHODS)
    def test_to_the_very_key_that_was_named(self, place: Place, method: str) -> None:
        place.swapped()
        way = {"state": "active", "source": "previous", "method": method}
        place.refused("key.previous is .*, not ", **way, fingerprint=fingerprint(THIRD))
        assert place.applied(**way, fingerprint=fingerprint(OLD))["changed"] is True

    def test_where_there_is_none(self, place: Place) -> None:
        place.staged()
        before = place.snapshot()
        result = place.run(state="active", source="previous")
        assert re.search("There is no .*/key.previous, so there is no previous key to bring into force", result["msg"])
        assert place.snapshot() == before

    def test_of_another_length(self, place: Place) -> None:
        place.have(place.key, NEW, "2")
        place.have(place.previous, OLD + OLD[::-1], "1")
        way = {"state": "active", "source": "previous"}
        place.refused("key has 32 bytes and the previous key has 64", **way, method="in_place")
        assert place.applied(**way)["size"] == 64


class TestUnstaged:
    def test_before_the_swap_nothing_has_been(self, place: Place) -> None:
        place.live()
        before = place.snapshot()
        place.have(place.next, NEW, "2", run="run-b")
        result = place.applied(state="unstaged", run="run-b")
        assert (result["changed"], result["next_fingerprint"]) == (True, None)
        after = place.snapshot()
        assert {**after, place.folder.name: None} == {**before, place.folder.name: None}

    @pytest.mark.parametrize("keep", [True, False])
    def test_after_the_swap_the_previous_key_stays_if_it_may(self, place: Place, keep: bool) -> None:
        place.swapped()
        assert place.applied(state="unstaged", run="run-b", keep_previous=keep)["changed"] is True
        assert place.keys() == {"current": NEW, **({"previous": OLD} if keep else {})}
        assert place.applied(state="unstaged", keep_previous=False)["changed"] is keep
        assert place.names() == {"key", "key.record"}

    def test_there_is_nothing_to_do(self, place: Place) -> None:
        place.live()
        assert place.applied(state="unstaged")["changed"] is False
        place.have(place.previous, THIRD, "0")
        assert place.applied(state="unstaged")["changed"] is False

    @pytest.mark.parametrize("keep", [True, False])
    @pytest.mark.parametrize("swapped", [True, False])
    def test_the_key_of_another_run_is_left_alone(self, place: Place, swapped: bool, keep: bool) -> None:
        (place.swapped if swapped else place.staged)()
        result = place.applied(state="unstaged", run="run-c", keep_previous=keep)
        assert (result["changed"], result["next_fingerprint"]) == (False, fingerprint(NEW))

    def test_who_gives_no_name_means_any(self, place: Place) -> None:
        place.staged()
        assert place.applied(state="unstaged")["changed"] is True

    @pytest.mark.parametrize("name", ["key.next", "key.previous"])
    def test_a_record_that_lost_its_key_goes(self, place: Place, name: str) -> None:
        """As a run leaves it that was killed, or a way back by rename."""
        place.live()
        place.have(place.folder / name, NEW, "2")
        (place.folder / name).unlink()
        assert place.applied(state="unstaged")["changed"] is True
        assert place.names() == {"key", "key.record"}

    def test_where_the_key_itself_is_gone(self, place: Place) -> None:
        place.staged()
        place.key.unlink()
        result = place.applied(state="unstaged", run="run-b")
        assert (result["changed"], result["state"], result["fingerprint"]) == (True, "absent", None)
        assert place.names() == {"key.record"}

    def test_where_not_even_the_folder_is(self, place: Place) -> None:
        result = run({"path": f"{place.folder}/no/key", "state": "unstaged"})
        assert (result["changed"], result["state"]) == (False, "absent")


class TestPresentAndAbsent:
    @pytest.mark.parametrize("swapped", [True, False])
    @pytest.mark.parametrize("params", [{"serial": "3"}, {"force": True}, {"max_age": "1d"}, {"content": b64(THIRD)}])
    def test_no_key_is_replaced_while_a_rotation_is_under_way(
        self, place: Place, params: dict[str, Any], swapped: bool
    ) -> None:
        (place.swapped if swapped else place.staged)()
        place.refused("key.next exists, so a rotation is under way. .*/key was left.*state: unstaged", **params)

    def test_and_nothing_else_is_refused_then(self, place: Place) -> None:
        place.staged()
        assert place.applied(serial="1")["changed"] is False
        place.key.chmod(0o600)
        assert place.applied(serial="1")["mode"] == "0400"
        place.run(state="unstaged")
        assert place.applied(serial="3")["reason"] == "serial"

    @pytest.mark.parametrize("backup", [True, False])
    def test_absent_takes_all_away(self, place: Place, backup: bool) -> None:
        place.swapped()
        result = place.run(True, state="absent", backup=backup)
        assert (result["changed"], len(place.names())) == (True, 6)
        result = place.run(state="absent", backup=backup)
        assert (result["changed"], result["previous_fingerprint"]) == (True, fingerprint(NEW))
        # The key alone is what backup keeps.
        assert [path.read_bytes() for path in place.folder.iterdir()] == [NEW] * backup
        assert place.run(state="absent", backup=backup)["changed"] is False

    @pytest.mark.parametrize("name", ["key.next", "key.next.record", "key.previous", "key.previous.record"])
    def test_absent_takes_away_what_is_left_of_a_rotation(self, place: Place, name: str) -> None:
        place.have(place.folder / name, NEW)
        assert place.run(True, state="absent")["changed"] is True
        assert place.run(state="absent")["changed"] is True
        assert place.names() == set()
        assert place.run(state="absent")["changed"] is False

    def test_who_had_the_key_made_stays_on_record(self, place: Place) -> None:
        made = place.applied(serial="1", by="root@a")
        assert made["by"] == "root@a"
        assert place.applied(serial="1")["by"] == "root@a"
        result = place.applied(serial="1", by="root@c")
        assert (result["changed"], result["by"]) == (False, "root@a")
        assert place.applied(serial="2", by="root@c")["by"] == "root@c"

    def test_and_comes_with_a_key_from_elsewhere(self, place: Place) -> None:
        place.live()
        result = place.applied(content=b64(OLD), serial="1", by="root@c")
        assert (result["changed"], result["fingerprint"], result["by"]) == (True, fingerprint(OLD), "root@c")
        assert place.applied(content=b64(OLD), serial="1")["by"] == "root@c"


@pytest.mark.parametrize("state", ["staged", "active", "unstaged"])
@pytest.mark.parametrize("name", ["key", "key.next", "key.previous", "key.next.record"])
def test_a_link_is_refused(place: Place, state: str, name: str) -> None:
    place.swapped()
    (place.folder / name).unlink()
    (place.folder / name).symlink_to("/etc/hostname")
    place.refused(f"{name} is a symbolic link, not a file", state=state)


@pytest.mark.parametrize("state", ["staged", "active", "unstaged"])
def test_where_anyone_may_write(place: Place, state: str) -> None:
    place.staged()
    place.folder.chmod(0o777)
    place.refused("writable by every user of the host", state=state, serial="3")
