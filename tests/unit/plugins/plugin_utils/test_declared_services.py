# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services a host has, who signs for them, and what goes to and fro."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.filter import tokens
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import declared_services, token_exchange
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils import observations

GROUPS = {
    "all": ["ctl1", "rest1", "svc1", "svc2"],
    "slurmctld": ["ctl1"],
    "slurmrestd": ["rest1"],
    "slurm_token_hosts": ["svc1", "svc2"],
}
WEB = {"name": "web", "user": "alice", "dest": "/etc/web", "restarts": ["web.service", "both.service"]}
PROXY = {"name": "proxy", "user": "bob", "dest": "/etc/proxy", "hosts": ["slurmrestd", "svc1"]}
PROXY["reloads"] = ["both.service"]
SERVICES = (WEB, PROXY)


def hostvars(services=SERVICES, **more):
    found = {host: {"slurm_jwt_tokens_services": services} for host in GROUPS["all"]}
    return {**found, **more}


class TestHosts:
    def test_services_are_where_they_are_declared(self):
        names = {
            host: [each["name"] for each in declared_services.services_on(host, SERVICES, GROUPS, "slurm_token_hosts")]
            for host in GROUPS["all"]
        }
        assert names == {"ctl1": [], "rest1": ["proxy"], "svc1": ["web", "proxy"], "svc2": ["web"]}

    def test_defaults(self):
        (web,) = declared_services.services_on("svc2", [dict(WEB, format=None)], GROUPS, "slurm_token_hosts")
        assert (web["lifespan"], web["format"]) == ("1d", "raw")

    def test_a_play_is_over_controllers_and_hosts_with_services(self):
        assert declared_services.token_hosts(GROUPS, hostvars()) == ["ctl1", "svc1", "svc2", "rest1"]

    def test_without_services_it_is_over_none(self):
        assert declared_services.token_hosts(GROUPS, hostvars([])) == []
        assert declared_services.token_hosts(GROUPS, hostvars(None)) == []
        assert declared_services.token_hosts({}, {}) == []

    def test_before_there_are_variables(self):
        assert declared_services.token_hosts(GROUPS, {}) == []

    def test_in_a_rollout_it_has_the_primary_controller_only(self):
        local = {"slurm_jwt_plan": {"primary": "ctl2"}}
        assert declared_services.token_hosts(GROUPS, hostvars(localhost=local)) == ["ctl2", "svc1", "svc2", "rest1"]
        local = {"slurm_jwt_plan": {"primary": None}}
        assert declared_services.token_hosts(GROUPS, hostvars(localhost=local)) == []

    def test_after_a_failure_it_is_over_none(self):
        assert declared_services.token_hosts(GROUPS, hostvars(localhost={"slurm_jwt_failure": {}})) == []

    def test_a_group_of_another_name(self):
        variables = {host: dict(found, slurm_jwt_group_tokens="slurmrestd") for host, found in hostvars([WEB]).items()}
        assert declared_services.token_hosts(GROUPS, variables) == ["ctl1", "rest1"]

    def test_a_host_that_is_not_there(self):
        with pytest.raises(declared_services.ServicesError, match="web is to be on web1, which is neither a host"):
            declared_services.token_hosts(GROUPS, hostvars([dict(WEB, hosts=["web1"])]))

    def test_two_of_one_name(self):
        with pytest.raises(declared_services.ServicesError, match="svc1 has two services called web"):
            declared_services.services_on("svc1", [WEB, WEB], GROUPS, "slurm_token_hosts")


