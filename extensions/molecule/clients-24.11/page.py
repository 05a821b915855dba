# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the commands of a guide on a cluster of the lab, so that page and test cannot come apart.

A comment before each code block says what becomes of it:

    .. test: on HOST [as USER] [at the end]   run its commands; lines after a command are what it has to print
    .. test: write PATH [on HOST]             write it into a file, by default below the folder of the inventory
    .. test: declare                          YAML: add its services to group_vars/all.yml before anything is run
    .. test: no, REASON                       nothing
    .. test: copy PATH from HOST to HOST      has no block: stands for a shared file system

HOST may be localhost. In expected output "..." stands for anything.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import yaml

COMMENT = re.compile(r"\.\. test: (.*)")
BLOCK = re.compile(r"\.\. code-block:: (\w+)")
ORDERS = (
    re.compile(r"on (?P<host>\w+)(?: as (?P<user>\w+))?(?P<end> at the end)?"),
    re.compile(r"write (?P<path>\S+)(?: on (?P<host>\w+))?"),
    re.compile(r"(?P<declare>declare)"),
    re.compile(r"no, (?P<reason>.+)"),
    re.compile(r"copy (?P<copied>\S+) from (?P<source>\w+) to (?P<target>\w+)"),
)
MARK = "@@ command "


class PageError(Exception):
    """A page that cannot be tested, or whose commands did something else than it says."""


class Block(NamedTuple):
    line: int
    order: dict[str, str | None]
    language: str
    text: str


class Command(NamedTuple):
    text: str
    expected: list[str]


def blocks(page: str) -> list[Block]:
    """Every block with its order. A block without one is an error."""
    lines = page.splitlines()
    found: list[Block] = []
    order: dict[str, str | None] | None = None
    for number, line in enumerate(lines):
        if comment := COMMENT.fullmatch(line):
            order = order_of(comment[1], number + 1)
            if order.get("copied"):
                found.append(Block(number + 1, order, "", ""))
                order = None
        elif block := BLOCK.match(line.strip()):
            # Output that is shown for its own sake.
            if block[1] == "text":
                continue
            if order is None:
                raise PageError(f"line {number + 1}: a code block without a comment '.. test: ...' before it")
            found.append(Block(number + 1, order, block[1], body(lines[number + 1:])))
            order = None
    return found


def order_of(text: str, line: int) -> dict[str, str | None]:
    for pattern in ORDERS:
        if match := pattern.fullmatch(text):
            return match.groupdict()
    raise PageError(f"line {line}: unknown order {text!r}")


def body(lines: list[str]) -> str:
    """The indented lines of a block, after its options."""
    taken: list[str] = []
    for line in lines:
        if line and not line.startswith(" "):
            break
        if not (line.strip().startswith(":") and not taken):
            taken.append(line)
    return textwrap.dedent("\n".join(taken)).strip("\n") + "\n"


def commands(text: str) -> list[Command]:
    """The commands of a block, after "$ " or "# ", each with the lines that it has to print."""
    found: list[Command] = []
    for line in text.splitlines():
        if found and is_open(found[-1]):
            found[-1] = Command(f"{found[-1].text}\n{line}", [])
        elif line.startswith(("$ ", "# ")):
            found.append(Command(line[2:], []))
        elif not found:
            raise PageError(f"{line!r} is neither a command nor its output")
        elif line.strip():
            found[-1].expected.append(line.strip())
    return found


def is_open(command: Command) -> bool:
    """Whether a command goes on in the next line."""
    if command.expected:
        return False
    here = re.search(r"<<-?'?(\w+)'?", command.text)
    if here and here[1] not in command.text.splitlines()[1:]:
        return True
    if command.text.endswith("\\"):
        return True
    parsed = subprocess.run(("bash", "-n"), input=command.text, text=True, capture_output=True, check=False)
    return parsed.returncode != 0


def script(block: Block) -> str:
    parts = ["set -eu -o pipefail"]
    for number, command in enumerate(commands(block.text)):
        parts += [f"printf '\\n{MARK}{number}\\n'", command.text]
    return "\n".join(parts)


