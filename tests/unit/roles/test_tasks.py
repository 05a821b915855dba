# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of every task is checked, and what crosses from one host to another is a short list."""

from __future__ import annotations

import dataclasses
import importlib
import pathlib
import re

import pytest
import yaml
from ansible.playbook.block import Block
from ansible.playbook.handler import Handler

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._checked_action import CheckedAction
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cross_host import RESULTS
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import declarations, inventory_hosts, plan_steps
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations import builtin_modules, modules
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import plan_types
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports import run_summary
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import declared_services

ROOT = pathlib.Path(__file__).resolve().parents[3]
OURS = "hpc.slurm_jwt."
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))

# What works where Ansible runs, and takes nothing from a managed host.
LOCAL = {
    f"ansible.builtin.{name}"
    for name in (
        *("assert", "debug", "fail", "meta", "pause", "set_fact", "validate_argument_spec"),
        *("import_playbook", "import_role", "import_tasks", "include_role", "include_tasks"),
    )
}


def _loaded(path):
    with path.open(encoding="utf-8") as stream:
        return yaml.safe_load(stream) or []


def _walk(tasks, path, play):
    """Every task, those in blocks too, each with its file and the play that it is in."""
    for task in tasks or ():
        inner = [name for name in ("block", "rescue", "always") if name in task]
        for name in inner:
            yield from _walk(task[name], path, play)
        if not inner:
            yield path, play, task


def _all_tasks():
    for path in sorted(ROOT.glob("roles/*/*/**/*.yml")):
        if path.relative_to(ROOT).parts[2] in ("tasks", "handlers"):
            yield from _walk(_loaded(path), path, {})
    for path, play in PLAYS:
        for part in ("pre_tasks", "tasks", "post_tasks", "handlers"):
            yield from _walk(play.get(part), path, play)


PLAYS = [(path, play) for path in sorted(ROOT.glob("playbooks/*.yml")) for play in _loaded(path)]
TASKS = list(_all_tasks())
# Everything that is no action: attributes of tasks and handlers, and loops of the old kind.
KEYWORDS = {*Handler.fattributes, *Block.fattributes, "listen"} - {"action", "local_action"}


def _where(path, task):
    return f"{path.relative_to(ROOT)}: {task.get('name', '(no name)')}"


def _action(path, task):
    """The action of a task and its options. Each has one, by its full name."""
    found = [name for name in task if name not in KEYWORDS and not name.startswith("with_")]
    assert (_where(path, task), len(found)) == (_where(path, task), 1)
    return found[0], task[found[0]]


def test_tasks_are_found():
    assert len(TASKS) > 150
    assert len(PLAYS) > 30
    assert {path.parent.name for path, _play, _task in TASKS} == {"tasks", "playbooks"}
    assert {path.name.partition("_")[0] for path, _play, _task in TASKS} >= {"rotation", "rsa"}


def test_a_file_of_tasks_is_named_without_a_folder():
    """ansible-core 2.16 looks at the last part of tasks_from alone, and may find another file of that name."""
    named = [
        str(options["tasks_from"])
        for path, _play, task in TASKS
        for name, options in [_action(path, task)]
        if name.endswith("_role") and "tasks_from" in options
    ]
    assert len(named) > 50
    assert [name for name in named if "/" in name] == []


# -- actions ----------------------------------------------------------------------------------------------------------


def test_the_result_of_every_task_is_checked():
    others = []
    for path, play, task in TASKS:
        action, _options = _action(path, task)
        if action in LOCAL or action.startswith(OURS) and action[len(OURS) :] in MODULES:
            continue
        others.append((str(path.relative_to(ROOT)), action, play.get("hosts"), play.get("connection")))
    # The report is written where Ansible runs.
    assert others == [("playbooks/report.yml", "ansible.builtin.copy", "localhost", "local")]


def test_what_is_delegated():
    found = {
        (path.parts[-3], path.name, _action(path, task)[0], task["delegate_to"])
        for path, _play, task in TASKS
        if "delegate_to" in task
    }
    elsewhere = {each for each in found if each[2:] != ("ansible.builtin.set_fact", "localhost")}
    # The primary controller asks slurmrestd from outside.
    assert {each[:3] for each in elsewhere} == {("slurmrestd", "prove_from_controller.yml", f"{OURS}slurm_jwt_proof")}
    assert all("primary" in each[3] for each in elsewhere)


