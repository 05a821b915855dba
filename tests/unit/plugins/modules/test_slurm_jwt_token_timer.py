# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timers of a host, with a script in the place of systemctl."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import token_refresh, token_timers
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.runtime import format_record
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_token_timer
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.fake_systemctl import TimerHost

WEB = {"name": "web", "user": "alice", "dest": "/etc/web", "lifespan": 3600, "min_remaining": 1800}
WEB.update(calendar="*-*-* *:0/5:00", jitter=75, interval=375)
PROXY = dict(WEB, name="proxy", format="nginx", restarts=["a.service"], reloads=["a.service", "b.service"], mode="0440")

TIMER = "slurm-jwt-renew@web.timer"
SERVICE = "slurm-jwt-renew@web.service"


class Host(TimerHost):
    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        (folder / "stamps").mkdir()
        for name in ("scontrol", "sdiag"):
            (folder / "bin" / name).write_text("#!/bin/sh\n")
            (folder / "bin" / name).chmod(0o755)

    def run(self, *timers, check=False, **options):
        params = {"timers": list(timers), "bin_dir": str(self.folder / "bin")}
        params.update(options)
        given = {name: value for name, value in params.items() if value is not None}
        return self.run_module(slurm_jwt_token_timer, token_timers, token_refresh.UNIT, given, check)


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


class TestInstall:
    def test_once(self, host):
        result = host.run(WEB, PROXY)
        assert result["changed"] and [timer["changed"] for timer in result["timers"]] == [True, True]
        timers = f"{TIMER} slurm-jwt-renew@proxy.timer"
        assert host.calls == ["daemon-reload", f"enable {timers}", f"restart {timers}"]
        assert {"etc/web.json", "etc/proxy.json", f"units/{TIMER}", f"units/{SERVICE}"} < host.files
        timer = (host.folder / "units" / TIMER).read_text()
        assert "OnCalendar=*-*-* *:0/5:00\nRandomizedDelaySec=75\n" in timer and "Persistent=true" in timer
        service = (host.folder / "units" / SERVICE).read_text()
        assert f"ExecStart=/usr/bin/python3 -I -S {host.folder}/lib {host.folder}/etc/%i.json\n" in service

    def test_each_can_write_its_own_folders_and_no_others(self, host):
        host.run(WEB, dict(PROXY, dest="/srv/a b%c/token"), metrics_dir="/prom")
        writes = [
            [line for line in (host.folder / "units" / name).read_text().splitlines() if line.startswith("ReadWrite")]
            for name in (SERVICE, "slurm-jwt-renew@proxy.service")
        ]
        assert writes == [
            [f"ReadWritePaths=-/etc -/prom -{host.folder}/var"],
            [f'ReadWritePaths=-/prom "-/srv/a b%%c" -{host.folder}/var'],
        ]
        result = host.run(dict(WEB, dest="/srv/web"), dict(PROXY, dest="/srv/a b%c/token"), metrics_dir="/prom")
        assert [timer["changed"] for timer in result["timers"]] == [True, False] and host.calls == ["daemon-reload"]

    def test_not_in_a_folder_for_temporary_files(self, host):
        result = host.run(dict(WEB, dest="/var/tmp/web/token"))
        assert result["failed"] and "web: /var/tmp/web/token is in a folder for temporary files" in result["msg"]
        assert host.files == set()

    def test_the_unit_of_an_earlier_version_is_removed(self, host):
        old = host.folder / "units" / "slurm-jwt-renew@.service"
        old.write_text("[Service]\n")
        assert host.run(WEB)["changed"] and not old.exists()
        assert not host.run(WEB)["changed"]

    def test_twice(self, host):
        host.run(WEB, PROXY)
        result = host.run(WEB, PROXY)
        assert not result["changed"] and result["diff"] == [] and host.calls == []
        assert [timer["active"] for timer in result["timers"]] == ["active", "active"]
        assert [timer["enabled"] for timer in result["timers"]] == [True, True]

    def test_check_mode_predicts_the_same_and_does_nothing(self, host):
        predicted = host.run(WEB, check=True)
        assert host.files == set() and host.calls == []
        done = host.run(WEB)
        assert predicted["diff"] == done["diff"]
        assert [predicted[key] for key in ("changed", "removed")] == [done[key] for key in ("changed", "removed")]
        assert not host.run(WEB, check=True)["changed"]

    def test_settings(self, host):
        host.run(PROXY, metrics_dir="/prom")
        path = host.folder / "etc/proxy.json"
        settings = token_refresh.read_settings(path.read_text())
        assert (settings.format, settings.mode) == ("nginx", "0440")
        assert settings.metrics == "/prom/slurm_jwt_token_proxy.prom"
        assert (settings.restarts, settings.reloads) == (["a.service"], ["b.service"])
        assert settings.beside == ["/etc/web.next", "/etc/web.previous"]
        # Any user who could open it could keep the lock on it.
        assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_the_program_runs_with_what_is_installed_and_nothing_else(self, host):
        host.run(WEB)
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(host.folder / "lib")], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr[:5]) == (2, "Usage"), done.stderr

    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="wants systemd")
    def test_systemd_understands_the_units(self, host):
        host.run(WEB, python=sys.executable)
        units = [str(host.folder / "units" / name) for name in (TIMER, SERVICE)]
        argv = ["systemd-analyze", "verify", "--man=no", *units]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        mine = [line for line in done.stderr.splitlines() if "slurm-jwt-renew" in line and "munge" not in line]
        assert mine == []


