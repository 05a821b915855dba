# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes configuration files up, full of what people write and of what a parser stumbles over.

The same seed makes the same file. Every trap that a file holds is named in its tags, so that a run can say what it
has covered.
"""

from __future__ import annotations

import random
from typing import NamedTuple

ETC = "/oracle/etc"
JWKS = "/oracle/jwks.json"

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
PATHS = ("/n/key", "/n/jwt_hs256.key", "/n/a key", "/n/k\\y", "/n/k#y", '/n/k"y', "/n/k=y", "/n/k\u00e9y", "/n/k%cy")
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
    """Each a way to change the files as they are."""
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
        self.tags: set[str] = set()
        self.daemon = "slurmdbd" if self.chance(0.2) else "slurmctld"
        self.end = b"\n"

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def tag(self, name: str) -> None:
        self.tags.add(name)

    # Files

    def case(self) -> Case:
        self.end = self.dice.choice((b"\n", b"\n", b"\n", b"\r\n"))
        if self.end == b"\r\n":
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
            bodies[names[0]].insert(0, self.setting("ClusterName", cluster, mild=True))
        if self.chance(0.12):
            self._spoil(bodies[self.dice.choice(names)])
        files = {name.replace("%c", cluster.lower()): self._file(bodies[name]) for name in names}
        files["nothing"] = b""
        if self.daemon == "slurmdbd":
            self.tag("slurmdbd")
        return Case(f"generated-{self.seed}", self.daemon, files, self._edits(), frozenset(self.tags))

    def _lines(self) -> list[bytes]:
        """The settings, in any order."""
        fixed = SLURMCTLD if self.daemon == "slurmctld" else SLURMDBD
        lines = [self.setting(key, value, mild=True) for key, value in fixed]
        key, kind = NEXT[self.daemon]
        lines.append(self.setting(key, f"{kind}/{self.dice.choice(('oracle_end', 'the end', 'e#d'))}"))
        if self.chance(0.95):
            lines.append(self.setting("AuthType", self.dice.choice(("auth/none",) * 6 + ("auth/munge", "auth/odd"))))
        for _times in range(self.dice.choice((0, 1, 1, 1, 1, 2, 3))):
            lines.append(self.setting("AuthAltTypes", self.types()))
        for _times in range(self.dice.choice((0, 1, 1, 1, 1, 2, 3))):
            lines.append(self.setting("AuthAltParameters", self.parameters()))
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
            holder = names[0] if "%c" in name else self.dice.choice(names[:number])
            if "/" in holder or "/" in name or self.chance(0.3):
                target = f"{ETC}/{name}"
            else:
                target = self.dice.choice(("", "./")) + name
            word = self.dice.choice(("Include", "include", "INCLUDE", "Inc\\lude"))
            blank = self.dice.choice((" ", "\t", "  "))
            after = self.dice.choice(("", "", " ", "\t", " # really"))
            line = f"{word}{blank}{target}{after}".encode()
            bodies[holder].insert(self.dice.randint(0, len(bodies[holder])), line)
            self.tag("include")
            if "%c" in name:
                self.tag("include %c")
            if holder != names[0]:
                self.tag("nested include")

    def _spoil(self, body: list[bytes]) -> None:
        """Something that Slurm stops at."""
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
                b"AuthAltParameters=a,\\" + self.end + b"  b",
                b"\xef\xbb\xbfAuthType=auth/none",
                b"Auth-Type=x",
                b"CommunicationParameters=x\0y z",
            )
        )
        body.insert(self.dice.randint(0, len(body)), line)
        self.tag("spoilt")

    def _file(self, body: list[bytes]) -> bytes:
        if not body and self.chance(0.5):
            self.tag("empty file")
            return b""
        text = b"".join(line + (b"\n" if self.chance(0.03) else self.end) for line in body)
        if self.chance(0.25):
            text = text[: -len(self.end)] if text.endswith(self.end) else text
            self.tag("no line feed at the end")
            if body and body[-1].lower().startswith(b"inc"):
                self.tag("include without line feed")
        return text

    # Lines

    def setting(self, key: str, value: str, mild: bool = False) -> bytes:
        """key=value, written in one of the many ways."""
        wild = 0.1 if mild else 1.0
        name = key
        if self.chance(0.35 * wild):
            name = self.dice.choice((key.lower(), key.upper(), key.swapcase()))
            self.tag("odd case")
        blanks = ("", "", "", " ", "  ", "\t")
        before, after = (self.dice.choice(blanks) if self.chance(0.6 * wild) else "" for _side in range(2))
        if before or after:
            self.tag("blanks around =")
        operator = "="
        if self.chance(0.04 * wild):
            operator = self.dice.choice(("+=", "-=", "*=", "/="))
            self.tag("operator")
        units = [self._unit(char, wild) for char in value]
        if " " in value or not value or (self.chance(0.25 * wild) and '"' not in value):
            units = ["\x00q", *units, "\x00q"]
            self.tag("quotes")
        head = [*name] if self.chance(0.05 * wild) else [name]
        indent = self.dice.choice((" ", "\t", "   ")) if self.chance(0.08 * wild) else ""
        if indent:
            self.tag("indented")
        encoded = [
            piece.encode("utf-8") if not self.chance(0.2) else self._latin(piece)
            for piece in (indent, *head, before, operator, after, *units)
        ]
        encoded = [piece.replace(b"\x00q", b'"') for piece in encoded if piece]
        if self.chance(0.2 * wild):
            self._wrap(encoded)
        return b"".join(encoded) + self._ending(wild)

    def _latin(self, piece: str) -> bytes:
        try:
            return piece.encode("latin-1")
        except UnicodeEncodeError:
            return piece.encode("utf-8")

    def _unit(self, char: str, wild: float) -> str:
        if char in "#\\":
            self.tag("escaped " + char)
            return "\\" + char
        if self.chance(0.02 * wild):
            self.tag("needless escape")
            return "\\" + char
        return char

    def _wrap(self, units: list[bytes]) -> None:
        """Continue the line on the next one, or several times."""
        for _times in range(self.dice.choice((1, 1, 1, 2, 3))):
            at = self.dice.randint(1, len(units))
            comment = self.dice.choice((b"", b"", b" ", b"\t", b" # continued", b" #\\"))
            units.insert(at, b"\\" + comment + self.end)
        self.tag("continued")

    def _ending(self, wild: float) -> bytes:
        if not self.chance(0.25 * wild):
            return b""
        ending = self.dice.choice((b" ", b"\t ", b" # comment", b" #", b" # back \\", b"\t#AuthType=x", b"#glued"))
        if b"#" in ending:
            self.tag("comment behind a value")
        return ending

    # Values

    def types(self) -> str:
        members = [
            self.dice.choice(
                ("auth/jwt",) * 8 + ("jwt", "rest_auth/jwt", "auth/none", "auth/munge", "auth/other", "Auth/JWT")
            )
            for _member in range(self.dice.choice((0, 1, 1, 1, 1, 2, 3)))
        ]
        if any(member not in ("auth/jwt", "auth/none", "auth/munge") for member in members):
            self.tag("odd AuthAltTypes")
        return self._comma_list(members)

    def parameters(self) -> str:
        members = []
        for _member in range(self.dice.choice((0, 1, 1, 2, 2, 3, 4))):
            kind = self.dice.random()
            if kind < 0.45:
                members.append("jwt_key=" + self.dice.choice(PATHS))
            elif kind < 0.6:
                members.append("jwks=" + self.dice.choice((JWKS, JWKS, "/n/jwks.json")))
                self.tag("jwks")
            elif kind < 0.75:
                members.append(
                    self.dice.choice(
                        ("disable_token_creation", "max_token_lifespan=3600", "userclaimfield=u", "use_jwt_client_ids")
                    )
                )
            elif kind < 0.85:
                members.append(self.dice.choice(("unknown", "unknown=x", "no_such=/n/x", "x=y=z")))
                self.tag("unknown member")
            else:
                members.append(
                    self.dice.choice(
                        (
                            "xjwt_key=/n/other",
                            "JWT_KEY=/n/case",
                            "jwt_key=",
                            "jwt_key",
                            "my_jwks=/n/other",
                            "Jwt_Key=/n/c",
                        )
                    )
                )
                self.tag("misleading member")
        if sum(member.startswith("jwt_key=") for member in members) > 1:
            self.tag("member twice")
        return self._comma_list(members)

    def _comma_list(self, members: list[str]) -> str:
        if len(members) > 1 and self.chance(0.15):
            self.tag("blank after a comma")
            return ", ".join(members)
        if members and self.chance(0.05):
            self.tag("empty member")
            return self.dice.choice((",{}", "{},", "{},,")).format(",,".join(members))
        return ",".join(members)

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
