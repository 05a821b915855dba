# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of builtin modules are checked as well: one module at a time, and of its result what roles use."""

from __future__ import annotations

import time
from unittest import mock

import pytest
from ansible import constants as C
from ansible.errors import AnsibleActionSkip, AnsibleConnectionFailure

from ansible_collections.hpc.slurm_jwt.plugins.action import slurm_jwt_builtin
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _checked_action
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations import builtin_modules

JOB = "j123.456"


class Task(mock.Mock):
    """A task; its copy is another one."""

    def copy(self):
        return Task(args=dict(self.args), action=self.action, timeout=0, async_val=0, no_log=self.no_log)


def make(args, answer=None, no_log=False, timeout=0):
    """The action of a task, before a host that answers so."""
    task = Task(args=args, timeout=timeout, async_val=0, check_mode=False, no_log=no_log)
    task.action = "hpc.slurm_jwt.slurm_jwt_builtin"
    found = slurm_jwt_builtin.ActionModule(task, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
    found._shared_loader_obj = mock.Mock()
    run = found._shared_loader_obj.action_loader.get.return_value.run
    run.side_effect = answer if callable(answer) else None
    run.return_value = answer
    return found


def said(args, answer, **options):
    return make(args, answer, **options).run(task_vars={"inventory_hostname": "node1"})


def asked(action):
    """Whether anything was run on the host."""
    return action._shared_loader_obj.action_loader.get.called


# -- one module -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"command": {"argv": ["id"]}, "stat": {"path": "/x"}},
        {"shell": {"cmd": "id"}},
        {"raw": {"cmd": "id"}},
        {"setup": {}},
        {"add_host": {"name": "x"}},
        {"set_fact": {"x": 1}},
        {"command": "id"},
        {"command": None},
        {"command": {"argv": ["id"]}, "more": "x"},
        {"ansible.builtin.command": {"argv": ["id"]}},
    ],
    ids=str,
)
def test_anything_else_than_one_known_module_is_refused(args):
    action = make(args, {"changed": False})
    found = action.run(task_vars={})
    assert found["failed"] is True
    assert found["msg"].startswith("slurm_jwt_builtin takes one module with its options; it may be command, copy, ")
    assert not asked(action)


@pytest.mark.parametrize("name", sorted(builtin_modules.BUILTINS))
def test_the_module_is_run_with_its_options(name):
    options = {"path": "/x", "state": "present"}
    action = make({name: options}, {"changed": False})
    variables = {"inventory_hostname": "node1"}
    assert action.run(task_vars=variables) == {"changed": False}
    ((full_name,), known) = action._shared_loader_obj.action_loader.get.call_args
    assert full_name == f"ansible.builtin.{name}"
    assert known["task"].action == full_name
    assert known["task"].args == options
    assert known["connection"] is action._connection
    run = action._shared_loader_obj.action_loader.get.return_value.run
    run.assert_called_once_with(task_vars=variables)
    # The task itself stays as it was, for its next try.
    assert action._task.args == {name: options}
    assert action._task.action == "hpc.slurm_jwt.slurm_jwt_builtin"


def test_a_module_without_an_action_of_its_own():
    action = make({"stat": {"path": "/x"}}, {})
    normal = mock.Mock()
    normal.run.return_value = {"changed": False, "stat": {"exists": False}}
    loader = action._shared_loader_obj.action_loader
    loader.get.side_effect = lambda name, **known: {"ansible.legacy.normal": normal}.get(name)
    assert action.run(task_vars={}) == {"changed": False, "stat": {"exists": False}}
    assert [call.args for call in loader.get.call_args_list] == [("ansible.builtin.stat",), ("ansible.legacy.normal",)]
    assert loader.get.call_args.kwargs["task"].action == "ansible.builtin.stat"


# -- what comes in ----------------------------------------------------------------------------------------------------

HOSTILE = {
    "ansible_facts": {"slurm_jwt_key_path": "/x", "pkg_mgr": "apt"},
    "add_host": {"host_name": "evil"},
    "slurm_jwt_plan": {},
    "invocation": {},
    "start": "2026-11-23 03:45:00.1",
    "cmd": ["id"],
}


@pytest.mark.parametrize("name", sorted(builtin_modules.BUILTINS))
def test_nobody_declares_a_fact(name, display):
    assert said({name: {}}, {"changed": True, **HOSTILE}) == {"changed": True}
    ((text,), _named) = display.warning.call_args
    assert text.startswith(f"node1: the result of {name} had undeclared members")
    assert "add_host, ansible_facts, slurm_jwt_plan." in text


