# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation decides from observations: whether, how, where it continues an earlier one, and what is refused."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import desired_state
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import (
    hs256_rotation,
    hs256_rotation_plan,
    rollout,
    rotation_checks,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import members_of
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_settings import RotationSettings
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils import answers
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils.observations import (
    FINGERPRINT,
    KEY_PATH,
    cluster,
    conf,
    daemon,
    key,
    observation,
)

NEXT = "SHA256:" + "b" * 64
OLDER = "SHA256:" + "c" * 64
RUN, OTHER_RUN = "mgmt1:boot:1:7:100", "mgmt1:boot:1:8:200"
BY = "alice@mgmt1"
CAN = {"reconfigure_reloads_auth": True}
DAY = 86400
SERIAL = "2026-11"


def kept(fingerprint=NEXT, run=OTHER_RUN, age=60, serial="2026-12", by=BY):
    return {
        "fingerprint": fingerprint, "run": run, "age": age + DAY, "run_age": age, "serial": serial, "by": by,
        "created": "2026-11-24T10:00:00Z",
    }  # fmt: skip


def live(fingerprint=FINGERPRINT, staged=None, previous=None, serial=SERIAL, age=10 * DAY):
    return {**key(fingerprint=fingerprint), "serial": serial, "age": age, "next": staged, "previous": previous}


# The key of a key host at each point of a rotation.
BEFORE = live()
STAGED = live(staged=kept())
SWAPPED = live(NEXT, staged=kept(), previous=kept(FINGERPRINT))
TIDY = live(NEXT, previous=kept(FINGERPRINT))


def small(ctl1=BEFORE, dbd1=BEFORE):
    """A controller, a slurmdbd, a slurmrestd; no nodes, as a rotation does not inspect them."""
    observations = cluster(jwt=True, ctl1={"key": ctl1}, dbd1={"key": dbd1})
    del observations["node1"], observations["node2"]
    return settle(observations)


def settle(observations):
    for found in observations.values():
        found["capabilities"] = dict(CAN)
        found["clock_lag"] = 0.1
    return observations


def large(**keys):
    """Two controllers, slurmdbd and its standby, slurmrestd."""
    observations = small()
    observations["ctl2"] = observation("ctl2", "slurmctld", True)
    observations["dbd2"] = observation("dbd2", "slurmdbd", True)
    for index, host in enumerate(("ctl1", "ctl2")):
        parameters = observations["ctl1"]["conf"]["auth_alt_parameters"]
        observations[host]["conf"] = conf(parameters, controllers=("ctl1", "ctl2"), index=index)
    for host in ("dbd1", "dbd2"):
        observations[host]["dbd_conf"].update(dbd_host="dbd1", dbd_backup_host="dbd2", standby=host == "dbd2")
    for host in ("ctl1", "ctl2", "dbd1", "dbd2"):
        observations[host]["key"] = keys.get(host, BEFORE)
    return settle(observations)


def unknown(run):
    return None


def dead(run):
    return True


def alive(run):
    return False


def method_of(found):
    if found["way"] == "in_place":
        return "in_place"
    return "reload" if found["load"]["slurmctld"]["ctl1"] == "reconfigure" else "restart"


def decide(observations, is_dead=unknown, in_play=None, **settings):
    components = {
        component: [host for host in observations if host.startswith(prefix)]
        for component, prefix in (("slurmctld", "ctl"), ("slurmdbd", "dbd"), ("slurmrestd", "rest"))
    }
    wanted = RotationSettings(**{"run": RUN, "serial": SERIAL, **settings})
    components["node"] = []
    hosts = list(in_play or observations)
    return members_of(hs256_rotation_plan.plan(observations, components, hosts, wanted, is_dead))


def refused(observations, **kwargs):
    return decide(observations, **kwargs)["refusals"]


class TestWhetherToRotate:
    def test_a_key_as_declared_has_nothing_to_do(self):
        found = decide(small())
        assert found["refusals"] == []
        assert found["reason"] is None
        assert found["up_to_date"]
        assert found["key_hosts_to_change"] == found["hosts_to_change"] == []
        assert found["unseen_by_check"] == {}
        # The closing table and the list of copies have their hosts all the same.
        assert found["speaker"] == "ctl1"
        assert found["hosts"] == ["ctl1", "dbd1", "rest1"]
        assert found["key_hosts"] == ["ctl1", "dbd1"]

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({"serial": "2026-12"}, "serial"),
            ({"serial": "", "max_age": 10 * DAY}, "max_age"),
            ({"max_age": 10 * DAY}, "max_age"),
            ({"now": True}, "now"),
            ({"serial": "", "now": True}, "now"),
            ({"serial": "2026-12", "now": True}, "now"),
            ({"serial": "2026-12", "max_age": DAY}, "serial"),
        ],
    )
    def test_it_is_due(self, settings, reason):
        found = decide(small(), **settings)
        assert found["reason"] == reason
        assert not found["up_to_date"]
        assert found["key_hosts_to_change"] == ["ctl1", "dbd1"]
        assert found["hosts_to_change"] == ["ctl1", "dbd1", "rest1"]
        assert found["services"] == found["signer_and_services"] == found["rsa_rotation"] == []
        assert found["left_out"] == {}
        assert found["unseen_by_check"] == {"ctl1": ["key rotated"], "dbd1": ["key rotated"]}
        assert found["warnings"] == []

    @pytest.mark.parametrize("settings", [{"max_age": 10 * DAY + 1}, {"serial": "", "max_age": 11 * DAY}])
    def test_a_key_that_is_young_enough(self, settings):
        assert decide(small(), **settings)["reason"] is None

    def test_a_key_without_a_label_is_not_the_one_that_is_wanted(self):
        unlabelled = live(serial=None)
        assert decide(small(unlabelled, unlabelled))["reason"] == "serial"

    def test_the_primary_decides(self):
        """The others have the same key, and may have another label on record for it."""
        assert decide(small(dbd1=live(serial="2025")))["reason"] is None

    def test_nothing_says_which_key_is_wanted(self):
        (reason,) = refused(small(), serial="")
        for way_out in ("slurm_jwt_key_serial", "slurm_jwt_key_max_age", "slurm_jwt_rotate_now=true"):
            assert way_out in reason


