# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the authenticating proxy adds to a request, by server and method of authentication."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shlex
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jwt
import releases
from cluster import ROOT, USER, Cluster, Failed, log, up
from cryptography.hazmat.primitives.asymmetric import rsa
from figures import Cell, IsSelected, Measurement
from load import quantile

SERVERS = {"nginx": ("rest1", "nginx", "nginx"), "apache": ("rest2", "apache2", "apache")}
TOKEN = "/etc/slurm_jwt_proxy/token.conf"
FOLDER = "/root/bench-clients"
REQUESTS = 1000
ROUNDS = 4
CONNECTIONS = 8
COSTS = (8, 10, 12)
ISSUER = "https://idp.example.org"
ALONE = "127.0.0.1:6820"
#: The last of the machine's processors.
LAST = str((os.cpu_count() or 1) - 1)
PINNED = f"taskset --cpu-list {LAST} "

TEXT = f"""\
slurmrestd, the proxy and the client share one host, and the controller has another; all of them share the machine. The
client is `curl` with persistent connections: {REQUESTS} times `GET /slurm/VERSION/ping` one after the other for the
latency, and {ROUNDS} times as many over {CONNECTIONS} connections for the throughput. *Alone* is slurmrestd itself, by
HTTP on 127.0.0.1 with a user's token. Each proxy and slurmrestd alone are asked in turn, in {ROUNDS} rounds, because
the speed of a machine varies. *Added* is the median less that of slurmrestd alone with persistent connections. For the
throughput Slurm's daemons and the journals have one processor, and the proxy and the client another, as if they were on
separate hosts. *Requests/s, alone* is slurmrestd in the same rounds, with a connection for each request, as the proxy
asks it. *basic 10* is bcrypt with a cost of 10, as `htpasswd -B -C 10` makes it. The verifier remembers a correct
password for ten seconds, so only the first request pays for the cost.
"""


class Method(NamedTuple):
    """A method of authentication: the role's variable, and curl's options."""

    auth: str
    words: tuple[str, ...]
    requests: int = REQUESTS


class Target(NamedTuple):
    """An address, and how to authenticate there."""

    url: str
    method: Method


def methods(token: str) -> dict[str, Method]:
    passwords = {
        f"basic {cost}": Method("basic", ("--user", f"cost{cost}:lab")) for cost in COSTS
    }
    return {
        "certificate": Method("certificate", ("--cert", f"{FOLDER}/{USER}.pem")),
        "openid": Method("openid", ("--header", f"Authorization: Bearer {token}")),
        **passwords,
    }


def run(release: str, is_selected: IsSelected) -> Iterator[Cell]:
    key = rsa.generate_private_key(65537, 2048)
    claims = {"iss": ISSUER, "aud": "slurm", "exp": int(time.time()) + 86400, "preferred_username": USER}
    chosen = methods(jwt.encode(claims, key, algorithm="RS256", headers={"kid": "bench"}))
    with up(f"proxy-{release}", release, "ctl1,dbd1,rest1,rest2,node1") as cluster:
        prepare(cluster, key)
        path = f"/slurm/{releases.rest_version(release)}/ping"
        token = cluster.on("ctl1", f"scontrol token username={USER} lifespan=86400").partition("=")[2]
        words = ("--header", f"X-SLURM-USER-NAME: {USER}", "--header", f"X-SLURM-USER-TOKEN: {token}")
        alone = Target(f"http://{ALONE}{path}", Method("", words))
        reconnecting = Target(alone.url, Method("", (*words, "--header", "Connection: close")))
        for name, target in (("persistent connections", alone), ("a connection for each request", reconnecting)):
            yield cell(release, f"slurmrestd alone, {name}", measure(cluster, "rest1", target, alone, target))
        for server, (host, _unit, _form) in SERVERS.items():
            installed = ""
            for name, method in chosen.items():
                if not is_selected(f"{server} {name}"):
                    continue
                if method.auth != installed:
                    log(f"{release}: {server} with {method.auth}")
                    cluster.play("proxy", f"--limit={host},ctl1", f"--extra-vars=slurm_jwt_proxy_auth={method.auth}")
                    installed = method.auth
                figures = measure(cluster, host, Target(f"https://{host}{path}", method), alone, reconnecting)
                yield cell(release, f"{server}, {name}", figures)


def prepare(cluster: Cluster, key: rsa.RSAPrivateKey) -> None:
    services: list[dict[str, Any]] = [
        {
            "name": f"proxy-{form}", "user": "slurm", "allow_privileged": True, "dest": TOKEN, "format": form,
            "lifespan": "1d", "reloads": [f"{unit}.service"], "reads_next": True, "hosts": [host],
        }
        for host, unit, form in SERVERS.values()
    ]
    hashes = {f"cost{cost}": hashed(cluster, cost) for cost in COSTS}
    variables = {
        "slurm_jwt_tokens_services": services,
        "slurmrestd_listen": ["unix:/run/slurmrestd/slurmrestd.socket", ALONE],
        "slurm_jwt_proxy_lab_certificate": True,
        "slurm_jwt_proxy_auth": "basic",
        "slurm_jwt_proxy_rate": 100000,
        "slurm_jwt_proxy_basic_users": hashes,
        "slurm_jwt_proxy_user_names": dict.fromkeys(hashes, USER),
        "slurm_jwt_proxy_client_ca": f"{FOLDER}/ca.pem",
        "slurm_jwt_proxy_client_subject": "UID",
        "slurm_jwt_proxy_openid_issuer": ISSUER,
        "slurm_jwt_proxy_openid_audiences": ["slurm"],
        "slurm_jwt_proxy_openid_keys_file": "/etc/ssl/bench-jwks.json",
    }
    hosts = {host: {"slurm_jwt_proxy_server": server} for server, (host, _unit, _form) in SERVERS.items()}
    cluster.add_inventory(all={"vars": variables, "children": {"slurm_proxy": {"hosts": hosts}}})
    certificates = (ROOT / "extensions/molecule/proxy/certificates.sh").read_text()
    for host in hosts:
        cluster.on(host, f"sh -s {FOLDER}", certificates)
        cluster.put(host, json.dumps({"keys": [public_jwk(key)]}), "/etc/ssl/bench-jwks.json")
    cluster.play("rollout")


