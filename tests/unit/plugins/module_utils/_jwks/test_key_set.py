# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key sets of real shapes, odd ones and hostile ones."""

from __future__ import annotations

import base64
import datetime
import json
import subprocess
import sys
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import key_set as key_sets
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import jwk as one_jwk
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils.hostile_key_sets import SAMPLES

PRIVATE = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)


def numbers(private=PRIVATE):
    parsed = private.public_key().public_numbers()
    return parsed.n, parsed.e


def jwk(private=PRIVATE, **change):
    n, e = numbers(private)
    written = {"n": one_jwk.encode(n), "e": one_jwk.encode(e)}
    key = {"kid": "one", "kty": "RSA", "alg": "RS256", "use": "sig", **written, **change}
    return {name: value for name, value in key.items() if value is not None}


def key_set(*keys):
    return json.dumps({"keys": list(keys)}).encode()


def reason(**change):
    """Why a key set's only key is dropped."""
    parsed = key_sets.parse(key_set(jwk(**change)))
    assert not parsed.keys
    return parsed.dropped[0].reason


def refusal(data):
    with pytest.raises(key_sets.KeySetError) as caught:
        key_sets.parse(data)
    return str(caught.value)


def pem(private=PRIVATE):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.PEM, form)


def certificate(private=PRIVATE, name="keys", authority=None):
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(
        who, who, private.public_key(), 1, begin, begin + datetime.timedelta(days=3650)
    )
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    return builder.sign(private, hashes.SHA256())


def certificate_pem(*args, **kwargs):
    return certificate(*args, **kwargs).public_bytes(serialization.Encoding.PEM)


class TestPublishedShapes:
    @pytest.mark.parametrize(
        ("issuer", "taken", "dropped"),
        [
            ("keycloak", 1, "is for 'RSA-OAEP'; Slurm verifies RS256 only"),
            ("cognito", 2, None),
            ("entra", 2, None),
            ("google", 2, None),
            ("google_certificates", 2, None),
            ("okta", 1, None),
            ("auth0", 2, None),
        ],
    )
    def test_every_signature_key_is_taken(self, issuer, taken, dropped):
        parsed = key_sets.parse(SAMPLES[issuer])
        assert len(parsed.keys) == taken
        assert [lost.reason for lost in parsed.dropped] == ([dropped] if dropped else [])
        published = json.loads(SAMPLES[issuer])
        kids = {key["kid"] for key in published.get("keys", [])} or set(published)
        assert {key.kid for key in parsed.keys} <= kids

    def test_all_samples_are_tried(self):
        assert set(SAMPLES) == {"keycloak", "cognito", "entra", "google", "google_certificates", "okta", "auth0"}

    def test_the_two_forms_of_google_hold_the_same_keys(self):
        assert key_sets.parse(SAMPLES["google"]).keys == key_sets.parse(SAMPLES["google_certificates"]).keys

    def test_without_the_numbers_the_chain_gives_the_same_key(self):
        published = json.loads(SAMPLES["auth0"])
        for key in published["keys"]:
            del key["n"], key["e"]
        assert key_sets.parse(json.dumps(published).encode()).keys == key_sets.parse(SAMPLES["auth0"]).keys


