# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tokens of an OpenID provider the proxy takes, and when it fetches the provider's keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
import pathlib
import sys
import threading
import time

import pytest

pytest.importorskip("jwt")
pytest.importorskip("cryptography")

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PROGRAM = pathlib.Path(__file__).parents[3] / "roles/slurm_jwt_proxy/files/openid.py"


def load():
    spec = importlib.util.spec_from_file_location("proxy_openid", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


openid = load()
ISSUER = "https://idp.example.org/realm"
RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return encode(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def rsa_jwk(key=RSA, kid="one", **more):
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "n": number(numbers.n), "e": number(numbers.e), **more}


def ec_jwk(kid="two", **more):
    numbers = EC.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": number(numbers.x, 32), "y": number(numbers.y, 32), **more}


def jwks(*entries):
    return json.dumps({"keys": entries}).encode()


def provider(**members):
    return openid.Provider(**{
        "issuer": ISSUER, "audiences": ("slurm",), "claim": "preferred_username",
        "algorithms": ("RS256", "PS256", "ES256"), **members,
    })


def keys(*entries, **members):
    document = jwks(*entries) if entries else jwks(rsa_jwk(), ec_jwk())
    return openid.Keys(provider(**members), fetch=lambda about: document)


def sign(data, algorithm, key):
    sha = hashes.SHA256()
    if algorithm == "RS256":
        return key.sign(data, padding.PKCS1v15(), sha)
    if algorithm == "PS256":
        return key.sign(data, padding.PSS(padding.MGF1(sha), 32), sha)
    if algorithm == "ES256":
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(sha)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if algorithm == "HS256":
        return hmac.new(key, data, hashlib.sha256).digest()
    return b""


def token(algorithm="RS256", key=RSA, header=None, **claims):
    """By hand, so that nothing is refused before it is there."""
    now = int(time.time())
    said = {"iss": ISSUER, "aud": "slurm", "exp": now + 3600, "iat": now, "preferred_username": "alice", **claims}
    said = {name: value for name, value in said.items() if value is not ...}
    head = {"alg": algorithm, "kid": "two" if algorithm == "ES256" else "one", "typ": "JWT", **(header or {})}
    head = {name: value for name, value in head.items() if value is not ...}
    data = ".".join(encode(json.dumps(part).encode()) for part in (head, said))
    return f"{data}.{encode(sign(data.encode(), algorithm, key))}"


@pytest.mark.parametrize(
    "good",
    [
        token(), token("PS256"), token("ES256", EC), token(aud=["other", "slurm"]), token(header={"typ": "at+jwt"}),
        token(header={"typ": ...}), token(nbf=int(time.time()) - 5), token(exp=time.time() + 3600.5),
        # A clock that is a little ahead.
        token(iat=int(time.time()) + 5, nbf=int(time.time()) + 5),
    ],
)
def test_good_tokens(good):
    assert openid.name_in(good, keys()) == "alice"


SPKI = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "bad",
    [
        "", "x", "a.b.c", "..", token() + "x", token()[:-8], token().replace(".", "..", 1),
        token(key=OTHER), token("ES256", ec.generate_private_key(ec.SECP256R1())),
        token("none", header={"kid": "one"}), token("None"), token("NONE"), token("none").rpartition(".")[0] + ".",
        token("HS256", SPKI), token("HS256", SPKI.strip()), token("HS256", jwks(rsa_jwk())), token("HS256", b""),
        token("RS256", header={"alg": "RS512"}), token("ES256", EC, {"kid": "one"}), token(header={"kid": "two"}),
        token(header={"kid": "three"}), token(header={"kid": 1}), token(header={"kid": ["one"]}),
        token(header={"alg": ...}), token(header={"alg": ["RS256"]}), token(header={"alg": "rs256"}),
        token(header={"crit": ["x"]}), token(header={"typ": "logout+jwt"}), token(header={"typ": 1}),
        token(aud="other"), token(aud=["other"]), token(aud=[]), token(aud=...), token(aud=None), token(aud="slurm2"),
        token(aud={"slurm": 1}), token(aud=1), token(aud="slur"),
        token(iss=ISSUER + "/"), token(iss=ISSUER[:-1]), token(iss=...), token(iss=None), token(iss=[ISSUER]),
        token(exp=int(time.time()) - 1), token(exp=...), token(exp=None), token(exp="soon"), token(exp=True),
        token(exp=[9e9]), token(exp=float("nan")), token(exp=-1), token(exp={}),
        token(nbf=int(time.time()) + 3600), token(nbf="x"),
        token(preferred_username=...), token(preferred_username=""), token(preferred_username=1),
        token(preferred_username=["alice"]), token(preferred_username=None),
        token(padding="x" * 20000),
    ],
)
def test_bad_tokens(bad):
    with pytest.raises(openid.Invalid):
        openid.name_in(bad, keys())


