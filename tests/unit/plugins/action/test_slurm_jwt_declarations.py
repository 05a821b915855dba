# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the site declares is read and frozen without a word to any host."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from types import SimpleNamespace
from unittest import mock

import pytest
from ansible import constants as C
from ansible.errors import AnsibleUndefinedVariable
from ansible.plugins.loader import connection_loader

from ansible_collections.hpc.slurm_jwt.plugins.action import slurm_jwt_declarations
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import declarations

GROUPS = {
    "all": ["ctl1", "dbd1", "rest1", "node1", "node2"],
    "slurmctld": ["ctl1"],
    "slurmdbd": ["dbd1"],
    "slurmrestd": ["rest1"],
    "slurm_nodes": ["node1", "node2"],
    "evil": ["node2"],
}
COMPONENTS = {"slurmctld": ["ctl1"], "slurmdbd": ["dbd1"], "slurmrestd": ["rest1"], "node": ["node1", "node2"]}
DECLARED = {"slurm_jwt_key_path": "/etc/slurm/jwt.key", "slurmrestd_user": "slurmrestd"}
# What the module setup says, and Ansible itself of a host.
SETUP = (
    *("all_ipv4_addresses", "apparmor", "architecture", "bios_date", "board_name", "chassis_vendor", "cmdline", "dns"),
    *("date_time", "default_ipv4", "default_ipv6", "devices", "distribution", "distribution_release", "domain", "env"),
    *("effective_user_id", "fips", "fqdn", "hostname", "interfaces", "is_chroot", "kernel", "lo", "loadavg", "local"),
    *("locally_reachable_ips", "lsb", "lvm", "machine", "machine_id", "memory_mb", "mounts", "nodename", "os_family"),
    *("pkg_mgr", "proc_cmdline", "processor", "product_name", "python", "python_version", "real_user_id", "selinux"),
    *("service_mgr", "ssh_host_key_ecdsa_public", "ssh_host_key_ed25519_public", "ssh_host_key_rsa_public", "system"),
    *("ssh_host_key_rsa_public_keytype", "swapfree_mb", "system_vendor", "systemd", "uptime_seconds", "user_dir"),
    *("user_gecos", "user_gid", "user_id", "user_shell", "user_uid", "virtualization_role", "virtualization_type"),
    *("eth0", "packages", "services", "facter", "ohai", "hardware_model", "system_capabilities", "iscsi_iqn"),
)
FACTS = {
    **{f"ansible_{name}": "x" for name in SETUP},
    "discovered_interpreter_python": "/usr/bin/python3",
    "gather_subset": ["all"],
    "module_setup": True,
    "services": {},
    "packages": {},
}


class Evaluated(Mapping):
    """The variables of a host, of which one is made of a fact that nobody knows yet."""

    def __init__(self, variables):
        self.variables = {**variables, "site_address": None}

    def __getitem__(self, name):
        if name == "site_address":
            raise AnsibleUndefinedVariable("'ansible_default_ipv4' is undefined")
        return self.variables[name]

    def __iter__(self):
        return iter(self.variables)

    def __len__(self):
        return len(self.variables)


class HostVars(Mapping):
    """As Ansible's: variables as they are written, and a cache of facts that become variables, too."""

    def __init__(self, hosts, facts):
        self.hosts, self.facts = hosts, facts
        self._variable_manager = SimpleNamespace(_fact_cache=facts)

    def raw_get(self, host):
        facts = self.facts.get(host, {})
        short = {name.removeprefix("ansible_"): value for name, value in facts.items()}
        return {**facts, **self.hosts.get(host, {}), "ansible_facts": short}

    def __getitem__(self, host):
        return Evaluated(self.raw_get(host))

    def __contains__(self, host):
        return host in self.hosts

    def __iter__(self):
        return iter(self.hosts)

    def __len__(self):
        return len(self.hosts)


@pytest.fixture(name="display", autouse=True)
def _display(monkeypatch):
    found = mock.Mock()
    monkeypatch.setattr(slurm_jwt_declarations, "display", found)
    return found


