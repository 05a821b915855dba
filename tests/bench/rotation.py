# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signing key is rotated while a client sends slurmrestd 20 requests per second for slurmctld and slurmdbd."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import releases
from cluster import HERE, KEY, USER, Cluster, Failed, log, service, up
from figures import Cell, IsSelected, Measurement

#: The client's host, with a token and no key.
CLIENT = "svc1"
HOSTS = f"ctl1,ctl2,dbd1,rest1,{CLIENT},svc2"
TOKEN = "/var/lib/load/token"
#: The first token, which a client keeps.
STOLEN = "/var/lib/load/stolen"
RATE = 20
REQUESTS = 1000

TEXT = f"""\
Two controllers that share StateSaveLocation, slurmdbd, slurmrestd, a compute node and the client, each in a separate
container. The client sends {RATE} requests per second, {REQUESTS} at least. A request is a pair of calls, one for
slurmctld and one for slurmdbd, and fails if either of them does. The client reads its token from its file for every
call, and once more if a call is refused. If the file has another token by then, the call is repeated, which is counted
as *caught by a second read*. A call whose connection is *reset* is repeated, too: slurmrestd of 20.11 and 22.05 resets
one in some ten thousand, 3 of 28,800 in twelve quiet minutes. Nothing else is repeated. *Window* is the time from the
first failed request to the last. The kinds add up to more than *failed* if both calls of a pair failed.

*By hand* is what Slurm's documentation describes, by somebody who makes no mistake and types without a pause: a new key
by rename on each key host, a restart of slurmdbd, of the standby and of the acting slurmctld, `scontrol token` into the
client's file, and on 20.11, as soon as slurmdbd is back, a restart of slurmrestd, which crashes without it. (The `dd`
of the documentation would truncate the live key and kill slurmctld.) The others are `hpc.slurm_jwt.rotate` with that
`slurm_jwt_rotation_method`.
"""


def by_hand(cluster: Cluster) -> None:
    cluster.on("ctl1", f"umask 077; dd if=/dev/urandom of={KEY}.new bs=32 count=1; chown slurm:slurm {KEY}.new")
    key = cluster.on("ctl1", f"base64 {KEY}.new")
    cluster.on("dbd1", f"umask 077; base64 -d > {KEY}.new; chown slurm:slurm {KEY}.new", key)
    for key_host in ("ctl1", "dbd1"):
        cluster.on(key_host, f"mv {KEY}.new {KEY}")
    cluster.on("dbd1", "systemctl restart slurmdbd")
    # Debian's units report a daemon as started before it listens.
    cluster.on("ctl1", "until sacctmgr --noheader list cluster; do sleep 0.1; done > /dev/null 2>&1")
    if not releases.has(cluster.release, "slurmrestd_survives_slurmdbd_restart"):
        cluster.on("rest1", "systemctl restart slurmrestd")
    for controller in ("ctl2", "ctl1"):
        cluster.on(controller, "systemctl restart slurmctld")
    give_token(cluster)


def give_token(cluster: Cluster) -> None:
    # Who asks for a token too early is sent to the standby, and tries again after a minute; a ping does not wait.
    cluster.on("ctl1", "until scontrol ping | grep 'primary.* UP'; do sleep 0.1; done")
    token = cluster.on("ctl1", f"scontrol token username={USER} lifespan=86400")
    cluster.on(CLIENT, f"umask 077; cat > {TOKEN}.new; chown {USER} {TOKEN}.new; mv {TOKEN}.new {TOKEN}",
               token.replace("SLURM_JWT=", ""))


def by_playbook(method: str) -> Callable[[Cluster], None]:
    def rotate(cluster: Cluster) -> None:
        cluster.play("rotate", f"--extra-vars=slurm_jwt_rotation_method={method} slurm_jwt_key_serial={method}")

    return rotate


# By hand comes last: it does not update the collection's record of the key.
PROCEDURES: dict[str, Callable[[Cluster], None]] = {
    "restart": by_playbook("restart"),
    "reload": by_playbook("reload"),
    "auto": by_playbook("auto"),
    "by hand": by_hand,
}


