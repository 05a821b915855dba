# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run summary: what a run did on each host, and what it proved. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import folded
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports.text_table import layout

Variables = Mapping[str, Any]

# Registered result -> the action if it changed something, in the order of a rollout. A test compares it with the tasks.
ACTIONS = (
    ("slurm_jwt_packages", "packages installed"),
    ("slurm_jwt_folder", "StateSaveLocation made"),
    ("slurm_jwt_key_at_source", "key made"),
    ("slurm_jwt_key_at_target", "key installed"),
    ("slurm_jwt_openmetrics_key_at_source", "key for metrics made"),
    ("slurm_jwt_openmetrics_key_at_target", "key for metrics installed"),
    ("slurm_jwt_local_key_made", "RSA key made"),
    ("slurm_jwt_local_key_staged", "next RSA key made"),
    ("slurm_jwt_jwks", "key set changed"),
    ("slurm_jwt_local_key_active", "RSA key swapped"),
    ("slurm_jwt_staged", "next key made"),
    ("slurm_jwt_staged_here", "next key staged"),
    ("slurm_jwt_swapped", "key swapped"),
    ("slurm_jwt_openmetrics_staged", "next key for metrics made"),
    ("slurm_jwt_openmetrics_staged_here", "next key for metrics staged"),
    ("slurm_jwt_openmetrics_swapped", "key for metrics swapped"),
    ("slurm_jwt_conf", "slurm.conf changed"),
    ("slurm_jwt_dbd_conf", "slurmdbd.conf changed"),
    ("slurm_jwt_slurmdbd_standby_restart", "slurmdbd restarted"),
    ("slurm_jwt_slurmdbd_restart", "slurmdbd restarted"),
    ("slurm_jwt_standby_restart", "slurmctld restarted"),
    ("slurm_jwt_slurmctld_restart", "slurmctld restarted"),
    ("slurm_jwt_slurmctld_reconfigure", "slurmctld reconfigured"),
    ("slurm_jwt_jwks_timer_result", "timer of key sets set"),
    ("slurm_jwt_jwks_timer_removed", "timer of key sets removed"),
    ("slurm_jwt_key_removed", "key put aside"),
    ("slurm_jwt_openmetrics_key_removed", "key for metrics put aside"),
    ("slurm_jwt_local_key_removed", "RSA key put aside"),
    ("slurm_jwt_jwks_removed", "key set put aside"),
    ("slurm_jwt_conf_copies", "copies removed"),
    ("slurm_jwt_dbd_conf_copies", "copies removed"),
    ("slurmrestd_package", "slurmrestd installed"),
    ("slurmrestd_account", "user made"),
    ("slurmrestd_dropin", "drop-in written"),
    ("slurmrestd_unit", "slurmrestd (re)started"),
    ("slurmrestd_stopped", "slurmrestd stopped"),
    ("slurmrestd_dropin_removed", "drop-in removed"),
    ("slurmrestd_account_removed", "user removed"),
    ("slurm_jwt_tokens_written", "token written"),
    ("slurm_jwt_tokens_activated", "token swapped"),
    ("slurm_jwt_tokens_put_back", "token put back"),
    ("slurm_jwt_tokens_restarted", "service restarted"),
    ("slurm_jwt_tokens_reloaded", "service reloaded"),
    ("slurm_jwt_tokens_timer_result", "timers set"),
    ("slurm_jwt_tokens_timers_removed", "timers removed"),
    ("slurm_jwt_tokens_removed", "token removed"),
    ("slurm_jwt_proxy_package", "proxy installed"),
    ("slurm_jwt_proxy_policy_written", "policy written"),
    ("slurm_jwt_proxy_verifier", "verifier (re)started"),
    ("slurm_jwt_proxy_conf", "proxy configured"),
    ("slurm_jwt_proxy_removed", "proxy removed"),
)
PROOFS = ("slurm_jwt_proof", "slurm_jwt_openmetrics_proof", "slurmrestd_proof")

# Most characters of a list of nodes in a line.
LONGEST_LIST = 60


class SummaryRow(NamedTuple):
    """A host, or nodes with the same entries."""

    host: str
    release: str
    actions: str
    proofs: str


def table(
    hostvars: Mapping[str, Variables], hosts: Sequence[str], unseen_by_check: Mapping[str, list[str]] | None = None
) -> list[str]:
    """The lines of the summary. Nodes with the same actions share one.

    ``unseen_by_check`` is given in check mode only: the actions on each host that its tasks could not report.
    """
    rows: list[SummaryRow] = []
    nodes: dict[SummaryRow, list[str]] = {}
    for host in hosts:
        row = _row(host, hostvars[host], (unseen_by_check or {}).get(host, []))
        if (hostvars[host].get("slurm_jwt_observation") or {}).get("components") == ["node"]:
            nodes.setdefault(row._replace(host=""), []).append(host)
        else:
            rows.append(row)
    rows += [row._replace(host=_nodes(names)) for row, names in nodes.items()]
    done = "done" if unseen_by_check is None else "would be done"
    return layout([SummaryRow("host", "Slurm", done, "proven (right answers)"), *rows])


def _row(host: str, variables: Variables, unseen: Sequence[str]) -> SummaryRow:
    observed = variables.get("slurm_jwt_observation") or {}
    # A host of services may have no Slurm.
    release = str(observed.get("release") or ("?" if observed else "-"))
    what = ", ".join([*actions(variables), *unseen]) or "nothing to do"
    return SummaryRow(host, release, what, ", ".join(proofs(variables)) or "-")


def actions(variables: Variables) -> list[str]:
    """What the tasks changed on a host."""
    return list(dict.fromkeys(text for name, text in ACTIONS if _changed(variables.get(name))))


def _changed(result: Any) -> bool:
    return isinstance(result, Mapping) and bool(result.get("changed"))


def proofs(variables: Variables) -> list[str]:
    """For each daemon: how many of the good and bad tokens it answered correctly."""
    texts = []
    for name in PROOFS:
        result = variables.get(name)
        # A rotation of the RSA key proves two keys, in a loop.
        runs = result.get("results", [result]) if isinstance(result, Mapping) else []
        answers = [answer for run in runs for answer in run.get("answers") or ()]
        for daemon in dict.fromkeys(answer["daemon"] for answer in answers):
            of_daemon = [answer for answer in answers if answer["daemon"] == daemon]
            right = [answer for answer in of_daemon if answer["answer"] == answer["expected"]]
            texts.append(f"{daemon} {len(right)}/{len(of_daemon)}{_observer(name, variables)}")
    return texts


def _observer(name: str, variables: Variables) -> str:
    """A host of slurmrestd proves itself. This says whether the controller saw the same."""
    if name != "slurmrestd_proof":
        return ""
    seen = variables.get("slurmrestd_proof_from_controller") or {}
    return ", seen from the controller" if seen.get("proven") else ", by its own word"


def _nodes(names: Sequence[str]) -> str:
    """The nodes as Slurm writes them, with their number if there are several; only the number if that is too long."""
    text = folded(names)
    if len(text) > LONGEST_LIST:
        return f"{len(names)} nodes"
    return text if len(names) == 1 else f"{text} ({len(names)} nodes)"
