# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import time
from typing import Any

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import sign
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_identity
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import run

KEY = rs256.generate(2048)
JWK = rs256.public_jwk(KEY)


@pytest.fixture(name="options")
def _options(tmp_path: pathlib.Path) -> dict[str, Any]:
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [JWK]}))
    jwt = f"AuthAltTypes=auth/jwt\nAuthAltParameters=jwks={tmp_path}/jwks.json,userclaimfield=preferred_username\n"
    (tmp_path / "slurm.conf").write_text(f"ClusterName=lab\nSlurmctldHost=ctl1\nSlurmUser=slurm\n{jwt}")
    (tmp_path / "slurmdbd.conf").write_text(f"DbdHost=dbd1\nStorageType=accounting_storage/mysql\n{jwt}")
    claims = {"iat": int(time.time()), "exp": int(time.time()) + 60, "preferred_username": "daemon"}
    token = sign(claims, KEY, "RS256", JWK["kid"])
    return {"token": token, "conf_path": str(tmp_path / "slurm.conf"), "release": "24.11.5"}


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("daemon", ["slurmctld", "slurmdbd"])
def test_a_token_of_a_provider(options: dict[str, Any], daemon: str, check: bool) -> None:
    path = options["conf_path"].replace("slurm.conf", "slurmdbd.conf") if daemon == "slurmdbd" else options["conf_path"]
    result = run(slurm_jwt_identity, {**options, "daemon": daemon, "conf_path": path}, check=check)
    assert result["changed"] is False
    assert (result["daemon"], result["release"]) == (daemon, "24.11.5")
    assert (result["claim"], result["user"], result["uid"]) == ("preferred_username", "daemon", 1)
    assert (result["accepted"], result["refusals"], result["signer"]) == (True, [], JWK["kid"])
    assert options["token"] not in result["everything"]


def test_errors_of_the_configuration(options: dict[str, Any], tmp_path: pathlib.Path) -> None:
    (tmp_path / "jwks.json").unlink()
    assert "jwks=: " in run(slurm_jwt_identity, options)["msg"]
    (tmp_path / "jwks.json").write_text("<html>")
    assert "HTML" in run(slurm_jwt_identity, options)["msg"]
    (tmp_path / "jwks.json").write_text('{"keys": []}')
    result = run(slurm_jwt_identity, options)
    assert not result["accepted"]
    assert "has no key" in result["refusals"][0]
    (tmp_path / "slurm.conf").unlink()
    assert "conf_path" in run(slurm_jwt_identity, options)["msg"]


def test_a_key_for_hs256(options: dict[str, Any], tmp_path: pathlib.Path) -> None:
    key = bytes(range(32))
    (tmp_path / "jwt.key").write_bytes(key)
    (tmp_path / "jwt.key").chmod(0o400)
    conf = tmp_path / "slurm.conf"
    conf.write_text(conf.read_text().replace("jwks=", f"jwt_key={tmp_path}/jwt.key,jwks="))
    token = sign({"iat": 1, "exp": int(time.time()) + 60, "sun": "daemon"}, key)
    result = run(slurm_jwt_identity, {**options, "token": token})
    assert (result["signer"], result["accepted"], result["claim"]) == ("HS256", True, "sun")
    (tmp_path / "jwt.key").unlink()
    assert "jwt_key=: " in run(slurm_jwt_identity, options)["msg"]
