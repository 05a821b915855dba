# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host without the key may answer to an inspection, be it broken or broken into, and what that must not change.

A plan must say the same of every other host, whatever one without the key answers.
"""

from __future__ import annotations

import copy
import random
import re

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.info import INFO
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import Members
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils import observations

OTHER = "SHA256:" + "e" * 64
OWNERSHIP = {"owner": "mallory", "group": "mallory", "mode": "0666"}

MINIMAL = {"path": "/etc/slurm/slurm.conf", "exists": True, "configless": False}
ANY_CONF = {
    "path": "/etc/slurm/slurm.conf",
    "exists": True,
    **OWNERSHIP,
    "files": ["/etc/slurm/slurm.conf"],
    "identities": [
        {
            "path": "/etc/slurm/slurm.conf",
            "here": "7b1c2b9e-4a6d-4f0c-9a9b-6f6c2d1e0a55:51:262151",
            "anywhere": "262151:1795400000123456789:2184",
            "network": True,
            "may_be_shared": True,
            "obstacle": None,
        }
    ],
    "checksum": "a" * 40,
    "slurm_user": "slurm",
    "auth_type": "auth/munge",
    "plugin_dir": None,
    "auth_alt_types": ["auth/jwt"],
    "auth_alt_parameters": {"jwt_key": observations.KEY_PATH},
    "jwt_enabled": True,
    "key_path": observations.KEY_PATH,
    "jwks_path": None,
}
CONF = {
    **ANY_CONF,
    "configless": False,
    "cluster_name": "here",
    "state_save_location": observations.STATE,
    "controllers": [{"name": "ctl1", "address": "ctl1"}],
    "controller_index": None,
    "enable_configless": False,
    "accounting": True,
    "accounting_storage_host": "dbd1",
    "accounting_storage_backup_host": None,
    "slurmctld_port": 6817,
    "slurmdbd_port": 6819,
    "slurmctld_log_file": None,
}
DBD_CONF = {
    **ANY_CONF, "dbd_host": "dbd1", "dbd_backup_host": None, "standby": False, "dbd_port": 6819, "log_file": None
}  # fmt: skip
DIFFERENCE = {"parameter": "AuthAltTypes", "before": None, "after": "auth/jwt"}
KEPT = {
    **OWNERSHIP, "fingerprint": OTHER, "serial": "2099", "created": "2026-11-24T10:00:00Z", "age": 7, "by": "mallory",
    "run": "a:b:c:1:2", "run_age": 7,
}  # fmt: skip
KEY = {
    **KEPT, "path": observations.KEY_PATH, "exists": True, "folder_exists": True, "size": 32, "weakness": None,
    "inode": 7,
    "modified": 7.0, "next": None, "previous": None,
}  # fmt: skip
STATE_DIR = {
    **OWNERSHIP, "path": observations.STATE, "exists": True, "writable_by_others": True, "mount": "/",
    "source": "/dev/vda",
    "fstype": "ext4", "network": False, "identity": "1:2",
}  # fmt: skip
PLUGINS = {
    **dict.fromkeys(("dir", "auth_jwt", "rest_auth_jwt", "libjwt")),
    **{"packages": ["slurm-jwt=24.11.5-4"], "unavailable": []},
}
PYTHON = {
    **{"executable": "/usr/bin/python3", "version": "3.9.2", "pyjwt": "2.10.1", "cryptography": "43.0.0"},
    **{"served": True, "distributions": "/usr/bin/python3", "unavailable": []},
}
PROXY_FILE = {
    **OWNERSHIP, "path": "/etc/slurm_jwt_proxy/policy.json", "kind": "file", "target": None, "fingerprint": OTHER
}  # fmt: skip
PROXY = {
    "files": [PROXY_FILE],
    "site_files": [{**PROXY_FILE, "fingerprint": None}],
    "units": [
        {"unit": "nginx.service", "active": "", "enabled": "", "needs_reload": True, "inaccessible": ["/etc"]},
    ],
    "packages": ["nginx"],
    "user": {"home": "/nonexistent", "shell": "/bin/sh"},
    "other_programs": 7,
    "listens": ["Listen 443"],
    "loaded": ["nginx.service"],
    "passwords_usable": True,
}
DAEMON = {
    "service": "slurmctld", "exists": True, "active": "active", "sub": "running", "enabled": "enabled",
    "needs_reload": True, "pid": 7, "started": 7.0, "user": "slurm", "uid": 64030, "command": ["/usr/sbin/slurmctld"],
    "slurm_jwt": True, "key_loaded": "replaced", "stale": ["slurm.conf was written after it was started"],
    "listens": ["0.0.0.0:6820"],
    "before_jwt": "off",
    "dropin": "SHA256:" + "a" * 64,
}  # fmt: skip
COMPONENTS = ("slurmctld", "slurmdbd", "slurmrestd")
OPENMETRICS = {
    **{"serves": True, "users": ["mallory"], "key_path": "/other/key", "key": KEY, "in_force": "/other/key"},
    "key_loaded": "replaced",
}


def problem(severity, code="slurm_missing"):
    return {
        "severity": severity, "code": code, "component": "slurmrestd", "path": None, "found": "F.", "effect": "E.",
        "remedy": "R.",
    }  # fmt: skip


def _each(whole, **others):
    """The whole, and the whole with one member replaced at a time."""
    return [whole, *({**whole, name: value} for name, values in others.items() for value in values)]


# Member of an observation -> other values than the one that it has.
ANSWERS = {
    "now": [0, 1300.0, 1e11],
    "clock_lag": [None, 3600.0, -3600.0, 1e12],
    "clock_lag_least": [None, 3600.0, -3600.0],
    "clusters": [{"running": ["elsewhere"], "error": None}, {"running": [], "error": "E"}],
    "hostname": ["", "ctl1", "dbd1", "elsewhere"],
    "os_family": [None, "RedHat"],
    "components": [[], ["slurmctld", "slurmdbd"]],
    "program": [None, "/opt/slurm/sbin/slurmd"],
    "release": [None, "20.11.9", "25.05.1"],
    "capabilities": [
        {},
        {"reconfigure_reloads_auth": False, "slurmrestd_survives_slurmdbd_restart": False},
        {"reconfigure_reloads_auth": True, "slurmrestd_survives_slurmdbd_restart": True},
    ],
    "rest_versions": [[], ["v0.0.39"]],
    "conf": [
        None,
        {**MINIMAL, "exists": False},
        {**MINIMAL, "configless": True},
        MINIMAL,
        *_each(
            CONF,
            exists=[False],
            configless=[True],
            slurm_user=["mallory"],
            auth_alt_types=[[]],
            auth_alt_parameters=[{}, {"jwt_key": "/other/key"}, {"jwks": "/other/jwks"}],
            jwt_enabled=[False],
            key_path=[None, "/other/key"],
            jwks_path=["/other/jwks"],
            cluster_name=[None, "there"],
            state_save_location=["/other"],
            controllers=[[], [{"name": name, "address": "198.51.100.7"} for name in ("rest1", "node1", "ctl1", "x")]],
            controller_index=[0, 7],
            enable_configless=[True],
            accounting=[False],
            accounting_storage_host=["rest1"],
            slurmctld_port=[1],
            slurmdbd_port=[1],
        ),
    ],
    "dbd_conf": [
        None,
        {"path": "/etc/slurm/slurmdbd.conf", "exists": True},
        *_each(
            DBD_CONF,
            exists=[False],
            auth_alt_parameters=[{"jwt_key": "/other/key"}],
            dbd_host=["rest1"],
            dbd_backup_host=["node1"],
            standby=[True],
            dbd_port=[1],
        ),
    ],
    "slurm_user": [
        None,
        {"name": "mallory", "exists": True, "uid": 1, "gid": 1, "group": "mallory"},
        {"name": "slurm", "exists": False, "uid": None, "gid": None, "group": None},
    ],
    "key_path": [None, "/other/key"],
    "key": [
        None,
        *_each(
            KEY,
            exists=[False],
            folder_exists=[False],
            fingerprint=[None, observations.FINGERPRINT],
            path=["/other/key"],
            next=[KEPT],
            previous=[KEPT],
        ),
    ],
    "openmetrics": [None, *_each(OPENMETRICS, key=[None], in_force=[None], key_loaded=["absent"], users=[[]])],
    "jwks": [None, {**OWNERSHIP, "path": "/other/jwks", "exists": True, "kids": ["a", "b"]}],
    "state_dir": [None, *_each(STATE_DIR, path=["/other"], exists=[False], writable_by_others=[False])],
    "plugins": [None, *_each(PLUGINS, packages=[[], ["mallory"]], unavailable=[["mallory"]])],
    "python": _each(PYTHON, pyjwt=[None, "1.x"], cryptography=[None], served=[None, False], unavailable=[["mallory"]]),
    "proxy": [None, *_each(PROXY, files=[[]], site_files=[[]], units=[[]], user=[None], passwords_usable=[None])],
    "daemons": [
        {},
        *(
            dict.fromkeys(COMPONENTS, daemon)
            for daemon in _each(
                DAEMON,
                exists=[False, None],
                active=["failed", None],
                key_loaded=["absent", "current"],
                command=[[], ["slurmctld", "-D"]],
            )
        ),
        {"slurmd": DAEMON},
    ],
    "differences": [
        {"slurm_conf": [], "slurmdbd_conf": []},
        {"slurm_conf": [DIFFERENCE], "slurmdbd_conf": [DIFFERENCE]},
    ],
    "desired": [
        {"slurm_conf": None, "slurmdbd_conf": None},
        {"slurm_conf": {"parameters": {"AuthAltTypes": "x"}, "parameters_absent": ["JobComp"]}, "slurmdbd_conf": None},
        {
            "slurm_conf": {
                **{"parameters": {}, "parameters_absent": []},
                "openmetrics": {"settings": {"MetricsType": None}, "present": {"jwt_key": "/x"}, "absent": ["y"]},
            },
            "slurmdbd_conf": None,
        },
    ],
    "undeclared": [{}, {"slurm_jwt_conf_path": "/opt/slurm/etc/slurm.conf", "slurm_jwt_bin_dirs": ["/opt/slurm/bin"]}],
    "problems": [
        [],
        *([problem(severity)] for severity in ("error", "warning", "info")),
        *([problem(severity, "key_weak")] for severity in ("error", "warning", "info")),
        [problem("warning"), problem("error"), problem("error", "other")],
    ],
}

# An observation that is none, as it is accepted for a module that failed or that a host says it has skipped.
FAILED = [
    {},
    {"failed": True},
    {"failed": True, "msg": ""},
    {"failed": True, "msg": "no python", "rc": 1},
    {"failed": True, "msg": "broken", "conf": CONF, "problems": []},
    {"skipped": True},
]
UNREACHABLE = [{"unreachable": True}, {"unreachable": True, "msg": "No route to host.\nmore", "changed": False}]


def skipped():
    """A host says that it has skipped the module, and answers all members all the same, or all but one, or few."""
    whole = {**{name: values[0] for name, values in ANSWERS.items()}, "conf": CONF}
    lacking = [{name: value for name, value in whole.items() if name != left} for left in whole]
    few = [{"conf": None}, {"conf": CONF, "problems": []}, {"conf": None, "problems": [problem("error")]}]
    return [{"skipped": True, **copy.deepcopy(found)} for found in [whole, *lacking, *few]]


def mixed(times, seed=7):
    """Changes of many members at once, by chance that is always the same."""
    chance = random.Random(seed)
    for _time in range(times):
        names = [name for name in ANSWERS if chance.random() < 0.5]
        yield {name: copy.deepcopy(chance.choice(ANSWERS[name])) for name in names}


def fits(answer):
    """Whether that is accepted as it is."""
    partial = Members({}, {**INFO.members.always, **INFO.members.optional})
    return partial(answer, "") == answer


def of_others(plan, host):
    """What a plan says of every other host, and of the run. Whether all is up_to_date is told apart, by what is due."""
    return {name: _without(host, value) for name, value in plan.items() if name != "up_to_date"}


def _without(host, value):
    if isinstance(value, dict):
        return {name: _without(host, each) for name, each in value.items() if name != host}
    if isinstance(value, list):
        alone = [said for each in value for said in _of_each_host(each)]
        return [_without(host, each) for each in alone if each != host and not str(each).startswith(f"{host}: ")]
    return value


def _of_each_host(said):
    """What is said of ctl1,node[1-3], a line for each; anything else as it is."""
    match = re.fullmatch(r"((?:[a-z]+(?:[0-9]+|\[[0-9,-]+\]),?)+): (.*)", said) if isinstance(said, str) else None
    if match is None:
        return [said]
    return [
        f"{name}{number}: {match[2]}"
        for name, one, several in re.findall(r"([a-z]+)(?:([0-9]+)|\[([0-9,-]+)\])", match[1])
        for first, dummy, last in [span.partition("-") for span in (one or several).split(",")]
        for number in range(int(first), int(last or first) + 1)
    ]


def same_for_others(decide, found, host, answer):
    """Sees that a plan says the same of all others, and nothing of the host that it leaves out. Returns the plan."""
    before = of_others(decide(copy.deepcopy(found)), host)
    assert before["refusals"] == []
    plan = decide({**copy.deepcopy(found), host: copy.deepcopy(answer)})
    after = of_others(plan, host)
    assert after == before
    assert set(plan["left_out"]) <= {host}
    if host in plan["left_out"]:
        rest = {name: value for name, value in of_others(plan, "nobody").items() if name != "left_out"}
        assert rest == {name: value for name, value in after.items() if name != "left_out"}
    return plan


def see_each_value(member, whole, see, host):
    """Sees that each value of a member leaves the host out for the reason that it is, and for no other."""
    for value in ANSWERS[member]:
        errors = [one for one in value if one["severity"] == "error"] if member == "problems" else []
        expected = why(member, value, errors)
        assert see({**whole, member: value})["left_out"] == ({host: expected} if expected else {})


def why(member, value, errors):
    """Why a host with that answer is left out; None if it is not."""
    if errors:
        return " ".join(["F. E. R."] * len(errors))
    if member in ("conf", "dbd_conf") and value and value["exists"] and "auth_alt_parameters" not in value:
        return "its result has neither the content of its configuration file nor what is wrong with that"
    return None
