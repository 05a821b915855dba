# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus on this machine, for tests of the dashboard."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


def program(name: str) -> str:
    """Prometheus, promtool or prometheus-node-exporter, as tests/setup unpacks them or as they are installed."""
    unpacked = ROOT / ".work/prometheus/usr/bin" / name
    path = str(unpacked) if unpacked.exists() else shutil.which(name)
    assert path, f"{name} is missing. Run tests/setup, which unpacks it in .work/prometheus."
    return path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(words: Sequence[object], url: str, log: Path) -> Iterator[None]:
    """A program, as soon as it answers at an address."""
    with log.open("wb") as output:
        process = subprocess.Popen([str(word) for word in words], stdout=output, stderr=subprocess.STDOUT)
    try:
        for _attempt in range(START_SECONDS * 10):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            with contextlib.suppress(OSError):
                urllib.request.urlopen(url, timeout=5).close()
                break
            time.sleep(0.1)
        else:
            raise AssertionError(f"{words[0]} does not answer at {url}: {log.read_text(encoding='utf-8')}")
        yield
    finally:
        process.terminate()
        process.wait(30)


class Prometheus:
    """Asks a Prometheus that runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode('utf-8')}") from error

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        result: list[dict[str, Any]] = self.get("query", query=expr)["result"]
        return result

    @property
    def version(self) -> str:
        return str(self.get("status/buildinfo")["version"]).partition("+")[0]

    def unhealthy(self) -> list[str]:
        """Targets that were not scraped yet, or not without an error."""
        targets = [each for each in self.get("targets")["activeTargets"] if each["health"] != "up"]
        return [f"{each['scrapeUrl']}: {each['lastError'] or each['health']}" for each in targets]


@contextlib.contextmanager
def prometheus(folder: Path, jobs: list[dict[str, Any]], rules: Path, interval: int) -> Iterator[Prometheus]:
    """Prometheus with these jobs and rules, scraping every so many seconds."""
    config = {
        "global": {"scrape_interval": f"{interval}s", "evaluation_interval": f"{interval}s"},
        "rule_files": [str(rules)],
        "scrape_configs": jobs,
    }
    # JSON is YAML.
    (folder / "prometheus.yml").write_text(json.dumps(config, indent=1), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    words = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with running(words, f"http://{address}/-/ready", folder / "prometheus.log"):
        yield Prometheus(f"http://{address}")