def test_no_play_gathers_facts():
    # The result of the module setup is not checked.
    for path, play in PLAYS:
        if not set(play) & {"import_playbook", "ansible.builtin.import_playbook"}:
            assert (_where(path, play), play.get("gather_facts")) == (_where(path, play), False)
            assert "roles" not in play


def test_plays_import_only_playbooks_of_this_collection():
    found = {value for _path, play in PLAYS for name, value in play.items() if name.endswith("import_playbook")}
    assert all((ROOT / "playbooks" / f"{name.removeprefix(OURS).removesuffix('.yml')}.yml").exists() for name in found)


def test_included_roles_are_ours():
    for path, _play, task in TASKS:
        action, options = _action(path, task)
        if action.endswith("_role"):
            assert (_where(path, task), options["name"].startswith(OURS)) == (_where(path, task), True)


def test_included_tasks_are_in_the_same_role():
    for path, _play, task in TASKS:
        action, options = _action(path, task)
        if action.endswith(("include_tasks", "import_tasks")):
            name = options if isinstance(options, str) else options["file"]
            role = path.parents[len(path.relative_to(ROOT).parts) - 3]
            assert (_where(path, task), (path.parent / name).exists() or (role / "tasks" / name).exists()) == (
                _where(path, task), True
            )  # fmt: skip


def test_builtin_modules_are_known_ones_with_fixed_names():
    for path, _play, task in TASKS:
        action, options = _action(path, task)
        if action != f"{OURS}slurm_jwt_builtin":
            continue
        (name,) = options
        assert (_where(path, task), name in (*builtin_modules.BUILTINS, "async_status")) == (_where(path, task), True)
        if name == "async_status":
            assert (_where(path, task), options[name]["of"] in modules.MODULES) == (_where(path, task), True)


# Files of tasks before there is a plan.
_BEFORE_THE_PLAN = re.compile(r"declarations|layout|inspect_server|inspect_node|decide|rotation_preflight")


def test_a_failure_on_any_host_leads_to_the_report():
    """Ansible drops a host that fails without a rescue from all later plays, and the primary reports."""
    dropping = {
        (path.stem, play["name"])
        for path, play in PLAYS
        if path.stem in ("rollout", "rotate", "remove", "verify")
        and not _BEFORE_THE_PLAN.search(str(play["tasks"]))
        and "planned_hosts('report')" not in play["hosts"]
        and not all("rescue" in task for task in play["tasks"])
    }
    # Its failure says all.
    assert dropping == {("verify", "Prove slurmctld and slurmdbd")}


# -- plugins ----------------------------------------------------------------------------------------------------------


def _plugin(kind, name):
    return importlib.import_module(f"ansible_collections.hpc.slurm_jwt.plugins.{kind}.{name}")


def test_modules_and_actions_are_the_same():
    assert sorted(path.stem for path in (ROOT / "plugins/action").glob("*.py")) == MODULES


@pytest.mark.parametrize("name", MODULES)
def test_the_result_of_every_module_is_checked(name):
    action = _plugin("action", name).ActionModule
    if name == "slurm_jwt_declarations":
        # It asks no host.
        assert action._requires_connection is False
        assert not issubclass(action, CheckedAction)
    else:
        assert issubclass(action, CheckedAction)
        assert action._requires_connection is True
        # What comes in is decided in one place.
        assert action._accept is CheckedAction._accept


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "plugins/filter").glob("*.py")))
def test_every_filter_marks_what_it_returns(name):
    for function in _plugin("filter", name).FilterModule().filters().values():
        assert callable(function.__wrapped__)


# -- names ------------------------------------------------------------------------------------------------------------


def _results():
    """What tasks register or set that begins with our prefixes -> where."""
    found = {}
    for path, _play, task in TASKS:
        action, options = _action(path, task)
        names = {*options} - {"cacheable"} if action == "ansible.builtin.set_fact" else set()
        for name in names | ({task["register"]} if "register" in task else set()):
            if declarations.is_ours(name):
                found.setdefault(name, []).append(_where(path, task))
    return found


