# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a container of one Slurm release: starts the real daemon on configuration files and returns its log.

One JSON object a line comes in on standard input, one a line goes out. The files {name: base64} are put into ETC, so
that a podman call is not needed for each of them.

{"daemon", "files"} starts a daemon that is expected to exit: {"code", "log", "seconds"}.
{"tokens", "files"} starts slurmctld and sends it a request with each token: {"up": whether it started, "errors": the
error of the client for each token, "" if there was none, "alive": whether it still answers after the last, "log",
"seconds"}.
"""

from __future__ import annotations

import base64
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import time

ETC = "/oracle/etc"
STATE = "/oracle/state"
JWKS = "/oracle/jwks.json"
LIMIT = 10  # seconds; an Include of a missing file would take a minute
START = 20  # seconds in which slurmctld has to be up

# A key set that every release accepts, so that a jwks= of it leads on to the key file.
SOUND_JWKS = {
    "keys": [
        {
            "kid": "check",
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "e": "AQAB",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJE"
            "CPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q"
            "vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6"
            "WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        }
    ]
}


def prepare() -> None:
    """What the daemons need before they load the key: a host name, munge, the plugin."""
    socket.sethostname("ctl1")
    if shutil.which("ip"):
        # From 24.11 on slurmctld opens its port early, and where no interface but the loopback one has an address,
        # getaddrinfo() finds it none.
        subprocess.run(["ip", "address", "add", "10.255.255.1/32", "dev", "lo"], stderr=subprocess.DEVNULL, check=False)
    for pattern in ("lib*", "slurm-wlm-jwt-plugin_*"):
        for package in glob.glob(f"/var/cache/apt/archives/{pattern}.deb"):
            subprocess.run(["dpkg-deb", "-x", package, "/"], check=True)
    for folder in (ETC, STATE):
        os.makedirs(folder, exist_ok=True)
    shutil.chown("/oracle", "slurm")
    shutil.chown(STATE, "slurm")
    with open(JWKS, "w", encoding="ascii") as file:
        json.dump(SOUND_JWKS, file)
    if shutil.which("munged"):
        os.makedirs("/run/munge", exist_ok=True)
        with open("/run/check-munge.key", "wb") as file:
            os.fchmod(file.fileno(), 0o400)
            file.write(os.urandom(128))
        subprocess.run(
            ["munged", "--force", "--key-file=/run/check-munge.key", "--num-threads=4"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, check=False,
        )


def write_files(files: dict[str, str], owner: str | None) -> None:
    for folder in (ETC, STATE):
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
    for name, content in files.items():
        path = os.path.join(ETC, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(content))
            if owner:
                os.fchmod(file.fileno(), 0o600)
        if owner:
            shutil.chown(path, owner)


def ask(daemon: str, files: dict[str, str]) -> tuple[int | None, str, float]:
    write_files(files, "slurm" if daemon == "slurmdbd" else None)
    conf = f"{ETC}/slurm.conf"
    command = ["slurmctld", "-D", "-f", conf] if daemon == "slurmctld" else ["slurmdbd", "-D"]
    begin = time.monotonic()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SLURM_CONF": conf},
        start_new_session=True,
    ) as process:
        try:
            log, _none = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            log, _none = process.communicate()
            return None, log.decode("latin-1"), time.monotonic() - begin
    return process.returncode, log.decode("latin-1"), time.monotonic() - begin


def admit(files: dict[str, str], tokens: list[str]) -> dict[str, object]:
    write_files(files, None)
    conf = f"{ETC}/slurm.conf"
    begin = time.monotonic()
    with open(f"{STATE}/check.log", "w+b") as log:
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SLURM_CONF": conf}
        with subprocess.Popen(
            ["slurmctld", "-D", "-f", conf],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        ) as process:
            up = starts(process, conf)
            errors = [client_error(conf, token) for token in tokens] if up else []
            alive = up and process.poll() is None and client_error(conf) == ""
            if process.poll() is None:
                os.killpg(process.pid, 9)
        log.seek(0)
        text = log.read().decode("latin-1")
    return {"up": up, "errors": errors, "alive": alive, "log": text[-8000:], "seconds": time.monotonic() - begin}


def starts(process: subprocess.Popen[bytes], conf: str) -> bool:
    """Whether slurmctld answers a client with munge, before it exits or the time is over."""
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        if client_error(conf) == "":
            return True
        time.sleep(0.02)
    return False


def client_error(conf: str, token: str | None = None) -> str:
    """The error of a client that uses a token, or munge without one; empty if there was none."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SLURM_CONF": conf}
    if token is not None:
        environment["SLURM_JWT"] = token
    try:
        ran = subprocess.run(
            ["squeue", "--noheader"], capture_output=True, env=environment, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {LIMIT} s"
    return "" if ran.returncode == 0 else ran.stderr.decode("latin-1").strip() or f"exit {ran.returncode}"


def main() -> None:
    prepare()
    version = subprocess.run(["slurmctld", "-V"], capture_output=True, text=True, check=False)
    print(json.dumps({"ready": version.stdout.strip()}))
    sys.stdout.flush()
    for line in sys.stdin:
        case = json.loads(line)
        if "tokens" in case:
            answer = admit(case["files"], case["tokens"])
        else:
            code, log, seconds = ask(case["daemon"], case["files"])
            answer = {"code": code, "log": log[-8000:], "seconds": seconds}
        print(json.dumps(answer))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
