# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host answers is checked in one place, which accepts what is declared and never waits for ever."""

from __future__ import annotations

import ast
import contextlib
import pathlib
import resource
import signal
import subprocess
import time
from unittest import mock

import pytest
from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleAuthenticationFailure, AnsibleConnectionFailure

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _checked_action
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations import modules

MODULES = pathlib.Path(__file__).resolve().parents[4] / "plugins/modules"
DELIMITERS = ("{{", "{%", "{#", "}}", "%}", "#}")
TEMPLATE = "{{ lookup('pipe', 'id') }}"
# What slurm_jwt_daemon answers.
ANSWER = {"changed": True, "pid": 4711, "seconds": 1.2, "held": True}
NOWHERE = "Inspect the host before you trust it again."


def make(ask, module="slurm_jwt_daemon", args=None, timeout=0, async_val=0, ignore_unreachable=False):
    """An action for a host that ASK answers for."""

    class Host(_checked_action.CheckedAction):
        def execute(self, variables):
            self.asked = variables
            return ask()

    task = mock.Mock(args=args or {}, timeout=timeout, async_val=async_val, check_mode=False, no_log=False)
    task.action, task.ignore_unreachable = f"hpc.slurm_jwt.{module}", ignore_unreachable
    connection = mock.Mock(has_native_async=False)
    connection._shell.tmpdir = "/tmp/ansible-tmp"
    return Host(task, connection, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())


def answered(ask, **options):
    return make(ask, **options).run(task_vars={"inventory_hostname": "node1"})


def said(answer, **options):
    """What becomes of an answer."""
    return answered(lambda: answer, **options)


def is_harmless(text):
    return text.isprintable() and not any(mark in text for mark in DELIMITERS)


# -- what comes in ----------------------------------------------------------------------------------------------------


def test_an_answer_comes_in(display):
    assert said(ANSWER) == ANSWER
    display.warning.assert_not_called()


def test_the_host_is_asked_with_the_variables():
    action = make(lambda: ANSWER)
    variables = {"inventory_hostname": "node1"}
    action.run(task_vars=variables)
    assert action.asked is variables


def test_members_that_nobody_declared_are_dropped_and_named(display):
    hostile = {
        "ansible_facts": {"slurm_jwt_key_path": "/x", "ansible_ssh_common_args": "-oProxyCommand=id"},
        "add_host": {"host_name": "evil"},
        "_ansible_no_log": True,
        TEMPLATE + "\nok: [ctl1]": 1,
    }
    assert said({**ANSWER, **hostile}) == ANSWER
    ((text,), _named) = display.warning.call_args
    assert text.startswith("node1: the result of slurm_jwt_daemon had undeclared members")
    assert text.endswith(NOWHERE)
    for name in ("ansible_facts", "add_host", "_ansible_no_log"):
        assert name in text
    assert "ProxyCommand" not in text
    assert is_harmless(text)
    assert display.warning.call_count == 1


def test_ten_of_many_members_are_named(display):
    assert said({**ANSWER, **{f"member{number:05}" + "x" * 1000: 1 for number in range(10_000)}}) == ANSWER
    ((text,), _named) = display.warning.call_args
    assert "member00009" in text and "member00010" not in text
    assert len(text) < 1200


@pytest.mark.parametrize(
    "usual",
    [
        {"invocation": {"module_args": {}}},
        {"deprecations": [{"msg": TEMPLATE}]},
        {"stdout_lines": ["a"], "stderr_lines": ["b"]},
        {"exception": "Traceback", "_ansible_parsed": True},
    ],
    ids=lambda usual: next(iter(usual)),
)
def test_members_that_every_module_has_are_dropped_silently(display, usual):
    assert said({**ANSWER, **usual}) == ANSWER
    display.warning.assert_not_called()


