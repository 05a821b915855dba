# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules document and what is accepted are the same, and no hostile answer is accepted."""

from __future__ import annotations

import ast
import copy
import json
import math
import pathlib

import pytest
import yaml

from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_builtin
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations import (
    builtin_modules,
    info,
    modules,
    observation,
    values,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import Members, Misfit

MODULES = pathlib.Path(__file__).resolve().parents[4] / "plugins/modules"
# They work where Ansible runs.
LOCAL = ("slurm_jwt_builtin", "slurm_jwt_declarations", "slurm_jwt_node_info")
# Members that every module has.
EVERYWHERE = {*observation.STANDARD, *observation.JOB}
# What AnsibleModule.add_path_info adds to a result with a path or a dest, beside what the module says.
OF_A_PATH = {"uid", "gid", "owner", "group", "mode", "state", "size", "secontext"}

DELIMITERS = ("{{", "{%", "{#", "}}", "%}", "#}")


def documented(module):
    """The RETURN of a module."""
    tree = ast.parse((MODULES / f"{module}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RETURN":
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{module} has no RETURN")


def known(shape):
    return {**shape.always, **shape.optional}


def inner(shape):
    """The dictionaries of declared members right inside a shape, be it theirs, a list of them or one of several."""
    if isinstance(shape, Members):
        return [shape]
    if isinstance(shape, (list, tuple)):
        return [each for one in shape for each in inner(one)]
    cells = getattr(shape, "__closure__", None) or ()
    return [each for cell in cells if callable(cell.cell_contents) or isinstance(cell.cell_contents, tuple)
            for each in inner(cell.cell_contents)]  # fmt: skip


def inner_names(shape):
    return {name for members in inner(shape) for name in known(members)}


def pairs(documentation, shapes, where):
    """Each documented member with its shapes, where both have them, however deep."""
    for name, entry in documentation.items():
        for shape in (members[name] for members in shapes if name in members):
            yield f"{where}{name}", entry, shape
        if "contains" in entry:
            below = [known(each) for members in shapes if name in members for each in inner(members[name])]
            # The name of a daemon stands for each of them.
            if set(entry["contains"]) == {"DAEMON"}:
                below = [{"DAEMON": shape} for members in below for shape in members.values()][:1]
            yield from pairs(entry["contains"], below, f"{where}{name}.")


OBSERVED = sorted(modules.MODULES)


def test_every_module_has_an_observation():
    found = {path.stem for path in MODULES.glob("*.py")}
    assert found == {*OBSERVED, *LOCAL}


@pytest.mark.parametrize("module", OBSERVED)
def test_what_is_documented_is_let_in(module):
    assert set(documented(module)) - set(known(modules.MODULES[module].members)) == set()


@pytest.mark.parametrize("module", OBSERVED)
def test_what_is_let_in_is_documented(module):
    let_in = set(known(modules.MODULES[module].members))
    assert let_in - EVERYWHERE - OF_A_PATH - set(documented(module)) == set()


@pytest.mark.parametrize("module", OBSERVED)
def test_what_is_documented_as_always_there_has_to_be(module):
    members = modules.MODULES[module].members
    always = {name for name, entry in documented(module).items() if entry["returned"] in ("success", "always")}
    assert always == set(members.always)


def deep(module):
    return pairs(documented(module), [known(modules.MODULES[module].members)], "")


@pytest.mark.parametrize("module", OBSERVED)
def test_what_is_documented_within_members_is_let_in(module):
    for where, entry, shape in deep(module):
        if "contains" in entry and set(entry["contains"]) != {"DAEMON"}:
            assert (where, set(entry["contains"]) - inner_names(shape)) == (where, set())
            assert (where, inner_names(shape) - set(entry["contains"])) == (where, set())


def sampled(module):
    # Stars stand for a secret.
    return [each for each in deep(module) if "sample" in each[1] and "*" not in str(each[1]["sample"])]


@pytest.mark.parametrize("module", OBSERVED)
def test_samples_fit(module):
    assert sampled(module)
    for where, entry, shape in sampled(module):
        try:
            found = shape(entry["sample"], where)
        except Misfit as misfit:
            # One of several shapes, where the others lack that member or have it otherwise.
            raise AssertionError(f"The sample of {where} does not fit: {misfit}") from misfit
        assert (where, found) == (where, entry["sample"])


TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict}
OF_TYPES = {"str": "", "int": 0, "float": 0.5, "bool": True, "list": [], "dict": {}}


def is_let_in(shape, value):
    try:
        shape(value, "")
    except Misfit as misfit:
        return "missing" in str(misfit) or "invalid characters" in str(misfit)
    return True


@pytest.mark.parametrize("module", OBSERVED)
def test_types_are_those_documented(module):
    for where, entry, shape in deep(module):
        if entry["type"] == "float":
            assert (where, is_let_in(shape, 1)) == (where, True)
        for name, value in OF_TYPES.items():
            expected = name == entry["type"] or (name == "int" and entry["type"] == "float")
            # What JSON may hold is not narrowed down further: claims, and attempts that have none.
            if name != entry["type"] and where.endswith(("claims", "found")):
                continue
            # A remaining time is a whole number, be it in a float.
            if where.endswith("remaining") and name == "float":
                continue
            assert (where, name, is_let_in(shape, value)) == (where, name, expected)


def test_what_ansible_adds_to_a_path_is_no_surprise():
    # The warning about undeclared members would come on every host.
    for module in OBSERVED:
        members = known(modules.MODULES[module].members)
        if "path" in members or "dest" in members:
            assert (module, OF_A_PATH - set(members)) == (module, set())


# -- builtin modules --------------------------------------------------------------------------------------------------


def test_builtin_modules_are_those_documented():
    assert {*builtin_modules.BUILTINS, "async_status"} == set(slurm_jwt_builtin.MODULES)
    options = yaml.safe_load(slurm_jwt_builtin.DOCUMENTATION)["options"]
    assert set(options) == set(slurm_jwt_builtin.MODULES)


def test_what_is_documented_of_builtin_modules_is_let_in():
    found = {name for what in builtin_modules.BUILTINS.values() for name in known(what.members)}
    assert set(documented("slurm_jwt_builtin")) - found == set()


def test_builtin_modules_lack_nothing_that_has_to_be():
    for what in builtin_modules.BUILTINS.values():
        assert what.members({}, "") == {}
        assert what.names_dropped is False


@pytest.mark.parametrize("module", OBSERVED)
def test_a_job_may_say_what_its_module_says_and_nothing_before(module):
    what = modules.of_job(module)
    started = {"ansible_job_id": "j12.34", "started": 1, "finished": 0, "results_file": "/root/.ansible_async/j12.34"}
    assert what.members(started, "") == started
    assert set(known(what.members)) == set(known(modules.MODULES[module].members))
    assert what.members.always == {}


def test_hosts_have_a_time_to_answer():
    for what in (*modules.MODULES.values(), *builtin_modules.BUILTINS.values()):
        assert 30 <= what.seconds <= 900


# -- words ------------------------------------------------------------------------------------------------------------

WORDS = {
    "PATH": (
        ["/", "/etc/slurm/slurm.conf", "/a b/c", "/..a/b..", "/a..b", "/srv/...", "/ä"],
        ["", "etc", "../../x", "/../x", "/a/../b", "/a/..", "/..", "~/x", "/a\n", "/a\x00b", "/{{ x }}", "/" * 4097],
    ),
    "NAME": (
        ["root", "slurm", "1001", "CORP\\alice smith", "a" * 256, "ä"],
        ["", "a:b", "a/b", "../x", "a\nb", "a" * 257, "{{ x }}", "a\x1b[m"],
    ),
    "MODE": (["400", "0400", "04755"], ["", "8", "40", "0x1ff", "0400 ", "u=r", "040000", "0400\n"]),
    "FINGERPRINT": (
        ["SHA256:" + "0a" * 32],
        ["", "SHA256:", "SHA256:" + "0A" * 32, "SHA256:" + "0a" * 31, "MD5:" + "0a" * 32, "SHA256:" + "0a" * 32 + "\n"],
    ),
    "CHECKSUM": (["0a" * 20, "0a" * 32, "0a" * 64], ["", "0a" * 19, "0a" * 65, "0A" * 20, "zz" * 20, "0a" * 20 + "\n"]),
    "BASE64": (["", "AbC+/1==", "a" * 40_000], ["-", "_", "a b", "a\n", "a" * 40_001, "{{"]),
    "TOKEN": (["", "eyJ.eyJ.a-_=", "a" * 65_536], ["a b", "a\n", "a/b", "a+b", "{{", "a" * 65_537, "a;b", "'a'"]),
    "RELEASE": (
        ["20.11", "24.11.5", "24.05.0-0rc1", "25.11.0-1.el9"],
        ["", "24", "24.1", "slurm 24.11.5", "24.11.5\n", "24.11/x", "../../x", "24.11.5-" + "1" * 40],
    ),
    "TIME": (
        ["2026-11-23T03:45:00Z"],
        ["", "2026-11-23", "2026-11-23T03:45:00", "2026-11-23 03:45:00Z", "2026-11-23T03:45:00Z\n", "{{ now }}"],
    ),
    "IDENTIFIER": (
        ["", "active", "slurmctld.service", "slurm-jwt@web.timer", "a" * 256, "auth/jwt", "a+b"],
        ["a b", "a;b", "a\n", "{{", "a" * 257, "a:b", "$(id)", "ä"],
    ),
    "PACKAGE": (
        ["slurm-wlm-jwt-plugin=24.11.5-4", "slurm", "libjwt0:amd64", "a~b=1:2~3"],
        ["", "--force", "-o", "a b", "a=", "a=1=2", "a;b", "/tmp/x.rpm", "https://x/y.rpm", "@group", "a\n", "{{ x }}"],
    ),
    "KID": (["", "a1", "key one", "a" * 2048, "https://x/y#z"], ["a\nb", "a" * 2049, "{{ x }}", "a\u202eb"]),
    "LINE": (["", "a b", "../x"], ["a\nb", "a" * 1025, "{{ x }}", "{% x %}", "{# x #}", "a\x1b[m", "\ud800"]),
    "PORT": ([0, 6817, 65535], [-1, 65536, 1.0, "6817", True, None]),
    "ID": ([0, 64030, 2**32], [-1, 2**32 + 1, 1.0, "0", True, None]),
    "SECONDS": ([0, -1, 0.5, 1e12], [math.nan, math.inf, -math.inf, 1e13, "1", True, None]),
}


@pytest.mark.parametrize("name", WORDS)
def test_words(name):
    shape = getattr(values, name)
    fitting, unfitting = WORDS[name]
    for value in fitting:
        assert shape(value, "here") == value
    for value in unfitting:
        with pytest.raises(Misfit) as caught:
            shape(value, "here")
        if isinstance(value, str) and len(value) > 8:
            assert value.strip() not in str(caught.value)


@pytest.mark.parametrize("name", ["TEXT", "LINE", "PATH", "NAME", "KID", "TOKEN", "PACKAGE", "IDENTIFIER"])
@pytest.mark.parametrize("value", [None, True, 1, 1.5, [], {}, b"/a"])
def test_words_are_text(name, value):
    with pytest.raises(Misfit):
        getattr(values, name)(value, "here")


# -- hostile answers --------------------------------------------------------------------------------------------------

KEY = "/var/lib/slurm/slurmctld/jwt_hs256.key"
OWNERSHIP = {"owner": "slurm", "group": "slurm", "mode": "0400"}
COPY = {
    **OWNERSHIP,
    "fingerprint": "SHA256:" + "7d" * 32,
    "serial": "2026-12",
    "created": "2026-12-23T03:45:00Z",
    "age": 12,
    "by": "root@mgmt1",
    "run": "mgmt1:0f3a:4026531836:4711:123456",
    "run_age": 12,
}
PROXY_FILE = {**OWNERSHIP, "kind": "link", "target": "../b", "fingerprint": "SHA256:" + "7d" * 32}
ANY_CONF = {
    **OWNERSHIP,
    "exists": True,
    "identities": [
        {
            "path": "/etc/slurm/slurm.conf",
            "here": "7b1c2b9e-4a6d-4f0c-9a9b-6f6c2d1e0a55:51:262151",
            "anywhere": "262151:1795400000123456789:2184",
            "network": True,
            "may_be_shared": True,
            "obstacle": "/etc/slurm is on a read-only file system",
        }
    ],
    "checksum": "2e" * 32,
    "slurm_user": "slurm",
    "auth_type": "auth/munge",
    "plugin_dir": "/usr/lib64/slurm",
    "auth_alt_types": ["auth/jwt"],
    "auth_alt_parameters": {"jwt_key": KEY, "disable_token_creation": ""},
    "jwt_enabled": True,
    "key_path": KEY,
    "jwks_path": "/etc/slurm/jwks.json",
}
DAEMON = {
    "service": "slurmctld",
    "exists": True,
    "active": "active",
    "sub": "running",
    "enabled": "enabled",
    "needs_reload": False,
    "pid": 411,
    "started": 1795400100.25,
    "user": "slurm",
    "uid": 64030,
    "command": ["/usr/sbin/slurmctld", "--systemd"],
    "slurm_jwt": False,
    "key_loaded": "current",
    "stale": ["slurmctld began before its key was written."],
    "listens": ["127.0.0.1:6820"],
    "before_jwt": None,
    "dropin": None,
}
# What a controller that is everything at once says, without a null in it.
ANSWER = {
    "changed": False,
    "now": 1795405500.25,
    "clock_lag": 0.42,
    "clock_lag_least": -0.35,
    "hostname": "ctl1.example.org",
    "os_family": "Debian",
    "components": ["slurmctld", "slurmdbd", "slurmrestd", "node"],
    "program": "/usr/sbin/slurmctld",
    "release": "24.11.5",
    "capabilities": {"jwks": True, "client_ids": False},
    "rest_versions": ["v0.0.40", "v0.0.41", "v0.0.42"],
    "conf": {
        **ANY_CONF,
        "path": "/etc/slurm/slurm.conf",
        "files": ["/etc/slurm/slurm.conf", "/etc/slurm/nodes.conf"],
        "configless": False,
        "cluster_name": "lab",
        "state_save_location": "/var/lib/slurm/slurmctld",
        "controllers": [{"name": "ctl1", "address": "10.0.0.1"}, {"name": "ctl2", "address": "ctl2.example.org"}],
        "controller_index": 0,
        "enable_configless": False,
        "accounting": True,
        "accounting_storage_host": "dbd1",
        "accounting_storage_backup_host": "dbd2",
        "slurmctld_port": 6817,
        "slurmdbd_port": 6819,
        "slurmctld_log_file": "/var/log/slurm/slurmctld.log",
    },
    "dbd_conf": {
        **ANY_CONF,
        "path": "/etc/slurm/slurmdbd.conf",
        "files": ["/etc/slurm/slurmdbd.conf"],
        "dbd_host": "dbd1",
        "dbd_backup_host": "dbd2",
        "standby": False,
        "dbd_port": 6819,
        "log_file": "/var/log/slurm/slurmdbd.log",
    },
    "slurm_user": {"name": "slurm", "exists": True, "uid": 64030, "gid": 64030, "group": "slurm"},
    "key_path": KEY,
    "key": {
        **COPY,
        "path": KEY,
        "exists": True,
        "folder_exists": True,
        "size": 32,
        "weakness": "has 16 bytes only; an HS256 key has 32 at least",
        "inode": 262147,
        "modified": 1795400000.5,
        "next": dict(COPY),
        "previous": dict(COPY),
    },
    "openmetrics": {
        "serves": True,
        "users": ["prometheus"],
        "key_path": f"{KEY}.metrics",
        "key": {
            **COPY,
            "path": f"{KEY}.metrics",
            "exists": True,
            "folder_exists": True,
            "size": 32,
            "weakness": "has 16 bytes only; an HS256 key has 32 at least",
            "inode": 262148,
            "modified": 1795400000.5,
            "next": dict(COPY),
            "previous": dict(COPY),
        },
        "in_force": f"{KEY}.metrics",
        "key_loaded": "current",
    },
    "jwks": {**OWNERSHIP, "path": "/etc/slurm/jwks.json", "exists": True, "kids": ["a1", "FJ86GcF3jTbNLOco4Nv"]},
    "state_dir": {
        **OWNERSHIP,
        "path": "/var/lib/slurm/slurmctld",
        "exists": True,
        "writable_by_others": False,
        "mount": "/",
        "source": "nfs1:/slurm",
        "fstype": "nfs4",
        "network": True,
        "identity": "262151:1795400000123456789",
    },
    "plugins": {
        "dir": "/usr/lib/slurm-wlm",
        "auth_jwt": "/usr/lib/slurm-wlm/auth_jwt.so",
        "rest_auth_jwt": "/usr/lib/slurm-wlm/rest_auth_jwt.so",
        "libjwt": {"name": "libjwt.so.2", "path": "/lib/libjwt.so.2"},
        "packages": ["slurm-wlm-jwt-plugin=24.11.5-4"],
        "unavailable": ["slurm-wlm-jwt-plugin=24.11.5-4"],
    },
    "python": {
        "executable": "/usr/bin/python3",
        "version": "3.13.5",
        "pyjwt": "2.10.1",
        "cryptography": "43.0.0",
        "served": True,
        "distributions": "/usr/bin/python3",
        "unavailable": ["python3-jwt"],
    },
    "clusters": {"running": ["atlas"], "error": "none"},
    "proxy": {
        "files": [{**PROXY_FILE, "path": "/etc/slurm_jwt_proxy/policy.json"}],
        "site_files": [{**PROXY_FILE, "path": "/etc/ssl/a certificate"}],
        "units": [
            {
                "unit": "nginx.service",
                "active": "active",
                "enabled": "enabled",
                "needs_reload": False,
                "inaccessible": ["/root", "/home"],
            }
        ],
        "packages": ["nginx"],
        "user": {"home": "/nonexistent", "shell": "/usr/sbin/nologin"},
        "other_programs": 0,
        "listens": ["Listen 80", "Listen 443 https"],
        "loaded": ["nginx.service", "slurm-jwt-proxy-verifier.service"],
        "passwords_usable": True,
    },
    "daemons": {name: {**DAEMON, "service": name} for name in ("slurmctld", "slurmdbd", "slurmrestd", "slurmd")},
    "differences": {
        "slurm_conf": [{"parameter": "AuthAltTypes", "before": "x", "after": "auth/jwt", "path": "/etc/slurm.conf"}],
        "slurmdbd_conf": [{"parameter": "AuthAltTypes", "before": "x", "after": "auth/jwt", "path": "/etc/d.conf"}],
    },
    "desired": {
        "slurm_conf": {
            "parameters": {"jwt_key": KEY, "disable_token_creation": True},
            "parameters_absent": ["jwks"],
            "openmetrics": {
                "settings": {"MetricsType": "metrics/openmetrics", "MetricsAuthUsers": "prometheus"},
                "present": {"jwt_key": f"{KEY}.metrics"},
                "absent": ["jwks"],
            },
        },
        "slurmdbd_conf": {"parameters": {"jwt_key": KEY}, "parameters_absent": ["jwks"]},
    },
    "undeclared": {
        "slurm_jwt_conf_path": "/opt/slurm/etc/slurm.conf",
        "slurm_jwt_dbd_conf_path": "/opt/slurm/etc/slurmdbd.conf",
        "slurm_jwt_bin_dirs": ["/opt/slurm/current/bin"],
        "slurm_jwt_slurmctld_service": "slurmctld@prod",
        "slurm_jwt_slurmdbd_service": "slurmdbd-prod",
        "slurmrestd_service": "restd",
        "slurmrestd_binary": "/opt/slurm/current/sbin/slurmrestd",
    },
    "problems": [
        {
            "severity": "error",
            "code": "dbd_conf_mode",
            "component": "slurmdbd",
            "path": "/etc/slurm/slurmdbd.conf",
            "found": "/etc/slurm/slurmdbd.conf has the mode 0640; slurmdbd requires 0600.",
            "effect": "slurmdbd does not start with it.",
            "remedy": "chmod 0600 /etc/slurm/slurmdbd.conf",
        }
    ],
}

# Nothing in it is in two places.
ANSWER = json.loads(json.dumps(ANSWER))


def places(value, way=()):
    """The way to everything in a value."""
    if way:
        yield way
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield from places(each, (*way, name))


WAYS = list(places(ANSWER))
LENGTH = len(json.dumps(ANSWER))
MINIMAL = {"path", "exists", "configless"}
# They may be of several types.
FREE = ("before", "after", "parameters")

HOSTILE = {
    "10 MB": "a" * 10_000_000,
    "10 MB of braces": "{" * 10_000_000,
    "a template": '{{ lookup("pipe","id") }}',
    "a statement": "{% for x in [].__class__.__mro__ %}{% endfor %}",
    "a comment": "{# x #}",
    "a line more": "a\nb",
    "a forged line": "\x1b[1A\x1b[2Kok: [ctl1]",
    "a way out": "../../x",
    "a lone surrogate": "\ud800",
    "nothing": None,
    "flag": True,
    "whole number": 7,
    "below zero": -1,
    "huge": 2**70,
    "fraction": 0.5,
    "no number": math.nan,
    "endless": math.inf,
    "empty text": "",
    "empty list": [],
    "list of lists": [[]],
    "empty dictionary": {},
    "facts": {"ansible_facts": {"slurm_jwt_key_path": "/x"}},
    "template as a name": {"{{ x }}": True},
    "long list": [0] * 100_000,
    "bytes": b"bytes",
    "a set": {"a"},
}


def at(value, way):
    for name in way:
        value = value[name]
    return value


def replaced(way, value):
    found = copy.deepcopy(ANSWER)
    at(found, way[:-1])[way[-1]] = value
    return found


def texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from (*texts(name), *texts(each))
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def assert_harmless(value):
    for text in texts(value):
        assert not any(mark in text for mark in DELIMITERS)
        assert text.isprintable()
        assert len(text) <= 2 * 4000 + 12


def kind(value):
    return "number" if type(value) in (int, float) else type(value).__name__


def test_the_answer_is_whole():
    found = info.INFO.members(ANSWER, "")
    assert found == ANSWER
    # No member is left out, however deep, so that each is attacked below.
    for _where, entry, shape in deep("slurm_jwt_info"):
        if "contains" not in entry:
            for name in inner_names(shape):
                assert any(way[-1] == name for way in WAYS)
    assert set(ANSWER) == {*documented("slurm_jwt_info"), "changed"}


@pytest.mark.parametrize("attack", HOSTILE)
def test_no_member_lets_it_in(attack):
    value = HOSTILE[attack]
    for way in WAYS:
        try:
            found = info.INFO.members(replaced(way, value), "")
        except Misfit as misfit:
            assert len(str(misfit)) < 200
            assert_harmless(str(misfit))
            continue
        assert_harmless(found)
        assert len(json.dumps(found)) <= LENGTH + 2 * 4000 + 100
        if way[0] in ("conf", "dbd_conf") and set(found[way[0]] or ()) <= MINIMAL:
            # As if the file could not be read.
            continue
        let_in = at(found, way)
        before = at(ANSWER, way)
        free = any(name in FREE for name in way)
        # What is let in has the type that it had, or is null.
        assert (way, let_in is None or free or kind(let_in) == kind(before)) == (way, True)
        # A word is as the host said it. A dictionary may have lost members.
        assert (way, let_in == value or isinstance(let_in, (str, dict))) == (way, True)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: ".".join(map(str, way)))
def test_without_a_member(way):
    found = copy.deepcopy(ANSWER)
    del at(found, way[:-1])[way[-1]]
    try:
        let_in = info.INFO.members(found, "")
    except Misfit as misfit:
        assert str(misfit).endswith("missing")
    else:
        # What is missing has no substitute.
        assert let_in == found or set(let_in[way[0]]) <= MINIMAL


def test_members_that_nobody_declared_are_dropped_everywhere():
    def with_more(value):
        if isinstance(value, dict):
            return {**{name: with_more(each) for name, each in value.items()}, "ansible_facts": {"ansible_user": "x"}}
        return [with_more(each) for each in value] if isinstance(value, list) else value

    found = with_more(ANSWER)
    # The host chooses the names in these.
    for members in (found["capabilities"], *(found[name]["auth_alt_parameters"] for name in ("conf", "dbd_conf"))):
        del members["ansible_facts"]
    for name in ("slurm_conf", "slurmdbd_conf"):
        del found["desired"][name]["parameters"]["ansible_facts"]
    assert info.INFO.members(found, "") == ANSWER


PATHS = ("program", "key_path", "conf.path", "dbd_conf.path", "key.path", "jwks.path", "state_dir.path", "plugins.dir")


@pytest.mark.parametrize("path", PATHS)
def test_paths_lead_nowhere_else(path):
    for text in ("../../x", "/etc/slurm/../../x", "/..", "etc/slurm", ""):
        with pytest.raises(Misfit):
            info.INFO.members(replaced(path.split("."), text), "")


@pytest.mark.parametrize(
    "value",
    [
        "/opt/{{ lookup('pipe', 'id') }}",
        "/opt/slurm: x",
        "/opt/a\nansible_connection: local",
        "/opt/../etc/shadow",
        "/opt/[a]",
        "opt/slurm.conf",
        "!unsafe /opt",
    ],
)
def test_what_is_to_be_copied_into_an_inventory_is_nothing_but_a_path(value):
    for undeclared in ({"slurm_jwt_conf_path": value}, {"slurm_jwt_bin_dirs": [value]}, {"slurmrestd_service": value}):
        with pytest.raises(Misfit):
            info.INFO.members({**ANSWER, "undeclared": undeclared}, "")
