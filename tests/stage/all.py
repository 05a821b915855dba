# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tests: all stages, or the named ones.

Stages with and without containers run at the same time. Every stage has a log in .work/logs. The last line counts what
passed and what failed: test cases if a stage has some, else the stage itself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree
from pathlib import Path
from typing import NamedTuple

import matrix_page

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / ".work"
LOGS = WORK / "logs"
COLLECTIONS = WORK / "collections"
HERE = COLLECTIONS / "ansible_collections/hpc/slurm_jwt"
PLUGINS = "ansible_collections.hpc.slurm_jwt.plugins"

RELEASES = ("20.11", "22.05", "24.11", "26.05")
CORES = ("2.16", "2.17", "2.18", "2.19", "2.20", "2.21")
# For scenarios that are not about one release.
DEFAULT_RELEASE = "24.11"
# Scenarios about what only one of the releases can do.
OF_ONE_RELEASE = {"metrics": "26.05"}
# Scenarios about what Slurm 20.11 cannot do, and the first release that can. It has no jwks= (the scenario jwks shows
# that it is refused there), and a rollout refuses a standby slurmdbd with slurmrestd there, which refused tokens end.
SINCE = dict.fromkeys(("high-availability", "local-user", "remove", "rs256"), "22.05")

# Images that the lab compiles, and the only scenario that uses each. They take long, so only the matrix has them.
COMPILED = {"24.11-prefix": "prefix", "26.05-prefix": "prefix", "24.11-rpm": "rpm", "26.05-rpm": "rpm"}
# Scenarios that cannot run with Debian's Slurm.
ONLY_COMPILED = ("rpm",)

# How many stages of a kind run at once: the first need processors, the second mostly wait for daemons.
LANES = {"host": 1, "lab": 2}
# The same when there is nothing of the other kind left.
LANES_ALONE = {"host": 2, "lab": 2}


class Stage(NamedTuple):
    name: str
    group: str
    what: str
    command: tuple[str, ...]
    lane: str = "host"
    needs: tuple[str, ...] = ()
    env: dict[str, str] = {}
    minutes: int = 20
    """Timeout."""
    release: str = ""
    """The release of Slurm that it needs."""

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name.replace('/', '-')}.log"

    @property
    def report(self) -> Path:
        """JUnit XML, if a stage counts its own cases."""
        return self.log.with_suffix(".xml")

    @property
    def cell(self) -> tuple[str, str]:
        """The row and the column of a scenario in docs/matrix.md."""
        name = self.name.partition("/")[2].partition("@")[0]
        return f"{name} (compiled)" if self.release in COMPILED else name, self.release.partition("-")[0]


class Result(NamedTuple):
    seconds: float
    passed: int
    failed: int
    skipped: int = 0
    reason: str = ""


def stage(name: str, group: str, what: str, command: str, **more: object) -> Stage:
    return Stage(name, group, what, tuple(command.format(name=name).split()), **more)  # type: ignore[arg-type]


