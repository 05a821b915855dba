# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import desired_state, trusted_keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.trusted_keys import LocalKey
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import rollout
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import members_of
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils import observations

JWKS_PATH = "/etc/slurm/jwks.json"
BOTH = {"jwt_key": observations.KEY_PATH, "jwks": JWKS_PATH}
KEY_HOSTS = ["ctl1", "dbd1"]


def seen(kids=("a",), differs=False, content_changed=False, retired=()):
    """The observation of the sources."""
    keys = [{"kid": kid, "n": f"n-{kid}"} for kid in (*kids, *retired)]
    return {
        "kids": [key["kid"] for key in keys],
        "jwks": {"keys": keys},
        "retired": [{"kid": kid, "until": "later"} for kid in retired],
        "dropped": [],
        "differs": differs,
        "content_changed": content_changed,
    }


def cluster(parameters, sources=None, **changes):
    found = observations.cluster(True, **changes)
    for host, name in (("ctl1", "conf"), ("dbd1", "dbd_conf")):
        found[host][name].update(observations.conf(parameters, index=0 if name == "conf" else None))
        found[host]["trust"] = (sources or {}).get(host)
    return found


def plan(found, **trust):
    desired = desired_state.Desired(trust=trusted_keys.Trust(**trust))
    return members_of(rollout.plan(found, observations.COMPONENTS, observations.HOSTS, desired))


HS256, RS256 = {"jwt_key": observations.KEY_PATH}, {"jwks": JWKS_PATH}
SAME = {"ctl1": seen(), "dbd1": seen()}
NEW = {host: seen(differs=True, content_changed=True) for host in KEY_HOSTS}


class TestNothingIsDecidedSilently:
    @pytest.mark.parametrize(
        ("parameters", "trust", "words"),
        [
            (HS256, {"jwks": True}, ["ctl1: accepts HS256 tokens now", "hs256: true", "'scontrol token' makes"]),
            (RS256, {}, ["ctl1: accepts RS256 tokens only", "slurm_jwt_hs256: true"]),
            (HS256, {"hs256": False}, ["no token would be accepted"]),
            (HS256, {"hs256": False, "jwks": False}, ["no token would be accepted"]),
            (RS256, {"hs256": False, "jwks": True, "services": True}, ["slurm_jwt_rs256_key_path"]),
            (
                RS256,
                {"hs256": False, "jwks": True, "services": True, "renewed": True, "local_key": LocalKey("/own.pem")},
                ["has renew"],
            ),
            (BOTH, {"hs256": True, "jwks": True, "signing": "RS256"}, ["signing_algorithm is RS256", "rs256_key_path"]),
            (RS256, {"hs256": False, "jwks": True, "signing": "HS256"}, ["HS256 tokens are not accepted"]),
            (RS256, {"jwks": True, "local_key": LocalKey("/own.pem", refusal="ctl1: is no key")}, ["ctl1: is no key"]),
        ],
    )
    def test_refused(self, parameters, trust, words):
        refusals = plan(cluster(parameters, SAME), **trust)["refusals"]
        assert len(refusals) == 1
        assert all(word in refusals[0] for word in words)

    @pytest.mark.parametrize(
        ("parameters", "trust"),
        [
            (HS256, {}),
            (HS256, {"jwks": True, "hs256": True}),
            (HS256, {"jwks": True, "hs256": False}),
            (BOTH, {}),
            (RS256, {"jwks": True}),
            (RS256, {"hs256": True}),
            (RS256, {"jwks": False}),
        ],
    )
    def test_not_refused(self, parameters, trust):
        assert plan(cluster(parameters, SAME), **trust)["refusals"] == []

    def test_both_is_told_of(self):
        warnings = plan(cluster(BOTH, SAME), jwks=True, hs256=True)["warnings"]
        assert any("that key signs for root" in warning for warning in warnings)

    def test_a_key_set_that_nobody_declares_is_told_of(self):
        found = cluster(BOTH, SAME, ctl1={"jwks": {"path": JWKS_PATH, "exists": True}})
        warnings = plan(found)["warnings"]
        assert any(f"ctl1: trusts the keys of {JWKS_PATH}" in warning for warning in warnings)


class TestSources:
    def test_that_cannot_be_fetched(self):
        found = cluster(RS256, {"ctl1": seen(), "dbd1": {"msg": "https://idp cannot be reached."}})
        assert plan(found, jwks=True)["refusals"] == ["dbd1: https://idp cannot be reached."]

    def test_that_say_something_else_to_each_holder(self):
        found = cluster(RS256, {"ctl1": seen(["a"]), "dbd1": seen(["a", "b"])})
        assert "dbd1 and ctl1 do not find the same keys" in plan(found, jwks=True)["refusals"][0]

    def test_they_may_say_what_they_like_where_a_key_is_distrusted(self):
        found = cluster(RS256, {"ctl1": {**seen(["a"]), "distrusts": True}, "dbd1": seen(["a", "b"])})
        made = plan(found, jwks=True)
        assert (made["refusals"], made["jwks_distrusts"]) == ([], True)
        assert not plan(cluster(RS256, SAME), jwks=True)["jwks_distrusts"]

    def test_one_that_is_silent_and_known_is_told_of(self):
        failed = [{"source": "https://idp", "reason": "https://idp has not answered."}]
        made = plan(cluster(RS256, {"ctl1": {**seen(), "failed_sources": failed}, "dbd1": seen()}), jwks=True)
        assert made["refusals"] == []
        assert any("ctl1: https://idp has not answered. Its keys" in warning for warning in made["warnings"])

    def test_keys_that_only_stay_may_differ(self):
        found = cluster(RS256, {"ctl1": seen(["a"], retired=["old"]), "dbd1": seen(["a"])})
        assert plan(found, jwks=True)["refusals"] == []


