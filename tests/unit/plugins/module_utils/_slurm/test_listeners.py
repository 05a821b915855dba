# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import listeners


@pytest.fixture
def opened(tmp_path: Path) -> list[str]:
    before = listeners.of_process(os.getpid())
    assert before == []
    kept = []
    for family, address in (
        (socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET, ("0.0.0.0", 0)), (socket.AF_INET6, ("::1", 0)),
        (socket.AF_UNIX, str(tmp_path / "x.socket")),
    ):  # fmt: skip
        server = socket.socket(family)
        server.bind(address)
        server.listen()
        kept.append(server)
    # One that does not listen, and a connection, are none.
    kept += [socket.socket(socket.AF_INET), socket.create_connection(kept[0].getsockname()[:2])]
    yield [f"127.0.0.1:{kept[0].getsockname()[1]}", f"0.0.0.0:{kept[1].getsockname()[1]}",
           f"[::1]:{kept[2].getsockname()[1]}", f"unix:{tmp_path}/x.socket"]
    for each in kept:
        each.close()


def test_what_a_process_listens_on(opened: list[str]) -> None:
    assert listeners.of_process(os.getpid()) == sorted(opened)
    assert listeners.of_process(2**22 + 1) == []


def test_just_what_was_declared(opened: list[str]) -> None:
    assert listeners.compare(opened, opened) == ([], [])
    port = opened[1].rpartition(":")[2]
    assert listeners.compare(opened[1:2], [f":{port}"]) == ([], [])
    assert listeners.compare([f"[::]:{port}"], [f"*:{port}"]) == ([], [])
    assert listeners.compare(["127.0.0.1:6820"], ["localhost:6820"]) == ([], [])


def test_what_nobody_declared_and_what_is_missing() -> None:
    found = ["0.0.0.0:6820", "unix:/run/slurmrestd/slurmrestd.socket"]
    assert listeners.compare(found, ["127.0.0.1:6820", "unix:/var/run/slurmrestd/slurmrestd.socket"]) == (
        ["0.0.0.0:6820"], ["127.0.0.1:6820"]
    )  # fmt: skip
    assert listeners.compare([], ["127.0.0.1:6820"]) == ([], ["127.0.0.1:6820"])
    assert listeners.compare(found, []) == (found, [])


@pytest.mark.parametrize("address", ["", "6820", "host", "host:", "host:x", "host:0", "host:70000"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(listeners.AddressError, match="Give HOST:PORT or unix:PATH"):
        listeners.allowed_by(address)


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(listeners.AddressError, match="does not resolve on this host"):
        listeners.allowed_by("no-such-host.invalid:6820")


def test_who_else_listens_there(opened: list[str]) -> None:
    own = os.getpid()
    assert listeners.others(opened, own) == []
    port = opened[0].rpartition(":")[2]
    for declared in (opened[0], f"localhost:{port}", f"*:{port}"):
        (other,) = listeners.others([declared], 0)
        assert (other.listener, other.pid, other.uid) == (opened[0], own, os.getuid())
        assert other.program
    assert listeners.others([f"127.0.0.2:{port}"], 0) == []
    # A socket is made where nobody else may write.
    assert listeners.others(opened[3:], 0) == []


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        ("127.0.0.1:6820", "127.0.0.1:6820", True),
        ("127.0.0.1:6820", "127.0.0.1:6821", False),
        ("127.0.0.1:6820", "192.0.2.1:6820", False),
        ("0.0.0.0:6820", "192.0.2.1:6820", True),
        ("[::]:6820", "192.0.2.1:6820", True),
        ("[::]:6820", "[::1]:6820", True),
        ("0.0.0.0:6820", "[::1]:6820", False),
        ("[::1]:6820", "127.0.0.1:6820", False),
    ],
)
def test_which_addresses_collide(one: str, other: str, collide: bool) -> None:
    assert {listeners._collide(*pair) for pair in ((one, other), (other, one))} == {collide}