class TestSigner:
    def test_the_plan_knows(self):
        local = {"slurm_jwt_plan": {"primary": "ctl1", "signing_key": "/key", "algorithm": "RS256"}}
        found = tokens.signer({"localhost": local}, GROUPS, ["ctl1", "svc1"])
        assert found == {"host": "ctl1", "key_path": "/key", "algorithm": "RS256", "openmetrics_key": None}
        local["slurm_jwt_plan"]["openmetrics"] = {"key_path": {"ctl1": "/metrics.key"}}
        assert tokens.signer({"localhost": local}, GROUPS, ["ctl1"])["openmetrics_key"] == "/metrics.key"
        assert tokens.signer({"localhost": local}, GROUPS, ["svc1"])["host"] is None

    def test_a_cluster_without_hs256_has_a_key_of_its_own(self):
        conf = {**observations.conf(), "jwks_path": "/jwks.json", "key_path": None}
        observation = dict(observations.observation("ctl1", "slurmctld", True), conf=conf)
        variables = hostvars(ctl1={"slurm_jwt_tokens_controller": observation, "slurm_jwt_rs256_key_path": "/own.pem"})
        wanted = {"host": "ctl1", "key_path": "/own.pem", "algorithm": "RS256", "openmetrics_key": None}
        assert tokens.signer(variables, GROUPS, ["ctl1", "svc1"]) == wanted

    def test_the_site_may_say_which_signs(self):
        conf = {**observations.conf({"jwt_key": observations.KEY_PATH}), "jwks_path": "/jwks.json"}
        observation = dict(observations.observation("ctl1", "slurmctld", True), conf=conf)
        for signing, path in (("RS256", "/own.pem"), ("", observations.KEY_PATH)):
            own = {"slurm_jwt_rs256_key_path": "/own.pem", "slurm_jwt_signing_algorithm": signing}
            variables = hostvars(ctl1={"slurm_jwt_tokens_controller": observation, **own})
            assert tokens.signer(variables, GROUPS, ["ctl1", "svc1"])["key_path"] == path

    def test_else_a_look_at_the_controllers(self):
        observation = dict(observations.observation("ctl1", "slurmctld", True), conf=observations.conf())
        variables = hostvars(ctl1={"slurm_jwt_tokens_controller": observation})
        found = tokens.signer(variables, GROUPS, GROUPS["all"])
        key = {"key_path": observations.KEY_PATH, "algorithm": "HS256", "openmetrics_key": None}
        assert found == {"host": "ctl1", **key}
        observation["openmetrics"] = {"in_force": "/metrics.key"}
        assert tokens.signer(variables, GROUPS, GROUPS["all"])["openmetrics_key"] == "/metrics.key"
        variables = hostvars(ctl1={"slurm_jwt_tokens_controller": {"unreachable": True}})
        assert tokens.signer(variables, GROUPS, GROUPS["all"])["host"] is None
        without = {"conf": {"exists": False, "path": "/etc/slurm/slurm.conf"}}
        variables = hostvars(ctl1={"slurm_jwt_tokens_controller": without})
        assert tokens.signer(variables, GROUPS, GROUPS["all"])["host"] is None


class TestToAndFro:
    MINE = declared_services.services_on("svc1", SERVICES, GROUPS, "slurm_token_hosts")

    def variables(self, web=None, proxy="p", changed=False):
        tokens = [
            {"name": "web", "token": web, "changed": changed},
            {"name": "proxy", "token": proxy, "changed": False},
        ]
        return {"slurm_jwt_tokens_here": self.MINE, "slurm_jwt_tokens_observation": {"tokens": tokens}}

    def answers(self, web=("missing", "w"), proxy=(None, None)):
        named = {"web on svc1": web, "proxy on svc1": proxy}
        return [{"name": name, "reason": reason, "token": token} for name, (reason, token) in named.items()]

    def test_what_the_module_is_told(self):
        assert token_exchange.entries(self.MINE)[0] == {
            "name": "web", "user": "alice", "lifespan": "1d", "dest": "/etc/web", "format": "raw"
        }  # fmt: skip

    def test_what_the_controller_is_asked(self):
        orders = token_exchange.requests({"svc1": self.variables(), "ctl1": {}}, ["ctl1", "svc1"])
        assert orders == [
            {"name": "web on svc1", "user": "alice", "lifespan": "1d", "current": ""},
            {"name": "proxy on svc1", "user": "bob", "lifespan": "1d", "current": "p"},
        ]

    def test_a_host_that_answers_otherwise_than_it_was_asked(self):
        """Its answers go by their names, and one that it does not give is no order."""
        variables = self.variables(web="w", changed=True)
        found = variables["slurm_jwt_tokens_observation"]["tokens"]
        found.reverse()
        orders = token_exchange.requests({"svc1": variables}, ["svc1"])
        assert [(order["name"], order["current"]) for order in orders] == [("web on svc1", "w"), ("proxy on svc1", "p")]
        found[0] = {"name": "root", "token": "r", "changed": True}
        orders = token_exchange.requests({"svc1": variables}, ["svc1"])
        assert [(order["name"], order["current"]) for order in orders] == [("web on svc1", "w")]
        entries = token_exchange.delivery(variables, "svc1", self.answers(web=(None, None)))
        assert [(entry["name"], entry["token"]) for entry in entries] == [("web", "w")]
        found[:] = []
        assert token_exchange.requests({"svc1": variables}, ["svc1"]) == []
        assert token_exchange.delivery(variables, "svc1", self.answers()) == []

    def test_what_is_delivered(self):
        entries = token_exchange.delivery(self.variables(), "svc1", self.answers())
        assert [(entry["name"], entry["token"]) for entry in entries] == [("web", "w"), ("proxy", "p")]

    def test_nothing_where_nothing_is_due(self):
        up_to_date = self.answers(web=(None, None))
        assert token_exchange.delivery(self.variables(web="w"), "svc1", up_to_date) == []
        assert token_exchange.delivery(self.variables(), "svc1", None) == []
        assert token_exchange.delivery({}, "svc1", self.answers()) == []
        assert token_exchange.delivery(self.variables(), "svc2", self.answers()) == []

    def test_a_file_that_drifted_is_mended_with_the_token_that_it_has(self):
        answers = self.answers(web=(None, None))
        entries = token_exchange.delivery(self.variables(web="w", changed=True), "svc1", answers)
        assert [entry["token"] for entry in entries] == ["w", "p"]

    def test_in_check_mode_the_token_is_unknown(self):
        entries = token_exchange.delivery(self.variables(), "svc1", self.answers(web=("key", None)))
        assert [entry["token"] for entry in entries] == ["", "p"]