class TestThePlan:
    def test_of_a_small_cluster(self):
        found = decide(small(), serial="2026-12", token_hosts=["ctl1", "svc1"])
        assert found["primary"] == "ctl1"
        assert found["standbys"] == []
        assert found["key_hosts_to_change"] == ["ctl1", "dbd1"]
        assert found["services"] == found["new_token_hosts"] == found["swapping_tokens"] == ["ctl1", "svc1"]
        assert found["signer_and_services"] == found["activating_tokens"] == []
        assert found["loading"] == found["loading_standbys"] == []
        assert found["rotating"] == ["ctl1", "dbd1"]
        assert found["hosts_to_change"] == ["ctl1", "dbd1", "rest1", "svc1"]
        assert found["left_out"] == {}
        assert found["key_path"] == {"ctl1": KEY_PATH, "dbd1": KEY_PATH}
        assert found["serial"] == "2026-12"
        assert found["run"] == RUN
        assert found["take_over"] is None
        assert found["old"] == FINGERPRINT
        assert (method_of(found), found["way"]) == ("in_place", "in_place")
        assert not found["tidy_only"]
        assert found["slurmdbd_hosts"] == ["dbd1"]
        assert found["slurmrestd_hosts"] == ["rest1"]
        assert found["slurmrestd_dies"] == []

    def test_slurmdbd_keeps_the_place_of_its_key(self):
        observations = small()
        observations["dbd1"]["key"] = dict(BEFORE, path="/etc/slurm/jwt.key")
        observations["dbd1"]["dbd_conf"]["auth_alt_parameters"] = {"jwt_key": "/etc/slurm/jwt.key"}
        assert decide(observations)["key_path"] == {"ctl1": KEY_PATH, "dbd1": "/etc/slurm/jwt.key"}

    def test_the_controller_that_signs_is_there_where_services_are(self):
        found = decide(small(STAGED), is_dead=dead, token_hosts=["svc1", "rest1"])
        assert found["services"] == found["swapping_tokens"] == ["svc1", "rest1"]
        assert found["new_token_hosts"] == []
        assert found["signer_and_services"] == ["ctl1", "svc1", "rest1"]
        assert found["hosts_to_change"] == ["ctl1", "dbd1", "rest1", "svc1"]

    def test_services_are_left_alone_where_no_key_is_rotated(self):
        found = decide(small(), token_hosts=["ctl1", "svc1"])
        assert found["services"] == found["signer_and_services"] == found["hosts_to_change"] == []

    def test_a_slurmrestd_that_dies_with_slurmdbd(self):
        observations = small()
        observations["rest1"]["capabilities"]["slurmrestd_survives_slurmdbd_restart"] = False
        assert decide(observations, now=True)["slurmrestd_dies"] == ["rest1"]
        # Nothing is restarted, so nothing dies.
        assert decide(observations)["slurmrestd_dies"] == []

    def test_a_cluster_without_slurmdbd(self):
        observations = small()
        del observations["dbd1"]
        found = decide(observations, now=True)
        assert found["key_hosts"] == ["ctl1"]
        assert found["load"] == {"slurmdbd": [], "slurmctld": {}, "conf": []}
        assert found["fallback"]["slurmctld"] == {"ctl1": "reconfigure"}

    def test_the_first_of_slurm_conf_is_the_primary(self):
        observations = large()
        found = decide(dict(reversed(observations.items())), now=True)
        assert found["primary"] == found["key_hosts"][0] == "ctl1"
        assert found["standbys"] == ["ctl2"]

    def test_the_clock_of_the_primary_is_told(self):
        observations = small()
        observations["ctl1"]["clock_lag"] = 1.5
        assert decide(observations, now=True)["clock_lag"] == 1.5
        observations["ctl1"]["clock_lag"] = None
        assert decide(observations, now=True)["clock_lag"] == 0

    def test_what_is_left_to_do_takes_no_part_in_a_rotation(self):
        found = decide(small(TIDY, SWAPPED), is_dead=dead, token_hosts=["svc1"])
        assert found["tidy_only"]
        assert found["services"] == ["svc1"]
        steps = ("rotating", "new_token_hosts", "signer_and_services", "swapping_tokens", "activating_tokens")
        steps = (*steps, "loading", "loading_standbys")
        assert {name: found[name] for name in steps} == dict.fromkeys(steps, [])

    def test_by_rename_daemons_load_the_key_before_tokens_follow(self):
        found = decide(large(), now=True, method="reload", token_hosts=["svc1"])
        assert found["loading"] == found["rotating"] == ["ctl1", "ctl2", "dbd1", "dbd2"]
        assert (found["activating_tokens"], found["swapping_tokens"], found["loading_standbys"]) == (["svc1"], [], [])
        found = decide(large(), now=True, token_hosts=["svc1"])
        assert found["loading_standbys"] == ["ctl1", "ctl2", "dbd1", "dbd2"]
        assert (found["activating_tokens"], found["swapping_tokens"], found["loading"]) == ([], ["svc1"], [])


