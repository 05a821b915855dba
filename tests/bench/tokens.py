# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens per second, compared with bare HMACs, and with scontrol token in a loop."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cluster import HERE, KEY, ROOT, USER, log, up
from figures import Cell, IsSelected, Measurement
from modules import HOST, timed

FOLDER = "/usr/local/lib/bench"
CALL = 10_000
FILES = "/var/lib/bench-tokens"

TEXT = f"""\
On a controller, with its own Python. *Signed* is the function that the collection's modules call for each token,
including claims, in one process. *One HMAC each* is only `hmac.new(key, text, sha256).digest()` on as many bytes. *One
call of the module* is a task that makes {CALL:,} tokens and returns them, less one that makes a single token: it
includes the checks of each entry and its transfer. *{CALL:,} files* is such a task that writes each token into a
separate file, and *again* the same once more, when nothing has to be done. *One call each* is a task for each token.
`scontrol token` runs in a loop.
"""


def run(release: str, is_selected: IsSelected) -> Iterator[Cell]:
    with up(f"tokens-{release}", release, "ctl1,dbd1,node1") as cluster:
        cluster.play("rollout")
        cluster.copy(HOST, ROOT / "plugins/module_utils", f"{FOLDER}/ansible_collections/hpc/slurm_jwt/plugins")
        cluster.put(HOST, (HERE / "sign.py").read_text(), f"{FOLDER}/sign.py")
        log(f"{release}: signing")
        rates = json.loads(cluster.on(HOST, f"PYTHONPATH={FOLDER} /usr/bin/python3 {FOLDER}/sign.py {KEY}"))
        many, one = f"{CALL} tokens", "one token"
        seconds = timed(cluster, [task(many, CALL), task(one, 1)] * 3)
        rates["module"] = (CALL - 1) / (min(seconds[many]) - min(seconds[one]))
        log(f"{release}: {CALL:,} files")
        cluster.on(HOST, f"install -d -m 0700 {FILES}")
        seconds |= timed(cluster, [{**files("first", CALL), "changed_when": False}, files("again", CALL)])
        yield Cell((release,), {
            "one HMAC each": per_second(rates["hmac"]),
            "signed": per_second(rates["sign"]),
            "one call of the module": per_second(rates["module"]),
            f"{CALL:,} files": f"{min(seconds['first']):.1f} s",
            "again": f"{min(seconds['again']):.1f} s",
            "one call each": per_second(1 / min(seconds[one])),
            "scontrol token": per_second(rates["scontrol"]),
            "signed, compared with scontrol": f"{rates['sign'] / rates['scontrol']:.0f} ×",
            "module, compared with scontrol": f"{rates['module'] / rates['scontrol']:.0f} ×",
        }, {**rates, "seconds": seconds})


def task(name: str, number: int) -> dict[str, object]:
    tokens = [{"user": USER, "lifespan": "1h"}] * number
    return {
        "name": name, "no_log": True, "changed_when": False,
        "hpc.slurm_jwt.slurm_jwt_token": {"key_path": KEY, "tokens": tokens, "return_token": True},
    }


def files(name: str, number: int) -> dict[str, object]:
    tokens = [{"user": USER, "lifespan": "1h", "dest": f"{FILES}/{each}"} for each in range(number)]
    return {"name": name, "no_log": True, "hpc.slurm_jwt.slurm_jwt_token": {"key_path": KEY, "tokens": tokens}}


def per_second(rate: float) -> str:
    return f"{rate:,.0f}/s"


MEASUREMENT = Measurement("tokens", "Tokens signed", TEXT, ("Slurm",), run)
