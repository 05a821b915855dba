# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens on hosts without a key: checked and made elsewhere, installed, staged, swapped and rolled back.

Real processes and real files throughout; some of the processes die half-way.
"""

from __future__ import annotations

import os
import pathlib
import resource
import select
import signal
import stat
import threading
import time
from typing import Any, Callable

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens import codec, file_format, freshness, issue
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_token
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules import forked, traced
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.folders import states, temporary_files_in

KEY, NEXT_KEY = bytes(range(32)), bytes(range(1, 33))
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")


def token_of(user: str = "nobody", life: int = 1800, age: int = 0, key: bytes = KEY, **claims: Any) -> str:
    begin = int(time.time()) - age
    return issue.sign({"iat": begin, "exp": begin + life, "sun": user, **claims}, key)


class Host:
    """A folder with the files of one token, and the module run on it. There is no key here unless a test names one."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.dest = folder / "token"
        self.next = folder / "token.next"
        self.previous = folder / "token.previous"

    def run(self, check: bool = False, prepare: Callable[[], object] = lambda: None, **options: Any) -> dict[str, Any]:
        params = {"dest": str(self.dest), "conf_path": str(self.folder / "slurm.conf"), **options}
        params = {name: value for name, value in params.items() if value is not None}
        result = forked.run(slurm_jwt_token, params, check, True, prepare)
        if not params.get("return_token"):
            assert "eyJ" not in result["everything"]
        return result

    def fails(self, **options: Any) -> str:
        result = self.run(**options)
        assert result.get("failed"), result
        return str(result["msg"])

    def key(self, data: bytes = KEY, name: str = "key") -> str:
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def put(self, token: str, path: pathlib.Path | None = None, mode: int = 0o400) -> str:
        path = path or self.dest
        path.unlink(missing_ok=True)
        path.write_text(token)
        path.chmod(mode)
        return token

    def tokens(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.folder.iterdir() if path.name.startswith("token")}


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path)


def only(result: dict[str, Any]) -> dict[str, Any]:
    assert not result.get("failed"), result
    (entry,) = result["tokens"]
    return dict(entry)


