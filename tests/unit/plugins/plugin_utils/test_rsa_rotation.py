# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation with overlap decides: whether, where an earlier one is gone on with, and what stops it."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import local_key, trusted_keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import plan_steps
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import rsa_rotation_plan
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import members_of
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_settings import RotationSettings
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils import answers, observations

PATH, JWKS_PATH = "/etc/slurm/own.pem", "/etc/slurm/jwks.json"
RUN, OTHER_RUN = "mgmt1:boot:1:7:100", "mgmt1:boot:1:8:200"
DAY = 86400
KEY_HOSTS = ["ctl1", "dbd1"]
NO_NEXT = {f"next_{name}": None for name in ("fingerprint", "public_jwk", "created", "serial", "by", "run", "run_age")}


def jwk(kid):
    return {"kid": kid, "n": f"n-{kid}", "e": "AQAB", "kty": "RSA", "alg": "RS256"}


def key(kid="old", serial="2026-11", age=10 * DAY, following=None, run=OTHER_RUN):
    found = {"fingerprint": kid, "public_jwk": jwk(kid), "serial": serial, "age": age, "differs": False, **NO_NEXT}
    if following:
        found.update(
            next_fingerprint=following, next_public_jwk=jwk(following), next_created="2026-11-28T10:00:00Z",
            next_serial="2026-12", next_by="alice@mgmt1", next_run=run, next_run_age=60,
        )  # fmt: skip
    return found


def trusts(*kids, added=(), retired=(), differs=False):
    return {
        "kids": list(kids),
        "jwks": {"keys": [jwk(kid) for kid in kids]},
        "added": list(added),
        "retired": [{"kid": kid, "until": "2026-11-29T10:00:00Z"} for kid in retired],
        "dropped": [],
        "differs": differs or bool(added),
        "content_changed": differs or bool(added),
    }


NO_PLAN = {"refusals": [], "warnings": [], "left_out": {}, "settings": {}, "settings_text": ""}


def cluster(seen=None, **changes):
    found = observations.cluster(True, **changes)
    del found["node1"], found["node2"]
    for host, name in (("ctl1", "conf"), ("dbd1", "dbd_conf")):
        found[host][name].update(observations.conf({"jwks": JWKS_PATH}, index=0 if name == "conf" else None))
        found[host]["trust"] = trusts("old") if seen is None else seen
    return found


def plan(own=None, found=None, dead=True, path=PATH, services=(), **settings):
    own = key() if own is None else own
    known = bool(own.get("public_jwk"))
    trust = trusted_keys.Trust(True, False, trusted_keys.LocalKey(path, known, not known), services=bool(services))
    wanted = RotationSettings(run=RUN, token_hosts=services, **settings)
    found = cluster() if found is None else found
    components = {**observations.COMPONENTS, "node": []}
    return members_of(rsa_rotation_plan.plan(found, components, list(found), wanted, trust, own, lambda run: dead))


class TestWhether:
    @pytest.mark.parametrize(
        ("own", "settings", "reason"),
        [
            (key(), {"serial": "2026-11"}, None),
            (key(), {"serial": "2026-12"}, "serial"),
            (key(serial=None), {"serial": "2026-12"}, "serial"),
            (key(), {"serial": "2026-11", "now": True}, "now"),
            (key(age=90 * DAY), {"max_age": 90 * DAY}, "max_age"),
            (key(age=90 * DAY - 1), {"max_age": 90 * DAY}, None),
            (key(following="new"), {}, "unfinished"),
            (key("new", following="new"), {}, "unfinished"),
        ],
    )
    def test_reason(self, own, settings, reason):
        found = plan(own, **settings)
        assert found["refusals"] == []
        assert (found["reason"], found["up_to_date"]) == (reason, reason is None)
        assert found["rsa_rotation"] == (KEY_HOSTS if reason else [])
        assert found["hosts_to_change"] == ([*KEY_HOSTS, "rest1"] if reason else [])
        assert found["makes_key"] == (reason is not None)
        assert found["key_hosts_to_change"] == found["services"] == found["signer_and_services"] == []
        assert found["left_out"] == {}

    def test_a_key_whose_time_is_over_only_goes(self):
        found = plan(found=cluster(trusts("old", differs=True)), serial="2026-11", services=["ctl1", "svc1"])
        assert (found["reason"], found["makes_key"], found["services"]) == ("key_set", False, [])
        assert found["signer_and_services"] == found["receiving"] == []
        assert found["rsa_rotation"] == KEY_HOSTS
        assert found["jwks_targets"] == KEY_HOSTS

    def test_a_daemon_that_was_not_told_is(self):
        found = plan(found=cluster(dbd1={"daemons.slurmdbd.stale": ["written after"]}), serial="2026-11")
        assert (found["reason"], found["stale"]) == ("key_set", True)

    def test_a_key_that_stays_for_a_while_is_no_reason(self):
        found = plan(found=cluster(trusts("old", "older", retired=["older"])), serial="2026-11")
        assert found["reason"] is None


