# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster as its hosts were found, beside what the site wants of it. Private to this collection."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import command_line
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import (
    missing_packages,
    shared_files,
    site_conf,
    trusted_keys,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import KEY_MODE, Desired, Look
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.inspections import failed, short
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.unreachable_hosts import unreachable


def _of_read_files(look: Look) -> Look:
    """The look with nothing in the place of a configuration that was not read: a file that is missing or broken.

    The problem says which of the two it is. Whoever asks what a file holds would find its path and nothing else.
    """
    files = {"conf": "controllers", "dbd_conf": "dbd_port"}
    unread = [name for name, member in files.items() if look.get(name) is not None and member not in look[name]]
    return {**look, **dict.fromkeys(unread)} if unread else look


class Cluster:
    """A look at every host of a cluster, and the questions that a rollout asks of it."""

    def __init__(self, looks: Mapping[str, Look], components: Mapping[str, Sequence[str]], desired: Desired) -> None:
        answered = {host: look for host, look in looks.items() if not unreachable(look) and not failed(look)}
        self.looks = {host: _of_read_files(look) for host, look in answered.items()}
        self.desired = desired
        self.controllers = sorted(self._seen(components["slurmctld"]), key=self._place_in_slurm_conf)
        self.dbds = self._seen(components["slurmdbd"])
        self.restds = self._seen(components["slurmrestd"])
        # In the order in which their files change: slurmctld must never meet a slurm.conf that is not its own.
        self.servers = list(dict.fromkeys(self.restds + self.dbds + self.controllers[::-1]))
        self.nodes = [host for host in self._seen(components["node"]) if host not in self.servers]

    def _seen(self, hosts: Iterable[str]) -> list[str]:
        return [host for host in hosts if host in self.looks]

    def _place_in_slurm_conf(self, host: str) -> int:
        """The primary is the first SlurmctldHost, whatever the order of the inventory."""
        conf = self.looks[host]["conf"]
        if conf is None:
            return 0
        names = [short(controller["name"]) for controller in conf["controllers"]]
        index = conf["controller_index"]
        if index is not None:
            return int(index)
        return names.index(short(host)) if short(host) in names else len(names)

    @property
    def primary(self) -> str | None:
        return self.controllers[0] if self.controllers else None

    @property
    def standby_dbds(self) -> list[str]:
        """The hosts whose slurmdbd waits for that of DbdHost to fall silent, and does not listen until then."""
        return [host for host in self.dbds if (self.looks[host]["dbd_conf"] or {}).get("standby")]

    @property
    def key_hosts(self) -> list[str]:
        """The hosts that have the signing key: those that check tokens, and no others."""
        return list(dict.fromkeys(self.controllers + self.dbds))

    # -- key ---------------------------------------------------------------------------------------------------------

    def key(self, host: str) -> Mapping[str, Any]:
        unseen = {"exists": False, "folder_exists": False, "fingerprint": None, "path": None}
        return self.looks[host]["key"] or unseen

    @property
    def key_path(self) -> str:
        return self.desired.key_path or (self.looks[self.primary]["key_path"] if self.primary else "") or ""

    def key_path_of(self, host: str) -> str:
        """slurmdbd keeps its key where slurmdbd.conf has it already."""
        if self.desired.key_path or host in self.controllers:
            return self.key_path
        return str(self.key(host)["path"] or self.key_path)

    @property
    def key_source(self) -> str | None:
        """The key host whose key the others get: the one named, or one that has a key, or the primary to make it."""
        having = [host for host in self.key_hosts if self.key(host)["exists"]]
        return self.desired.key_source or next(iter(having), self.primary)

    def owner(self, host: str) -> Mapping[str, Any]:
        return self.looks[host]["slurm_user"] or {"name": "root", "group": "root"}

    def _key_is_as_declared(self, host: str) -> bool:
        key = self.key(host)
        return bool(key["exists"]) and key["owner"] == self.owner(host)["name"] and key["mode"] == KEY_MODE

    @property
    def _without_key(self) -> bool:
        """Whether no daemon is to load a key for HS256. One that is there is left alone."""
        return self.desired.removing or not self.desired.trust.with_hs256

    def key_source_changes(self) -> bool:
        source = self.key_source
        if source is None or self._without_key:
            return False
        unlabelled = bool(self.desired.key_serial) and not self.key(source).get("serial")
        return not self._key_is_as_declared(source) or unlabelled

    def key_targets(self) -> list[str]:
        """The key hosts that lack the key of the source, or have it with another label, owner or mode."""
        source = self.key_source
        if source is None or source not in self.looks or self._without_key:
            return []
        ours = self.key(source)
        return [
            host
            for host in self.key_hosts
            if host != source
            and (
                ours["fingerprint"] is None
                or self.key(host)["fingerprint"] != ours["fingerprint"]
                or not self._key_is_as_declared(host)
                or self.key_source_changes()
            )
        ]

    def key_replaced_on(self) -> list[str]:
        """The key hosts on which the bytes of the key change, so that their daemons need it loaded."""
        source = self.key_source
        if source is None or source not in self.looks or self._without_key:
            return []
        ours = self.key(source)["fingerprint"]
        return [host for host in self.key_hosts if ours is None or self.key(host)["fingerprint"] != ours]

    def folders_to_make(self) -> dict[str, str]:
        """StateSaveLocation where the key goes there and nobody has seen it yet.

        A folder that turns out to be there keeps its owner, group and mode, whatever it is called.
        """
        if self.desired.removing or self.primary is None:
            return {}
        state = self.looks[self.primary]["state_dir"]
        if state is None or self._without_key:
            return {}
        return {
            host: str(state["path"])
            for host in self.key_hosts
            if self.key_path_of(host).rpartition("/")[0] == state["path"] and not self.key(host)["folder_exists"]
        }

    def keys_aside(self) -> dict[str, bool]:
        """The key hosts whose key a removal puts aside, and whether it was in force: then it is one, like what it may.

        A file of which that is not sure stays where it is.
        """
        if not self.desired.removing:
            return {}
        found = {}
        for host in self.key_hosts:
            look, key = self.looks[host], self.key(host)
            named = key["path"] in [(look[name] or {}).get("key_path") for name in ("conf", "dbd_conf")]
            if self._has_a_file(host) and (named or (key["fingerprint"] and not key.get("weakness"))):
                found[host] = named
            elif look["key"] is None and not (self.primary and self.key(self.primary).get("weakness")):
                # A host of slurmdbd does not know where its key is once its file does not name it any more.
                found[host] = False
        return found

    def _has_a_file(self, host: str) -> bool:
        """Whether there is a file where the key is to be, and not a link or a folder."""
        odd = any(problem["code"] == "key_not_a_file" for problem in self.looks[host]["problems"])
        return bool(self.key(host)["exists"]) and not odd

    @property
    def local_key_changes(self) -> bool:
        """Whether the site's own RSA key is to be made or mended on the primary controller."""
        return self.desired.trust.local_key.changes and not self.desired.removing

    # -- key set -----------------------------------------------------------------------------------------------------

    def jwks_targets(self) -> list[str]:
        """The key hosts whose key set has to be brought up to date."""
        return [] if self.desired.removing else trusted_keys.targets(self.desired.trust, self.looks, self.key_hosts)

    def jwks_replaced_on(self) -> list[str]:
        return [] if self.desired.removing else trusted_keys.replaced_on(self.desired.trust, self.looks, self.key_hosts)

    # -- files and daemons -------------------------------------------------------------------------------------------

    def conf_differs(self, host: str) -> bool:
        """Whether slurm.conf, on a host that keeps one, is not as declared."""
        conf = self.looks[host]["conf"]
        if conf is None or not conf["exists"] or conf["configless"]:
            return False
        return bool(self.looks[host]["differences"]["slurm_conf"]) or self._key_is_elsewhere(conf, self.key_path)

    def conf_changes(self, host: str) -> bool:
        """Whether this host edits slurm.conf. Where several see one file, one of them does."""
        if not self.desired.manage_conf or not self.conf_differs(host):
            return False
        if host in self.key_hosts:
            return self.editors[shared_files.SLURM].get(host) == host
        return host not in self.waiting and self._obstacle(host) is None

    @functools.cached_property
    def editors(self) -> dict[str, dict[str, str | None]]:
        """Kind of file -> key host whose file differs -> the key host that edits it; None where none may write it."""
        if not self.desired.manage_conf:
            return {shared_files.SLURM: {}, shared_files.SLURMDBD: {}}
        slurm = [host for host in self.key_hosts if self.conf_differs(host)]
        slurmdbd = [host for host in self.dbds if self.dbd_conf_differs(host)]
        return {
            shared_files.SLURM: shared_files.editors(self.looks, slurm, shared_files.SLURM),
            shared_files.SLURMDBD: shared_files.editors(self.looks, slurmdbd, shared_files.SLURMDBD),
        }

    @functools.cached_property
    def waiting(self) -> dict[str, None]:
        """Hosts without a key whose slurm.conf a key host has as well, or may have where none is in the play."""
        found: dict[str, None] = {}
        for host in self.keyless:
            look = self.looks[host]
            if not self.desired.manage_conf or not self.conf_differs(host):
                continue
            seen = any(
                shared_files.sees(look, self.looks[other], shared_files.SLURM)
                for other in self.key_hosts
                if self.looks[other]["conf"] is not None
            )
            if seen or (self.primary is None and shared_files.may_be_shared(look, shared_files.SLURM)):
                found[host] = None
        return found

    def tidying(self, kind: str) -> list[str]:
        """The hosts that remove copies of a file: of those that see one file, one that may write it."""
        found: list[str] = []
        for host in [*self.key_hosts, *self.keyless] if self.desired.removing and self.desired.manage_conf else ():
            look = self.looks[host]
            others = [other for other in found if other in self.key_hosts]
            seen = any(shared_files.sees(look, self.looks[other], kind) for other in others)
            if look[kind] is not None and not seen and shared_files.obstacle(look, kind) is None:
                found.append(host)
        return found

    def _obstacle(self, host: str) -> str | None:
        return shared_files.obstacle(self.looks[host], shared_files.SLURM)

    def unwritable(self) -> dict[str, str]:
        """The hosts without a key that have to edit their slurm.conf, and cannot. Each is left out by its own word."""
        hosts = [host for host in self.keyless if self.desired.manage_conf and self.conf_differs(host)]
        found = {}
        for host in hosts:
            if host in self.waiting or self._obstacle(host) is None:
                continue
            edited = any(
                self._obstacle(other) is None
                and shared_files.sees(self.looks[host], self.looks[other], shared_files.SLURM)
                for other in hosts
            )
            if not edited:
                found[host] = shared_files.left_out(self.looks[host], shared_files.SLURM)
        return found

    def _key_is_elsewhere(self, conf: Mapping[str, Any], wanted: str) -> bool:
        named = conf["auth_alt_parameters"].get("jwt_key")
        return bool(wanted) and not self._without_key and named not in (None, wanted)

    def dbd_conf_differs(self, host: str) -> bool:
        conf = self.looks[host]["dbd_conf"]
        if conf is None:
            return False
        elsewhere = self._key_is_elsewhere(conf, self.key_path_of(host))
        return bool(self.looks[host]["differences"]["slurmdbd_conf"]) or elsewhere

    def dbd_conf_changes(self, host: str) -> bool:
        return self.editors[shared_files.SLURMDBD].get(host) == host

    def lines_missing(self, hosts: Iterable[str]) -> list[site_conf.Lines]:
        """What another tool has to write into the files of these hosts."""
        if self.desired.manage_conf:
            return []
        found = []
        for host in hosts:
            look = self.looks[host]
            files = (
                ("slurm_conf", look["conf"], self.conf_differs(host), self.key_path),
                ("slurmdbd_conf", look["dbd_conf"], self.dbd_conf_differs(host), self.key_path_of(host)),
            )
            for name, conf, differs, key_path in files:
                if differs:
                    wanted = look["wanted"][name] or {"parameters": {}, "parameters_absent": []}
                    differences = look["differences"][name]
                    named = None if self._without_key else key_path or None
                    found.append(site_conf.missing(host, conf, wanted, differences, named))
        return [lines for lines in found if lines]

    @property
    def key_named_by_lines(self) -> str:
        """The key's path, where neither the site's declarations nor StateSaveLocation says it."""
        state = self.looks[self.primary]["state_dir"] if self.primary else None
        usual = f"{state['path']}/jwt_hs256.key" if state else ""
        return "" if self.desired.key_path or self.key_path == usual else self.key_path

    @property
    def keyless(self) -> list[str]:
        """The hosts that have no key."""
        return [host for host in [*self.nodes, *self.servers] if host not in self.key_hosts]

    @property
    def prepared(self) -> bool:
        """Whether all is in place that slurm.conf is to name."""
        due = self.key_source_changes() or self.key_targets() or self.local_key_changes or self.jwks_targets()
        return not due and not any(self.packages(host) for host in self.key_hosts)

    def daemon_loads(self, host: str, component: str, conf_changes: bool) -> bool:
        """Whether slurmctld or slurmdbd has to load something: its file or key changes, or it missed an earlier one."""
        daemon = self.looks[host]["daemons"].get(component)
        if daemon is None:
            return False
        return (
            conf_changes
            or host in self.key_replaced_on()
            or host in self.jwks_replaced_on()
            or bool(daemon["stale"])
            or daemon["key_loaded"] in ("absent", "replaced")
            or daemon["active"] not in ("active", "reloading")
        )

    def slurmdbd_restarts(self) -> list[str]:
        return [host for host in self.dbds if self.daemon_loads(host, "slurmdbd", self.dbd_conf_differs(host))]

    def slurmctld_loads(self) -> dict[str, str]:
        """Controller -> how slurmctld gets to know: "reconfigure" or "restart"."""
        return {
            host: self.way_to_load(host, self.looks[host]["daemons"]["slurmctld"]["active"] == "active")
            for host in self.controllers
            if self.daemon_loads(host, "slurmctld", self.conf_differs(host))
        }

    def jwks_daemons(self, host: str) -> list[dict[str, Any]]:
        """The daemons of a key host that load the key set, as the module slurm_jwks_timer takes them."""
        look = self.looks[host]
        found = []
        if host in self.dbds and "slurmdbd" in look["daemons"]:
            port = None if host in self.standby_dbds else look["dbd_conf"]["dbd_port"]
            service = look["daemons"]["slurmdbd"]["service"]
            found.append({"component": "slurmdbd", "service": service, "way": "restart", "port": port})
        if host in self.controllers and "slurmctld" in look["daemons"]:
            way = self.way_to_load(host)
            service, port = look["daemons"]["slurmctld"]["service"], look["conf"]["slurmctld_port"]
            found.append({"component": "slurmctld", "service": service, "way": way, "port": port})
        return found

    def way_to_load(self, host: str, running: bool = True) -> str:
        """How slurmctld gets to know of other keys: "reconfigure" or "restart"."""
        # A standby reads keys at its start only; so does every slurmctld before 23.11.
        look = self.looks[host]
        # With -D it becomes the new process itself, so that nothing of the old one is left if that dies.
        in_place = command_line.in_foreground(look["daemons"]["slurmctld"].get("command") or ())
        reloads = look["capabilities"].get("reconfigure_reloads_auth", False) and not in_place
        return "reconfigure" if host == self.primary and running and reloads else "restart"

    def packages(self, host: str) -> list[str]:
        """NAME=VERSION of what brings a missing auth_jwt.so, and PyJWT where tokens are minted."""
        if self.desired.removing:
            return []
        signs = host == self.primary
        # The proof shows forged RS256 tokens.
        return missing_packages.missing(self.looks[host], signs, signs and bool(self.desired.trust.jwks))


def due(cluster: Cluster) -> list[str]:
    """What a rollout would do now, a line for each host: the drift of a cluster that was brought up before."""
    found: dict[str, list[str]] = {}

    def note(hosts: Iterable[str], what: str) -> None:
        for host in hosts:
            found.setdefault(host, []).append(what)

    servers = cluster.servers
    note((host for host in servers if cluster.packages(host)), "packages lack")
    source = [cluster.key_source] if cluster.key_source and cluster.key_source_changes() else []
    note(source, "the key lacks or differs")
    note(cluster.key_targets(), "the key lacks or differs")
    note([cluster.primary] if cluster.primary and cluster.local_key_changes else [], "the own RSA key lacks or differs")
    note(cluster.jwks_targets(), "the key set differs from its sources")
    note(cluster.folders_to_make(), "the key's folder lacks or differs")
    note((host for host in [*cluster.nodes, *servers] if cluster.conf_changes(host)), "slurm.conf differs")
    note((host for host in cluster.dbds if cluster.dbd_conf_changes(host)), "slurmdbd.conf differs")
    note(cluster.slurmdbd_restarts(), "slurmdbd has to be restarted")
    note(cluster.slurmctld_loads(), "slurmctld has to load it")
    told = ["{}: {}".format(host, ", ".join(what)) for host, what in found.items()]
    return told + [
        f"{text} {site_conf.VARIABLE} is false, so your own tool has to write that."
        for text in site_conf.sentences(cluster.lines_missing(cluster.key_hosts))
    ]
