# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import types

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import parse
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens import (
    codec,
    file_format,
    freshness,
    issue,
    refusals,
    scontrol,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError

KEY = bytes(range(32))
NOW = 1_795_420_800
RELEASES = [parse(text) for text in ("20.11.4", "22.05.8", "24.11.5", "26.05.5")]
OLDEST, *LATER = RELEASES


def part(content: object) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def forge(claims: object, header: object = None, key: bytes = KEY, digest: object = hashlib.sha256) -> str:
    """A token made without the code under test, and therefore of any shape."""
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    signed = f"{part(head)}.{part(claims)}"
    return f"{signed}.{part(hmac.new(key, signed.encode(), digest).digest())}"


GOOD = {"iat": NOW, "exp": NOW + 1800, "sun": "alice"}


class TestReading:
    def test_the_example_of_rfc_7515_is_signed_by_its_key(self):
        key = base64.urlsafe_b64decode(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
        )
        token = (
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
            ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
            ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        )
        assert codec.signed_by(token, key)
        assert not codec.signed_by(token, key + b"\n")
        assert codec.split(token).claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "1 parts"),
            ("a.b", "2 parts"),
            ("a.b.c.d", "4 parts"),
            ("....", "5 parts"),
            (f"{part(b'x')}.{part({})}.", "header part is not JSON"),
            (f"{part([1])}.{part({})}.", "header part is not a JSON object"),
            (f"{part({})}.{part('x')}.", "claims part is not a JSON object"),
            (f"{part({})}.{part(b'[' * 100_000)}.", "claims part is not JSON"),
            (f"{part({})}.{part(bytes([255, 254]))}.", "claims part is not JSON"),
            (f"{part({})}.{part(b'{' + bytes([34]) + b'x' + bytes([34]) + b':NaN}')}.", "claims part is not JSON"),
            (f"{part({})}.{part(b'[1e999]')}.", "claims part is not JSON"),
            (f"{part({})}.{part({'x': 2**63})}.", "claims part is not JSON"),
            (f"{part({})}.{part({'x': chr(0)})}.", "claims part is not JSON"),
            (f"{part({})}.{part({'x': chr(0xD800)})}.", "claims part is not JSON"),
            (f"{part({})}.%%%.", "claims part is not base64url"),
            (f"{part({})}.{part({})}.é", "signature part is not base64url"),
        ],
    )
    def test_a_text_that_is_no_token(self, text, message):
        with pytest.raises(TokenError, match=message):
            codec.split(text)

    @pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 1e308, "\\u0000", "\\\\u0000", "\U0001d800", "\\ud800"])
    def test_numbers_near_the_limit_are_read(self, value):
        assert codec.split(f"{part({})}.{part({'x': value})}.").claims == {"x": value}

    @given(st.text(max_size=200))
    def test_any_text_is_read_or_raises_a_token_error(self, text):
        try:
            codec.split(text)
        except TokenError as exc:
            assert str(exc).startswith("This is not a token")

    @pytest.mark.parametrize("algorithm", ["none", "RS256", "ES256", "", None, 7])
    def test_only_an_hmac_can_be_signed_by_a_key(self, algorithm):
        assert not codec.signed_by(forge(GOOD, {"alg": algorithm}), KEY)

    def test_a_signature_with_padding_is_none(self):
        """libjwt compares the text, and never writes padding."""
        assert not codec.signed_by(forge(GOOD) + "=", KEY)

    @pytest.mark.parametrize(
        ("claims", "oldest", "later"),
        [
            ({"sun": "a", "username": "b"}, "a", "a"),
            ({"username": "b"}, None, "b"),
            ({"sun": 7, "username": "b"}, None, "b"),
            ({"sub": "c"}, None, None),
        ],
    )
    def test_the_user_is_the_one_that_slurm_reads(self, claims, oldest, later):
        assert codec.user_of(claims, OLDEST) == oldest
        assert [codec.user_of(claims, release) for release in LATER] == [later] * 3
        assert codec.user_of(claims) == later

    @pytest.mark.parametrize(("value", "found"), [(5, 5), (5.0, None), ("5", None), (True, None), (None, None)])
    def test_only_an_integer_is_an_expiry(self, value, found):
        assert codec.expiry_of({"exp": value}) == found
        assert codec.lifespan_of({"exp": value, "iat": 1}) == (None if found is None else 4)


