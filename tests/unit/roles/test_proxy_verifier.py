# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may pass the proxy: names, subjects of certificates, policy; and what is answered when nobody can tell."""

from __future__ import annotations

import grp
import json
import os
import pathlib
import pwd
import socket
import struct
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "roles/slurm_jwt_proxy/files"))

import apache
import errors
import nginx
import policy as policies
import users
import verifier

PROGRAM = pathlib.Path(verifier.__file__)
USERS = {
    "root": 0, "toor": 0, "daemon": 1, "slurm": 64030, "slurm2": 64030, "nobody": 65534, "alice": 2001, "bob": 2002,
    "big": 2**32 - 2, "edge": 999, "first": 1000, "svc$": 3000, "1st": 3001,
}
GROUPS = {"users": 100, "staff": 50, "banned": 66}
MEMBERS = {"alice": [100], "bob": [100, 66]}


@pytest.fixture(autouse=True)
def system(monkeypatch):
    def getpwnam(name):
        # Like a directory service that ignores case.
        known = name.lower() if name == "ALICE" else name
        if known not in USERS:
            raise KeyError(f"getpwnam(): name not found: {name!r}")
        return pwd.struct_passwd((known, "x", USERS[known], 100, "", "/", "/bin/sh"))

    def getgrnam(name):
        if name not in GROUPS:
            raise KeyError(f"getgrnam(): name not found: {name!r}")
        return grp.struct_group((name, "x", GROUPS[name], []))

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(grp, "getgrnam", getgrnam)
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: MEMBERS.get(name, [gid]))


def policy(**members):
    return policies.Policy(**{"slurm_user": "slurm", "uid_min": 1000, **members})


@pytest.mark.parametrize("name", ["alice", "first", "svc$", "1st"])
def test_accepted_users(name):
    assert users.user_of(name, policy()) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "no name"), ("root", "root"), ("toor", "root"), ("slurm", "SlurmUser"), ("slurm2", "SlurmUser"),
        ("daemon", "below 1000"), ("edge", "below 1000"), ("nobody", "nobody"), ("big", "nobody"),
        ("nemo", "no such user"),
        ("0", "can be called that"), ("2001", "can be called that"),
        (" alice", "not printable ASCII"), ("alice ", "not printable ASCII"),
        ("al,ice", "can be called that"), ("alice\nroot", "not printable ASCII"), ("alice\0", "not printable ASCII"),
        ("a" * 256, "can be called that"), ("a" * 300, "too long"), ("-alice", "can be called that"),
        ("alicé", "not printable ASCII"),
        ("ALICE", "own name is 'alice'"), ("../alice", "can be called that"),
        ("alice@example.org", "can be called that"),
    ],
)
def test_rejected_users(name, why):
    with pytest.raises(errors.Refused, match=why):
        users.user_of(name, policy())


def test_uid_min_does_not_let_root_or_slurm_user_through():
    for name in ("root", "toor", "slurm", "slurm2", "nobody"):
        with pytest.raises(errors.Refused):
            users.user_of(name, policy(uid_min=0))
    assert users.user_of("daemon", policy(uid_min=0)) == "daemon"


@pytest.mark.parametrize(
    ("name", "members", "user"),
    [
        ("alice@example.org", {"domains": ("example.org",)}, "alice"),
        ("alice@EXAMPLE.org", {"domains": ("example.org",)}, "alice"),
        ("alice", {"domains": ("example.org",)}, "alice"),
        ("Alice", {"lower_case": True}, "alice"),
        ("Alice@Example.org", {"lower_case": True, "domains": ("example.org",)}, "alice"),
        ("Liddell, Alice", {"names": {"Liddell, Alice": "alice"}}, "alice"),
        # A result of the table is final: no domain is removed, and the case stays.
        ("alice@example.org", {"names": {"alice@example.org": "bob"}, "domains": ("example.org",)}, "bob"),
    ],
)
def test_names_are_mapped(name, members, user):
    assert users.user_of(name, policy(**members)) == user


