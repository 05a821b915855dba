# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the JWKS timer as it runs on hosts, with an issuer that answers over TLS.

A script is in the place of systemctl and scontrol, and a process that sleeps in the place of the daemon. The script
restarts that process.
"""

from __future__ import annotations

import getpass
import grp
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.fetch import DISCOVERY
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import jwks_program, jwks_refresh, program_files
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.jwks_refresh import (
    JwksTimerSettings,
    ReloadedDaemon,
)
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils.issuers import Issuer, authority, make_authority

SCRIPT = r"""#!%(python)s -IS
import json, os, pathlib, subprocess, sys
here = pathlib.Path(%(here)r)
name = os.path.basename(sys.argv[0])
pid = int((here / "pid").read_text() or 0)
if name == "systemctl" and sys.argv[1] == "show":
    ended = (here / "signal").read_text()
    state = "active" if pid else "failed" if ended else "inactive"
    # The sandbox hides the processes of others: there is none of that number to be seen.
    shown = pid and pid + 2**22
    print(f"LoadState=loaded\nActiveState={state}\nSubState=running\nResult=success\nMainPID={shown}")
    print("ExecMainCode=" + ("2" if ended and not pid else "0"), "ExecMainStatus=" + (ended or "0"), sep="\n")
    if pid:
        ticks = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[19])
        print(f"ExecMainStartTimestampMonotonic={ticks * 1000000 // os.sysconf('SC_CLK_TCK')}")
    sys.exit(0)
with open(here / "calls", "a") as log:
    print(json.dumps([name, *sys.argv[1:]]), file=log)
refusal = (here / "refusal").read_text()
if refusal:
    print(refusal, file=sys.stderr)
    sys.exit(1)
if (here / "deaf").exists():
    sys.exit(0)
if pid:
    os.kill(pid, 9)