class TestGiven:
    def test_it_is_installed_once(self, host: Host) -> None:
        token = token_of()
        for check, reason in ((True, "missing"), (False, "missing"), (False, None), (True, None)):
            result = host.run(check, token=token)
            entry = only(result)
            assert (entry["reason"], entry["changed"], result["changed"]) == (reason, bool(reason), bool(reason))
            assert (entry["user"], entry["signature_checked"]) == ("nobody", False)
            assert host.dest.exists() or check
        assert host.dest.read_text() == token
        assert stat.S_IMODE(host.dest.stat().st_mode) == 0o400

    @pytest.mark.parametrize("form", file_format.FORMATS)
    def test_each_format(self, host: Host, form: str) -> None:
        token = token_of()
        assert host.run(token=token, format=form)["changed"]
        assert host.dest.read_bytes() == file_format.render(form, token, "nobody")
        assert not host.run(token=token, format=form)["changed"]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (token_of("daemon"), "given"),
            (token_of(age=5), "given"),
            (None, "format"),
            ("", "unreadable"),
            ("junk", "unreadable"),
        ],
    )
    def test_what_differs_is_replaced(self, host: Host, content: str | None, reason: str) -> None:
        token = token_of()
        host.put(f"\n{token}" if content is None else content)
        assert only(host.run(True, token=token))["reason"] == reason
        assert only(host.run(token=token))["reason"] == reason
        assert host.dest.read_text() == token

    def test_a_mode_that_drifted_is_corrected(self, host: Host) -> None:
        token = host.put(token_of(), mode=0o644)
        assert only(host.run(token=token))["reason"] == "attributes"
        assert stat.S_IMODE(host.dest.stat().st_mode) == 0o400

    def test_users_need_not_exist_here(self, host: Host) -> None:
        assert host.run(token=token_of("elsewhere"), user="elsewhere")["changed"]

    def test_a_key_on_this_host_is_used(self, host: Host) -> None:
        assert only(host.run(token=token_of(), key_path=host.key()))["signature_checked"]
        message = host.fails(token=token_of(key=NEXT_KEY), key_path=host.key())
        assert "token: It was not signed by the key in" in message

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"token": "junk"}, "token: This is not a token"),
            ({"token": ""}, "token: It is empty"),
            ({"token": token_of(age=2000)}, "token: It expired"),
            ({"token": token_of(exp="soon")}, "token: It does not say when it expires"),
            ({"token": token_of(), "user": "daemon"}, "token: It is for the user 'nobody', not for 'daemon'"),
            ({"token": token_of("root")}, "user: 'root' is root"),
            ({"token": token_of("slurm")}, "user: 'slurm' is SlurmUser"),
            ({"token": token_of(life=400 * 86400)}, "token: It lives for more than 366 days"),
            ({"token": token_of(), "dest": None}, "Without dest a token is only returned"),
        ],
    )
    def test_messages(self, host: Host, options: dict[str, Any], text: str) -> None:
        message = host.fails(**options)
        assert text in message
        assert message.endswith(".")
        assert host.tokens() == {}

    def test_options_that_allow(self, host: Host) -> None:
        assert host.run(token=token_of("root"), allow_privileged=True)["changed"]
        assert host.run(token=token_of(life=400 * 86400), allow_endless=True)["changed"]
        entry = {"token": token_of("root"), "dest": str(host.dest)}
        assert "is root" in host.fails(dest=None, tokens=[entry])
        assert host.run(dest=None, tokens=[dict(entry, allow_privileged=True)])["changed"]

    def test_in_check_mode_it_may_be_unknown(self, host: Host) -> None:
        assert only(host.run(True, token="", user="nobody"))["reason"] == "missing"
        host.put(token_of())
        assert only(host.run(True, token="", user="nobody"))["reason"] == "given"

    def test_it_is_not_returned(self, host: Host) -> None:
        assert only(host.run(token=token_of(), return_token=True))["token"] is None


class TestInspection:
    """A host without a key reports its token: a run in check mode with method=given."""

    def inspect(self, host: Host, **options: Any) -> dict[str, Any]:
        return only(host.run(True, method="given", user="nobody", return_token=True, **options))

    def test_nothing(self, host: Host) -> None:
        entry = self.inspect(host)
        assert (entry["reason"], entry["token"], entry["changed"]) == ("missing", None, True)

    def test_a_good_token(self, host: Host) -> None:
        token = host.put(token_of())
        entry = self.inspect(host)
        assert (entry["reason"], entry["token"], entry["changed"]) == (None, token, False)

    def test_owner_and_mode(self, host: Host) -> None:
        token = host.put(token_of(), mode=0o440)
        entry = self.inspect(host)
        assert (entry["reason"], entry["token"]) == ("attributes", token)

    @pytest.mark.parametrize(
        ("token", "reason"),
        [(token_of(age=1700), "expiring"), (token_of("daemon"), "user"), ("x", "unreadable")],
    )
    def test_what_shows_without_a_key(self, host: Host, token: str, reason: str) -> None:
        host.put(token)
        entry = self.inspect(host)
        assert (entry["reason"], entry["token"]) == (reason, None)

    def test_none_is_made(self, host: Host) -> None:
        assert "(reason: missing), and method=given makes none" in host.fails(method="given", user="nobody")


