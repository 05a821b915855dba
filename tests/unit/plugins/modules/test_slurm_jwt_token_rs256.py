# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens signed by a local RSA signing key."""

from __future__ import annotations

import pathlib
import sys
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import releases
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens import issue, refusals
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_token
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import run

KEY, OTHER = rs256.generate(2048), rs256.generate(2048)
KID = rs256.public_jwk(KEY)["kid"]
HMAC_KEY = bytes(range(32))


class Host:
    def __init__(self, folder: pathlib.Path) -> None:
        self.key = folder / "rs256.pem"
        self.key.write_bytes(KEY)
        self.dest = folder / "token"

    def run(self, check=False, prepare=lambda: None, **options):
        params = {"user": "nobody", "key_path": str(self.key), "dest": str(self.dest)}
        params.update({"slurm_user": "slurm", "max_lifespan": "1d", **options})
        given = {name: value for name, value in params.items() if value is not None}
        result = run(slurm_jwt_token, given, check, True, prepare)
        assert KEY.splitlines()[1].decode() not in result["everything"]
        return result

    def works(self, **options):
        result = self.run(**options)
        assert not result.get("failed"), result["msg"]
        return result["tokens"][0]

    def fails(self, **options):
        result = self.run(**options)
        assert result.get("failed"), result
        return result["msg"]


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_a_token_is_made_once(host):
    assert host.works()["reason"] == "missing"
    token = host.dest.read_text()
    public = serialization.load_pem_private_key(KEY, None).public_key()
    assert jwt.decode(token, public, algorithms=["RS256"])["sun"] == "nobody"
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": KID, "typ": "JWT"}
    again = host.works()
    assert (again["reason"], again["signature_checked"], host.dest.read_text()) == (None, True, token)


def test_the_kid_may_be_another(host):
    host.works()
    assert host.works(kid="site")["reason"] == "key"
    assert jwt.get_unverified_header(host.dest.read_text())["kid"] == "site"
    assert host.works(kid="site")["reason"] is None


def test_another_key_or_algorithm_replaces_it(host):
    host.works()
    host.key.write_bytes(OTHER)
    assert host.works()["reason"] == "key"
    host.key.write_bytes(HMAC_KEY)
    assert host.works()["reason"] == "algorithm"
    host.key.write_bytes(KEY)
    assert host.works()["reason"] == "algorithm"


def test_a_host_without_the_key_keeps_it(host):
    host.works()
    assert host.works(method="given", key_path=None, check=True)["reason"] is None


def test_it_is_verified_as_by_slurm(host):
    host.works()
    options = {"state": "verified", "check_user": False}
    assert host.works(**options, release="24.11")["refusals"] == []
    assert "does not verify RS256" in host.fails(**options, release="20.11")
    assert "Its kid is" in host.fails(**options, release="24.11", kid="site")
    host.key.write_bytes(OTHER)
    assert "not signed by this key" in host.fails(**options, release="24.11")
    host.key.write_bytes(HMAC_KEY)
    assert "Its algorithm is 'RS256'" in host.fails(**options, release="24.11")


@pytest.mark.parametrize(
    ("token", "because"),
    [
        (issue.sign({"exp": 9**10, "sun": "nobody"}, HMAC_KEY), "Its algorithm is 'HS256'; with an RSA key"),
        (issue.sign({"exp": 9**10, "sun": "nobody"}, b"", "none"), "Its algorithm is 'none'; with an RSA key"),
        (issue.sign({"exp": 9**10, "sun": "nobody"}, KEY, "RS256"), "Its kid is None"),
        (issue.sign({"exp": 9**10, "sun": "nobody"}, KEY, "RS256", KID)[:-9] + "AAAAAAAAA", "not signed by this key"),
    ],
    ids=["hmac", "none", "no-kid", "damaged"],
)
def test_forgeries(token, because):
    found = refusals.refusals(token, KEY, releases.parse("24.11"), time.time(), kid=KID)
    assert because in found[0]


@pytest.mark.parametrize(
    ("data", "because"),
    [
        (KEY.replace(b"PRIVATE", b"PUBLIC"), "is a PEM file (PUBLIC KEY), not a private RSA key"),
        (KEY + OTHER, "has 2 PEM blocks"),
    ],
    ids=["public", "two"],
)
def test_files_that_are_no_signing_key(host, data, because):
    host.key.write_bytes(data)
    assert because in host.fails()


def test_a_key_for_hs256_has_no_kid(host):
    host.key.write_bytes(HMAC_KEY)
    assert "Slurm uses a kid with RS256 only" in host.fails(kid="site")


def test_without_the_library(host):
    def forget():
        sys.modules["cryptography.hazmat.primitives.asymmetric.rsa"] = None

    assert "python3-cryptography" in host.fails(prepare=forget)
