# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guesses passwords at the proxy, and tests the effect on others: python3 guesses.py VERSION

Run on the proxy's host, as a host has more addresses than one: 127.0.0.0/8. alice and bob have the password "lab". Says
what did not end as it has to, and then how many did not.
"""

import base64
import http.client
import ssl
import statistics
import sys
import threading
import time

PATH = f"/slurm/{sys.argv[1]}/ping"
CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE
ATTACKERS = 60
# The longest time of an answer for a correct password.
SECONDS = 3


def ask(source, name, password, keep=None):
    """The status, the seconds, and Retry-After."""
    begin = time.monotonic()
    client = keep or http.client.HTTPSConnection("127.0.0.1", timeout=20, context=CONTEXT, source_address=(source, 0))
    proof = base64.b64encode(f"{name}:{password}".encode()).decode()
    try:
        client.request("GET", PATH, headers={"Authorization": f"Basic {proof}"})
        answer = client.getresponse()
        answer.read()
        return answer.status, time.monotonic() - begin, answer.headers.get("Retry-After")
    except (OSError, http.client.HTTPException) as error:
        client.close()
        return type(error).__name__, time.monotonic() - begin, None
    finally:
        if not keep:
            client.close()


def refusals():
    """A refusal takes as long for a name that does not exist."""
    times = {}
    for number in range(7):
        for name in ("alice", "nobody-at-all"):
            connection = http.client.HTTPSConnection(
                "127.0.0.1", timeout=20, context=CONTEXT, source_address=(f"127.0.10.{number + 1}", 0),
            )
            connection.connect()
            status, seconds, _later = ask("", name, f"wrong{number}", connection)
            connection.close()
            times.setdefault(name, []).append(seconds)
            if status != 401:
                yield f"a wrong password of {name} is answered with {status}"
    known, unknown = (1000 * statistics.median(times[name]) for name in ("alice", "nobody-at-all"))
    if not known / 2 < unknown < known * 2:
        yield f"a known name is refused after {known:.1f} ms, an unknown one after {unknown:.1f} ms"


def limits():
    """Guesses from one address are limited, guesses of a name from many addresses too, and nobody is locked out."""
    answers = [ask("127.0.11.1", f"user{number}", "x") for number in range(40)]
    if answers[0][0] != 401 or answers[-1][0] != 429 or int(answers[-1][2] or 0) not in range(1, 61):
        yield f"the first of 40 guesses is answered with {answers[0]}, the last with {answers[-1]}"
    answers = [ask(f"127.0.12.{number}", "bob", f"{number}-{again}") for number in range(1, 50) for again in range(2)]
    if answers[-1][0] != 429:
        yield f"the last of 98 guesses at bob's password from 49 addresses is answered with {answers[-1]}"
    status, _seconds, _later = ask("127.0.13.1", "bob", "lab")
    if status not in (200, 204):
        yield f"bob himself, from an address of his own, is answered with {status} after that"


def flood():
    """While one address sends as many as it can, others log in as usual."""
    over = threading.Event()
    seen = set()

    def guess(number):
        for count in range(10**6):
            seen.add(ask("127.0.14.1", "alice", f"{number}-{count}")[0])
            if over.is_set():
                return

    guessers = [threading.Thread(target=guess, args=(number,), daemon=True) for number in range(ATTACKERS)]
    for guesser in guessers:
        guesser.start()
    time.sleep(1)
    for source, name in (("127.0.0.1", "alice"), ("127.0.15.1", "alice"), ("127.0.15.2", "bob")):
        for _time in range(3):
            status, seconds, _later = ask(source, name, "lab")
            if status != 200 or seconds > SECONDS:
                yield f"beside {ATTACKERS} that guess, {name} at {source} gets {status} after {seconds:.1f} s"
    over.set()
    for guesser in guessers:
        guesser.join(30)
    if 429 not in seen:
        yield f"those who guess are answered with {seen}, and never with 429"


def main():
    problems = [*refusals(), *limits(), *flood()]
    print("\n".join([*problems, f"{len(problems)} wrong"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