class TestHowFar:
    def test_the_next_key_does_not_sign_yet(self):
        found = plan(key(following="new"))
        assert (found["old"], found["old_signs"], found["serial"]) == ("old", True, "2026-12")
        assert "it did not sign yet" in found["warnings"][0]
        assert found["take_over"] == OTHER_RUN

    def test_the_next_key_signs_already(self):
        found = plan(key("new", following="new"), found=cluster(trusts("new", "old", retired=["old"])))
        assert found["old_signs"] is False
        assert "it signs already" in found["warnings"][0]

    def test_daemons_load_in_the_way_of_their_release(self):
        assert plan(serial="x")["load"] == {"slurmdbd": ["dbd1"], "slurmctld": {"ctl1": "reconfigure"}, "conf": []}
        old = cluster(ctl1={"capabilities.reconfigure_reloads_auth": False})
        assert plan(found=old, serial="x")["load"]["slurmctld"] == {"ctl1": "restart"}

    def test_services_get_tokens_of_the_next_key(self):
        found = plan(serial="x", services=["ctl1", "svc1"])
        assert found["receiving"] == ["ctl1", "svc1"]
        # The plays of a swap have no host.
        assert found["services"] == found["signer_and_services"] == []
        found = plan(serial="x", services=["svc1"])
        assert found["receiving"] == ["ctl1", "svc1"]

    def test_a_slurmrestd_that_dies_with_slurmdbd(self):
        old = cluster(rest1={"capabilities.slurmrestd_survives_slurmdbd_restart": False})
        assert plan(found=old, serial="x")["slurmrestd_dies"] == ["rest1"]
        assert plan(found=old, serial="2026-11")["slurmrestd_dies"] == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("own", "changes", "settings", "words"),
        [
            (None, {}, {}, "Nothing says which key"),
            (None, {}, {"path": ""}, "slurm_jwt_rs256_key_path is empty"),
            ({**key(), "public_jwk": None}, {}, {"serial": "x"}, f"there is no RSA key at {PATH}"),
            (key(following="new"), {}, {"dead": False}, "is at work"),
            (key(following="new"), {}, {"dead": None}, "cannot be told from here"),
            (None, {"dbd1": {"daemons.slurmdbd.active": "failed"}}, {"serial": "x"}, "dbd1: slurmdbd is failed"),
            (
                None,
                {"ctl1": {"differences.slurm_conf": [{"parameter": "AuthAltTypes"}]}},
                {"serial": "x"},
                "ctl1: slurm.conf is not as declared",
            ),
        ],
    )
    def test_refused(self, own, changes, settings, words):
        refusals = plan(own, cluster(**changes), **settings)["refusals"]
        assert words in " ".join(refusals)

    def test_a_key_that_no_daemon_trusts_yet(self):
        found = plan(found=cluster(trusts("old", added=["old"])), serial="x")
        assert found["refusals"][0] == f"{','.join(KEY_HOSTS)}: does not trust the key at {PATH} yet"

    def test_sources_that_cannot_be_fetched(self):
        assert "no answer" in plan(found=cluster({"msg": "no answer"}), serial="x")["refusals"][0]


class TestAHostWithoutTheKey:
    """Whatever it answers, a rotation is the same for all others."""

    RUNS = {
        "up_to_date": (key(), trusts("old"), {"serial": "2026-11"}),
        "label": (key(), trusts("old"), {"serial": "x"}),
        "unfinished": (key("new", following="new"), trusts("new", "old", retired=["old"]), {}),
        "key set": (key(), trusts("old", differs=True), {"serial": "2026-11"}),
    }
    SERVICES = [["ctl1", "svc1"], ["ctl1", "rest1", "svc1"]]

    def see_the_others(self, run, services, answer):
        own, seen, settings = self.RUNS[run]

        def decide(found):
            return plan(own, found, services=services, **settings)

        found = answers.same_for_others(decide, cluster(seen), "rest1", answer)
        assert found["up_to_date"] == (run == "up_to_date")
        return found

    @pytest.mark.parametrize("member", sorted(answers.ANSWERS))
    @pytest.mark.parametrize("services", SERVICES)
    @pytest.mark.parametrize("run", RUNS)
    def test_no_member_of_its_answer_decides_anything_about_others(self, run, services, member):
        whole = cluster()["rest1"]
        answers.see_each_value(member, whole, lambda answer: self.see_the_others(run, services, answer), "rest1")

    @pytest.mark.parametrize("services", SERVICES)
    @pytest.mark.parametrize("run", RUNS)
    def test_no_mixture_of_answers_decides_anything_about_others(self, run, services):
        whole = cluster()["rest1"]
        for changes in answers.mixed(100):
            self.see_the_others(run, services, {**whole, **changes})

    @pytest.mark.parametrize("services", SERVICES)
    @pytest.mark.parametrize("run", RUNS)
    def test_no_look_that_is_none_decides_anything_about_others(self, run, services):
        for answer in [*answers.FAILED, *answers.UNREACHABLE]:
            said = answer.get("msg") or "no reason given"
            if answer.get("unreachable"):
                said = "It cannot be reached ({}).".format(said.split(".")[0])
            assert self.see_the_others(run, services, answer)["left_out"] == {"rest1": said}

    @pytest.mark.parametrize("run", RUNS)
    def test_no_look_that_is_said_to_be_skipped_decides_anything_about_others(self, run):
        for answer in answers.skipped():
            self.see_the_others(run, [], answer)

    @pytest.mark.parametrize("host", KEY_HOSTS)
    def test_one_with_the_key_is_never_left_out(self, host):
        answered = {
            "F. E. R.": {**cluster()[host], "problems": [answers.problem("error")]},
            "the inspection of the host failed: no python.": {"failed": True, "msg": "no python"},
            "cannot be reached (No route to host). Bring it up.": {"unreachable": True, "msg": "No route to host"},
        }
        for reason, answer in answered.items():
            decided = plan(found={**cluster(), host: answer}, serial="x")
            assert decided == {**NO_PLAN, "refusals": [f"{host}: {reason}"]}