class TestRefusals:
    @pytest.mark.parametrize("release", RELEASES, ids=str)
    @pytest.mark.parametrize("claims", [GOOD, {"exp": NOW, "sun": "alice"}, dict(GOOD, nbf=NOW + 99, iat="x", aud=[])])
    @pytest.mark.parametrize("header", [{"alg": "HS256", "typ": "JWT"}, {"alg": "HS256", "typ": "jwt", "kid": "x"}])
    def test_a_good_token_is_not_refused(self, release, claims, header):
        assert refusals.refusals(forge(claims, header), KEY, release, NOW, lambda user: user == "alice") == []

    @pytest.mark.parametrize("release", RELEASES, ids=str)
    @pytest.mark.parametrize(
        ("token", "reason"),
        [
            (forge(GOOD, key=b"another"), "not signed by this key"),
            (forge(GOOD)[:-8], "not signed by this key"),
            (forge(GOOD, {"alg": "none"}), "algorithm is 'none'"),
            (forge(GOOD, {"alg": "RS256", "kid": "x"}), "algorithm is 'RS256'"),
            (forge(GOOD, {}), "algorithm is None"),
            (forge(GOOD, {"alg": "hs256"}), "algorithm is 'hs256'"),
            (forge(GOOD, {"alg": "HS256", "typ": "JWE"}), "of type 'JWE'"),
            (forge(dict(GOOD, exp=NOW - 1)), "expired 1 s ago"),
            (forge({"iat": NOW, "sun": "alice"}), "no claim exp"),
            (forge(dict(GOOD, exp=str(NOW + 9))), "exp is not a JSON integer"),
            (forge(dict(GOOD, exp=NOW + 9.5)), "exp is not a JSON integer"),
            (forge({"exp": NOW + 9}), "names no user"),
            (forge(dict(GOOD, sun=["alice"])), "names no user"),
            (forge(dict(GOOD, sun="nemo")), "user 'nemo', who does not exist"),
            ("nonsense", "not a token"),
        ],
    )
    def test_a_bad_token_is_refused_for_its_fault_alone(self, release, token, reason):
        found = refusals.refusals(token, KEY, release, NOW, lambda user: user == "alice")
        assert len(found) == 1
        assert reason in found[0]

    def test_releases_differ(self):
        longer = forge(GOOD, {"alg": "HS512"}, digest=hashlib.sha512)
        named = forge({"exp": NOW + 9, "username": "alice"})
        assert refusals.refusals(longer, KEY, OLDEST, NOW) == []
        assert "needs a claim sun that" in refusals.refusals(named, KEY, OLDEST, NOW)[0]
        for release in LATER:
            assert "accepts HS256" in refusals.refusals(longer, KEY, release, NOW)[0]
            assert refusals.refusals(named, KEY, release, NOW) == []

    def test_all_faults_are_returned(self):
        token = forge({"exp": NOW - 9}, {"alg": "HS256", "typ": "x"}, key=b"other")
        assert len(refusals.refusals(token, KEY, RELEASES[-1], NOW)) == 4

    def test_users_are_not_checked_by_default(self):
        assert refusals.refusals(forge(dict(GOOD, sun="nemo")), KEY, RELEASES[-1], NOW) == []

    @pytest.mark.parametrize("head", [b"-----BEGIN RSA PRIVATE KEY-----\n", b"ssh-rsa AAAA", b""])
    def test_any_file_that_slurm_accepts_as_a_key_signs_as_there(self, head):
        key = head + b"x" * 40 + b"\n-----END RSA PRIVATE KEY-----\n"
        token = issue.sign(GOOD, key)
        assert refusals.refusals(forge(GOOD, key=key), key, RELEASES[-1], NOW) == []
        assert refusals.refusals(token, key, RELEASES[-1], NOW) == []
        assert refusals.refusals(token, KEY, RELEASES[-1], NOW) != []
        assert codec.split(token).claims == GOOD

    @given(st.binary(min_size=1, max_size=40), st.sampled_from(RELEASES))
    def test_no_other_key_signs(self, key, release):
        token = issue.sign(GOOD, KEY)
        assert bool(refusals.refusals(token, key, release, NOW)) == (key != KEY)


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("1", 1), ("1800", 1800), ("30m", 1800), ("12h", 43200), ("7d", 604800), ("1w3d", 864000), (" 90 s ", 90)],
    )
    def test_seconds(self, text, seconds):
        assert issue.lifespan(text) == seconds

    @pytest.mark.parametrize("text", ["", "x", "1800x", "-5", "1.5h", "1e3", "30M", "0x10", "5 min", "１", "9" * 11])
    def test_what_is_no_duration(self, text):
        with pytest.raises(TokenError, match="is not a duration"):
            issue.lifespan(text)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("0", "too short"),
            ("0d", "too short"),
            ("367d", "more than 366 days"),
            ("infinite", "more than 366 days"),
            ("UNLIMITED", "more than 366 days"),
            ("2147483647", "more than Slurm can count"),
        ],
    )
    def test_lifespans_that_are_refused(self, text, reason):
        with pytest.raises(TokenError, match=reason):
            issue.lifespan(text)

    def test_allow_endless(self):
        assert issue.lifespan("infinite", allow_endless=True) == 2147483646
        assert issue.lifespan("366d") == issue.LONGEST
        for text in ("0", "2147483647"):
            with pytest.raises(TokenError):
                issue.lifespan(text, allow_endless=True)

    def test_the_limit_of_the_site(self):
        assert issue.lifespan("1h", limit=3600) == 3600
        with pytest.raises(TokenError, match="more than max_token_lifespan=3600"):
            issue.lifespan("3601", limit=3600)
        assert issue.lifespan("3601", limit=3600, allow_endless=True) == 3601


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


