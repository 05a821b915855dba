# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a sample token would be on each host, as a table."""

from __future__ import annotations

from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports import sample_token


def found(daemon: str, **more: Any) -> dict[str, Any]:
    alice = {"claim": "sun", "user": "alice", "uid": 1001, "accepted": True, "refusals": [], "cautions": ["look out"]}
    return {"daemon": daemon, **alice, **more}


def test_nobody_was_asked():
    skipped = {"slurm_jwt_identity_slurmctld": {"skipped": True}}
    assert sample_token.table({"ctl1": skipped, "n1": {}}, ["ctl1", "n1"]) == []


def test_one_user_everywhere():
    hostvars = {
        "ctl1": {"slurm_jwt_identity_slurmctld": found("slurmctld")},
        "dbd1": {"slurm_jwt_identity_slurmdbd": found("slurmdbd")},
    }
    lines = sample_token.table(hostvars, ["ctl1", "dbd1"])
    assert lines[0].split() == ["host", "daemon", "Slurm", "reads", "user", "uid", "would", "be"]
    assert lines[2].split() == ["ctl1", "slurmctld", "sun", "alice", "1001", "accepted"]
    assert lines[4:] == ["caution: look out"]


def test_another_user_on_the_host_of_slurmdbd():
    refused = found("slurmdbd", user=None, uid=None, claim=None, accepted=False, refusals=["no claim"])
    both = {"slurm_jwt_identity_slurmctld": found("slurmctld"), "slurm_jwt_identity_slurmdbd": refused}
    lines = sample_token.table({"one": both}, ["one"])
    assert lines[3].split() == ["one", "slurmdbd", "nothing", "-", "-", "refused"]
    assert lines[4].startswith("differs: the token is not the same user everywhere: alice (1001) on one, nobody (-)")
    assert lines[5:] == ["refused (slurmdbd on one): no claim", "caution: look out"]
    one_refuses = {**both, "slurm_jwt_identity_slurmdbd": found("slurmdbd", accepted=False, refusals=["no key"])}
    assert "some daemons would accept it" in sample_token.table({"one": one_refuses}, ["one"])[4]
