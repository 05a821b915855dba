# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One slurm.conf that several hosts see: edited once, by a key host that may write it, never at the nodes' turn."""

from __future__ import annotations

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import shared_files
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Desired
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import rollout
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import members_of
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.plugin_utils.observations import (
    COMPONENTS,
    HOSTS,
    STATE,
    cluster,
    conf,
)

PATH = "/etc/slurm/slurm.conf"
BOTH = {**COMPONENTS, "slurmctld": ["ctl1", "ctl2"]}
READ_ONLY = "/etc/slurm is on a read-only file system"
OBSTACLE = {
    "severity": "error", "code": "conf_not_writable", "found": f"{READ_ONLY}.", "effect": "E.", "remedy": "R."
}  # fmt: skip


def plan(*arguments):
    return members_of(rollout.plan(*arguments))


def identity(here="boot1:66:7", anywhere="7:1795400000123456789:900", network=True, may_be_shared=True, obstacle=None):
    return {
        "path": PATH,
        "here": here,
        "anywhere": anywhere,
        "network": network,
        "may_be_shared": may_be_shared,
        "obstacle": obstacle,
    }


def mounted(host, **more):
    """The identity of one file of a server, as a host sees it that has it mounted."""
    return identity(here=f"boot-{host}:{len(host)}:7", **more)


def seen(identities, jwt=False, components=None):
    """Observations at a cluster whose hosts have these identities of slurm.conf."""
    components = components or COMPONENTS
    observations = cluster(jwt=jwt)
    if "ctl2" in components["slurmctld"]:
        observations["ctl2"] = {**cluster(jwt=jwt)["ctl1"], "hostname": "ctl2"}
        for name, index in (("ctl1", 0), ("ctl2", 1)):
            observations[name]["conf"] = conf(controllers=("ctl1", "ctl2"), index=index)
    for host, found in identities.items():
        if observations[host]["conf"] is None:
            observations[host]["conf"] = conf()
            observations[host]["differences"]["slurm_conf"] = cluster(jwt=False)["node1"]["differences"]["slurm_conf"]
        observations[host]["conf"]["identities"] = [found]
        if found["obstacle"]:
            observations[host]["problems"] = [OBSTACLE]
    return observations


def decide(observations, in_play=None, components=None, **desired):
    return plan(observations, components or COMPONENTS, list(in_play or observations), Desired(**desired))


def test_it_is_edited_once_at_the_controllers_turn():
    found = decide(seen({host: mounted(host) for host in HOSTS}))
    assert (found["refusals"], found["left_out"]) == ([], {})
    assert found["conf"] == ["ctl1"]
    # They have packages to install, and no file to edit.
    assert found["outer_hosts"] == ["rest1"]
    assert found["slurmctld"] == {"ctl1": "reconfigure"}


def test_read_only_on_all_but_a_controller():
    observations = seen({host: mounted(host, obstacle=None if host == "ctl1" else READ_ONLY) for host in HOSTS})
    found = decide(observations)
    assert (found["refusals"], found["left_out"]) == ([], {})
    assert found["conf"] == ["ctl1"]


@pytest.mark.parametrize("writer", ["ctl1", "ctl2", "dbd1"])
def test_whichever_key_host_may_write_does_it(writer):
    hosts = ["ctl1", "ctl2", *HOSTS[1:]]
    mounts = {host: mounted(host, obstacle=None if host == writer else READ_ONLY) for host in hosts}
    observations = seen(mounts, components=BOTH)
    found = decide(observations, components=BOTH)
    assert (found["refusals"], found["left_out"]) == ([], {})
    assert found["conf"] == [writer]
    # All controllers load what one host has written.
    assert found["slurmctld"] == {"ctl1": "reconfigure", "ctl2": "restart"}


def test_read_only_everywhere():
    found = decide(seen({host: mounted(host, obstacle=READ_ONLY) for host in HOSTS}))
    assert [reason.partition(":")[0] for reason in found["refusals"]] == ["ctl1", "dbd1"]
    assert READ_ONLY in found["refusals"][0]
    assert "No controller and no host of slurmdbd that sees this file may write it." in found["refusals"][0]
    assert "slurm_jwt_manage_conf" in found["refusals"][0]
    # Another tool writes it: nobody has to.
    told = decide(seen({host: mounted(host, obstacle=READ_ONLY) for host in HOSTS}), manage_conf=False)
    assert not any("read-only" in reason for reason in told["refusals"])


def test_each_host_with_a_copy_of_its_own_is_edited():
    """The usual cluster. Hosts installed from one image have the same numbers and times on disks of their own."""
    local = {"network": False, "may_be_shared": False}
    found = decide(seen({host: identity(here=f"boot-{host}:66:7", **local) for host in HOSTS if host != "dbd1"}))
    assert found["conf"] == ["node1", "node2", "rest1", "ctl1"]


def test_two_exports_are_two_files():
    observations = seen({host: mounted(host) for host in HOSTS})
    observations["node1"]["conf"]["identities"] = [mounted("node1", anywhere="8:1795400000123456789:900")]
    assert decide(observations)["conf"] == ["node1", "ctl1"]