def test_an_unknown_domain_is_not_removed():
    for domain in ("elsewhere.example", "", "example.org@elsewhere.example", "example.org.elsewhere"):
        with pytest.raises(errors.Refused):
            users.user_of(f"alice@{domain}", policy(domains=("example.org",)))


def test_the_table_cannot_name_privileged_users():
    with pytest.raises(errors.Refused, match="root"):
        users.user_of("boss", policy(names={"boss": "root"}))


@pytest.mark.parametrize(
    ("members", "alice", "bob"),
    [
        ({"denied_users": ("alice",)}, False, True),
        ({"denied_groups": ("banned",)}, True, False),
        ({"allowed_users": ("alice",)}, True, False),
        ({"allowed_groups": ("users",)}, True, True),
        ({"allowed_groups": ("staff",)}, False, False),
        ({"allowed_users": ("bob",), "allowed_groups": ("users",), "denied_groups": ("banned",)}, True, False),
        ({"allowed_users": ("alice",), "denied_users": ("alice",)}, False, False),
    ],
)
def test_lists(members, alice, bob):
    cache = users.UserCache(policy(**members))
    assert [cache.user(name) for name in ("alice", "bob")] == ["alice" if alice else None, "bob" if bob else None]


def test_answers_are_cached_for_a_limited_time():
    now = [0.0]
    cache = users.UserCache(policy(seconds=10), clock=lambda: now[0])
    assert cache.user("alice") == "alice"
    cache.policy = policy(denied_users=("alice",))
    now[0] = 9
    assert cache.user("alice") == "alice"
    now[0] = 10
    assert cache.user("alice") is None


def test_apache_answers_too_many_requests():
    cache = users.UserCache(policy(rate=1))
    asked = packed(**AUTHORIZER, REMOTE_USER="alice", REMOTE_ADDR="192.0.2.1")
    answers = [apache.authorize(asked, lambda sent: sent.name, cache) for _request in range(2)]
    assert [b"Variable-slurm_jwt_proxy_limited: yes" in answer for answer in answers] == [False, True]
    unlimited = users.UserCache(policy())
    assert b"limited" not in b"".join(
        apache.authorize(asked, lambda sent: sent.name, unlimited) for _request in range(100)
    )


def test_the_cache_is_bounded():
    cache = users.UserCache(policy())
    for number in range(users.CACHED_NAMES + 10):
        cache.user(f"x{number}")
    assert len(cache.answers) <= users.CACHED_NAMES


def request(*headers, path="/user"):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def reply(asked):
    return nginx.reply(asked, lambda sent: sent.name, users.UserCache(policy()))


@pytest.mark.parametrize(
    ("asked", "status", "user"),
    [
        (request("X-Name: alice"), 204, "alice"),
        (request("x-name: alice"), 204, "alice"),
        (request("X-Name: root"), 403, None),
        (request("X-Name: "), 403, None),
        (request(), 403, None),
        (request("X-Name: alice", "X-Name: bob"), 400, None),
        (request("X-Name: alice", path="/other"), 400, None),
        (request(path="/health"), 200, None),
        ("GET /user HTTP/1.1\r\nX-Name: alicé\r\n\r\n".encode(), 500, None),
        (b"\r\n\r\n", 500, None),
    ],
)
def test_replies(asked, status, user):
    answer = reply(asked).decode()
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert ("X-User: " in answer) == (user is not None)
    if user:
        assert f"\r\nX-User: {user}\r\n" in answer


def test_users_authenticated_by_the_verifier():
    def authenticate(sent):
        if not sent.authorization:
            raise errors.NotAuthenticated("nothing was sent", "Bearer")
        if sent.cookie:
            raise errors.Refused("a cookie")
        return sent.authorization

    def ask(*headers):
        return nginx.reply(request(*headers), authenticate, users.UserCache(policy())).decode().split("\r\n")

    # A name from nginx is ignored here.
    assert ask("X-Name: alice")[:2] == ["HTTP/1.1 401 Unauthorized", "WWW-Authenticate: Bearer"]
    assert ask("X-Authorization: alice")[:3] == ["HTTP/1.1 204 No Content", "X-User: alice", "X-Name: alice"]
    assert ask("X-Authorization: alice", "X-Cookie: x")[0] == "HTTP/1.1 403 Forbidden"
    assert ask("X-Authorization: root")[0] == "HTTP/1.1 403 Forbidden"