def test_members_that_nobody_asks_for_are_dropped_silently(display):
    answer = {"changed": True, "rc": 0, "stdout": "a", "cmd": ["id"], "delta": "0:00:00.1", "start": "now"}
    found = said({"command": {"argv": ["id"]}}, answer)
    assert found == {"changed": True, "rc": 0, "stdout": "a"}
    display.warning.assert_not_called()


def test_what_a_command_says():
    found = said(
        {"command": {"argv": ["x"]}},
        {"changed": True, "rc": 1, "failed": True, "msg": "non-zero return code", "stdout": "a\nb {{ x }}\x1b[m",
         "stderr": "{% x %}", "stdout_lines": ["a", "b {{ x }}\x1b[m"], "stderr_lines": ["{% x %}"]},
    )  # fmt: skip
    assert found == {
        "changed": True,
        "rc": 1,
        "failed": True,
        "msg": "non-zero return code",
        "stdout": "a\nb { { x } } [m",
        "stderr": "{ % x % }",
        "stdout_lines": ["a", "b { { x } } [m"],
    }


def test_what_stat_says():
    owner = {"pw_name": "root", "gr_name": "root", "mode": "0644"}
    answer = {"exists": True, "isdir": False, **owner, "checksum": "a" * 40}
    found = said({"stat": {"path": "/x"}}, {"changed": False, "stat": {**answer, "lnk_source": "/{{ x }}", "uid": 0}})
    assert found == {"changed": False, "stat": answer}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("stat", {"stat": {"exists": "yes"}}),
        ("stat", {"stat": {"exists": True, "mode": "{{ x }}"}}),
        ("copy", {"backup_file": "../../x"}),
        ("template", {"backup_file": "/etc/x/../../y"}),
        ("systemd_service", {"status": {"ActiveState": "active; id"}}),
        ("uri", {"status": "200"}),
        ("user", {"uid": -1}),
        ("wait_for", {"elapsed": "1"}),
        ("command", {"rc": "0"}),
    ],
    ids=str,
)
def test_what_does_not_fit(name, answer):
    found = said({name: {}}, {"changed": False, **answer})
    assert set(found) == {"failed", "changed", "msg"}
    assert found["msg"].startswith(f"The result of {name} on this host is invalid and was discarded")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("copy", {"backup_file": "/etc/x.1234.2026-11-23@03:45:00~", "checksum": "a" * 40, "dest": "/etc/x"}),
        ("file", {"dest": "/etc/x", "owner": "root", "group": "root", "mode": "0755", "uid": 0, "gid": 0, "size": 3}),
        ("package", {"msg": "All is there.", "stdout": "", "stderr": ""}),
        ("systemd_service", {"status": {"ActiveState": "failed"}}),
        ("template", {"backup_file": "/etc/x~", "checksum": "a" * 40, "state": "file"}),
        ("uri", {"status": 503, "msg": "HTTP Error 503: Service Unavailable"}),
        ("uri", {"status": -1}),
        ("user", {"name": "slurmrestd", "uid": 998}),
        ("wait_for", {"elapsed": 10}),
    ],
    ids=str,
)
def test_what_roles_use(name, answer):
    assert said({name: {}}, {"changed": False, **answer}) == {"changed": False, **answer}