def test_the_server_of_the_file_system_is_a_host_of_the_cluster():
    identities = {host: mounted(host) for host in HOSTS}
    identities["ctl1"] = mounted("ctl1", network=False, may_be_shared=False)
    assert decide(seen(identities))["conf"] == ["ctl1"]


def test_containers_of_one_machine():
    """No network file system: what they share is a kernel, a device and a number."""
    same = identity(network=False)
    assert decide(seen(dict.fromkeys(HOSTS, same)))["conf"] == ["ctl1"]
    unknown = {**same, "here": None}
    assert not shared_files.is_same(unknown, unknown)


def test_a_host_that_reads_it_only_and_shares_it_with_nobody():
    local = {"network": False, "may_be_shared": False}
    alone = identity(here="b:1:2", obstacle=READ_ONLY, **local)
    observations = seen({"ctl1": identity(here="a:1:2", **local), "node1": alone})
    found = decide(observations)
    assert found["refusals"] == []
    assert list(found["left_out"]) == ["node1"]
    assert READ_ONLY in found["left_out"]["node1"]
    assert "node1" not in found["conf"]


def test_nodes_that_share_one_among_themselves():
    """The controller has a copy of its own. Each of them that may write edits it; the same bytes come of it."""
    identities = {
        "ctl1": identity(here="ctl1:1:1", anywhere="1:1:900", network=False, may_be_shared=False),
        "node1": mounted("node1"),
        "node2": mounted("node-2", obstacle=READ_ONLY),
    }
    found = decide(seen(identities))
    assert (found["refusals"], found["left_out"]) == ([], {})
    assert found["conf"] == ["node1", "rest1", "ctl1"]


def test_copies_are_removed_once_by_a_host_that_may_write():
    writers = ("dbd1", "node1")
    observations = seen({host: mounted(host, obstacle=None if host in writers else READ_ONLY) for host in HOSTS}, True)
    assert decide(observations, removing=True)["tidying"] == {"conf": ["dbd1"], "dbd_conf": ["dbd1"]}
    own = {"network": False, "may_be_shared": False}
    hosts = [host for host in HOSTS if host != "dbd1"]
    observations = seen({host: identity(here=f"{len(host)}{host[-1]}:66:7", **own) for host in hosts}, True)
    assert decide(observations, removing=True)["tidying"]["conf"] == ["ctl1", "node1", "node2", "rest1"]
    # Another tool's copies are not ours, and a rollout removes none.
    assert decide(observations, removing=True, manage_conf=False)["tidying"] == {"conf": [], "dbd_conf": []}
    assert decide(observations)["tidying"] == {"conf": [], "dbd_conf": []}


# --limit


def test_nodes_alone_leave_it_to_the_controllers():
    observations = seen({host: mounted(host) for host in HOSTS})
    found = decide({host: observations[host] for host in ("node1", "node2")})
    assert (found["refusals"], found["left_out"], found["conf"], found["outer_hosts"]) == ([], {}, [], [])
    (note,) = [each for each in found["warnings"] if PATH in each]
    assert note.startswith(f"node[1-2]: {PATH} is on a file system that other hosts may see")
    assert "after the key is in place" in note


def test_nodes_alone_with_copies_of_their_own():
    observations = seen({"node1": identity(network=False, may_be_shared=False)})
    assert decide({"node1": observations["node1"]})["conf"] == ["node1"]


def test_nodes_alone_where_it_is_read_only():
    observations = seen({"node1": mounted("node1", obstacle=READ_ONLY)})
    found = decide({"node1": observations["node1"]})
    assert (found["refusals"], found["left_out"], found["conf"]) == ([], {}, [])


# trust


@pytest.mark.parametrize("liar", ["node1", "rest1"])
@pytest.mark.parametrize("said", ["ctl1", "ctl2", "node2"])
def test_a_host_that_lies_keeps_its_own_file_from_being_edited_and_no_other(liar, said):
    local = {"network": False, "may_be_shared": False}
    hosts = ["ctl1", "ctl2", "rest1", "node1", "node2"]
    honest = {
        host: identity(here=f"boot-{host}:66:7", anywhere=f"{host[-1]}:{len(host)}:900", **local) for host in hosts
    }
    expected = decide(seen(honest, components=BOTH), components=BOTH)["conf"]
    lying = {**honest, liar: {**honest[said], "network": True}}
    assert [host for host in expected if host != liar] == [
        host for host in decide(seen(lying, components=BOTH), components=BOTH)["conf"] if host != liar
    ]


def test_a_killed_run_goes_on():
    """The file was written, and no daemon has loaded it."""
    observations = seen({host: mounted(host) for host in HOSTS if host != "dbd1"}, jwt=True)
    for host in ("ctl1", "rest1", "node1", "node2"):
        observations[host]["conf"]["auth_alt_parameters"] = {"jwt_key": f"{STATE}/jwt_hs256.key"}
    observations["ctl1"]["daemons"]["slurmctld"]["key_loaded"] = "absent"
    found = decide(observations)
    assert (found["conf"], found["slurmctld"]) == ([], {"ctl1": "reconfigure"})
