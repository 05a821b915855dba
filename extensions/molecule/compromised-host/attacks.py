# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks a cluster from hosts that were broken into.

    attacks.py --lab=FOLDER --scratch=FOLDER --project=FOLDER --proven=TEXT

The hosts node1, rest1 and svc1 get a Python that changes the answers of modules (evil_python.py). Each attack runs a
playbook, and then searches every host, and the host where Ansible runs, for signs of success. The last line counts the
attacks and those that succeeded. TEXT is what the run summary says of a slurmrestd that is proven.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
EVIL, HONEST = ("node1", "rest1", "svc1"), ("ctl1", "dbd1")
KEY = "/var/lib/slurm/slurmctld/jwt_hs256.key"
ROOT_TOKEN = {"name": "x", "user": "root", "allow_privileged": True, "dest": "/root/x", "lifespan": "300d"}
TEMPLATE = "{{ lookup('pipe', 'touch FILE') }}"
#: Timeout of a task, so that a host that hangs does not use up the limits of the collection.
TASK_TIMEOUT = 20

RESERVED = """
import json
from ansible import constants as C
from ansible.plugins.loader import become_loader, connection_loader, shell_loader
names = {*C.COMMON_CONNECTION_VARS, *(name for mapped in C.MAGIC_VARIABLE_MAPPING.values() for name in mapped)}
for kind, loader in (("connection", connection_loader), ("shell", shell_loader), ("become", become_loader)):
    for plugin in loader.all(class_only=True):
        for option in (C.config.get_configuration_definitions(kind, plugin._load_name) or {}).values():
            names |= {entry["name"] for entry in option.get("vars") or ()}
print(json.dumps(sorted(names)))
"""

# Searches for a key, given in hex, in every folder where it may have been written.
HUNT = """
import base64, os, sys
key = bytes.fromhex(sys.argv[1])
for top in ("/root", "/tmp", "/etc", "/home", "/run", "/var/tmp"):
    for folder, _below, names in os.walk(top):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) < 9e6:
                data = open(path, "rb").read()
                if key in data or base64.b64encode(key) in data:
                    print(path)
"""


class Success(Exception):
    """An attack succeeded. The text says how."""