@contextlib.contextmanager
def injecting(whether):
    real = C.config.get_config_value

    def value(name, *args, **named):
        return whether if name == "INJECT_FACTS_AS_VARS" else real(name, *args, **named)

    with mock.patch.object(C.config, "get_config_value", value):
        yield


def read(groups=None, facts=None, inject=True, play=None, strategy="linear", **hosts):
    """What the action says of these hosts; what is given of a host is added to what is declared."""
    groups = GROUPS if groups is None else groups
    everybody = {host: {**DECLARED, **hosts.get(host, {})} for host in [*GROUPS["all"], "localhost"]}
    task = mock.Mock(args={}, async_val=0, check_mode=False)
    task.get_play.return_value.strategy = strategy
    connection = mock.Mock()
    action = slurm_jwt_declarations.ActionModule(task, connection, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
    variables = {"groups": groups, "hostvars": HostVars(everybody, facts or {}), **(play or {})}
    with injecting(inject):
        found = action.run(task_vars=variables)
    for name in ("exec_command", "put_file", "fetch_file"):
        getattr(connection, name).assert_not_called()
    return found


def refused(**options):
    found = read(**options)
    assert (found["failed"], found["changed"]) == (True, False)
    assert "frozen" not in found
    assert found["msg"][0] == "Nothing was changed. The declarations are invalid:"
    return found["msg"][1:]


@pytest.mark.parametrize("strategy", ["free", "host_pinned", "ansible.builtin.free", "mitogen_free"])
def test_hosts_that_do_not_wait_for_each_other(strategy):
    (reason,) = refused(strategy=strategy)
    assert reason.startswith(f"The strategy of this play is {strategy}, in which no host waits")
    assert "failed" not in read(strategy="debug")


# -- frozen -----------------------------------------------------------------------------------------------------------


def test_what_is_frozen():
    found = read()
    assert found["changed"] is False
    frozen = found["frozen"]
    assert set(frozen) == {"run", "components", "digests"}
    assert frozen["components"] == COMPONENTS
    assert set(frozen["digests"]) == {*GROUPS["all"], "localhost"}
    assert frozen["digests"]["ctl1"] == declarations.digest(DECLARED)


def test_variables_of_nodes_are_checked_once_for_all_that_are_alike():
    wrong = {"slurm_jwt_install": "perhaps"}
    (reason,) = refused(node1=wrong, node2=wrong)
    assert reason.startswith("node1: slurm_jwt_install: argument 'slurm_jwt_install' is of type str")
    (reason,) = refused(node2=wrong)
    assert reason.startswith("node2: slurm_jwt_install: ")
    assert "failed" not in read(node1={"slurm_jwt_install": "no"})


def test_every_run_has_a_name_of_its_own():
    assert len({read()["frozen"]["run"] for _number in range(9)}) == 9


def test_what_is_frozen_can_be_checked():
    frozen = read(facts={"ctl1": FACTS})["frozen"]
    now = HostVars({host: {**DECLARED, "slurm_jwt_observation": {}} for host in GROUPS["all"]}, {"ctl1": FACTS})
    declarations.check(frozen, now.raw_get, GROUPS["all"])
    now.hosts["node2"] = {**DECLARED, "slurmrestd_user": "root"}
    with pytest.raises(declarations.DeclarationsChanged, match="node2"):
        declarations.check(frozen, now.raw_get, GROUPS["all"])


def test_groups_of_the_sites_own_names():
    named = dict.fromkeys(GROUPS["all"], {"slurm_jwt_group_nodes": "evil"})
    assert read(**named)["frozen"]["components"]["node"] == ["node2"]


def test_an_earlier_playbook_of_the_same_process_does_not_say_which_hosts_there_are():
    before = {"run": "x", "components": {component: ["node2"] for component in COMPONENTS}, "digests": {}}
    found = read(localhost={"slurm_jwt_declarations": before})["frozen"]
    assert found["components"] == COMPONENTS
    assert found["run"] != "x"


def test_an_inventory_without_localhost():
    variables = {"groups": GROUPS, "hostvars": HostVars(dict.fromkeys(GROUPS["all"], DECLARED), {})}
    action = slurm_jwt_declarations.ActionModule(mock.Mock(args={}, async_val=0), *[mock.Mock()] * 5)
    assert action.run(task_vars=variables)["frozen"]["components"] == COMPONENTS


def test_it_needs_no_connection():
    assert slurm_jwt_declarations.ActionModule._requires_connection is False
    assert slurm_jwt_declarations.ActionModule._supports_check_mode is True


def test_nothing_is_decrypted():
    class Vaulted:
        _ciphertext = "3162"

        def __str__(self):
            raise AssertionError("It was decrypted.")

        __repr__ = __len__ = __str__

    found = read(rest1={"slurm_jwt_proxy_basic_users": {"alice": Vaulted()}}, facts={"rest1": FACTS})
    assert found["frozen"]["digests"]["rest1"] != found["frozen"]["digests"]["ctl1"]


# -- names ------------------------------------------------------------------------------------------------------------


def test_what_roles_document_is_known():
    known, internal = slurm_jwt_declarations._variables_of_roles()
    assert {"slurm_jwt_key_path", "slurmrestd_user", "slurm_jwt_tokens_services", "slurm_jwt_proxy_server"} <= known
    assert "slurm_jwt_next" in internal
    assert not known & internal
    # A result of a task is no option.
    assert not known & declarations.OWN_RESULTS


@pytest.mark.parametrize("host", ["ctl1", "node2", "localhost"])
def test_an_unknown_variable(host):
    assert refused(**{host: {"slurm_jwt_keypath": "/x"}}) == [
        "The variable slurm_jwt_keypath is unknown to this collection, so it would have no effect. "
        "Did you mean slurm_jwt_key_path?"
    ]


def test_an_unknown_variable_of_many_hosts_is_told_once():
    assert len(refused(**dict.fromkeys(GROUPS["all"], {"slurm_jwt_keypath": "/x"}))) == 1


def test_an_unknown_variable_of_the_play():
    # Of extra vars, a play's vars, and such.
    assert refused(play={"slurmrestd_usr": "x"}) == [
        "The variable slurmrestd_usr is unknown to this collection, so it would have no effect. "
        "Did you mean slurmrestd_user?"
    ]
    internal = slurm_jwt_declarations._variables_of_roles()[1]
    assert read(play=dict.fromkeys(internal, "x"))["changed"] is False


def test_own_results_of_an_earlier_playbook():
    results = dict.fromkeys(declarations.OWN_RESULTS - {"slurm_jwt_declarations"}, {"changed": True})
    found = read(ctl1=results, localhost=results, play=results)
    assert found["frozen"]["digests"]["ctl1"] == declarations.digest(DECLARED)


# -- facts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inject", [True, False])
def test_facts_of_setup_pass(inject):
    written = {"slurm_jwt_conf_path": "{{ lookup('ansible.builtin.env', 'CONF') }}"}
    assert "frozen" in read(facts=dict.fromkeys(GROUPS["all"], FACTS), inject=inject, ctl1=written)


@pytest.mark.parametrize(
    "name",
    [
        *("slurm_jwt_key_path", "slurm_jwt_plan", "slurm_jwt_left_out", "slurm_jwt_declarations", "slurmrestd_user"),
        *("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_executable", "ansible_ssh_args"),
        *("ansible_connection", "ansible_host", "ansible_ssh_host", "ansible_port", "ansible_user", "ansible_ssh_user"),
        *("ansible_password", "ansible_ssh_pass", "ansible_ssh_private_key_file", "ansible_private_key_file"),
        *("ansible_become", "ansible_become_exe", "ansible_become_flags", "ansible_become_user"),
        *("ansible_become_method", "inventory_hostname"),
        *("ansible_become_pass", "ansible_sudo_exe", "ansible_su_exe", "ansible_runas_user", "ansible_become_password"),
        *("ansible_shell_type", "ansible_shell_executable", "ansible_remote_tmp", "ansible_async_dir"),
        *("ansible_python_interpreter", "ansible_module_compression", "ansible_ssh_pipelining", "ansible_pipelining"),
        *("ansible_scp_extra_args", "ansible_sftp_extra_args", "ansible_ssh_transfer_method", "ansible_winrm_host"),
        *("ansible_control_path", "ansible_control_path_dir", "ansible_psrp_host", "ansible_host_key_checking"),
    ],
)
@pytest.mark.parametrize("inject", [True, False])
def test_a_fact_that_is_not_the_hosts_to_set(name, inject):
    (said,) = refused(facts={"node2": {**FACTS, name: "-oProxyCommand=id"}}, inject=inject)
    assert said.startswith(f"node2 has a fact {name}, a name that no host may set.")
    assert "ProxyCommand" not in said


def test_a_declaration_made_from_a_fact():
    written = {"slurm_jwt_key_path": "/etc/{{ site }}.key", "site": "{{ ansible_hostname }}"}
    (said,) = refused(facts={"node2": FACTS}, node2=written)
    assert said.startswith("slurm_jwt_key_path of node2 is made from ansible_hostname")


def test_a_declaration_made_from_a_fact_of_another_host():
    # The host itself has none.
    written = {"slurm_jwt_key_path": "{{ hostvars['node2'].ansible_facts.hostname }}"}
    (said,) = refused(facts={"node2": FACTS}, ctl1=written)
    assert said.startswith("slurm_jwt_key_path of ctl1 is made from ")


def test_a_fact_that_steers_a_connection_plugin_of_another_collection():
    # It is run where Ansible runs, so that a host would choose a program there.
    if connection_loader.get("containers.podman.podman", class_only=True) is None:
        pytest.skip("The collection containers.podman is not here.")
    facts = {"node2": {**FACTS, "ansible_podman_executable": "/tmp/evil"}}
    (said,) = refused(facts=facts, node2={"ansible_connection": "containers.podman.podman"})
    assert said.startswith("node2 has a fact ansible_podman_executable, a name that no host may set.")


# -- how Ansible is set up --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inject", [True, False])
def test_a_warning_about_injected_facts(display, inject):
    read(inject=inject)
    assert display.warning.called is inject
    if inject:
        assert "inject_facts_as_vars = false" in display.warning.call_args[0][0]


def test_files_that_are_kept(monkeypatch):
    monkeypatch.setattr(C, "DEFAULT_KEEP_REMOTE_FILES", True)
    (said,) = refused()
    assert said.startswith("ANSIBLE_KEEP_REMOTE_FILES")


def test_everything_is_told_at_once(monkeypatch):
    monkeypatch.setattr(C, "DEFAULT_KEEP_REMOTE_FILES", True)
    facts = {"node2": {**FACTS, "ansible_host": "x"}}
    assert len(refused(facts=facts, ctl1={"slurm_jwt_keypath": "x"}, play={"slurmrestd_x": 1})) == 4


# -- options of roles that come later ---------------------------------------------------------------------------------

SERVICE = {"name": "exporter", "user": "alice", "dest": "/etc/exporter.token"}
WITH_SERVICES = {**GROUPS, "slurm_token_hosts": ["node1", "node2"], "slurm_proxy": ["rest1"]}


def everywhere(**variables):
    return dict.fromkeys([*GROUPS["all"], "localhost"], variables)


@pytest.mark.parametrize(
    "host,name,value,says",
    [
        ("rest1", "slurmrestd_sandbox", "perhaps", "rest1: slurmrestd_sandbox: .*unable to convert to bool"),
        ("rest1", "slurmrestd_environment", "x", "rest1: slurmrestd_environment: .*unable to convert to dict"),
        ("rest1", "slurm_jwt_proxy_server", "caddy", "rest1: slurm_jwt_proxy_server: .*must be one of: nginx, apache"),
    ],
)
def test_a_variable_of_a_later_role(host, name, value, says):
    (said,) = refused(groups=WITH_SERVICES, **{host: {name: value}})
    assert re.match(says, said)
    # Of hosts that have no such daemon nobody reads it.
    assert "frozen" in read(groups=WITH_SERVICES, node1={name: value})


@pytest.mark.parametrize(
    "service,says",
    [
        ({"format": "xml"}, "node\\[1-2\\]: slurm_jwt_tokens_services: value of format must be one of: raw, env"),
        ({"user": None}, "slurm_jwt_tokens_services: exporter on node1: user is empty"),
        ({"life": "1d"}, "slurm_jwt_tokens_services: unknown: slurm_jwt_tokens_services.life. Supported"),
        ({"lifespan": "1800x"}, "slurm_jwt_tokens_services: exporter on node1: '1800x' is not a duration"),
        ({"lifespan": "0"}, "slurm_jwt_tokens_services: exporter on node1: A lifespan of 0 s is too short"),
        ({"lifespan": "3h"}, "slurm_jwt_tokens_services: exporter on node1: '3h' is more than max_token_lifespan=7200"),
        ({"min_remaining": "soon"}, "slurm_jwt_tokens_services: exporter on node1: 'soon' is not a duration"),
        ({"renew": True, "renew_period": "1s"}, "slurm_jwt_tokens_services: exporter on node1: renew_period"),
        ({"user": "root"}, "slurm_jwt_tokens_services: exporter on node1: 'root' is root, whose token gives power"),
        ({"user": "al ice"}, "slurm_jwt_tokens_services: exporter on node1: 'al ice' cannot be the name of a user"),
        ({"hosts": ["nowhere"]}, "slurm_jwt_tokens_services: the service exporter is to be on nowhere, which is"),
    ],
)
def test_a_service_that_cannot_get_its_token(service, says):
    services = [{**SERVICE, "lifespan": "2h", **service}]
    said = refused(
        groups=WITH_SERVICES, **everywhere(slurm_jwt_tokens_services=services, slurm_jwt_max_token_lifespan=7200)
    )
    assert any(re.search(says, sentence) for sentence in said), said


def test_two_services_of_one_name():
    (said,) = refused(groups=WITH_SERVICES, **everywhere(slurm_jwt_tokens_services=[SERVICE, SERVICE]))
    assert "two services called exporter" in said


@pytest.mark.parametrize("services", ["exporter", {"exporter": {}}, ["exporter"], [7]])
def test_services_that_are_no_list_of_services(services):
    (said,) = refused(groups=WITH_SERVICES, **everywhere(slurm_jwt_tokens_services=services))
    assert ": slurm_jwt_tokens_services: " in said


@pytest.mark.parametrize(
    "service",
    [
        {},
        {"user": "root", "allow_privileged": "yes"},
        {"lifespan": "infinite", "allow_endless": True},
        {"renew": True, "lifespan": "1h"},
    ],
)
def test_services_that_can_get_their_tokens(service):
    declared = everywhere(slurm_jwt_tokens_services=[{**SERVICE, **service}], slurmrestd_listen=["0.0.0.0:6820"])
    assert "frozen" in read(groups=WITH_SERVICES, **declared)


def test_what_cannot_be_evaluated_yet_is_left_to_the_role():
    class NotYet(HostVars):
        def __getitem__(self, host):
            class Lazy(dict):
                def __getitem__(self, name):
                    if name == "slurmrestd_sandbox":
                        raise AnsibleUndefinedVariable("a default of the role")
                    return super().__getitem__(name)

            return Lazy(self.raw_get(host))

    with mock.patch(f"{__name__}.HostVars", NotYet):
        assert "frozen" in read(rest1={"slurmrestd_sandbox": "{{ slurmrestd_install }}"})


@pytest.mark.parametrize("value", ["half", "-1", "101%", ""])
def test_an_allowance_that_is_none(value):
    (said,) = refused(**everywhere(slurm_jwt_nodes_unreachable_max=value))
    assert said.startswith(f"slurm_jwt_nodes_unreachable_max is '{value}'. Give a number of nodes")
    assert "frozen" in read(**everywhere(slurm_jwt_nodes_unreachable_max="5%"))