# What the modules of ansible-core 2.19 said.
OWNERSHIP = {"owner": "root", "group": "root", "mode": "01777", "uid": 0, "gid": 0, "size": 4096}
REAL = {
    "command": {
        "changed": True, "cmd": ["id"], "delta": "0:00:00.004", "end": "2026-11-29 12:40:32.1", "msg": "", "rc": 0,
        "start": "2026-11-29 12:40:32.0", "stderr": "", "stdout": "uid=0(root)", "stdout_lines": ["uid=0(root)"],
        "stderr_lines": [],
    },
    "copy": {
        **OWNERSHIP, "changed": True, "checksum": "a" * 40, "dest": "/x/a", "md5sum": "b" * 32, "state": "file",
        "src": "/root/.ansible/tmp/x/source", "backup_file": "/x/a.1739.2026-11-29@12:39:09~",
        "diff": [{"after": "b\n", "after_header": "/x/a", "before": "a\n", "before_header": "/x/a"}],
    },
    "file": {
        **OWNERSHIP, "changed": True, "path": "/x", "state": "directory",
        "diff": {"before": {"path": "/x", "state": "absent"}, "after": {"path": "/x", "state": "directory"}},
    },
    "package": {"changed": False, "cache_update_time": 1795951953, "cache_updated": False},
    "stat": {"changed": False, "stat": {"exists": False}},
    "systemd_service": {
        "changed": True, "enabled": True, "name": "nginx", "state": "started",
        "status": {"ActiveState": "active", "ExecStart": "{ path=/usr/sbin/nginx }", "Description": "{{ x }}"},
    },
    "template": {**OWNERSHIP, "changed": False, "checksum": "a" * 40, "dest": "/x/c", "path": "/x/c", "state": "file"},
    "uri": {
        "changed": False, "content_length": "62", "content_type": "text/plain", "cookies": {}, "cookies_string": "",
        "date": "Sun, 29 Nov 2026 12:40:32 GMT", "elapsed": 0, "msg": "OK (62 bytes)", "redirected": False,
        "server": "nginx", "status": 200, "url": "https://127.0.0.1/healthz",
    },
    "user": {
        "append": False, "changed": False, "comment": "", "group": 998, "home": "/nonexistent", "move_home": False,
        "name": "slurmrestd", "shell": "/usr/sbin/nologin", "state": "present", "uid": 998,
    },
    "wait_for": {
        **OWNERSHIP, "changed": False, "elapsed": 0, "match_groupdict": {}, "match_groups": [], "path": "/tmp",
        "port": None, "search_regex": None, "state": "directory",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(builtin_modules.BUILTINS))
def test_what_modules_really_say_fits(name, display):
    found = said({name: {}}, REAL[name])
    assert found.get("failed", False) is False, found["msg"]
    assert found["changed"] is REAL[name]["changed"]
    display.warning.assert_not_called()


def test_what_fails():
    found = said({"package": {"name": "x"}}, {"failed": True, "msg": "No package {{ x }}\nmatching", "rc": 1})
    assert found == {"failed": True, "msg": "No package { { x } } matching", "rc": 1}


def test_a_host_out_of_reach():
    def run(**dummy):
        raise AnsibleConnectionFailure("{{ x }}\nno route")

    with pytest.raises(AnsibleConnectionFailure) as caught:
        said({"command": {"argv": ["id"]}}, run)
    assert str(caught.value) == "{ { x } } no route"


def test_what_cannot_be_looked_at_in_check_mode_is_skipped():
    # So says the action of uri, for one.
    def run(**dummy):
        raise AnsibleActionSkip("This action (ansible.builtin.uri) does not support check mode.")

    try:
        found = said({"uri": {"url": "https://rest1"}}, run)
    except AnsibleActionSkip:
        # So Ansible has it.
        return
    assert (found.get("skipped"), found.get("failed", False)) == (True, False)


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "timeout", "seconds"),
    [
        ({"command": {}}, 0, 120),
        ({"package": {}}, 0, 900),
        ({"stat": {}}, 0, 60),
        ({"wait_for": {"timeout": 10}}, 0, 410),
        ({"wait_for": {"timeout": "10"}}, 0, 410),
        ({"wait_for": {"timeout": 10}}, 7, 7),
    ],
    ids=str,
)
def test_how_long_a_host_may_take(monkeypatch, args, timeout, seconds):
    found = mock.MagicMock()
    found.return_value.__exit__.return_value = False
    monkeypatch.setattr(_checked_action, "at_most", found)
    said(args, {"changed": False}, timeout=timeout)
    assert found.call_args.args[0] == seconds


def test_a_host_that_hangs():
    found = said({"command": {"argv": ["sleep"]}}, lambda **dummy: time.sleep(60), timeout=1)
    assert found == {"failed": True, "changed": False, "msg": "The host did not answer within 1 s."}


@pytest.mark.parametrize("no_log", [False, True])
def test_secrets_are_not_sent_where_files_are_kept(monkeypatch, no_log):
    monkeypatch.setattr(C, "DEFAULT_KEEP_REMOTE_FILES", True)
    action = make({"copy": {"content": "x", "dest": "/x"}}, {"changed": True}, no_log=no_log)
    found = action.run(task_vars={})
    assert asked(action) is not no_log
    assert found.get("failed", False) is no_log


# -- jobs -------------------------------------------------------------------------------------------------------------


def job(**options):
    return {"async_status": {"jid": JOB, "of": "slurm_jwt_key", **options}}


def test_a_job_is_asked_for_without_our_own_options():
    running = {"ansible_job_id": JOB, "started": 1, "finished": 0, "changed": False}
    action = make(job(deadline=time.time() + 60), running)
    assert action.run(task_vars={}) == running
    assert action._shared_loader_obj.action_loader.get.call_args.kwargs["task"].args == {"jid": JOB}
    # The next try has them all again.
    assert set(action._task.args["async_status"]) == {"jid", "of", "deadline"}