class TestChange:
    def test_another_calendar(self, host):
        host.run(WEB, PROXY)
        result = host.run(dict(WEB, calendar="*-*-* *:0/10:00"), PROXY)
        assert [timer["changed"] for timer in result["timers"]] == [True, False]
        assert host.calls == ["daemon-reload", f"restart {TIMER}"]

    def test_other_settings_need_no_restart(self, host):
        host.run(WEB)
        result = host.run(dict(WEB, user="bob"))
        assert result["timers"][0]["changed"]
        assert not [line for line in host.calls if line.startswith("restart")]

    def test_a_timer_that_was_stopped(self, host):
        host.run(WEB)
        state = json.loads((host.folder / "state").read_text())
        state[TIMER]["ActiveState"] = "inactive"
        (host.folder / "state").write_text(json.dumps(state))
        assert host.run(WEB, check=True)["changed"] and host.calls == []
        result = host.run(WEB)
        assert result["changed"] and result["timers"][0]["active"] == "inactive"
        assert host.calls == [f"enable {TIMER}", f"restart {TIMER}"]

    def test_a_file_of_a_killed_run_that_systemd_has_not_read(self, host):
        host.run(WEB)
        state = json.loads((host.folder / "state").read_text())
        state[TIMER]["NeedDaemonReload"] = "yes"
        (host.folder / "state").write_text(json.dumps(state))
        assert host.run(WEB)["changed"]
        assert host.calls == ["daemon-reload", f"enable {TIMER}", f"restart {TIMER}"]

    def test_files_that_were_edited(self, host):
        host.run(WEB)
        for name in ("etc/web.json", f"units/{TIMER}", "lib/__main__.py"):
            (host.folder / name).write_text("spoilt\n")
        assert host.run(WEB)["changed"]
        assert not host.run(WEB)["changed"]
        (host.folder / "etc/web.json").chmod(0o644)
        assert host.run(WEB)["changed"]
        assert stat.S_IMODE((host.folder / "etc/web.json").stat().st_mode) == 0o600

    def test_a_file_of_an_older_program_is_removed(self, host):
        host.run(WEB)
        (host.folder / "lib/old.py").write_text("")
        assert host.run(WEB)["changed"] and "lib/old.py" not in host.files