class TestHow:
    @pytest.mark.parametrize("release", ["24.11.5", "25.05.1", "27.11.0"])
    def test_in_place_on_any_release_that_maps_the_key(self, release):
        observations = small()
        for seen in observations.values():
            seen["release"] = release
        assert method_of(decide(observations, now=True)) == "in_place"

    @pytest.mark.parametrize(("host", "component"), [("ctl1", "slurmctld"), ("dbd1", "slurmdbd")])
    @pytest.mark.parametrize(
        ("loaded", "words"),
        [("copied", "has a copy of its own of the key"), ("unknown", "does not let anybody see whether")],
    )
    def test_a_daemon_that_does_not_share_the_file(self, host, component, loaded, words):
        observations = small()
        observations[host]["daemons"][component]["key_loaded"] = loaded
        found = decide(observations, now=True)
        assert (method_of(found), found["way"]) == ("reload", "rename")
        (warning,) = found["warnings"]
        assert f"{component} on {host} {words}" in warning

    @pytest.mark.parametrize(
        ("size", "method"), [(16, "reload"), (32, "in_place"), (1704, "in_place"), (6363, "reload")]
    )
    def test_a_key_of_a_length_that_no_new_one_may_have(self, size, method):
        observations = small({**BEFORE, "size": size}, {**BEFORE, "size": size})
        found = decide(observations, now=True)
        assert (found["refusals"], method_of(found)) == ([], method)
        told = [f"the current key has {size} bytes" in warning for warning in found["warnings"]]
        assert told == ([True] if method == "reload" else [])

    @pytest.mark.parametrize(("lag", "method"), [(1.1, "in_place"), (1.2, "reload"), (-1.0, "reload")])
    def test_clocks_that_are_apart(self, lag, method):
        observations = small()
        observations["dbd1"]["clock_lag"] = lag
        found = decide(observations, now=True)
        assert method_of(found) == method
        assert any("s apart" in warning for warning in found["warnings"]) == (method == "reload")

    @pytest.mark.parametrize(
        ("least", "most", "lag", "method"),
        [
            # It was slow to be asked, or to answer, and its clock may be right.
            (-8, 9, 0, "in_place"),
            (-8, 2.0, 0, "in_place"),
            (1.5, 9, 1.5, "in_place"),
            (2.0, 9, 2.0, "reload"),
            (-9, -3.0, -3.0, "reload"),
        ],
    )
    def test_a_slow_answer_is_no_wrong_clock(self, least, most, lag, method):
        observations = small()
        observations["ctl1"].update(clock_lag_least=least, clock_lag=most)
        observations["dbd1"].update(clock_lag_least=-0.2, clock_lag=0.6)
        found = decide(observations, now=True)
        assert (found["clock_lag"], method_of(found)) == (lag, method)

    @pytest.mark.parametrize("token_hosts", [["rest1"], []])
    @pytest.mark.parametrize("lag", [3600, -3600])
    def test_the_clock_of_a_host_without_the_key_does_not_count(self, token_hosts, lag):
        """Not even where it has tokens: it may say anything of its clock."""
        observations = small()
        before = decide(observations, now=True, token_hosts=token_hosts)
        assert method_of(before) == "in_place"
        observations["rest1"]["clock_lag"] = lag
        assert decide(observations, now=True, token_hosts=token_hosts) == before

    @pytest.mark.parametrize("host", ["ctl1", "ctl2", "dbd1", "dbd2"])
    def test_the_clock_of_every_host_with_the_key_counts(self, host):
        observations = large()
        observations[host]["clock_lag"] = 3600
        assert method_of(decide(observations, now=True)) == "reload"

    def test_clocks_of_which_nothing_is_known(self):
        observations = small()
        for found in observations.values():
            found["clock_lag"] = None
        found = decide(observations, now=True, token_hosts=["svc1"])
        assert method_of(found) == "in_place"
        assert found["lead"] > 3

    @pytest.mark.parametrize(("host", "component"), [("ctl1", "slurmctld"), ("dbd1", "slurmdbd")])
    def test_a_daemon_whose_file_is_no_longer_there(self, host, component):
        """A rotation by rename has died before it had the daemon load the key: its map is of the old file."""
        observations = small(SWAPPED, SWAPPED)
        observations[host]["daemons"][component] = daemon(key_loaded="replaced")
        found = decide(observations, is_dead=dead)
        assert method_of(found) == "reload"
        assert f"{component} on {host} holds a key file that is no longer there" in found["warnings"][0]

    @pytest.mark.parametrize("method", ["reload", "restart"])
    def test_as_the_site_says(self, method):
        found = decide(small(), now=True, method=method)
        assert (method_of(found), found["way"]) == (method, "rename")
        # Who forbids it need not be told why.
        assert found["warnings"] == []


