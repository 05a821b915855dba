# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that renews a token, run as its unit runs it."""

from __future__ import annotations

import os
import pathlib
import re
import stat
import subprocess
import sys
import threading
import time

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers import runtime, token_program, token_refresh
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens import codec, file_format
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils._timers.token_program_host import (
    KEY,
    OTHER,
    Host,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users, or mounts a small file system")

MINT = "scontrol token lifespan=3600 username=alice"


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


class TestWhetherToRenew:
    def test_a_good_token_stays(self, host):
        token = host.put()
        done = host.run()
        assert (done.returncode, host.token, host.commands) == (0, token, ["sdiag"])
        assert host.last_record.result == "kept" and not host.last_record.untold
        assert "web: the token of alice in" in done.stdout and "is good for" in done.stdout

    @pytest.mark.parametrize(
        ("case", "put"),
        [
            ("expiring", {"left": 1700}),
            ("expiring", {"left": -5}),
            ("user", {"user": "bob"}),
            ("lifespan", {"left": 90000, "lifespan": 100000}),
            ("key", {"key": OTHER}),
        ],
    )
    def test_what_is_renewed(self, host, case, put):
        old = host.put(**put)
        done = host.run()
        assert done.returncode == 0, done.stderr
        assert f"reason: {case}" in done.stdout
        assert host.token != old and codec.signed_by(host.token, KEY)
        assert host.commands.count(MINT) == 1
        assert host.last_record.result == "renewed" and host.last_record.renewed_at >= time.time() - 10

    @pytest.mark.parametrize("content", [None, b"", b"\x00", b"no token", b"SLURM_JWT=eyJ.eyJ.x\n"])
    def test_what_is_no_token_is_renewed(self, host, content):
        if content is not None:
            host.dest.write_bytes(content)
        assert host.run().returncode == 0
        assert codec.signed_by(host.token, KEY)

    def test_releases_that_refuse_by_closing_the_connection(self, host):
        host.put(key=OTHER)
        host.play(refusal="slurm_load_stats error: Zero Bytes were transmitted or received")
        done = host.run()
        assert done.returncode == 0 and "reason: key" in done.stdout

    def test_a_token_is_not_to_blame_if_slurmctld_refuses_every_token(self, host):
        token = host.put()
        host.play(sdiag="slurm_load_stats error: Zero Bytes were transmitted or received")
        done = host.run()
        assert done.returncode == 1 and host.token == token
        assert "made a token and does not accept it" in done.stderr

    def test_without_the_plugin_a_good_token_stays_with_a_warning(self, host):
        token = host.put()
        host.play(sdiag="sdiag: error: cannot find auth plugin for auth/jwt")
        done = host.run()
        assert done.returncode == 0 and host.token == token
        assert "Whether slurmctld accepts it is not known" in done.stderr + done.stdout

    def test_without_the_plugin_it_is_renewed_even_so(self, host):
        host.put(left=100)
        host.play(sdiag="sdiag: error: cannot find auth plugin for auth/jwt")
        done = host.run()
        assert done.returncode == 0 and "could not be tried with slurmctld" in done.stdout + done.stderr
        assert codec.expiry_of(codec.split(host.token).claims) > time.time() + 3000

    def test_a_token_in_the_environment_is_not_used(self, host):
        assert host.run(environment={"SLURM_JWT": "eyJ.eyJ.x", "SLURM_CONF": "/nowhere"}).returncode == 0
        assert [call["jwt"] for call in host.calls if call["argv"][0] == "scontrol"] == [None]


class TestFormats:
    @pytest.mark.parametrize("form", file_format.FORMATS)
    def test_each(self, host, form):
        host.options["format"] = form
        assert host.run().returncode == 0
        assert host.dest.read_bytes() == file_format.render(form, host.token, "alice")
        assert host.run().returncode == 0 and host.last_record.result == "kept"


class TestFile:
    def test_only_its_owner_can_read_a_new_one(self, host):
        host.run()
        assert stat.S_IMODE(host.dest.stat().st_mode) == 0o400

    def test_mode(self, host):
        host.put(left=10)
        host.run(mode="0440")
        assert stat.S_IMODE(host.dest.stat().st_mode) == 0o440

    @as_root
    def test_root_owns_a_file_without_a_declared_owner(self, host):
        host.put(left=10)
        os.chown(host.dest, 65534, 1)
        host.run(mode="0440")
        assert (host.dest.stat().st_uid, host.dest.stat().st_gid) == (0, 0)

    @as_root
    def test_owner_and_group_that_are_declared(self, host):
        host.run(owner="nobody")
        assert (host.dest.stat().st_uid, host.dest.stat().st_gid) == (65534, 65534)
        host.put(left=10)
        host.run(owner="daemon", group="nogroup")
        assert (host.dest.stat().st_uid, host.dest.stat().st_gid) == (1, 65534)

    def test_an_owner_that_does_not_exist(self, host):
        token = host.put(left=10)
        done = host.run(owner="nemo")
        assert done.returncode == 1 and host.token == token
        assert "owner: there is no user 'nemo' on this host" in done.stderr

    def test_no_folder(self, host):
        host.dest.parent.rmdir()
        done = host.run()
        assert done.returncode == 1 and "does not exist" in done.stderr and "Traceback" not in done.stderr

    @as_root
    def test_full_disk(self, host):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(host.dest.parent)], check=True)
        try:
            token = host.put(left=10)
            with open(host.dest.parent / "filler", "wb") as filler, pytest.raises(OSError):
                while True:
                    os.write(filler.fileno(), bytes(4096))
            done = host.run(restarts=["web.service"])
            assert done.returncode == 1
            assert "The file system is full" in done.stderr
            assert not host.last_record.untold and "systemctl" not in " ".join(host.commands)
            assert host.token == token
            assert sorted(path.name for path in host.dest.parent.iterdir()) == ["filler", "token"]
        finally:
            subprocess.run(["umount", str(host.dest.parent)], check=True)

    def test_it_is_complete_and_private_at_every_instant(self, host):
        host.put(left=10)
        seen, over = [], threading.Event()

        def poll():
            while not over.is_set():
                try:
                    with open(host.dest, "rb") as file:
                        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                        file_format.extract("raw", file.read())
                except (OSError, codec.TokenError) as exc:
                    seen.append(exc)
                else:
                    seen.extend([] if mode == 0o400 else [mode])

        thread = threading.Thread(target=poll)
        thread.start()
        try:
            for _time in range(10):
                assert "reason: user" in host.run(user=("bob", "alice")[_time % 2]).stdout
        finally:
            over.set()
            thread.join()
        assert seen == []


