# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes slurmctld load a key set and verify tokens with it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from comparison import Disagreement, answer
from issuer import Pair

JWKS = "/oracle/etc/jwks.json"
NO_KEY = "/oracle/no.key"

_CONF = """\
ClusterName=check
SlurmctldHost=ctl1
SlurmUser=slurm
AuthType=auth/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwks={jwks}{more}
StateSaveLocation=/oracle/state
SlurmctldPidFile=/oracle/state/slurmctld.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
NodeName=n1 NodeAddr=127.0.0.1
PartitionName=p Nodes=n1
"""


class NotUp(Disagreement):
    """slurmctld does not serve with a key set and no key for HS256."""


class KeySetOracle(Protocol):
    """What the checks use of containers.Oracle."""

    def ask(self, daemon: str, files: dict[str, bytes]) -> tuple[int | None, str]: ...

    def admit(self, files: dict[str, bytes], tokens: list[str]) -> dict[str, Any]: ...


class Loaded(NamedTuple):
    """What slurmctld does with a key set at its start."""

    loads: bool
    fatal: str | None


def load(oracle: KeySetOracle, file: bytes | None) -> Loaded:
    """Whether slurmctld loads the key set: next it loads a key file that is missing, and exits because of that."""
    conf = _CONF.format(jwks=JWKS, more=f",jwt_key={NO_KEY}").encode()
    code, log = oracle.ask("slurmctld", {"slurm.conf": conf, **({} if file is None else {"jwks.json": file})})
    fatal = [line for line in log.split("\n") if "fatal: " in line]
    return Loaded(answer(code, log) == ("key", NO_KEY), fatal[-1] if fatal else None)


def admit(oracle: KeySetOracle, file: bytes, tokens: list[str]) -> list[bool]:
    """Which of the tokens a running slurmctld accepts with this key set."""
    conf = _CONF.format(jwks=JWKS, more="").encode()
    answer = oracle.admit({"slurm.conf": conf, "jwks.json": file}, tokens)
    if not answer["up"]:
        raise NotUp(f"slurmctld did not come up: {answer['log'][-500:]}")
    if not answer["alive"]:
        raise Disagreement(f"slurmctld died of a token: {answer['log'][-500:]}")
    return [error == "" for error in answer["errors"]]


def check_file(oracle: KeySetOracle, file: bytes) -> None:
    """Disagreement if slurmctld dies while it loads the file."""
    result = load(oracle, file)
    if not result.loads:
        raise Disagreement(f"slurmctld dies while it loads the file: {result.fatal or 'without a message'}")


def check_tokens(oracle: KeySetOracle, file: bytes, signers: list[tuple[str, Pair]], stranger: Pair) -> None:
    """Disagreement unless slurmctld accepts a token of each signer, and none of another key under the same kid."""
    tokens = [pair.token(kid) for kid, pair in signers] + [stranger.token(kid) for kid, _pair in signers]
    for number, accepted in enumerate(admit(oracle, file, tokens)):
        kid = signers[number % len(signers)][0]
        if number < len(signers) and not accepted:
            raise Disagreement(f"the kid {kid!r}: a good token was refused")
        if number >= len(signers) and accepted:
            raise Disagreement(f"the kid {kid!r}: a stranger's token was accepted")