class TestNewTokens:
    """Where no earlier run has staged a token, none is read."""

    def test_what_the_controller_is_asked(self):
        found = hostvars(svc2={"slurm_jwt_tokens_services": [dict(WEB, lifespan="2h")]}, rest1={})
        orders = token_exchange.new_requests(found, ["svc1", "svc2", "rest1"], GROUPS)
        assert orders == [
            {"name": "web on svc1", "user": "alice", "lifespan": "1d", "current": ""},
            {"name": "proxy on svc1", "user": "bob", "lifespan": "1d", "current": ""},
            {"name": "web on svc2", "user": "alice", "lifespan": "2h", "current": ""},
        ]

    def answers(self, **named):
        tokens = {"web on svc1": "w", "proxy on svc1": "p", "web on svc2": "other", **named}
        return [{"name": name, "reason": "missing", "token": token} for name, token in tokens.items()]

    def test_what_is_delivered(self):
        entries = token_exchange.new_delivery(hostvars()["svc1"], "svc1", GROUPS, self.answers())
        assert [(entry["name"], entry["dest"], entry["token"]) for entry in entries] == [
            ("web", "/etc/web", "w"), ("proxy", "/etc/proxy", "p"),
        ]  # fmt: skip

    def test_tokens_for_metrics_stay(self):
        found = hostvars([WEB, dict(WEB, name="metrics", key="openmetrics")])
        (order,) = token_exchange.new_requests(found, ["svc2"], GROUPS)
        assert order["name"] == "web on svc2"
        (entry,) = token_exchange.new_delivery(found["svc2"], "svc2", GROUPS, self.answers())
        assert (entry["name"], entry["token"]) == ("web", "other")

    def test_nothing_if_one_was_not_made(self):
        answers = self.answers(**{"proxy on svc1": None})
        assert token_exchange.new_delivery(hostvars()["svc1"], "svc1", GROUPS, answers) == []
        assert token_exchange.new_delivery(hostvars()["svc1"], "svc1", GROUPS, []) == []
        assert token_exchange.new_delivery({}, "svc1", GROUPS, self.answers()) == []


class TestUnits:
    MINE = TestToAndFro.MINE

    def units(self, web, proxy=None, **more):
        named = {"web": web, "proxy": proxy}
        tokens = [{"name": name, "changed": bool(reason), "reason": reason} for name, reason in named.items()]
        return token_exchange.units(self.MINE, {"tokens": tokens}, **more)

    @pytest.mark.parametrize("reason", [None, "attributes", "same", "leftover"])
    def test_old_tokens_are_no_news(self, reason):
        assert self.units(reason) == {"restarts": [], "reloads": []}

    def test_new_ones_are(self):
        assert self.units("expiring") == {"restarts": ["web.service", "both.service"], "reloads": []}
        assert self.units(None, "next") == {"restarts": [], "reloads": ["both.service"]}

    def test_a_restart_does_for_a_reload(self):
        assert self.units("key", "key") == {"restarts": ["web.service", "both.service"], "reloads": []}

    def test_all_on_request(self):
        assert self.units(None, everybody=True)["restarts"] == ["web.service", "both.service"]

    def test_a_step_that_was_left_out(self):
        assert token_exchange.units(self.MINE, {"skipped": True}) == {"restarts": [], "reloads": []}
