# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Grafana dashboard, made from one table of panels, and the page with each query and its result in the lab.

tests/lab/pictures measures the results.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "roles/slurm_jwt_tokens/files/grafana_dashboard.json"
PAGE = ROOT / "docs/dashboard.md"
FIGURES = ROOT / "tests/lab/dashboard_figures.json"

COLUMNS = 24
"""Grafana's grid."""
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
HOST = '{instance=~"$instance"}'
CONTROLLER = '{instance=~"$controller"}'


class Query(NamedTuple):
    expr: str
    legend: str = ""
    column: str = ""
    """The name of its values in a table."""


class Panel(NamedTuple):
    title: str
    kind: str
    """stat, timeseries or table."""
    queries: tuple[Query, ...]
    text: str
    unit: str = "short"
    width: int = 12
    bad: tuple[str, float] | None = None
    """The colour from this value on."""


class Row(NamedTuple):
    title: str
    panels: tuple[Panel, ...]


def token(name: str) -> str:
    return f"slurm_jwt_token_{name}{HOST}"


def jwks(name: str) -> str:
    return f"slurm_jwt_jwks_{name}{HOST}"


def slurm(name: str) -> str:
    return f"slurm_{name}{CONTROLLER}"


def late(kind: str) -> str:
    """How many of its intervals ago a timer last ran."""
    family = f"slurm_jwt_{kind}_attempt"
    return f"(time() - {family}_timestamp_seconds{HOST}) / {family}_interval_seconds{HOST}"


ROWS = (
    Row("Tokens", (
        Panel("Tokens expired or missing", "stat",
              (Query(f"count({token('expiry_timestamp_seconds')} <= time()) or vector(0)"),),
              "Services whose requests are refused now.", width=6, bad=("red", 1)),
        Panel("Next token expires in", "stat",
              (Query(f"min({token('expiry_timestamp_seconds')} > time()) - time()"),),
              "What is left of the token that expires first. Timers renew it before.", "s", width=6),
        Panel("Renewals that fail", "stat", (Query(f"count({token('attempt_success')} == 0) or vector(0)"),),
              "Token timers whose last run failed. The token is good until it expires.", width=6, bad=("orange", 1)),
        Panel("Alerts", "stat",
              (Query('count(ALERTS{alertname=~"Slurm.+",alertstate="firing"}) or vector(0)'),),
              "Alerts of prometheus_rules.yml that fire now.", width=6, bad=("orange", 1)),
        Panel("Time left of each token", "timeseries",
              (Query(f"clamp_min({token('expiry_timestamp_seconds')} - time(), 0)", "{{service}} on {{instance}}"),),
              "A saw-tooth: the token is renewed when the time left has sunk to min_remaining.", "s"),
        Panel("Tokens", "table",
              (Query(f"clamp_min({token('expiry_timestamp_seconds')} - time(), 0)", column="left"),
               Query(f"time() - ({token('renewal_timestamp_seconds')} > 0)", column="renewed before")),
              "Each token that a timer renews.", "s"),
    )),
    Row("Signing key", (
        Panel("Age of the signing key", "stat", (Query(f"time() - slurm_jwt_key_created_timestamp_seconds{HOST}"),),
              "As of the last run of a playbook. Rotate it: hpc.slurm_jwt.rotate.", "s", width=6,
              bad=("orange", 366 * 86400)),
        Panel("Keys that sign, over time", "timeseries",
              (Query(f"count by (fingerprint) (slurm_jwt_key_info{HOST})", "{{fingerprint}}"),),
              "A rotation is where one fingerprint ends and the next begins.", width=6),
        Panel("Signing key", "table", (Query(f"slurm_jwt_key_info{HOST}", column="in force"),),
              "Where the key is, and its fingerprint: what sha256sum prints."),
    )),
    Row("Key sets of identity providers", (
        Panel("Different key sets", "stat", (Query(f"count(count by (fingerprint) ({jwks('info')}))"),),
              "One, if all hosts trust the same keys.", width=6, bad=("orange", 2)),
        Panel("Trusted keys", "timeseries", (Query(jwks("keys"), "{{instance}}"),), "In the file that Slurm reads.",
              width=6),
        Panel("Time since all identity providers were reached", "timeseries",
              (Query(f"time() - {jwks('reached_timestamp_seconds')}", "{{instance}}"),),
              "Keys of a provider that cannot be reached stay as they are.", "s", width=6),
        Panel("Time since daemons loaded keys", "timeseries",
              (Query(f"time() - ({jwks('loaded_timestamp_seconds')} > 0)", "{{instance}}"),),
              "Daemons are reloaded by the timer only if keys have changed.", "s", width=6),
        Panel("Key sets", "table", (Query(jwks("info"), column="in force"),), "The fingerprint of each host's file.",
              width=24),
    )),
    Row("Timers", (
        Panel("Time since the last run, in intervals", "timeseries",
              (Query(late("token"), "token {{service}} on {{instance}}"),
               Query(late("jwks"), "key set on {{instance}}")),
              "Below 1 where a timer runs. At 3 it counts as stopped.", bad=("orange", 3)),
        Panel("Clock of slurmctld, ahead of the host", "timeseries",
              (Query(token("clock_offset_seconds"), "{{service}} on {{instance}}"),),
              "Tokens expire by slurmctld's clock.", "s"),
    )),
    Row("slurmctld (26.05, MetricsType=metrics/openmetrics)", (
        Panel("Jobs", "timeseries",
              (Query(slurm("jobs_running"), "running"), Query(slurm("jobs_pending"), "pending"),
               Query(slurm("jobs_suspended"), "suspended")), "By state.", width=8),
        Panel("Nodes", "timeseries",
              (Query(slurm("nodes_alloc"), "allocated"), Query(slurm("nodes_mixed"), "mixed"),
               Query(slurm("nodes_idle"), "idle"), Query(slurm("nodes_drain"), "drain"),
               Query(slurm("nodes_down"), "down")), "By state.", width=8),
        Panel("CPUs", "timeseries",
              (Query(f"sum({slurm('node_cpus_alloc')})", "allocated"), Query(f"sum({slurm('node_cpus')})", "all")),
              "Of all nodes.", width=8),
        Panel("Pending jobs by partition", "timeseries", (Query(slurm("partition_jobs_pending"), "{{partition}}"),),
              "Where jobs wait.", width=8),
        Panel("Running jobs by account", "timeseries",
              (Query(f"topk(10, {slurm('account_jobs_running')})", "{{account}}"),), "The ten largest.", width=8),
        Panel("Jobs per second", "timeseries",
              (Query(f"rate({slurm('sdiag_jobs_submitted')}[$__rate_interval])", "submitted"),
               Query(f"rate({slurm('sdiag_jobs_started')}[$__rate_interval])", "started"),
               Query(f"rate({slurm('sdiag_jobs_completed')}[$__rate_interval])", "completed")),
              "slurmctld sets the counters to 0 at midnight UTC.", width=8),
        Panel("Scheduler cycle, mean", "timeseries",
              (Query(slurm("sched_mean_cycle"), "main"), Query(slurm("bf_mean_cycle"), "backfill")),
              "How long the scheduler takes.", "\N{MICRO SIGN}s", width=12),
        Panel("Backlog", "timeseries",
              (Query(slurm("server_thread_cnt"), "requests at work"),
               Query(slurm("agent_queue_size"), "messages to nodes"),
               Query(slurm("slurmdbd_queue_size"), "messages to slurmdbd")),
              "What grows if slurmctld or slurmdbd cannot keep up.", width=12),
    )),
)  # fmt: skip