class TestForm:
    def test_five_members_and_no_other(self):
        rendered = json.loads(key_sets.render(key_sets.parse(key_set(jwk(x5t="abc", exp=1))).keys))
        n, e = numbers()
        assert rendered == {
            "keys": [{"kid": "one", "kty": "RSA", "alg": "RS256", "n": one_jwk.encode(n), "e": "AQAB"}]
        }
        assert one_jwk.decode(rendered["keys"][0]["e"], "e") == e

    def test_the_order_of_the_source_does_not_matter(self):
        one, two = jwk(), jwk(OTHER, kid="two")
        written = [key_sets.render(key_sets.parse(each).keys) for each in (key_set(one, two), key_set(two, one))]
        assert written[0] == written[1]

    def test_the_thumbprint_is_that_of_rfc_7638(self):
        n = (
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
            "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
            "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
            "kEgU8awapJzKnqDKgw"
        )
        parsed = key_sets.parse(key_set({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"})).keys
        assert parsed[0].kid == parsed[0].thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

    @pytest.mark.parametrize("kid", [None, ""])
    def test_a_key_without_kid_is_called_by_its_thumbprint(self, kid):
        parsed = key_sets.parse(key_set(jwk(kid=kid))).keys[0]
        assert parsed.kid == parsed.thumbprint

    def test_a_single_key_without_kid_can_be_given_one(self):
        assert key_sets.parse(key_set(jwk(kid=None)), kid="site").keys[0].kid == "site"
        assert key_sets.parse(pem(), kid="site").keys[0].kid == "site"
        assert key_sets.parse(key_set(jwk()), kid="site").keys[0].kid == "one"

    def test_what_some_issuers_add_to_numbers_is_left_out(self):
        n = numbers()[0]
        octets = b"\0" + n.to_bytes(256, "big")
        padded = base64.urlsafe_b64encode(octets).decode()
        assert key_sets.parse(key_set(jwk(n=padded, e="AAEAAQ=="))).keys == key_sets.parse(key_set(jwk())).keys

    def test_nothing_is_written_for_two_keys_of_one_kid(self):
        one, two = key_sets.parse(key_set(jwk(), jwk(OTHER))).keys
        with pytest.raises(ValueError, match="one kid"):
            key_sets.render([one, two])

    def test_a_set_without_keys_is_one_that_slurm_starts_with(self):
        assert json.loads(key_sets.render([])) == {"keys": []}


class TestDroppedKeys:
    @pytest.mark.parametrize(
        ("change", "because"),
        [
            ({"kty": None}, "has no kty"),
            ({"kty": "EC"}, "is of kty 'EC', not RSA"),
            ({"kty": "OKP"}, "is of kty 'OKP', not RSA"),
            ({"kty": "oct", "k": "AQAB"}, "is of kty 'oct', not RSA"),
            ({"kty": "rsa"}, "is of kty 'rsa', not RSA"),
            ({"kty": 7}, "is of kty something that is not text, not RSA"),
            ({"alg": "RS512"}, "is for 'RS512'; Slurm verifies RS256 only"),
            ({"alg": "rs256"}, "is for 'rs256'; Slurm verifies RS256 only"),
            ({"alg": ["RS256"]}, "is for something that is not text"),
            ({"use": "enc"}, "is for the use 'enc', not for signatures"),
            ({"key_ops": ["encrypt"]}, "has key_ops without verify"),
            ({"key_ops": "verify"}, "has key_ops without verify"),
            ({"n": None}, "has no n"),
            ({"n": None, "e": None}, "has no n and no e"),
            ({"e": None}, "has no e"),
            ({"n": 7}, "member n that is not text"),
            ({"n": "+/+/"}, "member n that is not base64url"),
            ({"n": "AQ AB"}, "member n that is not base64url"),
            ({"n": ""}, "modulus of 0 bits"),
            ({"n": "A" * 5000}, "far too long"),
            ({"e": "AQ"}, "exponent that is even, below 3"),
            ({"e": "AAAA"}, "exponent that is even, below 3"),
            ({"e": "_" * 12}, "of more than 64 bits"),
            ({"e": "AB"}, "member e that is cut off"),
            ({"kid": 7}, "kid that is not text"),
            ({"kid": "a\0b"}, "others than printable ASCII"),
            ({"kid": "schl\u00fcssel"}, "others than printable ASCII"),
            ({"kid": "a" * 257}, "more than 256 characters"),
            ({"n": None, "e": None, "x5c": []}, "x5c without a certificate"),
            ({"n": None, "e": None, "x5c": ["?"]}, "x5c that is not base64"),
            ({"n": None, "e": None, "x5c": ["AQAB"]}, "is a certificate that cannot be read"),
        ],
    )
    def test_a_key_that_slurm_must_not_get(self, change, because):
        assert because in reason(**change)

    @pytest.mark.parametrize("bits", [512, 768, 1024, 2047])
    def test_a_short_modulus(self, bits):
        n = numbers()[0] >> (2048 - bits) | 1
        assert f"has a modulus of {bits} bits; 2048 is the least" == reason(n=one_jwk.encode(n))

    def test_a_long_modulus(self):
        assert "8192 is the most" in reason(n=one_jwk.encode(numbers()[0] << 6200 | 1))

    def test_the_site_may_ask_for_more_and_never_for_less_than_1024(self):
        assert not key_sets.parse(key_set(jwk()), one_jwk.Rules(3072)).keys
        short = numbers()[0] >> 1100 | 1
        dropped = key_sets.parse(key_set(jwk(n=one_jwk.encode(short))), one_jwk.Rules(0)).dropped
        assert "1024 is the least" in dropped[0].reason

    def test_a_modulus_that_is_easy_to_factor(self):
        prime = OTHER.private_numbers().p
        assert "small factor" in reason(n=one_jwk.encode(prime * prime * 3 << 1024 | 1 << 2047))
        assert "small factor" in reason(n=one_jwk.encode(3**1300))
        assert "power of a smaller number" in reason(n=one_jwk.encode(PRIVATE.private_numbers().p ** 2))
        assert "is a prime" in reason(n=one_jwk.encode(2**2203 - 1))

    @pytest.mark.parametrize(("member", "name"), [("d", "d"), ("p", "p"), ("q", "q"), ("dp", "dmp1"), ("dq", "dmq1")])
    @pytest.mark.parametrize("e", ["AQAB", None, "Aw"])
    def test_a_private_part(self, member, name, e):
        parsed = key_sets.parse(key_set(jwk(e=e, **{member: one_jwk.encode(getattr(PRIVATE.private_numbers(), name))})))
        assert not parsed.keys
        assert "comes with its private part" in parsed.dropped[0].reason
        assert parsed.leaked == {numbers()[0]}

    @pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
    @pytest.mark.parametrize("value", ["AQAB", "AQ", "?", 7, one_jwk.encode(numbers()[0])], ids=range(5))
    def test_an_invented_private_part_voids_only_its_entry(self, member, value):
        made_up = jwk(kid="bogus", **{member: value})
        parsed = key_sets.parse(key_set(made_up, jwk()))
        assert [key.kid for key in parsed.keys] == ["one"]
        assert "was not shown to be that of its modulus" in parsed.dropped[0].reason
        assert not parsed.leaked

    def test_an_exponent_of_one_proves_nothing(self):
        parsed = key_sets.parse(key_set(jwk(kid="bogus", e="AQ", d="AQ"), jwk()))
        assert ([key.kid for key in parsed.keys], parsed.leaked) == (["one"], frozenset())

    def test_a_member_twice(self):
        text = json.dumps(jwk()).replace('"kid"', '"n": "AQAB", "kid"')
        parsed = key_sets.parse(f'{{"keys": [{text}]}}'.encode())
        assert [lost.reason for lost in parsed.dropped] == ["has the member 'n' twice"]

    def test_the_others_are_kept(self):
        keys = [jwk(kty="EC", kid="ec"), jwk(), 7, None, "key", [], jwk(OTHER, kid="two")]
        parsed = key_sets.parse(key_set(*keys))
        assert [key.kid for key in parsed.keys] == ["one", "two"]
        assert [lost.kid for lost in parsed.dropped] == ["ec", "number 3", "number 4", "number 5", "number 6"]

    def test_whatever_goes_wrong_with_one_key(self, monkeypatch):
        def explode(*_args):
            raise RecursionError

        monkeypatch.setattr(one_jwk, "numbers_of_certificate", explode)
        parsed = key_sets.parse(key_set(jwk(kid="odd", n=None, e=None, x5c=["AQAB"]), jwk()))
        assert [key.kid for key in parsed.keys] == ["one"]
        assert parsed.dropped == [key_sets.DroppedKey("odd", "cannot be read (RecursionError)")]

    def test_the_same_key_twice_is_one(self):
        assert len(key_sets.parse(key_set(jwk(), jwk(x5t="other"))).keys) == 1


class TestRefusedDocuments:
    @pytest.mark.parametrize(
        ("data", "because"),
        [
            (b"", "is empty"),
            (b"  \n", "is empty"),
            (b"\x30\x82\x01\x0a\xff", "is not text"),
            (b"<!DOCTYPE html><html><body>Log in", "HTML or XML page"),
            (b"\n <html>", "HTML or XML page"),
            (b"jwt_key=/etc/slurm/key", "neither JSON nor PEM"),
            (b"{", "is not JSON"),
            (b'{"keys": [NaN]}', "is not JSON"),
            (b'{"keys": []}', "has no key at all"),
            (b'{"keys": {}}', "not a list"),
            (b'{"keys": null}', "not a list"),
            (b'{"keys": [], "keys": []}', "twice"),
            (b"[]", "is a JSON list"),
            (b"{}", "without a member keys"),
            (b'{"error": "not_found"}', "without a member keys"),
            (b'{"issuer": "https://x", "jwks_uri": "https://x/keys"}', "Give its issuer"),
            (b"-----BEGIN PUBLIC KEY-----\nabc", "no complete block"),
            (b"-----BEGIN PUBLIC KEY-----\n" * 200, "more than 100 PEM blocks"),
        ],
        ids=range(18),
    )
    def test_documents_that_are_not_key_sets(self, data, because):
        assert because in refusal(data)

    def test_ten_thousand_keys(self):
        assert "has 10000 keys; 100 is the most" in refusal(key_set(*({"kty": "EC"} for _key in range(10_000))))

    def test_fifty_megabytes(self):
        assert "more than 1048576 bytes" in refusal(b" " * 50_000_000)

    @pytest.mark.parametrize(
        "bomb", ["[" * 500_000, '{"a":' * 200_000, '{"keys": ' + "[" * 100 + "]" * 100 + "}"], ids=range(3)
    )
    def test_a_bomb_of_brackets(self, bomb):
        text = bomb if bomb.startswith("{") else '{"keys":' + bomb
        assert "nested more than 32 deep" in refusal(text.encode())

    @pytest.mark.parametrize(
        "bomb",
        [
            '{"keys": ["' + '\\"' * 500_000,
            '{"a": ' + "9" * 1_000_000 + "}",
            '{"a": 1e' + "9" * 1_000_000 + "}",
            "{" + ",".join('"a":1' for _member in range(150_000)) + "}",
            '{"' * 300_000,
        ],
        ids=["quotes", "digits", "exponent", "members", "beginnings"],
    )
    def test_a_bomb_of_work(self, bomb):
        begin = time.process_time()
        assert refusal(bomb.encode())
        assert time.process_time() - begin < 3

    def test_brackets_in_text_are_no_nesting(self):
        assert key_sets.parse(key_set(jwk(x5t="[" * 100 + '\\"{{'))).keys

    def test_private_keys_in_pem(self):
        for form in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
            data = PRIVATE.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
            message = refusal(data + pem())
            assert "holds a private key" in message
            assert "-pubout" in message


class TestPem:
    def test_public_keys_and_certificates(self):
        n, e = numbers()
        pkcs1 = PRIVATE.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
        for data in (pem(), pkcs1, certificate_pem(), certificate_pem(authority=True), b"subject=x\n\n" + pem()):
            parsed = key_sets.parse(data.replace(b"\n", b"\r\n"))
            assert [(key.n, key.e) for key in parsed.keys] == [(n, e)]
            assert parsed.keys[0].kid == parsed.keys[0].thumbprint

    def test_several_in_one_file(self):
        parsed = key_sets.parse(pem() + certificate_pem(OTHER), kid="site")
        assert [key.kid for key in parsed.keys] == [one_jwk.thumbprint(*numbers(each)) for each in (PRIVATE, OTHER)]

    def test_the_authority_of_a_chain_signs_no_tokens(self):
        parsed = key_sets.parse(certificate_pem() + certificate_pem(OTHER, authority=True))
        assert [(key.n, key.e) for key in parsed.keys] == [numbers()]
        assert "certificate of an authority" in parsed.dropped[0].reason

    def test_other_keys(self):
        curve = ec.generate_private_key(ec.SECP256R1())
        parameters = b"-----BEGIN DH PARAMETERS-----\nAA\n-----END DH PARAMETERS-----\n"
        parsed = key_sets.parse(pem(curve) + certificate_pem(curve) + parameters)
        assert not parsed.keys
        assert [lost.kid for lost in parsed.dropped] == ["PEM block 1", "PEM block 2", "PEM block 3"]
        assert "not an RSA key" in parsed.dropped[0].reason
        assert "not an RSA key" in parsed.dropped[1].reason
        assert "of type DH PARAMETERS" in parsed.dropped[2].reason

    def test_damaged_ones(self):
        for label in ("PUBLIC KEY", "CERTIFICATE", "RSA PUBLIC KEY"):
            parsed = key_sets.parse(f"-----BEGIN {label}-----\nAQAB\n-----END {label}-----\n".encode())
            assert "cannot be read" in parsed.dropped[0].reason

    def test_a_short_one(self):
        short = rsa.generate_private_key(65537, 1024)
        assert "has a modulus of 1024 bits" in key_sets.parse(pem(short)).dropped[0].reason


def test_key_sets_with_numbers_need_no_library():
    code = (
        "import sys; from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import key_set;"
        "found = key_set.parse(sys.stdin.buffer.read()); key_set.render(found.keys);"
        "sys.exit('cryptography' in sys.modules or 'ansible' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], input=SAMPLES["entra"], check=True)