class TestCurrent:
    """The host with the key decides for files on hosts that have none."""

    def check_current(self, host: Host, check: bool = False, **options: Any) -> dict[str, Any]:
        params = {"user": "nobody", "key_path": host.key(), "return_token": True, "dest": None, **options}
        result = host.run(check, **params)
        assert not result.get("changed")
        return only(result)

    def test_none(self, host: Host) -> None:
        entry = self.check_current(host, current="")
        assert entry["reason"] == "missing"
        assert codec.signed_by(entry["token"], KEY)

    def test_a_good_one_stays(self, host: Host) -> None:
        entry = self.check_current(host, current=token_of())
        assert (entry["reason"], entry["token"]) == (None, None)
        assert entry["signature_checked"]

    @pytest.mark.parametrize(
        ("current", "reason"),
        [
            (token_of(key=NEXT_KEY), "key"),
            (token_of("daemon"), "user"),
            (token_of(age=1500), "expiring"),
            (token_of(aud="x"), "claims"),
            (token_of(life=3600), "lifespan"),
            ("junk", "unreadable"),
        ],
    )
    def test_a_reason(self, host: Host, current: str, reason: str) -> None:
        entry = self.check_current(host, True, current=current)
        assert (entry["reason"], entry["token"]) == (reason, None)
        entry = self.check_current(host, current=current)
        assert entry["reason"] == reason
        assert freshness.stale(entry["token"].encode(), "raw", "nobody", 1800, 360, {}, KEY, time.time()) is None

    def test_many_at_once_each_for_itself(self, host: Host) -> None:
        good = token_of()
        tokens = [{"name": "a", "current": good}, {"name": "b", "current": ""}, {"name": "c", "user": "daemon"}]
        result = host.run(
            dest=None,
            key_path=host.key(),
            return_token=True,
            tokens=[{"user": "nobody", "current": "", **entry} for entry in tokens],
        )
        assert [entry["reason"] for entry in result["tokens"]] == [None, "missing", "missing"]
        assert [bool(entry["token"]) for entry in result["tokens"]] == [False, True, True]

    def test_users_are_checked_before_any_is_made(self, host: Host) -> None:
        tokens = [{"user": "nobody", "current": ""}, {"user": "nemo", "current": "", "name": "web on svc1"}]
        message = host.fails(dest=None, key_path=host.key(), return_token=True, tokens=tokens)
        assert "web on svc1: user: There is no user 'nemo'" in message

    def test_it_is_in_no_file_here(self, host: Host) -> None:
        message = host.fails(user="nobody", key_path=host.key(), current="", return_token=True)
        assert "current: It is what a file on another host holds" in message


