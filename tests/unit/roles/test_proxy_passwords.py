# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords of the proxy: the file, how long an answer takes and how many there are, what is remembered."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "roles/slurm_jwt_proxy/files"))

import attempts
import authentication
import errors
import libcrypt
import limits
import open_password_file
import password_file
import passwords
import pool

FILES = pathlib.Path(__file__).parents[3] / "roles/slurm_jwt_proxy/files"
LAB = libcrypt.KNOWN
HASH = "$2y$10$" + "a" * 53


# -- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"alice:{HASH}", None), ("", None), ("# comment", None), (f"Liddell, Alice:{HASH}", None),
        # The server used the second field, and accepted "pw".
        *((line, "two fields") for line in (
            "alice:{PLAIN}pw:" + HASH, f"alice:pw:{HASH}", f"alice:{HASH}:x", f"alice:{HASH}:", f":alice:{HASH}",
            f"alice:{HASH} ", f"alice: {HASH}", f"alice:{HASH}\r", f"alice {HASH}", f"alice:{HASH}x",
            "alice:$apr1$x$yyyyyyyyyyyyyyyyyyyyyy", "alice:{SHA}xxxx", "alice:secret", "secret", "alice:",
            "alice:" + HASH.replace("$2y$", "$2a$"), "alice:" + HASH.replace("$2y$", "$2x$"),
        )),
        ("alice:" + HASH.replace("$10$", "$05$"), "cost is 05"),
        ("alice:" + HASH.replace("$10$", "$31$"), "cost is 31"),
        (f":{HASH}", "the name"), (f" alice:{HASH}", "the name"), (f"alice :{HASH}", "the name"),
        (f"alicé:{HASH}", "the name"), (f"ali\x00ce:{HASH}", "the name"), (f"\u212aim:{HASH}", "the name"),
        (f"alice\x85bob:{HASH}", "the name"), (f"alice\x0bbob:{HASH}", "the name"),
        ("a" * 257 + ":" + HASH, "the name"),
        (f"bob:{HASH}", "has another line already"),
    ],
)
def test_each_line_has_a_name_and_a_hash(tmp_path, line, why):
    file = tmp_path / "users"
    file.write_text(f"bob:{HASH}\n{line}\n", encoding="utf-8", newline="")
    program = [sys.executable, "-I", "-S", str(FILES / "password_file.py")]
    for argv in (
        [*program, str(file)],
        # The call of the role.
        [sys.executable, "-I", "-S", "-c", (FILES / "password_file.py").read_text()],
    ):
        ran = subprocess.run(argv, input=file.read_bytes(), capture_output=True, check=False)
        assert ran.returncode == (1 if why else 0)
        output = ran.stderr.decode()
        assert why is None or ", line 2: " in output and why in output
        assert "secret" not in output and "alice" not in output


def test_a_file_without_users():
    for data in (b"", b"\n", b"# alice\n"):
        assert password_file.read(data, "x") == ({}, ["x has no user, so nobody could pass."])


def test_an_invalid_line_affects_only_itself():
    lines = f"alice:{HASH}\nbob:pw\ncarol:{HASH}\ncarol:{HASH}\ndave:x\ndave:{HASH}\n"
    hashes, problems = password_file.read(lines.encode(), "x")
    assert hashes == {"alice": HASH}
    assert [problem.partition(":")[0] for problem in problems] == [f"x, line {number}" for number in (2, 4, 5, 6)]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "users"
    path.write_text(f"alice:{HASH}\n")
    path.chmod(0o640)
    return path


class Held:
    """The file, open as systemd opens it."""

    def __init__(self, path):
        self.ends = 0
        self.number = os.open(path, os.O_RDONLY)
        try:
            self.opened = open_password_file.OpenPasswordFile(str(path), self.number, self.end, owner=os.getuid())
        except errors.PolicyError:
            os.close(self.number)
            raise

    def end(self):
        self.ends += 1

    def names(self):
        return list(self.opened.hashes())


def test_a_change_in_place_applies_at_once(file):
    held = Held(file)
    assert held.names() == ["alice"]
    with file.open("a") as stream:
        stream.write(f"bob:{HASH}\n")
    assert held.names() == ["alice", "bob"]
    # A change that is half written.
    for text in ("", f"alice:{HASH[:-1]}\n"):
        file.write_text(text)
        assert held.names() == ["alice", "bob"]
    file.write_text(f"alice:{HASH}\nbob:x\n")
    assert held.names() == ["alice"]
    file.write_text(f"carol:{HASH}\n")
    assert held.names() == ["carol"]
    assert held.ends == 0


def test_a_replaced_file_ends_the_program_once(file, tmp_path):
    held = Held(file)
    new = tmp_path / "new"
    new.write_text(f"bob:{HASH}\n")
    new.rename(file)
    assert held.names() == held.names() == ["alice"]
    assert held.ends == 1


