# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says which user of the cluster a request to slurmrestd is made for, or that it must not pass.

    python3 -I verifier.py POLICY serve      for nginx: answers each auth_request on the socket that systemd hands over
    python3 -I verifier.py POLICY authorize  for Apache: the same as a FastCGI authorizer
    python3 -I verifier.py POLICY check      says what is wrong with POLICY

The server has authenticated somebody and says by what name, or it hands on what the client has sent as a proof: then
passwords (passwords.py) and tokens of an OpenID provider (openid.py) are verified here, and a program of the site's
that knows its users is asked from here (hook.py). Then it is decided who that is on the cluster (names.py), and
whether the proxy, which holds a token that may act as anybody, may act as them (users.py). This program holds no
token of Slurm's, and runs as a user of its own. What it does not understand it refuses.
"""

from __future__ import annotations

import functools
import os
import socket
import sys

# The other files are beside this one, where Python does not look with -I.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import apache
import connections
import nginx
from errors import PolicyError, tell
from policy import Policy, read_policy
from proofs import Prover, prover_of
from users import Memory, gids, slurm_uid

SOCKET = 3  # systemd's first
# Seconds in which Apache, which asks at once, has asked. Anybody on the host can open such a connection.
SILENCE = 5


def serve(task: str, prove: Prover, memory: Memory) -> None:
    requests, answer, seconds = {
        "serve": (nginx.requests, nginx.reply, None),
        "authorize": (apache.requests, apache.authorize, SILENCE),
    }[task]
    protocol = connections.Protocol(requests, functools.partial(answer, prove=prove, memory=memory), seconds)
    connections.Connections(socket.socket(fileno=SOCKET), protocol).serve()


def check_policy(policy: Policy) -> None:
    """Refuses what could not be followed at run time."""
    slurm_uid(policy)
    prover_of(policy, serving=False)
    gids(policy.allowed_groups + policy.denied_groups)


def main(arguments: list[str]) -> int:
    path, task = arguments
    try:
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
