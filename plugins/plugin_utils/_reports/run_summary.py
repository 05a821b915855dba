# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run did, told to a person: the failure that stopped it, and the closing table. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import folded
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import run_of

Variables = Mapping[str, Any]

# Registered result -> what it means if it changed something. The order is that of the rollout.
ACTIONS = (
    ("slurm_jwt_packages", "packages installed"),
    ("slurm_jwt_folder", "StateSaveLocation made"),
    ("slurm_jwt_key_at_source", "key made"),
    ("slurm_jwt_key_at_target", "key installed"),
    ("slurm_jwt_local_key_made", "RSA key made"),
    ("slurm_jwt_local_key_staged", "next RSA key made"),
    ("slurm_jwt_jwks", "key set changed"),
    ("slurm_jwt_local_key_active", "RSA key swapped"),
    ("slurm_jwt_jwks_withdrawn", "key set changed"),
    ("slurm_jwt_staged", "next key made"),
    ("slurm_jwt_staged_here", "next key staged"),
    ("slurm_jwt_swapped", "key swapped"),
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
# Characters of a list of nodes that a line of the table has room for.
LONGEST_LIST = 60
PROOFS = ("slurm_jwt_proof", "slurmrestd_proof")


def failure(hostvars: Mapping[str, Variables], everybody: Sequence[str], left: Sequence[str]) -> dict[str, str]:
    """The first host's failure in a play that was rescued, or the host that was lost in it."""
    for host in everybody:
        result = hostvars[host].get("ansible_failed_result")
        if result:
            task = hostvars[host].get("ansible_failed_task")
            return {"host": host, "task": _task_name(task), "cause": _cause(result), "run": run_of(hostvars)}
    lost = [host for host in everybody if host not in left]
    cause = "The host could not be reached any more." if lost else "unknown"
    return {"host": lost[0] if lost else "?", "task": "?", "cause": cause, "run": run_of(hostvars)}


def _task_name(task: Any) -> str:
    name = task.get("name", "") if isinstance(task, Mapping) else getattr(task, "name", "")
    return str(name).rpartition(" : ")[2] or "?"


def _cause(result: Mapping[str, Any]) -> str:
    """What the module said; for a command, what it wrote to its standard error too."""
    texts = [str(result.get(name) or "").strip() for name in ("msg", "stderr")]
    if not any(texts) and result.get("results"):
        return next((_cause(each) for each in result["results"] if each.get("failed")), "unknown")
    return " ".join(filter(None, texts)) or "unknown"


def actions(variables: Variables) -> list[str]:
    return list(dict.fromkeys(text for name, text in ACTIONS if _changed(variables.get(name))))


def _changed(result: Any) -> bool:
    return isinstance(result, Mapping) and bool(result.get("changed"))


def proofs(variables: Variables) -> list[str]:
    """For each daemon that was asked: how many good and bad tokens it answered as it must."""
    found = []
    for name in PROOFS:
        result = variables.get(name)
        # A rotation with overlap proves two keys, in a loop.
        runs = result.get("results", [result]) if isinstance(result, Mapping) else []
        answers = [answer for run in runs for answer in run.get("answers") or ()]
        for daemon in dict.fromkeys(answer["daemon"] for answer in answers):
            mine = [answer for answer in answers if answer["daemon"] == daemon]
            right = [answer for answer in mine if answer["answer"] == answer["expected"]]
            found.append(f"{daemon} {len(right)}/{len(mine)}{_whose_word(name, variables)}")
    return found


def _whose_word(name: str, variables: Variables) -> str:
    """A host of slurmrestd proves itself; whether somebody else has seen that too is part of the proof."""
    if name != "slurmrestd_proof":
        return ""
    seen = variables.get("slurmrestd_proof_from_controller") or {}
    return ", seen from the controller" if seen.get("proven") else ", by its own word"


def table(
    hostvars: Mapping[str, Variables], hosts: Sequence[str], unseen_by_check: Mapping[str, list[str]] | None = None
) -> list[str]:
    """The closing table, a line each. Nodes on which the same happened share a line.

    ``unseen_by_check`` is given in check mode only: what would be done on each host beyond what its tasks told.
    """
    unseen = unseen_by_check or {}
    rows: list[tuple[str, str, str, str]] = []
    alike: dict[tuple[str, str, str], list[str]] = {}
    for host in hosts:
        variables = hostvars[host]
        look = variables.get("slurm_jwt_observation") or {}
        what = ", ".join(actions(variables) + unseen.get(host, [])) or "nothing to do"
        # A host of services need not have Slurm.
        row = (str(look.get("release") or ("?" if look else "-")), what, ", ".join(proofs(variables)) or "-")
        if look.get("components") == ["node"]:
            alike.setdefault(row, []).append(host)
        else:
            rows.append((host, *row))
    for row, names in alike.items():
        rows.append((_nodes(names), *row))
    done = "done" if unseen_by_check is None else "would be done"
    return layout([("host", "Slurm", done, "proven (right answers)"), *rows])


def _nodes(names: Sequence[str]) -> str:
    """As Slurm writes a list of hosts, with their number where they are many; the number alone if that is too long."""
    text = folded(names)
    if len(text) > LONGEST_LIST:
        return f"{len(names)} nodes"
    return text if len(names) == 1 else f"{text} ({len(names)} nodes)"


class Copy(NamedTuple):
    """One copy of the key on one host."""

    host: str
    copy: str
    """in force, next or previous."""
    path: str
    key: Variables

    @property
    def short(self) -> str:
        return short(str(self.key["fingerprint"]))

    @property
    def owner(self) -> str:
        return f"{self.key['owner']}:{self.key['group']}"


def copies_on(host: str, look: Variables) -> list[Copy]:
    """Every copy of the key that a look at a host has found."""
    key = look.get("key") or {}
    return [
        Copy(host, name, f"{key['path']}{'' if found is key else f'.{name}'}", found)
        for name, found in (("in force", key), ("next", key.get("next")), ("previous", key.get("previous")))
        if found and found.get("fingerprint")
    ]


def short(fingerprint: str) -> str:
    """As much of a fingerprint as tells keys apart."""
    return fingerprint[:19]


def copies(hostvars: Mapping[str, Variables], hosts: Sequence[str]) -> list[str]:
    """Who holds a key, a line for each copy that a look has found: what a security officer asks for."""
    rows = [("host", "copy", "key", "owner", "mode", "age in days", "serial", "made by")]
    for host in hosts:
        for one in copies_on(host, hostvars[host].get("slurm_jwt_observation") or {}):
            rows.append(
                (
                    host,
                    one.copy,
                    one.short,
                    one.owner,
                    str(one.key["mode"]),
                    f"{(one.key['age'] or 0) / 86400:.1f}",
                    str(one.key.get("serial") or "-"),
                    str(one.key.get("by") or "-"),
                )
            )
    return layout(rows)


def keys_in_force(hostvars: Mapping[str, Variables], hosts: Sequence[str]) -> str:
    """Which key each host has in force, as it was read after everything was put back."""
    found: dict[str, list[str]] = {}
    for host in hosts:
        result = hostvars[host].get("slurm_jwt_in_force") or {}
        key = result.get("fingerprint")
        found.setdefault(short(str(key)) if key else "not known", []).append(host)
    if set(found) == {"not known"}:
        return "No host says which key it has in force."
    return "The key in force: " + "; ".join(f"{key} on {', '.join(names)}" for key, names in found.items()) + "."


def layout(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of text as lines with straight columns; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()

    return [line(rows[0]), "  ".join("-" * width for width in widths), *(line(row) for row in rows[1:])]