def packed(**parameters):
    """Parameters as FastCGI packs them."""
    data = b""
    for name, value in parameters.items():
        for text in (name.encode(), value.encode("utf-8", "surrogateescape")):
            size = len(text)
            data += bytes([size]) if size < 128 else (size | 1 << 31).to_bytes(4, "big")
        data += name.encode() + value.encode("utf-8", "surrogateescape")
    return data


def authorized(authenticate=lambda sent: sent.name, **parameters):
    answer = apache.authorize(packed(**parameters), authenticate, users.UserCache(policy()))
    version, kind, _request, length, _padding = struct.unpack(">BBHHBx", answer[:8])
    assert (version, kind) == (1, 6)
    # An empty output record, then the end of the request.
    assert answer[8 + length:] == b"\1\6\0\1\0\0\0\0" + b"\1\3\0\1\0\x08\0\0" + bytes(8)
    return answer[8:8 + length].decode().splitlines()


AUTHORIZER = {"FCGI_APACHE_ROLE": "AUTHORIZER", "REQUEST_URI": "/slurm/v0.0.42/jobs", "HTTP_X": "x" * 300}


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"REMOTE_USER": "alice"}, 200), ({"REMOTE_USER": "root"}, 403), ({"REMOTE_USER": ""}, 403), ({}, 403),
        ({"REMOTE_USER": "alicé"}, 403), ({"REMOTE_USER": "alice\nVariable-slurm_jwt_proxy_user: root"}, 403),
        # Headers of the client are called HTTP_.... The name of a certificate is used only where Apache has no user.
        ({"HTTP_REMOTE_USER": "alice"}, 403), ({"slurm_jwt_proxy_name": "alice"}, 403),
        ({"REMOTE_USER": "alice", "FCGI_APACHE_ROLE": "AUTHENTICATOR"}, 403),
        ({"slurm_jwt_proxy_name": "alice", "FCGI_APACHE_ROLE": "AUTHENTICATOR"}, 200),
    ],
)
def test_authorizer_of_apache(parameters, status):
    lines = authorized(**{**AUTHORIZER, **parameters})
    assert lines[0] == {200: "Status: 200 OK", 403: "Status: 403 Forbidden"}[status]
    variables = ["Variable-slurm_jwt_proxy_user: alice", "Variable-slurm_jwt_proxy_log_name: alice"]
    assert lines[1:] == [*(variables if status == 200 else []), ""]


def test_health_of_apache():
    assert authorized(**{**AUTHORIZER, "REQUEST_URI": "/healthz"}) == ["Status: 200 OK", ""]


def test_health_requests_are_limited():
    cache = users.UserCache(policy())
    asked = packed(**{**AUTHORIZER, "REQUEST_URI": "/healthz", "REMOTE_ADDR": "192.0.2.1"})
    answers = [apache.authorize(asked, lambda sent: sent.name, cache) for _request in range(7)]
    assert [b"Status: 429" in answer for answer in answers] == [False] * 6 + [True]


def test_apache_sends_the_challenge():
    def authenticate(sent):
        raise errors.NotAuthenticated("nothing was sent", "Bearer")

    assert authorized(authenticate, **AUTHORIZER) == ["Status: 401 Unauthorized", "WWW-Authenticate: Bearer", ""]


def test_truncated_parameters_are_refused():
    whole = packed(REMOTE_USER="alice")
    cache = users.UserCache(policy())
    assert b"Status: 500" in apache.authorize(whole[:-1], lambda sent: sent.name, cache)