def test_the_run_summary_knows_only_results_of_tasks():
    registered = {task["register"] for _path, _play, task in TASKS if "register" in task}
    assert {name for name, _text in run_summary.ACTIONS} <= registered
    assert set(run_summary.PROOFS) <= registered


def test_own_results_are_what_tasks_leave():
    # And what plays are told, which is there when a play reads what the site declares.
    of_plays = {name for _path, play in PLAYS for name in play.get("vars") or () if declarations.is_ours(name)}
    expected = {*_results(), *of_plays} - declarations.OF_PLAYBOOKS
    differences = {
        "left, and not listed": sorted(expected - declarations.OWN_RESULTS),
        "listed, and not left": sorted(declarations.OWN_RESULTS - expected),
    }
    assert differences == {"left, and not listed": [], "listed, and not left": []}


def test_facts_are_not_cached():
    # A fact cache of a project outlives the run, and hosts of other projects write to it.
    for path, _play, task in TASKS:
        action, options = _action(path, task)
        assert (_where(path, task), action == "ansible.builtin.set_fact" and "cacheable" in options) == (
            _where(path, task), False
        )  # fmt: skip


def test_tasks_leave_nothing_without_our_prefixes():
    for path, _play, task in TASKS:
        action, options = _action(path, task)
        names = [*options] if action == "ansible.builtin.set_fact" else []
        for name in [*names, *([task["register"]] if "register" in task else [])]:
            assert (_where(path, task), name, declarations.is_ours(name)) == (_where(path, task), name, True)


# One of our names, unless it is an anchor, a part of another name, or of a path.
_OURS = re.compile(r"(?<![\w./&*-])(?:slurm_jwt|slurmrestd)_\w+")


def test_every_variable_that_tasks_read_is_documented_or_set_by_them():
    """The declarations refuse any other one, so a site could not set it."""
    tasks = [(path, text) for path, text in _texts() if path.suffix == ".yml"]
    roles = {path.name for path in (ROOT / "roles").iterdir()}
    # The variables of a role by default are for the site to set.
    ours = [text for path, text in tasks if path.parent.name != "defaults"]
    keys = {name for text in ours for name in re.findall(r"^\s*(\w+):", text, re.M)}
    names = keys | {*_results()} | {*MODULES} | roles | declarations.OF_PLAYBOOKS
    options = {
        name
        for path in ROOT.glob("roles/*/meta/argument_specs.yml")
        for spec in _loaded(path)["argument_specs"].values()
        for name in spec.get("options", ())
    }
    assert {name for _path, text in tasks for name in _OURS.findall(text)} - names <= options
    groups = (*inventory_hosts.COMPONENTS.values(), inventory_hosts.PROXY_GROUP, declared_services.GROUP)
    assert {option for option, _name in groups} <= options


# -- from one host to another -----------------------------------------------------------------------------------------

# hostvars[WHICH] or hostvars.WHICH, and the member that is read of it, if one is.
_ACCESS = re.compile(
    r"""\bhostvars\s*(?:\[(?P<which>(?:[^\[\]]|\[[^\[\]]*\])+)\]|\.(?!get\b)(?P<named>\w+))"""
    r"""(?:\s*\[\s*['"](?P<quoted>\w+)['"]\s*\]|\.(?P<dotted>\w+)|\s*\[(?P<odd>[^\]]*)\])?"""
)
_EXTRACT = re.compile(r"""\bextract['"]\s*,\s*hostvars\s*(?:,\s*['"](?P<name>\w+)['"]\s*)?\)""")
_ANY = re.compile(r"\bhostvars\b")
# Given to a filter of this collection as a whole, or asked for its hosts.
_WHOLE = re.compile(
    r"\bhostvars(?: \| default\(\{\}\))? \| hpc\.slurm_jwt\.\w+"
    r"|hpc\.slurm_jwt\.\w+\(hostvars(?: \| default\(\{\}\))?[,)]"
    r"|\bin hostvars\b"
)


