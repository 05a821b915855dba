# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides which user of the cluster a request to slurmrestd is for, or refuses it.

    python3 -I verifier.py POLICY serve      for nginx: answers each auth_request on the socket that systemd passes
    python3 -I verifier.py POLICY authorize  for Apache: the same as a FastCGI authorizer
    python3 -I verifier.py POLICY check      prints what is wrong with POLICY

Either the server has authenticated the user and sends the name, or it forwards the client's credentials
(authentication.py). Then this program verifies a password (passwords.py) or a token of an OpenID provider (openid.py),
or asks the site's own program (hook.py). It maps the name to a user of the cluster (names.py), and checks whether the
proxy may act as that user (users.py): the proxy's token may act as any user. This program has no token of Slurm, and
runs as its own user. It refuses what it does not understand.
"""

from __future__ import annotations

import functools
import os
import socket
import sys

# With -I Python does not search this file's folder.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import apache
import connections
import nginx
from authentication import Authenticate, authenticator
from errors import PolicyError, log
from policy import Policy, read_policy
from users import UserCache, gids, slurm_uid

SOCKET = 3  # systemd's first
# Seconds for Apache to send its request, which it does at once. Any user of the host can open such a connection.
APACHE_TIMEOUT = 5


def serve(task: str, authenticate: Authenticate, cache: UserCache) -> None:
    requests, reply, timeout = {
        "serve": (nginx.requests, nginx.reply, None),
        "authorize": (apache.requests, apache.authorize, APACHE_TIMEOUT),
    }[task]
    answer = functools.partial(reply, authenticate=authenticate, cache=cache)
    protocol = connections.Protocol(requests, answer, timeout)
    connections.Connections(socket.socket(fileno=SOCKET), protocol).serve()


def check_policy(policy: Policy) -> None:
    """Raises PolicyError for a policy that would fail at run time."""
    slurm_uid(policy)
    authenticator(policy, serving=False)
    gids(policy.allowed_groups + policy.denied_groups)


def main(arguments: list[str]) -> int:
    path, task = arguments
    try:
        policy = read_policy(path)
        if task == "check":
            check_policy(policy)
            return 0
        slurm_uid(policy)
        authenticate = authenticator(policy)
    except PolicyError as error:
        log(str(error))
        return 1
    serve(task, authenticate, UserCache(policy))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