def run(release: str, is_selected: IsSelected) -> Iterator[Cell]:
    chosen = [name for name in PROCEDURES if is_selected(name)]
    if not releases.has(release, "reconfigure_reloads_auth") and "reload" in chosen:
        # Up to 23.02 slurmctld reads its key only when it starts.
        chosen.remove("reload")
    if not chosen:
        return
    with up(f"rotation-{release}", release, HOSTS) as cluster:
        prepare(cluster)
        for name in chosen:
            log(f"{release}: {name}")
            try:
                seconds, refused, report = under_load(cluster, PROCEDURES[name])
            except Failed as failure:
                yield Cell((release, name), {}, problem=str(failure))
            else:
                yield cell(release, name, seconds, refused, report)


def prepare(cluster: Cluster) -> None:
    load = {"name": "load", "user": USER, "dest": TOKEN, "format": "raw", "owner": USER, "hosts": [CLIENT]}
    other = {**load, "name": "other", "dest": "/etc/other.token", "hosts": ["svc2"]}
    variables = {"slurmrestd_listen": ["0.0.0.0:6820"], "slurm_jwt_tokens_services": [load, other]}
    cluster.add_inventory(all={"vars": variables})
    cluster.put(CLIENT, (HERE / "load.py").read_text(), "/usr/local/lib/load.py")
    cluster.on(CLIENT, f"install -d -o {USER} -m 0700 {TOKEN.rpartition('/')[0]}")
    cluster.play("rollout")


def under_load(cluster: Cluster, procedure: Callable[[Cluster], None]) -> tuple[float, float, dict[str, Any]]:
    """Seconds that the procedure took, seconds until the old token was refused, and what the client saw."""
    cluster.on(CLIENT, f"cp --preserve=all {TOKEN} {STOLEN}")
    version = releases.rest_version(cluster.release)
    words = f"/usr/bin/python3 /usr/local/lib/load.py --url=http://rest1:6820 --version={version} --user={USER}"
    load, thief = f"{words} --token-file={TOKEN} --rate={RATE}", f"{words} --token-file={STOLEN} --rate=5"
    with service(cluster, CLIENT, "load", load) as said, service(cluster, CLIENT, "thief", thief) as heard:
        start = time.monotonic()
        time.sleep(5)
        begin, clock = time.monotonic(), time.time()
        procedure(cluster)
        end = time.monotonic()
        # Until everything that is going to fail has failed, and there are enough requests.
        time.sleep(max(10, start + REQUESTS / RATE + 1 - end))
    refused = refused_from(json.loads(cluster.on(CLIENT, f"cat {heard}"))) - clock
    return end - begin, refused, json.loads(cluster.on(CLIENT, f"cat {said}"))


def refused_from(heard: dict[str, Any]) -> float:
    """The moment from which on both daemons refuse a token. A call that failed, and did not later, was no refusal."""
    failed: dict[float, set[str]] = {failure["time"]: set() for failure in heard["failures"]}
    for failure in heard["failures"]:
        failed[failure["time"]].add(failure["call"])
    both = [moment for moment, calls in failed.items() if len(calls) == 2]
    expected = heard["seconds"] * heard["rate"]
    if not both or heard["failures"][-1]["second"] < heard["seconds"] - 1:
        raise Failed(f"The old token was not refused to the end: {len(both)} of {expected:.0f} requests.")
    # Backwards from the end, as long as there is a failed request for every one that was sent.
    first = both[-1]
    for moment in reversed(both):
        if first - moment > 1.5 / heard["rate"]:
            break
        first = moment
    return first


def cell(release: str, procedure: str, seconds: float, refused: float, report: dict[str, Any]) -> Cell:
    if report["latest_ms"] > 1000 or report["requests"] < REQUESTS:
        raise Failed(f"The client was too slow, or sent too few requests: {report}")
    return Cell((release, procedure), {
        "requests": report["requests"],
        "failed": report["failed"],
        "how": ", ".join(f"{count} {kind}" for kind, count in sorted(report["kinds"].items())) or "–",
        "window": f"{report['window_seconds']:.1f} s" if report["failed"] else "–",
        "caught by a second read": report["caught_by_a_second_read"],
        "reset": report["resets"],
        "p50, p99, max": " / ".join(f"{report['latency_ms'][name]:.0f}" for name in ("p50", "p99", "max")) + " ms",
        "old token refused after": f"{refused:.1f} s",
        "rotation took": f"{seconds:.1f} s",
    }, report)


MEASUREMENT = Measurement("rotation", "Rotation of the key under load", TEXT, ("Slurm", "procedure"), run)