def _texts():
    """Every text file of roles and playbooks that Ansible makes templates of, without comments."""
    for path in sorted((*ROOT.glob("roles/*/**/*"), *ROOT.glob("playbooks/*"))):
        if path.suffix in (".yml", ".j2") and path.parent.name not in ("files", "meta"):
            lines = path.read_text(encoding="utf-8").splitlines()
            yield path, "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def _accesses():
    """File, host and member of each access to another host's variables."""
    for path, text in _texts():
        for match in _ACCESS.finditer(text):
            which = (match["which"] or match["named"]).strip().strip("'\"")
            yield path.name, which, match["quoted"] or match["dotted"] or match["odd"]
        for match in _EXTRACT.finditer(text):
            yield path.name, "each", match["name"]


def test_every_play_has_its_hosts_wait_for_each_other():
    """Whatever ansible.cfg says: with the strategy free a host goes on while another has not been looked at yet."""
    plays = [(path, play) for path, play in PLAYS if "hosts" in play]
    assert len(plays) > 50
    for path, play in plays:
        assert (path.name, play["name"], play.get("strategy")) == (path.name, play["name"], "linear")


def test_what_crosses_from_host_to_host_is_on_the_list():
    crossing = {}
    for file, which, member in _accesses():
        print(f"{file}: {member} of {which}")
        if which != "localhost" and not (which == "inventory_hostname" and member is None):
            crossing.setdefault(member, []).append((file, which))
    # All that a host has, where hosts are chosen by what is in it, or looked at in the report.
    assert {file for file, _which in crossing.pop(None, [])} <= {"main.yml", "report_failures.yml"}
    assert set(crossing) == set(RESULTS)


def test_no_access_to_other_hosts_is_overlooked():
    for path, text in _texts():
        seen = [match.span() for pattern in (_ACCESS, _EXTRACT, _WHOLE) for match in pattern.finditer(text)]
        for match in _ANY.finditer(text):
            line = text[text.rfind("\n", 0, match.start()) + 1 : text.find("\n", match.end())]
            known = any(start <= match.start() < end for start, end in seen)
            assert (path.name, line, known) == (path.name, line, True)


def test_only_the_list_of_localhost_is_read():
    # What plays leave where no managed host can write, beside what is known of the inventory.
    found = {member for _file, which, member in _accesses() if which == "localhost"}
    assert found <= {
        *("slurm_jwt_plan", "slurm_jwt_failure", "slurm_jwt_tokens_failure", "slurm_jwt_proxy_failure"),
        *("slurm_jwt_swap_at", "slurm_jwt_declarations", "slurm_jwt_openmetrics_failure", None),
    }


def test_tasks_that_scenarios_name_exist():
    scenarios = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "extensions/molecule").rglob("*.yml"))
    named = set(re.findall(r"TASK \[\^\\\\n\]\*([A-Za-z .,]+)", scenarios))
    named |= set(re.findall(r"in the step '([^']+)'", scenarios))
    assert len(named) > 4
    for name in named:
        assert any(f"- name: {name}\n" in text for _path, text in _texts()), name


PLANS = (plan_types.RolloutPlan, plan_types.Hs256RotationPlan, plan_types.RsaRotationPlan)


def _members(*plans):
    return {each.name for plan in plans for each in dataclasses.fields(plan)}


def test_what_plans_share_is_declared_once():
    hs256, rsa = ({*plan.__annotations__} for plan in (plan_types.Hs256RotationPlan, plan_types.RsaRotationPlan))
    # A fingerprint or none, and the kid of a key that has to exist.
    assert hs256 & rsa == {"old"}
    assert not {*plan_types.RolloutPlan.__annotations__} & {*plan_types.RotationPlan.__annotations__}
    assert len(plan_types.Plan.__annotations__) > 15


def test_a_plan_has_every_member_that_a_task_asks_for():
    members = _members(*PLANS, plan_types.RefusedPlan)
    asked = {
        found
        for folder in ("roles", "playbooks")
        for path in (ROOT / folder).rglob("*.yml")
        for found in re.findall(r"\bslurm_jwt_plan\.([a-z0-9_]+)", path.read_text())
    }
    assert len(asked) > 40
    assert asked - members == set()


