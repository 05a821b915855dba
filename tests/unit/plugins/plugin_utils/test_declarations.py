# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the site declares is its own: typing errors are told, facts stand in for nothing, and changes are seen."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import declarations
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.declarations import DeclarationsChanged

KNOWN = (
    "slurm_jwt_key_path", "slurm_jwt_conf_path", "slurm_jwt_tokens_services", "slurmrestd_listen", "slurmrestd_user"
)  # fmt: skip
RESERVED = frozenset(
    ("ansible_ssh_common_args", "ansible_become_exe", "ansible_host", "ansible_user", "ansible_remote_tmp", "steering")
)
# As the module setup names them, and Ansible keeps them.
SETUP = {
    **{
        f"ansible_{name}": "x"
        for name in (
            *("distribution", "distribution_version", "os_family", "system", "machine", "user_id", "user_uid"),
            *("env", "ssh_host_key_rsa_public", "ssh_host_key_ed25519_public_keytype", "hostname", "fqdn"),
            *("python", "python_version", "pkg_mgr", "service_mgr", "dns", "default_ipv4", "lsb", "date_time"),
            *("virtualization_type", "local", "interfaces", "mounts", "kernel", "user_shell", "user_dir", "selinux"),
        )
    },
    "ansible_domain": "example.org",
    "discovered_interpreter_python": "/usr/bin/python3",
    "gather_subset": ["all"],
    "module_setup": True,
}


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("slurm_jwt_key_path", True),
        ("slurm_jwt", True),
        ("slurmrestd_listen", True),
        ("slurmrestd", False),
        ("slurm_conf", False),
        ("my_slurm_jwt_key_path", False),
        ("ansible_host", False),
        ("", False),
    ],
)
def test_ours(name, ours):
    assert declarations.is_ours(name) is ours


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("slurm_jwt_keypath", "slurm_jwt_key_path"),
        ("slurm_jwt_conf_pth", "slurm_jwt_conf_path"),
        ("slurm_jwt_token_services", "slurm_jwt_tokens_services"),
        ("slurmrestd_listens", "slurmrestd_listen"),
        ("slurm_jwt_reports", "slurm_jwt_report"),
    ],
)
def test_the_nearest_is_named(name, nearest):
    (said,) = declarations.unknown([name], KNOWN)
    assert said.startswith(f"The variable {name} is unknown to this collection")
    assert said.endswith(f" Did you mean {nearest}?")


def test_nothing_near():
    (said,) = declarations.unknown(["slurmrestd_zzzzzzzzzzzzzzzzzzzzzzz"], KNOWN)
    assert "Did you mean" not in said


def test_unknown_ones_are_told_in_order_and_once():
    said = declarations.unknown(["slurmrestd_x", "slurm_jwt_b", "slurm_jwt_a", "slurm_jwt_b"], KNOWN)
    assert [each.split()[2] for each in said] == ["slurm_jwt_a", "slurm_jwt_b", "slurmrestd_x"]


def test_what_is_known_or_not_ours_is_not_told():
    names = [*KNOWN, *declarations.OF_PLAYBOOKS, *declarations.OWN_RESULTS, "ansible_user", "slurmrestd"]
    assert declarations.unknown(names, KNOWN) == []


def test_declared():
    ours = {"slurm_jwt_key_path": "/x", "slurmrestd_user": "{{ x }}"}
    results = dict.fromkeys(declarations.OWN_RESULTS, {"fingerprint": "x"})
    assert declarations.declared({**ours, **results, "x": 1, 7: 8, "ansible_user": "root"}) == ours


# -- facts ------------------------------------------------------------------------------------------------------------


def never():
    raise AssertionError("The names of Ansible's own variables were asked for.")


def against(facts, injected=True, **variables):
    return declarations.facts_against("node1", facts, variables, lambda: RESERVED, injected)


def test_without_facts_nothing_is_looked_up():
    assert declarations.facts_against("node1", {}, {"slurm_jwt_key_path": "{{ ansible_host }}"}, never) == []


@pytest.mark.parametrize("injected", [True, False])
def test_facts_of_setup_pass(injected):
    assert against(SETUP, injected, slurm_jwt_key_path="/x", slurm_jwt_conf_path="{{ conf }}", conf="/y") == []


@pytest.mark.parametrize(
    "name",
    ["slurm_jwt_key_path", "slurm_jwt_plan", "slurm_jwt_nothing", "slurm_jwt", "slurmrestd_listen", "slurmrestd_no"],
)
def test_a_fact_with_a_name_of_ours(name):
    (said,) = against({**SETUP, name: "/x"})
    assert said.startswith(f"node1 has a fact {name}, a name that no host may set.")
    assert "--flush-cache" in said
    assert "/x" not in said