class Site:
    """The cluster, and the host where Ansible runs."""

    def __init__(self, options, scratch, programs):
        self.lab, self.scratch, self.project = Path(options.lab), Path(scratch), Path(options.project)
        self.proven = options.proven
        self.programs = Path(programs)
        self.core = re.search(r"\d+\.\d+", self.run([self.programs / "ansible", "--version"]).stdout)[0]
        self.pwned = self.scratch / "pwned"
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.pwned.mkdir(parents=True)
        self.config = self.scratch / "ansible.cfg"
        self.config.write_text("[defaults]\n")
        self.script = self.scratch / "program.sh"
        self.script.write_text(f"#!/bin/sh\ntouch {self.pwned}/program\nexit 1\n")
        self.script.chmod(0o755)
        self.connection = json.loads(self.run([self.programs / "python", "-c", RESERVED], check=True).stdout)
        self.specs = set()
        for path in self.project.glob("roles/*/meta/argument_specs.yml"):
            self.specs |= set(yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"])

    def run(self, argv, check=False, **options):
        return subprocess.run(
            [str(word) for word in argv],
            capture_output=True,
            text=True,
            check=check,
            stdin=subprocess.DEVNULL,
            **options,
        )

    def on(self, host, command, given=None):
        """The output of a shell command on a host."""
        argv = ["ssh", "-F", str(self.lab / "ssh_config"), host, command]
        done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=120, check=False)
        return done.stdout.strip()

    def play(self, playbook, *arguments, order="node1", **environment):
        """Runs a playbook of the collection. Its exit code, and what it output."""
        first = self.scratch / f"first-{order}.yml"
        first.write_text(f"all: {{hosts: {{{order}: {{}}}}}}\n")
        argv = [
            self.programs / "ansible-playbook",
            f"--inventory={first}",
            f"--inventory={self.lab}/inventory.yml",
            f"--inventory={HERE}/services.yml",
            *arguments,
            f"hpc.slurm_jwt.{playbook}",
        ]
        begin = time.monotonic()
        done = self.run(argv, cwd=self.scratch, env=self.environment(**environment))
        output = done.stdout + done.stderr
        with open(self.scratch / "output.log", "a", encoding="utf-8") as log:
            log.write(f"\n$ {playbook} {' '.join(map(str, arguments))} ({self.core}, {environment})\n{output}\n")
        return done.returncode, output, time.monotonic() - begin

    def environment(self, **more):
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE"))},
            "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
            "ANSIBLE_HOME": str(self.scratch / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            # Without the user's settings.
            "ANSIBLE_CONFIG": str(self.config),
            "COLUMNS": "250",
            **more,
        }

    def break_into(self, *hosts):
        code = (HERE / "evil_python.py").read_text()
        for host in hosts:
            self.on(
                host,
                "test -e /usr/bin/python3.real || mv /usr/bin/python3 /usr/bin/python3.real; echo [] > /etc/evil.json",
            )
            self.on(
                host,
                "cat > /usr/bin/evil && R=$(readlink -f /usr/bin/python3.real) && "
                'sed -i "1i #!$R -IS" /usr/bin/evil && chmod 755 /usr/bin/evil && '
                "ln -sfn evil /usr/bin/python3",
                code,
            )

    def heal(self, *hosts):
        for host in hosts:
            self.on(
                host,
                "test ! -e /usr/bin/python3.real || mv -f /usr/bin/python3.real /usr/bin/python3; "
                "rm -rf /usr/bin/evil /etc/evil.json /tmp/pwned* /root/x",
            )

    def set_rules(self, host, *rules):
        """Sets how a host that was broken into changes the answers of its modules."""
        self.on(host, "cat > /etc/evil.json", json.dumps(rules))

    def key(self, host):
        return self.on(host, f"od -An -v -tx1 {KEY} | tr -d ' \\n'")

    def fingerprint(self, host):
        return "SHA256:" + hashlib.sha256(bytes.fromhex(self.key(host))).hexdigest()

    def is_accepted(self, key):
        """Whether slurmctld and slurmdbd accept a token of the key."""
        code = (HERE.parent / "shared/tokens.py").read_text()
        self.on("ctl1", "cat > /run/tokens.py", code)
        self.on(
            "ctl1",
            f"echo {key} | python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' > /run/k",
        )
        output = self.on("ctl1", "python3 /run/tokens.py /run/k; rm /run/k")
        token = json.loads(output)["good"]
        return [
            self.on("ctl1", f"SLURM_JWT={token} {client} > /dev/null 2>&1 && echo yes || echo no") == "yes"
            for client in ("sinfo", "sacctmgr -n list cluster")
        ]

    def inspect(self):
        """Raises Success if there is a sign of success."""
        problems = [f"where Ansible runs: {path.name}" for path in self.pwned.iterdir()]
        key = self.key("ctl1")
        for host in (*EVIL, *HONEST):
            problems += [f"{host}: {line}" for line in self.on(host, "ls -d /tmp/pwned* /root/x 2>/dev/null").split()]
            if host in EVIL:
                problems += [
                    f"{host}: the key in {line}"
                    for line in self.on(host, f"$(readlink -f /usr/bin/python3.real) - {key}", HUNT).split()
                ]
        owners = {self.on(host, f"stat -c '%U %a' {KEY}") for host in HONEST}
        if owners != {"slurm 400"}:
            problems.append(f"the key: {owners}")
        if self.key("dbd1") != key:
            problems.append("ctl1 and dbd1 have different keys")
        if problems:
            raise Success("; ".join(problems))

    def hostile_facts(self, host):
        """Each variable of the collection, and each of Ansible's connection, shell and become plugins, as a fact."""
        mark = f"{self.pwned}/{host}"
        template = TEMPLATE.replace("FILE", f"{mark}-template")
        facts = {
            name: "/root/x" if name.endswith(("_path", "_dir", "_file")) else template for name in sorted(self.specs)
        }
        facts.update({name: "all" for name in self.specs if "_group_" in name})
        facts["slurm_jwt_tokens_services"] = [{**ROOT_TOKEN, "hosts": [host]}]
        # Facts that tasks of the collection set.
        facts.update(
            {
                "slurm_jwt_plan": {},
                "slurm_jwt_observation": {},
                "slurm_jwt_tokens_here": [ROOT_TOKEN],
                "slurm_jwt_declarations": {},
            }
        )
        for name in self.connection:
            facts[name] = template
            if name.endswith(("_executable", "_exe")):
                facts[name] = str(self.script)
            elif name.endswith("_args"):
                facts[name] = f'-o ProxyCommand="touch {mark}-args"'
            elif name.endswith(("_tmp", "_dir", "_tmpdirs")):
                facts[name] = f"/tmp/.a$(id>/tmp/pwned-{host})"
        control = re.search(r"ControlPath (\S+)", (self.lab / "ssh_config").read_text())[1]
        facts["ansible_control_path"] = control.replace("%h", self.address("ctl1"))
        facts["ansible_host"] = self.address("ctl1")
        return facts

    def address(self, host):
        return re.search(rf"Host {host}\n    HostName (\S+)", (self.lab / "ssh_config").read_text())[1]