new = subprocess.Popen(["sleep", "100"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
(here / "pid").write_text(str(new.pid))
"""

KEYS = [rs256.public_jwk(rs256.generate(2048)) for _number in range(3)]
A, B, C = (dict(key, kid=kid) for kid, key in zip("abc", KEYS))
HOUR = 3600


class Site:
    """A host with one daemon, and an issuer."""

    def __init__(self, folder, issuer, ca_path) -> None:
        self.folder, self.issuer = folder, issuer
        self.path = folder / "jwks.json"
        self.record = folder / "record.json"
        for name, text in (("calls", ""), ("refusal", ""), ("signal", "")):
            (folder / name).write_text(text)
        for name in ("bin/systemctl", "bin/scontrol"):
            script = folder / name
            script.parent.mkdir(exist_ok=True)
            script.write_text(SCRIPT % {"python": sys.executable, "here": str(folder)})
            script.chmod(0o755)
        # What was started by nobody's hand has nobody to wait for it.
        self.process = subprocess.Popen(["sleep", "100"])
        (folder / "pid").write_text(str(self.process.pid))
        for path, file in program_files.program_files(str(folder / "program"), jwks_program).items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            pathlib.Path(path).write_text(file.text, encoding="utf-8")
        self.settings = JwksTimerSettings(
            path=str(self.path),
            sources=[dict.fromkeys(("url", "path", "data", "kid")) | {
                "issuer": issuer.url, "ca_path": ca_path, "allow_http": False, "allow_shared": False,
            }],
            retain=HOUR,
            remove=[],
            owner=getpass.getuser(),
            group=grp.getgrgid(os.getegid()).gr_name,
            daemons=[ReloadedDaemon("slurmctld", "slurmctld", "reconfigure", None)],
            min_reload_interval=0,
            max_outage=HOUR,
            interval=1125,
            record=str(self.record),
            metrics=str(folder / "slurm_jwks.prom"),
            conf_path="/nonexistent",
            bin_dir=str(folder / "bin"),
            systemctl=str(folder / "bin/systemctl"),
            timeout=5,
            grace_period=0,
        )  # fmt: skip

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        pid = int((self.folder / "pid").read_text())
        if pid not in (0, self.process.pid):
            os.kill(pid, signal.SIGKILL)

    def publish(self, *keys) -> None:
        about = {"issuer": self.issuer.url, "jwks_uri": self.issuer.url + "/keys"}
        self.issuer.pages[DISCOVERY] = json.dumps(about).encode()
        self.issuer.pages["/keys"] = json.dumps({"keys": list(keys)}).encode()

    def run(self, **changes):
        """Exit code and output."""
        settings = self.folder / "settings.json"
        settings.write_text(jwks_refresh.write_settings(self.settings._replace(**changes)))
        settings.chmod(0o600)
        argv = [sys.executable, "-I", str(self.folder / "program"), str(settings)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def change_record(self, **changes) -> None:
        self.record.write_text(json.dumps({**json.loads(self.record.read_text()), **changes}))

    @property
    def calls(self):
        found = [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
        (self.folder / "calls").write_text("")
        return found

    @property
    def kids(self):
        return [key["kid"] for key in json.loads(self.path.read_text())["keys"]]

    @property
    def result(self):
        return json.loads(self.record.read_text())["result"]


@pytest.fixture
def site(tmp_path):
    make_authority(tmp_path)
    with Issuer({}, tls=authority(tmp_path)) as issuer:
        found = Site(tmp_path, issuer, str(tmp_path / "ca.pem"))
        found.publish(A)
        yield found
        found.end()


RECONFIGURED = [["scontrol", "reconfigure"]]


class TestRefresh:
    def test_new_keys_are_written_and_loaded_once(self, site):
        code, output = site.run()
        assert (code, site.kids, site.calls, site.result) == (0, ["a"], RECONFIGURED, "changed"), output
        for _again in range(3):
            code, output = site.run()
            assert (code, site.calls, site.result) == (0, [], "current"), output
        site.publish(B, A)
        code, output = site.run()
        assert (code, site.kids, site.calls) == (0, ["a", "b"], RECONFIGURED), output
        assert "New keys: b." in output

    def test_a_daemon_that_only_restarts(self, site):
        daemons = [ReloadedDaemon("slurmdbd", "slurmdbd", "restart", None)]
        code, output = site.run(daemons=daemons)
        assert (code, site.calls) == (0, [["systemctl", "restart", "--", "slurmdbd"]]), output

    def test_a_withdrawn_key_stays_until_its_tokens_have_expired(self, site):
        site.publish(A, B)
        site.run()
        site.publish(B)
        code, output = site.run()
        assert (code, site.kids) == (0, ["a", "b"]), output
        assert "stay until their tokens have expired: a." in output
        assert site.calls == RECONFIGURED  # of the first run alone: the keys are the same
        code, output = site.run(retain=0)
        assert (code, site.kids, site.calls) == (0, ["b"], RECONFIGURED), output

    def test_a_daemon_that_is_down_is_left_alone(self, site):
        (site.folder / "pid").write_text("0")
        code, output = site.run()
        assert (code, site.kids, site.calls) == (0, ["a"], []), output

    def test_a_standby_slurmdbd_that_the_return_of_the_primary_ended_is_started(self, site):
        slurmdbd = ReloadedDaemon("slurmdbd", "slurmdbd", "restart", None)
        (site.folder / "pid").write_text("0")
        (site.folder / "signal").write_text("9")
        assert site.run(daemons=[slurmdbd])[0] == 0
        assert site.calls == []
        (site.folder / "signal").write_text(str(int(signal.SIGUSR1)))
        code, output = site.run(daemons=[slurmdbd])
        assert (code, site.calls) == (0, [["systemctl", "restart", "--", "slurmdbd"]]), output
        assert site.run(daemons=[slurmdbd])[0] == 0
        assert site.calls == []

    def test_the_next_run_reloads_the_daemon_after_one_that_was_killed(self, site):
        site.run()
        site.publish(A, B)
        site.run(daemons=[])  # writes, and reloads nothing
        assert site.calls == RECONFIGURED
        code, output = site.run()
        assert (code, site.calls, site.result) == (0, RECONFIGURED, "changed"), output

    def test_another_writer_of_the_file_reloads_the_daemon(self, site):
        site.run()
        site.publish(A, B)
        site.run(daemons=[])  # another process writes
        assert site.calls == RECONFIGURED
        code, output = site.run(grace_period=60)
        assert (code, site.calls, site.result) == (0, [], "postponed"), output
        assert "The file was just written by another process" in output
        code, output = site.run(grace_period=0)
        assert (code, site.calls, site.result) == (0, RECONFIGURED, "changed"), output


class TestOwnership:
    def test_numbers_as_in_slurm_jwks(self, site):
        code, output = site.run(owner=str(os.geteuid()), group=str(os.getegid()))
        assert (code, site.kids) == (0, ["a"]), output

    def test_a_user_that_does_not_exist(self, site):
        code, output = site.run(owner="nemo")
        assert code == 1 and "owner: there is no user 'nemo' on this host" in output


class TestReloadInterval:
    def test_not_twice_within_the_interval(self, site):
        site.run(min_reload_interval=900)
        site.publish(A, B)
        code, output = site.run(min_reload_interval=900)
        assert (code, site.kids, site.calls) == (0, ["a", "b"], RECONFIGURED), output
        assert site.result == "postponed"
        site.publish(A, B, C)
        site.run(min_reload_interval=900)
        site.change_record(loaded=int(time.time()) - 900)
        code, output = site.run(min_reload_interval=900)
        assert (code, site.kids, site.calls, site.result) == (0, ["a", "b", "c"], RECONFIGURED, "changed"), output

    def test_an_attempt_that_fails_counts(self, site):
        (site.folder / "refusal").write_text("scontrol: error: no")
        code, output = site.run(min_reload_interval=900)
        assert code == 1
        assert "'scontrol: error: no'" in output or "scontrol: error: no" in output
        code, output = site.run(min_reload_interval=900)
        assert (code, site.calls, site.result) == (0, RECONFIGURED, "postponed"), output


class TestDistrust:
    """A distrusted key is removed at once, whatever sources do, and however recently daemons were reloaded."""

    @pytest.mark.parametrize("page", [None, b"", b"<html>", b'{"keys": []}'], ids=range(4))
    def test_it_waits_for_no_source_and_no_interval(self, site, page):
        site.publish(A, B)
        site.run(min_reload_interval=900)
        assert site.calls == RECONFIGURED
        site.issuer.pages["/keys"] = page
        code, output = site.run(min_reload_interval=900, remove=["a"])
        assert (site.kids, site.calls) == (["b"], RECONFIGURED), output
        # A source that returns nonsense is a failure, nevertheless.
        assert code == (0 if page is None else 1), output
        site.run(min_reload_interval=900, remove=["a"])
        assert (site.kids, site.calls) == (["b"], [])

    def test_killed_before_the_daemon_has_loaded(self, site):
        site.publish(A, B)
        site.run(min_reload_interval=900)
        site.run(min_reload_interval=900, remove=["a"], daemons=[])
        assert site.calls == RECONFIGURED
        site.run(min_reload_interval=900, remove=["a"])
        assert site.calls == RECONFIGURED

    def test_a_removed_key_does_not_come_back_with_other_names_or_older_settings(self, site):
        site.publish(A, B)
        site.run()
        site.run(remove=["a"])
        site.publish(dict(A, kid="z"), dict(A, kid="y", e="Aw"), A, B)
        for remove in (["a"], []):
            code, output = site.run(remove=remove)
            assert (code, site.kids) == (0, ["b"]), output

    def test_the_last_key(self, site):
        site.run()
        site.issuer.pages.clear()
        code, output = site.run(remove=["a"], min_reload_interval=900)
        assert (code, site.kids, site.result) == (0, [], "changed"), output
        assert site.calls == 2 * RECONFIGURED


class TestFailures:
    def test_an_outage_fails_after_its_maximum(self, site):
        site.run()
        site.issuer.pages.clear()
        code, output = site.run()
        assert (code, site.result, site.kids) == (0, "waiting", ["a"]), output
        site.change_record(reached=int(time.time()) - HOUR - 5)
        code, output = site.run()
        assert (code, site.result, site.kids) == (1, "failed", ["a"]), output
        assert "All sources were last reached 36" in output
        site.publish(A)
        assert site.run()[0] == 0

    def test_an_outage_does_not_keep_a_daemon_from_loading_the_file(self, site):
        site.run(daemons=[])
        site.issuer.pages.clear()
        code, output = site.run()
        assert (code, site.calls) == (0, RECONFIGURED), output

    def test_unusable_keys_fail_at_once(self, site):
        site.run()
        site.publish(dict(B, kid="a"))
        code, output = site.run()
        assert (code, site.result, site.kids) == (1, "failed", ["a"]), output
        assert "has the kid of another key that is trusted already" in output
        assert site.calls == RECONFIGURED

    def test_a_daemon_that_goes_on_with_the_old_keys(self, site):
        (site.folder / "deaf").touch()
        code, output = site.run()
        assert code == 1
        assert "goes on with the old keys" in output

    def test_another_authority(self, site):
        make_authority(site.folder)
        code, output = site.run()
        assert not site.path.exists()
        assert "its certificate cannot be verified" in output
        assert (code, site.result) == (0, "waiting")

    def test_settings_of_another_version(self, site):
        (site.folder / "settings.json").write_text("{}")
        argv = [sys.executable, "-I", str(site.folder / "program"), str(site.folder / "settings.json")]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "Run the playbook hpc.slurm_jwt.rollout" in done.stderr


def test_every_user_can_read_the_metrics_only(site):
    site.run()
    text = (site.folder / "slurm_jwks.prom").read_text()
    file = f'file="{site.path}"'
    assert f"slurm_jwt_jwks_keys{{{file}}} 1\n" in text
    assert f'slurm_jwt_jwks_info{{{file},fingerprint="{fingerprint(site.path.read_bytes())}"}} 1\n' in text
    assert (site.folder / "slurm_jwks.prom").stat().st_mode & 0o777 == 0o644
    assert site.record.stat().st_mode & 0o777 == 0o600
    assert site.path.stat().st_mode & 0o777 == 0o400