@pytest.mark.parametrize("injected", [True, False])
@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_fact_that_steers_ansible(name, injected):
    (said,) = against({**SETUP, name: "-oProxyCommand=id"}, injected)
    assert said.startswith(f"node1 has a fact {name}, a name that no host may set.")
    assert "ProxyCommand" not in said


def test_names_of_facts_are_shown_harmlessly():
    (said,) = against({"slurm_jwt_{{ x }}\n\x1b[m" + "y" * 1000: 1})
    assert not set("{}") & set(said)
    assert said.isprintable()
    assert len(said) < 500


def test_five_of_many():
    assert len(against({f"slurm_jwt_{number}": 1 for number in range(1000)})) == 5


@pytest.mark.parametrize(
    "written",
    [
        "{{ ansible_hostname }}",
        "{{ ansible_facts.hostname }}",
        "{{ ansible_facts['hostname'] }}",
        "/etc/{{ansible_hostname}}/key",
        "{% if ansible_hostname == 'ctl1' %}/x{% endif %}",
        ["/x", "{{ ansible_hostname }}"],
        {"name": {"path": "{{ ansible_hostname }}"}},
        "{{ (hostvars[inventory_hostname]).ansible_hostname }}",
        "{{ hostvars['ctl1']['ansible_hostname'] }}",
        "{{ vars['ansible_hostname'] }}",
        "{{ lookup('vars', 'ansible_hostname') }}",
        "{{ lookup('ansible.builtin.vars', 'ansible_hostname') }}",
        "{{ query('vars', 'ansible_hostname') | first }}",
        "{% do [] %}{{ ansible_hostname }}",
        "{{ 'x' if ansible_hostname is defined else 'y' }}",
        "{{ ['a'] | map('regex_replace', '^', ansible_hostname) | list }}",
    ],
)
def test_a_declaration_made_from_a_fact(written):
    (said,) = against(SETUP, slurm_jwt_key_path=written)
    assert said.startswith("slurm_jwt_key_path of node1 is made from ansible_")
    assert "write the value into the inventory" in said


def test_a_declaration_made_from_a_local_fact():
    # A file that the host itself has; Ansible makes this a variable even where inject_facts_as_vars is off.
    for injected in (True, False):
        (said,) = against(SETUP, injected, slurm_jwt_tokens_services="{{ ansible_local.services }}")
        assert said.startswith("slurm_jwt_tokens_services of node1 is made from ansible_local")


def test_a_declaration_made_from_facts_that_are_no_variables():
    # ansible_facts is there in any case; a variable of the site's own that has a fact's name is not the fact.
    (said,) = against(SETUP, False, slurm_jwt_key_path="{{ ansible_facts.hostname }}")
    assert said.startswith("slurm_jwt_key_path of node1 is made from ansible_facts")
    assert against(SETUP, False, slurm_jwt_key_path="{{ ansible_hostname }}", ansible_hostname="ctl1") == []


def test_a_declaration_made_from_a_fact_by_way_of_others():
    variables = {"site": "{{ here }}", "here": ["{{ deeper.still }}"], "deeper": {"still": "{{ ansible_domain }}"}}
    (said,) = against(SETUP, slurm_jwt_key_path="/etc/{{ site }}/key", **variables)
    assert said.startswith("slurm_jwt_key_path of node1 is made from ansible_domain")


def test_variables_that_name_each_other_come_to_an_end():
    variables = {"a": "{{ b }}", "b": "{{ a }}", "slurm_jwt_key_path": "{{ a }}"}
    assert against(SETUP, **variables) == []


def test_other_variables_may_be_made_from_facts():
    assert against(SETUP, motd="{{ ansible_hostname }}", slurm_jwt_key_path="/x") == []
    # Text that is no template.
    assert against(SETUP, slurm_jwt_key_path="/etc/ansible_hostname/ansible_facts") == []


@pytest.mark.parametrize(
    "written",
    [
        "{{ lookup('ansible.builtin.env', 'KEY') }}",
        "{{ lookup('file', '/etc/local/python') }}",
        "{{ groups['system'] | first }}",
        "{{ site.domain }}",
        "{{ domain }}",
    ],
)
def test_a_word_that_a_fact_has_as_well_is_not_the_fact(written):
    # Facts become variables with the prefix ansible_, and the site has its own of that name.
    variables = {"site": {"domain": "hpc.example.org"}, "domain": "hpc.example.org"}
    assert against(SETUP, slurm_jwt_key_path=written, **variables) == []


def test_a_fact_without_the_prefix_is_a_variable_as_well():
    # As modules other than setup may name them.
    (said,) = against({"site_keys": "/x"}, slurm_jwt_key_path="{{ site_keys }}", site_keys="/x")
    assert said.startswith("slurm_jwt_key_path of node1 is made from site_keys")


# -- digests ----------------------------------------------------------------------------------------------------------

DECLARED = {
    "slurm_jwt_key_path": "/etc/slurm/{{ name }}.key",
    "slurm_jwt_tokens_services": [{"name": "web", "user": "alice", "lifespan": "1d", "renew": True}],
    "slurmrestd_listen": ["127.0.0.1:6820"],
}


