# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which user of the cluster a request to slurmrestd is made for, or that it must not pass.

    python3 -I verifier.py POLICY serve      for nginx: answers each auth_request on the socket that systemd hands over
    python3 -I verifier.py POLICY authorize  for Apache: the same as a FastCGI authorizer
    python3 -I verifier.py POLICY check      says what is wrong with POLICY, or with the password file that it names
    python3 -I verifier.py FILE passwords    says what is wrong with a password file

The server has authenticated somebody and says by what name; tokens of an OpenID provider are verified here (openid.py),
and where the site has a program of its own that knows its users, that is asked here (hook.py). Then it is decided who
that is on the cluster, and whether the proxy, which holds a token that may act as anybody, may act as them. This
program holds no token of Slurm's, and runs as a user of its own. What it does not understand it refuses.
"""

from __future__ import annotations

import functools
import grp
import http
import json
import os
import pwd
import re
import socket
import struct
import sys
import threading
import time
from typing import Any, BinaryIO, Callable, Iterator, NamedTuple, Optional

# What a user of the cluster may be called. slurmctld takes a number for a uid: 0 would be root.
USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\$?")
LONGEST_NAME = 1024
# What kernels and file systems call "nobody": whoever could not be mapped ends as one of them.
NOBODY = (99, 65534, 65535, 2**32 - 2, 2**32 - 1)
BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
LEAST_COST = 8
BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9_.=-]+)")
CACHED_NAMES = 10000
CACHED_ADDRESSES = 10000

SOCKET = 3  # systemd's first
LONGEST_REQUEST = 262144
# Seconds in which Apache, which asks at once, has asked. Anybody on the host can open such a connection.
SILENCE = 5


class PolicyError(Exception):
    """The policy cannot be followed. The text says why, and what to do."""


class Refused(Exception):
    """The request must not pass. The text says why, for the log; the client is not told."""


class Unproven(Exception):
    """Nobody is authenticated. The text says why, for the log; the client is told how to do it."""

    def __init__(self, why: str, challenge: str) -> None:
        super().__init__(why)
        self.challenge = challenge


class Policy(NamedTuple):
    """What the site has decided."""

    slurm_user: str
    uid_min: int
    subject: str = ""
    """The attribute of a certificate's subject that names the user. Empty: the server gives a plain name."""
    names: dict[str, str] = {}
    domains: tuple[str, ...] = ()
    lower_case: bool = False
    allowed_users: tuple[str, ...] = ()
    allowed_groups: tuple[str, ...] = ()
    denied_users: tuple[str, ...] = ()
    denied_groups: tuple[str, ...] = ()
    seconds: float = 10
    """How long an answer is taken from memory."""
    rate: float = 0
    """How many requests a second from one address pass, for a server that cannot count. 0: as many as there are."""
    burst: int = 0
    password_file: str = ""
    openid: dict[str, Any] = {}
    """Of the provider whose tokens are taken; see openid.py. Empty: the server authenticates."""
    hook: dict[str, Any] = {}
    """Of the site's own program that is asked who somebody is; see hook.py."""