def check(condition, text, output=""):
    if not condition:
        lines = [line for line in output.splitlines() if line.strip()][-25:]
        raise Success(text + ("\n      | " + "\n      | ".join(line[:240] for line in lines) if lines else ""))


def not_named(output, *hosts):
    """The hosts that a run does not name as left out."""
    flat = re.sub(r"\s+", " ", output)
    end = flat[flat.rfind("These were left out") :]
    return [host for host in hosts if f"{host}: " not in end]


# -- the attacks ------------------------------------------------------------------------------------------------------


def every_fact(site, order, *arguments, **environment):
    """All answers of three hosts have facts of every name, and add hosts and groups."""
    for host in EVIL:
        added = {
            "ansible_facts": site.hostile_facts(host),
            "add_host": {"host_name": "ctl1", "host_vars": {"ansible_host": "x"}},
            "add_group": "slurmctld",
            "_ansible_facts_cacheable": True,
        }
        site.set_rules(host, {"module": "*", "add": added})
    key = site.key("ctl1")
    code, output, _time = site.play("rollout", *arguments, order=order, **environment)
    check(code == 0, "the rollout failed", output)
    check(
        all(re.search(rf"{host}: the result of \w+ had undeclared", re.sub(r"\s+", " ", output)) for host in EVIL),
        "the run does not name the hosts with undeclared members",
        output,
    )
    code, output, _time = site.play("tokens", *arguments, order=order, **environment)
    check(code == 0, "the playbook tokens failed", output)
    check(site.key("ctl1") == key, "the key has changed")


def fact_cache(site, name, value):
    """A repaired host has left a fact in the cache of an earlier run."""
    cache = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(site.scratch / "cache")}
    shutil.rmtree(site.scratch / "cache", ignore_errors=True)
    site.set_rules("svc1", {"module": "*", "add": {"ansible_facts": {name: value, "ansible_distribution": "Debian"}}})
    ping = [
        site.programs / "ansible",
        f"--inventory={site.lab}/inventory.yml",
        "svc1",
        "--module-name=ansible.builtin.ping",
    ]
    site.run(ping, cwd=site.scratch, env=site.environment(**cache))
    site.set_rules("svc1")
    code, output, _time = site.play("tokens", **cache)
    check(
        code != 0 and f"svc1 has a fact {name}" in re.sub(r"\s+", " ", output),
        f"{name} in the cache did not stop the run",
        output,
    )