# -- Grafana -----------------------------------------------------------------------------------------------------------


def _target(panel: Panel, query: Query, letter: str) -> dict[str, Any]:
    at_once = panel.kind != "timeseries"
    return {
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "format": "table" if panel.kind == "table" else "time_series",
        "instant": at_once,
        "legendFormat": query.legend or "__auto",
        "range": not at_once,
        "refId": letter,
    }


def _options(kind: str) -> dict[str, Any]:
    if kind == "stat":
        calculation = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"colorMode": "value", "graphMode": "none", "reduceOptions": calculation, "textMode": "value"}
    if kind == "table":
        return {"cellHeight": "sm", "showHeader": True}
    return {
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _panel(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    steps = [{"color": "green", "value": None}]
    if panel.bad:
        steps.append({"color": panel.bad[0], "value": panel.bad[1]})
    letters = "ABCDEFGH"
    content: dict[str, Any] = {
        "datasource": SOURCE,
        "description": panel.text,
        "fieldConfig": {
            "defaults": {"min": 0, "thresholds": {"mode": "absolute", "steps": steps}, "unit": panel.unit},
            "overrides": [],
        },
        "gridPos": {"h": height(panel), "w": panel.width, "x": x, "y": y},
        "id": number,
        "options": _options(panel.kind),
        "targets": [_target(panel, query, letter) for query, letter in zip(panel.queries, letters)],
        "title": panel.title,
        "type": panel.kind,
    }
    if panel.title.startswith("Clock"):
        # A clock may be behind as well.
        del content["fieldConfig"]["defaults"]["min"]
    if panel.kind == "table":
        values = [f"Value #{letter}" for letter in letters] if len(panel.queries) > 1 else ["Value"]
        names = {value: query.column for value, query in zip(values, panel.queries)}
        hidden = dict.fromkeys(("Time", "__name__", "job"), True)
        content["transformations"] = [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {"excludeByName": hidden, "renameByName": names}},
        ]
    return content


def height(panel: Panel) -> int:
    return 4 if panel.kind == "stat" else 8


def _panels() -> Iterator[dict[str, Any]]:
    number, y = 0, 0
    for row in ROWS:
        number += 1
        yield {
            "collapsed": False,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
            "id": number,
            "panels": [],
            "title": row.title,
            "type": "row",
        }
        x, y, tallest = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            number += 1
            yield _panel(panel, number, x, y)
            x, tallest = x + panel.width, max(tallest, height(panel))
        y += tallest


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "allValue": ".+",
        "current": {"selected": True, "text": "All", "value": "$__all"},
        "datasource": SOURCE,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "query": {"qryType": 1, "query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "type": "query",
    }


VARIABLES = {
    "instance": ("Host", 'label_values({__name__=~"slurm_jwt_.+"}, instance)'),
    "controller": ("Controller", "label_values(slurm_nodes, instance)"),
}


def dashboard() -> str:
    """What Grafana imports."""
    content = {
        "annotations": {"list": []},
        "description": "Tokens, signing key, key sets and timers of hpc.slurm_jwt, and slurmctld's own metrics.",
        "editable": True,
        "graphTooltip": 1,
        "links": [],
        "panels": list(_panels()),
        "refresh": "1m",
        "schemaVersion": 39,
        "tags": ["slurm", "jwt"],
        "templating": {
            "list": [
                {"label": "Prometheus", "name": "datasource", "query": "prometheus", "type": "datasource"},
                *(_variable(name, label, query) for name, (label, query) in VARIABLES.items()),
            ]
        },
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "title": "Slurm JWT",
        "uid": "hpc-slurm-jwt",
    }
    return json.dumps(content, indent=2) + "\n"


# -- queries, for tests and for the page -------------------------------------------------------------------------------


def queries() -> Iterator[tuple[Panel, Query]]:
    for row in ROWS:
        for panel in row.panels:
            for query in panel.queries:
                yield panel, query


def filled_in(expr: str, rate_interval: str) -> str:
    """A query as Grafana sends it if all hosts are chosen."""
    for name in VARIABLES:
        expr = expr.replace(f"${name}", ".+")
    return expr.replace("$__rate_interval", rate_interval)


def page() -> str:
    """Each panel's queries with their results in the lab."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    lines = [
        "<!-- Written by tests/stage/pages.py from tests/stage/dashboard.py and tests/lab/dashboard_figures.json. -->",
        "",
        "# The dashboard's queries, measured",
        "",
        "What the panels of the Grafana dashboard show: their queries, and what Prometheus"
        f" {figures['prometheus']} answered for a cluster of the lab with Slurm {figures['slurm']}. {figures['what']}"
        " `tests/lab/pictures` measures it again.",
        "",
    ]
    for row in ROWS:
        lines += [f"## {row.title}", "", "| Panel | Query | Result |", "|---|---|---|"]
        for panel in row.panels:
            for query in panel.queries:
                result = "<br>".join(sorted(shown(panel, query, *series) for series in figures["results"][query.expr]))
                name = panel.title if query is panel.queries[0] else ""
                lines.append(f"| {name} | {code(query.expr)} | {result} |")
        lines.append("")
    return "\n".join(lines)


def code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def shown(panel: Panel, query: Query, metric: Mapping[str, str], number: float) -> str:
    """One series of a result, as a legend or a table shows it."""
    labels = {name: value for name, value in metric.items() if name not in ("__name__", "job")}
    legend = query.legend
    if panel.kind == "table":
        legend = ", ".join(f"{name} {short(value)}" for name, value in labels.items())
    for name, value in labels.items():
        legend = legend.replace(f"{{{{{name}}}}}", short(value))
    value = amount(number, panel.unit)
    return f"{legend}: {value}" if legend else value


def short(label: str) -> str:
    """The beginning of a fingerprint."""
    return f"{label[:19]}\N{HORIZONTAL ELLIPSIS}" if label.startswith("SHA256:") else label


def amount(number: float, unit: str) -> str:
    digits = f"{number:.3g}" if abs(number) < 1000 else f"{number:.0f}"
    return digits if unit == "short" else f"{digits} {unit}"