def stages() -> list[Stage]:
    """All stages, in the order in which each lane starts them."""
    return [
        stage("images", "lab", "builds the images of four releases of Slurm", "tests/lab/lab images", lane="lab"),
        stage("ruff", "lint", "checks the Python code for errors and style",
              "ruff check --quiet --output-format=concise ."),
        stage("mypy", "lint", "checks the types of the plugins", f"mypy -p {PLUGINS}"),
        stage("mypy-verifier", "lint", "checks the types of the proxy's programs",
              "mypy roles/slurm_jwt_proxy/files", env={"MYPYPATH": "roles/slurm_jwt_proxy/files"}),
        stage("imports", "lint", "checks that packages import each other in one direction",
              "python tests/stage/imports.py --check"),
        stage("vermin", "lint", "searches for what Python 3.8 does not support",
              "vermin -q -t=3.8- --violations plugins roles/slurm_jwt_proxy/files"),
        stage("yamllint", "lint", "checks the YAML files", "yamllint --strict ."),
        stage("ansible-lint", "lint", "checks roles and playbooks, profile production", "ansible-lint -q"),
        stage("docs", "lint", "checks the documentation of modules, roles and guides",
              "antsibull-docs lint-collection-docs --plugin-docs .", env={"HOME": str(WORK / "home")}),
        stage("pages", "lint", "checks the generated pages", "python tests/stage/pages.py --check"),
        stage("changelog", "lint", "checks the changelog and its fragments", "antsibull-changelog lint"),
        # The checkout may belong to another user than root. reuse asks git which files are ignored.
        stage("reuse", "lint", "checks that every file names its licence", "reuse lint --lines",
              env={"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}),
        stage("site", "docs", "builds the HTML documentation, without a warning", "python tests/stage/site.py"),
        stage("unit", "unit", "runs the unit tests",
              "python -m pytest -q -n 2 --junit-xml=.work/logs/{name}.xml tests/unit"),
        stage("tarball", "tarball", "rehearses a release: changelog, tarball, Galaxy's import, installation by name",
              "tests/stage/tarball"),
        # Those that do more come first, so that two short ones are left for the end.
        *(sanity(core) for core in (CORES[0], CORES[-1], *CORES[1:-1])),
        stage("conformance", "conformance", "compares 1,000 configurations with Slurm's own parsers",
              "python tests/conformance/configurations", lane="lab", needs=("images",)),
        stage("conformance-key-sets", "conformance",
              "makes slurmctld load files from 2,000 key sets, and accept tokens",
              "python tests/conformance/key_sets", lane="lab", needs=("images",)),
        *(scenario(name) for name in scenario_names() if name not in ONLY_COMPILED),
    ]


def sanity(core: str, **env: str) -> Stage:
    return stage(f"sanity-{core}", "sanity", f"runs ansible-test sanity of ansible-core {core}",
                 f"python tests/stage/sanity.py {core}", env=env)


# Scenarios that take ten minutes and more: only in the matrix, and by name.
LONG = (
    "clients-24.11", "cores", "do-no-harm", "high-availability", "jwks", "metrics", "nodes-down", "proxy",
    "proxy-apache", "rotation-killed", "rotation-way-back", "rpm", "rs256", "shared-conf", "short-tokens",
    "site-managed", "tokens",
)  # fmt: skip


def scenario_names() -> list[str]:
    return sorted(file.parent.name for file in ROOT.glob("extensions/molecule/*/molecule.yml"))


def release_of(scenario_name: str) -> str | None:
    """The release at the end of a scenario's name: rollout-24.11."""
    if scenario_name in ONLY_COMPILED:
        return next(release for release, name in COMPILED.items() if name == scenario_name)
    if scenario_name in OF_ONE_RELEASE:
        return OF_ONE_RELEASE[scenario_name]
    return next((release for release in RELEASES if scenario_name.endswith(f"-{release}")), None)


def scenario(name: str, crossed_with: str | None = None) -> Stage:
    """One run of a scenario. No two runs share a cluster or a folder."""
    release = crossed_with or release_of(name) or DEFAULT_RELEASE
    cluster = f"{name}-{crossed_with}" if crossed_with else name
    return stage(
        f"molecule/{name}@{crossed_with}" if crossed_with else f"molecule/{name}", "molecule",
        f"runs the scenario against a real cluster of Slurm {release}",
        f"tests/lab/enter molecule test --scenario-name {name}", lane="lab", minutes=60,
        needs=("compiled" if release in COMPILED else "images",), release=release,
        env={
            "MOLECULE_EPHEMERAL_DIRECTORY": str(WORK / "molecule" / cluster),
            "LAB_CLUSTER": cluster,
            "LAB_RELEASE": release,
            **({"ROTATIONS": "10", "CORES": "newest,oldest"} if crossed_with else {}),
        },
    )


def matrix() -> list[Stage]:
    """Every scenario with every release, except those that are about one. What has not run for longest comes first."""
    cells = matrix_page.read()
    scenarios = [
        *(scenario(name, release) for name in scenario_names() if not release_of(name)
          for release in RELEASES if release >= SINCE.get(name, "")),
        *(scenario(name, release) for name, release in OF_ONE_RELEASE.items()),
        *(scenario(name, release_of(name)) for name in LONG if name.endswith(RELEASES)),
        *(scenario(name, release) for release, name in COMPILED.items()),
    ]
    return [
        stages()[0],
        stage("compiled", "lab", "compiles Slurm as sites do",
              f"tests/lab/lab images {' '.join(COMPILED)}", lane="lab", needs=("images",), minutes=90),
        *sorted(scenarios, key=lambda each: matrix_page.since(cells, *each.cell)),
        *(sanity(core, EVERYTHING="1") for core in CORES),
    ]


def unavailable() -> dict[str, str]:
    """The releases of Slurm for which the lab has no image, each with the reason."""
    try:
        record: dict[str, dict[str, str]] = json.loads((WORK / "lab/images.json").read_text())
    except FileNotFoundError:
        return {}
    return record["unavailable"]


def environment() -> dict[str, str]:
    """Without the home of the person who runs the tests."""
    return {
        **os.environ,
        "PATH": f"{WORK}/venv/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(COLLECTIONS),
        "MYPYPATH": str(COLLECTIONS),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(WORK / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "COLUMNS": "160",
        "PYTHONUNBUFFERED": "1",
    }


class Runner:
    """Starts each stage as soon as its lane is free and the stages that it needs have passed."""

    def __init__(self, chosen: list[Stage], is_matrix: bool) -> None:
        self.waiting = chosen
        self.is_matrix = is_matrix
        self.cells = {stage.cell for stage in matrix() if stage.group == "molecule"} if is_matrix else set()
        self.is_stopping = False
        self.names = {stage.name for stage in chosen}
        self.busy: dict[str, Stage] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.results: dict[str, Result] = {}
        self.change = threading.Condition()
        self.begin = time.monotonic()

    def run(self) -> dict[str, Result]:
        with self.change:
            while self.waiting or self.busy:
                for stage in list(self.waiting):
                    self._start_or_give_up(stage)
                if self.busy:
                    self.change.wait()
        return self.results

    def stop(self) -> None:
        self.is_stopping = True
        for process in list(self.running.values()):
            end(process)

    def _start_or_give_up(self, stage: Stage) -> None:
        needs = [self.results.get(name) for name in stage.needs if name in self.names]
        lost = [name for name in stage.needs if name in self.results and self.results[name].failed]
        if lost:
            stage.log.unlink(missing_ok=True)
            self._finish(stage, Result(0, 0, 1, reason=f"because {lost[0]} failed"))
        elif None not in needs and (why := unavailable().get(stage.release)):
            stage.log.unlink(missing_ok=True)
            self._finish(stage, Result(0, 0, 0, 1, f"Slurm {stage.release} is no longer available: {why}"))
        elif self._has_room(stage.lane) and None not in needs:
            self.waiting.remove(stage)
            self.busy[stage.name] = stage
            self._start(stage)

    def _has_room(self, lane: str) -> bool:
        is_alone = all(stage.lane == lane for stage in (*self.waiting, *self.busy.values()))
        running = sum(stage.lane == lane for stage in self.busy.values())
        return running < (LANES_ALONE if is_alone else LANES)[lane]

    def _start(self, stage: Stage) -> None:
        self.log(f"{stage.name}: {stage.what}")
        threading.Thread(target=self._watch, args=(stage, time.monotonic()), daemon=True).start()

    def _watch(self, stage: Stage, begin: float) -> None:
        stage.report.unlink(missing_ok=True)
        try:
            code, reason = self._carry_out(stage)
        except OSError as error:
            code, reason = 1, f"because it could not start: {error}"
        result = count(stage, code, time.monotonic() - begin, reason)
        with self.change:
            if self.is_matrix and stage.group == "molecule" and not self.is_stopping:
                matrix_page.record(*stage.cell, result.seconds, bool(result.failed), self.cells)
            self.running.pop(stage.name, None)
            del self.busy[stage.name]
            self._finish(stage, result)
            self.change.notify()

    def _carry_out(self, stage: Stage) -> tuple[int, str]:
        with open(stage.log, "wb") as log:
            process = subprocess.Popen(
                stage.command, cwd=HERE, env={**environment(), "PWD": str(HERE), **stage.env}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )
        self.running[stage.name] = process
        try:
            return process.wait(stage.minutes * 60), ""
        except subprocess.TimeoutExpired:
            end(process)
            return 1, f"because it did not end in {stage.minutes} minutes"

    def _finish(self, stage: Stage, result: Result) -> None:
        if stage in self.waiting:
            self.waiting.remove(stage)
        self.results[stage.name] = result
        if result.failed:
            self.log(f"{stage.name}: FAILED after {result.seconds:.0f} s {result.reason}".rstrip())
            if lines := tail(stage.log):
                print("".join(f"    {line}\n" for line in lines), end="")
                print(f"    (all of it: {stage.log.relative_to(ROOT)})", flush=True)
        elif result.skipped and not result.passed:
            self.log(f"{stage.name}: skipped, because {result.reason}")
        else:
            self.log(f"{stage.name}: passed in {result.seconds:.0f} s")

    def log(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.begin), 60)
        print(f"[{minutes:2d}:{seconds:02d}] {text}", flush=True)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stops a stage and everything that it started: first by SIGTERM, so that it can clean up."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def count(stage: Stage, code: int, seconds: float, reason: str) -> Result:
    passed = failed = skipped = 0
    if stage.report.exists():
        try:
            for suite in xml.etree.ElementTree.parse(stage.report).getroot().iter("testsuite"):
                cases, bad, left_out = (
                    sum(int(suite.get(key) or 0) for key in keys)
                    for keys in (("tests",), ("failures", "errors"), ("skipped",))
                )
                passed, failed, skipped = passed + cases - bad - left_out, failed + bad, skipped + left_out
        except xml.etree.ElementTree.ParseError:
            reason = reason or "its report cannot be read"
    elif code == 0:
        passed = 1
    if code and not failed:
        failed = 1
    return Result(seconds, passed, failed, skipped, reason)


def tail(log: Path, lines: int = 40) -> list[str]:
    """The last lines, or those from where Ansible failed, if it has cleaned up for long after that."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    colours_and_links = r"\x1b\[[0-9;]*[A-Za-z]|\x1b\]8;;[^\x1b\a]*(?:\x1b\\|\a)"
    output = re.sub(colours_and_links, "", text).splitlines()
    # The last one: a scenario may provoke others.
    signs = ("[ERROR]: ", "Idempotence test failed")
    failures = [number for number, line in enumerate(output) if any(sign in line for sign in signs)]
    if failures and failures[-1] < len(output) - lines:
        return output[failures[-1]:failures[-1] + lines]
    return output[-lines:]


def table(chosen: list[Stage], results: dict[str, Result]) -> str:
    width = max(len(stage.name) for stage in chosen)
    lines = [f"{'stage':{width}}  seconds  passed  failed"]
    for stage in chosen:
        result = results[stage.name]
        lines.append(f"{stage.name:{width}}  {result.seconds:7.1f}  {result.passed:6d}  {result.failed:6d}")
    return "\n".join(lines)


def choose(everything: list[Stage], chosen: list[str]) -> list[Stage]:
    """Stages by name, by group, or by the name without its release. Without names: all but the long ones."""
    names = {stage.name: {stage.name, stage.group, stage.name.partition("@")[0]} for stage in everything}
    unknown = [name for name in chosen if not any(name in aliases for aliases in names.values())]
    if unknown:
        sys.exit(f"There is no stage called {unknown[0]}. tests/run --list names them.")
    long = {f"molecule/{name}" for name in LONG} - set(chosen)
    return [
        stage for stage in everything
        if stage.name not in long and (not chosen or names[stage.name] & set(chosen))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE",
                        help="name or group of a stage; all but the long ones, if none is given")
    parser.add_argument("--matrix", action="store_true",
                        help="instead: every scenario with every release of Slurm")
    parser.add_argument("--list", action="store_true", help="show the stages and end")
    options = parser.parse_args()
    chosen = choose(matrix() if options.matrix else stages(), options.stages)
    if options.list:
        width = max(len(stage.name) for stage in chosen)
        for stage in chosen:
            print(f"{stage.group:10}{stage.name:{width}}  {stage.what}")
        return 0
    for folder in (LOGS, WORK / "home"):
        folder.mkdir(parents=True, exist_ok=True)
    runner = Runner(list(chosen), options.matrix)
    # However it is ended, it ends what it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = runner.run()
    except KeyboardInterrupt:
        return 130
    finally:
        runner.stop()
    print(f"\n{table(chosen, results)}\n")
    passed, failed, skipped = (sum(getattr(result, key) for result in results.values())
                               for key in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