def templates_in_texts(site):
    """Texts of a host are templates, in verify and in check mode."""
    text = TEMPLATE.replace("FILE", f"{site.pwned}/text")
    for host, severity in zip(EVIL, ("error", "warning", "error")):
        problem = {
            "severity": severity,
            "code": "x",
            "component": "node",
            "path": text,
            "found": text,
            "effect": text,
            "remedy": text,
        }
        site.set_rules(
            host,
            {"module": "slurm_jwt_info", "set": {"problems": [problem]}},
            {"module": "slurm_jwt_token", "add": {"warnings": [text], "msg": text}},
            {"module": "slurm_jwt_proof", "add": {"msg": text, "failed": True}},
        )
    for playbook, *arguments in (("verify",), ("rollout", "--check")):
        _code, output, _time = site.play(playbook, *arguments)
        check("lookup('pipe'" in re.sub(r"\s+", " ", output), "the host's text is not shown", output)


def invalid_answers(site):
    """Three hosts return invalid answers: another type, ten megabytes, invalid tokens."""
    site.set_rules("node1", {"module": "slurm_jwt_info", "set": {"conf": 17}})
    site.set_rules("rest1", {"module": "slurm_jwt_info", "set": {"hostname": "x" * 10_000_000}})
    site.set_rules("svc1", {"module": "slurm_jwt_token", "set": {"tokens": [{}]}})
    code, output, _time = site.play("rollout")
    check(code != 0, "the run reports success", output)
    check(not not_named(output, *EVIL), f"the run does not name {not_named(output, *EVIL)}", output)
    check("slurmctld 4/4, slurmdbd 4/4" in output, "the controllers were not proven", output)
    check(
        "KeyError" not in output and "Traceback" not in output and "xxxxxxxxxx" * 50 not in output,
        "the run shows a traceback",
        output,
    )


def escape_codes(site):
    """A host forges lines of the run summary."""
    forged = "ok\nctl1   99.99   nothing to do   slurmctld 9/9\x1b[2K\r"
    site.set_rules("node1", {"module": "slurm_jwt_info", "set": {"release": forged}})
    site.set_rules("rest1", {"module": "slurm_jwt_info", "set": {"conf.cluster_name": forged}})
    site.set_rules("svc1", {"module": "slurm_jwt_token", "output": forged})
    _code, output, _time = site.play("rollout")
    check(
        "99.99" not in output.replace("\\n", "\n").split("PLAY RECAP")[0].split("Run summary")[-1],
        "a line of the table is forged",
        output,
    )


def veto(site, rules, name):
    """A host of services or of slurmrestd wants a rotation to fail or to go back."""
    for host, more in rules.items():
        site.set_rules(host, *more)
    old, serial = site.key("ctl1"), f"{name}-{time.time():.0f}"
    code, output, seconds = site.play(
        "rotate", f"--extra-vars=slurm_jwt_key_serial={serial}", ANSIBLE_TASK_TIMEOUT=str(TASK_TIMEOUT)
    )
    new = site.key("ctl1")
    check(new != old and site.key("dbd1") == new, "the key was not rotated", output)
    check(
        site.is_accepted(new) == [True, True] and site.is_accepted(old) == [False, False],
        "the daemons do not have the new key",
        output,
    )
    missing = not_named(output, *rules)
    check(code != 0 and not missing, f"the run does not name {missing or 'the failure'}", output)
    check(seconds < 240, f"the rotation took {seconds:.0f} s", output)
    return output


