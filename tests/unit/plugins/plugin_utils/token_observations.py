# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role slurm_jwt_tokens leaves with hosts, in the shape of the modules' results."""

from __future__ import annotations

NOW = 1_795_420_800
FINGERPRINT = "SHA256:" + "a" * 64
GROUPS = {"all": ["ctl1", "svc1", "svc2"], "slurmctld": ["ctl1"], "slurm_token_hosts": ["svc1", "svc2"]}
WEB = {"name": "web", "user": "alice", "dest": "/etc/web", "lifespan": "1d", "renew": True}


def observation(name="web", reason=None, left=40000, changed=False):
    claims = None if left is None else {"iat": NOW + left - 86400, "exp": NOW + left, "sun": "alice"}
    return {"name": name, "reason": reason, "changed": changed or reason is not None, "found": claims, "token": None}


def answer(name="web", host="svc1", reason=None):
    return {"name": f"{name} on {host}", "reason": reason, "key_fingerprint": FINGERPRINT}


def timer(name="web", active="active", enabled=True, changed=False, result="kept", said="web: the token is good."):
    attempt = result and {"at": NOW - 60, "result": result, "said": said, "expires": NOW + 40000}
    return {"name": name, "active": active, "enabled": enabled, "changed": changed, "attempt": attempt}


def hostvars(observations, answers, timers, services=(WEB,)):
    """svc1 as it was found; svc2 with the same services, of which nothing is known."""
    found = {host: {"slurm_jwt_tokens_services": list(services)} for host in GROUPS["all"]}
    found["ctl1"]["slurm_jwt_tokens_minted"] = {"tokens": answers}
    found["svc1"]["slurm_jwt_tokens_observation"] = {"tokens": observations}
    found["svc1"]["slurm_jwt_tokens_timer_result"] = {"timers": timers}
    return found
