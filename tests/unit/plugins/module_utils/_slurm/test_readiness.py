# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for a daemon: against real sockets, and against units whose life is written down beforehand."""

from __future__ import annotations

import re
import socket
import time

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import last_words, readiness, units
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.units import Unit

UP = Unit(load="loaded", active="active", sub="running", result="success", pid=10)
REBORN = UP._replace(pid=11)
STARTING = Unit(load="loaded", active="activating", sub="start", result="success", pid=0)
FAILED = Unit(load="loaded", active="failed", sub="failed", result="exit-code", pid=0)
MISSING = Unit(load="not-found", active="inactive", sub="dead", result="success", pid=0)


class Life:
    """A unit's states, one a look, the last one for ever; time goes on only in sleep."""

    def __init__(self, *states, answering_from=0):
        self.states, self.now, self.answering_from = list(states), 0.0, answering_from

    def look(self):
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def sleep(self, seconds):
        self.now += seconds

    def wait(self, address=":6819", timeout=5.0, settle=1.0):
        return readiness.wait(
            self.look,
            address,
            timeout,
            settle,
            lambda: self.now,
            self.sleep,
            lambda at: self.now >= self.answering_from,
        )


def test_a_daemon_must_stay_for_the_settling_time():
    result = Life(UP).wait()
    assert result.alive
    assert 1.0 <= result.seconds < 1.3


def test_a_unit_that_started_and_died_is_seen():
    result = Life(UP, UP, FAILED).wait()
    assert not result.alive
    assert result.seconds < 1
    assert "failed (exit-code)" in result.reason


def test_a_daemon_that_systemd_starts_again_and_again_never_counts_as_alive():
    states = [UP, REBORN] * 100
    result = Life(*states).wait()
    assert not result.alive
    assert result.seconds >= 5


def test_a_daemon_that_does_not_answer_is_not_alive():
    result = Life(UP, answering_from=99).wait()
    assert not result.alive
    assert "nothing answers at :6819" in result.reason


def test_a_slow_start_is_waited_for():
    result = Life(STARTING, STARTING, UP, answering_from=2).wait()
    assert result.alive
    assert result.seconds >= 3


def test_a_missing_unit_is_dead_at_once():
    result = Life(MISSING).wait()
    assert not result.alive
    assert result.seconds == 0


def test_parse_unit():
    text = "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nMainPID=10\n"
    assert units.parse(text) == [UP]


@pytest.mark.parametrize(
    ("told", "ago"),
    [
        ("MainPID=7\nExecMainStartTimestampMonotonic=%d", 9.5),
        ("ExecMainStartTimestampMonotonic=0", None),
        ("ExecMainStartTimestampMonotonic=", None),
        ("MainPID=7", None),
    ],
)
def test_when_a_daemon_started_by_systemds_word(told, ago):
    microseconds = int((time.monotonic() - (ago or 0)) * 1e6)
    (unit,) = units.parse(told.replace("%d", str(microseconds)))
    assert unit.started == 0.0 if ago is None else abs(time.time() - ago - unit.started) < 0.5


def test_answers_on_tcp_and_unix(tmp_path):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert not readiness.answers(f":{port}")
        server.listen()
        assert readiness.answers(f":{port}")
        assert readiness.answers(f"0.0.0.0:{port}")
    path = str(tmp_path / "s")
    assert not readiness.answers("unix:" + path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert readiness.answers("unix:" + path)


@pytest.mark.parametrize("address", ["6819", "host", "host:", "host:port"])
def test_an_address_that_is_none(address):
    with pytest.raises(ValueError, match="neither HOST:PORT nor unix:PATH"):
        readiness.answers(address)


def test_last_words_are_the_daemons_own():
    journal = (
        "Nov 01 dbd1 slurmdbd[7]: slurmdbd: error: plugin_load_from_file: dlopen(auth_jwt.so)\n"
        "Nov 01 dbd1 slurmdbd[7]: slurmdbd: fatal: failed to initialize auth plugin\n"
        "Nov 01 dbd1 systemd[1]: slurmdbd.service: Main process exited, error: code=exited\n"
    )
    error, fatal, _of_systemd = journal.splitlines()
    assert last_words.last_words(journal, "") == [fatal, error]
    assert last_words.last_words("", "a\nb\n[2026] fatal: no key\n") == ["[2026] fatal: no key"]
    assert last_words.last_words("", "") == []


def test_the_line_that_says_why_comes_first_and_once():
    journal = (
        "Nov 29 09:36:18 ctl1 slurmctld[7]: slurmctld: error: Could not stat /k: No such file\n"
        "Nov 29 09:36:18 ctl1 slurmctld[7]: slurmctld: fatal: cannot stat key file\n"
        "Nov 29 09:36:18 ctl1 systemd[1]: slurmctld.service: Failed with result 'exit-code'.\n"
    )
    log = (
        "[2026-11-29T09:36:18.046] error: Could not stat /k: No such file\n"
        "[2026-11-29T09:36:18.047] fatal: cannot stat key file\n"
        "[2026-11-29T09:36:18.050] error: slurm_accounting_storage_fini\n"
    )
    words = last_words.last_words(journal, log)
    assert [re.sub(r"^.*?(?=fatal:|error:)", "", word) for word in words] == [
        "fatal: cannot stat key file",
        "error: Could not stat /k: No such file",
        "error: slurm_accounting_storage_fini",
    ]


def test_systemds_word_counts_where_the_daemon_said_nothing():
    line = "Nov 29 09:36:18 rest1 systemd[1]: slurmrestd.service: Failed at step GROUP spawning /usr/sbin/slurmrestd"
    assert last_words.last_words(line, "") == [line]


@pytest.fixture
def logged(tmp_path):
    log = tmp_path / "slurmctld.log"

    def write(*lines):
        log.write_text("\n".join(lines) + "\n")
        return str(log)

    return write


def at(seconds):
    return time.strftime("[%Y-%m-%dT%H:%M:%S.500]", time.localtime(seconds))


def test_what_a_log_says_of_an_earlier_start_is_left_out(logged):
    now = 1795945000
    path = logged(
        f"{at(now - 60)} fatal: of the start before",
        "    goes on",
        f"{at(now)} error: of this start",
        "    goes on too",
    )
    assert last_words.written_since(path, now) == f"{at(now)} error: of this start\n    goes on too\n"
    assert last_words.written_since(path, now + 1) == ""


def test_a_log_without_times_is_taken_as_it_is(logged):
    assert last_words.written_since(logged("fatal: no key"), 1795945000) == "fatal: no key\n"


def test_the_end_of_a_long_log(tmp_path, logged):
    path = logged("x" * 100_000, "the end")
    assert last_words.written_since(path, 0).endswith("the end\n")
    assert len(last_words.written_since(path, 0)) == 16384
    assert last_words.written_since(str(tmp_path / "none"), 0) == ""
