# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes up configuration files with everything that people write and that is hard to parse.

The same seed makes the same file. The tags name every trap in a file, so that a run can report what it covered.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from settings_generator import PATHS, Settings

ETC = "/oracle/etc"

SLURMCTLD = (
    ("SlurmctldHost", "ctl1"),
    ("SlurmUser", "slurm"),
    ("StateSaveLocation", "/oracle/state"),
    ("SlurmctldPidFile", "/oracle/pid"),
)
SLURMDBD = (("DbdHost", "ctl1"), ("SlurmUser", "slurm"), ("PidFile", "/oracle/pid"))
# What is loaded next after the authentication plugins: a name that does not exist ends the daemon there.
NEXT = {"slurmctld": ("PreemptType", "preempt"), "slurmdbd": ("StorageType", "accounting_storage")}
NODES = (
    "NodeName=n[1-4] CPUs=4 State=UNKNOWN",
    'NodeName=n5 CPUs=2 Features="a b" State=UNKNOWN',
    "NodeName=DEFAULT RealMemory=1000",
    "NodeSet=s1 Nodes=n1",
    'DownNodes=n1 State=DOWN Reason="no power # really"'.replace("#", "\\#"),
)
FILLERS = {
    "slurmctld": ("ReturnToService=2", "SlurmdTimeout = 300", "TaskPlugin=task/none", 'MailProg="/bin/mail \\#1"'),
    "slurmdbd": ("DebugLevel=info", "LogFile = /oracle/log", "StoragePass=not#shown", "StorageLoc=slurm_acct_db"),
}
COMMENTS = (
    b"",
    b" plain",
    b"AuthAltTypes=auth/jwt",
    b" AuthAltParameters = jwt_key=/no",
    b" ends in \\",
    b" a # b",
    b"\xe9\xff",
    b'"',
    b"Include none.conf",
)


class Edit(NamedTuple):
    """One call of a method of Editor."""

    method: str
    arguments: tuple[object, ...]


class Case(NamedTuple):
    name: str
    daemon: str
    files: dict[str, bytes]
    """By their names below ETC."""
    edits: list[list[Edit]]
    """Each is a way to change the files."""
    tags: frozenset[str]

    @property
    def top(self) -> str:
        return "slurm.conf" if self.daemon == "slurmctld" else "slurmdbd.conf"


def generate(seed: int) -> Case:
    """The case of this number."""
    return _Author(seed).case()


