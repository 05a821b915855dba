# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host on which the program of the token timer runs as on real ones, with a script in the place of Slurm's clients.

The script signs with the key in a file as slurmctld does, and logs how it was called.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import program_files, token_program, token_refresh
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens import file_format, issue

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))

SCRIPT = r'''#!%(python)s -IS
import base64, hashlib, hmac, json, os, pathlib, sys, time
name, here = os.path.basename(sys.argv[0]), pathlib.Path(%(here)r)
with open(here / "calls", "a") as log:
    print(json.dumps({"argv": [name, *sys.argv[1:]], "jwt": os.environ.get("SLURM_JWT")}), file=log)
play = json.loads((here / "play").read_text())
if name == "systemctl":
    sys.exit(play["systemctl"])
def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)
if play["down"]:
    fail("scontrol: error: Unable to contact slurm controller (connect failure)")
now = int(time.time()) + play["offset"]
key = (here / "key").read_bytes()
def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
def signature(text):
    return b64(hmac.new(key, text.encode(), hashlib.sha256).digest())
if name == "scontrol":
    if play["scontrol"]:
        fail(play["scontrol"])
    asked = dict(each.split("=") for each in sys.argv[2:])
    claims = {"exp": now + int(asked["lifespan"]), "iat": now, "sun": asked["username"]}
    text = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    print("SLURM_JWT=" + text + "." + signature(text))
    for source, target in play["then"]:
        # Something that happens while the program waits for its answer.
        if source:
            os.replace(source, target)
        else:
            open(target, "w").write("x")
    (here / "play").write_text(json.dumps(dict(play, then=[])))
    sys.exit(0)
if play["sdiag"]:
    fail(play["sdiag"])
text, _, mine = os.environ["SLURM_JWT"].rpartition(".")
claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
if mine != signature(text) or claims["exp"] < now:
    fail(play["refusal"])
print("*******\nsdiag output at Wed Nov 25 02:36:54 2026 (%%d)\n*******" %% now)
'''

PLAY = {
    "down": False,
    "offset": 0,
    "scontrol": "",
    "sdiag": "",
    "systemctl": 0,
    "refusal": "slurm_load_stats error: Protocol authentication error",
    "then": [],
}


class Host:
    """One token, its settings, and a slurmctld."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.dest = folder / "etc" / "token"
        self.record = folder / "lib" / "web.json"
        self.prom = folder / "prom" / "web.prom"
        self.bin = folder / "bin"
        for path in (self.dest.parent, self.record.parent, self.prom.parent, self.bin):
            path.mkdir()
        for name in ("scontrol", "sdiag", "systemctl"):
            script = self.bin / name
            script.write_text(SCRIPT % {"python": sys.executable, "here": str(folder)})
            script.chmod(0o755)
        self.key = folder / "key"
        self.key.write_bytes(KEY)
        self.play()
        self.options = {
            "name": "web",
            "user": "alice",
            "dest": str(self.dest),
            "format": "raw",
            "lifespan": 3600,
            "min_remaining": 1800,
            "interval": 300,
            "owner": None,
            "group": None,
            "mode": "0400",
            "restarts": [],
            "reloads": [],
            "beside": [f"{self.dest}.next", f"{self.dest}.previous"],
            "record": str(self.record),
            "metrics": str(self.prom),
            "bin_dir": str(self.bin),
            "conf_path": None,
            "systemctl": str(self.bin / "systemctl"),
        }
        self.install()

    def install(self) -> None:
        """Install the program as the module slurm_jwt_token_timer does."""
        self.program = self.folder / "program"
        for path, file in program_files.program_files(str(self.program), token_program).items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            pathlib.Path(path).write_text(file.text, encoding="utf-8")

    def play(self, **changes) -> None:
        """Set how slurmctld behaves."""
        (self.folder / "play").write_text(json.dumps({**PLAY, **changes}))

    def put(self, left=3000, key=KEY, user="alice", lifespan=3600, path=None, mode=0o400) -> str:
        """Write a token into the file."""
        claims = issue.claims_for(user, lifespan, time.time() + left - lifespan)
        token = issue.sign(claims, key)
        path = path or self.dest
        path.unlink(missing_ok=True)
        path.write_bytes(file_format.render(self.options["format"], token, user))
        path.chmod(mode)
        return token

    def run(self, environment=None, **options) -> subprocess.CompletedProcess:
        settings = token_refresh.TokenTimerSettings(**{**self.options, **options})
        path = self.folder / "settings.json"
        path.write_text(token_refresh.write_settings(settings))
        (self.folder / "calls").write_text("")
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(self.program), str(path)],
            env={"PATH": os.environ["PATH"], **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        self.refuse_leaks(done)
        return done

    def refuse_leaks(self, done) -> None:
        """No token is in output, record, metrics or a command line, and none reaches scontrol or systemctl."""
        left = [path.read_text() for path in (self.record, self.prom) if path.exists()]
        for text in (done.stdout, done.stderr, *left):
            assert "eyJ" not in text
        for call in self.calls:
            assert "eyJ" not in " ".join(call["argv"])
            assert call["argv"][0] == "sdiag" or call["jwt"] is None
        assert "Traceback" not in done.stderr, done.stderr

    @property
    def calls(self) -> list:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    @property
    def commands(self) -> list:
        """The commands that were run, in order."""
        return [" ".join(call["argv"]) for call in self.calls]

    @property
    def token(self) -> str:
        return file_format.extract(self.options["format"], self.dest.read_bytes())

    @property
    def last_record(self) -> token_refresh.TokenTimerRecord:
        return token_refresh.read_record(self.record.read_text())

    @property
    def metric(self) -> dict:
        """The metrics by the end of their names."""
        lines = [line for line in self.prom.read_text().splitlines() if not line.startswith("#")]
        return {line.split("{")[0].replace("slurm_jwt_token_", ""): int(line.rsplit(" ", 1)[1]) for line in lines}