class TestWhoLoadsIt:
    def load(self, observations, method):
        found = decide(observations, now=True, method=method)
        # If the swap in place does not show, it is a reload.
        assert found["fallback"] == decide(observations, now=True, method="reload")["load"]
        assert found["load"]["conf"] == found["fallback"]["conf"] == []
        return found["load"]["slurmdbd"], found["load"]["slurmctld"]

    def test_of_one_each(self):
        assert self.load(small(), "auto") == ([], {})
        assert self.load(small(), "reload") == (["dbd1"], {"ctl1": "reconfigure"})
        assert self.load(small(), "restart") == (["dbd1"], {"ctl1": "restart"})

    def test_of_two_each(self):
        """Standbys read keys at their start only, and have to have this one before they take over."""
        assert self.load(large(), "auto") == (["dbd2"], {"ctl2": "restart"})
        assert self.load(large(), "reload") == (["dbd1", "dbd2"], {"ctl2": "restart", "ctl1": "reconfigure"})
        assert self.load(large(), "restart") == (["dbd1", "dbd2"], {"ctl2": "restart", "ctl1": "restart"})
        assert decide(large(), now=True)["slurmdbd_standbys"] == ["dbd2"]

    def test_of_a_release_that_reads_keys_at_its_start_only(self):
        observations = large()
        for found in observations.values():
            found["capabilities"]["reconfigure_reloads_auth"] = False
        assert self.load(observations, "reload") == (["dbd1", "dbd2"], {"ctl2": "restart", "ctl1": "restart"})
        assert self.load(observations, "auto") == (["dbd2"], {"ctl2": "restart"})

    def test_slurmctld_in_the_foreground_is_restarted(self):
        """After a reconfigure that fails there would be no slurmctld."""
        observations = small()
        observations["ctl1"]["daemons"]["slurmctld"]["command"] = ["/usr/sbin/slurmctld", "-D"]
        assert self.load(observations, "reload") == (["dbd1"], {"ctl1": "restart"})


class TestLead:
    """Every host has to have been told by the instant of the swap."""

    def lead(self, lag=0.1, **settings):
        observations = small()
        for found in observations.values():
            found["clock_lag"] = lag
        return decide(observations, now=True, **settings)["lead"]

    def test_it_grows_with_the_time_that_telling_takes(self):
        quick, slow, slower = (self.lead(lag) for lag in (0.1, 1, 2))
        assert 3 < quick < slow < slower
        assert slower - slow > 1

    def test_the_slowest_host_counts(self):
        observations = small()
        observations["dbd1"]["clock_lag"] = 1.9
        assert decide(observations, now=True)["lead"] == self.lead(1.9)

    def test_it_grows_with_every_batch_of_hosts(self):
        hosts = [f"svc{number}" for number in range(20)]
        none, one, four = (self.lead(token_hosts=some, forks=5) for some in ([], hosts[:5], hosts))
        assert none < one < four
        assert self.lead(token_hosts=hosts, forks=20) == one
        # Two key hosts and one fork.
        assert self.lead(forks=1) > none
        assert self.lead(forks=0) == self.lead(forks=1)

    def test_it_is_bounded(self):
        hosts = [f"svc{number}" for number in range(10_000)]
        assert self.lead(5, token_hosts=hosts) == hs256_rotation.LONGEST_LEAD

    def test_another_clock_is_no_slow_way(self):
        """All clocks an hour ahead of that of Ansible's host: only where they go together it is the same."""
        assert self.lead(3600) == self.lead(hs256_rotation.SLOWEST)
        assert self.lead(-3600) == self.lead(0.1)

    @pytest.mark.parametrize("lag", [0.1, 3])
    def test_with_services_the_time_counts_that_their_tokens_took(self, lag):
        observations = small()
        observations["dbd1"]["clock_lag"] = lag
        found = decide(observations, now=True, token_hosts=["svc1"])
        assert (found["least_lead"], found["longest_lead"]) == (1.5, 1.5 + 4 * hs256_rotation.SLOWEST)
        found = decide(observations, now=True)
        limits = (1.5 + 2 * max(0.5, lag), 1.5 + 2 * hs256_rotation.SLOWEST)
        assert (found["least_lead"], found["longest_lead"]) == limits

    def test_a_host_of_services_cannot_hold_it_up_for_ever(self):
        found = decide(small(), now=True, token_hosts=[f"svc{number}" for number in range(10_000)])
        assert found["longest_lead"] == hs256_rotation.LONGEST_LEAD


