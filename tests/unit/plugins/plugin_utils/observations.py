# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations at the hosts of a cluster, in the shape of slurm_jwt_info's results, and changes to them."""

from __future__ import annotations

import copy

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import node

STATE = "/var/lib/slurm/slurmctld"
KEY_PATH = STATE + "/jwt_hs256.key"
FINGERPRINT = "SHA256:" + "a" * 64
COMPONENTS = {"slurmctld": ["ctl1"], "slurmdbd": ["dbd1"], "slurmrestd": ["rest1"], "node": ["node1", "node2"]}
HOSTS = ["ctl1", "dbd1", "rest1", "node1", "node2"]
SLURM = {"name": "slurm", "group": "slurm", "exists": True}


def conf(parameters=None, controllers=("ctl1",), index=None, path="/etc/slurm/slurm.conf"):
    return {
        "path": path,
        "exists": True,
        "configless": False,
        "cluster_name": "here",
        "slurm_user": "slurm",
        "auth_alt_parameters": parameters or {},
        "jwt_enabled": bool(parameters),
        "key_path": (parameters or {}).get("jwt_key"),
        "jwks_path": (parameters or {}).get("jwks"),
        "accounting": True,
        "accounting_storage_host": "dbd1",
        "accounting_storage_backup_host": None,
        "slurmctld_port": 6817,
        "dbd_port": 6819,
        "controllers": [{"name": name, "address": name} for name in controllers],
        "controller_index": index,
    }


def daemon(active="active", key_loaded="current", service="slurmctld"):
    return {"active": active, "key_loaded": key_loaded, "stale": [], "listens": [], "service": service}


def key(exists=True, fingerprint=FINGERPRINT):
    if not exists:
        nothing = dict.fromkeys(("fingerprint", "owner", "mode", "serial"))
        return {"path": KEY_PATH, "exists": False, "folder_exists": True, **nothing}
    known = {"fingerprint": fingerprint, "owner": "slurm", "mode": "0400", "serial": None}
    return {"path": KEY_PATH, "exists": True, "folder_exists": True, **known}


def changes(path="/etc/slurm/slurm.conf", after=f"jwt_key={KEY_PATH}"):
    """What a cluster without JWT has to change in a file."""
    return [
        {"parameter": "AuthAltTypes", "before": None, "after": "auth/jwt", "path": path},
        {"parameter": "AuthAltParameters", "before": None, "after": after, "path": path},
    ]


def observation(host, component, jwt):
    parameters = {"jwt_key": KEY_PATH} if jwt else {}
    change = [] if jwt else changes()
    found = {
        "hostname": host,
        "components": [component],
        "now": 1000.0,
        "release": "24.11.5",
        "capabilities": {"reconfigure_reloads_auth": True},
        "conf": None,
        "dbd_conf": None,
        "slurm_user": None if component == "node" else SLURM,
        "key_path": KEY_PATH,
        "key": None,
        "jwks": None,
        "clusters": None,
        "clock_lag_least": None,
        "state_dir": None,
        "plugins": None if component == "node" else {"packages": [] if jwt else ["slurm-wlm-jwt-plugin=24.11.5-4"]},
        "python": {"pyjwt": "2.10.1" if jwt else None, "cryptography": "43.0.0" if jwt else None},
        "daemons": {},
        "differences": {"slurm_conf": [], "slurmdbd_conf": []},
        "desired": {"slurm_conf": None, "slurmdbd_conf": None},
        "problems": [],
    }
    if component == "slurmdbd":
        found["dbd_conf"] = conf(parameters, path="/etc/slurm/slurmdbd.conf")
        # Without a slurm.conf it does not know where the key is to be.
        found["differences"]["slurmdbd_conf"] = [] if jwt else changes("/etc/slurm/slurmdbd.conf", None)
        found["desired"]["slurmdbd_conf"] = {"parameters": {}, "parameters_absent": []}
        found["key"] = key() if jwt else None
        found["key_path"] = KEY_PATH if jwt else None
    else:
        found["conf"] = conf(parameters, index=0 if component == "slurmctld" else None)
        found["differences"]["slurm_conf"] = change
        found["desired"]["slurm_conf"] = {"parameters": {"jwt_key": KEY_PATH}, "parameters_absent": []}
    if component == "node":
        # As the role asks for it, and the plan reads it.
        found = {**node.EMPTY, **node.minimal({**node.EMPTY, **found})}
    if component == "slurmctld":
        found["key"] = key(jwt)
        found["clusters"] = {"running": ["here"], "error": None}
        found["state_dir"] = {"path": STATE, "owner": "slurm", "writable_by_others": False}
    if component != "node":
        found["daemons"][component] = daemon(key_loaded="current" if jwt else "unknown", service=component)
    return found


def cluster(jwt, **changes):
    """All observations; ``changes`` are HOST={"a.b": value}."""
    pairs = [(host, component) for component, hosts in COMPONENTS.items() for host in hosts]
    observations = {host: observation(host, component, jwt) for host, component in pairs}
    for host, wanted in changes.items():
        for path, value in wanted.items():
            target, names = observations[host], path.split(".")
            for name in names[:-1]:
                target = target[name]
            target[names[-1]] = copy.deepcopy(value)
    return observations
