# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tokens of an OpenID provider the proxy takes, and when it fetches the provider's keys."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.client
import json
import pathlib
import socket
import ssl
import sys
import threading
import time

import pytest

pytest.importorskip("jwt")
pytest.importorskip("cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "roles/slurm_jwt_proxy/files"))

import http_deadline
import openid
import openid_keys

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
    return openid_keys.Provider(**{
        "issuer": ISSUER, "audiences": ("slurm",), "claim": "preferred_username",
        "algorithms": ("RS256", "PS256", "ES256"), **members,
    })


def keys(*entries, **members):
    document = jwks(*entries) if entries else jwks(rsa_jwk(), ec_jwk())
    return openid_keys.Keys(provider(**members), fetch=lambda about: document)


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
    """Built by hand, so that no library refuses an invalid token."""
    now = int(time.time())
    payload = {"iss": ISSUER, "aud": "slurm", "exp": now + 3600, "iat": now, "preferred_username": "alice", **claims}
    payload = {name: value for name, value in payload.items() if value is not ...}
    head = {"alg": algorithm, "kid": "two" if algorithm == "ES256" else "one", "typ": "JWT", **(header or {})}
    head = {name: value for name, value in head.items() if value is not ...}
    data = ".".join(encode(json.dumps(part).encode()) for part in (head, payload))
    return f"{data}.{encode(sign(data.encode(), algorithm, key))}"


@pytest.mark.parametrize(
    "good",
    [
        token(), token("PS256"), token("ES256", EC), token(aud=["other", "slurm"]), token(header={"typ": "at+jwt"}),
        token(header={"typ": ...}), token(nbf=int(time.time()) - 5),
        # The clock is slightly ahead.
        token(iat=int(time.time()) + 5, nbf=int(time.time()) + 5),
    ],
)
def test_valid_tokens(good):
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
        # What counts as a whole number, and how long a token may be valid.
        token(exp=1e308), token(exp=float("inf")), token(exp=float("-inf")), token(exp=time.time() + 60.5),
        token(exp=10**400), token(exp=int(time.time()) + 86400 + 3600), token(iat=int(time.time()) - 90000),
        token(iat=..., exp=int(time.time()) + 86400 + 3600), token(iat=int(time.time()) + 3600), token(iat=True),
        token(iat=float("nan")), token(iat="x"), token(iat=None), token(iat=0),
        token(nbf=int(time.time()) + 3600), token(nbf="x"),
        token(preferred_username=...), token(preferred_username=""), token(preferred_username=1),
        token(preferred_username=["alice"]), token(preferred_username=None),
        token(padding="x" * 20000),
    ],
)
def test_invalid_tokens(bad):
    with pytest.raises(openid.InvalidToken):
        openid.name_in(bad, keys())


def test_only_listed_algorithms():
    with pytest.raises(openid.InvalidToken, match="its algorithm"):
        openid.name_in(token("PS256"), keys(algorithms=("RS256",)))


def test_a_key_names_its_algorithm():
    assert openid.name_in(token(), keys(rsa_jwk(alg="RS256"))) == "alice"
    with pytest.raises(openid.InvalidToken, match="not exactly one key"):
        openid.name_in(token("PS256"), keys(rsa_jwk(alg="RS256")))


def test_a_key_without_a_name_must_be_the_only_one():
    unnamed = token(header={"kid": ...})
    assert openid.name_in(unnamed, keys(rsa_jwk())) == "alice"
    with pytest.raises(openid.InvalidToken, match="not exactly one key"):
        openid.name_in(unnamed, keys(rsa_jwk(), rsa_jwk(OTHER, "other")))


def test_an_email_address_must_be_verified():
    for verified, fine in ((True, True), (False, False), ("true", False), (..., False)):
        mine = token(email="alice@example.org", email_verified=verified)
        if fine:
            assert openid.name_in(mine, keys(claim="email")) == "alice@example.org"
        else:
            with pytest.raises(openid.InvalidToken, match="verified"):
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
def test_invalid_key_sets(document):
    with pytest.raises(openid_keys.Unusable):
        openid_keys.keys_in(document)


