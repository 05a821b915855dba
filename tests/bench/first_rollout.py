# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JWT is rolled out while a user runs sinfo, sbatch and sacct under munge, one after the other, all the time."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator

from cluster import KEY, ROOT, Cluster, Failed, log, service, up
from figures import Cell, IsSelected, Measurement

CLIENT = "node1"
HOSTS = f"ctl1,dbd1,rest1,{CLIENT}"
#: The loop of the scenarios for the rollout.
BUSY = ROOT / "extensions/molecule/shared/busy.sh"

TEXT = """\
A user on a compute node runs `sinfo` and `sacct` in turn, and `sbatch` every fifth time, with 100 ms between rounds,
under munge. *Failed* counts commands that ended with an error. A command's own retry is no failure, but shows in
*slowest*. *By hand* is what Slurm's documentation describes, by somebody who makes no mistake and types without a
pause: the key on both key hosts, the same lines in both files on every host, nodes first, then a restart of slurmdbd
and of slurmctld. It starts with all packages installed, while `hpc.slurm_jwt.rollout` installs them itself.
"""


def by_hand(cluster: Cluster) -> None:
    cluster.on("ctl1", f"umask 077; dd if=/dev/urandom of={KEY} bs=32 count=1; chown slurm:slurm {KEY}")
    key = cluster.on("ctl1", f"base64 {KEY}")
    cluster.on("dbd1", f"umask 077; mkdir -p {KEY.rpartition('/')[0]}; base64 -d > {KEY}; chown slurm:slurm {KEY}", key)
    lines = f"AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key={KEY}\n"
    for host in (CLIENT, "rest1", "ctl1"):
        cluster.on(host, "cat >> /etc/slurm/slurm.conf", lines)
    cluster.on("dbd1", "cat >> /etc/slurm/slurmdbd.conf", lines)
    cluster.on("dbd1", "systemctl restart slurmdbd")
    cluster.on("ctl1", "systemctl restart slurmctld")
    cluster.on("ctl1", "until scontrol token; do sleep 0.1; done > /dev/null 2>&1")


# By hand comes last: remove leaves only the packages that the rollout has installed.
PROCEDURES: dict[str, Callable[[Cluster], object]] = {
    "rollout": lambda cluster: cluster.play("rollout"),
    "by hand": by_hand,
}


def run(release: str, is_selected: IsSelected) -> Iterator[Cell]:
    with up(f"first-{release}", release, HOSTS) as cluster:
        cluster.put(CLIENT, BUSY.read_text(), "/usr/local/bin/busy", "0755")
        for name, procedure in PROCEDURES.items():
            if name == "by hand" and is_selected("rollout"):
                cluster.play("remove")
            if is_selected(name):
                log(f"{release}: {name}")
                yield cell(release, name, *with_a_user(cluster, procedure))


def with_a_user(cluster: Cluster, procedure: Callable[[Cluster], object]) -> tuple[float, str]:
    """The seconds of the procedure, and the output of the user's commands."""
    with service(cluster, CLIENT, "busy", "/usr/local/bin/busy") as output:
        time.sleep(5)
        begin = time.monotonic()
        procedure(cluster)
        took = time.monotonic() - begin
        # Until the last command has ended.
        time.sleep(15)
    return took, cluster.on(CLIENT, f"cat {output}")


def cell(release: str, procedure: str, seconds: float, output: str) -> Cell:
    *failures, last = output.splitlines() or [""]
    sums = re.fullmatch(r"runs=(\d+) failed=(\d+) slowest_ms=(\d+)", last)
    if not sums:
        raise Failed(f"The user's loop ended without its sums: {output}")
    which = Counter(match[1] for line in failures if (match := re.match(r"[\d:.]+ (sinfo|sbatch|sacct)\b", line)))
    return Cell((release, procedure), {
        "commands": int(sums[1]),
        "failed": int(sums[2]),
        "which": ", ".join(f"{count} {name}" for name, count in sorted(which.items())) or "–",
        "slowest": f"{int(sums[3]) / 1000:.1f} s",
        "procedure took": f"{seconds:.1f} s",
    }, output.splitlines())


MEASUREMENT = Measurement("first", "First rollout on a busy cluster", TEXT, ("Slurm", "procedure"), run)