def hashed(cluster: Cluster, cost: int) -> str:
    """bcrypt's hash of the password "lab"."""
    install = "apt-get update -qq && apt-get install -qq --no-install-recommends apache2-utils > /dev/null"
    cluster.on("rest1", f"command -v htpasswd > /dev/null || (export DEBIAN_FRONTEND=noninteractive; {install})")
    return cluster.on("rest1", f"htpasswd -n -i -B -C {cost} x", "lab").partition(":")[2].strip()


def public_jwk(key: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()

    def encode(value: int) -> str:
        return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()

    return {"kty": "RSA", "kid": "bench", "alg": "RS256", "n": encode(numbers.n), "e": encode(numbers.e)}


def measure(cluster: Cluster, host: str, target: Target, alone: Target, reconnecting: Target) -> dict[str, float]:
    """Milliseconds and requests per second of a target, and of slurmrestd alone in turn."""
    for one in (target, alone):
        ask(cluster, host, one, 20, 2)
    times: dict[Target, list[float]] = {target: [], alone: []}
    for one in ROUNDS * list(times):
        times[one] += ask(cluster, host, one, one.method.requests // ROUNDS, 1)[1]
    seconds: dict[Target, float] = {target: 0.0, reconnecting: 0.0}
    with separate_processors(cluster, host):
        for one in ROUNDS * list(seconds):
            seconds[one] += ask(cluster, host, one, one.method.requests, CONNECTIONS, PINNED)[0]
    return {
        "p50": 1000 * quantile(sorted(times[target]), 0.5),
        "p99": 1000 * quantile(sorted(times[target]), 0.99),
        "alone": 1000 * quantile(sorted(times[alone]), 0.5),
        "rate": ROUNDS * target.method.requests / seconds[target],
        "rate_alone": ROUNDS * reconnecting.method.requests / seconds[reconnecting],
    }


@contextlib.contextmanager
def separate_processors(cluster: Cluster, host: str) -> Iterator[None]:
    """Slurm's daemons and their journals have one processor, the proxy and the client another."""
    hosts = ("ctl1", host)
    behind = "slurmctld slurmrestd systemd-journald"
    before = "nginx apache2 slurm-jwt-proxy-verifier"
    try:
        for one in hosts:
            pin(cluster, one, "0", behind)
            pin(cluster, one, LAST, before)
        yield
    finally:
        for one in hosts:
            pin(cluster, one, f"0-{LAST}", f"{behind} {before}")


def pin(cluster: Cluster, host: str, processors: str, units: str) -> None:
    """Sets the processors of units until they are restarted. Missing units are ignored."""
    cluster.on(host, f"""
        for unit in {units}; do
            processes=/sys/fs/cgroup/system.slice/$unit.service/cgroup.procs
            [ -e $processes ] || continue
            for process in $(cat $processes); do
                taskset --all-tasks --cpu-list --pid {processors} $process > /dev/null
            done
        done
    """)


def ask(
    cluster: Cluster, host: str, target: Target, requests: int, connections: int, run_by: str = ""
) -> tuple[float, list[float]]:
    """The seconds of all requests, and of each. All of them have to be answered."""
    parallel = ["--parallel", "--parallel-max", str(connections)] if connections > 1 else []
    curl = shlex.join([
        "curl", "--silent", "--show-error", "--insecure", "--output", "/dev/null", "--write-out",
        "%{http_code} %{time_total}\n", *target.method.words, *parallel,
        f"{target.url}?[1-{requests}]",
    ])
    *answers, nanoseconds = cluster.on(
        host, f"begin=$(date +%s%N); {run_by}{curl}; echo $(($(date +%s%N) - begin))"
    ).splitlines()
    answered = [float(words[1]) for words in map(str.split, answers) if words[0] == "200"]
    if len(answered) != requests:
        raise Failed(f"{target.url} on {host} answered {len(answered)} of {requests} requests.")
    return int(nanoseconds) / 1e9, answered


def cell(release: str, name: str, figures: dict[str, float]) -> Cell:
    return Cell((release, name), {
        "p50": f"{figures['p50']:.1f} ms",
        "p99": f"{figures['p99']:.1f} ms",
        "added": f"{figures['p50'] - figures['alone']:.1f} ms",
        "requests/s": f"{figures['rate']:.0f}",
        "requests/s, alone": f"{figures['rate_alone']:.0f}",
    }, figures)


MEASUREMENT = Measurement(
    "proxy", "The authenticating proxy", TEXT, ("Slurm", "what"), run, releases=("24.11",),
)