@pytest.mark.parametrize(
    "members",
    [
        {"algorithms": ["HS256"]}, {"algorithms": ["none"]}, {"algorithms": []}, {"issuer": ""}, {"audiences": []},
        {"x": 1}, {"lifespan_max": 0},
    ],
)
def test_invalid_providers(members):
    with pytest.raises(ValueError):
        openid_keys.provider_of({**provider()._asdict(), "algorithms": ["RS256"], "audiences": ["slurm"], **members})


class Source:
    """A provider whose keys change, and who can be out of reach."""

    def __init__(self):
        self.now = 0.0
        self.document = jwks(rsa_jwk())
        self.asked = 0
        self.keys = openid_keys.Keys(provider(), fetch=self.fetch, clock=lambda: self.now)

    def fetch(self, about):
        self.asked += 1
        if isinstance(self.document, Exception):
            raise self.document
        return self.document

    def takes(self, mine):
        try:
            return openid.name_in(mine, self.keys) == "alice"
        except openid.InvalidToken:
            return False

    def refresh(self):
        """As the thread does that keeps them fresh."""
        self.keys.update(openid_keys.REFRESH_SECONDS)


def test_keys_are_fetched_again_after_some_time():
    source = Source()
    assert source.asked == 0
    assert source.takes(token()) and source.takes(token())
    source.now = 299
    source.refresh()
    assert source.asked == 1
    source.now = 300
    source.refresh()
    assert source.asked == 2


def test_keys_are_refreshed_without_requests(monkeypatch):
    monkeypatch.setattr(openid_keys, "REFRESH_SECONDS", 0.0)
    source = Source()
    source.keys.follow()
    deadline = time.monotonic() + 20
    while source.asked < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert source.asked >= 2
    monkeypatch.setattr(openid_keys, "REFRESH_SECONDS", 1e9)


def test_a_new_key_is_fetched_but_unknown_keys_cause_no_more_fetches():
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


def test_a_withdrawn_key_is_soon_rejected():
    source = Source()
    assert source.takes(token())
    source.document = jwks(rsa_jwk(OTHER, "new"))
    source.now = 300
    source.refresh()
    assert not source.takes(token())


def test_the_last_keys_of_an_unreachable_provider_are_used_for_a_day():
    source = Source()
    assert source.takes(token())
    source.document = openid_keys.Unusable("it is away")
    source.now = 3600
    source.refresh()
    assert source.takes(token())
    source.now = 25 * 3600
    source.refresh()
    with pytest.raises(openid_keys.Unusable):
        source.takes(token())
    source.document = jwks(rsa_jwk())
    source.now += 301
    source.refresh()
    assert source.takes(token())


@pytest.mark.parametrize(
    "failure",
    [
        openid_keys.Unusable("away"), http.client.IncompleteRead(b""), http.client.BadStatusLine("x"), RecursionError(),
        OSError(), ValueError(), UnicodeError(), MemoryError(), AttributeError(), KeyError(), b"", b"{", b"[" * 100000,
        b'{"keys":' + b"[" * 100000, b"[]", b'{"keys": [1]}', b"\xff\xfe",
    ],
    ids=repr,
)
def test_a_failed_fetch_keeps_the_keys(failure):
    source = Source()
    assert source.takes(token())
    source.document = failure
    source.now = 301
    source.refresh()
    assert source.asked == 2
    assert source.takes(token())


def test_without_keys_there_is_no_decision():
    source = Source()
    source.document = http.client.BadStatusLine("x")
    for _attempt in range(5):
        with pytest.raises(openid_keys.Unusable):
            source.takes(token())
    assert source.asked == 1
    source.now = 3
    source.document = jwks(rsa_jwk())
    assert source.takes(token())