class TestMaking:
    def test_the_claims_are_those_of_scontrol(self):
        assert issue.claims_for("alice", 1800, NOW + 0.9) == GOOD
        assert issue.claims_for("alice", 1800, NOW, "preferred_username") == {
            "iat": NOW,
            "exp": NOW + 1800,
            "preferred_username": "alice",
        }

    @pytest.mark.parametrize("claim", ["iat", "exp", "sun", "username", "mine"])
    def test_reserved_claims(self, claim):
        with pytest.raises(TokenError, match=f"claim '{claim}' is reserved"):
            issue.claims_for("alice", 5, NOW, "mine", {claim: 1, "other": 2})

    @pytest.mark.parametrize("user", ["", " ", "-x", "a b", "a\nX-SLURM-USER-NAME: root", "a:b", "a,b", "../x", "a\0"])
    def test_invalid_user_names(self, user):
        with pytest.raises(TokenError, match="cannot be the name of a user"):
            issue.claims_for(user, 5, NOW)
        with pytest.raises(TokenError, match="cannot be the name of a user"):
            file_format.render("header", forge(GOOD), user)

    @pytest.mark.parametrize("user", ["a", "svc-web", "a.b_c", "DOM\\bob", "bob@example.org", "jürgen", "x$"])
    def test_valid_user_names(self, user):
        assert issue.claims_for(user, 5, NOW)["sun"] == user

    @given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
    def test_what_is_signed_can_be_read_back(self, extra):
        try:
            claims = issue.claims_for("alice", 1800, NOW, extra=extra)
        except TokenError:
            return
        # PyJWT 2.10 and later sign no issuer that is no text.
        assume(isinstance(extra.get("iss", ""), str))
        token = issue.sign(claims, KEY)
        assert codec.split(token).claims == claims
        assert codec.split(token).header == {"alg": "HS256", "typ": "JWT"}
        assert codec.signed_by(token, KEY)
        assert refusals.refusals(token, KEY, RELEASES[0], NOW) == []

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**64, chr(0), chr(0xDC00), {1, 2}, b"x"])
    def test_claims_that_no_slurm_could_read_are_refused(self, value):
        with pytest.raises(TokenError, match="Slurm cannot read"):
            issue.claims_for("alice", 1800, NOW, extra={"x": [value]})

    def test_a_kid_goes_into_the_header(self):
        assert codec.split(issue.sign(GOOD, KEY, kid="k1")).header["kid"] == "k1"

    def test_an_unsigned_token_has_no_signature(self):
        token = issue.sign(GOOD, b"", "none")
        assert token.endswith(".")
        assert codec.split(token).header["alg"] == "none"

    @pytest.mark.parametrize(
        ("claims", "key", "algorithm"),
        [
            (GOOD, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "RS256"),
            ({"x": {1}}, KEY, "HS256"),
        ],
    )
    def test_no_key_in_the_message_if_signing_fails(self, claims, key, algorithm):
        with pytest.raises(
            TokenError, match=r"PyJWT [\d.]+ cannot sign with this key and these claims: .*[^.]\.$"
        ) as exc:
            issue.sign(claims, key, algorithm)
        assert "AAAA" not in str(exc.value)

    def test_a_short_key_causes_no_warning(self):
        assert codec.signed_by(issue.sign(GOOD, b"short"), b"short")

    def test_the_bytes_of_pyjwt_1_are_text(self, monkeypatch):
        """The real PyJWT 1.7.1 is met on Debian 11, in the lab."""
        old = types.SimpleNamespace(
            encode=lambda *_args, **_named: b"a.b.c", PyJWTError=ValueError, __version__="1.7.1"
        )
        monkeypatch.setitem(sys.modules, "jwt", old)
        assert issue.sign(GOOD, KEY) == "a.b.c"

    def test_without_pyjwt_the_package_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "jwt", None)
        with pytest.raises(TokenError, match="python3-jwt"):
            issue.sign(GOOD, KEY)

    def test_another_library_of_that_name_is_refused(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "jwt", sys)
        with pytest.raises(TokenError, match="is not PyJWT"):
            issue.sign(GOOD, KEY)

    def test_pyjwt_is_imported_for_signing_only(self):
        code = (
            "import sys\n"
            f"from {freshness.__name__} import stale\n"
            f"from {issue.__name__} import sign\n"
            f"from {refusals.__name__} import refusals, Release\n"
            f"assert stale({forge(GOOD).encode()!r}, 'raw', 'alice', 1800, 1, {{}}, {KEY!r}, {NOW}) is None\n"
            f"assert refusals({forge(GOOD)!r}, {KEY!r}, Release(24, 11), {NOW}) == []\n"
            "assert 'jwt' not in sys.modules\n"
            f"sign({GOOD!r}, {KEY!r})\n"
            "assert 'jwt' in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ, PYTHONPATH=":".join(sys.path)))


USERS = st.text(min_size=1, max_size=20).filter(lambda text: issue._USER.fullmatch(text) and text.isprintable())


class TestFiles:
    @given(USERS, st.sampled_from(file_format.FORMATS))
    def test_what_is_rendered_can_be_extracted(self, user, form):
        token = forge(dict(GOOD, sun=user))
        assert file_format.extract(form, file_format.render(form, token, user)) == token

    def test_the_files_look_as_documented(self):
        token = forge(GOOD)
        assert file_format.render("raw", token, "alice") == token.encode()
        assert file_format.render("env", token, "alice") == f"SLURM_JWT={token}\n".encode()
        assert file_format.render("header", token, "alice") == (
            f"X-SLURM-USER-NAME: alice\nX-SLURM-USER-TOKEN: {token}\n".encode()
        )
        assert json.loads(file_format.render("json", token, "alice")) == {
            "user": "alice",
            "token": token,
            "expires": NOW + 1800,
        }
        nginx, apache = (file_format.render(form, token, "alice").decode() for form in ("nginx", "apache"))
        assert nginx == f'proxy_set_header X-SLURM-USER-TOKEN "{token}";\n'
        assert apache == f'RequestHeader set X-SLURM-USER-TOKEN "{token}"\n'

    @pytest.mark.parametrize(
        ("form", "text"),
        [
            ("raw", "{}\n"),
            ("raw", "\n  {}  \r\n"),
            ("env", "export SLURM_JWT='{}'"),
            ("env", '# mine\r\n  SLURM_JWT="{}"  \r\nOTHER=1\r\n'),
            ("header", "x-slurm-user-token:{}"),
            ("json", '{{"token": "{}", "more": []}}'),
            ("nginx", "# mine\n    proxy_set_header  x-slurm-user-token {};\n"),
            ("apache", "<Location />\r\n\tRequestHeader set X-SLURM-USER-TOKEN {}\r\n</Location>\r\n"),
        ],
    )
    def test_files_written_by_hand_are_read(self, form, text):
        token = forge(GOOD)
        assert file_format.extract(form, text.format(token).encode()) == token

    @pytest.mark.parametrize(
        ("form", "data", "message"),
        [
            ("raw", b"", "not a token"),
            ("raw", b"\xff\xfe", "binary data"),
            ("env", b"SLURM_JWT=", "not a token"),
            ("env", forge(GOOD).encode(), "no line SLURM_JWT="),
            ("header", f"X-SLURM-USER-NAME: {forge(GOOD)}".encode(), "no line X-SLURM-USER-TOKEN:"),
            ("json", b"{", "not JSON"),
            ("json", b"[" * 100_000, "not JSON"),
            ("json", b"[]", "has no text as its member 'token'"),
            ("json", b'{"token": 7}', "has no text as its member 'token'"),
            ("nginx", f"proxy_set_header X-SLURM-USER-NAME {forge(GOOD)};".encode(), "no line that sets"),
            ("nginx", f"proxy_set_header X-SLURM-USER-TOKEN {forge(GOOD)}".encode(), "no line that sets"),
            ("apache", f"RequestHeader unset X-SLURM-USER-TOKEN {forge(GOOD)}".encode(), "no line that sets"),
            ("xml", b"", "not a format"),
        ],
    )
    def test_files_without_a_token(self, form, data, message):
        with pytest.raises(TokenError, match=message):
            file_format.extract(form, data)

    def test_an_unknown_format_is_named(self):
        with pytest.raises(TokenError, match="'xml' is not a format"):
            file_format.render("xml", forge(GOOD), "alice")


class TestStale:
    @staticmethod
    def reason_of(data: bytes, form="raw", user="alice", seconds=1800, left=360, claims=None, key=KEY, now=NOW):
        return freshness.stale(data, form, user, seconds, left, claims or {}, key, now)

    @pytest.mark.parametrize("form", file_format.FORMATS)
    def test_a_good_file_stays_until_little_is_left(self, form):
        data = file_format.render(form, forge(GOOD), "alice")
        assert self.reason_of(data, form) is None
        assert self.reason_of(data, form, now=NOW + 1440) is None
        assert self.reason_of(data, form, now=NOW + 1441) == "expiring"
        assert self.reason_of(data, form, now=NOW + 99999) == "expiring"

    @pytest.mark.parametrize(
        ("token", "reason"),
        [
            (forge(GOOD, key=b"old"), "key"),
            (forge(dict(GOOD, sun="bob")), "user"),
            (forge(dict(GOOD, username="root")), "claims"),
            (forge(dict(GOOD, extra=1)), "claims"),
            (forge(dict(GOOD, exp=NOW + 1801)), "lifespan"),
            (forge({"exp": NOW + 9, "sun": "alice"}), "unreadable"),
            (forge({"iat": NOW, "sun": "alice"}), "unreadable"),
            (forge(GOOD, {"alg": "none"}), "algorithm"),
            (forge(GOOD, {"alg": "HS512"}, digest=hashlib.sha512), "algorithm"),
            (forge(GOOD) + "\n", "format"),
            ("", "unreadable"),
            (forge(GOOD)[:40], "unreadable"),
        ],
    )
    def test_reasons(self, token, reason):
        assert self.reason_of(token.encode()) == reason

    def test_a_header_file_with_another_name_is_not_left(self):
        data = file_format.render("header", forge(GOOD), "alice").replace(b"NAME: alice", b"NAME: root")
        assert self.reason_of(data, "header") == "format"

    def test_the_expected_claims(self):
        data = forge(dict(GOOD, role="x")).encode()
        assert self.reason_of(data, claims={"role": "x"}) is None
        assert self.reason_of(data, claims={"role": "y"}) == "claims"

    def test_without_a_key_the_signature_is_not_checked(self):
        assert self.reason_of(forge(GOOD, key=b"old").encode(), key=None) is None

    @given(st.binary(max_size=300), st.sampled_from(file_format.FORMATS))
    def test_any_content_gets_an_answer(self, data, form):
        assert self.reason_of(data, form) == "unreadable"


class TestScontrol:
    @pytest.mark.parametrize(
        ("code", "errors", "meaning"),
        [
            (
                1,
                "scontrol: error: slurm_fetch_token: error with request: Access/permission denied",
                "disable_token_creation",
            ),
            (
                1,
                "slurm_fetch_token: error with request: Invalid user id\nError fetching token",
                "only for root and SlurmUser",
            ),
            (
                1,
                "error with request: Requested time limit is invalid (missing or exceeds some limit)",
                "max_token_lifespan",
            ),
            (1, "error with request: Required plugin type not loaded or initialized", "has not loaded auth/jwt"),
            (1, "error with request: Token Generation failed.", "only jwks="),
            (1, "Error fetching token", "auth/jwt is not loaded, or has jwks= only"),
            (1, "error receiving response: Unable to contact slurm controller (connect failure)", "does not answer"),
            (1, "error receiving response: Zero Bytes were transmitted or received\nError fetching token", "munge"),
            (1, "error receiving response: Protocol authentication error", "munge"),
            (124, "", "does not answer in time"),
            (137, "", "does not answer in time"),
            (2, "", "exit code 2: it printed no reason"),
            (1, "something new", "exit code 1: something new"),
        ],
    )
    def test_its_errors_become_remedies(self, code, errors, meaning):
        assert meaning in scontrol.why_scontrol_failed(code, errors)

    def test_its_token_is_used(self):
        assert scontrol.token_from_scontrol(f"SLURM_JWT={forge(GOOD)}\n", "alice", 1800) == forge(GOOD)

    @pytest.mark.parametrize(
        ("output", "message"),
        [
            ("", "holds no token"),
            (f"SLURM_JWT={forge(dict(GOOD, sun='root'))}", "for 'root' instead of 'alice'"),
            (f"SLURM_JWT={forge(dict(GOOD, exp=NOW + 5))}", "for 5 s instead of 1800 s"),
        ],
    )
    def test_another_token_is_not_used(self, output, message):
        with pytest.raises(TokenError, match=message):
            scontrol.token_from_scontrol(output, "alice", 1800)