def test_only_algorithms_of_the_list():
    with pytest.raises(openid.Invalid, match="its algorithm"):
        openid.name_in(token("PS256"), keys(algorithms=("RS256",)))


def test_the_key_says_which_algorithm_it_is_for():
    assert openid.name_in(token(), keys(rsa_jwk(alg="RS256"))) == "alice"
    with pytest.raises(openid.Invalid, match="0 keys"):
        openid.name_in(token("PS256"), keys(rsa_jwk(alg="RS256")))


def test_a_key_without_a_name_has_to_be_the_only_one():
    unnamed = token(header={"kid": ...})
    assert openid.name_in(unnamed, keys(rsa_jwk())) == "alice"
    with pytest.raises(openid.Invalid, match="2 keys"):
        openid.name_in(unnamed, keys(rsa_jwk(), rsa_jwk(OTHER, "other")))


def test_an_address_has_to_be_verified():
    for verified, fine in ((True, True), (False, False), ("true", False), (..., False)):
        mine = token(email="alice@example.org", email_verified=verified)
        if fine:
            assert openid.name_in(mine, keys(claim="email")) == "alice@example.org"
        else:
            with pytest.raises(openid.Invalid, match="verified"):
                openid.name_in(mine, keys(claim="email"))


@pytest.mark.parametrize(
    "document",
    [
        b"", b"{", b"[]", b"{}", b'{"keys": 1}', b'{"keys": [1]}', b'{"keys": []}', jwks({"kty": "oct", "k": "eA"}),
        jwks({"kty": "RSA", "kid": "one"}), jwks(rsa_jwk(use="enc")), jwks(rsa_jwk(key_ops=["encrypt"])),
        jwks(rsa_jwk(rsa.generate_private_key(65537, 1024))), jwks({**ec_jwk(), "crv": "P-521"}),
        jwks({**ec_jwk(), "x": "AAAA"}),
    ],
)
def test_key_sets_that_are_none(document):
    with pytest.raises(openid.Unusable):
        openid.keys_in(document)


@pytest.mark.parametrize(
    "members",
    [
        {"algorithms": ["HS256"]}, {"algorithms": ["none"]}, {"algorithms": []}, {"issuer": ""}, {"audiences": []},
        {"x": 1},
    ],
)
def test_providers_that_cannot_be_followed(members):
    with pytest.raises(openid.Unusable):
        openid.provider_of({**provider()._asdict(), "algorithms": ["RS256"], "audiences": ["slurm"], **members})


class Source:
    """A provider whose keys change, and who can be out of reach."""

    def __init__(self):
        self.now = 0.0
        self.document = jwks(rsa_jwk())
        self.asked = 0
        self.keys = openid.Keys(provider(), fetch=self.fetch, clock=lambda: self.now)

    def fetch(self, about):
        self.asked += 1
        if self.document is None:
            raise openid.Unusable("it is away")
        return self.document

    def takes(self, mine):
        try:
            return openid.name_in(mine, self.keys) == "alice"
        except openid.Invalid:
            return False