class TestStaged:
    def test_it_is_beside_the_live_one(self, host: Host) -> None:
        live = host.put(token_of())
        key = host.key(NEXT_KEY)
        for check, reason in ((True, "missing"), (False, "missing"), (False, None), (True, None)):
            result = host.run(check, state="staged", user="nobody", key_path=key)
            assert (only(result)["reason"], result["changed"]) == (reason, bool(reason))
            assert host.dest.read_text() == live
        assert codec.signed_by(host.next.read_text(), NEXT_KEY)

    @as_root
    def test_it_has_the_mode_of_the_live_one_and_is_roots(self, host: Host) -> None:
        host.put(token_of(), mode=0o440)
        os.chown(host.dest, NOBODY, 1)
        options = {"state": "staged", "token": token_of(key=NEXT_KEY)}
        host.run(**options)
        found = host.next.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, 0o440)
        host.next.chmod(0o400)
        assert only(host.run(**options))["reason"] == "attributes"
        host.run(owner="0", group="0", mode="0600", **options)
        found = host.next.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, 0o600)

    def test_an_open_mode_is_not_copied(self, host: Host) -> None:
        host.put(token_of(), mode=0o644)
        host.run(state="staged", token=token_of(key=NEXT_KEY))
        assert stat.S_IMODE(host.next.stat().st_mode) == 0o400

    def test_another_next_key(self, host: Host) -> None:
        host.run(state="staged", user="nobody", key_path=host.key(NEXT_KEY))
        result = host.run(state="staged", user="nobody", key_path=host.key(KEY))
        assert only(result)["reason"] == "key"
        assert codec.signed_by(host.next.read_text(), KEY)

    def test_without_a_live_one(self, host: Host) -> None:
        assert host.run(state="staged", token=token_of())["changed"]
        assert list(host.tokens()) == ["token.next"]

    def test_what_is_in_use_already_is_not_staged_again(self, host: Host) -> None:
        live = host.put(token_of(key=NEXT_KEY))
        old = host.put(token_of(), host.previous)
        for options in ({"user": "nobody", "key_path": host.key(NEXT_KEY)}, {"token": live}):
            result = host.run(state="staged", **options)
            assert (only(result)["reason"], result["changed"]) == (None, False)
            assert host.tokens() == {"token": live, "token.previous": old}

    def test_files_of_an_earlier_rotation_are_removed(self, host: Host) -> None:
        live = host.put(token_of())
        host.put(token_of(age=9), host.previous)
        new = token_of(key=NEXT_KEY)
        host.run(state="staged", token=new)
        assert host.tokens() == {"token": live, "token.next": new}
        # A swap that was killed has kept this one already; it is no earlier one.
        host.put(live, host.previous)
        assert not host.run(state="staged", token=new)["changed"]
        assert host.previous.exists()

    def test_without_a_key_the_live_one_is_returned(self, host: Host) -> None:
        live = host.put(token_of())
        options = {"state": "staged", "method": "given", "user": "nobody", "return_token": True}
        entry = only(host.run(True, **options))
        assert (entry["reason"], entry["token"]) == ("missing", live)
        host.put("junk")
        assert only(host.run(True, **options))["token"] is None
        new = host.put(token_of(key=NEXT_KEY), host.next)
        entry = only(host.run(True, **options))
        assert (entry["reason"], entry["token"]) == (None, new)

    def test_without_dest(self, host: Host) -> None:
        assert "dest is needed with state=staged" in host.fails(state="staged", dest=None, token=token_of())


