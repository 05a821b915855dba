"""A /usr/bin/python3 of somebody who has broken into the host: runs the real one, and changes what modules answer.

Reads /etc/evil.json, a list of rules. Each names a module (or "*") and what happens to its answer:
  {"module": "slurm_jwt_info", "set": {"conf.path": 17}}     members replaced; "*.x" is a member of each entry of a list
  {"module": "*", "add": {"ansible_facts": {...}}}           members added
  {"module": "slurm_jwt_token", "say": "..."}                something else than the answer
  {"module": "slurm_jwt_info", "hang": true}                 no answer at all
  {"module": "slurm_jwt_info", "flood": true}                an answer without an end
  {"module": "*", "keep": "/root/answers"}                   the answer is kept
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
    found = STARTED.search(code)
    return (found.group(1) or found.group(2)).decode() if found else None


def replace(answer, path, value):
    name, _dot, rest = path.partition(".")
    places = range(len(answer)) if name == "*" and isinstance(answer, list) else [name]
    for place in places:
        if rest and answer[place] is not None:
            replace(answer[place], rest, value)
        elif not rest:
            answer[place] = value


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
            if "keep" in rule:
                os.makedirs(rule["keep"], exist_ok=True)
                with open(f"{rule['keep']}/{module}.json", "w", encoding="utf-8") as stream:
                    json.dump(answer, stream)
    for rule in rules:
        if "say" in rule:
            print(rule["say"])
            sys.exit(rule.get("rc", 1))
    print("\n".join([*before, last if answer is None else json.dumps(answer)]))
    sys.exit(done.returncode)


main()
