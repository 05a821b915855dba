# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout has to do, decided once from a look at every host. Private to this collection.

All that a rollout refuses is refused here: before the first change, with every reason at once. The looks are results
of the module slurm_jwt_info; this file knows nothing of Ansible beyond their shape.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.undeclared import CODE as UNDECLARED
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import command_line
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import (
    _packages,
    _shared_files,
    _site_conf,
    _trust,
    _undeclared,
    _unreachable,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unreachable import unreachable

Look = Mapping[str, Any]

# Seconds by which two clocks may differ before short-lived tokens are in danger.
CLOCK_SKEW = 30

# The mode of the key everywhere: every release of Slurm is content with it.
KEY_MODE = "0400"


class Desired(NamedTuple):
    """What the site declares and how the playbook was called, as far as the plan depends on it."""

    key_path: str = ""
    key_source: str = ""
    key_serial: str = ""
    install: bool = True
    removing: bool = False
    run_tags: Sequence[str] = ("all",)
    skip_tags: Sequence[str] = ()
    trust: _trust.Trust = _trust.Trust()
    nodes_unreachable_max: str = "0"
    default_listeners: Mapping[str, str] = {}
    """Where slurmrestd is to listen on each host for which the site does not say it."""
    serves_slurmdb: bool = True
    """Whether a slurmrestd of the inventory is to serve /slurmdb."""
    manage_conf: bool = True
    """Whether slurm.conf and slurmdbd.conf are this collection's to edit, and not another tool's."""
    verifying: bool = False
    """Whether nothing would be changed anyway, so that what is not as declared is told and no reason to refuse."""

    def chosen(self, tag: str) -> bool:
        """Whether ``--tags`` and ``--skip-tags`` let the tasks of this tag run."""
        return ("all" in self.run_tags or tag in self.run_tags) and tag not in self.skip_tags


# Members without which there is no inspection.
_NEEDED = ("problems", "daemons", "capabilities", "differences", "plugins")


def failed(look: Look) -> bool:
    """Whether the inspection failed, or says of a file neither what it holds nor what is wrong with it."""
    if look.get("failed") or "conf" not in look:
        return True
    files = [conf for conf in (look["conf"], look.get("dbd_conf")) if conf and conf["exists"]]
    return any("auth_alt_parameters" not in conf for conf in files) and not _errors(look, removing=False)


def key_hosts_of(parts: Mapping[str, Sequence[str]]) -> list[str]:
    """The hosts that have the signing key, by the inventory: controllers and slurmdbd."""
    return list(dict.fromkeys([*parts["slurmctld"], *parts["slurmdbd"]]))


def left_out(
    looks: Mapping[str, Look],
    parts: Mapping[str, Sequence[str]],
    removing: bool = False,
    unreachable_too: bool = False,
) -> dict[str, str]:
    """The hosts without a key that a run goes on without, each with the reason.

    Such a host decides nothing about another one, so whatever it answers stops no run. One that cannot be reached stops
    a rollout before its first change, and no rotation.
    """
    trusted = key_hosts_of(parts)
    found = {}
    for host, look in looks.items():
        if host in trusted:
            continue
        if unreachable(look):
            if unreachable_too:
                found[host] = f"It cannot be reached ({_said(look)})."
        elif failed(look) or any(member not in look for member in _NEEDED):
            found[host] = _said(look)
        else:
            errors = _errors(look, removing)
            if errors:
                found[host] = " ".join(_sentences(problem) for problem in errors)
    return found


def _cut_off(looks: Mapping[str, Look], desired: Desired) -> dict[str, str]:
    """The hosts where slurmrestd serves clients at addresses that it would lose although nobody has said so."""
    if desired.removing:
        return {}
    found = {}
    for host, default in desired.default_listeners.items():
        daemon = ((looks.get(host) or {}).get("daemons") or {}).get("slurmrestd") or {}
        current = daemon.get("listens") or []
        lost = [each for each in current if each != default]
        if lost:
            kept = [*current, *([default] if default.startswith("unix:") and default not in current else [])]
            found[host] = (
                f"slurmrestd listens at {', '.join(lost)}, and clients there would be cut off: by default it would "
                f"listen at {default} alone. Say where it is to listen in slurmrestd_listen; to keep it: "
                f"slurmrestd_listen: [{', '.join(map(repr, kept))}]."
            )
    return found


def _uninstallable(looks: Mapping[str, Look], parts: Mapping[str, Sequence[str]], desired: Desired) -> dict[str, str]:
    """The hosts without a key on which packages are missing that this run cannot install."""
    if desired.removing:
        return {}
    may_install, found = desired.install and desired.chosen("packages"), {}
    for host, look in looks.items():
        packages = (look.get("plugins") or {}).get("packages")
        if host in key_hosts_of(parts):
            continue
        reasons = _packages.obstacles(look, packages, may_install) if packages else []
        if reasons:
            found[host] = " ".join(reasons)
    return found


_UNREAD = "its answer says neither what its configuration file holds nor what is wrong with that"


def _said(look: Look) -> str:
    unread = not look.get("failed") and "conf" in look
    text = str(look.get("msg", "")).strip() or (_UNREAD if unread else "no reason given")
    return text.splitlines()[0].rstrip(".")


def short(name: str) -> str:
    return name.partition(".")[0].lower()


def _of_read_files(look: Look) -> Look:
    """The look with nothing in the place of a configuration that was not read: a file that is missing or broken.

    The problem says which of the two it is. Whoever asks what a file holds would find its path and nothing else.
    """
    files = {"conf": "controllers", "dbd_conf": "dbd_port"}
    unread = [name for name, member in files.items() if look.get(name) is not None and member not in look[name]]
    return {**look, **dict.fromkeys(unread)} if unread else look


class Cluster:
    """A look at every host of a cluster, and the questions that a rollout asks of it."""

    def __init__(self, looks: Mapping[str, Look], parts: Mapping[str, Sequence[str]], desired: Desired) -> None:
        answered = {host: look for host, look in looks.items() if not unreachable(look) and not failed(look)}
        self.looks = {host: _of_read_files(look) for host, look in answered.items()}
        self.desired = desired
        self.controllers = sorted(self._seen(parts["slurmctld"]), key=self._place_in_slurm_conf)
        self.dbds = self._seen(parts["slurmdbd"])
        self.restds = self._seen(parts["slurmrestd"])
        # In the order in which their files change: slurmctld must never meet a slurm.conf that is not its own.
        self.servers = list(dict.fromkeys(self.restds + self.dbds + self.controllers[::-1]))
        self.nodes = [host for host in self._seen(parts["node"]) if host not in self.servers]

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
        return self.desired.trust.own.changes and not self.desired.removing

    # -- key set -----------------------------------------------------------------------------------------------------

    def jwks_targets(self) -> list[str]:
        """The key hosts whose key set has to be brought up to date."""
        return [] if self.desired.removing else _trust.targets(self.desired.trust, self.looks, self.key_hosts)

    def jwks_replaced_on(self) -> list[str]:
        return [] if self.desired.removing else _trust.replaced_on(self.desired.trust, self.looks, self.key_hosts)

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
            return self.editors[_shared_files.SLURM].get(host) == host
        return host not in self.waiting and self._obstacle(host) is None

    @functools.cached_property
    def editors(self) -> dict[str, dict[str, str | None]]:
        """Kind of file -> key host whose file differs -> the key host that edits it; None where none may write it."""
        if not self.desired.manage_conf:
            return {_shared_files.SLURM: {}, _shared_files.SLURMDBD: {}}
        slurm = [host for host in self.key_hosts if self.conf_differs(host)]
        slurmdbd = [host for host in self.dbds if self.dbd_conf_differs(host)]
        return {
            _shared_files.SLURM: _shared_files.editors(self.looks, slurm, _shared_files.SLURM),
            _shared_files.SLURMDBD: _shared_files.editors(self.looks, slurmdbd, _shared_files.SLURMDBD),
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
                _shared_files.sees(look, self.looks[other], _shared_files.SLURM)
                for other in self.key_hosts
                if self.looks[other]["conf"] is not None
            )
            if seen or (self.primary is None and _shared_files.may_be_shared(look, _shared_files.SLURM)):
                found[host] = None
        return found

    def tidying(self, kind: str) -> list[str]:
        """The hosts that remove copies of a file: of those that see one file, one that may write it."""
        found: list[str] = []
        for host in [*self.key_hosts, *self.keyless] if self.desired.removing and self.desired.manage_conf else ():
            look = self.looks[host]
            others = [other for other in found if other in self.key_hosts]
            seen = any(_shared_files.sees(look, self.looks[other], kind) for other in others)
            if look[kind] is not None and not seen and _shared_files.obstacle(look, kind) is None:
                found.append(host)
        return found

    def _obstacle(self, host: str) -> str | None:
        return _shared_files.obstacle(self.looks[host], _shared_files.SLURM)

    def unwritable(self) -> dict[str, str]:
        """The hosts without a key that have to edit their slurm.conf, and cannot. Each is left out by its own word."""
        hosts = [host for host in self.keyless if self.desired.manage_conf and self.conf_differs(host)]
        found = {}
        for host in hosts:
            if host in self.waiting or self._obstacle(host) is None:
                continue
            edited = any(
                self._obstacle(other) is None
                and _shared_files.sees(self.looks[host], self.looks[other], _shared_files.SLURM)
                for other in hosts
            )
            if not edited:
                found[host] = _shared_files.left_out(self.looks[host], _shared_files.SLURM)
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
        return self.editors[_shared_files.SLURMDBD].get(host) == host

    def lines_missing(self, hosts: Iterable[str]) -> list[_site_conf.Lines]:
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
                    found.append(_site_conf.missing(host, conf, wanted, differences, named))
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

    def daemon_loads(self, host: str, part: str, conf_changes: bool) -> bool:
        """Whether slurmctld or slurmdbd has to load something: its file or key changes, or it missed an earlier one."""
        daemon = self.looks[host]["daemons"].get(part)
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
            found.append({"part": "slurmdbd", "service": service, "way": "restart", "port": port})
        if host in self.controllers and "slurmctld" in look["daemons"]:
            way = self.way_to_load(host)
            service, port = look["daemons"]["slurmctld"]["service"], look["conf"]["slurmctld_port"]
            found.append({"part": "slurmctld", "service": service, "way": way, "port": port})
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
        return _packages.missing(self.looks[host], signs, signs and bool(self.desired.trust.jwks))


def refusals(
    cluster: Cluster, looks: Mapping[str, Look], parts: Mapping[str, Sequence[str]], in_play: Sequence[str]
) -> list[str]:
    """Every reason not to begin, as sentences that name the host and the remedy."""
    reasons = reasons_for_no_run(cluster, looks, parts, in_play)
    if reasons:
        return reasons
    reasons = _under_way(cluster) or _source(cluster) or _tags(cluster) or _lines(cluster) or _unwritable(cluster)
    if cluster.desired.removing:
        return reasons
    trust = _trust.refusals(cluster.desired.trust, cluster.looks, cluster.key_hosts)
    return reasons + trust + _unlisted_slurmdbd(cluster, parts) + _keys(cluster) + _install(cluster)


def reasons_for_no_run(
    cluster: Cluster, looks: Mapping[str, Look], parts: Mapping[str, Sequence[str]], in_play: Sequence[str]
) -> list[str]:
    """What no run begins with, be it a rollout or a rotation."""
    reasons = _unreachable.refusals(looks, parts)
    reasons += [
        f"{host}: the look at the host failed: {_said(look)}."
        for host, look in looks.items()
        if not unreachable(look) and failed(look)
    ]
    # The other questions have no answer where the key that counts is unknown.
    reasons = reasons + _problems(cluster) or _limited(parts, in_play)
    return reasons if reasons or cluster.desired.removing else _controllers(cluster) + _dbds(cluster)


def _lines(cluster: Cluster) -> list[str]:
    """What another tool has to write first. A run that brings what the lines name does not wait for them."""
    desired = cluster.desired
    if desired.verifying or _site_conf.only_prepares(desired.run_tags):
        return []
    lines = cluster.lines_missing(cluster.key_hosts)
    return _site_conf.refusals(lines, cluster.prepared, desired.removing, cluster.key_named_by_lines)


def _unwritable(cluster: Cluster) -> list[str]:
    return [
        reason
        for kind, chosen in cluster.editors.items()
        for reason in _shared_files.unwritable(cluster.looks, chosen, kind)
    ]


def _unlisted_slurmdbd(cluster: Cluster, parts: Mapping[str, Sequence[str]]) -> list[str]:
    """A slurmdbd that nobody listed gets no key, and refuses each token that slurmrestd hands on to it."""
    conf = cluster.looks[cluster.primary]["conf"] if cluster.primary else None
    if conf is None or not conf["accounting"] or parts["slurmdbd"] or not cluster.desired.serves_slurmdb:
        return []
    names = [conf["accounting_storage_host"], conf["accounting_storage_backup_host"]]
    hosts = " and ".join(name for name in names if name)
    return [
        f"{cluster.primary}: slurm.conf keeps accounts in slurmdbd on {hosts} (AccountingStorageHost), and the "
        "inventory has no host in the group of slurmdbd. It would get no key, and refuse every token for /slurmdb. Put "
        "its host into the group slurmdbd (the variable slurm_jwt_group_slurmdbd names another group). If slurmdbd is "
        "not to take tokens, set slurmrestd_slurmdb to false for the hosts of slurmrestd."
    ]


def _under_way(cluster: Cluster) -> list[str]:
    """A key that is being rotated is not to be touched by anybody else."""
    staged = {host: cluster.key(host).get("next") for host in cluster.key_hosts}
    return [
        f"{host}: a rotation of the key is under way, begun by {key['by'] or 'somebody'} at {key['created']}. Wait "
        "until it is done; if it has died, run the playbook hpc.slurm_jwt.rotate, which finishes it."
        for host, key in staged.items()
        if key and not cluster.desired.removing
    ][:1]


def _sentences(problem: Mapping[str, str]) -> str:
    """A problem as sentences; what was found in a file is often a bare phrase."""
    found, effect = (problem[part].rstrip(".") for part in ("found", "effect"))
    return f"{found}. {effect}. {problem['remedy']}"


def _told(host: str, problem: Mapping[str, str]) -> str:
    return f"{host}: {_sentences(problem)}"


def _errors(look: Look, removing: bool) -> list[Mapping[str, str]]:
    """What stands in the way of a run on a host. Whether it has to write its files is not its own to know."""
    return [
        problem
        for problem in look.get("problems") or ()
        if problem["severity"] == "error"
        and problem["code"] != _NOT_WRITABLE
        and (not removing or problem["code"] in _STOPS_REMOVAL)
    ]


# What stands in the way of taking JWT back as well; anything else that is wrong with JWT goes with it.
_STOPS_REMOVAL = (
    "slurm_missing", "release_unknown", "conf_missing", "conf_broken", "dbd_conf_missing", "unit_missing", "no_room",
    UNDECLARED,
)  # fmt: skip

# Of a file that would be edited, if not another host that sees it does.
_NOT_WRITABLE = "conf_not_writable"


def _problems(cluster: Cluster) -> list[str]:
    errors = [
        (host, problem)
        for host, look in cluster.looks.items()
        for problem in _errors(look, cluster.desired.removing)
    ]
    undeclared = _undeclared.sentences([each for each in errors if each[1]["code"] == UNDECLARED])
    return undeclared + [_told(host, problem) for host, problem in errors if problem["code"] != UNDECLARED]


def _limited(parts: Mapping[str, Sequence[str]], in_play: Sequence[str]) -> list[str]:
    """A limit may leave out nodes; of the servers it takes all or none, as they must change together."""
    servers = list(dict.fromkeys(host for part in ("slurmctld", "slurmdbd", "slurmrestd") for host in parts[part]))
    absent = [host for host in servers if host not in in_play]
    if not absent or len(absent) == len(servers):
        return []
    return [
        f"--limit leaves out {', '.join(absent)}. Controllers, slurmdbd and slurmrestd have to change together, or "
        "tokens that one of them takes are refused by the next. Take all of them into the limit, or none of them to "
        "bring nodes only."
    ]


def _source(cluster: Cluster) -> list[str]:
    source = cluster.desired.key_source
    if not source or cluster.desired.removing:
        return []
    if source not in cluster.key_hosts:
        return [
            f"slurm_jwt_key_source names {source}, which is no controller and no host of slurmdbd in this play. "
            f"It may be {' or '.join(cluster.key_hosts) or 'none'}."
        ]
    if not cluster.key(source)["exists"]:
        return [f"slurm_jwt_key_source names {source}, which has no key at {cluster.key_path_of(source)}."]
    return []


def _keys(cluster: Cluster) -> list[str]:
    found = {host: cluster.key(host)["fingerprint"] for host in cluster.key_hosts if cluster.key(host)["exists"]}
    if len(set(found.values())) > 1 and not cluster.desired.key_source and cluster.desired.trust.with_hs256:
        keys = ", ".join(f"{host} has {fingerprint}" for host, fingerprint in sorted(found.items()))
        return [
            f"The key hosts have different keys: {keys}. Name the host whose key is to be everybody's in "
            "slurm_jwt_key_source; tokens signed with the other keys are refused from then on. Where several clusters "
            "share one slurmdbd, its key is the one to keep."
        ]
    return []


def _install(cluster: Cluster) -> list[str]:
    may_install = cluster.desired.install and cluster.desired.chosen("packages")
    # Of a host that signs no tokens only the plugins matter.
    signer = cluster.primary
    return [
        f"{host}: {reason}"
        for host in cluster.key_hosts
        for reason in _packages.obstacles(cluster.looks[host], cluster.packages(host), may_install)
        if host == signer or cluster.packages(host)
    ]


def _tags(cluster: Cluster) -> list[str]:
    """``--tags`` must not leave a cluster whose files say one thing and whose daemons another."""
    due = {
        "key": bool(
            cluster.key_source_changes() or cluster.key_targets() or cluster.local_key_changes or cluster.jwks_targets()
        ),
        "conf": any(map(cluster.conf_changes, cluster.key_hosts)) or any(map(cluster.dbd_conf_changes, cluster.dbds)),
        "daemons": bool(cluster.slurmdbd_restarts() or cluster.slurmctld_loads()),
    }
    desired = cluster.desired
    left = [tag for tag, is_due in due.items() if is_due and not desired.chosen(tag)]
    begun = [tag for tag in ("conf", "daemons") if due[tag] and desired.chosen(tag)]
    if not left or not begun:
        return []
    return [
        f"The tags let {' and '.join(begun)} run and leave out {' and '.join(left)}, which is due as well: the cluster "
        "would be left half changed. Run it with --tags key,conf,daemons, or without tags."
    ]


def _controllers(cluster: Cluster) -> list[str]:
    """A standby that the inventory does not know would get no key, and not start again."""
    if cluster.primary is None or cluster.looks[cluster.primary]["conf"] is None:
        return []
    named = [controller["name"] for controller in cluster.looks[cluster.primary]["conf"]["controllers"]]
    unknown = _unknown(cluster, named, cluster.controllers)
    if not unknown:
        return []
    return [
        f"slurm.conf names the controllers {', '.join(named)}, and the inventory's group has only "
        f"{', '.join(cluster.controllers)}. A standby without the key dies at its next start. "
        f"Add {' and '.join(unknown)} to the group."
    ]


def _dbds(cluster: Cluster) -> list[str]:
    """The same of slurmdbd's standby: after a failover it would refuse every token."""
    for host in cluster.dbds:
        conf = cluster.looks[host]["dbd_conf"] or {}
        named = [name for name in (conf.get("dbd_host"), conf.get("dbd_backup_host")) if name]
        unknown = _unknown(cluster, named, cluster.dbds)
        if unknown:
            return [
                f"{host}: slurmdbd.conf names {' and '.join(named)}, and the inventory's group has only "
                f"{', '.join(cluster.dbds)}. A slurmdbd without the key refuses every token when it takes over. "
                f"Add {' and '.join(unknown)} to the group."
            ]
    return []


def _unknown(cluster: Cluster, named: Sequence[str], hosts: Sequence[str]) -> list[str]:
    """The names of more hosts than the inventory has. One host by another name is an alias, one more is a standby."""
    known = {short(host) for host in hosts} | {short(cluster.looks[host]["hostname"]) for host in hosts}
    unknown = [name for name in named if short(name) not in known]
    return unknown if len(named) > len(hosts) else []


def warnings(cluster: Cluster, parts: Mapping[str, Sequence[str]], in_play: Sequence[str]) -> list[str]:
    """What a person should know, and what stops nothing."""
    notes = [
        _told(host, problem)
        for host, look in cluster.looks.items()
        for problem in look["problems"]
        if problem["severity"] == "warning" and problem["code"] not in MENDED
    ]
    absent = [host for host in parts["node"] if host not in in_play and host not in cluster.servers]
    if absent:
        names = ", ".join(absent[:10]) + (", ..." if absent[10:] else "")
        notes.append(
            f"--limit leaves out {len(absent)} node(s): {names}. Until a rollout reaches them slurmctld logs that "
            "their slurm.conf differs; nothing else comes of it."
        )
    if cluster.primary is None:
        notes.append("--limit leaves out every controller: only nodes are brought up to date, and nothing is proven.")
    clocks = {host: look["now"] for host, look in cluster.looks.items() if host in cluster.key_hosts}
    if clocks and max(clocks.values()) - min(clocks.values()) > CLOCK_SKEW:
        early, late = min(clocks, key=lambda host: clocks[host]), max(clocks, key=lambda host: clocks[host])
        notes.append(
            f"The clocks of {early} and {late} differ by {int(clocks[late] - clocks[early])} s. Slurm grants no "
            "leeway: tokens expire that much sooner on one of them. Mend the time service."
        )
    due = cluster.lines_missing(cluster.key_hosts) if not cluster.desired.verifying else []
    notes += _site_conf.notes(cluster.lines_missing(cluster.keyless), due)
    if cluster.primary is None:
        notes += _shared_files.notes(cluster.looks, list(cluster.waiting))
    if not cluster.desired.removing:
        notes += _trust.warnings(cluster.desired.trust, cluster.looks, cluster.key_hosts)
    aside = cluster.keys_aside()
    notes += [
        f"{host}: {cluster.key(host)['path']} stays where it is, since it is not sure that it is a key: no "
        "configuration file names it, or it is a link or a folder. Move it away yourself if nothing else needs it."
        for host in cluster.key_hosts
        if cluster.desired.removing and cluster.key(host)["exists"] and host not in aside
    ]
    source = cluster.key_source
    serial = cluster.key(source).get("serial") if source else None
    if cluster.desired.key_serial and serial and serial != cluster.desired.key_serial:
        notes.append(
            f"The key in force has the serial {serial}, and slurm_jwt_key_serial is {cluster.desired.key_serial}. "
            "A rollout replaces no key."
        )
    return notes


# Warnings of slurm_jwt_info that the rollout itself deals with.
MENDED = (
    ("plugin_missing", "state_dir_owner", "state_dir_writable", "key_missing", "key_owner")
    + ("jwks_missing", "jwks_writable", "jwks_unreadable")
)


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
        f"{text} {_site_conf.VARIABLE} is false, so your own tool has to write that."
        for text in _site_conf.sentences(cluster.lines_missing(cluster.key_hosts))
    ]