class TestRemove:
    def test_one(self, host):
        host.run(WEB, PROXY)
        (host.folder / "var/web.json").write_text("{}")
        check = host.run(PROXY, check=True)
        result = host.run(PROXY)
        assert check["removed"] == result["removed"] == ["web"] and check["diff"] == result["diff"]
        assert host.calls == [f"stop {TIMER}", "daemon-reload"]
        assert not [name for name in host.files if "web" in name]
        assert not os.path.lexists(host.folder / "units/timers.target.wants" / TIMER)
        assert not host.run(PROXY)["changed"]

    def test_everything_is_removed_with_the_last_timer(self, host):
        metrics = host.folder / "prom"
        metrics.mkdir()
        host.run(WEB, metrics_dir=str(metrics))
        (metrics / "slurm_jwt_token_web.prom").write_text("")
        (host.folder / "stamps" / f"stamp-{TIMER}").write_text("")
        (host.folder / "lib/__pycache__").mkdir()
        (host.folder / "lib/__pycache__/__main__.pyc").write_text("")
        check = host.run(check=True)
        assert check["changed"] and (host.folder / "lib").is_dir()
        result = host.run()
        assert result["removed"] == ["web"] and result["timers"] == []
        assert host.files == set()
        for name in ("lib", "etc", "var", f"stamps/stamp-{TIMER}"):
            assert not (host.folder / name).exists(), name
        assert not host.run()["changed"]

    def test_a_folder_with_other_files_stays(self, host):
        host.run(WEB)
        (host.folder / "etc/mine").write_text("")
        host.run()
        assert (host.folder / "etc/mine").exists() and not (host.folder / "lib").exists()
        assert not host.run()["changed"]

    def test_the_owner_of_the_metrics_folder_cannot_keep_other_files(self, host):
        metrics = host.folder / "prom"
        metrics.mkdir()
        host.run(WEB, metrics_dir=str(metrics))
        os.mkfifo(metrics / "slurm_jwt_token_web.prom")
        result = host.run()
        assert result["removed"] == ["web"] and "is a named pipe" in str(result["warnings"])
        assert [name for name in host.files if "web" in name] in ([], ["prom/slurm_jwt_token_web.prom"])

    def test_what_a_killed_run_has_left(self, host):
        host.run(WEB)
        (host.folder / "units" / TIMER).unlink()
        assert host.run()["removed"] == ["web"]
        assert host.files == set()


class TestReport:
    def test_the_last_attempt(self, host):
        host.run(WEB)
        record = token_refresh.TokenTimerRecord(1795574400, "failed", "web: slurmctld does not answer.", 1795604513)
        (host.folder / "var/web.json").write_text(format_record(record._asdict()))
        assert host.run(WEB, check=True)["timers"][0]["attempt"] == record._asdict()
        (host.folder / "var/web.json").write_text("{")
        assert host.run(WEB, check=True)["timers"][0]["attempt"] is None


class TestRefusals:
    def test_no_clients(self, host):
        (host.folder / "bin/scontrol").unlink()
        result = host.run(WEB)
        assert result["failed"] and "The program scontrol is not in" in result["msg"]
        assert "run the playbook hpc.slurm_jwt.tokens regularly" in result["msg"] and host.files == set()
        check = host.run(WEB, check=True)
        assert check["changed"] and "The program scontrol is not in" in str(check["warnings"])
        assert not host.run()["changed"]

    @pytest.mark.parametrize(
        ("timers", "words"),
        [
            ([dict(WEB, name="../web")], "cannot be part of the name of a unit"),
            ([WEB, WEB], "'web' is there twice"),
            ([dict(WEB, mode="0644")], "web: mode: '0644' gives permissions to every user"),
        ],
    )
    def test_others(self, host, timers, words):
        result = host.run(*timers)
        assert result["failed"] and words in result["msg"] and host.files == set()