def test_without_a_decision_nobody_passes(monkeypatch):
    def broken(name):
        raise OSError("the directory service is away")

    monkeypatch.setattr(pwd, "getpwnam", broken)
    assert reply(request("X-Name: alice")).startswith(b"HTTP/1.1 500 ")
    assert reply(request(path="/health")).startswith(b"HTTP/1.1 500 ")
    assert authorized(**AUTHORIZER, REMOTE_USER="alice")[0] == "Status: 500 Internal Server Error"


def test_slurm_user_must_exist():
    with pytest.raises(errors.PolicyError, match="SlurmUser 'slurmx' does not exist"):
        verifier.check_policy(policy(slurm_user="slurmx"))


def test_groups_must_exist():
    with pytest.raises(errors.PolicyError, match="unheard-of"):
        verifier.check_policy(policy(denied_groups=("unheard-of",)))


def test_limits_must_be_positive(tmp_path):
    file = tmp_path / "policy"
    file.write_text('{"slurm_user": "slurm", "uid_min": 1, "failures": 0}')
    with pytest.raises(errors.PolicyError, match="1 or more"):
        policies.read_policy(str(file))


def test_the_table_must_name_users(tmp_path):
    file = tmp_path / "policy"
    file.write_text('{"slurm_user": "slurm", "uid_min": 1, "names": {"boss": "0"}}')
    with pytest.raises(errors.PolicyError, match="'boss' to '0'"):
        policies.read_policy(str(file))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"slurm_user": "slurm"}', '{"slurm_user": "a", "uid_min": 1, "more": 2}']
)
def test_invalid_policies(tmp_path, text):
    file = tmp_path / "policy"
    file.write_text(text)
    with pytest.raises(errors.PolicyError, match="holds no policy"):
        policies.read_policy(str(file))


# -- the program, as systemd and Apache run it ------------------------------------------------------------------------


@pytest.fixture
def policy_file(tmp_path):
    # "root" and "nobody" are everywhere: nobody for SlurmUser, so that the machine need not have one.
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"slurm_user": "nobody", "uid_min": 1, "names": {"somebody": "daemon"}}))
    return file


def program(policy_file, task):
    return [sys.executable, "-I", "-S", str(PROGRAM), str(policy_file), task]


def served(policy_file, task, listener):
    """The program with a socket as systemd hands it over, which is number 3."""
    argv = program(policy_file, task)
    handing_over = f"import os; os.dup2({listener.fileno()}, 3); os.execv({argv[0]!r}, {argv!r})"
    starter = [sys.executable, "-c", handing_over]
    return subprocess.Popen(starter, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)


def test_as_an_authorizer_of_apache(policy_file):
    listener = socket.create_server(("127.0.0.1", 0))
    process = served(policy_file, "authorize", listener)
    begin = struct.pack(">BBHHBx", 1, 1, 1, 8, 0) + bytes(8)
    for name, status in (("somebody", b"200"), ("root", b"403"), ("somebody", b"200")):
        data = packed(**{**AUTHORIZER, "REMOTE_USER": name})
        half = len(data) // 2
        parts = [struct.pack(">BBHHBx", 1, 4, 1, len(part), 0) + part for part in (data[:half], data[half:], b"")]
        with socket.create_connection(listener.getsockname(), timeout=20) as client:
            client.sendall(begin + b"".join(parts))
            answer = b""
            while chunk := client.recv(1000):
                answer += chunk
        assert answer[8:].startswith(b"Status: " + status)
    with socket.create_connection(listener.getsockname(), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(1000) == b""
    process.terminate()
    assert process.wait(10) == 0
    listener.close()


def test_as_a_service(policy_file, tmp_path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    process = served(policy_file, "serve", listener)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(tmp_path / "socket"))
        for name, status in (("somebody", b"204"), ("root", b"403"), ("somebody", b"204")):
            client.sendall(request(f"X-Name: {name}"))
            assert client.recv(1000).split()[1] == status
        # An idle connection does not keep it from ending.
        begin = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        assert time.monotonic() - begin < 5
    listener.close()