class TestOtherClusters:
    """slurmdbd has one key for all of them."""

    def refused(self, clusters, **settings):
        observations = small()
        observations["ctl1"]["clusters"] = clusters
        return refused(observations, now=True, **settings)

    def test_another_cluster_runs(self):
        clusters = {"running": ["here", "there"], "error": None}
        (reason,) = self.refused(clusters)
        assert reason.startswith("slurmdbd serves there as well, and has one key for all. ")
        assert "slurm_jwt_rotation_other_clusters=true" in reason
        assert self.refused(clusters, other_clusters=True) == []

    @pytest.mark.parametrize("running", [["here"], []])
    def test_this_one_alone_runs(self, running):
        assert self.refused({"running": running, "error": None}) == []

    @pytest.mark.parametrize(("clusters", "said"), [({"running": [], "error": "No."}, "No."), (None, "was not asked")])
    def test_it_is_not_known(self, clusters, said):
        (reason,) = self.refused(clusters)
        assert "sacctmgr does not say which clusters" in reason
        assert said in reason
        assert self.refused(clusters, other_clusters=True) == []

    def test_where_nothing_is_to_be_done_nobody_is_refused(self):
        observations = small()
        observations["ctl1"]["clusters"] = None
        assert refused(observations) == []

    def test_without_slurmdbd(self):
        observations = small()
        del observations["dbd1"]
        observations["ctl1"].update(clusters=None, conf={**observations["ctl1"]["conf"], "accounting": False})
        assert refused(observations, now=True) == []


class TestResume:
    def test_staged_and_nowhere_swapped(self):
        found = decide(small(STAGED, STAGED), is_dead=dead)
        assert found["reason"] == "unfinished"
        assert not found["tidy_only"]
        assert found["take_over"] == OTHER_RUN
        assert found["old"] == FINGERPRINT
        assert method_of(found) == "in_place"
        (warning,) = found["warnings"]
        assert warning.startswith(f"{BY} began this rotation at 2026-11-24T10:00:00Z")
        assert "0 of 2 key hosts had the new key" in warning
        # Its staged keys are this run's as soon as it has taken them over.
        assert found["run_to_end"] == {"ctl1": RUN, "dbd1": RUN}

    def test_staged_on_the_primary_only(self):
        found = decide(small(STAGED), is_dead=dead)
        assert (found["reason"], found["tidy_only"], found["old"]) == ("unfinished", False, FINGERPRINT)

    @pytest.mark.parametrize(("ctl1", "dbd1"), [(SWAPPED, STAGED), (STAGED, SWAPPED), (STAGED, TIDY)])
    def test_half_swapped(self, ctl1, dbd1):
        found = decide(small(ctl1, dbd1), is_dead=dead)
        assert (found["reason"], found["tidy_only"]) == ("unfinished", False)
        # Where to go back to: the key of the one that waits.
        assert found["old"] == FINGERPRINT
        assert "1 of 2 key hosts had the new key" in found["warnings"][0]

    @pytest.mark.parametrize("dbd1", [SWAPPED, TIDY])
    def test_swapped_everywhere(self, dbd1):
        found = decide(small(SWAPPED, dbd1), is_dead=dead)
        assert (found["reason"], found["tidy_only"]) == ("unfinished", False)
        assert found["old"] == FINGERPRINT
        assert "2 of 2 key hosts had the new key" in found["warnings"][0]

    def test_swapped_everywhere_and_no_key_is_kept_to_go_back_to(self):
        without = live(NEXT, staged=kept())
        assert decide(small(without, without), is_dead=dead)["old"] is None

    def test_it_is_finished_as_it_was_begun(self):
        """What the site wishes by now is the next run's to see to."""
        found = decide(small(STAGED, STAGED), is_dead=dead, serial="2027-01", now=True, max_age=DAY)
        assert (found["reason"], found["serial"]) == ("unfinished", "2026-12")
        unlabelled = live(staged=kept(serial=None))
        assert decide(small(unlabelled, unlabelled), is_dead=dead, serial="2027-01")["serial"] == ""

    def test_it_is_finished_without_a_wish(self):
        assert decide(small(STAGED, STAGED), is_dead=dead, serial="")["reason"] == "unfinished"

    def test_daemons_that_a_rotation_left_behind_do_not_stop_the_next(self):
        observations = small(SWAPPED, SWAPPED)
        observations["ctl1"]["daemons"]["slurmctld"] = daemon(key_loaded="replaced")
        assert refused(observations, is_dead=dead) == []

    def test_files_that_are_not_as_declared_wait_for_its_end(self):
        """A rollout waits for the end of a rotation, so a rotation must not wait for a rollout."""
        observations = small(STAGED, STAGED)
        observations["ctl1"]["differences"]["slurm_conf"] = [{}]
        found = decide(observations, is_dead=dead)
        assert found["refusals"] == []
        assert "ctl1: slurm.conf is not as declared. Run the playbook hpc.slurm_jwt.rollout afterwards." in (
            found["warnings"]
        )

    @pytest.mark.parametrize("dbd1", [live(staged=kept()), live(staged=kept(FINGERPRINT))])
    def test_nothing_is_left_but_to_tidy_up(self, dbd1):
        found = decide(small(BEFORE, dbd1), is_dead=dead)
        assert found["tidy_only"]
        assert found["reason"] == "unfinished"
        assert found["key_hosts_to_change"] == ["ctl1", "dbd1"]
        assert found["hosts_to_change"] == ["ctl1", "dbd1", "rest1"]
        # Under the name of the run that left it, or it would be left alone.
        assert found["run_to_end"] == {"ctl1": RUN, "dbd1": OTHER_RUN}
        assert found["unseen_by_check"] == {"dbd1": ["staged key removed"]}
        (warning,) = found["warnings"]
        assert "left its staged key on dbd1" in warning

    def test_a_staged_key_of_nobody_is_tidied_up(self):
        found = decide(small(BEFORE, live(staged=kept(run=None))))
        assert found["tidy_only"]
        assert found["run_to_end"]["dbd1"] == RUN


