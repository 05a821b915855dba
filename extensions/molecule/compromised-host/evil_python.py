# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The /usr/bin/python3 of an attacker: runs the real one, and changes the answers of modules.

Reads /etc/evil.json, a list of rules. Each names a module (or "*") and a change of its answer:
  {"module": "slurm_jwt_info", "set": {"conf.path": 17}}     members replaced; "*.x" is a member of each entry of a list
  {"module": "*", "add": {"ansible_facts": {...}}}           members added
  {"module": "slurm_jwt_token", "output": "..."}             text instead of the answer
  {"module": "slurm_jwt_info", "hang": true}                 no answer
  {"module": "slurm_jwt_info", "flood": true}                an endless answer
  {"module": "*", "store": "/root/answers"}                  the answer is stored
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import time

REAL = os.path.realpath("/usr/bin/python3.real")
STARTED = re.compile(
    rb"ansible_collections\.hpc\.slurm_jwt\.plugins\.modules\.(\w+)|ansible\.(?:modules|legacy)\.(\w+)"
)


def module_in(code):
    match = STARTED.search(code)
    return (match.group(1) or match.group(2)).decode() if match else None


def replace(answer, path, value):
    name, _dot, rest = path.partition(".")
    members = range(len(answer)) if name == "*" and isinstance(answer, list) else [name]
    for member in members:
        if rest and answer[member] is not None:
            replace(answer[member], rest, value)
        elif not rest:
            answer[member] = value


def main():
    given = sys.stdin.buffer.read() if len(sys.argv) == 1 else b""
    code = given
    for word in sys.argv[1:]:
        if os.path.isfile(word):
            with open(word, "rb") as stream:
                code += stream.read()
    module = module_in(code)
    with open("/etc/evil.json", encoding="utf-8") as stream:
        rules = [rule for rule in json.load(stream) if module and rule["module"] in ("*", module)]
    if not rules or module == "async_wrapper":
        if len(sys.argv) > 1:
            os.execv(REAL, [REAL, *sys.argv[1:]])
        sys.exit(subprocess.run([REAL], input=given, check=False).returncode)
    for rule in rules:
        if rule.get("hang"):
            time.sleep(3600)
        while rule.get("flood"):
            sys.stdout.write("x" * 65536)
    done = subprocess.run([REAL, *sys.argv[1:]], input=given, stdout=subprocess.PIPE, check=False)
    *before, last = done.stdout.decode().rstrip("\n").split("\n")
    try:
        answer = json.loads(last)
    except ValueError:
        answer = None
    for rule in rules:
        if answer is not None:
            for path, value in rule.get("set", {}).items():
                with contextlib.suppress(KeyError, IndexError, TypeError):
                    replace(answer, path, value)
            answer.update(rule.get("add", {}))
            if "store" in rule:
                os.makedirs(rule["store"], exist_ok=True)
                with open(f"{rule['store']}/{module}.json", "w", encoding="utf-8") as stream:
                    json.dump(answer, stream)
    for rule in rules:
        if "output" in rule:
            print(rule["output"])
            sys.exit(rule.get("rc", 1))
    print("\n".join([*before, last if answer is None else json.dumps(answer)]))
    sys.exit(done.returncode)


main()