def read_policy(path: str) -> Policy:
    try:
        with open(path, encoding="utf-8") as stream:
            members: dict[str, Any] = json.load(stream)
        lists = {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
        return Policy(**{**members, **lists})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise PolicyError(f"{path} holds no policy: {error}. Run the playbook hpc.slurm_jwt.proxy.") from error


# -- who it is ---------------------------------------------------------------------------------------------------------


def user_of(said: str, policy: Policy) -> str:
    """The user of the cluster for the name by which the server has authenticated somebody."""
    if not said:
        raise Refused("the server gave no name")
    if len(said) > LONGEST_NAME or not said.isprintable():
        raise Refused("the name is too long, or holds what cannot be printed")
    name = attribute(said, policy.subject) if policy.subject else said
    user = mapped(name, policy)
    if not USER_NAME.fullmatch(user) or user.isdigit():
        raise Refused("no user of a cluster is called that")
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise Refused("there is no such user on this host") from None
    check(user, entry, policy)
    return user


def mapped(name: str, policy: Policy) -> str:
    """The cluster's name for the provider's: the table's word, else without a known domain and in lower case."""
    if name in policy.names:
        return policy.names[name]
    user, at, domain = name.partition("@")
    if at and policy.domains:
        if domain.lower() not in [known.lower() for known in policy.domains]:
            raise Refused("the name is of a domain that is not the cluster's")
        name = user
    return name.lower() if policy.lower_case else name


def check(user: str, entry: pwd.struct_passwd, policy: Policy) -> None:
    """Refuses whoever the proxy must never act as, by name and by number: root may have other names."""
    if entry.pw_name != user:
        # slurmctld would look for the name that is sent, here another one was found.
        raise Refused(f"the user's own name is {entry.pw_name!r}")
    if user == "root" or entry.pw_uid == 0:
        raise Refused("root is never acted as")
    if user == policy.slurm_user or entry.pw_uid == slurm_uid(policy):
        raise Refused("SlurmUser is never acted as")
    if entry.pw_uid < policy.uid_min:
        raise Refused(f"its uid {entry.pw_uid} is below {policy.uid_min}, as those of system accounts are")
    if entry.pw_uid in NOBODY:
        raise Refused(f"its uid {entry.pw_uid} is that of nobody")
    if user in policy.denied_users:
        raise Refused("the user is denied")
    if not (policy.denied_groups or policy.allowed_groups or policy.allowed_users):
        return
    groups = set(os.getgrouplist(user, entry.pw_gid))
    if groups & gids(policy.denied_groups):
        raise Refused("a group of the user is denied")
    if not (policy.allowed_users or policy.allowed_groups):
        return
    if user not in policy.allowed_users and not groups & gids(policy.allowed_groups):
        raise Refused("neither the user nor a group of theirs is allowed")


def slurm_uid(policy: Policy) -> int:
    try:
        return pwd.getpwnam(policy.slurm_user).pw_uid
    except KeyError:
        raise PolicyError(
            f"SlurmUser {policy.slurm_user!r} is not known on this host, so that other names for its uid could not be "
            "refused. Make it known here, with the uid that it has on the controllers."
        ) from None


def gids(names: tuple[str, ...]) -> set[int]:
    try:
        return {grp.getgrnam(name).gr_gid for name in names}
    except KeyError as error:
        raise PolicyError(f"{error.args[0]}. Correct the allowed and denied groups, or make it known here.") from None


def attribute(subject: str, wanted: str) -> str:
    """The one value of an attribute in a distinguished name as RFC 4514 writes it: ``CN=alice,OU=hpc,O=example``."""
    values = [value for kind, value in parts_of(subject) if kind.upper() == wanted.upper()]
    if len(values) != 1:
        raise Refused(f"the subject has {len(values)} values of {wanted}, and one is wanted")
    return values[0]


def parts_of(subject: str) -> list[tuple[str, str]]:
    """The attributes of a distinguished name, in their order, without escapes."""
    parts: list[tuple[str, str]] = []
    for part in re.findall(r"(?:\\.|[^,+\\])+", subject):
        kind, equals, value = part.partition("=")
        if not equals:
            raise Refused("the subject is not a distinguished name")
        raw = re.sub(rb"\\([0-9A-Fa-f]{2}|.)", _unescaped, value.encode("utf-8"))
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("the subject is not UTF-8") from None
        parts.append((kind.strip(), text))
    return parts


def _unescaped(found: re.Match[bytes]) -> bytes:
    escaped = found[1]
    return bytes.fromhex(escaped.decode()) if len(escaped) == 2 else escaped


# -- remembered, and told to the log -----------------------------------------------------------------------------------

Answer = Optional[str]
"""The user, or none: the request must not pass."""


class Memory:
    """Answers for a few seconds, so that a directory service is not asked for each request of a burst."""

    def __init__(self, policy: Policy, clock: Callable[[], float] = time.monotonic) -> None:
        self.policy = policy
        self.clock = clock
        self.known: dict[str, tuple[float, Answer]] = {}
        self.limit = Limit(policy.rate, policy.burst, clock)
        # Whoever asks for that needs no name, and slurmctld is asked each time.
        self.health_limit = Limit(1, 5, clock)

    def user(self, said: str) -> Answer:
        until, answer = self.known.get(said, (0.0, None))
        if self.clock() < until:
            return answer
        try:
            answer = user_of(said, self.policy)
        except Refused as refusal:
            tell(f"refused {said[:100]!r}: {refusal}")
            answer = None
        if len(self.known) >= CACHED_NAMES:
            self.known.clear()
        self.known[said] = (self.clock() + self.policy.seconds, answer)
        return answer


class Limit:
    """So many requests a second from one address, and a few more at once."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.most = burst + 1.0
        self.clock = clock
        self.known: dict[str, tuple[float, float]] = {}
        self.lock = threading.Lock()

    def passes(self, address: str) -> bool:
        if not self.rate:
            return True
        with self.lock:
            now = self.clock()
            left, then = self.known.get(address, (self.most, now))
            left = min(self.most, left + (now - then) * self.rate)
            if len(self.known) >= CACHED_ADDRESSES:
                self.known.clear()
            self.known[address] = (max(left - 1, 0) if left >= 1 else left, now)
            return left >= 1


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# -- who has been authenticated ----------------------------------------------------------------------------------------


class Question(NamedTuple):
    """What the server tells of a request."""

    name: str = ""
    """By which the server has authenticated somebody."""
    authorization: str = ""
    cookie: str = ""
    method: str = ""
    uri: str = ""


class Verdict(NamedTuple):
    status: int
    """As in HTTP: 200, 401, 403."""
    user: str = ""
    name: str = ""
    """By which they were authenticated, for the server's log."""
    challenge: str = ""


Prover = Callable[[Question], str]
"""The name of whoever is authenticated. Raises Unproven or Refused."""


def prover_of(policy: Policy) -> Prover:
    """How somebody is authenticated."""
    try:
        if policy.openid:
            return by_token(policy.openid)
        if policy.hook:
            return by_hook(policy.hook)
    except ImportError as error:
        raise PolicyError(f"{error}. Install python3-jwt and python3-cryptography of the distribution.") from error
    except ValueError as error:
        raise PolicyError(f"{error}. Run the playbook hpc.slurm_jwt.proxy.") from error
    return lambda question: question.name


def by_token(members: dict[str, Any]) -> Prover:
    """By a bearer token of an OpenID provider."""
    import openid

    keys = openid.Keys(openid.provider_of(members))

    def prove(question: Question) -> str:
        found = BEARER.fullmatch(question.authorization)
        if not found:
            raise Unproven("there is no bearer token", "Bearer")
        try:
            return str(openid.name_in(found[1], keys))
        except openid.Invalid as error:
            raise Unproven(f"the token is not taken: {error}", 'Bearer error="invalid_token"') from None

    return prove


def by_hook(members: dict[str, Any]) -> Prover:
    """By the site's own program, which sees what the client has sent as a proof."""
    import hook

    settings = hook.settings_of(members)

    def prove(question: Question) -> str:
        proof = {
            "Authorization": question.authorization, "Cookie": question.cookie,
            "X-Original-Method": question.method, "X-Original-URI": question.uri,
        }
        answer = hook.ask(settings, proof)
        if answer.status == 401:
            raise Unproven("the hook says 401", answer.challenge)
        if answer.status == 403:
            raise Refused("the hook says 403")
        return str(answer.name)

    return prove


def judge(question: Question, prove: Prover, memory: Memory) -> Verdict:
    """Whether a request may pass, and as whom."""
    try:
        name = prove(question)
    except Unproven as error:
        tell(f"not authenticated: {error}")
        return Verdict(401, challenge=error.challenge)
    except Refused as refusal:
        tell(f"refused: {refusal}")
        return Verdict(403)
    user = memory.user(name)
    # What is of another alphabet is not worth a line in the server's log.
    said = name if name.isascii() and name.isprintable() else ""
    return Verdict(200, user, said) if user else Verdict(403, name=said)


# -- for nginx ---------------------------------------------------------------------------------------------------------


def reply(request: bytes, prove: Prover, memory: Memory) -> bytes:
    """The answer to one request of nginx: 204 with the user in X-User, 401, 403; 500 where nothing can be decided."""
    try:
        lines = request.decode("ascii").split("\r\n")
        path = lines[0].split(" ")[1]
        if path == "/health":
            slurm_uid(memory.policy)
            return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
        headers = [line.partition(":") for line in lines[1:] if line]
        names = [name.lower() for name, _colon, _value in headers]
        if path != "/user" or len(names) != len(set(names)):
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        given = {name.lower(): value.strip() for name, _colon, value in headers}
        verdict = judge(Question(*(given.get(f"x-{field}", "") for field in Question._fields)), prove, memory)
    except Exception as error:  # whatever it is, the request must not pass
        tell(f"cannot decide: {error!r}")
        return b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
    head = {
        200: f"204 No Content\r\nX-User: {verdict.user}",
        401: f"401 Unauthorized\r\nWWW-Authenticate: {verdict.challenge}\r\nContent-Length: 0",
    }.get(verdict.status, "403 Forbidden\r\nContent-Length: 0")
    return f"HTTP/1.1 {head}\r\nX-Name: {verdict.name}\r\n\r\n".encode("ascii")


def requests_of_nginx(stream: BinaryIO) -> Iterator[bytes]:
    """The heads of all requests of a connection."""
    request = b""
    while len(request) < LONGEST_REQUEST and (line := stream.readline(LONGEST_REQUEST)):
        request += line
        if line == b"\r\n":
            yield request
            request = b""


# -- for Apache --------------------------------------------------------------------------------------------------------

# Kinds of records of FastCGI.
BEGIN, END, PARAMETERS, OUTPUT = 1, 3, 4, 6


def authorize(parameters: bytes, prove: Prover, memory: Memory) -> bytes:
    """FastCGI's answer to one request of Apache's mod_authnz_fcgi, with the same statuses."""
    try:
        given = {name: value.decode("ascii", "surrogateescape") for name, value in pairs_in(parameters)}
        if given.get("REQUEST_URI") == "/healthz":
            slurm_uid(memory.policy)
            if not memory.health_limit.passes(given.get("REMOTE_ADDR", "")):
                return output("Status: 429 Too Many Requests\r\n\r\n")
            return output("Status: 200 OK\r\n\r\n")
        # As an authorizer it is asked after Apache has found out who it is, as an authenticator instead of that.
        authorizer = given.get("FCGI_APACHE_ROLE") == "AUTHORIZER"
        fields = ("REMOTE_USER" if authorizer else "slurm_jwt_proxy_name", "HTTP_AUTHORIZATION", "HTTP_COOKIE",
                  "REQUEST_METHOD", "REQUEST_URI")
        verdict = judge(Question(*(given.get(field, "") for field in fields)), prove, memory)
    except Exception as error:  # whatever it is, the request must not pass
        tell(f"cannot decide: {error!r}")
        return output("Status: 500 Internal Server Error\r\n\r\n")
    head = f"Status: {verdict.status} {http.HTTPStatus(verdict.status).phrase}\r\n"
    if verdict.status == 200:
        head += f"Variable-slurm_jwt_proxy_user: {verdict.user}\r\nVariable-slurm_jwt_proxy_said: {verdict.name}\r\n"
        # Apache makes 403 of any other status, so it is told what to answer.
        if not memory.limit.passes(given.get("REMOTE_ADDR", "")):
            head += "Variable-slurm_jwt_proxy_late: yes\r\n"
    elif verdict.challenge:
        head += f"WWW-Authenticate: {verdict.challenge}\r\n"
    return output(head + "\r\n")


def output(text: str) -> bytes:
    data = text.encode("ascii")
    return record(OUTPUT, data) + record(OUTPUT, b"") + record(END, bytes(8))


def record(kind: int, data: bytes) -> bytes:
    return struct.pack(">BBHHBx", 1, kind, 1, len(data), 0) + data


def pairs_in(parameters: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and values as FastCGI packs them."""
    place = 0

    def length() -> int:
        nonlocal place
        size = parameters[place]
        if size < 128:
            place += 1
            return size
        place += 4
        return int.from_bytes(parameters[place - 4:place], "big") & 0x7FFFFFFF

    while place < len(parameters):
        name_length, value_length = length(), length()
        middle = place + name_length
        name, value = parameters[place:middle], parameters[middle:middle + value_length]
        if len(name) + len(value) != name_length + value_length:
            raise ValueError("a parameter ends too early")
        place = middle + value_length
        yield name.decode("ascii", "replace"), value


def requests_of_apache(stream: BinaryIO) -> Iterator[bytes]:
    """The parameters of the one request of a connection."""
    parameters = b""
    while len(parameters) < LONGEST_REQUEST and len(head := stream.read(8)) == 8:
        version, kind, dummy_request, length, padding = struct.unpack(">BBHHBx", head)
        if version != 1 or kind not in (BEGIN, PARAMETERS):
            return
        data = stream.read(length + padding)
        if len(data) != length + padding:
            return
        if kind == PARAMETERS and not length:
            yield parameters
            return
        if kind == PARAMETERS:
            parameters += data[:length]


# -- for both ----------------------------------------------------------------------------------------------------------


def serve(task: str, prove: Prover, memory: Memory) -> None:
    import connections

    requests, answer, seconds = {
        "serve": (requests_of_nginx, reply, None),
        "authorize": (requests_of_apache, authorize, SILENCE),
    }[task]
    protocol = connections.Protocol(requests, functools.partial(answer, prove=prove, memory=memory), seconds)
    connections.Connections(socket.socket(fileno=SOCKET), protocol).serve()


# -- before it goes live -----------------------------------------------------------------------------------------------


def check_policy(policy: Policy) -> None:
    """Refuses what could not be followed at run time."""
    slurm_uid(policy)
    prover_of(policy)
    gids(policy.allowed_groups + policy.denied_groups)
    for name, user in policy.names.items():
        if not USER_NAME.fullmatch(user) or user.isdigit():
            raise PolicyError(f"The table of names makes {user!r} of {name!r}, which no user is called.")
    if policy.password_file:
        check_passwords(policy.password_file)


def check_passwords(path: str) -> None:
    """Every line of the password file has bcrypt's hash: the others that servers take are cracked in no time."""
    try:
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except (OSError, ValueError) as error:
        raise PolicyError(f"The password file {path} cannot be read: {error}.") from error
    remedy = "Make the line anew with: htpasswd -B -C 10"
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        # The name is not said: what lacks a colon may be a password.
        found = BCRYPT.fullmatch(line.rpartition(":")[2])
        if not found:
            raise PolicyError(f"{path}, line {number}: this is no name and bcrypt hash. {remedy} {path} NAME")
        if int(found[1]) < LEAST_COST:
            raise PolicyError(
                f"{path}, line {number}: bcrypt's cost is {found[1]}, less than {LEAST_COST}. {remedy} {path} NAME"
            )


def main(arguments: list[str]) -> int:
    path, task = arguments
    # The other files are beside this one, where Python does not look with -I.
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    try:
        if task == "passwords":
            check_passwords(path)
            return 0
        policy = read_policy(path)
        if task == "check":
            check_policy(policy)
            return 0
        slurm_uid(policy)
        prove = prover_of(policy)
    except PolicyError as error:
        tell(str(error))
        return 1
    serve(task, prove, Memory(policy))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
