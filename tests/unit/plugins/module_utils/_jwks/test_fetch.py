# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that answer as they should, and servers that do not."""

from __future__ import annotations

import json
import re
import time
from http.client import HTTPException

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import fetch as jwks_fetch
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.fetch import (
    DISCOVERY,
    FetchError,
    FetchRules,
    fetch_keys,
    fetch_keys_of_issuer,
    opener,
    refuse_address,
)
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils.issuers import Issuer, authority, make_authority

KEYS = b'{"keys": []}'
PLAIN = FetchRules(timeout=20, allow_http=True)


def refusal(url, rules=PLAIN, ca_path=None):
    with pytest.raises(FetchError) as caught:
        fetch_keys(url, opener(ca_path), rules)()
    return str(caught.value)


class TestAddresses:
    @pytest.mark.parametrize(
        ("url", "because"),
        [
            ("http://idp.example.org/keys", "is plain http"),
            ("file:///etc/shadow", "is not an http or https URL"),
            ("ftp://idp.example.org/keys", "is not an http or https URL"),
            ("idp.example.org/keys", "is not an http or https URL"),
            ("https:///keys", "is not an http or https URL"),
            ("https://idp.example.org/a b", "is not an http or https URL"),
            ("https://idp.example.org/\n", "is not an http or https URL"),
            ("https://idp.example.org:port/", "is not a URL"),
            ("https://[::1/", "is not a URL"),
            ("https://user:secret@idp.example.org/", "contains a user name"),
            ("https://login.microsoftonline.com/common/discovery/v2.0/keys", "for all its tenants"),
            ("https://LOGIN.microsoftonline.com/t/discovery/v2.0/keys", "for all its tenants"),
            ("https://login.microsoftonline.com/t/discovery/v2.0/keys?appid=1", "for all its tenants"),
            ("https://www.googleapis.com/oauth2/v3/certs", "for everybody"),
        ],
    )
    def test_some_are_refused(self, url, because):
        with pytest.raises(FetchError) as caught:
            refuse_address(url, FetchRules())
        assert because in str(caught.value)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("url", "rules"),
        [
            ("https://idp.example.org/realms/hpc/protocol/openid-connect/certs", FetchRules()),
            ("http://idp.example.org/keys", FetchRules(allow_http=True)),
            ("https://login.microsoftonline.com/t/discovery/v2.0/keys", FetchRules(allow_shared=True)),
            ("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_X/.well-known/jwks.json", FetchRules()),
        ],
    )
    def test_others_are_not(self, url, rules):
        refuse_address(url, rules)


class TestAnswers:
    def test_a_document(self):
        with Issuer({"/keys": KEYS}) as idp:
            assert fetch_keys(idp.url + "/keys", opener(None), PLAIN)() == KEYS

    def test_no_such_page(self):
        with Issuer({}) as idp:
            assert "answers 404 Not Found instead of keys" in refusal(idp.url + "/keys")

    def test_nobody_listens(self):
        with Issuer({}) as idp:
            url = idp.url
        assert "cannot be fetched" in refusal(url + "/keys")

    def test_fifty_megabytes(self):
        with Issuer({"/keys": b" " * 50_000_000}) as idp:
            assert "more than 1048576 bytes" in refusal(idp.url + "/keys")

    def test_an_answer_that_ends_early(self):
        with Issuer({"/keys": ("raw", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"keys\"")}) as idp:
            assert "bytes before the end" in refusal(idp.url + "/keys")

    @pytest.mark.parametrize("what", ["body", "chunks", "headers", "nothing"])
    def test_a_byte_a_second(self, what):
        with Issuer({"/keys": ("trickle", what)}) as idp:
            begin = time.monotonic()
            message = refusal(idp.url + "/keys", PLAIN._replace(timeout=1.5))
            assert "not answered in full within 1.5 s" in message or "timed out" in message
            assert time.monotonic() - begin < 8

    def test_slow_ones_do_not_wait_for_each_other(self):
        with Issuer({"/keys": ("trickle", "headers")}) as idp:
            begin = time.monotonic()
            started = [fetch_keys(idp.url + "/keys", opener(None), PLAIN._replace(timeout=1.5)) for _source in range(4)]
            for each in started:
                with pytest.raises(FetchError):
                    each()
            assert time.monotonic() - begin < 4

    @pytest.mark.parametrize(
        "failure",
        [RecursionError(), HTTPException("odd"), UnicodeError("odd"), MemoryError(), KeyError("odd")],
        ids=repr,
    )
    def test_whatever_a_library_raises(self, failure):
        class Answer:
            length = None

            def read1(self, _size):
                raise failure

            def close(self):
                raise failure

        with pytest.raises(FetchError, match="https://idp/keys"):
            fetch_keys("https://idp/keys", lambda _url, _timeout: Answer(), PLAIN)()

    def test_a_redirect_to_no_address(self):
        with Issuer({"/old": ("redirect", "https://[::1")}) as idp:
            assert "cannot be fetched" in refusal(idp.url + "/old")

    def test_no_http_at_all(self):
        with Issuer({"/keys": ("raw", b"SSH-2.0-OpenSSH_9.2\r\n")}) as idp:
            assert "cannot be fetched" in refusal(idp.url + "/keys")