_TASKS = ROOT / "roles/slurm_jwt/tasks"
_INCLUDED = re.compile(r"(?:import_tasks|include_tasks|tasks_from): ([a-z0-9_]+\.yml)")
_WORDS = re.compile(r"\bslurm_jwt__[a-z0-9_]+")
# Asked for only if the plan has it.
_OPTIONAL = re.compile(
    r"slurm_jwt_plan\.([a-z0-9_]+)(?= is defined| \| default\(| if slurm_jwt_plan\.[a-z0-9_]+ is defined)"
)


def _asked(file, variables, done):
    """The members of the plan that a task file needs, with the files that it includes and our variables in them."""
    if file in done or not (_TASKS / file).exists():
        return set()
    done.add(file)
    text = next(text for path, text in _texts() if path == _TASKS / file)
    names, todo = set(), set(_WORDS.findall(text))
    while todo:
        name = todo.pop()
        names.add(name)
        text += variables.get(name, "")
        todo |= set(_WORDS.findall(variables.get(name, ""))) - names
    asked = set(re.findall(r"\bslurm_jwt_plan\.([a-z0-9_]+)", text)) - set(_OPTIONAL.findall(text))
    return asked.union(*(_asked(each, variables, done) for each in _INCLUDED.findall(text)))


def _variables():
    text = next(text for path, text in _texts() if path == ROOT / "roles/slurm_jwt/vars/main.yml")
    return {name: str(value) for name, value in yaml.safe_load(text).items()}


# What runs under each plan; for rollout and removal, whatever no rotation has for itself.
_OF_A_ROTATION = re.compile(r"(rotation|rsa_rotation)_.*\.yml")
_EVERYWHERE = {"put_back.yml", "report_failures.yml", "note_failure.yml", "leave_out.yml", "jwks_timer.yml"}


# put_back.yml asks for them only if tasks of a rollout have registered something.
_AFTER_A_ROLLOUT = {"openmetrics"}


@pytest.mark.parametrize(
    ("plan", "own"),
    [
        (plan_types.Hs256RotationPlan, "rotation"),
        (plan_types.RsaRotationPlan, "rsa_rotation"),
        (plan_types.RolloutPlan, ""),
    ],
)
def test_each_plan_has_what_its_tasks_ask_for(plan, own):
    # A rotation of the RSA key that failed could not be put back: the plan had no path of the HS256 key.
    files = [path.name for path in _TASKS.glob("*.yml")]
    matches = {name: match[1] if (match := _OF_A_ROTATION.fullmatch(name)) else "" for name in files}
    mine = [name for name, which in matches.items() if which == own]
    if own:
        mine += sorted(_EVERYWHERE - ({"jwks_timer.yml"} if own == "rotation" else set()))
    done = set()
    asked = set().union(*(_asked(name, _variables(), done) for name in mine))
    assert len(asked) > 10 and "put_back.yml" in done
    assert asked - _members(plan, plan_types.RefusedPlan) - (_AFTER_A_ROLLOUT if own else set()) == set()


def test_every_step_is_in_the_tables():
    asked = {name for _path, play in PLAYS for name in re.findall(r"planned_hosts\('(\w+)'\)", play["hosts"])}
    assert asked == {*plan_steps.HOSTS_OF_STEP, *plan_steps.HOSTS_OF_CHANGES, "openmetrics", "put_back", "report"}


def test_every_plan_can_be_asked_for_the_hosts_of_its_steps():
    for member in (*plan_steps.HOSTS_OF_STEP.values(), *plan_steps.HOSTS_OF_CHANGES.values()):
        assert member in _members(*PLANS), member
    for plan in PLANS:
        assert {"speaker", "hosts_to_change", "left_out", "refusals"} <= _members(plan)


def test_daemons_load_the_same_by_every_plan():
    # slurm_jwt_loading is the plan of a rollout, or a member of the plan of a rotation.
    assert _members(plan_types.Loads) <= _members(plan_types.RolloutPlan)