def test_a_missing_path_is_not_followed(file, tmp_path):
    held = Held(file)
    file.rename(tmp_path / "elsewhere")
    assert (held.names(), held.ends) == (["alice"], 1)
    number = os.open(tmp_path / "elsewhere", os.O_RDONLY)
    opened = open_password_file.OpenPasswordFile(str(file), number, held.end, owner=os.getuid())
    assert (list(opened.hashes()), held.ends) == (["alice"], 1)


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o620, 0o602, 0o604])
def test_a_file_that_others_can_read_or_write(file, mode):
    file.chmod(mode)
    with pytest.raises(errors.PolicyError, match=f"mode {mode:04o}"):
        Held(file)


def test_a_file_of_another_user(file):
    number = os.open(file, os.O_RDONLY)
    with pytest.raises(errors.PolicyError, match="owner"):
        open_password_file.OpenPasswordFile(str(file), number, owner=os.getuid() + 1)
    null = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(errors.PolicyError, match="has not passed"):
        open_password_file.OpenPasswordFile(str(file), null)


# -- limits -----------------------------------------------------------------------------------------------------------


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_a_burst_and_then_a_rate():
    clock = Clock()
    buckets = limits.Buckets(2, 4, clock)
    assert [buckets.passes("a") for _request in range(6)] == [True] * 4 + [False] * 2
    assert buckets.passes("b")
    clock.now += 0.5
    assert [buckets.passes("a") for _request in range(2)] == [True, False]
    assert buckets.wait("a") == pytest.approx(0.5)
    clock.now += 100
    assert [buckets.passes("a") for _request in range(5)] == [True] * 4 + [False]


def test_limits_are_bounded_and_keep_active_entries():
    buckets = limits.Buckets(1e-9, 2, max_keys=100)
    for number in range(1000):
        assert buckets.passes("busy") == (number == 0)
        buckets.take("busy")
        buckets.passes(number)
    assert len(buckets.known) == 100


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True), ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True), ("unix:", "unix:", True),
    ],
)
def test_which_addresses_count_as_one(one, other, same):
    assert (limits.network_of(one) == limits.network_of(other)) == same


def fail(tries, name, address, times=1):
    """How many of so many wrong passwords are looked at."""
    taken = 0
    for _attempt in range(times):
        try:
            tries.begin(name, address)
        except errors.TooMany as error:
            assert error.seconds >= 1
        else:
            taken += 1
    return taken


def test_the_limit_of_failures_of_an_address():
    clock = Clock()
    tries = attempts.Attempts(20, clock)
    assert sum(fail(tries, f"user{number}", "192.0.2.1") for number in range(100)) == 20
    assert fail(tries, "alice", "192.0.2.2", 100) == 10
    clock.now += 10
    assert sum(fail(tries, f"user{number}", "192.0.2.1") for number in range(100)) == 1


def test_successful_attempts_do_not_count():
    tries = attempts.Attempts(20, Clock())
    for _login in range(100):
        tries.undo("alice", "192.0.2.1", tries.begin("alice", "192.0.2.1"))
    assert fail(tries, "alice", "192.0.2.1") == 1


def test_others_at_an_address_do_not_lock_out_a_known_user():
    clock = Clock()
    tries = attempts.Attempts(20, clock)
    tries.succeeded("alice", "192.0.2.1")
    for number in range(100):
        fail(tries, f"user{number}", "192.0.2.1")
    assert fail(tries, "bob", "192.0.2.1") == 0
    assert tries.begin("alice", "192.0.2.1") is True
    clock.now += 24 * 3600 - 1
    assert tries.begin("alice", "192.0.2.1") is True
    clock.now += 2
    assert tries.begin("alice", "192.0.2.1") is False


def test_others_who_try_a_name_do_not_lock_out_its_user():
    tries = attempts.Attempts(20, Clock())
    taken = [fail(tries, "alice", f"198.51.100.{number}", 5) for number in range(200)]
    # After fifty from everywhere, each address has one attempt. So has alice, wherever she comes from.
    assert taken[:10] == [5] * 10 and taken[10:] == [1] * 190
    assert fail(tries, "alice", "192.0.2.1") == 1
    tries.succeeded("alice", "192.0.2.2")
    assert fail(tries, "alice", "192.0.2.2", 20) == 10


def test_attempts_are_bounded(monkeypatch):
    monkeypatch.setattr(attempts, "MAX_KEYS", 100)
    tries = attempts.Attempts(20)
    for number in range(1000):
        tries.succeeded(str(number), "192.0.2.1")
    assert len(tries.familiar) == 100


# -- the threads that check -------------------------------------------------------------------------------------------