class TestActive:
    def stage(self, host: Host) -> tuple[str, str]:
        return host.put(token_of()), host.put(token_of(key=NEXT_KEY), host.next)

    def test_the_next_becomes_the_live_one(self, host: Host) -> None:
        live, new = self.stage(host)
        inode = host.next.stat().st_ino
        first = host.run(True, state="active")
        assert (only(first)["reason"], first["changed"]) == ("next", True)
        assert host.tokens() == {"token": live, "token.next": new}
        before = time.time()
        second = host.run(state="active")
        entry = only(second)
        assert (entry["reason"], entry["user"], entry["remaining"] > 1700) == ("next", "nobody", True)
        assert before <= entry["activated_at"] <= time.time()
        assert host.tokens() == {"token": new, "token.previous": live}
        assert host.dest.stat().st_ino == inode
        third = host.run(state="active")
        assert (only(third)["reason"], third["changed"], only(third)["activated_at"]) == (None, False, None)
        assert set(only(first)) == set(entry) == set(only(third))
        assert host.tokens() == {"token": new, "token.previous": live}

    def test_the_rollback(self, host: Host) -> None:
        live, new = self.stage(host)
        host.run(state="active")
        result = host.run(state="active", source="previous")
        assert only(result)["reason"] == "previous"
        assert host.tokens() == {"token": live}
        assert not host.run(state="active", source="previous")["changed"]

    def test_only_the_copy_of_the_same_token_is_removed(self, host: Host) -> None:
        live = host.put(token_of())
        host.put(live, host.next)
        for check in (True, False):
            result = host.run(check, state="active")
            assert (only(result)["reason"], only(result)["activated_at"]) == ("same", None)
        assert host.tokens() == {"token": live}

    def test_nothing_to_do(self, host: Host) -> None:
        for source in ("next", "previous"):
            assert not host.run(state="active", source=source)["changed"]
            assert host.tokens() == {}

    def test_the_first_token_has_none_before_it(self, host: Host) -> None:
        new = host.put(token_of(), host.next)
        assert host.run(state="active")["changed"]
        assert host.tokens() == {"token": new}

    @as_root
    def test_the_previous_one_is_as_private_as_it_was(self, host: Host) -> None:
        self.stage(host)
        os.chown(host.dest, NOBODY, 1)
        os.chown(host.next, NOBODY, 1)
        host.dest.chmod(0o644)
        host.run(state="active")
        found = host.previous.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (NOBODY, 1, 0o640)

    @as_root
    def test_the_previous_one_has_no_owner_that_the_new_one_does_not_have(self, host: Host) -> None:
        self.stage(host)
        os.chown(host.dest, NOBODY, 1)
        host.run(state="active")
        assert (host.previous.stat().st_uid, host.previous.stat().st_gid) == (0, 0)

    def test_a_file_without_a_token_is_not_activated(self, host: Host) -> None:
        live, _new = self.stage(host)
        host.put("", host.next)
        assert "token.next holds no token in the format raw" in host.fails(state="active")
        assert host.dest.read_text() == live

    def test_all_or_none(self, host: Host, tmp_path: pathlib.Path) -> None:
        self.stage(host)
        before = host.tokens()
        (tmp_path / "other.next").write_text("junk")
        tokens = [{"dest": str(host.dest)}, {"dest": str(tmp_path / "other"), "name": "portal"}]
        assert "portal: " in host.fails(dest=None, state="active", tokens=tokens)
        assert host.tokens() == before

    def test_many_swap_together(self, host: Host, tmp_path: pathlib.Path) -> None:
        tokens = []
        for number in range(50):
            folder = tmp_path / str(number % 5)
            folder.mkdir(exist_ok=True)
            host.put(token_of(), folder / f"{number}")
            host.put(token_of(key=NEXT_KEY), folder / f"{number}.next")
            tokens.append({"dest": str(folder / f"{number}")})
        at = time.time() + 1
        result = host.run(dest=None, state="active", tokens=tokens, activate_at=at)
        times = [entry["activated_at"] for entry in result["tokens"]]
        assert at <= min(times)
        # Next to nothing, but on a machine that is busy with other tests.
        assert max(times) - at < 2
        assert len(list(tmp_path.glob("*/*.previous"))) == 50
        assert not list(tmp_path.glob("*/*.next"))

    def test_a_moment_that_is_past_or_far(self, host: Host) -> None:
        live, new = self.stage(host)
        for never in (time.time() + 200, float("nan")):
            assert "the limit is 120 s. Nothing was changed. Compare" in host.fails(state="active", activate_at=never)
        assert host.tokens() == {"token": live, "token.next": new}
        assert host.run(state="active", activate_at=time.time() - 500)["changed"]

    def test_a_task_that_a_killed_run_has_left_may_be_first(self, host: Host) -> None:
        live, new = self.stage(host)
        other = threading.Timer(0.7, host.next.rename, [host.dest])
        other.start()
        result = host.run(state="active", activate_at=time.time() + 1.4)
        other.join()
        assert (only(result)["reason"], result["changed"]) == ("next", True)
        assert host.tokens() == {"token": new, "token.previous": live}

    def test_a_staged_token_that_is_missing_was_not_activated(self, host: Host) -> None:
        live, _new = self.stage(host)
        other = threading.Timer(0.7, host.next.unlink)
        other.start()
        assert "Cannot rename" in host.fails(state="active", activate_at=time.time() + 1.4)
        other.join()
        assert host.dest.read_text() == live

    def test_check_mode_does_not_wait(self, host: Host) -> None:
        self.stage(host)
        begin = time.monotonic()
        assert host.run(True, state="active", activate_at=time.time() + 100)["changed"]
        assert time.monotonic() - begin < 20

    def test_no_secret_in_the_diff(self, host: Host) -> None:
        self.stage(host)
        (diff,) = host.run(state="active")["diff"]
        assert diff["before_header"] == str(host.dest)
        assert (diff["before"]["user"], diff["after"]["user"]) == ("nobody", "nobody")

    def test_it_is_returned_on_request(self, host: Host) -> None:
        _live, new = self.stage(host)
        assert only(host.run(state="active", return_token=True))["token"] == new

    @pytest.mark.parametrize("state", ["active", "unstaged", "absent"])
    def test_a_file_must_be_named(self, host: Host, state: str) -> None:
        assert f"dest is needed with state={state}" in host.fails(state=state, dest=None)

    def test_no_file_of_another_token(self, host: Host) -> None:
        tokens = [{"dest": str(host.dest)}, {"dest": str(host.next)}]
        assert "a rotation keeps a token of" in host.fails(dest=None, state="active", tokens=tokens)


