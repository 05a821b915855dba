# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The section "Alerts" of the guide "Troubleshooting": one heading for each alert rule, to which its runbook_url leads.

What an alert says is read from the rules. What to do is written here.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "roles/slurm_jwt_tokens/files/prometheus_rules.yml"


class Runbook(NamedTuple):
    commands: tuple[str, ...]
    """To find out more, on the host that the alert names."""
    text: str
    """What to look for, and what to do."""


RENEWAL_LOG = "journalctl --unit slurm-jwt-renew@SERVICE --since -1d"
KEY_SET_LOG = "journalctl --unit slurm-jwks-refresh --since -1d"

RUNBOOKS = {
    "SlurmTokenExpired": Runbook(
        ("systemctl start slurm-jwt-renew@SERVICE.service", RENEWAL_LOG),
        "The first command renews the token now. The second one says why it was not renewed in time. If the timer"
        " cannot renew it, run ``hpc.slurm_jwt.tokens``: that makes a new token with the key.",
    ),
    "SlurmTokenNotRenewed": Runbook(
        ("systemctl list-timers 'slurm-jwt-renew@*'", RENEWAL_LOG),
        "The timer runs and found the token fresh enough, or cannot renew it. Check that the clocks of this host and"
        " of slurmctld's are the same, and that no rotation of the key was left half done: ``hpc.slurm_jwt.verify``"
        " says so, and ``hpc.slurm_jwt.rotate`` finishes it.",
    ),
    "SlurmTokenTimerStopped": Runbook(
        ("systemctl status slurm-jwt-renew@SERVICE.timer", "systemctl enable --now slurm-jwt-renew@SERVICE.timer"),
        "If the timer is missing, run ``hpc.slurm_jwt.tokens``. If it runs, its file of metrics may not be written:"
        " the journal of ``slurm-jwt-renew@SERVICE`` says so. If the service does not exist any more, delete"
        " ``slurm_jwt_token_SERVICE.prom`` in the folder of node_exporter's textfile collector.",
    ),
    "SlurmTokenRenewalFailing": Runbook(
        (RENEWAL_LOG, "scontrol ping"),
        "The journal names the cause: slurmctld does not answer, munge refuses this host, the user does not exist on"
        " the controller, or the file cannot be written. The timer goes on trying. Until the token expires, the service"
        " works.",
    ),
    "SlurmClockDiffers": Runbook(
        ("timedatectl", "sdiag | head -3"),
        "The second command shows slurmctld's clock. Repair the time service of the host whose clock is wrong. Tokens"
        " expire too early or too late as long as the clocks differ.",
    ),
    "SlurmKeyOld": Runbook(
        (),
        "Rotate it, with a label that the key does not have yet. No request fails meanwhile."
        " See :ref:`ansible_collections.hpc.slurm_jwt.docsite.guide_rotation`.",
    ),
    "SlurmKeySetTimerStopped": Runbook(
        ("systemctl status slurm-jwks-refresh.timer", "systemctl enable --now slurm-jwks-refresh.timer"),
        "If the timer is missing, run ``hpc.slurm_jwt.rollout``. To distrust a key meanwhile, name it in"
        " ``slurm_jwt_jwks_remove`` and run the rollout: that does not need the timer.",
    ),
    "SlurmKeySetUpdateFailing": Runbook(
        (KEY_SET_LOG, "systemctl start slurm-jwks-refresh"),
        "The journal names the provider and what is wrong with its keys, or the daemon that does not run after it was"
        " reloaded. Keys of other providers are kept up to date. If a provider offers a key under the name of another"
        " one, ask its operator before you trust it.",
    ),
    "SlurmKeySetSourceUnreachable": Runbook(
        (KEY_SET_LOG,),
        "The journal names the provider and the error: name resolution, a proxy, a certificate, a time-out. After"
        " ``slurm_jwt_jwks_max_outage`` the service fails, too. If the provider no longer exists, remove it from"
        " ``slurm_jwt_jwks_sources``.",
    ),
}

COMMAND = {
    "SlurmKeyOld": "ansible-playbook -i inventory hpc.slurm_jwt.rotate --extra-vars slurm_jwt_key_serial=2027-01",
}
"""On the host where Ansible runs."""


def rules() -> list[dict[str, object]]:
    return [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def said(text: str) -> str:
    """A text of a rule, with its values in capitals."""
    return re.sub(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}", lambda match: match[1].upper(), text)


def section() -> Iterator[str]:
    """The lines of the section."""
    yield from ("Alerts", "------", "")
    yield from (
        "The alert rules in *roles/slurm_jwt_tokens/files/prometheus_rules.yml* lead here. See",
        ":ref:`ansible_collections.hpc.slurm_jwt.docsite.guide_monitoring`. ``SERVICE`` is the alert's label of that",
        "name.",
        "",
    )
    for rule in rules():
        name, notes = str(rule["alert"]), rule["annotations"]
        assert isinstance(notes, dict)
        runbook = RUNBOOKS[name]
        yield from (name, "^" * len(name), "")
        yield from _wrapped(f"{notes['summary']} {said(notes['description'])}")
        yield from _console(runbook.commands, "#")
        yield from _wrapped(runbook.text)
        yield from _console((COMMAND[name],) if name in COMMAND else (), "$")


def _wrapped(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, 118, break_long_words=False, break_on_hyphens=False)
    yield ""


def _console(commands: tuple[str, ...], prompt: str) -> Iterator[str]:
    if commands:
        yield from (".. code-block:: console", "", *(f"   {prompt} {command}" for command in commands), "")
