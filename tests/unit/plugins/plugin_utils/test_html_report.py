# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about a cluster's JWT: what it tells, and that nothing can get into it."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports import html_report
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

KEY = {"path": "/key", "exists": True, "fingerprint": FINGERPRINT, "owner": "slurm", "group": "slurm", "mode": "0400"}
KEY.update(age=3 * 86400, serial="2026-11", by="alice@mgmt1", next=None, previous=None)
CONF = {"cluster_name": "lab", "auth_alt_types": ["auth/jwt"], "auth_alt_parameters": {"jwt_key": "/key", "flag": ""}}
CTL = {"components": ["slurmctld"], "release": "24.11.5", "conf": CONF, "dbd_conf": None, "key": KEY, "problems": []}
CTL.update(daemons={"slurmctld": {"active": "active", "slurm_jwt": False}}, jwks=None)

NASTY = "<script>alert(1)</script>\"'&<img src=x onerror=y>"


def cluster(**observations):
    """The variables of a cluster with one service on svc1, and observations of hosts by name."""
    found = hostvars([observation()], [answer()], [timer()])
    groups = {**GROUPS, "all": [*GROUPS["all"], *observations]}
    for host, one in {"ctl1": CTL, **observations}.items():
        found.setdefault(host, {})["slurm_jwt_observation"] = one
    groups["slurm_nodes"] = [host for host in observations if host.startswith("node")]
    groups["slurmdbd"] = [host for host in observations if host.startswith("dbd")]
    return found, groups


def page(*components):
    found, groups = components or cluster()
    return html_report.page(html_report.gather(found, groups, NOW))


class Wellformed(HTMLParser):
    """Every element is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


class TestPage:
    def test_it_is_whole_and_loads_nothing(self):
        text = page()
        seen = Wellformed(text).seen
        assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _attrs in seen}
        assert not [attrs for _tag, attrs in seen if {"src", "href", "style"} & set(attrs)]
        assert "url(" not in text and "http:" not in text and "https:" not in text and "@import" not in text

    def test_what_it_tells(self):
        text = page()
        for words in (
            "JWT of the Slurm cluster lab",
            "SHA256:aaaaaaaaaaaa",
            "alice@mgmt1",
            "slurm.conf: auth/jwt <code>jwt_key=/key,flag</code>",
            "<td>web</td><td>alice</td><td>svc1</td><td><code>/etc/web</code></td><td>1d</td><td>11h</td>",
        ):
            assert words in text

    def test_nothing_can_get_into_it(self):
        nasty = copy.deepcopy(CTL)
        nasty["key"]["serial"] = nasty["conf"]["cluster_name"] = nasty["release"] = NASTY
        nasty["conf"]["auth_alt_parameters"] = {"jwt_key": NASTY}
        nasty["problems"] = [{"severity": NASTY, "found": NASTY, "effect": NASTY, "remedy": NASTY}]
        nasty["daemons"] = {NASTY: {"active": NASTY}}
        nasty["jwks"] = {"path": NASTY, "exists": True, "kids": [NASTY]}
        service = dict(WEB, user=NASTY, dest=NASTY, lifespan=NASTY)
        found = hostvars([observation()], [answer()], [timer(result="failed", said=NASTY)], [service])
        found["ctl1"]["slurm_jwt_observation"] = nasty
        text = page(found, GROUPS)
        Wellformed(text)
        assert "<script" not in text and "<img" not in text and text.count("&lt;script&gt;") > 10

    def test_an_empty_cluster(self):
        found, groups = {"ctl1": {}}, {"all": ["ctl1"], "slurmctld": ["ctl1"]}
        text = page(found, groups)
        Wellformed(text)
        assert "The host could not be inspected" in text and "No service is declared" in text

    def test_nodes_alike_share_a_line(self):
        node = {"components": ["node"], "release": "24.11.5", "conf": CONF, "problems": []}
        text = page(*cluster(**{f"node{number}": node for number in range(9)}))
        assert "node0 and 8 more" in text and "node5" not in text


class TestFindings:
    def told(self, *components):
        return html_report.gather(*components, NOW).findings

    def test_none(self):
        found, groups = cluster()
        assert self.told(found, {**groups, "slurm_token_hosts": ["svc1"]}) == []

    def test_the_worst_first(self):
        problems = [{"severity": severity, "found": severity} for severity in ("info", "warning", "error")]
        told = self.told(*cluster(dbd1=dict(CTL, components=["slurmdbd"], problems=problems)))
        assert [one.severity for one in told if one.host == "dbd1"] == ["error", "warning", "info"]
        assert [one.severity for one in told] == sorted((one.severity for one in told), key=html_report._RANKS.index)

    def test_what_several_hosts_have_is_said_once(self):
        node = {"components": ["node"], "conf": CONF, "problems": [{"severity": "warning", "found": "F."}]}
        told = self.told(*cluster(**{f"node{number}": node for number in range(1, 41)}))
        assert [one for one in told if one.text == "F."] == [("warning", "node[1-40]", "F.")]

    def test_different_keys(self):
        other = dict(CTL, components=["slurmdbd"], key=dict(KEY, fingerprint="SHA256:" + "b" * 64))
        told = [one.text for one in self.told(*cluster(dbd1=other)) if "different keys" in one.text]
        assert told and "SHA256:bbbbbbbbbbbb on dbd1" in told[0]
        assert '<b class="error">2</b> current keys' in page(*cluster(dbd1=other))
        assert '<b class="">1</b> current key<' in page(*cluster())

    def test_keys_beside_the_one_in_force(self):
        key = dict(KEY, previous=dict(KEY, fingerprint="SHA256:" + "c" * 64))
        copies = html_report.gather(*cluster(dbd1=dict(CTL, key=key)), NOW).copies
        assert [(one.host, one.slot) for one in copies] == [
            ("ctl1", "current"),
            ("dbd1", "current"),
            ("dbd1", "previous"),
        ]


class TestTimeline:
    def bars(self, *observations_):
        services = [dict(WEB, name=one["name"], dest=f"/etc/{one['name']}") for one in observations_]
        found = hostvars(list(observations_), [answer(one["name"]) for one in observations_], [], services)
        text = page(found, {**GROUPS, "slurm_token_hosts": ["svc1"]})
        Wellformed(text)
        return [
            (float(x), float(width))
            for x, width in re.findall(r'<rect class="[a-z ]+" x="([-0-9.]+)" y="\d+" width="([-0-9.]+)"', text)
        ]

    def test_what_is_over_and_what_is_left(self):
        gone, left = self.bars(observation(left=21600))
        assert gone[0] == 260 and abs(gone[0] + gone[1] - left[0]) < 0.2
        assert abs(gone[1] / left[1] - 3) < 0.01

    def test_an_endless_one_leaves_room_for_others(self):
        bars = self.bars(observation("long", left=2**31), observation("short", left=86400 * 30))
        assert all(x >= 260 and x + width <= 981 for x, width in bars)

    def test_an_expired_one(self):
        assert len(self.bars(observation(reason="expiring", left=-100))) == 1

    def test_one_that_is_no_token(self):
        assert self.bars(observation(reason="missing", left=None)) == []