class TestSlurmctldDown:
    def test_a_token_with_time_left_stays_without_a_failure(self, host):
        token = host.put()
        host.play(down=True)
        done = host.run()
        assert (done.returncode, host.token) == (0, token)
        assert "not known" in done.stderr

    def test_a_token_that_is_due_fails_and_stays(self, host):
        token = host.put(left=1000)
        host.play(down=True)
        done = host.run()
        assert (done.returncode, host.token) == (1, token)
        assert "slurmctld does not answer" in done.stderr and "is good for" in done.stderr
        assert "The timer tries again" in done.stderr
        assert (host.last_record.result, host.metric["attempt_success"]) == ("failed", 0)
        host.play()
        assert host.run().returncode == 0
        assert (host.last_record.result, host.metric["attempt_success"]) == ("renewed", 1)

    @pytest.mark.parametrize(
        ("said", "meaning"),
        [
            ("scontrol: error: Access/permission denied", "disable_token_creation"),
            ("scontrol: error: Invalid user id", "only for root and SlurmUser"),
            ("Error fetching token", "no key to sign with"),
            ("scontrol: error: Protocol authentication error", "clocks less than 300 s apart"),
        ],
    )
    def test_messages_of_scontrol(self, host, said, meaning):
        host.play(scontrol=said)
        done = host.run()
        assert done.returncode == 1 and meaning in done.stderr

    def test_no_clients(self, host):
        (host.bin / "scontrol").unlink()
        done = host.run(bin_dir=str(host.bin))
        assert done.returncode == 1 and "scontrol is not in" in done.stderr


class TestClocks:
    @pytest.mark.parametrize(
        ("offset", "words"), [(300, "(29[5-9]|30[0-5]) s behind"), (-300, "(29[0-9]|30[01]) s ahead of")]
    )
    def test_a_wrong_clock_is_reported_and_the_token_renewed_in_time(self, host, offset, words):
        host.play(offset=offset)
        done = host.run()
        assert done.returncode == 0 and re.search(f"The clock of this host is {words} slurmctld's", done.stderr)
        assert abs(host.last_record.offset - offset) <= 10 and abs(host.metric["clock_offset_seconds"] - offset) <= 10
        # Judged by slurmctld's clock it is new, whatever this host thinks.
        done = host.run(min_remaining=3500)
        assert host.last_record.result == "kept", done.stdout

    def test_a_host_that_is_behind_renews_before_slurmctld_refuses(self, host):
        host.play(offset=300)
        host.put(left=2000)
        host.run()
        assert host.last_record.result == "renewed"

    def test_a_host_that_is_behind_remembers_it_while_slurmctld_is_down(self, host):
        host.play(offset=300)
        host.put(left=2400)
        host.run()
        assert host.last_record.result == "kept"
        host.play(down=True)
        host.put(left=2000)
        assert host.run().returncode == 1

    def test_a_second_is_no_difference(self, host):
        host.play(offset=1)
        assert "clock" not in host.run().stderr