class TestUnstaged:
    def test_files_beside_the_token_are_removed(self, host: Host) -> None:
        live = host.put(token_of())
        for path in (host.next, host.previous):
            host.put(token_of(), path)
        for check in (True, False):
            result = host.run(check, state="unstaged")
            assert (only(result)["reason"], len(result["diff"])) == ("leftover", 2)
        assert host.tokens() == {"token": live}
        assert not host.run(state="unstaged")["changed"]

    def test_absent_removes_them_too(self, host: Host) -> None:
        for path in (host.dest, host.next, host.previous):
            host.put(token_of(), path)
        assert only(host.run(state="absent"))["reason"] == "present"
        assert host.tokens() == {}
        host.put(token_of(), host.previous)
        assert only(host.run(state="absent"))["reason"] == "leftover"


def killed_after(host: Host, changes: int, **options: Any) -> bool:
    """Whether the run could be killed when it had changed the folder so many times; if not, it came to its end."""
    params = {"dest": str(host.dest), "conf_path": "/nonexistent", **options}
    last = states(host.folder)

    def due() -> bool:
        nonlocal changes, last
        now = states(host.folder)
        changes -= now != last
        last = now
        return changes == 0

    return traced.killed_when(forked.Run(slurm_jwt_token, params, diff=False, prepare=stop_when_ready), due)


def stop_when_ready() -> None:
    """Let the tracer begin where the module's own work begins."""
    slurm_jwt_token.forget_environment = traced.wait_for_tracer


class TestKilled:
    """Runs are killed after their first change, after their second, and so on to the last."""

    @pytest.fixture(autouse=True)
    def may_trace(self, host: Host) -> None:
        try:
            killed_after(host, 1, state="unstaged")
        except OSError:
            pytest.skip("may not trace processes here")

    def killed_at_every_change(
        self, host: Host, before: dict[str, str], after: dict[str, str], live: set[str], **options: Any
    ) -> int:
        number = 0
        while True:
            for path in host.folder.iterdir():
                path.unlink()
            for name, token in before.items():
                host.put(token, host.folder / name)
            number += 1
            if not killed_after(host, number, **options):
                assert host.tokens() == after
                return number - 1
            for path in host.folder.iterdir():
                mode = stat.S_IMODE(path.stat().st_mode)
                empty = path in temporary_files_in(host.folder) and path.stat().st_size == 0
                assert mode == 0o400 or (mode == 0o600 and empty)
            if "token" in before:
                assert host.dest.read_text() in live
            result = host.run(**options)
            assert not result.get("failed"), (number, result)
            assert host.tokens() == after
            for path in temporary_files_in(host.folder):
                os.utime(path, (0, 0))
            host.run(state="unstaged")
            assert temporary_files_in(host.folder) == []

    def test_while_installing(self, host: Host) -> None:
        old, new = token_of(), token_of(age=9)
        ways = self.killed_at_every_change(host, {"token": old}, {"token": new}, {old, new}, token=new)
        assert ways >= 3

    def test_while_staging(self, host: Host) -> None:
        old, new = token_of(), token_of(key=NEXT_KEY)
        after = {"token": old, "token.next": new}
        assert self.killed_at_every_change(host, {"token": old}, after, {old}, state="staged", token=new) >= 3

    def test_while_swapping(self, host: Host) -> None:
        old, new = token_of(), token_of(key=NEXT_KEY)
        before, after = {"token": old, "token.next": new}, {"token": new, "token.previous": old}
        assert self.killed_at_every_change(host, before, after, {old, new}, state="active") >= 4

    def test_while_rolling_back(self, host: Host) -> None:
        old, new = token_of(), token_of(key=NEXT_KEY)
        before, after = {"token": new, "token.previous": old}, {"token": old}
        assert self.killed_at_every_change(host, before, after, {old, new}, state="active", source="previous") >= 1

    def test_while_removing(self, host: Host) -> None:
        live, other = token_of(), token_of(age=9)
        before = {"token": live, "token.next": other, "token.previous": other}
        assert self.killed_at_every_change(host, before, {"token": live}, {live}, state="unstaged") >= 2


