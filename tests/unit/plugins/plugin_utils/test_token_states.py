# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of every declared token."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.filter import reports
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports import token_states
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils.token_observations import (
    FINGERPRINT,
    GROUPS,
    NOW,
    WEB,
    answer,
    hostvars,
    observation,
    timer,
)


def one(a_look=None, an_answer=None, a_timer=None, service=None):
    observations, answers, timers = ([each] if each else [] for each in (a_look, an_answer, a_timer))
    found = token_states.states(hostvars(observations, answers, timers, [service or WEB]), GROUPS, NOW)
    (mine,) = [state for state in found if state.host == "svc1"]
    return mine


class TestState:
    def test_a_good_one(self):
        state = one(observation(), answer(), timer())
        assert (state.state, state.severity, state.left, state.key) == ("good", "ok", 40000, "current")
        assert (state.made, state.expires, state.fingerprint) == (NOW - 46400, NOW + 40000, FINGERPRINT)
        assert (state.timer, state.timer_severity) == ("kept", "ok")
        assert token_states.findings([state]) == []

    @pytest.mark.parametrize(
        ("a_look", "an_answer", "state", "severity", "key"),
        [
            (observation(reason="missing", left=None), answer(reason="missing"), "there is none", "error", "?"),
            (observation(reason="expiring", left=100), answer(reason="missing"), "about to expire", "warning", "?"),
            (observation(reason="expiring", left=0), answer(reason="missing"), "expired", "error", "?"),
            (observation(), answer(reason="key"), "signed by another key", "error", "another"),
            (observation(changed=True), answer(), "owner, group or mode differ", "warning", "current"),
            (observation(changed=True), answer(reason="key"), "signed by another key", "error", "another"),
            (observation(), None, "good, as far as can be seen without the key", "warning", "?"),
            (None, None, "not inspected: the host did not answer", "error", "?"),
        ],
    )
    def test_others(self, a_look, an_answer, state, severity, key):
        found = one(a_look, an_answer, timer())
        assert (found.state, found.severity, found.key) == (state, severity, key)
        (finding,) = token_states.findings([found])
        assert (finding.severity, finding.host) == (severity, "svc1")
        assert state in finding.text and "Run the playbook hpc.slurm_jwt.tokens." in finding.text

    @pytest.mark.parametrize(
        ("a_timer", "words", "severity"),
        [
            (timer(active="inactive"), "not running", "error"),
            (timer(enabled=False), "not running", "error"),
            (timer(result="failed", said="web: slurmctld does not answer."), "last attempt failed", "error"),
            (timer(changed=True), "not as declared", "warning"),
            (timer(result="left_alone"), "left alone", "ok"),
            (timer(result=None), "waits", "ok"),
            (None, "?", "warning"),
        ],
    )
    def test_timers(self, a_timer, words, severity):
        found = one(observation(), answer(), a_timer)
        assert (found.timer, found.timer_severity) == (words, severity)
        assert len(token_states.findings([found])) == (severity != "ok")
        if words == "last attempt failed":
            assert "Its message: web: slurmctld does not answer." in token_states.findings([found])[0].text

    def test_without_a_timer(self):
        assert one(observation(), answer(), service=dict(WEB, renew=False)).timer == "-"


class TestAll:
    def test_the_worst_comes_first_and_hosts_that_are_silent_are_not_forgotten(self):
        services = [WEB, dict(WEB, name="proxy", renew=False)]
        observed = [observation(), observation("proxy", left=20)]
        vars_ = hostvars(observed, [answer(), answer("proxy")], [timer()], services)
        found = token_states.states(vars_, GROUPS, NOW)
        assert [(state.host, state.service) for state in found] == [
            ("svc2", "web"),
            ("svc2", "proxy"),
            ("svc1", "proxy"),
            ("svc1", "web"),
        ]

    def test_the_table(self):
        found = token_states.states(hostvars([observation()], [answer()], [timer()]), GROUPS, NOW)
        lines = token_states.table(found)
        assert lines[0].split() == ["service", "user", "host", "lifespan", "left", "key", "token", "timer"]
        assert lines[3].split() == ["web", "alice", "svc1", "1d", "11h", "current", "good", "kept"]
        assert token_states.table([]) == []

    def test_no_services(self):
        assert token_states.states(hostvars([], [], [], ()), GROUPS, NOW) == []
        assert token_states.states({}, {}, NOW) == []

    @pytest.mark.parametrize(
        ("seconds", "words"), [(None, "-"), (-5, "0"), (59, "59s"), (7199, "119m"), (7200, "2h"), (10**6, "11d")]
    )
    def test_spans(self, seconds, words):
        assert token_states.span(seconds) == words


class TestFilters:
    def test_findings_as_a_playbook_gets_them(self):
        found = reports.token_findings(hostvars([observation()], [answer(reason="key")], [timer()]), GROUPS, NOW)
        assert [(one["severity"], one["host"]) for one in found] == [
            ("error", "svc2"),
            ("warning", "svc2"),
            ("error", "svc1"),
        ]
        assert found[2]["message"].startswith("svc1: The token of alice for web in /etc/web: signed by another key.")
