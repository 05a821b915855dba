# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which user a daemon reads from a token, and what to consider before it is trusted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import User
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import key_set
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import jwk as one_jwk
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import parse
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import split
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.identity import (
    Identity,
    identify,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import sign
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.verifying_daemon import VerifyingDaemon

NOW = 1_800_000_000
KEY, STRANGER = rs256.generate(2048), rs256.generate(2048)
KID = rs256.public_jwk(KEY)["kid"]
KEY_SET = key_set.parse(json.dumps({"keys": [rs256.public_jwk(KEY)]}).encode())
SHARED = b"k" * 32
KEYCLOAK = {
    "iss": "https://keycloak.example.org/realms/hpc",
    "aud": ["account", "portal"],
    "iat": NOW - 60,
    "exp": NOW + 240,
    "preferred_username": "alice",
    "email": "alice@example.org",
}
ROOT_USER = User("root", 0, 0)
USERS = {"root": ROOT_USER, "0": ROOT_USER, "alice": User("alice", 1001, 1001), "slurm": User("slurm", 64030, 64030)}
WHO = {"name": "alice", "gecos": "", "dir": "/home/alice", "shell": "/bin/sh", "groups": {}}


def daemon(release: str = "24.11.5", **options: str) -> VerifyingDaemon:
    return VerifyingDaemon(parse(release), True, options, None, KEY_SET)


def identity(claims: dict[str, Any], by: VerifyingDaemon, key: bytes = KEY, kid: str | None = KID) -> Identity:
    return identify(sign(claims, key, "RS256", kid), by, USERS.get, NOW)


def test_a_token_of_keycloak():
    result = identity(KEYCLOAK, daemon(userclaimfield="preferred_username"))
    assert (result.claim, result.user, result.uid, result.signer) == ("preferred_username", "alice", 1001, KID)
    assert result.refusals == []
    cautions = " ".join(result.cautions)
    assert "no sun and no username" in cautions
    assert "Edit username" in cautions
    assert "'https://keycloak.example.org/realms/hpc' for 'account', 'portal', and Slurm checks neither" in cautions


@pytest.mark.parametrize(
    ("release", "claims", "options", "claim"),
    [
        ("22.05.8", {}, {"userclaimfield": "preferred_username"}, None),
        ("24.11.5", {}, {}, None),
        ("24.11.5", {"sun": "root"}, {"userclaimfield": "preferred_username"}, "sun"),
        ("24.11.5", {"username": "root"}, {"userclaimfield": "preferred_username"}, "username"),
        ("24.11.5", {"username": "root", "sun": "alice"}, {"userclaimfield": "preferred_username"}, "sun"),
        ("24.11.5", {"sun": 0, "username": ["root"]}, {"userclaimfield": "preferred_username"}, "preferred_username"),
        ("20.11.4", {"username": "root"}, {}, None),
        ("22.05.8", {"username": "root"}, {}, "username"),
        ("24.11.5", {"uid": 0, "gid": 0, "id": WHO}, {"use_jwt_client_ids": ""}, None),
        ("26.05.5", {"uid": 0, "gid": 0, "id": WHO}, {"use_jwt_client_ids": ""}, "id"),
        ("26.05.5", {"uid": 0, "gid": 0, "id": {}, "sun": "alice"}, {"use_jwt_client_ids": ""}, "sun"),
        ("26.05.5", {"uid": 0, "gid": 0, "id": {}, "sun": "alice"}, {"use_jwt_client_ids_only": ""}, None),
    ],
)
def test_the_claim_that_each_release_reads(release, claims, options, claim):
    assert identity({**KEYCLOAK, **claims}, daemon(release, **options)).claim == claim


def test_a_claim_that_comes_before_the_one_of_the_site():
    result = identity({**KEYCLOAK, "sun": "root"}, daemon(userclaimfield="preferred_username"))
    assert (result.user, result.uid) == ("root", 0)
    assert any("Slurm reads sun, not preferred_username" in text for text in result.cautions)
    assert any("can act as every other user" in text for text in result.cautions)


def test_a_number_is_a_uid_and_a_token_may_have_its_identity():
    assert identity({**KEYCLOAK, "sun": "0"}, daemon()).uid == 0
    brought = identity({**KEYCLOAK, "uid": 7, "gid": 7, "id": WHO}, daemon("26.05.5", use_jwt_client_ids=""))
    assert (brought.user, brought.uid) == ("alice", 7)
    assert any("Slurm believes them" in text for text in brought.cautions)


def test_a_mapper_that_copies_a_claim_of_the_user_is_reported():
    result = identity({**KEYCLOAK, "sun": "alice"}, daemon())
    assert any("has the same value as preferred_username" in text for text in result.cautions)


@pytest.mark.parametrize(
    ("claims", "by", "key", "kid", "reason"),
    [
        ({"exp": NOW - 1}, daemon(), KEY, KID, "expired 1 s ago"),
        ({"exp": str(NOW + 60)}, daemon(), KEY, KID, "not a JSON integer"),
        ({}, daemon(), STRANGER, KID, "by another key or a forger"),
        ({}, daemon(), KEY, "another", "has no key 'another'"),
        ({}, daemon(), KEY, None, "has no kid"),
        ({}, daemon("20.11.4"), KEY, KID, "21.08 or later does"),
        ({}, daemon()._replace(key_set=None), KEY, KID, "has no jwks="),
        ({}, daemon()._replace(enabled=False), KEY, KID, "AuthAltTypes does not have auth/jwt"),
        ({"sun": 7}, daemon(), KEY, KID, "reads sun, then username, and needs text there"),
    ],
    # Not from the kid, which is another one in each process of pytest-xdist.
    ids=itertools.count(),
)
def test_why_it_would_be_refused(claims, by, key, kid, reason):
    good = identity({**KEYCLOAK, "sun": "alice"}, daemon())
    assert good.refusals == []
    result = identity({**KEYCLOAK, **({} if claims.get("sun") == 7 else {"sun": "alice"}), **claims}, by, key, kid)
    assert len(result.refusals) == 1
    assert reason in result.refusals[0]


@pytest.mark.parametrize("user", ["mallory", "12345", "-1", "", "a b"])
def test_a_user_that_the_host_does_not_know_is_accepted_as_nobody(user):
    """Measured on slurmctld and slurmdbd of 20.11, 22.05, 24.11 and 26.05, which serve such a token."""
    result = identity({**KEYCLOAK, "sun": user}, daemon())
    assert (result.refusals, result.claim, result.user, result.uid) == ([], "sun", user, None)
    assert any(f"names {user!r}, a user that this host does not know" in text for text in result.cautions)


@pytest.mark.parametrize(
    ("alg", "old", "good"),
    [
        ("RS256", False, True),
        ("rs256", False, False),
        ("Rs256", False, False),
        ("RS256", True, True),
        ("rs256", True, True),
        ("HS256", False, True),
        ("hs256", False, False),
        ("hS256", False, False),
        ("hs256", True, True),
        ("HS384", True, False),
    ],
)
def test_an_algorithm_in_lower_case_is_refused_but_by_the_oldest_libjwt(alg, old, good):
    """Measured, see has_old_libjwt() of the module: libjwt decides, not Slurm."""
    rsa = alg.upper() == "RS256"
    claims = {"iat": NOW, "exp": NOW + 60, "sun": "alice"}
    by = daemon()._replace(hs256_key=SHARED, old_libjwt=old)
    result = identify(odd_token(alg, claims, rsa), by, USERS.get, NOW)
    assert (result.refusals == [], result.signer is not None) == (good, good)
    if not good:
        assert f"signed with {alg!r}" in result.refusals[0]


@pytest.mark.parametrize(
    ("kind", "old", "good"),
    [("JWT", True, True), ("jwt", True, True), ("at+jwt", False, True), ("at+jwt", True, False), ("", True, False)]
    + [(None, True, True), (7, True, True)],
)
def test_an_odd_type_is_refused_by_the_oldest_libjwt_alone(kind, old, good):
    token = odd_token("HS256", {"iat": NOW, "exp": NOW + 60, "sun": "alice"}, False, typ=kind)
    result = identify(token, daemon()._replace(hs256_key=SHARED, old_libjwt=old), USERS.get, NOW)
    assert (result.refusals == []) == good
    assert good or f"of type {kind!r}" in result.refusals[0]


def odd_token(alg: str, claims: dict[str, Any], rsa: bool, **more: Any) -> str:
    """A token whose header says ALG, with a good signature."""
    signed = sign(claims, KEY if rsa else SHARED, "RS256" if rsa else "HS256", KID if rsa else None)
    header = {**split(signed).header, "alg": alg, **more}
    parts = [json.dumps(each).encode() for each in (header, claims)]
    text = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    if rsa:
        private = serialization.load_pem_private_key(KEY, None)
        signature = private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        digest = {"384": hashlib.sha384}.get(alg[2:], hashlib.sha256)
        signature = hmac.new(SHARED, text.encode(), digest).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_key_in_the_file_that_nobody_should_trust_is_told_by_its_reason():
    members = {**rs256.public_jwk(KEY), "alg": "RS512", "kid": "odd"}
    odd = key_set.parse(json.dumps({"keys": [rs256.public_jwk(STRANGER), members]}).encode())
    result = identity({**KEYCLOAK, "sun": "alice"}, daemon()._replace(key_set=odd), KEY, "odd")
    assert result.refusals == [
        "The key 'odd' in jwks= is for 'RS512'; Slurm verifies RS256 only. Have slurm_jwks write the file."
    ]


def test_a_token_of_the_cluster_itself_has_no_addressee():
    claims = {"iat": NOW, "exp": NOW + 60, "sun": "alice"}
    both = daemon()._replace(hs256_key=SHARED)
    result = identify(sign(claims, SHARED), both, USERS.get, NOW)
    assert (result.signer, result.refusals, result.cautions) == ("HS256", [], [])
    refused = identify(sign(claims, b"x" * 32), both, USERS.get, NOW)
    assert refused.signer is None
    assert "not signed by the key in jwt_key=" in refused.refusals[0]
    assert "jwks= without jwt_key=" in identify(sign(claims, SHARED), daemon(), USERS.get, NOW).refusals[0]
    assert "does not verify" in identify(sign(claims, SHARED, "HS512"), both, USERS.get, NOW).refusals[0]
    long = {**claims, "exp": NOW + 400 * 86400}
    assert "lives for 400 days" in identify(sign(long, SHARED), both, USERS.get, NOW).cautions[0]


@given(st.text() | st.builds(".".join, st.lists(st.text(), min_size=3, max_size=3)))
def test_any_text(text):
    result = identify(text, daemon(), USERS.get, NOW)
    assert result.refusals


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2)
)
CLAIMS = st.sampled_from(["sun", "username", "exp", "iat", "iss", "aud", "uid", "gid", "id", "email"])