def test_a_module_that_ansible_could_not_start(display):
    # As Ansible has it of a host without Python.
    found = said(
        {
            "failed": True,
            "changed": False,
            "module_stdout": "",
            "module_stderr": "/bin/sh: 1: python3: not found\n",
            "msg": "The module failed to execute correctly, you probably need to set the interpreter.",
            "rc": 127,
        }
    )
    assert found["failed"] is True
    assert "interpreter" in found["msg"]
    assert found["rc"] == 127
    # Nothing that would be a reason to look into the host.
    display.warning.assert_not_called()


@pytest.mark.parametrize("path", ["/usr/bin/python3", "/usr/libexec/platform-python", "/opt/py-3.11+x/bin/python3.11"])
def test_the_interpreter_that_ansible_found_is_kept(display, path):
    found = said({**ANSWER, "ansible_facts": {"discovered_interpreter_python": path}})
    assert found == {**ANSWER, "ansible_facts": {"discovered_interpreter_python": path}}
    display.warning.assert_not_called()


@pytest.mark.parametrize(
    "path",
    ["", "python3", "/", "/usr/bin/python3 -c x", "/x;id", "/x\n/y", "/{{ x }}", "/$(id)", "/" + "a" * 256, 3, ["/x"]],
)
def test_no_interpreter(path):
    assert said({**ANSWER, "ansible_facts": {"discovered_interpreter_python": path}}) == ANSWER


def test_the_interpreter_brings_no_other_fact(display):
    facts = {"discovered_interpreter_python": "/usr/bin/python3", "slurm_jwt_key_path": "/x"}
    found = said({**ANSWER, "ansible_facts": facts})
    assert found["ansible_facts"] == {"discovered_interpreter_python": "/usr/bin/python3"}
    assert "ansible_facts" in display.warning.call_args[0][0]


@pytest.mark.parametrize("facts", [None, [], "text", 7, {"a": 1}, [["discovered_interpreter_python", "/x"]]])
def test_other_facts(facts):
    assert said({**ANSWER, "ansible_facts": facts}) == ANSWER


def test_warnings_come_in_as_sentences():
    found = said({**ANSWER, "warnings": [f"Beware\n{TEMPLATE}", "b" * 5000, *["c"] * 100]})
    assert len(found["warnings"]) == 20
    assert found["warnings"][0].startswith("Beware {")
    assert len(found["warnings"][1]) < 1100
    assert all(is_harmless(each) for each in found["warnings"])


@pytest.mark.parametrize("warnings", [None, "text", 7, {"a": "b"}, []])
def test_no_warnings(warnings):
    assert said({**ANSWER, "warnings": warnings}) == ANSWER


def test_warnings_that_are_objects():
    # As ansible-core has them from 2.19 on.
    messages = pytest.importorskip("ansible.module_utils._internal._messages")
    text = "/etc/slurm/slurm.conf:3: 'rest_auth/jwt' in AuthAltTypes."
    warning = messages.WarningSummary(event=messages.Event(msg=text))
    assert said({**ANSWER, "warnings": [warning]})["warnings"] == [text]


# -- what does not fit ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        {**ANSWER, "pid": TEMPLATE},
        {**ANSWER, "seconds": "1"},
        {**ANSWER, "changed": "yes"},
        {**ANSWER, "msg": ["text"]},
        {**ANSWER, "failed": TEMPLATE},
        {"changed": True, "pid": 1},
        {**ANSWER, "last_words": [[TEMPLATE]]},
        {},
        [],
        None,
        TEMPLATE,
        {"skipped": True},
    ],
    ids=str,
)
def test_a_misfit_fails_and_brings_nothing(answer):
    found = said(answer)
    assert set(found) == {"failed", "changed", "msg"}
    assert (found["failed"], found["changed"]) == (True, False)
    assert found["msg"].startswith("The result of slurm_jwt_daemon on this host is invalid and was discarded: ")
    assert found["msg"].endswith(NOWHERE)
    assert "lookup" not in found["msg"]