def test_known_keys_do_not_wait_for_a_slow_provider(monkeypatch):
    monkeypatch.setattr(openid_keys, "FETCH_SECONDS", 1.0)
    source = Source()
    assert source.takes(token())
    go_on = threading.Event()

    def slow(about):
        source.asked += 1
        go_on.wait(20)
        return source.document

    source.keys.fetch = slow
    source.now = 301
    begin = time.monotonic()
    # Requests with an unknown key wait, but only for one fetch, which they share.
    strangers = [
        threading.Thread(target=source.takes, args=(token(header={"kid": "new"}),)) for _stranger in range(10)
    ]
    for stranger in strangers:
        stranger.start()
    time.sleep(0.2)
    assert source.takes(token())
    assert time.monotonic() - begin < 0.9
    for stranger in strangers:
        stranger.join(20)
    assert 0.9 < time.monotonic() - begin < 3
    # A fetch that hangs is not started a second time.
    source.now = 1000
    assert not source.takes(token(header={"kid": "new"})) and source.takes(token())
    assert source.asked == 2
    go_on.set()


def test_an_invalid_key_is_left_out():
    bad = [
        1, None, [], "x", {}, {"kty": "RSA"}, {"kty": "RSA", "n": 1, "e": "AQAB"}, rsa_jwk(n="%"), rsa_jwk(e="AA"),
        rsa_jwk(e="Ag"), rsa_jwk(n=number(2**2047)), rsa_jwk(n=number(2**20000 + 1)), {**ec_jwk(), "x": "AAAA"},
        rsa_jwk(kid=1), rsa_jwk(kid=["one"]), rsa_jwk(alg=1), rsa_jwk(key_ops=1), {**ec_jwk(), "y": None},
        rsa_jwk(rsa.generate_private_key(65537, 1024)),
    ]
    found = openid_keys.keys_in(jwks(*bad, rsa_jwk(kid="good")))
    assert [key.kid for key in found] == ["good"]


def test_too_many_keys():
    with pytest.raises(openid_keys.Unusable, match="more than 100"):
        openid_keys.keys_in(jwks(*[rsa_jwk()] * 101))


def test_keys_of_a_file(tmp_path):
    path = tmp_path / "jwks"
    mine = openid_keys.Keys(provider(keys_file=str(path)))
    with pytest.raises(openid_keys.Unusable, match="cannot be read"):
        openid.name_in(token(), mine)
    path.write_bytes(jwks(rsa_jwk()))
    assert openid.name_in(token(), mine) == "alice"
    path.write_bytes(jwks(rsa_jwk(OTHER, "other")))
    with pytest.raises(openid.InvalidToken):
        openid.name_in(token(), mine)
    other = token(key=OTHER, header={"kid": "other"})
    assert openid.name_in(other, mine) == "alice"
    # An invalid key set changes nothing. Without the file nobody passes.
    path.write_bytes(b"{")
    assert openid.name_in(other, mine) == "alice"
    path.unlink()
    with pytest.raises(openid_keys.Unusable, match="cannot be read"):
        openid.name_in(other, mine)


def test_a_file_that_is_too_large(tmp_path, capsys):
    path = tmp_path / "jwks"
    path.write_bytes(jwks(rsa_jwk()) + b" " * openid_keys.LARGEST)
    openid_keys.Keys(provider(keys_file=str(path))).read_file()
    assert f"it has more than {openid_keys.LARGEST} bytes" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "url", ["http://idp.example.org/jwks", "file:///etc/passwd", "ftp://x/", "", "https://127.0.0.1:1/"]
)
def test_addresses_that_are_not_fetched(url):
    with pytest.raises(openid_keys.Unusable):
        openid_keys.get(url, "", time.monotonic() + 5)