def compare(block: Block, output: str) -> None:
    printed = re.split(rf"^{MARK}\d+$", output, flags=re.M)[1:]
    for command, text in zip(commands(block.text), printed):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        for expected in command.expected:
            pattern = re.compile(".*".join(map(re.escape, expected.split("..."))))
            if not any(pattern.fullmatch(line) for line in lines):
                raise PageError(f"line {block.line}: {command.text}\nshould print {expected!r} and printed:\n{text}")


class Lab:
    """A cluster of the lab, and the folder where Ansible runs."""

    def __init__(self, inventory: Path, folder: Path) -> None:
        self.ssh = ("ssh", "-n", "-F", str(inventory.parent / "ssh_config"))
        self.folder = folder
        self.inventory = json.loads(inventory.read_text(encoding="utf-8"))["all"]

    def connect(self) -> None:
        """How Ansible reaches the hosts: the one thing that the page's inventory does not say."""
        (self.folder / "host_vars").mkdir(parents=True, exist_ok=True)
        for group in self.inventory["children"].values():
            for host, variables in group["hosts"].items():
                path = self.folder / "host_vars" / f"{host}.yml"
                path.write_text(json.dumps({**self.inventory["vars"], **variables}))

    def argv(self, host: str, user: str | None, text: str) -> list[str]:
        shell = ["bash", "-c", text]
        if user:
            shell = ["runuser", "--login", user, "--shell=/bin/bash", f"--command={text}"]
        return shell if host == "localhost" else [*self.ssh, host, shlex.join(shell)]

    def run(self, block: Block) -> None:
        argv = self.argv(str(block.order["host"]), block.order["user"], script(block))
        # Ansible's settings are those of the page.
        env = {name: value for name, value in os.environ.items() if name != "ANSIBLE_CONFIG"}
        done = subprocess.run(argv, cwd=self.folder, env=env, text=True, capture_output=True, check=False)
        if done.returncode:
            raise PageError(f"line {block.line}: rc {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}")
        compare(block, done.stdout)

    def write(self, block: Block) -> None:
        path, host = str(block.order["path"]), block.order["host"]
        if not host:
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(block.text)
            return
        argv = [word for word in self.ssh if word != "-n"]
        subprocess.run((*argv, host, f"cat > {shlex.quote(path)} && chmod 644 {shlex.quote(path)}"), input=block.text,
                       text=True, check=True)

    def copy(self, order: dict[str, str | None]) -> None:
        path = shlex.quote(str(order["copied"]))
        ssh = shlex.join(word for word in self.ssh if word != "-n")
        subprocess.run(f"{ssh} {order['source']} tar -cPf - {path} | {ssh} {order['target']} tar -xPf -", shell=True,
                       check=True)

    def declare(self, texts: list[str]) -> None:
        """Adds services to those that the site has, or replaces those with the same name."""
        path = self.folder / "group_vars/all.yml"
        site = yaml.safe_load(path.read_text())
        declared = [*site["slurm_jwt_tokens_services"]]
        for text in texts:
            declared += yaml.safe_load(text)["slurm_jwt_tokens_services"]
        site["slurm_jwt_tokens_services"] = list({service["name"]: service for service in declared}.values())
        path.write_text(yaml.safe_dump(site))


def carry_out(lab: Lab, block: Block) -> None:
    order = block.order
    print(f"line {block.line}: {', '.join(f'{key} {value}' for key, value in order.items() if value)}", flush=True)
    if "path" in order:
        lab.write(block)
    elif "copied" in order:
        lab.copy(order)
    elif "host" in order:
        lab.run(block)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--inventory", type=Path, required=True, help="of the lab's cluster")
    parser.add_argument("--folder", type=Path, required=True, help="where Ansible runs")
    parser.add_argument("--end", action="store_true", help="run what belongs at the end, and nothing else")
    options = parser.parse_args()
    lab = Lab(options.inventory.resolve(), options.folder.resolve())
    lab.connect()
    found = [block for block in blocks(options.page.read_text(encoding="utf-8"))
             if bool(block.order.get("end")) == options.end and "reason" not in block.order]
    if declared := [block.text for block in found if "declare" in block.order]:
        lab.declare(declared)
    for block in found:
        carry_out(lab, block)
    print(f"{options.page.name}: {len(found)} blocks")
    return 0 if found else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PageError as error:
        sys.exit(f"page: {error}")
