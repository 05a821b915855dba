# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private RSA key of a site that signs tokens itself."""

from __future__ import annotations

import base64
import json
import pathlib
import stat
import subprocess
import sys

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import key_set
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_key
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import run

ENCRYPTION = serialization.BestAvailableEncryption(b"passphrase")
GOOD, OTHER = rs256.generate(2048), rs256.generate(2048)


def pem(key, cipher=None):
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, cipher or serialization.NoEncryption())


class Host:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.path = folder / "rs256.pem"

    def run(self, check=False, **options):
        options = {"path": str(self.path), "algorithm": "RS256", "size": 2048, **options}
        result = run(slurm_jwt_key, {name: value for name, value in options.items() if value is not None}, check)
        if not options.get("return_content"):
            for path in self.folder.iterdir():
                secret = path.read_bytes().splitlines()[1:2]
                assert path.suffix == ".record" or not secret or secret[0].decode() not in result["everything"]
        return result

    def works(self, **options):
        result = self.run(**options)
        assert not result.get("failed"), result["msg"]
        return result

    def fails(self, **options):
        before = self.path.read_bytes() if self.path.exists() else None
        result = self.run(**options)
        assert result.get("failed"), result
        assert before == (self.path.read_bytes() if self.path.exists() else None)
        return result["msg"]


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


class TestPresent:
    def test_a_key_is_made_once(self, host):
        expected = host.works(check=True)
        assert (expected["changed"], expected["size"], expected["public_jwk"]) == (True, 2048, None)
        first = host.works()
        assert set(first) == set(expected) == set(host.works())
        key = serialization.load_pem_private_key(host.path.read_bytes(), None)
        assert (key.key_size, first["size"], first["algorithm"]) == (2048, 2048, "RS256")
        assert stat.S_IMODE(host.path.stat().st_mode) == 0o400
        second = host.works()
        assert (second["changed"], second["public_jwk"]) == (False, first["public_jwk"])
        assert set(yaml.safe_load(slurm_jwt_key.RETURN)) - {"content"} <= set(first)

    def test_the_public_half_is_one_that_slurm_may_trust(self, host):
        made = host.works()["public_jwk"]
        assert set(made) == {"kid", "kty", "alg", "n", "e"}
        [key] = key_set.parse(json.dumps(made).encode()).keys
        assert key.kid == key.thumbprint
        numbers = serialization.load_pem_private_key(host.path.read_bytes(), None).public_key().public_numbers()
        assert (key.n, key.e) == (numbers.n, numbers.e)

    def test_by_default_it_has_3072_bits(self, host):
        assert host.works(size=None)["size"] == 3072

    def test_a_given_one_is_installed(self, host):
        first = host.works(content=base64.b64encode(GOOD).decode())
        assert (first["reason"], host.path.read_bytes()) == ("missing", GOOD)
        assert not host.works(content=GOOD.decode())["changed"]
        second = host.works(content=OTHER.decode(), return_content=True)
        assert (second["reason"], base64.b64decode(second["content"])) == ("content", OTHER)

    def test_another_serial_replaces_it(self, host):
        first = host.works(serial="1")
        second = host.works(serial="2", backup=True)
        assert (second["reason"], second["previous_fingerprint"]) == ("serial", first["fingerprint"])
        assert second["public_jwk"] != first["public_jwk"]

    @pytest.mark.parametrize("size", [2047, 1024, 32, 8193])
    def test_other_sizes_are_refused(self, host, size):
        assert "an RS256 key has 2048 to 8192 bits" in host.fails(size=size)


class TestOtherFiles:
    @pytest.mark.parametrize(
        ("data", "because"),
        [
            (bytes(range(32)), "0 PEM blocks"),
            (b"x" * 20_000, "has 20000 bytes"),
            (pem(ec.generate_private_key(ec.SECP256R1())), "not an RSA key"),
            (pem(rsa.generate_private_key(65537, 2048), ENCRYPTION), "is an encrypted private key"),
            (GOOD + OTHER, "has 2 PEM blocks"),
            (GOOD.replace(b"a", b"b"), "is a damaged private key"),
            (b"-----BEGIN CERTIFICATE-----\nAQAB\n-----END CERTIFICATE-----\n", "is a PEM file (CERTIFICATE)"),
        ],
        ids=["hs256", "large", "curve", "encrypted", "two", "damaged", "certificate"],
    )
    def test_they_are_left_alone(self, host, data, because):
        host.path.write_bytes(data)
        assert because in host.fails(weak="replace")
        assert because in host.fails(state="absent")
        assert because in host.fails(content=base64.b64encode(data).decode())
        assert host.works(force=True)["changed"]

    def test_a_short_key(self, host):
        host.path.write_bytes(pem(rsa.generate_private_key(65537, 1024)))
        assert "has a modulus of 1024 bits; 2048 is the least" in host.fails()
        kept = host.works(weak="keep")
        assert (kept["size"], kept["public_jwk"]) == (1024, None)
        assert host.works(weak="replace")["reason"] == "weak"

    def test_an_empty_file(self, host):
        host.path.touch()
        assert "is empty" in run(slurm_jwt_key, {"path": str(host.path), "algorithm": "RS256"})["msg"]

    def test_an_rsa_key_is_no_key_for_hs256(self, host):
        host.path.write_bytes(GOOD)
        assert "is a PEM file" in host.fails(algorithm="HS256", size=None)


class TestRotation:
    def test_the_next_key_is_published_before_it_signs(self, host):
        live = host.works()
        staged = host.works(state="staged", serial="2", size=None)
        assert (staged["public_jwk"], staged["size"]) == (live["public_jwk"], 2048)
        coming = staged["next_public_jwk"]
        assert coming not in (None, live["public_jwk"])
        assert not host.works(state="staged", serial="2")["changed"]
        active = host.works(state="active")
        assert (active["public_jwk"], active["previous_fingerprint"]) == (coming, live["fingerprint"])
        host.works(state="unstaged")
        assert host.works(serial="2")["public_jwk"] == coming

    def test_no_daemon_has_it_to_swap_it_in_place(self, host):
        host.works()
        host.works(state="staged", serial="2")
        assert "method: in_place is for HS256" in host.fails(state="active", method="in_place")


def test_without_the_library(host):
    def forget():
        sys.modules["cryptography.hazmat.primitives.asymmetric.rsa"] = None

    result = run(slurm_jwt_key, {"path": str(host.path), "algorithm": "RS256"}, prepare=forget)
    assert "python3-cryptography" in result["msg"]


def test_a_key_for_hs256_wants_no_library(tmp_path):
    code = (
        "import sys; from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import kinds;"
        "from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_key, slurm_jwt_token;"
        "kinds.kind_of('HS256');"
        "sys.exit([name for name in sys.modules if 'rsa' in name or '_jwk' in name or 'cryptography' in name] or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
