# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which user of the cluster a request to slurmrestd is made for, or that it must not pass.

    python3 -I -S verifier.py POLICY serve    for nginx: answers each auth_request on the socket that systemd hands over
    python3 -I -S verifier.py POLICY map      for Apache: a RewriteMap, one name a line on standard input
    python3 -I -S verifier.py POLICY check    says what is wrong with POLICY, or with the password file that it names
    python3 -I -S verifier.py FILE passwords  says what is wrong with a password file

The server has authenticated somebody already and says by what name. Here it is decided who that is on the cluster, and
whether the proxy, which holds a token that may act as anybody, may act as them. This program holds no token and no key,
sees no password, and runs as a user of its own. What it does not understand it refuses.
"""

from __future__ import annotations

import asyncio
import grp
import json
import os
import pwd
import re
import signal
import socket
import sys
import time
from typing import Any, Callable, NamedTuple, Optional

# What a user of the cluster may be called. slurmctld takes a number for a uid: 0 would be root.
USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\$?")
LONGEST_NAME = 1024
# What kernels and file systems call "nobody": whoever could not be mapped ends as one of them.
NOBODY = (99, 65534, 65535, 2**32 - 2, 2**32 - 1)
BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
LEAST_COST = 8
CACHED_NAMES = 10000

SOCKET = 3  # systemd's first
LONGEST_REQUEST = 65536


class PolicyError(Exception):
    """The policy cannot be followed. The text says why, and what to do."""


class Refused(Exception):
    """The request must not pass. The text says why, for the log; the client is not told."""


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
    password_file: str = ""


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


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# -- for nginx ---------------------------------------------------------------------------------------------------------


def reply(request: bytes, memory: Memory) -> bytes:
    """The answer to one request of nginx: 204 with the user in X-User, 403, or 500 where nothing can be decided."""
    try:
        lines = request.decode("ascii").split("\r\n")
        path = lines[0].split(" ")[1]
        said = [line.partition(":")[2].strip() for line in lines[1:] if line.lower().startswith("x-name:")]
        if path == "/health":
            slurm_uid(memory.policy)
            return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
        if path != "/user" or len(said) > 1:
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        user = memory.user(said[0] if said else "")
    except Exception as error:  # whatever it is, the request must not pass
        tell(f"cannot decide: {error!r}")
        return b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
    if user is None:
        return b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    return b"HTTP/1.1 204 No Content\r\nX-User: " + user.encode("ascii") + b"\r\n\r\n"


async def serve(listener: socket.socket, memory: Memory) -> None:
    """Answers until told to end; what waits in the socket then is for the one who comes next."""
    loop = asyncio.get_running_loop()
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                # A directory service may take its time; others are not to wait for it.
                writer.write(await loop.run_in_executor(None, reply, request, memory))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            talks.discard(task)
            writer.close()

    server = await asyncio.start_unix_server(talk, sock=listener, limit=LONGEST_REQUEST)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    server.close()
    # Whoever has asked gets an answer. A connection on which nobody asks ends without one.
    await asyncio.sleep(0.1)
    for task in list(talks):
        task.cancel()


# -- for Apache --------------------------------------------------------------------------------------------------------


def serve_map(memory: Memory) -> None:
    """mod_rewrite's protocol: a line is a name, and the answer to it a user or the word NULL."""
    for line in sys.stdin.buffer:
        try:
            user = memory.user(line.decode("ascii").rstrip("\n"))
        except Exception as error:  # whatever it is, the request must not pass
            tell(f"cannot decide: {error!r}")
            user = None
        sys.stdout.write(f"{user or 'NULL'}\n")
        sys.stdout.flush()


# -- before it goes live -----------------------------------------------------------------------------------------------


def check_policy(policy: Policy) -> None:
    """Refuses what could not be followed at run time."""
    slurm_uid(policy)
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
    try:
        if task == "passwords":
            check_passwords(path)
            return 0
        policy = read_policy(path)
        if task == "check":
            check_policy(policy)
            return 0
        slurm_uid(policy)
    except PolicyError as error:
        tell(str(error))
        return 1
    if task == "map":
        serve_map(Memory(policy))
    else:
        listener = socket.socket(fileno=SOCKET)
        asyncio.run(serve(listener, Memory(policy)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