def fake_proof(site):
    """slurmrestd is down, and its host says that all is proven."""
    listen = '--extra-vars={"slurmrestd_listen": ["0.0.0.0:6820"]}'
    site.set_rules("rest1")
    code, output, _time = site.play("rollout", listen)
    check(
        code == 0 and f"{site.proven}, seen from the controller" in output,
        "the controller did not see slurmrestd",
        output,
    )
    right = [
        {
            "daemon": "slurmrestd",
            "asked": "GET /x",
            "case": "good",
            "expected": "accepted",
            "answer": "accepted",
            "detail": "",
        }
    ] * 12
    fake = {
        "module": "slurm_jwt_proof",
        "add": {
            "proven": True,
            "answers": right,
            "failed": False,
            "msg": "",
            "tokens": {},
            "user": "x",
            "left_out": [],
        },
    }
    site.set_rules("rest1", fake)
    site.on("rest1", "systemctl stop slurmrestd")
    code, output, _time = site.play("verify", listen)
    site.on("rest1", "systemctl start slurmrestd")
    check(code != 0 and "rest1" in output[output.rfind("not proven") :], "the faked proof was believed", output)
    site.set_rules("rest1")
    # Declared: clients of the earlier address are disconnected.
    code, output, _time = site.play("rollout", "--extra-vars=slurmrestd_listen=127.0.0.1:6820")
    check(code == 0 and f"{site.proven}, by its own word" in output, "the table hides who has checked", output)


def rollback(site):
    """No attack: a key host fails in the step that waits for the instant, while the swap is still pending."""
    site.break_into("dbd1")
    site.set_rules("dbd1", {"module": "async_status", "output": "the connection broke", "rc": 1})
    old, before = site.key("ctl1"), site.fingerprint("ctl1")
    try:
        code, output, _time = site.play("rotate", f"--extra-vars=slurm_jwt_key_serial=back-{time.time():.0f}")
    finally:
        site.heal("dbd1")
    # The run must report the current keys.
    keys = {host: site.fingerprint(host) for host in HONEST}
    flat = re.sub(r"\s+", " ", output)
    reported = dict(re.findall(r"(SHA256:[0-9a-f]{12}) on ([\w, ]+)", flat[flat.rfind("The current key:") :]))
    check(code != 0 and "dbd1 failed in the step" in flat, "the failure is not reported", output)
    check(
        all(host in reported.get(key[:19], "") for host, key in keys.items() if host == "ctl1"),
        f"reported {reported}, current {keys}",
        output,
    )
    check(keys["ctl1"] == before and site.is_accepted(old)[0], "the old key is not in force on ctl1", output)
    if keys["dbd1"] != before:
        check(
            "could not be put back" in flat and "dbd1" in flat[flat.rfind("could not be put back") :],
            "the report is wrong",
            output,
        )
    site.play("rotate", f"--extra-vars=slurm_jwt_key_serial=again-{time.time():.0f}")
    check(site.key("ctl1") == site.key("dbd1"), "the next rotation did not finish it", output)


def every_member(site):
    """Each member of each answer is replaced by another type, ten megabytes, a template, a line and a path."""
    stored = site.scratch / "answers"
    shutil.rmtree(stored, ignore_errors=True)
    stored.mkdir()
    for host in EVIL:
        site.on(host, "rm -rf /run/answers")
        site.set_rules(host, {"module": "*", "store": "/run/answers"})
    for playbook in ("rollout", "verify"):
        code, output, _time = site.play(playbook)
        check(code == 0, f"{playbook} failed", output)
    for host in EVIL:
        for name in site.on(host, "ls /run/answers | grep -x 'slurm_.*[.]json'").split():
            (stored / name).write_text(site.on(host, f"cat /run/answers/{name}"))
    check(len(list(stored.iterdir())) >= 4, f"no answers were stored: {list(stored.iterdir())}")
    done = site.run(
        [site.programs / "python", HERE / "mutations.py", stored],
        env=site.environment(PYTHONPATH=os.environ["ANSIBLE_COLLECTIONS_PATH"]),
    )
    check(done.returncode == 0 and int(done.stdout or 0) > 1000, f"{done.stdout}{done.stderr}"[-500:])


def kept_files(site):
    """Ansible is configured to leave its files on the hosts."""
    code, output, _time = site.play("tokens", ANSIBLE_KEEP_REMOTE_FILES="1")
    check(code != 0 and "KEEP_REMOTE_FILES" in output, "the run was not refused", output)