class _Author:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        self.settings = Settings(self.dice, b"\n")
        self.daemon = "slurmdbd" if self.chance(0.2) else "slurmctld"

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def tag(self, name: str) -> None:
        self.settings.tag(name)

    # Files

    def case(self) -> Case:
        self.settings.end = self.dice.choice((b"\n", b"\n", b"\n", b"\r\n"))
        if self.settings.end == b"\r\n":
            self.tag("crlf")
        names = ["slurm.conf" if self.daemon == "slurmctld" else "slurmdbd.conf"]
        if self.chance(0.4):
            names += self.dice.sample(["more.conf", "sub/deep.conf", "EMPTY", "%c.conf"], self.dice.randint(1, 3))
        bodies: dict[str, list[bytes]] = {name: [] for name in names}
        for line in self._lines():
            bodies[self.dice.choice(names) if self.chance(0.5) else names[0]].append(line)
        for name in names:
            self._decorate(bodies[name])
        cluster = self.dice.choice(("lab", "LAB", "Lab2"))
        self._nest(names, bodies)
        if self.daemon == "slurmctld":
            bodies[names[0]].insert(0, self.settings.setting("ClusterName", cluster, mild=True))
        if self.chance(0.12):
            self._add_invalid_line(bodies[self.dice.choice(names)])
        files = {name.replace("%c", cluster.lower()): self._file(bodies[name]) for name in names}
        files["nothing"] = b""
        if self.daemon == "slurmdbd":
            self.tag("slurmdbd")
        return Case(f"generated-{self.seed}", self.daemon, files, self._edits(), frozenset(self.settings.tags))

    def _lines(self) -> list[bytes]:
        """The settings, in any order."""
        fixed = SLURMCTLD if self.daemon == "slurmctld" else SLURMDBD
        lines = [self.settings.setting(key, value, mild=True) for key, value in fixed]
        key, kind = NEXT[self.daemon]
        lines.append(self.settings.setting(key, f"{kind}/{self.dice.choice(('oracle_end', 'the end', 'e#d'))}"))
        if self.chance(0.95):
            auth_type = self.dice.choice(("auth/none",) * 6 + ("auth/munge", "auth/odd"))
            lines.append(self.settings.setting("AuthType", auth_type))
        for _times in range(self.dice.choice((0, 1, 1, 1, 1, 2, 3))):
            lines.append(self.settings.setting("AuthAltTypes", self.settings.types()))
        for _times in range(self.dice.choice((0, 1, 1, 1, 1, 2, 3))):
            lines.append(self.settings.setting("AuthAltParameters", self.settings.parameters()))
        lines += [line.encode() for line in self.dice.sample(FILLERS[self.daemon], self.dice.randint(0, 3))]
        if self.daemon == "slurmctld":
            lines += [line.encode() for line in self.dice.sample(NODES, self.dice.randint(1, 4))]
            lines.append(b"PartitionName=p Nodes=n1 Default=YES")
        self.dice.shuffle(lines)
        if sum(line.lower().replace(b" ", b"").startswith(b"authalt") for line in lines) > 2:
            self.tag("key twice")
        return lines

    def _decorate(self, body: list[bytes]) -> None:
        """Blank lines, comments, and commented-out settings between them."""
        for _times in range(self.dice.randint(0, 5)):
            kind = self.dice.random()
            if kind < 0.6:
                line = self.dice.choice((b"#", b"# ", b"  #")) + self.dice.choice(COMMENTS)
                self.tag("comment")
            elif kind < 0.9:
                line = self.dice.choice((b"", b"   ", b"\t", b"\x0c"))
            else:
                line = self.dice.choice((b"\\", b"\\ ", b"\\ # x"))
                self.tag("lone continuation")
            body.insert(self.dice.randint(0, len(body)), line)

    def _nest(self, names: list[str], bodies: dict[str, list[bytes]]) -> None:
        """Include each of the other files from one before it."""
        for number, name in enumerate(names[1:], 1):
            including = names[0] if "%c" in name else self.dice.choice(names[:number])
            if "/" in including or "/" in name or self.chance(0.3):
                target = f"{ETC}/{name}"
            else:
                target = self.dice.choice(("", "./")) + name
            word = self.dice.choice(("Include", "include", "INCLUDE", "Inc\\lude"))
            blank = self.dice.choice((" ", "\t", "  "))
            after = self.dice.choice(("", "", " ", "\t", " # really"))
            line = f"{word}{blank}{target}{after}".encode()
            bodies[including].insert(self.dice.randint(0, len(bodies[including])), line)
            self.tag("include")
            if "%c" in name:
                self.tag("include %c")
            if including != names[0]:
                self.tag("nested include")

    def _add_invalid_line(self, body: list[bytes]) -> None:
        """A line that Slurm rejects."""
        line = self.dice.choice(
            (
                b"hello",
                b"AuthAltTypes=",
                b"AuthAltTypes= # nothing",
                b" Include more.conf",
                b"AuthAltTypes=auth/jwt auth/x",
                b"AuthAltParameters=jwt_key=/n/a, jwks=/n/b",
                b'AuthAltTypes="auth/jwt"x y',
                b"NoSuchKey=1",
                b"Auth Type=auth/none",
                b"AuthType=auth/none SlurmUser=slurm",
                b"=x",
                b"AuthAltTypes==",
                b"AuthAltTypes+ =auth/jwt",
                f"Include {ETC}/nothing x".encode(),
                b"AuthAltParameters=a,\\" + self.settings.end + b"  b",
                b"\xef\xbb\xbfAuthType=auth/none",
                b"Auth-Type=x",
                b"CommunicationParameters=x\0y z",
            )
        )
        body.insert(self.dice.randint(0, len(body)), line)
        self.tag("invalid line")

    def _file(self, body: list[bytes]) -> bytes:
        if not body and self.chance(0.5):
            self.tag("empty file")
            return b""
        text = b"".join(line + (b"\n" if self.chance(0.03) else self.settings.end) for line in body)
        if self.chance(0.25):
            text = text[: -len(self.settings.end)] if text.endswith(self.settings.end) else text
            self.tag("no line feed at the end")
            if body and body[-1].lower().startswith(b"inc"):
                self.tag("include without line feed")
        return text

    # Edits

    def _edits(self) -> list[list[Edit]]:
        """One way to change the case; the comparison adds the reverse and a second time of the same."""
        path = self.dice.choice(PATHS) + str(self.dice.randint(1, 9))
        return [self.dice.choice(ways(self.daemon, path))]


def ways(daemon: str, path: str) -> list[list[Edit]]:
    """The ways of editing that the roles use, and some that they do not."""
    key, kind = NEXT[daemon]
    on = Edit("edit_list", ("AuthAltTypes", ("auth/jwt",), ()))
    with_key = Edit("edit_options", ("AuthAltParameters", {"jwt_key": path}, ()))
    return [
        [on, with_key],
        [Edit("edit_options", ("AuthAltParameters", {"jwt_key": path}, ("jwks",))), on],
        [Edit("edit_list", ("authalttypes", (), ("auth/jwt",)))],
        [Edit("edit_options", ("AuthAltParameters", {}, ("jwt_key", "jwks")))],
        [Edit("edit_options", ("AuthAltParameters", {"disable_token_creation": None, "max_token_lifespan": "60"}, ()))],
        [Edit("set", ("AuthAltParameters", "jwt_key=" + path)), Edit("set", ("AuthAltTypes", "auth/jwt"))],
        [Edit("remove", ("AuthAltTypes",))],
        [Edit("remove", ("AuthAltParameters",))],
        *([Edit("set", (key, kind + end)), Edit("set", ("AuthAltTypes", ""))] for end in ("/a # b", "/\\")),
        [
            Edit("set", ("AuthType", "auth/none")),
            Edit("set", ("AuthAltTypes", "auth/jwt")),
            Edit("edit_options", ("AuthAltParameters", {"jwt_key": path}, ("jwks", "my_jwks"))),
        ],
        [Edit("remove", ("AuthAltParameters",)), Edit("remove", ("AuthAltTypes",)), on, with_key],
    ]