class Vaulted:
    """Encrypted text, as Ansible has it. A reader needs the password, or a program that asks for one."""

    def __init__(self, ciphertext):
        self._ciphertext = ciphertext

    def __str__(self):
        raise AssertionError("It was decrypted.")

    __repr__ = __len__ = __iter__ = __str__


def test_a_digest_is_of_declarations_only():
    digest = declarations.digest(DECLARED)
    assert len(digest) == 64
    results = dict.fromkeys(declarations.OWN_RESULTS, {"proven": True})
    facts = {"ansible_facts": SETUP, "ansible_hostname": "ctl1", "ansible_local": {}}
    assert declarations.digest({**facts, **results, **dict(reversed(DECLARED.items())), "name": "x"}) == digest


@pytest.mark.parametrize(
    "change",
    [
        {"slurm_jwt_key_path": "/etc/slurm/{{ name }}.kex"},
        {"slurm_jwt_tokens_services": [{**DECLARED["slurm_jwt_tokens_services"][0], "user": "root"}]},
        {"slurm_jwt_tokens_services": []},
        {"slurmrestd_listen": ["0.0.0.0:6820"]},
        {"slurmrestd_listen": "127.0.0.1:6820"},
        {"slurm_jwt_conf_path": None},
        {"slurm_jwt_no_such_thing": True},
        {"slurm_jwt_hs256": True},
    ],
)
def test_a_digest_changes_with_declarations(change):
    assert declarations.digest({**DECLARED, **change}) != declarations.digest(DECLARED)


def test_a_digest_tells_types_apart():
    values = (True, 1, "1", "true", None, "null", [], {}, "", [1], ["1"], 1.5, datetime.date(2026, 11, 23))
    assert len({declarations.digest({"slurm_jwt_key_serial": value}) for value in values}) == len(values)


def test_a_digest_decrypts_nothing():
    first, same, other = (
        declarations.digest({"slurm_jwt_proxy_basic_users": {"alice": Vaulted(text)}}) for text in ("31", "31", "32")
    )
    assert first == same != other


def test_facts_are_looked_for_without_decrypting():
    assert against(SETUP, slurm_jwt_key_path="{{ password }}", password=Vaulted("3162"), slurm_jwt_x=Vaulted("1")) == []


@pytest.mark.parametrize("value", ["\ud800", b"\xff", datetime.date(2026, 11, 23), 1.5, {1001: "a"}, {None: "a"}])
def test_a_digest_of_anything_that_yaml_has(value):
    variables = {"slurm_jwt_proxy_basic_users": value}
    assert declarations.digest(variables) == declarations.digest(dict(variables))


def test_a_digest_of_a_dictionary_with_names_of_several_types():
    # In YAML the users 1001 and alice are a number and text, and no and off are false.
    first, second = ({1001: "a", "alice": "b", False: "c"}, {False: "c", "alice": "b", 1001: "a"})
    assert declarations.digest({"slurm_jwt_x": first}) == declarations.digest({"slurm_jwt_x": second})


# -- changes ----------------------------------------------------------------------------------------------------------

HOSTS = {"ctl1": DECLARED, "node1": {**DECLARED, "slurm_jwt_key_serial": "1"}, "node2": {}}


def frozen():
    return {"digests": {host: declarations.digest(variables) for host, variables in HOSTS.items()}}


def test_nothing_has_changed():
    returned = {"slurm_jwt_observation": {}, "ansible_facts": SETUP}
    now = {host: {**variables, **returned} for host, variables in HOSTS.items()}
    declarations.check(frozen(), now.__getitem__, list(HOSTS))


def test_before_anything_is_frozen():
    declarations.check(None, never, list(HOSTS))
    declarations.check({}, never, list(HOSTS))


@pytest.mark.parametrize("host", HOSTS)
def test_the_host_that_has_changed_is_named(host):
    now = {**HOSTS, host: {**HOSTS[host], "slurm_jwt_key_path": "/tmp/key"}}
    with pytest.raises(DeclarationsChanged, match=f" for {host} during the run"):
        declarations.check(frozen(), now.__getitem__, list(HOSTS))
    # Of others nobody asked.
    others = [each for each in HOSTS if each != host]
    declarations.check(frozen(), now.__getitem__, others)


def test_a_host_that_was_not_there_has_not_changed():
    declarations.check(frozen(), {**HOSTS, "new1": {}}.__getitem__, [*HOSTS, "new1"])


def test_five_of_many_have_changed():
    hosts = [f"node{number}" for number in range(1000)]
    with pytest.raises(DeclarationsChanged) as caught:
        declarations.check({"digests": dict.fromkeys(hosts, "")}, lambda host: {}, hosts)
    assert "node0, node1, node2, node3, node4 during" in str(caught.value)
