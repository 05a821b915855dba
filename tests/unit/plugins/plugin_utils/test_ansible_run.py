# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once are told from one that died, on real processes."""

from __future__ import annotations

import getpass
import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import ansible_run

FIELDS = ("host", "boot", "space", "pid", "start")


def split(run):
    return dict(zip(FIELDS, run.split(":")))


def renamed(run, **changes):
    return ":".join({**split(run), **changes}.values())


def name_of(pid):
    return renamed(ansible_run.this_run(), pid=str(pid), start=ansible_run._start_of(pid))


@pytest.fixture
def sleeper():
    # A name such as some programs have: with blanks and parentheses, which /proc shows between parentheses.
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; open('/proc/self/comm', 'w').write('a) S (b'); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    child.stdout.readline()
    yield child
    child.kill()
    child.communicate()


def test_this_run_is_this_process_and_lives():
    run = ansible_run.this_run()
    assert split(run)["pid"] == str(os.getpid())
    assert "?" not in run
    assert run == ansible_run.this_run()
    assert ansible_run.is_dead(run) is False


def test_another_process_lives_until_it_is_killed(sleeper):
    run = name_of(sleeper.pid)
    assert ansible_run.is_dead(run) is False
    sleeper.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    # What is left of it waits for its parent still.
    assert os.path.exists(f"/proc/{sleeper.pid}")
    assert ansible_run.is_dead(run) is True
    sleeper.wait()
    assert not os.path.exists(f"/proc/{sleeper.pid}")
    assert ansible_run.is_dead(run) is True


def test_a_process_that_got_the_number_of_a_dead_one(sleeper):
    run = name_of(sleeper.pid)
    before = str(int(split(run)["start"]) - 1)
    assert ansible_run.is_dead(renamed(run, start=before)) is True


def test_a_run_before_the_last_boot_is_dead():
    assert ansible_run.is_dead(renamed(ansible_run.this_run(), boot="00000000")) is True


@pytest.mark.parametrize("changes", [{"host": "elsewhere"}, {"space": "1"}], ids=["host", "container"])
@pytest.mark.parametrize("more", [{}, {"boot": "00000000"}, {"start": "1"}], ids=["alive", "boot", "start"])
def test_of_a_run_elsewhere_nobody_can_tell(changes, more):
    """A container may have the name of its host, and other processes."""
    assert ansible_run.is_dead(renamed(ansible_run.this_run(), **changes, **more)) is None


@pytest.mark.parametrize("unknown", [{"start": "?"}, {"boot": "?"}, {"space": "?"}, {"pid": "many"}])
def test_of_a_name_that_lacks_something_nobody_can_tell(unknown):
    assert ansible_run.is_dead(renamed(ansible_run.this_run(), **unknown)) is None


@pytest.mark.parametrize("run", ["", "mgmt1", "mgmt1:1", "a:b:c:d:e:f", f"{os.uname().nodename}:1:2"])
def test_of_a_name_that_is_none_nobody_can_tell(run):
    assert ansible_run.is_dead(run) is None


def test_without_proc_nobody_can_tell(monkeypatch):
    monkeypatch.setattr(ansible_run, "_BOOT", "/does/not/exist")
    run = ansible_run.this_run()
    assert split(run)["boot"] == "?"
    assert ansible_run.is_dead(run) is None


def _names(queue):
    queue.put((os.getpid(), ansible_run.this_run()))


def test_a_worker_names_the_process_that_forked_it():
    """Tasks are templated in workers: each of them must give the one name of the run."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    for _worker in range(2):
        worker = context.Process(target=_names, args=(queue,))
        worker.start()
        pid, run = queue.get()
        worker.join()
        assert pid == worker.pid != os.getpid()
        assert run == ansible_run.this_run()


def test_by_whom_is_the_person_who_called_sudo(monkeypatch):
    monkeypatch.setenv("SUDO_USER", "alice")
    assert ansible_run.by_whom() == f"alice@{os.uname().nodename}"


def test_by_whom_without_sudo(monkeypatch):
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert ansible_run.by_whom() == f"{getpass.getuser()}@{os.uname().nodename}"


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_by_whom_for_a_user_without_a_name(monkeypatch, error):
    def nobody():
        raise error("no such user")

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(getpass, "getuser", nobody)
    assert ansible_run.by_whom() == f"{os.getuid()}@{os.uname().nodename}"
