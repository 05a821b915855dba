# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import host, node, problems
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_info
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.info import INFO, OF_A_NODE, complete
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import run
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.key_runs import modules_of

SLURM_CONF = """\
ClusterName=lab
SlurmctldHost=ctl1
StateSaveLocation=/nowhere/state
"""


@pytest.fixture(name="options")
def _options(tmp_path: pathlib.Path) -> dict[str, Any]:
    slurmd = tmp_path / "sbin" / "slurmd"
    slurmd.parent.mkdir()
    # Ansible has the variable from a profile, which no command may see.
    tests = f'test -z "$SLURM_JWT" && test "$SLURM_CONF" = {tmp_path}/slurm.conf'
    slurmd.write_text(f"#!/bin/sh\n{tests} && echo slurm 24.11.5\n")
    slurmd.chmod(0o755)
    (tmp_path / "slurm.conf").write_text(SLURM_CONF)
    return {"components": ["node"], "conf_path": str(tmp_path / "slurm.conf"), "bin_dirs": [str(slurmd.parent)]}


@pytest.mark.parametrize("check", [False, True])
def test_a_node(options: dict[str, Any], check: bool) -> None:
    declared = {"auth_alt_types": ["auth/jwt"], "parameters": {"jwt_key": None}}
    found = run(slurm_jwt_info, {**options, "declared": declared}, check=check)
    assert found["changed"] is False
    assert found["release"] == "24.11.5"
    assert found["problems"] == []
    assert found["desired"]["slurm_conf"]["parameters"] == {"jwt_key": "/nowhere/state/jwt_hs256.key"}
    assert len(found["differences"]["slurm_conf"]) == 2


def test_what_a_rollout_needs_of_a_node(options: dict[str, Any]) -> None:
    declared = {"auth_alt_types": ["auth/jwt"], "parameters": {"jwt_key": None}}
    whole = run(slurm_jwt_info, {**options, "declared": declared})
    found = run(slurm_jwt_info, {**options, "declared": declared, "minimal": True})
    settings = {"auth_alt_types", "auth_alt_parameters"}
    assert set(found["conf"]) == {"path", "exists", "configless", "identities", *settings}
    for name in ("differences", "desired", "release", "components", "key_path"):
        assert found[name] == whole[name]
    left_out = {"capabilities", "rest_versions", "daemons", "python", "problems", "undeclared", "slurm_user"}
    assert not left_out & set(found)
    assert OF_A_NODE.members(found, "")["conf"] == found["conf"]
    # What is left out comes back as it would have been.
    assert set(complete(found)) == set(whole)
    for name in ("problems", "undeclared", "slurm_user", "jwks"):
        assert complete(found)[name] == whole[name]


def test_where_nothing_differs_a_node_says_little(options: dict[str, Any]) -> None:
    found = run(slurm_jwt_info, {**options, "minimal": True})
    assert {*node.ALWAYS} <= set(found)
    assert not set(found) & {"differences", "desired"}
    # As if it had been said, for every member that there is.
    assert {*node.ALWAYS, *node.EMPTY} == set(INFO.members.always)
    assert INFO.members({**complete(found), "conf": None}, "")["differences"] == {"slurm_conf": [], "slurmdbd_conf": []}


def test_a_server_says_all(options: dict[str, Any]) -> None:
    found = run(slurm_jwt_info, {**options, "components": ["node", "slurmctld"], "minimal": True})
    assert found["failed"] is True and "Leave it out" in found["msg"]


def test_who_is_asked_for_little_is_a_node(options: dict[str, Any]) -> None:
    found = run(slurm_jwt_info, {**{name: options[name] for name in options if name != "components"}, "minimal": True})
    assert found["components"] == ["node"]


def test_a_node_imports_nothing_that_only_daemons_need(options: dict[str, Any]) -> None:
    name = "ansible_collections.hpc.slurm_jwt.plugins.modules.slurm_jwt_info"
    loaded = {each.partition(".module_utils.")[2] for each in modules_of(name, options)}
    assert {"_inspect.node", "_inspect.release"} <= loaded
    assert not loaded & {"_inspect.server", "_inspect.daemon_problems", "_inspect.located_daemon", "_inspect.units"}
    assert not {each for each in loaded if each.startswith(("_keys.", "_files.secret_file"))}


def test_commands_run_without_the_token_of_the_login(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JWT", "eyJ.secret.token")
    found = run(slurm_jwt_info, options)
    assert found["release"] == "24.11.5"
    assert [problem["code"] for problem in found["problems"]] == ["slurm_jwt_for_all"]
    assert "eyJ" not in found["everything"]


def test_a_controller_without_systemd(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = run(slurm_jwt_info, {**options, "components": ["node", "slurmctld"]})
    assert found["components"] == ["slurmctld", "node"]
    assert "unit_missing" in [problem["code"] for problem in found["problems"]]


def test_a_declaration_that_makes_no_sense(options: dict[str, Any]) -> None:
    declared = {"parameters": {"max_token_lifespan": "1800x"}}
    found = run(slurm_jwt_info, {**options, "declared": declared})
    assert found["failed"] is True
    assert "declared.parameters.max_token_lifespan must be a number of seconds, not '1800x'" in found["msg"]


def test_an_unknown_component(options: dict[str, Any]) -> None:
    found = run(slurm_jwt_info, {**options, "components": ["slurmd"]})
    assert "slurmctld, slurmdbd, slurmrestd, node" in found["msg"]


def documented(contains: dict[str, Any]) -> dict[str, Any]:
    return {name: documented(entry.get("contains", {})) for name, entry in contains.items()}


RETURN = documented(yaml.safe_load(slurm_jwt_info.RETURN))


def test_what_is_returned_is_what_is_documented(options: dict[str, Any]) -> None:
    for components in (["node"], ["slurmctld", "slurmdbd"]):
        found = run(slurm_jwt_info, {**options, "components": components})
        assert set(found) - {"changed", "invocation", "everything"} == set(RETURN)
        for name in ("conf", "key", "state_dir", "plugins"):
            if found[name] is not None:
                assert set(found[name]) == set(RETURN[name]), name
        for problem in found["problems"]:
            assert set(problem) == set(RETURN["problems"]) == set(problems.Problem._fields)


def test_the_documentation_of_slurmdbd_conf(options: dict[str, Any], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "slurmdbd.conf"
    path.write_text("DbdHost=dbd1\n")
    found = run(slurm_jwt_info, {**options, "components": ["slurmdbd"], "dbd_conf_path": str(path)})
    assert set(found["dbd_conf"]) == set(RETURN["dbd_conf"])


def test_the_options_are_those_of_the_documentation() -> None:
    documentation = yaml.safe_load(slurm_jwt_info.DOCUMENTATION)["options"]
    spec = slurm_jwt_info._argument_spec()
    assert set(documentation) == set(spec)
    assert documentation["components"]["choices"] == list(host.COMPONENTS)
    for name, option in documentation.items():
        assert option.get("default") == spec[name].get("default"), name
    assert set(documentation["declared"]["suboptions"]) == set(spec["declared"]["options"])