def test_a_number_beyond_all_floats_is_no_traceback():
    assert said({**ANSWER, "pid": 10**400})["failed"] is True


# -- failures ---------------------------------------------------------------------------------------------------------


def test_a_failure_says_why_and_needs_no_more():
    found = said({"failed": True, "msg": f"no\n\x1b[m {TEMPLATE}", "rc": 1, "module_stderr": TEMPLATE})
    assert found["failed"] is True
    assert found["msg"].startswith("no ")
    assert is_harmless(found["msg"])
    assert is_harmless(found["module_stderr"])
    assert "pid" not in found


def test_a_long_failure_is_cut():
    assert len(said({"failed": True, "msg": "x" * 10_000_000})["msg"]) < 17_000


def test_a_failure_brings_no_fact(display):
    found = said({"failed": True, "msg": "no", "ansible_facts": {"slurm_jwt_key_path": "/x"}})
    assert found == {"failed": True, "msg": "no"}
    assert "ansible_facts" in display.warning.call_args[0][0]


def test_a_job_that_was_started():
    started = {"ansible_job_id": "j1.2", "started": 1, "finished": 0, "results_file": "/root/.ansible_async/j1.2"}
    assert said(started, async_val=300) == started


@pytest.mark.parametrize("error", [ValueError, RuntimeError, KeyError, AnsibleActionFail, OSError])
def test_an_exception_is_a_failure(error):
    def ask():
        raise error(f"broken\n{TEMPLATE}")

    found = answered(ask)
    assert found["failed"] is True
    assert "broken" in found["msg"]
    assert is_harmless(found["msg"])
    assert "pid" not in found


def test_an_exception_with_a_result():
    def ask():
        raise AnsibleActionFail("broken", result={"rc": 2, "ansible_facts": {"slurm_jwt_key_path": "/x"}})

    found = answered(ask)
    assert (found["failed"], found["msg"], found["rc"]) == (True, "broken", 2)
    assert "ansible_facts" not in found


@pytest.mark.parametrize("kind", [AnsibleConnectionFailure, AnsibleAuthenticationFailure])
def test_a_host_out_of_reach_is_out_of_reach(kind):
    def ask():
        raise kind(f"Failed to connect:\n\x1b[2K{TEMPLATE} " + "x" * 100_000)

    # Ansible treats all of them alike; each kind of its own would say again what it says already.
    with pytest.raises(AnsibleConnectionFailure) as caught:
        answered(ask)
    assert "Failed to connect: " in str(caught.value)
    assert is_harmless(str(caught.value))
    assert len(str(caught.value)) < 5000


def test_what_ansible_says_of_a_host_out_of_reach_is_said_once():
    error = AnsibleAuthenticationFailure("Permission denied")

    def ask():
        raise error

    with pytest.raises(AnsibleConnectionFailure) as caught:
        answered(ask)
    assert str(caught.value) == str(error)


def _lost():
    raise AnsibleConnectionFailure(f"No route to host {TEMPLATE}")


def _run_lost(local, **options):
    variables = {"inventory_hostname": "node1", "hostvars": {"localhost": local}}
    return make(_lost, **options).run(task_vars=variables)


def test_a_host_that_is_lost_once_there_is_a_plan_has_failed():
    """Ansible runs no rescue for a host out of reach, so the run would end without a report."""
    found = _run_lost({"slurm_jwt_plan": {"primary": "node1"}})
    assert (found["failed"], found["changed"], "unreachable" in found) == (True, False, False)
    assert found["msg"].startswith("The host could not be reached any more: No route to host")
    assert is_harmless(found["msg"])


@pytest.mark.parametrize(
    ("local", "ignore_unreachable"), [({}, False), ({"slurm_jwt_plan": {"primary": "node1"}}, True)]
)
def test_without_a_plan_or_where_a_task_may_miss_hosts_it_is_out_of_reach(local, ignore_unreachable):
    with pytest.raises(AnsibleConnectionFailure, match="No route to host"):
        _run_lost(local, ignore_unreachable=ignore_unreachable)