@given(st.dictionaries(CLAIMS, JSON))
def test_any_claims(claims):
    by = VerifyingDaemon(parse("26.05.5"), True, {"use_jwt_client_ids": "", "userclaimfield": "email"}, SHARED, KEY_SET)
    parts = [json.dumps(each).encode() for each in ({"alg": "RS256", "kid": KID}, claims)]
    token = ".".join(base64.urlsafe_b64encode(part).decode() for part in [*parts, b"signature"])
    result = identify(token, by, USERS.get, NOW)
    assert all(text.isprintable() for text in [*result.refusals, *result.cautions])


def test_a_signature_is_that_of_cryptography_or_none():
    jwk = rs256.public_jwk(KEY)
    mine = one_jwk.from_members(jwk)
    token = sign(KEYCLOAK, KEY, "RS256", KID)
    signed, signature = token.rpartition(".")[0], split(token).signature
    assert one_jwk.verifies(mine, signed.encode(), signature)
    assert not one_jwk.verifies(mine, signed.encode() + b"x", signature)
    assert not one_jwk.verifies(mine, signed.encode(), b"\0" + signature)
    assert not one_jwk.verifies(mine, signed.encode(), bytes([signature[0] ^ 1]) + signature[1:])
    stranger = one_jwk.from_members(rs256.public_jwk(STRANGER))
    assert not one_jwk.verifies(stranger, signed.encode(), signature)
