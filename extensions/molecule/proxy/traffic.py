# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of two users at once: python3 traffic.py KIND VERSION FOLDER REQUESTS [RATE]

Eight connections that live on, half of them alice's and half bob's; without certificates each serves both in turn.
KIND is basic, hook, certificate or openid. Every answer has to show the asker's jobs and no others. RATE is how many
are asked in a second, as many as go if it is not given. A connection that was closed while it was idle is opened once
more and counted, as clients of HTTP do it.

Prints "REQUESTS asked, N failed, N mixed, N reconnected, slowest N ms", and the first failures before it.
"""

import base64
import http.client
import json
import pathlib
import re
import socket
import ssl
import sys
import threading
import time

KIND, VERSION, FOLDER = sys.argv[1:4]
REQUESTS = int(sys.argv[4])
RATE = float(sys.argv[5]) if len(sys.argv) > 5 else 0
USERS = ("alice", "bob")
TOKENS = json.loads(pathlib.Path(FOLDER, "tokens.json").read_text(encoding="utf-8"))["good"] if KIND == "openid" else {}
lock = threading.Lock()
counts = {"asked": 0, "failed": 0, "mixed": 0, "reconnected": 0, "slowest": 0.0}
failures = []
begin = time.monotonic()


def connection(user):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if KIND == "certificate":
        context.load_cert_chain(f"{FOLDER}/{user}.pem")
    return http.client.HTTPSConnection(socket.gethostname(), 443, timeout=20, context=context)


def ask(channel, user):
    headers = {}
    if KIND == "openid":
        headers["Authorization"] = f"Bearer {TOKENS[user]}"
    elif KIND != "certificate":
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:lab".encode()).decode()
    try:
        channel.request("GET", f"/slurm/{VERSION}/jobs", headers=headers)
        answer = channel.getresponse()
    except (http.client.RemoteDisconnected, ConnectionError):
        channel.close()
        with lock:
            counts["reconnected"] += 1
        channel.request("GET", f"/slurm/{VERSION}/jobs", headers=headers)
        answer = channel.getresponse()
    body = answer.read()
    return answer.status, set(re.findall(rb'"name": *"(alice|bob)"', body)), body


def work(number):
    channel = connection(USERS[number % 2])
    turn = number
    while True:
        with lock:
            if counts["asked"] >= REQUESTS:
                return
            counts["asked"] += 1
            mine = counts["asked"]
        if RATE:
            time.sleep(max(0, begin + mine / RATE - time.monotonic()))
        user = USERS[turn % 2]
        turn += KIND != "certificate"
        started = time.monotonic()
        try:
            status, owners, body = ask(channel, user)
            bad = status != 200 or not owners
        except Exception as error:
            channel.close()
            status, owners, body, bad = repr(error), set(), b"", True
        with lock:
            counts["slowest"] = max(counts["slowest"], time.monotonic() - started)
            counts["failed"] += bad
            counts["mixed"] += bool(owners - {user.encode()})
            if bad and len(failures) < 5:
                failures.append(f"{time.strftime('%T')} {user}: {status} {body[:300]!r}")


threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*failures, sep="\n")
print("{asked} asked, {failed} failed, {mixed} mixed, {reconnected} reconnected".format(**counts))
print(f"slowest {counts['slowest'] * 1000:.0f} ms, {counts['asked'] / (time.monotonic() - begin):.0f} a second")