def test_keys_are_fetched_once_and_again_after_a_while():
    source = Source()
    assert source.asked == 0
    assert source.takes(token()) and source.takes(token())
    assert source.asked == 1
    source.now = 301
    assert source.takes(token())
    assert source.asked == 2


def test_a_new_key_is_fetched_at_once_but_not_for_every_stranger():
    source = Source()
    new = token(key=OTHER, header={"kid": "new"})
    assert source.takes(token())
    source.document = jwks(rsa_jwk(), rsa_jwk(OTHER, "new"))
    assert not source.takes(new)
    source.now = 30
    assert source.takes(new)
    for _attempt in range(10):
        assert not source.takes(token(header={"kid": "unheard-of"}))
    assert source.asked == 2


def test_a_withdrawn_key_is_worth_nothing_soon():
    source = Source()
    assert source.takes(token())
    source.document = jwks(rsa_jwk(OTHER, "new"))
    source.now = 301
    assert not source.takes(token())


def test_a_provider_out_of_reach_is_taken_by_its_last_word_for_a_day():
    source = Source()
    assert source.takes(token())
    source.document = None
    source.now = 3600
    assert source.takes(token())
    source.now = 25 * 3600
    with pytest.raises(openid.Unusable):
        source.takes(token())
    source.document = jwks(rsa_jwk())
    source.now += 301
    assert source.takes(token())


def test_without_keys_nothing_can_be_decided():
    source = Source()
    source.document = None
    for _attempt in range(5):
        with pytest.raises(openid.Unusable):
            source.takes(token())
    assert source.asked == 1
    source.now = 3
    source.document = jwks(rsa_jwk())
    assert source.takes(token())


def test_only_one_waits_for_a_slow_provider():
    source = Source()
    assert source.takes(token())
    begun, go_on = threading.Event(), threading.Event()

    def slow(about):
        begun.set()
        go_on.wait(20)
        return source.document

    source.keys.fetch = slow
    source.now = 301
    waiting = threading.Thread(target=source.takes, args=(token(),))
    waiting.start()
    assert begun.wait(20)
    # Meanwhile the keys are good that are there.
    assert source.takes(token())
    go_on.set()
    waiting.join(20)


def test_keys_of_a_file(tmp_path):
    path = tmp_path / "jwks"
    mine = openid.Keys(provider(keys_file=str(path)))
    with pytest.raises(openid.Unusable, match="cannot be used"):
        openid.name_in(token(), mine)
    path.write_bytes(jwks(rsa_jwk()))
    assert openid.name_in(token(), mine) == "alice"
    path.write_bytes(jwks(rsa_jwk(OTHER, "other")))
    with pytest.raises(openid.Invalid):
        openid.name_in(token(), mine)
    assert openid.name_in(token(key=OTHER, header={"kid": "other"}), mine) == "alice"


@pytest.mark.parametrize(
    "url", ["http://idp.example.org/jwks", "file:///etc/passwd", "ftp://x/", "", "https://127.0.0.1:1/"]
)
def test_addresses_that_are_not_fetched(url):
    with pytest.raises(openid.Unusable):
        openid.get(url, "")


def test_the_issuer_says_where_its_keys_are(monkeypatch):
    configuration = {"issuer": ISSUER, "jwks_uri": "https://keys.example.org/"}
    documents = {ISSUER + "/.well-known/openid-configuration": configuration, "https://keys.example.org/": {"keys": []}}
    monkeypatch.setattr(openid, "get", lambda url, ca_file: json.dumps(documents[url]).encode())
    assert openid.fetched(provider()) == b'{"keys": []}'
    configuration["issuer"] = "https://elsewhere.example"
    with pytest.raises(openid.Unusable, match="elsewhere"):
        openid.fetched(provider())
    del configuration["jwks_uri"]
    with pytest.raises(openid.Unusable, match="is not the configuration"):
        openid.fetched(provider())
