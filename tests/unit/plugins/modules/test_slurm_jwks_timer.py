# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer of a host, with a script in the place of systemctl."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import jwks_refresh, jwks_timer
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwks_timer
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.fake_systemctl import TimerHost

TIMER, SERVICE = "slurm-jwks-refresh.timer", "slurm-jwks-refresh.service"
DAEMON = {"component": "slurmctld", "service": "slurmctld", "way": "reconfigure", "port": 6817}
ALL = {"etc/settings.json", f"units/{TIMER}", f"units/{SERVICE}", "lib/__main__.py"}


class Host(TimerHost):
    def run(self, check=False, **options):
        params = {
            "path": "/etc/slurm/jwks.json",
            "sources": [{"issuer": "https://idp"}],
            "owner": "slurm",
            "group": "slurm",
            "daemons": [DAEMON],
        }
        return self.run_module(slurm_jwks_timer, jwks_timer, jwks_refresh.UNIT, {**params, **options}, check)

    def read(self, name):
        return (self.folder / name).read_text()


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_once(host):
    assert host.run()["changed"]
    assert host.calls == ["daemon-reload", f"enable {TIMER}", f"restart {TIMER}"]
    assert host.files > ALL
    assert "OnUnitInactiveSec=900\nRandomizedDelaySec=225\n" in host.read(f"units/{TIMER}")
    assert f"python3 -I {host.folder}/lib {host.folder}/etc/settings.json\n" in host.read(f"units/{SERVICE}")


def test_twice(host):
    host.run()
    result = host.run()
    assert not result["changed"] and result["diff"] == [] and host.calls == []
    assert result["active"] == "active"


def test_check_mode_predicts_the_same_and_does_nothing(host):
    predicted = host.run(check=True)
    assert host.files == set() and host.calls == []
    done = host.run()
    assert (predicted["changed"], predicted["diff"]) == (done["changed"], done["diff"])
    assert not host.run(check=True)["changed"]


def test_settings(host):
    host.run(min_reload_interval="1m", max_outage="2h", retain="12h", metrics_dir="/prom")
    settings = jwks_refresh.read_settings(host.read("etc/settings.json"))
    assert (settings.min_reload_interval, settings.max_outage, settings.retain) == (60, 7200, 43200)
    assert settings.daemons == [jwks_refresh.ReloadedDaemon(**DAEMON)]
    assert settings.sources[0]["issuer"] == "https://idp" and settings.sources[0]["allow_http"] is False
    assert settings.metrics == "/prom/slurm_jwks.prom"
    # Any user who could open it could keep the lock on it.
    assert stat.S_IMODE((host.folder / "etc/settings.json").stat().st_mode) == 0o600


def test_other_settings_do_not_restart_the_timer(host):
    host.run()
    assert host.run(min_reload_interval="1m")["changed"]
    assert host.calls == []


def test_another_interval_restarts_it(host):
    host.run()
    assert host.run(refresh_interval="1h")["changed"]
    assert host.calls == ["daemon-reload", f"restart {TIMER}"]


def test_variables_of_the_unit(host):
    secret = 'http://user:a%b"c$d@proxy'
    path = host.folder / "etc/environment"
    for check in (True, False):
        result = host.run(check, environment={"HTTPS_PROXY": secret})
        assert result["changed"] and secret not in str(result) and "a%b" not in str(result)
    # Every user can read a unit.
    assert "proxy" not in host.read(f"units/{SERVICE}").lower()
    assert f"EnvironmentFile={path}\n" in host.read(f"units/{SERVICE}")
    assert path.read_text() == 'HTTPS_PROXY="http://user:a%b\\"c\\$d@proxy"\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not host.run(environment={"HTTPS_PROXY": secret})["changed"]
    result = host.run()
    assert result["changed"] and not path.exists() and "EnvironmentFile" not in host.read(f"units/{SERVICE}")
    host.run(environment={"HTTPS_PROXY": secret})
    assert host.run(state="absent")["changed"] and not path.exists()


def test_only_where_slurmdbd_restarts_may_it_touch_the_packet_filter(host):
    host.run()
    assert "CAP_NET_ADMIN" not in host.read(f"units/{SERVICE}")
    dbd = {"component": "slurmdbd", "service": "slurmdbd", "way": "restart", "port": 6819}
    host.run(daemons=[DAEMON, dbd])
    assert "CAP_NET_ADMIN" in host.read(f"units/{SERVICE}")
    host.run(daemons=[DAEMON, dbd], pause_connections=False)
    assert "CAP_NET_ADMIN" not in host.read(f"units/{SERVICE}")


@pytest.mark.parametrize(
    ("options", "because"),
    [
        ({"refresh_interval": "5s"}, "refresh_interval: 5 s is too short"),
        ({"min_reload_interval": "soon"}, "min_reload_interval: 'soon' is not a duration"),
        ({"environment": {"A B": "some value"}}, "environment: 'A B' cannot be a variable"),
        ({"environment": {"A": "value\nExecStart=/bin/sh"}}, "environment: 'A' cannot be a variable"),
    ],
)
def test_refusals(host, options, because):
    result = host.run(**options)
    assert result["failed"] and because in result["msg"]
    assert host.files == set()


def test_the_program_finds_all_that_it_imports(host):
    host.run()
    argv = [sys.executable, "-I", str(host.folder / "lib")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[:5]) == (2, "Usage"), done.stderr


def test_absent(host):
    host.run()
    result = host.run(state="absent")
    assert result["changed"] and host.files == set()
    assert not [name for name in ("lib", "etc", "var") if (host.folder / name).exists()]
    assert host.calls == [f"stop {TIMER}", "daemon-reload"]
    assert not os.path.lexists(host.folder / "units/timers.target.wants" / TIMER)
    again = host.run(state="absent")
    assert not again["changed"] and host.calls == []


def test_paused_until_it_is_to_be_present(host):
    host.run()
    before = host.files
    assert host.run(state="paused", check=True)["changed"] and host.calls == []
    assert host.run(state="paused")["changed"] and host.calls == [f"stop {TIMER}"]
    assert not host.run(state="paused")["changed"] and host.calls == []
    assert host.files == before
    assert host.run()["changed"]
    assert f"restart {TIMER}" in host.calls


def test_a_timer_that_is_not_there_is_not_paused(host):
    assert not host.run(state="paused")["changed"]
    assert host.calls == [] and host.files == set()


LOCKER = """
import fcntl, pathlib, sys, time
with open(sys.argv[1]) as settings:
    fcntl.flock(settings, fcntl.LOCK_EX)
    print("locked", flush=True)
    time.sleep(1)
    pathlib.Path(sys.argv[2]).write_text("done")
"""


@pytest.mark.parametrize("state", ["absent", "paused"])
def test_a_run_that_has_begun_comes_to_its_end(host, tmp_path_factory, state):
    host.run()
    end = tmp_path_factory.mktemp("run") / "end"
    argv = [sys.executable, "-c", LOCKER, str(host.folder / "etc/settings.json"), str(end)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as begun:
        assert begun.stdout.readline() == b"locked\n"
        assert host.run(state=state)["changed"]
        # It may have written the key set, or reloaded daemons.
        assert end.exists()