def test_addresses_take_turns_and_known_users_come_first():
    go_on, done, all_done = threading.Event(), [], threading.Event()
    workers = pool.Pool(1)
    workers.put("first", lambda: go_on.wait(20), is_familiar=False)
    time.sleep(0.1)
    for number in range(3):
        workers.put("busy", lambda number=number: done.append(("busy", number)), is_familiar=False)
    workers.put("quiet", lambda: done.append(("quiet", 0)), is_familiar=False)
    workers.put("known", lambda: done.append(("known", 0)), is_familiar=True)
    workers.put("last", all_done.set, is_familiar=False)
    go_on.set()
    assert all_done.wait(20)
    time.sleep(0.1)
    assert done == [("known", 0), ("busy", 0), ("quiet", 0), ("busy", 1), ("busy", 2)]


def test_too_much_is_refused():
    go_on = threading.Event()
    workers = pool.Pool(1)
    workers.put("x", lambda: go_on.wait(20), is_familiar=False)
    time.sleep(0.1)
    for _work in range(pool.MAX_OF_ONE):
        workers.put("one", lambda: None, is_familiar=False)
    with pytest.raises(pool.Full):
        workers.put("one", lambda: None, is_familiar=False)
    for number in range(pool.MAX_WAITING - pool.MAX_OF_ONE):
        workers.put(number, lambda: None, is_familiar=False)
    with pytest.raises(pool.Full):
        workers.put("other", lambda: None, is_familiar=False)
    workers.put("other", lambda: None, is_familiar=True)
    go_on.set()


# -- passwords --------------------------------------------------------------------------------------------------------


class Site:
    def __init__(self, seconds=10, hashes=None):
        self.tried = []
        self.clock = Clock()
        self.table = {"alice": "hash of lab"} if hashes is None else hashes
        self.attempts = attempts.Attempts(20, self.clock)
        self.slow = threading.Event()
        self.slow.set()
        self.passwords = passwords.Passwords(
            lambda: self.table, self.matches, self.attempts, seconds, self.clock, pool.Pool(2),
        )

    def matches(self, password, stored):
        self.tried.append((password, stored))
        self.slow.wait(20)
        return stored == f"hash of {password.decode()}"

    def right(self, password="lab", name="alice", address="192.0.2.1"):
        return self.passwords.is_right(name, password.encode(), address)


def test_a_correct_password_is_cached():
    site = Site()
    assert site.right() and site.right() and len(site.tried) == 1
    site.clock.now += 9.9
    assert site.right() and len(site.tried) == 1
    site.clock.now += 0.2
    assert site.right() and len(site.tried) == 2
    assert not site.right("other") and not site.right("lab", "bob")


def test_a_changed_hash_applies_at_once():
    site = Site()
    assert site.right()
    site.table = {"alice": "hash of new"}
    assert not site.right() and site.right("new")


def test_the_cache_can_be_turned_off():
    site = Site(seconds=0)
    assert site.right() and site.right() and len(site.tried) == 2


def test_no_password_is_kept_in_memory():
    site = Site()
    assert site.right()
    assert b"lab" not in b"".join(site.passwords.right)
    assert Site().passwords.key != site.passwords.key


def test_equal_requests_share_one_check():
    site = Site()
    site.slow.clear()
    answers = []
    askers = [threading.Thread(target=lambda: answers.append(site.right())) for _asker in range(50)]
    for asker in askers:
        asker.start()
    time.sleep(0.3)
    site.slow.set()
    for asker in askers:
        asker.join(20)
    assert answers == [True] * 50 and len(site.tried) == 1


def test_an_unknown_name_is_checked_against_another_hash():
    site = Site(hashes={"alice": "hash of lab", "bob": "hash of x"})
    assert not site.right("lab", "nemo") and not site.right("x", "nemo")
    assert len(site.tried) == 2 and len({stored for _password, stored in site.tried}) == 1
    # Each name always gets the same hash, and all costs in the file are used.
    chosen = {passwords.decoy(f"user{number}", site.table) for number in range(50)}
    assert chosen == set(site.table.values())


def test_wrong_passwords_are_limited():
    site = Site()
    answers = []
    for number in range(15):
        try:
            answers.append(site.right(f"wrong{number}"))
        except errors.TooMany:
            answers.append(None)
    assert answers == [False] * 10 + [None] * 5
    # The correct password is accepted from another address.
    assert site.right(address="192.0.2.2")


def test_cached_passwords_pass_despite_the_limit():
    site = Site()
    assert site.right()
    for number in range(15):
        with contextlib.suppress(errors.TooMany):
            site.right(f"wrong{number}")
    assert site.right()


