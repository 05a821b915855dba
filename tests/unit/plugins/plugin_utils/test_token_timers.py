# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often tokens are looked at, and what is refused because a token could expire."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import token_timers
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services.declared_services import ServicesError

WEB = {"name": "web", "user": "alice", "dest": "/etc/web", "format": "raw", "lifespan": "1d", "renew": True}


def timer(**options):
    (found,) = token_timers.timers([{**WEB, **options}], "svc1")
    return found


def refused(**options):
    with pytest.raises(ServicesError) as caught:
        timer(**options)
    return str(caught.value)


class TestCalendar:
    @pytest.mark.parametrize(
        ("seconds", "step", "words"),
        [
            (1, 20, "*-*-* *:*:0/20"),
            (59, 30, "*-*-* *:*:0/30"),
            (60, 60, "*-*-* *:0/1:00"),
            (3599, 1800, "*-*-* *:0/30:00"),
            (5 * 3600, 4 * 3600, "*-*-* 0/4:00:00"),
            (10**7, 86400, "*-*-* 00:00:00"),
        ],
    )
    def test_the_longest_step_that_fits(self, seconds, step, words):
        assert token_timers.calendar(seconds) == (step, words)

    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="wants systemd")
    def test_systemd_understands_them(self):
        words = [token_timers.calendar(step)[1] for step in token_timers._STEPS]
        done = subprocess.run(
            ["systemd-analyze", "calendar", *words], capture_output=True, text=True, check=False, env={"LC_ALL": "C"}
        )
        assert done.returncode == 0, done.stderr


class TestTimers:
    def test_only_what_says_so(self):
        silent = {key: WEB[key] for key in WEB if key != "renew"}
        assert token_timers.timers([dict(WEB, renew=False), silent], "svc1") == []

    def test_by_default(self):
        assert timer(owner="alice", restarts=["web.service"], hosts=["svc1"]) == {
            "name": "web",
            "user": "alice",
            "dest": "/etc/web",
            "format": "raw",
            "owner": "alice",
            "restarts": ["web.service"],
            "lifespan": 86400,
            "min_remaining": 17280,
            "calendar": "*-*-* *:0/30:00",
            "jitter": 450,
            "interval": 2250,
        }

    def test_a_very_short_life(self):
        found = timer(lifespan="120", min_remaining=100, renew_period=20)
        assert (found["calendar"], found["interval"]) == ("*-*-* *:*:0/20", 25)

    @given(life=st.integers(1, 366 * 86400), data=st.data())
    def test_what_is_not_refused_has_room_for_some_failures(self, life, data):
        left = data.draw(st.none() | st.integers(0, life))
        period = data.draw(st.none() | st.integers(0, life))
        try:
            found = timer(lifespan=life, min_remaining=left, renew_period=period)
        except ServicesError:
            return
        # The worst is to come just before the token is due, and then late each time.
        assert found["min_remaining"] >= 4 * found["interval"]
        assert found["min_remaining"] < found["lifespan"]

    @given(life=st.integers(500, 366 * 86400))
    def test_whatever_lives_for_some_minutes_needs_no_further_words(self, life):
        assert timer(lifespan=life)["lifespan"] == life


class TestRefusals:
    def test_too_seldom(self):
        text = refused(min_remaining="4h", renew_period="2h")
        assert text.startswith("slurm_jwt_tokens_services: web on svc1: its token is looked at every 9000 s at the la")
        assert "so 1 attempts fit into the min_remaining of 14400 s, and 4 is the least" in text
        assert "Set renew_period to 1800 s or less, or min_remaining to 36000 s or more." in text

    def test_the_remedies_help(self):
        assert timer(min_remaining="4h", renew_period=1800)
        assert timer(min_remaining=36000, renew_period="2h")

    def test_no_period_is_short_enough(self):
        assert "Set min_remaining to 100 s or more." in refused(lifespan=120)
        assert "Give it a lifespan well above 100 s" in refused(lifespan=90)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"name": "a b"}, "with renew its name becomes part of the names of systemd units"),
            ({"name": "-x"}, "names of systemd units"),
            ({"name": "../x"}, "names of systemd units"),
            ({"claims": {"aud": "x"}}, "renew excludes claims"),
            ({"lifespan": "infinite"}, "is not to be renewed but to be given a shorter life"),
            ({"lifespan": "400d"}, "lives 400 days"),
            ({"lifespan": "0"}, "lifespan: A lifespan of 0 s is too short"),
            ({"min_remaining": "1d"}, "min_remaining: 86400 s is not less than the lifespan of 86400 s"),
            ({"min_remaining": "soon"}, "min_remaining: 'soon' is not a duration"),
            ({"renew_period": "1800x"}, "renew_period: '1800x' is not a duration"),
            ({"renew_period": 19}, "renew_period: 19 s is too short. Give 20 s at least."),
        ],
    )
    def test_others(self, options, words):
        text = refused(**options)
        assert words in text and "on svc1" in text