class TestRotation:
    """DEST.next and DEST.previous lie beside the token while the key is rotated."""

    @pytest.mark.parametrize("which", ["next", "previous"])
    def test_is_left_alone(self, host, which):
        token = host.put(left=1200)
        host.put(path=host.dest.with_name(f"token.{which}"), key=OTHER)
        done = host.run()
        assert (done.returncode, host.token, host.commands) == (0, token, [])
        assert host.last_record.result == "left_alone" and "rotation of the key is under way" in done.stdout

    def test_is_not_waited_for_until_the_token_expires(self, host):
        host.put(left=800)
        host.put(path=host.dest.with_name("token.next"), key=OTHER)
        assert host.run().returncode == 0
        assert host.last_record.result == "renewed"

    def test_that_died_is_not_waited_for(self, host):
        host.put(left=1200)
        staged = host.dest.with_name("token.next")
        host.put(path=staged, key=OTHER)
        os.utime(staged, (1, time.time() - 1000))
        done = host.run()
        assert host.last_record.result == "renewed" and "seems to have died" in done.stdout + done.stderr
        assert staged.exists()

    def test_that_died_after_the_swap_is_repaired(self, host):
        host.put()
        host.key.write_bytes(OTHER)
        host.run()
        assert codec.signed_by(host.token, OTHER)

    def test_that_begins_between_question_and_answer(self, host):
        token = host.put(left=1200)
        host.play(then=[[None, f"{host.dest}.next"]])
        done = host.run()
        assert (done.returncode, host.token) == (0, token)
        assert host.last_record.result == "left_alone" and not host.last_record.untold

    def test_that_swaps_the_key_between_question_and_answer(self, host, tmp_path):
        host.put(left=1200)
        (tmp_path / "other").write_bytes(OTHER)
        host.play(then=[[str(tmp_path / "other"), str(host.key)]])
        assert host.run().returncode == 0
        assert codec.signed_by(host.token, OTHER)
        assert host.commands.count(MINT) == 2


class TestServices:
    UNITS = {"restarts": ["web.service"], "reloads": ["proxy.service"]}
    CALLS = ["systemctl try-restart -- web.service", "systemctl try-reload-or-restart -- proxy.service"]

    def systemctl_calls(self, host):
        return [call for call in host.commands if call.startswith("systemctl")]

    def test_are_reloaded_for_a_new_token_only(self, host):
        host.run(**self.UNITS)
        assert self.systemctl_calls(host) == self.CALLS
        host.run(**self.UNITS)
        assert self.systemctl_calls(host) == []

    def test_whose_reload_fails_are_reloaded_again(self, host):
        host.play(systemctl=1)
        done = host.run(**self.UNITS)
        assert done.returncode == 1 and "'systemctl try-restart web.service' failed with exit code 1" in done.stderr
        assert host.last_record.untold
        host.play()
        assert host.run(**self.UNITS).returncode == 0
        assert self.systemctl_calls(host) == self.CALLS and not host.last_record.untold

    def test_that_a_killed_run_did_not_reload_are_reloaded(self, host):
        host.put()
        untold = token_refresh.TokenTimerRecord(1, "kept", "", None, untold=True)
        host.record.write_text(runtime.format_record(untold._asdict()))
        host.run(**self.UNITS)
        assert self.systemctl_calls(host) == self.CALLS


class TestMetrics:
    def test_their_values(self, host):
        host.put(left=3000)
        host.run()
        assert host.metric["expiry_timestamp_seconds"] == codec.expiry_of(codec.split(host.token).claims)
        assert host.metric["attempt_success"] == 1
        assert abs(host.metric["attempt_timestamp_seconds"] - time.time()) < 10
        assert (host.metric["min_remaining_seconds"], host.metric["attempt_interval_seconds"]) == (1800, 300)
        assert f'service="web",user="alice",file="{host.dest}"' in host.prom.read_text()
        assert stat.S_IMODE(host.prom.stat().st_mode) == 0o644

    def test_without_the_folder_none_are_written(self, host):
        host.prom.parent.rmdir()
        assert host.run().returncode == 0
        assert not host.prom.parent.exists()

    def test_without_a_token(self, host):
        host.play(down=True)
        host.run()
        assert (host.metric["expiry_timestamp_seconds"], host.metric["attempt_success"]) == (0, 0)


class TestProgram:
    def test_settings_of_another_version(self, host):
        host.run()
        path = host.folder / "settings.json"
        path.write_text('{"name": "web"}')
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(host.program), str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1 and "Run the playbook hpc.slurm_jwt.tokens" in done.stderr

    def test_the_level_in_the_journal(self, host):
        host.play(down=True)
        assert host.run(environment={"JOURNAL_STREAM": "8:1"}).stderr.startswith("<3>web: ")

    def test_it_is_small(self):
        assert len(pathlib.Path(token_program.__file__).read_text(encoding="utf-8").splitlines()) < 400