@pytest.mark.parametrize(("ahead", "pause"), [(3, 3), (-7, 0), (10_000, slurm_jwt_builtin.LONGEST_PAUSE)])
def test_a_job_that_cannot_have_ended_is_not_asked_for(monkeypatch, ahead, pause):
    pauses = []
    monkeypatch.setattr(slurm_jwt_builtin.time, "sleep", pauses.append)
    action = make(job(not_before=time.time() + ahead), {"finished": 1})
    action.run(task_vars={})
    assert pauses == [pytest.approx(pause, abs=1)]
    assert action._shared_loader_obj.action_loader.get.call_args.kwargs["task"].args == {"jid": JOB}


def test_a_job_that_has_ended_says_what_its_module_says(display):
    ended = {
        "ansible_job_id": JOB,
        "started": 1,
        "finished": 1,
        "changed": True,
        "fingerprint": "SHA256:" + "7d" * 32,
        "activated": 1795405500.25,
        "results_file": f"/root/.ansible_async/{JOB}",
    }
    more = {"stdout": "", "stderr": "", "stdout_lines": [], "content": "c2VjcmV0", "unheard": "{{ x }}"}
    assert said(job(), {**ended, **more}) == {**ended, "content": "c2VjcmV0"}
    display.warning.assert_not_called()


@pytest.mark.parametrize("answer", [{"fingerprint": "{{ x }}"}, {"finished": 2}, {"ansible_job_id": "../../x"}])
def test_a_job_that_does_not_fit(answer):
    found = said(job(), {"changed": True, **answer})
    assert found["msg"].startswith("The result of async_status on this host is invalid and was discarded")
    # Without this Ansible warns that the task is none that started a job.
    assert found["finished"] == 1


@pytest.mark.parametrize("of", [None, "", "command", "slurm_jwt_builtin", "slurm_jwt_declarations", "no_such"])
def test_a_job_of_another_module(of):
    action = make({"async_status": {"jid": JOB, "of": of}}, {"finished": 1})
    assert action.run(task_vars={})["msg"] == "async_status: 'of' names no module of this collection."
    action = make({"async_status": {"jid": JOB}}, {"finished": 1})
    assert action.run(task_vars={})["failed"] is True
    assert not asked(action)


@pytest.mark.parametrize("deadline", [1, "1.5", 0])
def test_a_job_beyond_its_time_is_not_asked_for(deadline):
    action = make(job(deadline=deadline), {"finished": 1})
    assert action.run(task_vars={}) == {
        "failed": True, "changed": False, "msg": "The job on the host did not end in its time.", "finished": 1
    }  # fmt: skip
    assert not asked(action)


@pytest.mark.parametrize(("left", "least", "most"), [(600, 60, 60), (10, 9, 11), (0.2, 1, 1), (None, 60, 60)])
def test_a_question_for_a_job_takes_no_longer_than_the_job(left, least, most):
    options = {} if left is None else {"deadline": time.time() + left}
    action = make(job(**options), {"finished": 1})
    action.run(task_vars={})
    assert least <= action.observation().seconds <= most


# -- check mode where Ansible's apt would want to be installed first ---------------------------------------------------


@pytest.mark.parametrize(
    ("stdout", "changed"),
    [("installed nginx 1.26\n", True), ("installed nginx 1.26\ninstalled python3-jwt 2.10\n", False), ("", True)],
)
def test_dpkg_says_what_is_missing(stdout, changed):
    action = make({"package": {"name": ["nginx", "python3-jwt=2.10"], "state": "present"}})
    refused = {"failed": True, "msg": "python3-apt must be installed to use check mode. If run normally ..."}
    answers = [refused, {"failed": changed, "rc": int(changed), "stdout": stdout}]
    action._shared_loader_obj.action_loader.get.return_value.run.side_effect = answers
    action._task.copy = lambda: Task(args={}, check_mode=True)
    found = action.run(task_vars={"inventory_hostname": "node1"})
    assert not found.get("failed")
    assert found["changed"] is changed
    named, told = action._shared_loader_obj.action_loader.get.call_args
    assert named == ("ansible.builtin.command",)
    assert told["task"].args["argv"][-2:] == ["nginx", "python3-jwt"]
    assert told["task"].check_mode is False, "it reads, and so it runs in check mode"