class TestNoRoom:
    def test_without_room_for_the_copy_nothing_is_swapped(self, host: Host) -> None:
        live = host.put(token_of())
        new = host.put(token_of(key=NEXT_KEY), host.next)

        def limit() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))

        for options in ({"state": "active"}, {"state": "staged", "token": token_of(age=9)}, {"token": token_of(age=9)}):
            result = host.run(prepare=limit, **options)
            assert "File too large" in result["msg"]
            assert host.tokens() == {"token": live, "token.next": new}
            assert temporary_files_in(host.folder) == []


class TestWatched:
    """One process reads the token all the time and always gets a complete one; another user's gets none."""

    ROUNDS = 40

    @as_root
    def test_while_tokens_come_and_go(self, host: Host) -> None:
        host.folder.chmod(0o755)
        good = [token_of(), token_of(key=NEXT_KEY)]
        host.put(good[0])

        def reader() -> str | None:
            try:
                return None if host.dest.read_text() in good else "it was not whole"
            except OSError as exc:
                return str(exc)

        def other_user() -> str | None:
            for name in os.listdir(host.folder):
                try:
                    os.close(os.open(host.folder / name, os.O_RDONLY))
                    return f"could open {name}"
                except (PermissionError, FileNotFoundError):
                    pass
            return None

        # Only root may enter the folders up to here.
        for parent in host.folder.parents:
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001 and str(parent) != "/":
                parent.chmod(parent.stat().st_mode | 0o011)
        with Watch(reader) as own, Watch(other_user, become_nobody) as other:
            for number in range(self.ROUNDS):
                new = good[(number + 1) % 2]
                assert host.run(state="staged", token=new)["changed"]
                assert host.run(state="active")["changed"]
                if number % 4 == 0:
                    assert host.run(state="active", source="previous")["changed"]
                    host.run(token=new)
                host.run(state="unstaged")
        assert own.result == other.result == ""
        assert min(own.checks, other.checks) > self.ROUNDS


def become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class Watch:
    """A process that checks something again and again until it is stopped, and then returns its result."""

    def __init__(self, check: Callable[[], str | None], begin: Callable[[], None] = lambda: None) -> None:
        self.check, self.begin = check, begin
        self.checks, self.result = 0, ""

    def __enter__(self) -> Watch:
        end, self.end = os.pipe()
        self.results, results = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.end)
            self.begin()
            checks, result = 0, ""
            while not result and not select.select([end], [], [], 0)[0]:
                result = self.check() or ""
                checks += 1
            os.write(results, f"{checks} {result}".encode())
            os._exit(0)
        os.close(end)
        os.close(results)
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self.end)
        with os.fdopen(self.results, "rb") as stream:
            checks, _blank, self.result = (stream.read().decode() or "0 it died").partition(" ")
        os.waitpid(self.pid, 0)
        self.checks = int(checks)