def test_keys_are_found_through_the_issuer(monkeypatch):
    configuration = {"issuer": ISSUER, "jwks_uri": "https://keys.example.org/"}
    documents = {ISSUER + "/.well-known/openid-configuration": configuration, "https://keys.example.org/": {"keys": []}}
    monkeypatch.setattr(openid_keys, "get", lambda url, ca_file, deadline: json.dumps(documents[url]).encode())
    assert openid_keys.fetch_keys(provider()) == b'{"keys": []}'
    configuration["issuer"] = "https://elsewhere.example"
    with pytest.raises(openid_keys.Unusable, match="elsewhere"):
        openid_keys.fetch_keys(provider())
    del configuration["jwks_uri"]
    with pytest.raises(openid_keys.Unusable, match="is not the configuration"):
        openid_keys.fetch_keys(provider())


def test_a_deeply_nested_token():
    head, body = (encode(text) for text in (b'{"alg": "RS256", "kid": "one"}', b"[" * 9000))
    signature = encode(sign(f"{head}.{body}".encode(), "RS256", RSA))
    for bad in (f"{head}.{body}.{signature}", f"{body}.{body[:100]}.{signature}"):
        with pytest.raises(openid.InvalidToken):
            openid.name_in(bad, keys())


# -- over the network --------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path):
    """What listens, and how long each piece of its answer takes: a list of bytes and seconds."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file = tmp_path / "pem"
    file.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    pieces = []

    def talk(raw):
        with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as connection:
            connection.recv(65536)
            for piece, seconds in pieces:
                time.sleep(seconds)
                connection.sendall(piece)

    def accept():
        while True:
            try:
                raw, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(raw,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"https://localhost:{listener.getsockname()[1]}/", str(file), pieces
        listener.shutdown(socket.SHUT_RDWR)


def test_a_document_is_fetched(site):
    url, ca_file, pieces = site
    pieces.append((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 0))
    assert openid_keys.get(url, ca_file, time.monotonic() + 5) == b"{}"


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "dripped",
    [
        # Each part stays within its own timeout: headers, the line before them, the body, chunks.
        [(HEAD, 0)] + [(b"X-%d: x\r\n" % count, 0.3) for count in range(30)],
        [(b"H", 0.3), (b"T", 0.3)] + [(b"T", 0.3)] * 30,
        [(HEAD + b"\r\n", 0)] + [(b" ", 0.3)] * 30,
        [(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", 0)] + [(b"1\r\n \r\n", 0.3)] * 30,
        [(b"HTTP/1.1 100 Continue\r\n\r\n", 0.3)] * 30,
        [(b"", 30)],
    ],
    ids=["headers", "status", "body", "chunks", "continue", "silence"],
)
def test_one_deadline_for_the_whole_fetch(site, dripped):
    url, ca_file, pieces = site
    pieces += dripped
    begin = time.monotonic()
    with pytest.raises(openid_keys.Unusable):
        openid_keys.get(url, ca_file, time.monotonic() + 1)
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"HTTP/9.9 x\r\n\r\n", b"\0", HEAD + b"X" * 70000, HEAD + b"X: y\r\n" * 200 + b"\r\n",
        HEAD + b"Content-Length: 9\r\n\r\n{}", HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", b"HTTP/1.1 500 x\r\n\r\n",
        HEAD + b"\r\n" + b" " * (openid_keys.LARGEST + 1),
    ],
)
def test_answers_that_are_not_documents(site, answer):
    url, ca_file, pieces = site
    pieces.append((answer, 0))
    with pytest.raises(openid_keys.Unusable):
        openid_keys.get(url, ca_file, time.monotonic() + 5)


def test_a_hook_has_a_deadline(site):
    url, ca_file, pieces = site
    pieces += [(HEAD, 0)] + [(b"X-%d: x\r\n" % count, 0.3) for count in range(30)]
    context = ssl.create_default_context(cafile=ca_file)
    begin = time.monotonic()
    connection = http_deadline.Https(url[8:-1], begin + 1, context=context)
    with contextlib.closing(connection), pytest.raises(OSError):
        connection.request("GET", "/")
        connection.getresponse()
    assert time.monotonic() - begin < 2