# -- limits -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def limits_are_back():
    """Whatever happened, Ansible's worker is as it was."""
    before = (signal.getsignal(signal.SIGALRM), resource.getrlimit(resource.RLIMIT_AS))
    yield
    assert (signal.getsignal(signal.SIGALRM), resource.getrlimit(resource.RLIMIT_AS)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_limits_hold_inside_only():
    inside = {}

    def ask():
        inside["seconds"] = signal.getitimer(signal.ITIMER_REAL)[0]
        inside["memory"] = resource.getrlimit(resource.RLIMIT_AS)[0]
        return ANSWER

    with limits_are_back():
        assert answered(ask) == ANSWER
    assert 295 < inside["seconds"] <= 300
    assert _checked_action.MEMORY < inside["memory"] < 64 * _checked_action.MEMORY


def test_limits_are_lifted_after_an_exception():
    def ask():
        raise ValueError("broken")

    with limits_are_back():
        assert answered(ask)["failed"] is True


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 300),
        ({"timeout": 7}, 7),
        ({"timeout": 7, "args": {"timeout": 100}}, 7),
        ({"args": {"timeout": 100}}, 400),
        ({"args": {"timeout": "100"}}, 400),
        ({"args": {"timeout": "soon"}}, 300),
        ({"args": {"timeout": None}}, 300),
        ({"args": {"timeout": []}}, 300),
        ({"module": "slurm_jwt_key"}, 120),
    ],
    ids=str,
)
def test_how_long_a_host_may_take(monkeypatch, options, seconds):
    found = []

    @contextlib.contextmanager
    def at_most(*limits):
        found.append(limits)
        yield

    monkeypatch.setattr(_checked_action, "at_most", at_most)
    answered(lambda: {"failed": True, "msg": ""}, **options)
    assert found == [(seconds, _checked_action.MEMORY)]


def test_a_host_that_hangs():
    children = []

    def ask():
        children.append(subprocess.Popen(["sleep", "60"]))
        children[0].wait()
        return ANSWER

    began = time.monotonic()
    with limits_are_back():
        found = answered(ask, timeout=1)
    assert time.monotonic() - began < 10
    assert found == {"failed": True, "changed": False, "msg": "The host did not answer within 1 s."}
    assert children[0].wait(timeout=10) == -signal.SIGTERM


def test_a_host_that_hangs_in_code_that_takes_every_exception():
    def ask():
        while True:
            try:
                time.sleep(60)
            except Exception:
                continue

    began = time.monotonic()
    assert answered(ask, timeout=1)["msg"] == "The host did not answer within 1 s."
    assert time.monotonic() - began < 10


def test_nothing_more_is_asked_of_a_host_that_hangs():
    action = make(lambda: time.sleep(60), timeout=1)
    action.run(task_vars={})
    # Where there is no temporary folder, there is none to remove.
    assert action._connection._shell.tmpdir is None
    with mock.patch.object(action, "_low_level_execute_command") as execute:
        action.cleanup()
    execute.assert_not_called()


def test_a_host_that_answers_in_time_is_left_alone():
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert answered(lambda: ANSWER, timeout=5) == ANSWER
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_an_answer_that_is_too_large():
    def ask():
        raise MemoryError

    with limits_are_back():
        found = answered(ask)
    assert set(found) == {"failed", "changed", "msg"}
    assert found["msg"] == "The host's answer is larger than 1024 MiB, so it was not read to its end."


def test_an_answer_that_really_is_too_large(monkeypatch):
    monkeypatch.setattr(_checked_action, "MEMORY", 64 << 20)
    children = []

    def ask():
        children.append(subprocess.Popen(["sleep", "60"]))
        return {**ANSWER, "msg": bytearray(512 << 20)}

    with limits_are_back():
        found = answered(ask)
    assert "larger than 64 MiB" in found["msg"]
    assert children[0].wait(timeout=10) == -signal.SIGTERM