class TestWhoIsAtWork:
    def test_a_run_that_lives(self):
        (reason,) = refused(small(STAGED, STAGED), is_dead=alive)
        assert reason.startswith(f"{BY} has been rotating the key since 2026-11-24T10:00:00Z, as the run {OTHER_RUN}")
        assert "is at work" in reason

    def test_a_run_that_lives_is_at_work_however_long_it_takes(self):
        old = live(staged=kept(age=DAY))
        assert refused(small(old, old), is_dead=alive)

    def test_a_run_that_died(self):
        assert refused(small(STAGED, STAGED), is_dead=dead) == []

    def test_it_is_asked_about_that_very_run(self):
        asked = []
        decide(small(STAGED, STAGED), is_dead=lambda run: asked.append(run) or True)
        assert asked == [OTHER_RUN]

    def test_a_run_of_which_nobody_knows(self):
        (reason,) = refused(small(STAGED, STAGED), is_dead=unknown)
        assert "cannot be told from here" in reason
        assert "slurm_jwt_rotation_take_over=true" in reason
        assert "in 840 s" in reason

    @pytest.mark.parametrize(("age", "waits"), [(899, True), (900, False), (DAY, False)])
    def test_a_run_of_which_nobody_has_known_for_long(self, age, waits):
        old = live(staged=kept(age=age))
        assert bool(refused(small(old, old), is_dead=unknown)) == waits

    @pytest.mark.parametrize("is_dead", [unknown, alive])
    def test_taking_over(self, is_dead):
        found = decide(small(STAGED, STAGED), is_dead=is_dead, take_over=True)
        assert (found["refusals"], found["take_over"]) == ([], OTHER_RUN)

    def test_this_very_run(self):
        mine = live(staged=kept(run=RUN))
        assert refused(small(mine, mine), is_dead=alive) == []

    def test_a_key_staged_without_a_run(self):
        nobodys = live(staged=kept(run=None, by=None))
        found = decide(small(nobodys, nobodys), is_dead=alive)
        assert found["refusals"] == []
        assert found["warnings"][0].startswith("Somebody began")

    def test_a_run_that_staged_its_key_since_the_primary_was_looked_at(self):
        (reason,) = refused(small(BEFORE, STAGED), is_dead=alive)
        assert "is at work" in reason

    def test_nobody_is_named_somebody(self):
        anonymous = live(staged=kept(by=None))
        (reason,) = refused(small(anonymous, anonymous), is_dead=alive)
        assert reason.startswith("Somebody has been rotating")