class TestRedirects:
    def test_one_is_followed(self):
        with Issuer({"/old": ("redirect", "/new"), "/new": KEYS}) as idp:
            assert fetch_keys(idp.url + "/old", opener(None), PLAIN)() == KEYS

    def test_a_loop_ends(self):
        with Issuer({"/old": ("redirect", "/old")}) as idp:
            assert "redirects more than 5 times" in refusal(idp.url + "/old")

    @pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x/", "https://www.googleapis.com/keys"])
    def test_never_to_an_address_that_is_refused(self, target):
        with Issuer({"/old": ("redirect", target)}) as idp:
            assert f"{idp.url}/old redirects: " in refusal(idp.url + "/old")

    def test_never_from_https_to_http(self, tmp_path):
        trusted = make_authority(tmp_path)
        with Issuer({"/keys": KEYS}) as plain:
            pages = {"/old": ("redirect", plain.url + "/keys")}
            with Issuer(pages, tls=authority(trusted)) as idp:
                message = refusal(idp.url + "/old", FetchRules(timeout=20), str(trusted / "ca.pem"))
        assert "/old redirects: http://" in message
        assert "plain http" in message


class TestCertificates:
    def test_an_authority_of_the_site(self, tmp_path):
        trusted = make_authority(tmp_path)
        with Issuer({"/keys": KEYS}, tls=authority(trusted)) as idp:
            assert fetch_keys(idp.url + "/keys", opener(str(trusted / "ca.pem")), FetchRules(timeout=20))() == KEYS

    @pytest.mark.parametrize("ca", ["another", None])
    def test_the_wrong_one(self, tmp_path, ca):
        (tmp_path / "other").mkdir()
        trusted, other = make_authority(tmp_path), make_authority(tmp_path / "other")
        with Issuer({"/keys": KEYS}, tls=authority(trusted)) as idp:
            message = refusal(idp.url + "/keys", FetchRules(timeout=20), ca and str(other / "ca.pem"))
        assert "its certificate cannot be verified" in message
        assert "ca_path" in message


class TestDiscovery:
    def fetch(self, idp, stated=None, **more):
        stated = idp.url if stated is None else stated
        idp.pages[DISCOVERY] = json.dumps({"issuer": stated, "jwks_uri": idp.url + "/keys", **more}).encode()
        return fetch_keys_of_issuer(idp.url, opener(None), PLAIN)()

    def refused(self, idp, *args, **kwargs):
        with pytest.raises(FetchError) as caught:
            self.fetch(idp, *args, **kwargs)
        return str(caught.value)

    def test_the_keys_of_an_issuer(self):
        with Issuer({"/keys": KEYS}) as idp:
            assert self.fetch(idp) == (idp.url + "/keys", KEYS)
            assert self.fetch(idp, stated=idp.url + "/") == (idp.url + "/keys", KEYS)

    def test_another_issuer(self):
        with Issuer({"/keys": KEYS}) as idp:
            assert "is the configuration of the issuer 'https://evil'" in self.refused(idp, stated="https://evil")
            assert "of the issuer None" in self.refused(idp, issuer=None)

    def test_no_address_of_keys(self):
        with Issuer({}) as idp:
            assert "has no jwks_uri" in self.refused(idp, jwks_uri=None)
            assert "is not an http or https URL" in self.refused(idp, jwks_uri="file:///etc/passwd")

    @pytest.mark.parametrize("page", [b"<html>", b"[]", b"\xff", b"[" * 9999], ids=range(4))
    def test_no_configuration(self, page):
        with Issuer({DISCOVERY: page}) as idp, pytest.raises(FetchError, match="not the configuration of an OpenID"):
            fetch_keys_of_issuer(idp.url, opener(None), PLAIN)()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8098/k", "http://[::1]:1024/k", "http://localhost:6820/k", "http://127.9.9.9:65535/k"]
)
def test_an_unprivileged_port_of_this_host_is_refused(monkeypatch, url):
    monkeypatch.setattr(jwks_fetch, "FIRST_UNPRIVILEGED_PORT", 1024)
    with pytest.raises(FetchError, match=f"{re.escape(url)} .*1024"):
        refuse_address(url, PLAIN)


@pytest.mark.parametrize("url", ["http://127.0.0.1/k", "http://[::1]:1023/k", "https://127.0.0.1:8098/k"])
def test_a_privileged_port_of_this_host_is_accepted(monkeypatch, url):
    monkeypatch.setattr(jwks_fetch, "FIRST_UNPRIVILEGED_PORT", 1024)
    refuse_address(url, PLAIN)
