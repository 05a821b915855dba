# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import pathlib
import re
import stat
import sys
import time
from typing import Any

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._ansible import secrets
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import (
    KeyRecord,
    format_record,
    format_time,
    parse_record,
)
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_key
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.access_lists import let_in, names_in, needs_acl
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.key_runs import (
    NOBODY,
    KeyFolder,
    modules_of,
    run,
)

ME, MINE = os.geteuid(), os.getegid()
GOOD = bytes.fromhex("8e0bd5ff1d2b7c6a90e43f5a6677c8b9aa0b1c2d3e4f5061728394a5b6c7d8e9")
OTHER = bytes(reversed(GOOD))
PEM = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ\n-----END PRIVATE KEY-----\n"
as_root = pytest.mark.skipif(ME != 0, reason="changes owners, which only root can")


class Place(KeyFolder):
    """A key file in a folder of its own, what lies beside it, and the module set on it."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder, "jwt.key")
        self.record_file = folder / "jwt.key.record"

    def have(self, data: bytes = GOOD, mode: int = 0o400, age: float = 0) -> None:
        self.key.write_bytes(data)
        self.key.chmod(mode)
        os.utime(self.key, (time.time() - age, time.time() - age))

    def have_record(self, serial: str | None, data: bytes = GOOD, age: float = 0) -> None:
        self.record_file.write_bytes(format_record(KeyRecord(serial, int(time.time() - age), fingerprint(data))))
        self.record_file.chmod(0o400)

    def applied(self, **params: Any) -> dict[str, Any]:
        """In check mode and for real: check mode changes nothing and says the same; a third run has nothing to do."""
        before = self.snapshot()
        foretold = self.run(True, **params)
        assert self.snapshot() == before
        result = self.run(**params)
        assert not result.get("failed"), result
        assert set(result) == set(foretold)
        same = (
            "changed",
            "reason",
            "previous_fingerprint",
            "serial",
            "size",
            "state",
            "owner",
            "group",
            "mode",
            "uid",
            "gid",
        )
        for name in same:
            assert foretold[name] == result[name], name
        again = self.run(**params)
        assert again["changed"] is False
        assert again["reason"] is again["previous_fingerprint"] is again["backup_file"] is None
        if result["changed"] and "diff" in foretold:
            assert foretold["diff"]["before"] == result["diff"]["before"]
            assert set(foretold["diff"]["after"]) == set(result["diff"]["after"])
        return result

    def record(self) -> KeyRecord | None:
        return parse_record(self.record_file.read_bytes())

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))


@pytest.fixture
def place(tmp_path: pathlib.Path) -> Place:
    return Place(tmp_path)


def mode_of(path: object) -> int:
    return stat.S_IMODE(os.lstat(str(path)).st_mode)


class TestANewKey:
    def test_is_made_with_its_record(self, place: Place) -> None:
        result = place.applied()
        data = place.key.read_bytes()
        assert len(data) == 32
        assert mode_of(place.key) == mode_of(place.record_file) == 0o400
        assert place.names() == ["jwt.key", "jwt.key.record"]
        assert result["changed"] is True
        assert result["reason"] == "missing"
        assert result["fingerprint"] == fingerprint(data)
        assert (result["key_path"], result["algorithm"], result["size"]) == (str(place.key), "HS256", 32)
        assert (result["mode"], result["uid"], result["gid"], result["state"]) == ("0400", ME, MINE, "file")
        assert result["previous_fingerprint"] is result["backup_file"] is result["serial"] is None
        assert 0 <= result["age"] < 5
        assert place.record() == KeyRecord(None, place.record().created, fingerprint(data))  # type: ignore[union-attr]

    def test_in_the_size_and_with_the_serial_asked_for(self, place: Place) -> None:
        result = place.applied(size=64, serial="2026-11")
        assert len(place.key.read_bytes()) == result["size"] == 64
        assert result["serial"] == "2026-11"

    def test_the_diff_shows_no_key(self, place: Place) -> None:
        result = place.run(serial="first")
        assert result["diff"]["before"] == {"state": "absent"}
        assert result["diff"]["after"] == {
            "state": "present",
            "size": 32,
            "fingerprint": fingerprint(place.key.read_bytes()),
            "serial": "first",
            "owner": result["owner"],
            "group": result["group"],
            "mode": "0400",
        }

    def test_check_mode_knows_no_fingerprint(self, place: Place) -> None:
        result = place.run(True)
        assert result["fingerprint"] is None
        assert result["diff"]["after"]["fingerprint"] == "(of a new random key)"
        assert place.names() == []

    def test_check_mode_on_a_host_where_nothing_is_installed_yet(self, place: Place) -> None:
        result = run(
            {"path": f"{place.folder}/no/such/jwt.key", "owner": "no-such-user", "group": "no-such"}, check=True
        )
        assert (result["changed"], result["owner"], result["group"]) == (True, "no-such-user", "no-such")
        result = place.run(True, owner="no-such-user")
        assert (result["owner"], result["group"], result["uid"]) == ("no-such-user", "no-such-user", None)
        place.have()
        result = place.run(True, owner="no-such-user")
        assert (result["changed"], result["diff"]["after"]["owner"]) == (True, "no-such-user")

    def test_for_real_folder_and_owner_must_exist(self, place: Place) -> None:
        result = run({"path": f"{place.folder}/no/such/jwt.key"})
        assert re.search("The folder .*/no/such does not exist .'no' is missing.; create it first", result["msg"])
        for option in ("owner", "group"):
            result = place.run(**{option: "no-such-one"})
            assert f"{option}: there is no" in result["msg"]
            assert "'no-such-one' on this host. Install Slurm" in result["msg"]
        assert place.names() == []

    @pytest.mark.parametrize("umask", [0o000, 0o777])
    def test_the_umask_has_no_say(self, place: Place, umask: int) -> None:
        run({"path": str(place.key)}, prepare=lambda: os.umask(umask))
        assert mode_of(place.key) == mode_of(place.record_file) == 0o400

    @as_root
    def test_for_its_owner_and_that_owner_s_group(self, place: Place) -> None:
        place.applied(owner=str(NOBODY), mode="0440")
        for path in (place.key, place.record_file):
            assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (NOBODY, NOBODY, 0o440)

    @as_root
    def test_by_an_unprivileged_user_in_a_folder_of_theirs(self, place: Place) -> None:
        for parent in place.folder.parents:
            # pytest's own folders, one more of them for each of several workers.
            if parent.stat().st_mode & 0o1000:
                break
            os.chmod(parent, 0o755)
        os.chown(place.folder, NOBODY, NOBODY)
        as_nobody = run({"path": str(place.key)}, prepare=become_nobody)
        assert (as_nobody["changed"], as_nobody["uid"]) == (True, NOBODY)
        assert run({"path": str(place.key)}, prepare=become_nobody)["changed"] is False
        assert run({"path": str(place.key), "force": True}, prepare=become_nobody)["changed"] is True
        failed = run({"path": str(place.key), "owner": "root"}, prepare=become_nobody)
        assert "Cannot set owner and mode of" in failed["msg"]
        assert "Run as root (become: true)" in failed["msg"]


def become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class TestAKeyThatExists:
    def test_stays(self, place: Place) -> None:
        place.have()
        before = place.snapshot()
        result = place.applied()
        assert result["changed"] is False
        assert result["fingerprint"] == fingerprint(GOOD)
        assert place.snapshot() == before

    @pytest.mark.parametrize("size", [33, 48, 64, 512])
    def test_of_another_size_stays(self, place: Place, size: int) -> None:
        place.have((GOOD + OTHER * 20)[:size])
        assert place.applied(size=32)["changed"] is False

    def test_gets_the_mode_it_is_to_have(self, place: Place) -> None:
        place.have(mode=0o600)
        inode = place.key.stat().st_ino
        result = place.applied()
        assert (result["changed"], result["reason"], mode_of(place.key)) == (True, None, 0o400)
        assert (place.key.stat().st_ino, place.key.read_bytes()) == (inode, GOOD)
        assert (result["diff"]["before"]["mode"], result["diff"]["after"]["mode"]) == ("0600", "0400")
        assert "warnings" not in result

    @as_root
    def test_gets_the_owner_it_is_to_have_and_so_does_its_record(self, place: Place) -> None:
        place.have()
        place.have_record("one")
        place.applied(owner=str(NOBODY), group=str(NOBODY))
        for path in (place.key, place.record_file):
            assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (NOBODY, NOBODY, 0o400)
        os.chown(place.record_file, 0, 0)
        assert place.applied(owner=str(NOBODY))["changed"] is True

    @as_root
    def test_of_somebody_whom_nobody_named_is_neither_left_to_them_nor_taken_from_a_daemon(self, place: Place) -> None:
        place.have()
        os.chown(place.key, NOBODY, 0)
        place.refused("owner: the file belongs to the user nobody.*Nothing was changed.*name root")
        place.refused("owner: the file belongs to the user nobody", state="staged", serial="x")
        assert place.applied(owner="nobody")["changed"] is False
        os.chown(place.key, 0, 1)
        place.refused("group: the file belongs to the group daemon", mode="0440")
        assert place.applied()["changed"] is False
        assert place.applied(mode="0440", group="daemon")["changed"] is True

    @as_root
    @needs_acl
    def test_that_an_access_list_gives_to_others_is_corrected_with_a_warning(self, place: Place) -> None:
        place.have(mode=0o440)
        let_in(place.key, user=NOBODY)
        for check in (True, False):
            result = place.run(check, mode="0440")
            assert (result["changed"], result["reason"]) == (True, None)
            assert result["diff"]["before"]["acl"] == "user nobody (r)" and "acl" not in result["diff"]["after"]
            assert (result["diff"]["before"]["mode"], result["diff"]["after"]["mode"]) == ("0440+", "0440")
            assert re.search("gave access to the user nobody.*rotate it", result["warnings"][0])
        assert names_in(place.key) == set() and mode_of(place.key) == 0o440
        assert place.applied(mode="0440")["changed"] is False
        assert "warnings" not in place.run(mode="0440")

    @pytest.mark.parametrize(
        ("mode", "said"),
        [(0o644, "every user of the host could read"), (0o602, "every user.*write"), (0o660, "its group could write")],
    )
    def test_that_others_could_get_at_is_corrected_with_a_warning(self, place: Place, mode: int, said: str) -> None:
        place.have(mode=mode)
        foretold = place.run(True)
        assert re.search("would be corrected", foretold["warnings"][0])
        result = place.run()
        assert re.search(f"had mode {mode:04o}.*{said}.*were corrected.*rotate it", result["warnings"][0])
        assert mode_of(place.key) == 0o400
        assert "warnings" not in place.run()

    @as_root
    def test_that_a_stranger_owned_is_taken_over_with_a_warning(self, place: Place) -> None:
        place.have()
        os.chown(place.key, 4242, 4242)
        result = place.run(owner="root", group="root")
        assert re.search("belonged to 4242, who may have kept a copy", result["warnings"][0])
        assert "warnings" not in place.run(owner="root", group="root")

    def test_in_hexadecimal_stays_without_a_word(self, place: Place) -> None:
        place.have(GOOD.hex().encode())
        result = place.applied()
        assert (result["changed"], "warnings" in result) == (False, False)

    def test_that_ends_with_a_newline_stays_with_a_word(self, place: Place) -> None:
        place.have(GOOD.hex().encode() + b"\n")
        result = place.applied()
        assert result["changed"] is False
        assert "the newline is part of the key" in result["warnings"][0]


class TestAWeakKey:
    WEAK = (b"", b"x", GOOD[:31], b"\0" * 32, b"ThisIsMySuperSecretSlurmJwtKeyForCluster\n")

    @pytest.mark.parametrize("data", WEAK)
    def test_is_reported_and_left_alone(self, place: Place, data: bytes) -> None:
        place.have(data, mode=0o644)
        place.refused("jwt.key (is|has) .*It was left as it is. weak: replace makes a new key")

    @pytest.mark.parametrize("data", WEAK[1:])
    def test_is_kept_on_request(self, place: Place, data: bytes) -> None:
        place.have(data)
        result = place.applied(weak="keep")
        assert result["changed"] is False
        assert re.search("jwt.key (is|has) ", result["warnings"][0])

    def test_is_not_kept_if_no_daemon_would_start_with_it(self, place: Place) -> None:
        place.have(b"")
        place.refused("is empty.*weak: replace makes a new key", weak="keep")

    @pytest.mark.parametrize("data", WEAK)
    def test_is_replaced_on_request(self, place: Place, data: bytes) -> None:
        place.have(data)
        result = place.applied(weak="replace")
        assert result["reason"] == "weak"
        assert result["previous_fingerprint"] == fingerprint(data)
        assert len(place.key.read_bytes()) == 32

    def test_gives_way_to_a_key_that_was_asked_for(self, place: Place) -> None:
        place.have(GOOD[:16])
        assert place.applied(content=base64.b64encode(GOOD).decode())["reason"] == "content"
        place.have(GOOD[:16])
        place.have_record("one", GOOD[:16])
        assert place.applied(serial="two")["reason"] == "serial"


class TestWhatIsNoKey:
    OTHER_FILES = (PEM, b'{"keys": []}', b"ClusterName=a\nSlurmctldHost=b\n", b"<html></html>", GOOD * 200)

    @pytest.mark.parametrize("data", OTHER_FILES)
    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"weak": "keep"},
            {"weak": "replace"},
            {"serial": "new"},
            {"max_age": "1s"},
            {"content": base64.b64encode(GOOD).decode()},
            {"state": "absent"},
            {"state": "absent", "backup": True},
        ],
    )
    def test_is_never_touched(self, place: Place, data: bytes, params: dict[str, Any]) -> None:
        place.have(data, mode=0o644)
        place.refused(r"jwt.key (is|has) .*HS256 key.*It was left as it is. Correct the path.*force: true", **params)

    @pytest.mark.parametrize("data", OTHER_FILES)
    def test_is_replaced_by_force(self, place: Place, data: bytes) -> None:
        place.have(data, mode=0o644)
        result = place.run(force=True, backup=True)
        assert result["reason"] == "force"
        assert pathlib.Path(result["backup_file"]).read_bytes() == data
        assert len(place.key.read_bytes()) == 32

    @pytest.mark.parametrize("data", [*OTHER_FILES, GOOD[:16]])
    def test_stays_if_the_task_names_it(self, place: Place, data: bytes) -> None:
        place.have(data)
        named = "SHA256:" + hashlib.sha256(data).hexdigest()
        result = place.applied(fingerprint=named, mode="0440")
        assert (result["reason"], place.key.read_bytes()) == (None, data)
        assert any("jwt.key" in warning and "HS256 key" in warning for warning in result["warnings"])
        place.refused("It was left as it is", fingerprint="SHA256:" + "0" * 64)
        assert place.applied(fingerprint=named, state="absent", backup=True)["changed"] is True
        assert [path.read_bytes() for path in place.folder.glob("*.removed")] == [data]

    @pytest.mark.parametrize("data", [PEM, GOOD[:16]])
    def test_is_installed_if_the_task_names_it(self, place: Place, data: bytes) -> None:
        content, named = base64.b64encode(data).decode(), "SHA256:" + hashlib.sha256(data).hexdigest()
        place.refused("was not installed|bytes only", content=content, fingerprint="SHA256:" + "0" * 64)
        place.run(content=content, fingerprint=named)
        assert place.key.read_bytes() == data

    def test_an_empty_one_is_none(self, place: Place) -> None:
        place.have(b"")
        place.refused("is empty", fingerprint="SHA256:" + hashlib.sha256(b"").hexdigest())

    def test_is_removed_by_force(self, place: Place) -> None:
        place.have(PEM)
        assert place.applied(state="absent", force=True)["changed"] is True
        assert place.names() == []

    def test_too_large_to_read(self, place: Place) -> None:
        place.have(b"\0" * (1024 * 1024 + 1))
        place.refused("has 1048577 bytes.*Check the path", force=True)

    @pytest.mark.parametrize("name", ["jwt.key", "jwt.key.record"])
    def test_readme_and_folders(self, place: Place, name: str) -> None:
        if name != "jwt.key":
            place.have()
        (place.folder / name).symlink_to("/etc/hostname")
        place.refused(f"{name} is a symbolic link, not a file. Remove it, or", serial="x")
        (place.folder / name).unlink()
        (place.folder / name).mkdir()
        place.refused(f"{name} is a directory, not a file", serial="x")


class TestSerial:
    def test_rotates_once(self, place: Place) -> None:
        first = place.run(serial="2026-10")
        result = place.applied(serial="2026-11")
        assert (result["reason"], result["serial"]) == ("serial", "2026-11")
        assert result["previous_fingerprint"] == first["fingerprint"] != result["fingerprint"]
        record = place.record()
        assert record is not None
        assert (record.serial, record.fingerprint) == ("2026-11", result["fingerprint"])

    def test_not_declared_changes_nothing(self, place: Place) -> None:
        place.run(serial="2026-10")
        result = place.applied()
        assert (result["changed"], result["serial"]) == (False, "2026-10")
        assert place.applied(serial="")["changed"] is False

    def test_a_key_without_a_record_is_labelled_and_stays(self, place: Place) -> None:
        place.have(age=1000)
        made = int(place.key.stat().st_mtime)
        result = place.applied(serial="2026-11")
        assert (result["changed"], result["reason"], result["fingerprint"]) == (True, None, fingerprint(GOOD))
        assert place.record() == KeyRecord("2026-11", made, fingerprint(GOOD))
        assert place.key.read_bytes() == GOOD
        assert result["created"] == format_time(made)
        assert result["diff"]["before"]["serial"] is None
        assert result["diff"]["after"]["serial"] == "2026-11"

    def test_a_key_that_was_made_without_one_is_labelled_and_stays(self, place: Place) -> None:
        made = place.run()
        result = place.applied(serial="2026-11")
        assert (result["changed"], result["fingerprint"]) == (True, made["fingerprint"])
        assert result["created"] == made["created"]

    def test_a_record_of_another_key_counts_as_none(self, place: Place) -> None:
        place.have()
        place.have_record("2026-10", OTHER, age=9999)
        assert place.applied()["serial"] is None
        result = place.applied(serial="2026-11")
        assert (result["reason"], result["serial"]) == (None, "2026-11")
        assert place.record().fingerprint == fingerprint(GOOD)  # type: ignore[union-attr]

    def test_so_does_one_that_nobody_can_read(self, place: Place) -> None:
        place.have()
        place.record_file.write_bytes(b"{ garbage")
        assert place.applied()["changed"] is False
        assert place.applied(serial="2026-11")["reason"] is None
        assert place.record().serial == "2026-11"  # type: ignore[union-attr]

    @pytest.mark.parametrize("serial", [202611, "202611", " 202611 "])
    def test_may_be_a_number(self, place: Place, serial: object) -> None:
        assert place.applied(serial=serial)["serial"] == "202611"

    @pytest.mark.parametrize("serial", [2026.1, True, ["2026"], {"a": 1}, "a\nb", "x" * 256])
    def test_what_is_no_label(self, place: Place, serial: object) -> None:
        place.refused("serial", serial=serial)


class TestMaxAge:
    @pytest.mark.parametrize(
        ("max_age", "seconds"),
        [
            ("100", 100),
            (100, 100),
            ("100s", 100),
            ("2m", 120),
            ("3h", 10800),
            ("90d", 7776000),
            ("1w3d", 864000),
            ("1d 12h", 129600),
            ("1 d 12 h", 129600),
        ],
    )
    def test_counts_from_the_record(self, place: Place, max_age: object, seconds: int) -> None:
        place.have(age=10**8)
        # Room for a machine that is busy.
        place.have_record(None, age=seconds - 60)
        result = place.applied(max_age=max_age)
        assert (result["changed"], -60 <= result["age"] - seconds < 0) == (False, True)
        place.record_file.unlink()
        place.have_record(None, age=seconds)
        result = place.applied(max_age=max_age)
        assert (result["reason"], result["age"]) == ("max_age", 0)

    def test_counts_from_the_file_s_time_if_there_is_no_record(self, place: Place) -> None:
        place.have(age=3600)
        assert place.applied(max_age="61m")["changed"] is False
        assert place.applied(max_age="1h")["reason"] == "max_age"

    def test_a_clock_that_went_back_replaces_nothing(self, place: Place) -> None:
        place.have(age=-3600)
        result = place.applied(max_age="1h")
        assert (result["changed"], result["age"]) == (False, 0)

    @pytest.mark.parametrize("max_age", ["-1", "1.5d", "never", "1y", "d", "90 days", "2H", "3d1w", "0", "0d"])
    def test_what_is_no_duration(self, place: Place, max_age: str) -> None:
        place.refused("max_age: ", max_age=max_age)


class TestContent:
    B64 = base64.b64encode(GOOD).decode()

    def test_is_installed(self, place: Place) -> None:
        foretold = place.run(True, content=self.B64)
        result = place.applied(content=self.B64)
        assert foretold["fingerprint"] == result["fingerprint"] == fingerprint(GOOD)
        assert (result["reason"], place.key.read_bytes()) == ("missing", GOOD)

    def test_takes_the_place_of_another_key(self, place: Place) -> None:
        place.have(OTHER)
        with place.key.open("rb") as mapped:
            result = place.applied(content=self.B64)
            assert mapped.read() == OTHER
        assert (result["reason"], result["previous_fingerprint"]) == ("content", fingerprint(OTHER))
        assert place.key.read_bytes() == GOOD

    def test_all_holders_agree_on_serial_and_time(self, place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
        place.have_record("2026-11", age=86400)
        place.have(age=86400)
        first = place.run(return_content=True, serial="2026-11")
        second = Place(tmp_path_factory.mktemp("dbd"))
        copied = {name: first[name] for name in ("content", "serial", "created")}
        result = second.applied(**copied)
        assert second.record_file.read_bytes() == place.record_file.read_bytes()
        assert [result[name] for name in ("fingerprint", "serial", "created")] == [
            first[name] for name in ("fingerprint", "serial", "created")
        ]
        # A label that was changed at the source comes over without a new key.
        second.applied(**{**copied, "serial": "renamed"})
        assert second.record().serial == "renamed"  # type: ignore[union-attr]
        assert second.key.read_bytes() == GOOD

    def test_serial_and_age_replace_nothing_by_themselves(self, place: Place) -> None:
        place.have(age=1000)
        place.have_record("one", age=1000)
        result = place.applied(content=self.B64, serial="two", max_age="1s")
        assert (result["reason"], result["fingerprint"], result["serial"]) == (None, fingerprint(GOOD), "two")

    def test_may_be_wrapped_as_base64_wraps_it(self, place: Place) -> None:
        place.applied(content=base64.encodebytes(GOOD * 3).decode())
        assert place.key.read_bytes() == GOOD * 3

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("", "content is empty"),
            (" \n", "content is empty"),
            ("not base64!", "content is not base64"),
            (B64[:-2], "content is not base64"),
            (GOOD.hex(), "content is hexadecimal.*b64encode"),
            (GOOD.hex().upper(), "content is hexadecimal"),
            (base64.b64encode(GOOD[:16]).decode(), "The key in content has 16 bytes only.*not installed"),
            (base64.b64encode(b"\0" * 32).decode(), "The key in content is one byte"),
            (base64.b64encode(PEM).decode(), "The key in content is a PEM file"),
            ("ä" * 44, "content is not base64"),
        ],
    )
    def test_what_is_no_good_key(self, place: Place, content: str, said: str) -> None:
        place.refused(said, content=content)
        place.have(OTHER)
        place.refused(said, content=content, force=True)

    def test_weak_keys_are_handed_on_where_they_are_accepted(self, place: Place) -> None:
        place.applied(content=base64.b64encode(GOOD[:16]).decode(), weak="keep")
        assert place.key.read_bytes() == GOOD[:16]
        place.refused("is a PEM file", content=base64.b64encode(PEM).decode(), weak="keep")

    def test_created_belongs_to_content(self, place: Place) -> None:
        place.refused("content", created="2026-11-23T03:45:00Z")
        place.refused("created: 'yesterday' is not a time in UTC", content=self.B64, created="yesterday")

    def test_is_returned_on_request_only(self, place: Place) -> None:
        place.have()
        assert "content" not in place.run()
        assert place.applied(return_content=True)["content"] == self.B64
        made = Place(place.folder)
        made.key = place.folder / "new.key"
        made.record_file = place.folder / "new.key.record"
        assert made.run(True, return_content=True)["content"] is None
        result = made.run(return_content=True)
        assert base64.b64decode(result["content"]) == made.key.read_bytes()

    def test_what_is_returned_is_registered_as_a_secret(self, place: Place) -> None:
        """ansible-core 2.22 and later can hide it then; here a module of that name stands in for the real one."""
        place.have()

        def provide() -> None:
            import types

            stand_in = types.ModuleType("ansible.module_utils.secrets")
            registered = str(place.folder / "registered")
            stand_in.register_secret = (  # type: ignore[attr-defined]
                lambda text: pathlib.Path(registered).write_text(text, encoding="utf-8")
            )
            sys.modules["ansible.module_utils.secrets"] = stand_in
            slurm_jwt_key.register_secret = importlib.reload(secrets).register_secret

        run({"path": str(place.key)}, prepare=provide)
        assert not (place.folder / "registered").exists()
        run({"path": str(place.key), "return_content": True}, prepare=provide)
        assert (place.folder / "registered").read_text() == self.B64


class TestForce:
    def test_replaces_at_every_run(self, place: Place) -> None:
        seen = {place.run(force=True)["fingerprint"] for _round in range(3)}
        assert len(seen) == 3
        assert place.run(True, force=True)["changed"] is True

    def test_with_content_is_only_consent(self, place: Place) -> None:
        place.have()
        assert place.applied(content=TestContent.B64, force=True)["changed"] is False


class TestBackup:
    def test_of_a_key_that_is_replaced(self, place: Place) -> None:
        place.have(mode=0o644)
        foretold = place.run(True, backup=True, force=True)
        result = place.run(backup=True, force=True)
        for told in (foretold, result):
            assert re.match(rf"^{place.key}\.\d{{8}}T\d{{6}}Z\.bak$", told["backup_file"])
        assert pathlib.Path(result["backup_file"]).read_bytes() == GOOD
        assert mode_of(result["backup_file"]) == 0o400

    def test_each_has_its_own_name(self, place: Place) -> None:
        names = [place.run(backup=True, force=True)["backup_file"] for _round in range(4)]
        assert names[0] is None
        assert len(set(names)) == 4
        assert len(place.names()) == 5

    @as_root
    def test_belongs_to_root_or_to_whom_the_key_belongs(self, place: Place) -> None:
        place.have()
        cases = (("root", 0, 0), ("nobody", NOBODY, NOBODY), ("nobody", 0, 0), ("root", NOBODY, 0))
        for owner, before, belongs in cases:
            os.chown(place.key, before, 0)
            kept = place.run(backup=True, force=True, owner=owner, group="root")["backup_file"]
            assert os.stat(kept).st_uid == belongs
            os.unlink(kept)

    def test_none_where_nothing_is_replaced(self, place: Place) -> None:
        place.have(mode=0o600)
        assert place.applied(backup=True)["backup_file"] is None
        assert place.names() == ["jwt.key"]


class TestAbsent:
    def test_removes_key_and_record(self, place: Place) -> None:
        made = place.run(serial="x")
        result = place.applied(state="absent")
        assert place.names() == []
        assert result["previous_fingerprint"] == made["fingerprint"]
        assert result["fingerprint"] is result["size"] is result["serial"] is None
        assert result["state"] == "absent"
        assert result["diff"]["after"] == {"state": "absent"}

    def test_keeps_the_key_on_request(self, place: Place) -> None:
        place.have(mode=0o440)
        inode = place.key.stat().st_ino
        result = place.applied(state="absent", backup=True)
        assert re.match(rf"^{place.key}\.\d{{8}}T\d{{6}}Z\.removed$", result["backup_file"])
        assert os.stat(result["backup_file"]).st_ino == inode
        assert mode_of(result["backup_file"]) == 0o400
        assert len(place.names()) == 1

    def test_removes_weak_keys_too(self, place: Place) -> None:
        place.have(b"")
        assert place.applied(state="absent")["changed"] is True

    def test_a_record_that_was_left(self, place: Place) -> None:
        place.have_record("x")
        assert place.applied(state="absent")["changed"] is True
        assert place.names() == []

    def test_nothing_there_not_even_the_folder(self, place: Place) -> None:
        assert place.applied(state="absent")["changed"] is False
        result = run({"path": f"{place.folder}/no/such/key", "state": "absent", "owner": "no-such-user"})
        assert (result["changed"], "failed" in result) == (False, False)


class TestPlaces:
    @pytest.mark.parametrize("mode", [0o777, 0o1777])
    def test_a_folder_that_everyone_can_write_to(self, place: Place, mode: int) -> None:
        place.folder.chmod(mode)
        place.refused(f"writable by every user of the host .mode {mode:04o}.*chmod go-w")

    @as_root
    @pytest.mark.parametrize("sticky", [0, 0o1000])
    def test_a_folder_that_a_group_can_write_to(self, place: Place, sticky: int) -> None:
        os.chown(place.folder, 0, 100)
        place.folder.chmod(0o770 | sticky)
        place.refused("writable by the group users .mode .770")
        place.refused("writable by the group users .mode .770", state="staged")
        assert place.applied(state="absent")["changed"] is False

    def test_a_relative_path(self) -> None:
        result = run({"path": "jwt.key"})
        assert "'jwt.key' is not the absolute path of a file" in result["msg"]


class TestOptions:
    @pytest.mark.parametrize("mode", ["0444", "0404", "0460", "u=r", 400, 0o644, "0777", True])
    def test_modes_that_are_refused(self, place: Place, mode: object) -> None:
        place.have()
        place.refused("mode: .*Allowed are 0400, 0440, 0600, 0640", mode=mode)

    @pytest.mark.parametrize("mode", ["0400", "400", 0o400, "0440", "0600", "0640"])
    def test_modes_that_are_not(self, place: Place, mode: object) -> None:
        place.applied(mode=mode)
        assert mode_of(place.key) == (mode if isinstance(mode, int) else int(str(mode), 8))

    @pytest.mark.parametrize("size", [0, 16, 31, 4097, -1])
    def test_sizes_that_are_refused(self, place: Place, size: int) -> None:
        place.refused(f"size: {size} is out of range; an HS256 key has 32 to 4096 bytes", size=size)

    def test_another_algorithm(self, place: Place) -> None:
        place.refused("algorithm", algorithm="ES256")


def test_no_result_holds_the_key(place: Place) -> None:
    """Whatever happens to a key, no result of a run that did not ask for it holds it in any form."""
    texts = []
    for params in (
        {},
        {"content": base64.b64encode(GOOD).decode()},
        {"content": base64.b64encode(GOOD).decode(), "force": True},
        {"weak": "keep", "serial": "x", "backup": True},
        {"force": True, "backup": True},
        {"content": base64.b64encode(GOOD[:20]).decode()},
        {"content": base64.b64encode(PEM).decode()},
        {"state": "absent", "backup": True},
    ):
        for check in (True, False):
            result = place.run(check, **params)  # type: ignore[arg-type]
            texts.append(json.dumps(result))
            keys = [path.read_bytes() for path in place.folder.iterdir() if "record" not in path.name]
            for key in [*keys, GOOD, GOOD[:20]]:
                for form in (key.hex(), base64.b64encode(key).decode(), json.dumps(key.decode("latin-1"))[1:-1]):
                    assert not any(form in text for text in texts), params


def test_a_temporary_file_that_a_killed_run_left_is_removed(place: Place) -> None:
    place.have()
    temporary = place.folder / ".slurm_jwt.jwt.key.0123456789abcdef.tmp"
    temporary.write_bytes(OTHER)
    os.utime(temporary, (time.time() - 300, time.time() - 300))
    assert place.run()["changed"] is False
    assert temporary.exists()
    os.utime(temporary, (time.time() - 900, time.time() - 900))
    place.run(True)
    assert temporary.exists()
    assert place.run()["changed"] is False
    assert place.names() == ["jwt.key"]


def test_an_unchanged_run_imports_what_stat_imports(place: Place) -> None:
    place.have()
    place.have_record("x")
    stat_imports = modules_of("ansible.modules.stat", {"path": str(place.key)})
    module = "ansible_collections.hpc.slurm_jwt.plugins.modules.slurm_jwt_key"
    ours = modules_of(module, {"path": str(place.key), "serial": "x", "max_age": "90d"})
    ours = {name for name in ours if not name.startswith("ansible")}
    assert ours - stat_imports <= {"base64", "binascii", "fcntl"}