def unseen_by_check(cluster: Cluster) -> dict[str, list[str]]:
    """What tasks cannot tell in check mode: they have no key to hand on, and commands are left out."""
    unseen = {host: ["key installed"] for host in cluster.key_targets()}
    if cluster.primary and not cluster.desired.trust.own.known:
        if cluster.looks[cluster.primary]["python"].get("cryptography") is None:
            unseen.setdefault(cluster.primary, []).append("RSA key made")
        for host in cluster.jwks_targets():
            unseen.setdefault(host, []).append("key set changed")
    for host, way in cluster.slurmctld_loads().items():
        if way == "reconfigure":
            unseen.setdefault(host, []).append("slurmctld reconfigured")
    return unseen


def refused(
    no: Sequence[str], without: Mapping[str, str], looks: Mapping[str, Look], parts: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """A plan that is none. Where the site has to set variables, all of them are in it, for all hosts at once."""
    settings = _undeclared.settings(looks, parts, key_hosts_of(parts))
    told = {
        host: errors
        for host in without
        if settings and (errors := _errors(looks[host], removing=False)) and _undeclared.are_all(errors)
    }
    more = _undeclared.sentences([(host, problem) for host, errors in told.items() for problem in errors])
    return {
        "refusals": [*no, *more],
        "warnings": [],
        "left_out": {host: reason for host, reason in without.items() if host not in told},
        **({"settings": settings, "settings_text": _undeclared.text(settings)} if settings else {}),
    }


def plan(
    looks: Mapping[str, Look], parts: Mapping[str, Sequence[str]], in_play: Sequence[str], desired: Desired
) -> dict[str, Any]:
    """All that the rollout's tasks ask, in plain lists and dictionaries."""
    everybody = looks = {host: looks[host] for host in in_play}
    without = {
        **left_out(looks, parts, desired.removing),
        **_uninstallable(looks, parts, desired),
        **_cut_off(looks, desired),
    }
    silent = _unreachable.nodes(looks, parts)
    if len(silent) > _unreachable.allowed(desired.nodes_unreachable_max, len(parts["node"])):
        silent = []
    looks = {host: look for host, look in looks.items() if host not in without and host not in silent}
    unwritable = Cluster(looks, parts, desired).unwritable()
    without.update(unwritable)
    looks = {host: look for host, look in looks.items() if host not in unwritable}
    cluster = Cluster(looks, parts, desired)
    no = refusals(cluster, looks, parts, in_play)
    if no:
        return refused(no, without, everybody, parts)
    slurmdbd, slurmctld = cluster.slurmdbd_restarts(), cluster.slurmctld_loads()
    packages = {host: cluster.packages(host) for host in cluster.servers if cluster.packages(host)}
    nodes = [host for host in cluster.nodes if cluster.conf_changes(host)]
    conf = [host for host in cluster.servers if cluster.conf_changes(host)]
    key_hosts = cluster.key_hosts
    dbd_conf = [host for host in cluster.dbds if cluster.dbd_conf_changes(host)]
    targets, folders, jwks = cluster.key_targets(), cluster.folders_to_make(), cluster.jwks_targets()
    source = [cluster.key_source] if cluster.key_source and cluster.key_source_changes() else []
    own = [cluster.primary] if cluster.primary and cluster.local_key_changes else []
    changing = [*packages, *conf, *dbd_conf, *targets, *own, *jwks, *folders, *source, *slurmdbd, *slurmctld]
    return {
        "refusals": [],
        "warnings": _unreachable.notes(silent) + warnings(cluster, parts, in_play),
        "primary": cluster.primary,
        "standbys": cluster.controllers[1:],
        "speaker": cluster.primary or next(iter(cluster.nodes), None) or next(iter(in_play), None),
        "left_out": without,
        # Hosts without a key change first, each for itself: none of them stops the others.
        "outer_hosts": [
            *nodes,
            *(host for host in cluster.servers if host not in key_hosts and (host in conf or host in packages)),
        ],
        # The primary is always proven.
        "key_hosts_to_change": [
            host
            for host in cluster.servers
            if host in key_hosts
            and (
                host in changing
                or host == cluster.primary
                or desired.removing
                # It has what the others get.
                or (host == cluster.key_source and targets)
                # Where the site speaks of key sets, timers follow them, or are taken away.
                or desired.trust.jwks is not None
            )
        ],
        # Everything that may have to be put back, and the closing table.
        "hosts_to_change": [*nodes, *cluster.servers],
        "hosts": [*key_hosts, *(host for host in cluster.restds if host not in key_hosts), *cluster.nodes],
        "conf": nodes + conf,
        "dbd_conf": dbd_conf,
        "packages": packages,
        "key_path": {host: cluster.key_path_of(host) for host in cluster.key_hosts} if cluster.primary else {},
        # Null where no daemon is to load a key for HS256.
        "conf_key_path": cluster.key_path if desired.trust.with_hs256 else None,
        "hs256": desired.trust.with_hs256,
        "signing_key": _trust.signing_key(desired.trust, cluster.key_path),
        "algorithm": "RS256" if desired.trust.signs_rs256 else "HS256",
        "local_key_changes": bool(own),
        "jwks_targets": jwks,
        "jwks_distrusts": _trust.distrusts(cluster.looks, cluster.key_hosts),
        "jwks_daemons": {host: cluster.jwks_daemons(host) for host in cluster.key_hosts if desired.trust.jwks},
        "key_hosts": cluster.key_hosts,
        "keys_aside": cluster.keys_aside(),
        "tidying": {kind: cluster.tidying(kind) for kind in (_shared_files.SLURM, _shared_files.SLURMDBD)},
        "key_source": cluster.key_source,
        "key_source_changes": bool(source),
        "key_targets": targets,
        "folders": folders,
        "slurmdbd": slurmdbd,
        "slurmctld": slurmctld,
        "slurmdbd_hosts": cluster.dbds,
        "slurmdbd_standbys": cluster.standby_dbds,
        "slurmrestd_hosts": cluster.restds,
        "up_to_date": not (changing or nodes or cluster.lines_missing(key_hosts)),
        "key_hosts_up_to_date": not any(host in changing for host in key_hosts),
        "due": due(cluster),
        "unseen_by_check": unseen_by_check(cluster),
    }
