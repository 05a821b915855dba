# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Grafana dashboard: Grafana knows all that is in it, and each query finds something in a real Prometheus.

Prometheus scrapes what the collection's own code writes, through a real node_exporter, and what slurmctld 26.05
answered in the lab (metrics/*.prom, written by tests/lab/pictures).
"""

from __future__ import annotations

import functools
import http.server
import itertools
import json
import pathlib
import re
import sys
import threading
import time
from contextlib import ExitStack

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from ansible_collections.hpc.slurm_jwt.tests.unit.roles.monitoring import (
    FILES,
    ROOT,
    jwks_metrics,
    names,
    signing_key_metrics,
    token_metrics,
    written,
)

sys.path.insert(0, str(ROOT / "tests/stage"))
import dashboard  # noqa: E402
from prometheus import free_port, program, prometheus, running  # noqa: E402

SLURMCTLD = pathlib.Path(__file__).parent / "metrics"
CONTENT = json.loads((FILES / "grafana_dashboard.json").read_text(encoding="utf-8"))
TARGETS = [
    (panel["title"], target["expr"]) for panel in CONTENT["panels"] for target in panel.get("targets", ())
]
PARTS = sorted(path.stem.partition("-")[2] for path in SLURMCTLD.glob("*.prom"))


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    """A Prometheus that has scraped all of it twice and more."""
    folder = tmp_path_factory.mktemp("prometheus")
    now = int(time.time())
    metrics = {
        "slurm_jwt_token_web": token_metrics(now, expires=now + 3000),
        "slurm_jwt_token_old": token_metrics(now, "old", now - 10, "failed"),
        "slurm_jwks": jwks_metrics(now),
        "slurm_jwt_key": signing_key_metrics(now - 86400),
    }
    for name, text in metrics.items():
        (folder / f"{name}.prom").write_text(text, encoding="utf-8")
    handler = functools.partial(Files, directory=str(SLURMCTLD))
    slurmctld = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=slurmctld.serve_forever, daemon=True).start()
    exporter = f"127.0.0.1:{free_port()}"
    words = [
        program("prometheus-node-exporter"),
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={folder}",
        f"--web.listen-address={exporter}",
    ]
    controller = f"127.0.0.1:{slurmctld.server_address[1]}"
    jobs = [
        {"job_name": "node", "static_configs": [{"targets": [exporter]}]},
        *(
            {
                "job_name": f"slurm-{part}",
                "metrics_path": f"/slurmctld-{part}.prom",
                "static_configs": [{"targets": [controller]}],
            }
            for part in PARTS
        ),
    ]
    with ExitStack() as stack:
        stack.enter_context(running(words, f"http://{exporter}/metrics", folder / "exporter.log"))
        server = stack.enter_context(prometheus(folder, jobs, FILES / "prometheus_rules.yml", 1))
        for _attempt in range(60):
            # Twice, for rates; and the rules come after the first.
            if not server.unhealthy() and server.query("min(count_over_time(up[30s])) >= 3") and server.query("ALERTS"):
                break
            time.sleep(0.5)
        assert not server.unhealthy()
        yield server
    slurmctld.shutdown()
    slurmctld.server_close()


class Files(http.server.SimpleHTTPRequestHandler):
    """Answers as slurmctld does: text/plain without a version."""

    extensions_map = {"": "text/plain"}

    def log_message(self, *_of_what):
        pass


def test_there_are_slurmctlds_metrics():
    assert PARTS == ["jobs", "jobs-users-accts", "nodes", "partitions", "scheduler"]


@pytest.mark.parametrize(("title", "expr"), TARGETS, ids=[f"{title}: {expr}" for title, expr in TARGETS])
def test_a_query_finds_something(server, title, expr):
    found = server.query(dashboard.filled_in(expr, "30s"))
    assert found
    for series in found:
        assert re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", series["value"][1]), series
    # What is counted with "or vector(0)" has to exist as well.
    for name in set(re.findall(r"\b(?:slurm_\w+|ALERTS)\b", expr)):
        assert server.query(name), f"{title}: there is no {name}."


def test_a_query_for_a_metric_that_does_not_exist_finds_nothing(server):
    assert not server.query("slurm_jwt_token_expires")


def test_the_variables_name_hosts(server):
    """As Grafana asks for them: label_values(SELECTOR, LABEL)."""
    variables = [each for each in CONTENT["templating"]["list"] if each["type"] == "query"]
    assert {each["name"] for each in variables} == {"instance", "controller"}
    for variable in variables:
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
        assert len(server.get(f"label/{label}/values", **{"match[]": selector})) == 1


def test_a_choice_of_one_host(server):
    """Grafana puts a regular expression in the place of a variable."""
    (host,) = server.get("label/instance/values", **{"match[]": "slurm_nodes"})
    for _title, expr in TARGETS:
        for variable in ("instance", "controller"):
            assert f'{variable}="${variable}"' not in expr
    chosen = 'slurm_nodes{instance=~"$controller"}'.replace("$controller", re.escape(host))
    assert server.query(chosen.replace("\\", "\\\\"))


def test_every_metric_of_the_collection_is_shown():
    shown = set(re.findall(r"slurm_jwt_\w+", " ".join(expr for _title, expr in TARGETS)))
    asked = {name for rule in _rules() for name in re.findall(r"slurm_jwt_\w+", rule["expr"])}
    assert names(written()) == shown | (names(written()) & asked)
    assert shown <= names(written())


def _rules():
    (group,) = yaml.safe_load((FILES / "prometheus_rules.yml").read_text(encoding="utf-8"))["groups"]
    return group["rules"]


def test_grafana_knows_all_that_is_in_it():
    """Read and written by Grafana's own types, nothing is lost."""
    plugins.register_default_plugins()
    assert list(lost(CONTENT, _by_grafana(CONTENT))) == []
    changed = json.loads(json.dumps(CONTENT))
    changed["panels"][1]["options"]["colourMode"] = "value"
    assert list(lost(changed, _by_grafana(changed))) == ["/panels/1/options/colourMode"]


def _by_grafana(content):
    return json.loads(JSONEncoder().encode(Dashboard.from_json(json.loads(json.dumps(content)))))


def lost(ours, theirs, path=""):
    """Where Grafana's types have something else."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            yield from lost(value, theirs.get(name, "missing"), f"{path}/{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs)):
            yield from lost(*pair, f"{path}/{number}")
    elif ours != theirs:
        yield path


def test_panels_do_not_overlap():
    taken = set()
    for panel in CONTENT["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= dashboard.COLUMNS
        columns, rows = (range(place[at], place[at] + place[size]) for at, size in (("x", "w"), ("y", "h")))
        cells = set(itertools.product(columns, rows))
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in CONTENT["panels"]}) == len(CONTENT["panels"])