class TestNotAsARolloutLeavesIt:
    @pytest.mark.parametrize(
        ("host", "path", "value", "said"),
        [
            ("ctl1", "differences.slurm_conf", [{}], "ctl1: slurm.conf is not as declared"),
            ("dbd1", "differences.slurmdbd_conf", [{}], "dbd1: slurmdbd.conf is not as declared"),
            ("dbd1", "plugins.packages", ["slurm-wlm-jwt-plugin=1"], "dbd1: packages are missing"),
            ("ctl1", "python.pyjwt", None, "ctl1: packages are missing"),
            ("dbd1", "key", None, "dbd1: has no key"),
        ],
    )
    def test_a_rollout_comes_first(self, host, path, value, said):
        observations = small()
        target = observations[host]
        *folders, name = path.split(".")
        for folder in folders:
            target = target[folder]
        target[name] = value
        assert refused(observations, now=True) == [said, rotation_checks.ROLL_OUT_FIRST]
        # A key that is as it should be is no reason to say nothing.
        assert refused(observations) == [said, rotation_checks.ROLL_OUT_FIRST]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("differences", {"slurm_conf": [{}], "slurmdbd_conf": []}), ("plugins", {"packages": ["slurm-jwt-plugin=1"]})],
    )
    @pytest.mark.parametrize("keys", [(BEFORE, BEFORE), (STAGED, STAGED)])
    def test_what_a_host_without_the_key_lacks_is_for_a_rollout(self, name, value, keys):
        before = decide(small(*keys), is_dead=dead, now=True)
        assert before["refusals"] == []
        observations = small(*keys)
        observations["rest1"][name] = value
        assert decide(observations, is_dead=dead, now=True) == before

    def test_all_of_it_is_told_at_once(self):
        observations = small()
        observations["ctl1"]["differences"]["slurm_conf"] = [{}]
        observations["dbd1"]["key"] = None
        assert len(refused(observations)) == 3

    @pytest.mark.parametrize("active", ["failed", "inactive", None])
    def test_a_daemon_that_is_down(self, active):
        observations = large()
        observations["dbd2"]["daemons"]["slurmdbd"] = daemon(active=active)
        assert refused(observations) == [f"dbd2: slurmdbd is {active or 'not there'}", rotation_checks.ROLL_OUT_FIRST]

    def test_a_daemon_that_reloads_is_up(self):
        observations = small()
        observations["ctl1"]["daemons"]["slurmctld"] = daemon(active="reloading")
        assert refused(observations) == []

    @pytest.mark.parametrize("state", ["absent", "replaced"])
    def test_a_daemon_that_has_another_key_than_its_disk(self, state):
        observations = small()
        observations["ctl1"]["daemons"]["slurmctld"] = daemon(key_loaded=state)
        assert refused(observations) == [
            "ctl1: slurmctld has not loaded the key on its disk", rotation_checks.ROLL_OUT_FIRST
        ]  # fmt: skip

    def test_holders_with_different_keys(self):
        (reason,) = refused(small(dbd1=live(OLDER)), now=True)
        assert f"ctl1 has {FINGERPRINT}, dbd1 has {OLDER}" in reason
        assert "slurm_jwt_key_source" in reason
        assert reason.endswith("slurm_jwt_key_source. Run the playbook hpc.slurm_jwt.rollout; then rotate.")

    @pytest.mark.parametrize("host", ["ctl1", "dbd1"])
    def test_a_host_that_cannot_be_reached(self, host):
        observations = dict(small(), **{host: {"unreachable": True, "msg": "No route to host"}})
        (reason,) = refused(observations, now=True)
        assert reason == f"{host}: cannot be reached (No route to host). Bring it up."

    @pytest.mark.parametrize("host", ["ctl1", "dbd1"])
    def test_a_look_that_failed(self, host):
        (reason,) = refused(dict(small(), **{host: {"failed": True, "msg": "no python"}}), now=True)
        assert reason == f"{host}: the inspection of the host failed: no python."

    @pytest.mark.parametrize("host", ["ctl1", "dbd1"])
    def test_a_problem(self, host):
        observations = small()
        observations[host]["problems"] = [answers.problem("error"), answers.problem("warning")]
        assert refused(observations, now=True) == [f"{host}: F. E. R."]

    def test_a_limit_that_leaves_out_a_holder(self):
        (reason,) = refused(small(), in_play=["ctl1", "rest1"], now=True)
        assert "--limit leaves out dbd1" in reason

    def test_a_limit_that_leaves_out_everybody(self):
        components = {"slurmctld": ["ctl1"], "slurmdbd": [], "slurmrestd": [], "node": []}
        found = members_of(hs256_rotation_plan.plan({}, components, [], RotationSettings(), unknown))
        (reason,) = found["refusals"]
        assert "no controller in this play" in reason

    def test_a_refusal_is_all_that_there_is(self):
        found = decide(small(dbd1=live(OLDER)))
        assert set(found) == {"refusals", "warnings", "left_out", "settings", "settings_text"}
        assert (found["warnings"], found["left_out"]) == ([], {})
        found = decide(dict(small(dbd1=live(OLDER)), rest1={"failed": True, "msg": "no python"}))
        assert set(found) == {"refusals", "warnings", "left_out", "settings", "settings_text"}
        assert found["left_out"] == {"rest1": "no python"}


def slow(observations):
    """A slurmdbd that would not see a key which changes in place."""
    observations["dbd1"]["daemons"]["slurmdbd"]["key_loaded"] = "copied"
    return observations