class TestWhatIsDone:
    def test_nothing_where_all_is_as_declared(self):
        found = plan(cluster(RS256, SAME), jwks=True)
        assert found["up_to_date"]
        assert (found["hs256"], found["signing_key"], found["conf_key_path"]) == (False, None, None)

    def test_new_keys_are_loaded_by_every_holder(self):
        found = plan(cluster(RS256, NEW), jwks=True)
        assert found["jwks_targets"] == KEY_HOSTS
        assert found["slurmdbd"] == ["dbd1"]
        assert found["slurmctld"] == {"ctl1": "reconfigure"}
        assert (found["key_targets"], found["key_source_changes"]) == ([], False)

    def test_another_owner_or_record_restarts_nothing(self):
        found = plan(cluster(RS256, {host: seen(differs=True) for host in KEY_HOSTS}), jwks=True)
        assert found["jwks_targets"] == KEY_HOSTS
        assert (found["slurmdbd"], found["slurmctld"]) == ([], {})

    def test_slurmctld_in_the_foreground_is_restarted(self):
        changes = {"daemons.slurmctld.command": ["/usr/sbin/slurmctld", "-D"]}
        found = plan(cluster(RS256, NEW, ctl1=changes), jwks=True)
        assert found["slurmctld"] == {"ctl1": "restart"}

    def test_a_key_that_counts_no_more_is_left_alone(self):
        found = cluster(HS256, SAME, ctl1={"key.mode": "0440"})
        assert plan(found, jwks=True, hs256=False)["key_source_changes"] is False
        assert plan(found, jwks=True, hs256=True)["key_source_changes"] is True

    def test_the_sites_own_key_signs_where_hs256_is_off(self):
        assert plan(cluster(RS256, SAME), jwks=True, local_key=LocalKey("/own.pem"))["signing_key"] == "/own.pem"
        found = plan(cluster(BOTH, SAME), jwks=True, hs256=True, local_key=LocalKey("/own.pem"))
        assert found["signing_key"] == observations.KEY_PATH

    def test_the_site_says_which_signs_where_both_count(self):
        own = LocalKey("/own.pem")
        for signing, path in (("RS256", "/own.pem"), ("HS256", observations.KEY_PATH)):
            found = plan(cluster(BOTH, SAME), jwks=True, hs256=True, local_key=own, signing=signing)
            assert found["signing_key"] == path

    def test_an_own_key_that_is_not_made_yet_changes_every_key_set(self):
        own = LocalKey("/own.pem", known=False, changes=True)
        found = plan(cluster(BOTH, SAME), jwks=True, hs256=True, local_key=own)
        assert found["local_key_changes"] and found["jwks_targets"] == KEY_HOSTS
        assert (found["slurmdbd"], found["slurmctld"]) == (["dbd1"], {"ctl1": "reconfigure"})
        assert found["unseen_by_check"]["dbd1"] == ["key set changed"]
        assert "ctl1: the local RSA key is missing or differs" in found["due"][0]
        # What other sources change is reported by the task.
        found = plan(cluster(BOTH, NEW), jwks=True, hs256=True, local_key=own)
        assert "dbd1" not in found["unseen_by_check"]

    def test_cryptography_comes_with_a_key_set(self):
        found = cluster(RS256, SAME, ctl1={"python.cryptography": None})
        assert found and plan(found, jwks=True)["packages"] == {"ctl1": ["python3-cryptography"]}

    def test_tags_that_leave_the_key_set_out(self):
        desired = desired_state.Desired(trust=trusted_keys.Trust(jwks=True), run_tags=["daemons"])
        found = members_of(rollout.plan(cluster(RS256, NEW), observations.COMPONENTS, observations.HOSTS, desired))
        assert "leave out key" in found["refusals"][0]


class TestFollowing:
    """What the timers are told of the daemons."""

    def test_each_holder_has_its_own(self):
        found = plan(cluster(RS256, SAME), jwks=True)
        assert found["jwks_daemons"] == {
            "ctl1": [{"component": "slurmctld", "service": "slurmctld", "way": "reconfigure", "port": 6817}],
            "dbd1": [{"component": "slurmdbd", "service": "slurmdbd", "way": "restart", "port": 6819}],
        }

    def test_before_2311_slurmctld_is_restarted(self):
        found = cluster(RS256, SAME, ctl1={"capabilities": {}})
        assert plan(found, jwks=True)["jwks_daemons"]["ctl1"][0]["way"] == "restart"

    def test_their_hosts_are_in_the_play_where_the_site_speaks_of_key_sets(self):
        assert plan(cluster(RS256, SAME), jwks=True)["key_hosts_to_change"] == ["dbd1", "ctl1"]
        assert plan(cluster(HS256), jwks=False)["key_hosts_to_change"] == ["dbd1", "ctl1"]
        assert plan(cluster(HS256))["key_hosts_to_change"] == ["ctl1"]


def test_a_new_holder_begins_with_what_the_others_retain():
    ctl1, dbd1 = seen(["a"], retired=["old", "older"]), seen(["a"], retired=["old"])
    dbd1["retired"][0]["until"] = "latest"
    found = trusted_keys.inherited([ctl1, {"msg": "could not be looked at"}, dbd1])
    assert found == [
        {"jwk": {"kid": "old", "n": "n-old"}, "until": "latest"},
        {"jwk": {"kid": "older", "n": "n-older"}, "until": "later"},
    ]
