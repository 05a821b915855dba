# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes up single settings: names, values, quotes, escapes, continued lines."""

from __future__ import annotations

import random

JWKS = "/oracle/jwks.json"
PATHS = ("/n/key", "/n/jwt_hs256.key", "/n/a key", "/n/k\\y", "/n/k#y", '/n/k"y', "/n/k=y", "/n/k\u00e9y", "/n/k%cy")


class Settings:
    """Writes settings in one of the many ways in which people write them."""

    def __init__(self, dice: random.Random, end: bytes) -> None:
        self.dice = dice
        self.end = end
        self.tags: set[str] = set()

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def tag(self, name: str) -> None:
        self.tags.add(name)

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
