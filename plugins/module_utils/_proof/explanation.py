# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explains what a proof found wrong, and what to do. Private to this collection."""

from __future__ import annotations

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.cases import ACCEPTABLE, CASES, METRICS, Answer
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client_reply import (
    ACCEPTED,
    CLIENTS,
    REFUSED,
    UNASKED,
    UNCLEAR,
    UNREACHABLE,
)

_NOT_LOADED = ("header lengths are longer",)
"""slurmctld or slurmdbd without auth/jwt cannot read the request."""


def explain(answers: list[Answer]) -> str:
    """What was not as expected, and what to do. Empty for a proven cluster."""
    texts = []
    for daemon, asked in dict.fromkeys((answer.daemon, answer.asked) for answer in answers):
        wrong = [one for one in answers if (one.daemon, one.asked) == (daemon, asked) and one.answer != one.expected]
        if wrong:
            texts.append(_explain_daemon(wrong, answers))
    return " ".join(dict.fromkeys(texts))


def _explain_daemon(wrong: list[Answer], answers: list[Answer]) -> str:
    """What is wrong with one daemon, asked in one way."""
    first = wrong[0]
    who = f"{first.daemon} ({first.asked})"
    if first.answer == UNASKED:
        return f"{who} could not be asked: {first.detail}. {_remedy_of_unasked(first)}"
    if first.answer == UNREACHABLE:
        return _explain_no_answer(first)
    if first.case == "own":
        remedy = "Repair that first: check munge on both hosts."
        return f"{who} refused the cluster's own authentication: {first.detail}. {remedy}"
    if first.case in ACCEPTABLE:
        was = "refused" if first.answer == REFUSED else "neither accepted nor clearly refused"
        text = f"{who}: {CASES[first.case]} was {was}: {first.detail}. "
        return text + _remedy_of_refusal(first, answers)
    names = ", ".join(f"{CASES[one.case]} (was {one.answer}{': ' + one.detail if one.detail else ''})" for one in wrong)
    return f"{who} should refuse {names}. {_remedy_of_acceptance(wrong)}"


def _explain_no_answer(answer: Answer) -> str:
    question = "Is it running, and can this host reach it?"
    nobody_there = any(text in answer.detail.lower() for text in ("connection refused", "no such file", "no route"))
    if answer.daemon != "slurmrestd":
        return f"{answer.daemon} ({answer.asked}) does not answer: {answer.detail}. {question}"
    if nobody_there and not answer.detail.startswith("status"):
        return f"slurmrestd does not answer: {answer.detail}. {question}"
    daemon = _checking_daemon(answer)
    return (
        f"slurmrestd ({answer.asked}) returns no answer from {daemon}: {answer.detail}. Is {daemon} running? "
        "Is slurmrestd still running? Release 20.11 exits when slurmdbd is down."
    )


def _checking_daemon(answer: Answer) -> str:
    """The daemon that checks the token behind slurmrestd."""
    return "slurmdbd" if "/slurmdb/" in answer.asked else "slurmctld"


def _remedy_of_unasked(answer: Answer) -> str:
    low = answer.detail.lower()
    if "auth plugin" in low or "auth context" in low:
        return (
            "The plugin auth_jwt.so is missing on this host. Install its package (slurm-wlm-jwt-plugin on Debian 12 "
            "and later), or run the proof on a host that has it."
        )
    if "accounting_storage" in low:
        return "This cluster has no slurmdbd. Leave slurmdbd out of daemons."
    if answer.daemon == "slurmrestd":
        daemon = _checking_daemon(answer)
        hint = ", or set rest_slurmdb=false if there is no slurmdbd" if daemon == "slurmdbd" else ""
        return f"Check that slurmrestd listens there, and load its OpenAPI plugins for {daemon}{hint}."
    return "Fix that on this host first."


def _remedy_of_refusal(answer: Answer, answers: list[Answer]) -> str:
    daemon = answer.daemon
    if daemon == "slurmrestd":
        return _remedy_of_rest(answer)
    if daemon == METRICS:
        return _remedy_of_metrics(answer)
    if answer.answer == UNCLEAR:
        return f"The meaning of that answer is not known. Check the log of {daemon}."
    low = answer.detail.lower()
    conf = "slurm.conf" if daemon == "slurmctld" else "slurmdbd.conf"
    restart = (
        "restart it (from Slurm 23.11 on, 'scontrol reconfigure' is enough)" if daemon == "slurmctld" else "restart it"
    )
    if any(text in low for text in _NOT_LOADED):
        return f"It has not loaded auth/jwt. Set AuthAltTypes=auth/jwt and a key in {conf}, and {restart}."
    if answer.case == "sample":
        return (
            "Check its kid, exp and the claim that names the user (module slurm_jwt_token, state: verified), whether "
            f"its issuer is among the sources of the key set, and whether {daemon} has loaded that key set: {restart}."
        )
    accepting = sorted({one.daemon for one in answers if (one.case, one.answer) == ("good", ACCEPTED)} & set(CLIENTS))
    other = f"{accepting[0]} accepts the same token. So " if accepting else ""
    begin = f"{other}{daemon} has probably not been restarted since"
    return (
        f"{begin} its key or AuthAltTypes changed: {restart}. If that does not help, compare AuthAltTypes and "
        f"jwt_key= in {conf}, the fingerprint of the key on its host, and the clocks of both hosts."
    )


def _remedy_of_rest(answer: Answer) -> str:
    if "status 401" in answer.detail:
        return "slurmrestd accepts no tokens. It needs SLURM_JWT=daemon in its environment and -a rest_auth/jwt."
    daemon = _checking_daemon(answer)
    return f"slurmrestd only passes tokens on. Is {daemon} running, and does it accept this token when asked directly?"


def _remedy_of_metrics(answer: Answer) -> str:
    if "status 401" in answer.detail:
        return "slurmctld has another key loaded, or none. Reconfigure it, and compare SlurmctldHttpAuthParameters."
    if "status 403" in answer.detail:
        return "MetricsAuthUsers does not have that user: reconfigure slurmctld, and compare scontrol show config."
    if "status 500" in answer.detail:
        return "slurmctld's host does not know that user, or it is nobody, whom slurmctld refuses to serve."
    return "Compare MetricsType in scontrol show config with slurm.conf, and check slurmctld's log."


def _remedy_of_acceptance(wrong: list[Answer]) -> str:
    if any(one.answer != ACCEPTED for one in wrong):
        return "Run the proof again while nothing is being restarted, and check the daemon's log."
    accepted = {one.case for one in wrong}
    if wrong[0].daemon == METRICS:
        return "Compare MetricsAuthUsers and SlurmctldHttpAuthParameters in scontrol show config with slurm.conf."
    if accepted == {"of_metrics"}:
        return "Both keys are the same. Give metrics a key of its own, in another file."
    if accepted == {"expired"}:
        return "The clock of its host is more than an hour slow. Correct it: tokens expire too late."
    if accepted == {"foreign_name"}:
        return "The user of the proof is SlurmUser or root; give a plain one. If it is a plain one, stop slurmrestd."
    return (
        "It answers without authentication, so every client can act as any user: stop it, and find out which program "
        "listens there and with which authentication."
    )
