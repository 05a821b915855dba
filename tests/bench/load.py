# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends slurmrestd a number of requests per second, and reports which failed.

A request is a pair of calls: /slurm/VERSION/diag, which slurmctld answers, and /slurmdb/VERSION/clusters, which
slurmdbd answers. It is good if both return 200 without errors. The token is read from its file for every call, as a
well-made client does. slurmrestd has no separate status for a refused token, so after any refusal the file is read once
more, and if it has another token, the call is repeated. Such a request is counted as caught by a second read.

slurmrestd of 20.11 and 22.05 resets one connection in some ten thousand without a cause: 3 of 28,800 in twelve quiet
minutes. So a call whose connection is reset is repeated, as RFC 9110 allows for GET, and counted. A connection that is
refused, or takes too long, is never repeated.

Stops after --seconds, or on SIGTERM, and then prints one JSON document. Needs only the Python of any host.
"""

from __future__ import annotations

import argparse
import collections
import http.client
import json
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator, NamedTuple
from urllib.parse import urlsplit

#: The statuses of the releases for a refused token; some also if the daemon is down.
NO = (401, 403, 500, 502, 511)


class Failure(NamedTuple):
    call: str
    kind: str
    said: str


class Answer(NamedTuple):
    """Why a call failed, if it did, and how a failure was prevented."""

    failure: Failure | None
    caught: bool = False
    reset: bool = False


class Request(NamedTuple):
    """One pair of calls."""

    due: float
    late: float
    took: float
    caught: bool
    resets: int
    failures: list[Failure]


class Client:
    def __init__(self, url: str, version: str, user: str, token_file: str, timeout: float) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "localhost", parts.port or 80)
        self.paths = (f"/slurm/{version}/diag", f"/slurmdb/{version}/clusters")
        self.user, self.token_file, self.timeout = user, token_file, timeout

    def request(self, due: float) -> Request:
        begin = time.monotonic()
        answers = [self.call(path) for path in self.paths]
        failures = [answer.failure for answer in answers if answer.failure]
        caught = not failures and any(answer.caught for answer in answers)
        end = time.monotonic()
        # From when it was due: a late start counts as well.
        return Request(due, begin - due, end - due, caught, sum(answer.reset for answer in answers), failures)

    def call(self, path: str) -> Answer:
        """One call, and once more if its connection was reset."""
        try:
            try:
                return self.ask(path)
            except ConnectionResetError:
                return self.ask(path)._replace(reset=True)
        except TokenFileError as error:
            return Answer(Failure(path, "token file", str(error)))
        except socket.timeout:
            return Answer(Failure(path, "timeout", f"no answer within {self.timeout:g} s"))
        except (OSError, http.client.HTTPException) as error:
            return Answer(Failure(path, "connection", f"{type(error).__name__}: {error}"))

    def ask(self, path: str) -> Answer:
        """One call, and once more if it was refused and the file has another token by then."""
        token = self.token()
        status, body = self.get(path, token)
        newer = self.token() if status in NO else token
        if newer == token:
            return Answer(failure_of(path, status, body))
        failure = failure_of(path, *self.get(path, newer))
        return Answer(failure, caught=failure is None)

    def token(self) -> str:
        try:
            with open(self.token_file, encoding="ascii") as file:
                return file.read().strip()
        except (OSError, ValueError) as error:
            raise TokenFileError(str(error)) from error

    def get(self, path: str, token: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(*self.address, timeout=self.timeout)
        try:
            # Up to 22.05 slurmrestd requires both headers.
            connection.request("GET", path, headers={"X-SLURM-USER-NAME": self.user, "X-SLURM-USER-TOKEN": token})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


class TokenFileError(Exception):
    pass


def failure_of(path: str, status: int, body: bytes) -> Failure | None:
    try:
        errors = json.loads(body)["errors"]
    except (ValueError, KeyError, TypeError):
        errors = [body[:200].decode("utf-8", "replace")]
    if status == 200 and errors == []:
        return None
    return Failure(path, f"status {status}" if status != 200 else "errors in a 200", json.dumps(errors)[:500])


class Load:
    """Keeps the rate even if answers are slow: requests do not wait for each other."""

    def __init__(self, client: Client, rate: float) -> None:
        self.client, self.rate = client, rate
        self.stopped = False

    def stop(self, *_signal: Any) -> None:
        self.stopped = True

    def run(self, seconds: float) -> list[Request]:
        # Each request may wait for two calls, and each of them for a second attempt.
        threads = int(self.rate * self.client.timeout * 4) + 1
        with ThreadPoolExecutor(max_workers=threads) as pool:
            sent = [pool.submit(self.client.request, due) for due in self.instants(seconds)]
        return [request.result() for request in sent]

    def instants(self, seconds: float) -> Iterator[float]:
        begin, number = time.monotonic(), 0
        while not self.stopped and number / self.rate < seconds:
            due = begin + number / self.rate
            rest = due - time.monotonic()
            if rest > 0:
                # In short pieces, because a signal does not end a sleep.
                time.sleep(min(rest, 0.1))
            else:
                yield due
                number += 1


def report(requests: list[Request], rate: float) -> dict[str, Any]:
    begin = requests[0].due if requests else 0.0
    wall = time.time() - time.monotonic()
    failed = [request for request in requests if request.failures]
    took = sorted(request.took for request in requests)
    return {
        "rate": rate,
        "requests": len(requests),
        "seconds": round(requests[-1].due - begin, 1) if requests else 0,
        "failed": len(failed),
        # By pairs: both calls of a pair may fail, in different ways.
        "kinds": collections.Counter(kind for request in failed for kind in {one.kind for one in request.failures}),
        "window_seconds": round(failed[-1].due - failed[0].due, 2) if failed else 0,
        "caught_by_a_second_read": sum(request.caught for request in requests),
        "resets": sum(request.resets for request in requests),
        "latency_ms": {name: round(1000 * quantile(took, part), 1) for name, part in
                       (("p50", 0.5), ("p99", 0.99), ("max", 1))},
        # Shows that the rate was kept.
        "latest_ms": round(1000 * max((request.late for request in requests), default=0), 1),
        "failures": [
            {"time": round(wall + request.due, 3), "second": round(request.due - begin, 2), **failure._asdict()}
            for request in failed for failure in request.failures
        ],
        "caught": [round(request.due - begin, 2) for request in requests if request.caught],
    }


def quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="of slurmrestd, such as http://rest1:6820")
    parser.add_argument("--version", required=True, help="of the API, such as v0.0.42")
    parser.add_argument("--user", required=True, help="the user of the token")
    parser.add_argument("--token-file", required=True, help="the file with only the token")
    parser.add_argument("--rate", type=float, default=20, help="requests a second; default: 20")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="default: until SIGTERM")
    parser.add_argument("--timeout", type=float, default=10, help="seconds that each call may take; default: 10")
    options = parser.parse_args()
    load = Load(Client(options.url, options.version, options.user, options.token_file, options.timeout), options.rate)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, load.stop)
    json.dump(report(load.run(options.seconds), options.rate), sys.stdout)
    print()


if __name__ == "__main__":
    main()