class TestWhatIsTrusted:
    groups = {"all": ["ctl1"], "slurmctld": ["ctl1"]}

    def variables(self, **results):
        return {"ctl1": {"slurm_jwt_observation": observations.observation("ctl1", "slurmctld", True), **results}}

    def kids(self, **results):
        found = local_key.sources(self.variables(**results), self.groups, [{"issuer": "https://a"}])
        assert found[0] == {"issuer": "https://a"}
        return [source["data"]["kid"] for source in found[1:]]

    def test_both_halves_from_the_moment_on_at_which_there_are_two(self):
        skipped = {"skipped": True, "changed": False}
        assert self.kids() == []
        assert self.kids(slurm_jwt_local_key=skipped) == []
        assert self.kids(slurm_jwt_local_key={**key(), "public_jwk": None}) == []
        seen = {"slurm_jwt_local_key": key(), "slurm_jwt_local_key_made": skipped}
        assert self.kids(**seen) == ["old"]
        seen["slurm_jwt_local_key_staged"] = key(following="new")
        assert self.kids(**seen) == ["old", "new"]
        seen["slurm_jwt_local_key_active"] = key("new", following="new")
        assert self.kids(**seen) == ["new"]
        seen["slurm_jwt_local_key_ended"] = key("new")
        assert self.kids(**seen) == ["new"]

    def test_none_without_a_controller(self):
        assert local_key.sources({}, self.groups, []) == []

    @pytest.mark.parametrize(
        ("result", "expected"),
        [
            (None, (False, True, None)),
            ({"skipped": True}, (False, True, None)),
            ({**key(), "public_jwk": None}, (False, True, None)),
            (key(serial=None), (True, True, None)),
            (key(), (True, False, None)),
            ({**key(), "differs": True}, (True, True, None)),
            ({"failed": True, "msg": "is no key"}, (False, False, "ctl1: is no key")),
        ],
    )
    def test_look(self, result, expected):
        variables = self.variables(**({} if result is None else {"slurm_jwt_local_key": result}))
        found = local_key.observed_key(variables, self.groups, PATH, "2026-11")
        assert (found.known, found.changes, found.refusal) == expected

    def test_none_is_declared(self):
        assert local_key.observed_key({}, self.groups, "") == trusted_keys.LocalKey()


class TestSteps:
    def steps(self, **failures):
        local = {"slurm_jwt_plan": plan(serial="x", services=["svc1"]), **failures}
        names = (*plan_steps.HOSTS_OF_STEP, *plan_steps.HOSTS_OF_CHANGES, "put_back")
        steps = {name: plan_steps.planned_hosts({"localhost": local}, name) for name in names}
        return {name: hosts for name, hosts in steps.items() if hosts}

    EVERY = {
        "slurmrestd": ["rest1"],
        "send_rsa_tokens": ["ctl1", "svc1"],
        "rsa_rotation": KEY_HOSTS,
        "withdraw_rsa_key": KEY_HOSTS,
    }

    def test_all_goes_well(self):
        assert self.steps() == self.EVERY

    def test_after_a_failure_nothing_is_withdrawn(self):
        assert self.steps(slurm_jwt_failure={}) == {"put_back": [*KEY_HOSTS, "rest1"]}
        # Services have tokens of the new key before the old one goes.
        left = {name: hosts for name, hosts in self.EVERY.items() if name != "withdraw_rsa_key"}
        assert self.steps(slurm_jwt_tokens_failure={}) == left