class TestAHostWithoutTheKey:
    """Whatever it answers, a rotation is the same for all others."""

    RUNS = {
        "up_to_date": (small(), {}),
        "label": (large(), {"serial": "2026-12"}),
        "slow": (slow(large()), {"now": True}),
        "unfinished": (small(SWAPPED, STAGED), {}),
        "tidying up": (small(BEFORE, live(staged=kept())), {}),
    }
    # With and without a service on it.
    SERVICES = [["ctl1", "svc1"], ["ctl1", "rest1", "svc1"]]

    def see_the_others(self, run, services, answer):
        observations, settings = self.RUNS[run]

        def plan(observations):
            return decide(observations, is_dead=dead, token_hosts=services, **settings)

        found = answers.same_for_others(plan, observations, "rest1", answer)
        assert found["up_to_date"] == (run == "up_to_date")
        return found

    @pytest.mark.parametrize("member", sorted(answers.ANSWERS))
    @pytest.mark.parametrize("services", SERVICES)
    @pytest.mark.parametrize("run", RUNS)
    def test_no_member_of_its_answer_decides_anything_about_others(self, run, services, member):
        whole = self.RUNS[run][0]["rest1"]
        answers.see_each_value(member, whole, lambda answer: self.see_the_others(run, services, answer), "rest1")

    @pytest.mark.parametrize("services", SERVICES)
    @pytest.mark.parametrize("run", RUNS)
    def test_no_mixture_of_answers_decides_anything_about_others(self, run, services):
        whole = self.RUNS[run][0]["rest1"]
        for changes in answers.mixed(100):
            self.see_the_others(run, services, {**whole, **changes})

    @pytest.mark.parametrize("services", SERVICES)
    @pytest.mark.parametrize("run", RUNS)
    def test_no_look_that_failed_decides_anything_about_others(self, run, services):
        for answer in answers.FAILED:
            said = answer.get("msg") or "no reason given"
            assert self.see_the_others(run, services, answer)["left_out"] == {"rest1": said}

    @pytest.mark.parametrize("services", SERVICES)
    @pytest.mark.parametrize("run", RUNS)
    def test_it_need_not_be_reached(self, run, services):
        for answer, said in zip(answers.UNREACHABLE, ["no reason given", "No route to host"]):
            found = self.see_the_others(run, services, answer)
            assert found["left_out"] == {"rest1": f"It cannot be reached ({said})."}

    @pytest.mark.parametrize("run", RUNS)
    def test_no_look_that_is_said_to_be_skipped_decides_anything_about_others(self, run):
        for answer in answers.skipped():
            self.see_the_others(run, [], answer)

    def test_what_is_left_without_it(self):
        observations = dict(small(), rest1={"failed": True, "msg": "no python"})
        found = decide(observations, now=True, token_hosts=["svc1", "rest1"])
        assert found["refusals"] == []
        assert found["left_out"] == {"rest1": "no python"}
        assert found["services"] == found["new_token_hosts"] == found["swapping_tokens"] == ["svc1"]
        assert found["hosts_to_change"] == ["ctl1", "dbd1", "svc1"]
        assert found["hosts"] == ["ctl1", "dbd1"]
        assert found["slurmrestd_hosts"] == found["slurmrestd_dies"] == []


class TestNoWayOutIsClosed:
    """In the middle of a rotation a rollout refuses, so it must not be named as the first thing to do."""

    def refused(self, observations):
        found = refused(observations, is_dead=dead)
        assert found
        assert rotation_checks.ROLL_OUT_FIRST not in " ".join(found)
        return found[-1]

    def test_a_daemon_that_is_down(self):
        observations = small(SWAPPED, STAGED)
        observations["dbd1"]["daemons"]["slurmdbd"] = daemon(active="failed")
        assert self.refused(observations) == hs256_rotation_plan.FIX_BY_HAND

    def test_packages_that_lack(self):
        observations = small(STAGED, STAGED)
        observations["ctl1"]["python"]["pyjwt"] = None
        assert self.refused(observations) == hs256_rotation_plan.FIX_BY_HAND

    def test_a_holder_without_a_key(self):
        assert self.refused(small(STAGED, None)) == hs256_rotation_plan.GIVE_UP

    def test_a_holder_with_a_third_key(self):
        assert self.refused(small(STAGED, live(OLDER))).endswith(hs256_rotation_plan.GIVE_UP)


class TestARolloutMeanwhile:
    def decide(self, observations, **settings):
        components = {"slurmctld": ["ctl1"], "slurmdbd": ["dbd1"], "slurmrestd": ["rest1"], "node": []}
        desired = desired_state.Desired(**settings)
        return members_of(rollout.plan(observations, components, list(observations), desired))["refusals"]

    @pytest.mark.parametrize(("ctl1", "dbd1", "host"), [(STAGED, STAGED, "ctl1"), (SWAPPED, TIDY, "ctl1"),
                                                        (TIDY, SWAPPED, "dbd1")])  # fmt: skip
    def test_it_is_refused(self, ctl1, dbd1, host):
        (reason,) = self.decide(small(ctl1, dbd1))
        assert reason.startswith(f"{host}: a rotation of the key is under way, begun by {BY} at 2026-11-24T10:00:00Z")
        assert "hpc.slurm_jwt.rotate" in reason

    def test_removing_is_not(self):
        assert self.decide(small(STAGED, STAGED), removing=True) == []

    def test_afterwards_it_is_not(self):
        assert self.decide(small(TIDY, TIDY)) == []
