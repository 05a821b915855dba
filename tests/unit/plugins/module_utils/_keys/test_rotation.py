# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the three keys of a rotation tell, and the order of the steps. The module's tests go through the steps."""

from __future__ import annotations

import os
import pathlib
import time

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import atomic, lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import KeyRecord, format_record
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rotation import (
    IN_PLACE,
    RENAME,
    RotationError,
    activate,
    is_due,
    left_to_unstage,
    unstage,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, PREVIOUS, read_slots
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time import instant
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.instant import LONGEST_WAIT, InstantTooFar

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
BORN = 1700000000


@pytest.fixture
def path(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "key")


def have(path: str, data: bytes, record: KeyRecord | None = None) -> None:
    pathlib.Path(path).write_bytes(data)
    os.chmod(path, 0o400)
    os.utime(path, (BORN, BORN))
    if record:
        have(path + ".record", format_record(record))


def said_of(data: bytes, serial: str, run: str | None = None) -> KeyRecord:
    return KeyRecord(serial, BORN, fingerprint(data), None, run)


def staged(path: str) -> None:
    have(path, OLD, said_of(OLD, "1"))
    have(path + ".next", NEW, said_of(NEW, "2", "run-b"))


class TestLook:
    def test_where_nothing_is(self, path: str) -> None:
        assert read_slots(path) == (None, None, None)
        assert read_slots(f"{os.path.dirname(path)}/no/such/key") == (None, None, None)

    def test_how_far_it_has_come(self, path: str) -> None:
        have(path, OLD)
        assert (read_slots(path).next, read_slots(path).swapped) == (None, False)
        have(path + ".next", NEW)
        assert read_slots(path).swapped is False
        have(path + ".previous", OLD)
        os.replace(path + ".next", path)
        have(path + ".next", NEW)
        slots = read_slots(path)
        assert slots.swapped is True
        assert slots.previous is not None
        assert slots.previous.fingerprint == fingerprint(OLD)

    def test_a_key_without_a_record_speaks_for_itself(self, path: str) -> None:
        have(path, OLD, said_of(NEW, "2"))
        live = read_slots(path).current
        assert live is not None
        assert (live.record, live.known) == (None, KeyRecord(None, BORN, fingerprint(OLD)))

    @pytest.mark.parametrize("source", [NEXT, PREVIOUS])
    def test_after_a_kill_the_record_is_beside_the_key_it_came_from(self, path: str, source: str) -> None:
        have(path, NEW, said_of(OLD, "1"))
        have(f"{path}.{source}", NEW, said_of(NEW, "2", "run-b"))
        live = read_slots(path).current
        assert live is not None
        assert live.record == said_of(NEW, "2", "run-b")

    def test_a_key_s_own_record_comes_first(self, path: str) -> None:
        have(path, NEW, said_of(NEW, "mine"))
        have(path + ".next", NEW, said_of(NEW, "theirs", "run-b"))
        slots = read_slots(path)
        assert slots.current is not None and slots.next is not None
        assert (slots.current.known.serial, slots.next.known.serial) == ("mine", "theirs")

    def test_no_secret_in_a_traceback(self, path: str) -> None:
        have(path, b"x" * 32)
        assert "xxx" not in repr(read_slots(path))


class TestActivate:
    @pytest.mark.parametrize("method", [RENAME, IN_PLACE])
    def test_when_it_was(self, path: str, method: str) -> None:
        staged(path)
        before = time.time()
        when = activate(path, NEXT, method, None, None)
        assert when is not None
        assert before <= when <= time.time()
        assert activate(path, NEXT, method, None, None) is None

    @pytest.mark.parametrize(("source", "method"), [(NEXT, RENAME), (NEXT, IN_PLACE), (PREVIOUS, RENAME)])
    def test_nothing_slow_is_left_for_the_instant(
        self, path: str, source: str, method: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the instant and the swap no key is read, and nothing is written to the disk."""
        staged(path)
        if source == PREVIOUS:
            have(path + ".previous", NEW)
        told: list[str] = []
        for name in ("fsync", "read", "write", "pwrite", "replace"):

            def tell(*args: object, _name: str = name, _call: object = getattr(os, name), **options: object) -> object:
                told.append(_name)
                return _call(*args, **options)  # type: ignore[operator]

            monkeypatch.setattr(atomic.os, name, tell)
        sleep = time.sleep
        at = time.time() + 0.5

        def wait(seconds: float) -> None:
            sleep(seconds)
            if time.time() >= at - 0.1:
                told.clear()

        monkeypatch.setattr(instant.time, "sleep", wait)
        activate(path, source, method, None, at)
        assert told[0] == ("pwrite" if method == IN_PLACE else "replace")

    def test_the_key_is_not_held_while_it_waits(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        staged(path)
        waits = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            with lock.file_lock(path, 0.1):
                unstage(path, True)

        monkeypatch.setattr(instant.time, "sleep", wait)
        monkeypatch.setattr(instant.time, "time", lambda: 1000.0 + (100 if waits else 0))
        with pytest.raises(RotationError, match="There is no .*key.next"):
            activate(path, NEXT, RENAME, None, 1100.0)
        assert len(waits) == 1
        assert pathlib.Path(path).read_bytes() == OLD

    @pytest.mark.parametrize("ahead", [LONGEST_WAIT + 5, float("nan"), float("inf")])
    def test_an_instant_that_never_comes(self, path: str, ahead: float) -> None:
        staged(path)
        for step in (
            lambda at: is_due(path, NEXT, None, at),
            lambda at: activate(path, NEXT, RENAME, None, at),
        ):
            with pytest.raises(InstantTooFar, match="the limit is 120 s. Nothing was changed. Compare the clocks"):
                step(time.time() + ahead)
        assert read_slots(path).previous is None

    def test_without_a_key(self, path: str) -> None:
        have(path + ".next", NEW)
        with pytest.raises(SecretFileMissing):
            activate(path, NEXT, RENAME, None, None)

    def test_whether_it_is_due(self, path: str) -> None:
        staged(path)
        assert is_due(path, NEXT, None, None) is is_due(path, NEXT, fingerprint(NEW), None) is True
        assert is_due(path, NEXT, fingerprint(OLD), None) is False
        activate(path, NEXT, RENAME, None, None)
        assert is_due(path, NEXT, None, None) is False
        assert is_due(path, PREVIOUS, None, None) is True
        activate(path, PREVIOUS, RENAME, None, None)
        # It has the name of the key in force now.
        assert is_due(path, PREVIOUS, None, None) is False


def test_what_is_left_to_unstage(path: str) -> None:
    staged(path)
    activate(path, NEXT, IN_PLACE, None, None)
    assert left_to_unstage(path, True) == [path + ".next", path + ".next.record"]
    assert left_to_unstage(path, False) == [
        path + name for name in (".next", ".next.record", ".previous", ".previous.record")
    ]
    activate(path, PREVIOUS, IN_PLACE, None, None)
    # The previous key is the one in force.
    assert left_to_unstage(path, True) == left_to_unstage(path, False)
    assert len(left_to_unstage(path, True)) == 4
    assert unstage(path, True) is True
    assert left_to_unstage(path, True) == []
    assert unstage(path, True) is False