def attacks(site, thorough):
    """Names and functions. Without ``thorough`` those that differ between releases of ansible-core."""
    hang = {
        "svc1": [{"module": "slurm_jwt_token", "hang": True}],
        "rest1": [{"module": "slurm_jwt_info", "flood": True}],
    }
    empty = {"svc1": [{"module": "slurm_jwt_token", "set": {"tokens": [{}]}, "add": {"msg": "no"}}]}
    late = {"svc1": [{"module": "async_status", "output": "{}", "rc": 1}]}
    cache = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(site.scratch / "facts")}
    yield "facts, from the first host, with pipelining", lambda: every_fact(site, "node1")
    yield (
        "facts, from hosts in the middle, without pipelining, with a fact cache",
        # The lab's inventory has it on.
        lambda: every_fact(site, "ctl1", "--extra-vars=ansible_ssh_pipelining=false", **cache),
    )
    yield (
        "facts, from the last host, without facts as variables",
        lambda: every_fact(site, "dbd1", ANSIBLE_INJECT_FACT_VARS="0"),
    )
    yield (
        "a service in the fact cache",
        lambda: fact_cache(site, "slurm_jwt_tokens_services", [{**ROOT_TOKEN, "hosts": ["svc1"]}]),
    )
    yield (
        "a connection variable in the fact cache",
        lambda: fact_cache(site, "ansible_remote_tmp", "/tmp/.a$(id>/tmp/pwned)"),
    )
    yield "templates in texts", lambda: templates_in_texts(site)
    yield "invalid answers", lambda: invalid_answers(site)
    yield "veto: invalid tokens while they are staged", lambda: veto(site, empty, "empty")
    yield "each member of each answer", lambda: every_member(site)
    if thorough:
        yield "forged lines", lambda: escape_codes(site)
        yield "veto: a job without a result after the swap", lambda: veto(site, late, "late")
        yield "veto: one host hangs, and one sends endless output", lambda: veto(site, hang, "hang")
        yield "a faked proof", lambda: fake_proof(site)
        yield "a rollback while a swap is pending", lambda: rollback(site)
        yield "files that Ansible keeps", lambda: kept_files(site)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("lab", "scratch", "project", "proven"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--only", default="", help="part of the names of the attacks to run")
    parser.add_argument("--which", default="newest,oldest", help="releases of ansible-core")
    parser.add_argument("--thorough", action="store_true", help="all attacks, on the last of these releases")
    parser.add_argument("--core", action="append", help="instead, the folder of the programs of an ansible-core")
    options = parser.parse_args()
    cores = options.core or [
        subprocess.run(
            [sys.executable, f"{options.project}/tests/stage/cores.py", which],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout.strip()
        for which in options.which.split(",")
    ]
    tried, succeeded = 0, 0
    for number, programs in enumerate(cores):
        site = Site(options, f"{options.scratch}/{number}", programs)
        try:
            site.break_into(*EVIL)
            for name, attack in attacks(site, options.thorough and number == len(cores) - 1):
                if options.only not in name:
                    continue
                tried += 1
                begin, why = time.monotonic(), ""
                try:
                    attack()
                    site.inspect()
                except Success as error:
                    why = str(error)
                    succeeded += 1
                outcome = f"SUCCEEDED: {why}" if why else "nothing"
                print(f"{site.core} {time.monotonic() - begin:4.0f} s  {name}: {outcome}", flush=True)
                for host in EVIL:
                    site.set_rules(host)
                    site.on(host, "rm -rf /tmp/pwned* /root/x")
                for path in site.pwned.iterdir():
                    path.unlink()
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                site.heal(*EVIL)
        # Hosts that were left out of a rotation get their tokens.
        site.play("tokens")
        code, output, _time = site.play("verify")
        if code:
            succeeded += 1
            print(f"{site.core}: the cluster is not as before:\n{output[-3000:]}", flush=True)
    print(f"{tried} attacks on {len(cores)} releases of ansible-core, {succeeded} succeeded")
    return 1 if succeeded else 0


sys.exit(main())
