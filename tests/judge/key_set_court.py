# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has slurmctld load a key set, and take tokens by it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from court import Dissent, verdict
from issuer import Pair

JWKS = "/judge/etc/jwks.json"
NO_KEY = "/judge/no.key"

_CONF = """\
ClusterName=judge
SlurmctldHost=ctl1
SlurmUser=slurm
AuthType=auth/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwks={jwks}{more}
StateSaveLocation=/judge/state
SlurmctldPidFile=/judge/state/slurmctld.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
NodeName=n1 NodeAddr=127.0.0.1
PartitionName=p Nodes=n1
"""


class NotUp(Dissent):
    """slurmctld does not serve with a key set and no key for HS256."""


class Testimony(Protocol):
    """What is asked of stand.Witness."""

    def hear(self, daemon: str, files: dict[str, bytes]) -> tuple[int | None, str]: ...

    def admit(self, files: dict[str, bytes], tokens: list[str]) -> dict[str, Any]: ...


class Loaded(NamedTuple):
    """What slurmctld does with a key set at its start."""

    lives: bool
    last_words: str | None


def load(witness: Testimony, file: bytes | None) -> Loaded:
    """Whether slurmctld gets beyond the key set: after it, it looks for a key that is not there, and dies of that."""
    conf = _CONF.format(jwks=JWKS, more=f",jwt_key={NO_KEY}").encode()
    code, log = witness.hear("slurmctld", {"slurm.conf": conf, **({} if file is None else {"jwks.json": file})})
    words = [line for line in log.split("\n") if "fatal: " in line]
    return Loaded(verdict(code, log) == ("key", NO_KEY), words[-1] if words else None)


def admit(witness: Testimony, file: bytes, tokens: list[str]) -> list[bool]:
    """Which of the tokens a running slurmctld accepts with this key set."""
    conf = _CONF.format(jwks=JWKS, more="").encode()
    answer = witness.admit({"slurm.conf": conf, "jwks.json": file}, tokens)
    if not answer["up"]:
        raise NotUp(f"slurmctld did not come up: {answer['log'][-500:]}")
    if not answer["alive"]:
        raise Dissent(f"slurmctld died of a token: {answer['log'][-500:]}")
    return [said == "" for said in answer["said"]]


def judge_file(witness: Testimony, file: bytes) -> None:
    """Dissent if slurmctld dies of a file that was written for it."""
    found = load(witness, file)
    if not found.lives:
        raise Dissent(f"slurmctld would die of it: {found.last_words or 'without a word'}")


def judge_tokens(witness: Testimony, file: bytes, signers: list[tuple[str, Pair]], stranger: Pair) -> None:
    """Dissent unless slurmctld takes a token of each signer, and none of a stranger under the same kid."""
    tokens = [pair.token(kid) for kid, pair in signers] + [stranger.token(kid) for kid, _pair in signers]
    for number, accepted in enumerate(admit(witness, file, tokens)):
        kid = signers[number % len(signers)][0]
        if number < len(signers) and not accepted:
            raise Dissent(f"the kid {kid!r}: a good token was refused")
        if number >= len(signers) and accepted:
            raise Dissent(f"the kid {kid!r}: a stranger's token was accepted")