def test_an_error_is_not_a_failed_attempt():
    site = Site()
    site.passwords.matches = lambda password, stored: 1 / 0
    for _attempt in range(30):
        with pytest.raises(errors.TooMany):
            site.right()


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ("alice:lab", ("alice", b"lab")), ("alice:", ("alice", b"")), ("alice:a:b", ("alice", b"a:b")),
        ("alice:\xe9", ("alice", b"\xe9")),
        ("alice", None), (":lab", None), (" alice:lab", None), ("alice\n:lab", None),
        ("alic\xe9:lab", None), ("alice:la\0b", None), ("\0alice:lab", None), ("alice:" + "x" * 512, None),
        ("a" * 257 + ":lab", None),
    ],
)
def test_credentials_of_the_client(sent, found):
    header = "Basic " + base64.b64encode(sent.encode("latin-1")).decode()
    if found:
        assert authentication.name_and_password(header, 511) == found
    else:
        with pytest.raises(errors.NotAuthenticated) as caught:
            authentication.name_and_password(header, 511)
        assert caught.value.challenge == 'Basic realm="Slurm"' and "lab" not in str(caught.value)


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic ", "Basic x", "Basic YQ==,Basic YQ==", "Bearer YQ==", "Basic YTpi\n"]
)
def test_invalid_credentials(header):
    with pytest.raises(errors.NotAuthenticated):
        authentication.name_and_password(header, 511)


def test_the_systems_bcrypt():
    bcrypt = libcrypt.Bcrypt()
    assert bcrypt.matches(b"lab", LAB) and bcrypt.matches(b"lab", LAB.replace("$2b$", "$2y$"))
    assert not bcrypt.matches(b"Lab", LAB) and not bcrypt.matches(b"", LAB)
    assert not bcrypt.matches(b"lab", LAB[:-1] + "x") and not bcrypt.matches(b"lab", "*0")


# -- the program, as systemd runs it ----------------------------------------------------------------------------------


@pytest.fixture
def service(tmp_path):
    if os.getuid():
        pytest.skip("the password file has to be root's")
    users = tmp_path / "users"
    users.write_text(f"somebody:{LAB}\nroot:{LAB}\n")
    users.chmod(0o600)
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({
        "slurm_user": "nobody", "uid_min": 1, "names": {"somebody": "daemon"}, "password_file": str(users),
    }))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    argv = [sys.executable, "-I", "-S", str(FILES / "verifier.py"), str(policy), "serve"]
    handing_over = f"import os; os.dup2({listener.fileno()}, 3); os.execv({argv[0]!r}, {argv!r})"
    with listener, users.open() as handed:
        process = subprocess.Popen([sys.executable, "-c", handing_over], stdin=handed, pass_fds=[listener.fileno()])
    yield tmp_path / "socket", users, process
    process.kill()
    process.wait()


def ask(path, sent, address="192.0.2.1"):
    header = "Basic " + base64.b64encode(sent.encode()).decode() if sent else ""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        lines = ["GET /user HTTP/1.1", f"X-Authorization: {header}", f"X-Address: {address}", "X-Name: root", "", ""]
        client.sendall("\r\n".join(lines).encode())
        return client.recv(1000).decode()


def test_as_a_service(service):
    path, users, process = service
    assert "\r\nX-User: daemon\r\nX-Name: somebody\r\n" in ask(path, "somebody:lab")
    assert ask(path, "root:lab").startswith("HTTP/1.1 403 ")
    for sent in ("", "somebody:x", "nobody-at-all:lab"):
        assert ask(path, sent).startswith('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="Slurm"\r\n')
    answers = [ask(path, f"somebody:{number}", "192.0.2.9").split("\r\n")[:2] for number in range(30)]
    assert answers[0][1].startswith("WWW-Authenticate") and answers[-1][1].startswith("X-Wait: ")
    assert ask(path, "somebody:lab").startswith("HTTP/1.1 204 ")
    # Other requests are answered while passwords are checked.
    flood = [threading.Thread(target=ask, args=(path, f"x{n}:y", f"198.51.100.{n}")) for n in range(100)]
    for one in flood:
        one.start()
    begin = time.monotonic()
    assert ask(path, "somebody:lab").startswith("HTTP/1.1 204 ")
    assert time.monotonic() - begin < 1
    for one in flood:
        one.join(20)
    users.with_name("new").write_text(f"somebody:{HASH}\n")
    users.with_name("new").rename(users)
    ask(path, "somebody:lab")
    assert process.wait(20) == 0


def test_refusals_take_as_long_for_unknown_names(service):
    path, _users, process = service
    times = {}
    # In turns, so that other load on the machine affects both.
    for number in range(20):
        for name in ("somebody", "nobody-at-all"):
            begin = time.monotonic()
            ask(path, f"{name}:{number}", f"203.0.113.{number}")
            times.setdefault(name, []).append(time.monotonic() - begin)
    known, unknown = (min(times[name]) for name in ("somebody", "nobody-at-all"))
    assert known / 2 < unknown < known * 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