# -- secrets in files -------------------------------------------------------------------------------------------------


def _options(node):
    """The options that a part of a program declares, by name, if it does."""
    if isinstance(node, ast.Dict):
        return [(key.value, value) for key, value in zip(node.keys, node.values) if isinstance(key, ast.Constant)]
    return [(each.arg, each.value) for each in node.keywords] if isinstance(node, ast.Call) else []


def _with_secrets():
    """Module and name of each option that is marked as a secret, at the top level or in a list."""
    for module in sorted(modules.MODULES):
        for node in ast.walk(ast.parse((MODULES / f"{module}.py").read_text(encoding="utf-8"))):
            for name, value in _options(node):
                if any(key == "no_log" and ast.literal_eval(says) for key, says in _options(value)):
                    yield module, name


SECRETS = sorted(set(_with_secrets()))
RETURNED = [
    ("slurm_jwt_key", "return_content"),
    ("slurm_jwt_token", "return_token"),
    ("slurm_jwt_token", "return_tokens"),
    ("slurm_jwt_token", "tokens"),
    ("slurm_jwt_proof", "return_tokens"),
]


def test_secrets_are_found():
    assert {("slurm_jwt_key", "content"), ("slurm_jwt_token", "token"), ("slurm_jwt_proof", "tokens")} <= set(SECRETS)


@pytest.mark.parametrize(("module", "option"), [*SECRETS, *RETURNED])
def test_no_secret_is_sent_where_files_are_kept(monkeypatch, module, option):
    monkeypatch.setattr(C, "DEFAULT_KEEP_REMOTE_FILES", True)

    def ask():
        raise AssertionError("The host was asked.")

    found = answered(ask, module=module, args={"path": "/x", option: "secret"})
    assert found["failed"] is True
    assert found["msg"].startswith("ANSIBLE_KEEP_REMOTE_FILES")
    assert "secret" not in found["msg"]


def test_what_is_no_secret_is_sent(monkeypatch):
    monkeypatch.setattr(C, "DEFAULT_KEEP_REMOTE_FILES", True)
    assert said(ANSWER, args={"service": "slurmctld", "content": None, "return_content": False}) == ANSWER


@pytest.mark.parametrize("option", ["content", "token", "tokens"])
def test_secrets_are_sent_where_files_are_removed(option):
    assert said(ANSWER, args={option: "secret"}) == ANSWER


# -- how the host is asked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("async_val", "native", "background"), [(0, False, False), (30, False, True), (30, True, False), (0, True, False)]
)
def test_the_module_is_run(monkeypatch, async_val, native, background):
    action = make(dict, async_val=async_val)
    action._connection.has_native_async = native
    execute, remove = mock.Mock(return_value={**ANSWER}), mock.Mock()
    monkeypatch.setattr(action, "_execute_module", execute)
    monkeypatch.setattr(action, "_remove_tmp_path", remove)
    variables = {"inventory_hostname": "node1"}
    assert _checked_action.CheckedAction.execute(action, variables) == ANSWER
    name = f"hpc.slurm_jwt.{action.module()}"
    execute.assert_called_once_with(
        module_name=name, module_args=action._task.args, task_vars=variables, wrap_async=background
    )
    # Ansible adds its own arguments to what it is given, and keeps those of the task for every host.
    assert execute.call_args.kwargs["module_args"] is not action._task.args
    # A job reads its module when the task has long been over.
    assert remove.called is not background


@pytest.mark.parametrize("module", sorted(modules.MODULES))
def test_the_observation_is_that_of_the_module(module):
    action = make(dict, module=module)
    assert action.module() == module
    assert action.observation() is modules.MODULES[module]
