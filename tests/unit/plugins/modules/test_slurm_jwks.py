# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import stat
import time

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import file
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import key_set as key_sets
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import record as jwks_record
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.fetch import DISCOVERY
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import jwk as one_jwk
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwks
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils.hostile_key_sets import SAMPLES
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.module_utils.issuers import Issuer, authority, make_authority
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import run

PRIVATE = [rsa.generate_private_key(65537, 2048) for _number in range(3)]
KEYS = [private.public_key().public_numbers() for private in PRIVATE]
A, B, C = (one_jwk.Jwk(kid, numbers.n, numbers.e) for kid, numbers in zip("abc", KEYS))
DAY = 86_400

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")


def key_set(*keys):
    return {"keys": [one_jwk.members(key) for key in keys]}


class Host:
    """A folder for the key set, and the module run on it. An hour has gone by in it if AHEAD says 3600."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.path = folder / "jwks.json"
        self.record = folder / "jwks.json.record"

    def run(self, *keys, check=False, diff=True, ahead=0, **options):
        params = {"path": str(self.path), **options}
        if params.get("state") != "absent" and "sources" not in options:
            params["sources"] = [{"data": key_set(*keys)}]

        def prepare():
            real = time.time
            time.time = lambda: real() + ahead

        return run(slurm_jwks, params, check, diff, prepare)

    def works(self, *keys, **options):
        result = self.run(*keys, **options)
        assert not result.get("failed"), result["msg"]
        return result

    def fails(self, *keys, **options):
        before = self.state()
        result = self.run(*keys, **options)
        assert result.get("failed"), result
        assert self.state() == before
        return result["msg"]

    def state(self):
        return {
            path.name: (path.read_bytes(), path.stat().st_mode, path.stat().st_ino) for path in self.folder.iterdir()
        }

    @property
    def kids(self):
        return [key["kid"] for key in json.loads(self.path.read_bytes())["keys"]]


@pytest.fixture
def host(tmp_path):
    folder = tmp_path / "slurm"
    folder.mkdir()
    return Host(folder)


class TestPresent:
    def test_the_file_is_made_once(self, host):
        first = host.works(A, B)
        assert (first["changed"], first["content_changed"], first["added"]) == (True, True, ["a", "b"])
        assert host.path.read_bytes() == key_sets.render([A, B])
        assert stat.S_IMODE(host.path.stat().st_mode) == stat.S_IMODE(host.record.stat().st_mode) == 0o400
        before = host.state()
        second = host.works(B, A)
        assert (second["changed"], second["content_changed"], second["kept"]) == (False, False, ["a", "b"])
        assert second["diff"]["before"] == second["diff"]["after"]
        assert host.state() == before
        assert set(first) == set(second)
        assert first["jwks"] == key_set(A, B)
        assert first["fingerprint"] == second["fingerprint"]

    def test_results_and_options_are_the_documented_ones(self, host):
        documented = yaml.safe_load(slurm_jwks.RETURN)
        result = host.works(A)
        assert set(result) - {"invocation", "diff", "changed", "everything", "warnings"} == set(documented)
        message = yaml.safe_load(slurm_jwks.DOCUMENTATION)["options"]
        assert set(message) | {"owner", "group"} == set(slurm_jwks.ARGUMENTS)
        assert set(message["sources"]["suboptions"]) == set(slurm_jwks.SOURCE_OPTIONS)
        for name, option in slurm_jwks.ARGUMENTS.items():
            if name in message:
                assert (message[name]["type"], message[name].get("default")) == (option["type"], option.get("default"))

    @pytest.mark.parametrize("issuer", sorted(SAMPLES))
    def test_documents_as_issuers_publish_them(self, host, issuer):
        result = host.works(sources=[{"data": SAMPLES[issuer].decode()}])
        assert host.path.read_bytes() == key_sets.render(key_sets.parse(SAMPLES[issuer]).keys)
        assert len(result["dropped"]) == (issuer == "keycloak")
        again = host.works(sources=[{"data": json.loads(SAMPLES[issuer])}])
        assert not again["changed"]

    def test_all_kinds_of_sources_together(self, host, tmp_path):
        (tmp_path / "keys.json").write_text(json.dumps(key_set(B)))
        pem = KEYS[2].public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        with Issuer({"/keys": json.dumps(key_set(A)).encode()}) as idp:
            idp.pages[DISCOVERY] = json.dumps({"issuer": idp.url, "jwks_uri": idp.url + "/keys"}).encode()
            sources = [
                {"issuer": idp.url, "allow_http": True},
                {"url": idp.url + "/keys", "allow_http": True},
                {"path": str(tmp_path / "keys.json")},
                {"data": pem.decode(), "kid": "c"},
                {"data": one_jwk.members(A)},
            ]
            result = host.works(sources=sources)
            assert idp.asked == [DISCOVERY, "/keys", "/keys"]
        assert result["kids"] == host.kids == ["a", "b", "c"]
        record = jwks_record.parse_record(host.record.read_bytes())
        assert [noted.sources for noted in record.keys] == [
            tuple(sorted([sources[0]["issuer"], sources[1]["url"], "sources[4]"])),
            (sources[2]["path"],),
            ("sources[3]",),
        ]

    def test_over_tls_with_an_authority_of_the_site(self, host, tmp_path):
        trusted = make_authority(tmp_path)
        with Issuer({"/keys": json.dumps(key_set(A)).encode()}, tls=authority(trusted)) as idp:
            source = {"url": idp.url + "/keys"}
            assert "its certificate cannot be verified" in host.fails(sources=[source])
            assert host.works(sources=[{**source, "ca_path": str(trusted / "ca.pem")}])["kids"] == ["a"]
            known = host.works(sources=[{**source, "ca_path": "/nowhere"}])
        assert "ca_path: /nowhere cannot be used" in known["failed_sources"][0]["reason"]
        assert known["kids"] == ["a"]

    def test_check_mode_changes_nothing_and_says_the_same(self, host):
        expected = host.works(A, check=True)
        assert not host.state()
        assert {**expected, "everything": 0} == {**host.works(A), "everything": 0}
        before = host.state()
        assert host.works(B, check=True)["changed"]
        assert host.state() == before

    def test_check_mode_before_anything_is_there(self, host):
        result = host.run(
            sources=[{"path": str(host.folder / "later.pem")}, {"data": None}],
            path="/nowhere/jwks.json", owner="later", check=True,
        )
        assert (result["changed"], result["owner"], result["jwks"]) == (True, "later", None)
        host.works(A)
        known = host.works(sources=[{"data": key_set(B)}, {"data": ""}], check=True)
        assert (known["kids"], known["added"], known["kept"]) == (["a", "b"], ["b"], ["a"])

    @as_root
    def test_owner_and_mode_are_as_declared(self, host):
        result = host.works(A, owner="nobody", mode="0440")
        assert (result["owner"], result["mode"]) == ("nobody", "0440")
        assert not host.works(A, owner="nobody", mode="0440")["changed"]
        assert "the task declares no owner" in host.fails(A, mode="0440")
        host.path.chmod(0o646)
        os.chown(host.path, 0, 0)
        result = host.works(A, owner="nobody", mode="0440")
        assert (result["changed"], result["content_changed"]) == (True, False)
        assert "every user of the host could write it" in result["everything"]
        for path in (host.path, host.record):
            assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (65534, 0o440)


class TestWithdrawnKeys:
    def test_one_stays_for_its_tokens_and_is_removed(self, host):
        host.works(A)
        after = host.works(B, retain="2h")
        assert host.kids == ["a", "b"]
        assert [each["kid"] for each in after["retired"]] == ["a"]
        assert after["next_change"] == after["retired"][0]["until"]
        quiet = host.works(B, retain="2h", ahead=7000)
        assert not quiet["changed"]
        assert quiet["retired"] == after["retired"]
        assert quiet["diff"]["before"] == quiet["diff"]["after"]
        end = host.works(B, retain="2h", ahead=7300)
        assert host.kids == ["b"]
        assert end["removed"] == [{"kid": "a", "reason": "is in no source any more"}]
        assert not host.works(B, retain="2h", ahead=7300)["changed"]

    def test_that_it_is_withdrawn_is_no_change_for_daemons(self, host):
        host.works(A, B)
        result = host.works(B)
        assert (result["changed"], result["content_changed"]) == (True, False)
        assert result["previous_fingerprint"] is None

    def test_a_file_made_by_hand_is_adopted(self, host):
        host.path.write_text(json.dumps({"keys": [{**one_jwk.members(A), "x5t": "?"}, {"kty": "EC"}]}))
        result = host.works(B)
        assert [each["kid"] for each in result["retired"]] == ["a"]
        assert result["dropped"] == [
            {"source": str(host.path), "kid": "number 2", "reason": "is of kty 'EC', not RSA"}
        ]
        assert host.path.read_bytes() == key_sets.render([A, B])

    def test_a_host_that_joins_inherits_them(self, host, tmp_path):
        host.works(A, B)
        after = host.works(B, retain="2h")["retired"][0]
        jwk = {"jwk": one_jwk.members(A), "until": after["until"]}
        (tmp_path / "late").mkdir()
        late = Host(tmp_path / "late")
        first = late.works(B, retain="2h", inherited=[jwk], ahead=3600)
        assert (first["retired"], first["added"]) == ([after], ["b"])
        assert sorted(late.kids) == ["a", "b"]
        again = late.works(B, retain="2h", inherited=[jwk], ahead=3600)
        assert not again["changed"]
        assert not late.works(B, retain="2h", ahead=7000)["changed"]
        assert [each["kid"] for each in late.works(B, retain="2h", ahead=7300)["removed"]] == ["a"]

    def test_inherited_keys_are_checked_like_others(self, host):
        until = "2999-01-01T00:00:00Z"
        assert "inherited: a key is of kty 'EC'" in host.fails(B, inherited=[{"jwk": {"kty": "EC"}, "until": until}])
        assert "'soon' is not a time" in host.fails(B, inherited=[{"jwk": one_jwk.members(A), "until": "soon"}])
        inherited = [{"jwk": one_jwk.members(A), "until": until}]
        assert host.works(B, remove=["a"], inherited=inherited)["kids"] == ["b"]

    def test_no_expired_key_is_inherited_and_none_by_an_existing_file(self, host):
        over = [{"jwk": one_jwk.members(A), "until": "2020-01-01T00:00:00Z"}]
        assert host.works(B, inherited=over)["kids"] == ["b"]
        assert not host.works(B, inherited=[{"jwk": one_jwk.members(A), "until": "2999-01-01T00:00:00Z"}])["changed"]

    def test_or_merged(self, host):
        host.path.write_text(json.dumps(key_set(A)))
        assert host.works(B, merge=True)["kept"] == ["a"]
        assert host.works(B, merge=True, ahead=9 * DAY)["kids"] == ["a", "b"]

    def test_a_key_in_remove_is_removed_at_once(self, host):
        host.works(A, B)
        result = host.works(A, B, remove=["a"])
        assert host.kids == ["b"]
        assert result["removed"][0]["kid"] == result["dropped"][0]["kid"] == "a"
        assert not host.works(A, B, remove=["a"])["changed"]

    @pytest.mark.parametrize("merge", [True, False])
    def test_killed_between_two_files_the_next_run_ends_the_same(self, host, merge, monkeypatch):
        """A key that was to go is on record until it is gone: it is nobody else's key."""
        host.works(A, B, merge=merge)
        host.works(B, merge=merge)
        writes = []

        def die(path, *args, real=file.replace):
            if len(writes) == 1:
                os.kill(os.getpid(), 9)
            writes.append(path)
            real(path, *args)

        with monkeypatch.context() as patch:
            patch.setattr(file, "replace", die)
            with pytest.raises(AssertionError, match="crashed"):
                host.run(B, merge=merge, ahead=2 * DAY)
        host.works(B, merge=merge, ahead=2 * DAY)
        assert host.kids == ["b"]
        assert not host.works(B, merge=merge, ahead=2 * DAY)["changed"]


class TestSourcesAreApart:
    """A source that fails, floods or lies takes no key of another, and keeps none trusted."""

    @staticmethod
    def with_data(idp, *keys):
        return [{"url": idp.url + "/keys", "allow_http": True}, *({"data": key_set(key)} for key in keys)]

    @pytest.mark.parametrize(
        "page",
        [
            None,
            b"",
            b'{"keys": []}',
            b"<html>",
            b"[" * 9999,
            b'{"keys": [{"kty": "EC", "kid": "e"}]}',
            ("raw", b"HTTP/1.1 500 No\r\n\r\n"),
            ("raw", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
            ("raw", b"\xff\xfe\r\n\r\n"),
            ("trickle", "headers"),
        ],
        ids=range(10),
    )
    def test_distrust_waits_for_none(self, host, page):
        with Issuer({"/keys": json.dumps(key_set(A, B)).encode()}) as idp:
            host.works(sources=self.with_data(idp, C))
            idp.pages["/keys"] = page
            result = host.works(sources=self.with_data(idp, C), remove=["a"], timeout=1)
            assert host.kids == ["b", "c"]
            assert [(lost["kid"], lost["reason"][:18]) for lost in result["removed"]] == [("a", "is named in remove")]
            assert result["distrusts"]
            assert [failed["source"] for failed in result["failed_sources"]] == [idp.url + "/keys"]
            assert not host.works(sources=self.with_data(idp, C), remove=["a"], timeout=1)["changed"]

    def test_the_end_of_a_withdrawn_key_waits_for_none(self, host):
        with Issuer({"/keys": json.dumps(key_set(A, B)).encode()}) as idp:
            host.works(sources=self.with_data(idp, C), retain="2h")
            idp.pages["/keys"] = json.dumps(key_set(B)).encode()
            host.works(sources=self.with_data(idp, C), retain="2h")
            idp.pages.clear()
            host.works(sources=self.with_data(idp, C), retain="2h", ahead=7000)
            assert host.kids == ["a", "b", "c"]
            host.works(sources=self.with_data(idp, C), retain="2h", ahead=7300)
            assert host.kids == ["b", "c"]

    def test_every_key_may_be_distrusted_while_all_sources_fail(self, host):
        with Issuer({"/keys": json.dumps(key_set(A)).encode()}) as idp:
            host.works(sources=self.with_data(idp))
            idp.pages.clear()
            result = host.works(sources=self.with_data(idp), remove=["a"])
            assert (result["jwks"], result["content_changed"], result["kids"]) == ({"keys": []}, True, [])
            again = host.works(sources=self.with_data(idp), remove=["a"])
            assert not again["changed"]
            idp.pages["/keys"] = json.dumps(key_set(A, B)).encode()
            assert host.works(sources=self.with_data(idp), remove=["a"])["kids"] == ["b"]

    def test_a_removed_key_is_known_by_its_modulus(self, host):
        host.works(A, B)
        host.works(A, B, remove=["a"])
        for twin in (one_jwk.Jwk("other", A.n, A.e), one_jwk.Jwk("a", A.n, 3), one_jwk.Jwk("x", A.n, 17)):
            assert host.works(twin, B, remove=["a"])["kids"] == ["b"]
        assert host.works(one_jwk.Jwk("other", A.n, A.e), B)["kids"] == ["b", "other"]

    def test_the_others_are_updated_while_one_fails(self, host):
        with Issuer({"/keys": json.dumps(key_set(A)).encode()}) as idp:
            host.works(sources=self.with_data(idp, B))
            idp.pages.clear()
            assert host.works(sources=self.with_data(idp, C))["added"] == ["c"]

    def test_an_unknown_source_must_answer(self, host):
        host.works(A)
        with Issuer({}) as idp:
            assert "answers 404" in host.fails(sources=self.with_data(idp, A))
            assert host.works(sources=[*self.with_data(idp, A, B)], remove=["a"])["kids"] == ["b"]

    def test_an_invented_private_part_removes_nothing(self, host):
        host.works(A, B)
        lie = {**one_jwk.members(A), "kid": "lie", "d": "AQAB"}
        result = host.works(sources=[{"data": key_set(A, B)}, {"data": {"keys": [lie, one_jwk.members(C)]}}])
        assert result["kids"] == ["a", "b", "c"]

    def test_a_real_private_part_distrusts_the_modulus_for_good(self, host):
        host.works(A, B)
        leak = {**one_jwk.members(A), "kid": "leak", "d": one_jwk.encode(PRIVATE[0].private_numbers().d)}
        leaking = {"keys": [leak, one_jwk.members(C)]}
        assert host.works(sources=[{"data": key_set(A, B)}, {"data": leaking}])["kids"] == ["b", "c"]
        assert host.works(sources=[{"data": key_set(A, B)}, {"data": key_set(C)}])["kids"] == ["b", "c"]

    def test_a_weak_key_of_the_file_is_removed_before_a_source_is_read(self, host):
        weak = one_jwk.Jwk("weak", PRIVATE[0].private_numbers().p ** 3, 65537)
        with Issuer({"/keys": json.dumps(key_set(A)).encode()}) as idp:
            host.works(sources=self.with_data(idp))
            host.path.chmod(0o600)
            host.path.write_bytes(key_sets.render([A, weak]))
            idp.pages.clear()
            assert host.works(sources=self.with_data(idp))["kids"] == host.kids == ["a"]


class TestRefusals:
    """Nothing that a source says takes the file away or spoils it."""

    @pytest.mark.parametrize(
        ("page", "because"),
        [
            (b"<!DOCTYPE html><title>Log in</title>", "is an HTML or XML page"),
            (b"", "is empty"),
            (b'{"keys": []}', "has no key at all"),
            (b'{"keys": [{"kty": "EC", "kid": "e"}]}', "has no key that Slurm may trust: e is of kty 'EC', not RSA"),
            (b'{"keys": [' + b"[" * 9999, "nested more than"),
            (b" " * 2_000_000, "sends more than"),
            (("redirect", "file:///etc/passwd"), "redirects"),
            (None, "answers 404"),
        ],
        ids=["html", "empty", "no-keys", "other-keys", "nested", "large", "redirect", "missing"],
    )
    def test_a_page_that_is_no_key_set(self, host, page, because):
        host.works(A)
        with Issuer({"/keys": page} if page is not None else {}) as idp:
            message = host.fails(sources=[{"url": idp.url + "/keys", "allow_http": True}])
        assert because in message
        assert idp.url in message
        assert f"{host.path} was left as it is." in message

    def test_one_bad_source_among_good_ones(self, host):
        host.works(A)
        assert "sources[1] is neither" in host.fails(sources=[{"data": key_set(A, B)}, {"data": "oops"}])

    def test_a_kid_for_what_has_one_already(self, host):
        for keys in ((A,), (A, B)):
            message = host.fails(sources=[{"data": key_set(*keys), "kid": "site"}])
            assert "kid: site names none of them" in message

    def test_a_slow_one(self, host):
        with Issuer({"/keys": ("trickle", "body")}) as idp:
            begin = time.monotonic()
            message = host.fails(sources=[{"url": idp.url + "/keys", "allow_http": True}], timeout=1)
        assert "within 1 s" in message or "timed out" in message
        assert time.monotonic() - begin < 8

    def test_plain_http(self, host):
        with Issuer({}) as idp:
            assert "is plain http" in host.fails(sources=[{"url": idp.url + "/keys"}])
            assert not idp.asked

    def test_the_loss_of_every_key(self, host):
        host.works(A)
        assert "would be removed at once" in host.fails(B, retain="0")
        assert host.works(A, remove=["a"])["jwks"] == {"keys": []}
        assert not host.works(A, remove=["a"])["changed"]
        host.works(A)
        assert host.works(B, retain="0", force=True)["kids"] == ["b"]

    def test_two_keys_of_one_kid(self, host):
        result = host.works(A, one_jwk.Jwk("a", B.n, B.e))
        assert result["kids"] == ["a"]
        assert "has the kid of another key that is trusted already" in result["everything"]
        assert host.path.read_bytes() == key_sets.render([A])

    def test_private_parts_are_never_written_nor_said(self, host):
        private = PRIVATE[0].private_numbers()
        secret = one_jwk.encode(private.d)
        message = host.fails(sources=[{"data": {"keys": [{**one_jwk.members(A), "d": secret}]}}])
        assert "private part" in message
        assert secret not in message
        result = host.works(sources=[{"data": {"keys": [{**one_jwk.members(A), "d": secret}, one_jwk.members(B)]}}])
        assert "sources[0] publishes the private part of a key" in result["everything"]
        assert host.kids == ["b"]
        assert secret.encode() not in host.path.read_bytes() + host.record.read_bytes()

    def test_a_file_that_is_no_key_set(self, host):
        host.path.write_text("ClusterName=x\n")
        assert "neither JSON nor PEM" in host.fails(A)
        assert "neither JSON nor PEM" in host.fails(state="absent")
        assert host.works(A, force=True)["kids"] == ["a"]

    def test_an_empty_key_set_is_one(self, host):
        host.path.write_text('{"keys": []}')
        assert host.works(A)["kids"] == ["a"]

    def test_folders_that_others_can_write(self, host, tmp_path):
        source = tmp_path / "keys.json"
        source.write_text(json.dumps(key_set(A)))
        source.chmod(0o666)
        assert "writable by every user" in host.fails(sources=[{"path": str(source)}])
        host.folder.chmod(0o777)
        assert "writable by every user" in host.fails(A)

    def test_a_symbolic_link(self, host, tmp_path):
        host.path.symlink_to(tmp_path / "elsewhere")
        assert "symbolic link" in host.run(A)["msg"]

    @pytest.mark.parametrize(
        ("options", "because"),
        [
            ({"sources": []}, "sources is required"),
            ({"sources": [{}]}, "sources[0] needs exactly one"),
            ({"sources": [{"url": "https://x", "issuer": "https://x"}]}, "it has 2"),
            ({"sources": [{"path": "/nowhere/x.pem"}]}, "does not exist"),
            ({"retain": "soon"}, "retain: 'soon' is not a duration"),
            ({"retain": "-1"}, "retain: '-1' is not a duration"),
            ({"min_bits": 512}, "min_bits: 512 is out of range"),
            ({"timeout": 0}, "timeout: 0 is out of range"),
            ({"mode": "0644"}, "gives permissions to every user"),
            ({"owner": "no-such-user"}, "there is no user 'no-such-user'"),
            ({"min_bits": 4096}, "4096 is the least"),
        ],
    )
    def test_options_that_are_wrong(self, host, options, because):
        assert because in host.fails(A, **options)


class TestAbsent:
    def test_file_and_record_are_removed(self, host):
        host.works(A)
        assert host.works(state="absent", check=True)["changed"]
        assert host.state()
        after = host.works(state="absent")
        assert (after["changed"], after["content_changed"], after["state"]) == (True, True, "absent")
        assert not host.state()
        again = host.works(state="absent")
        assert (again["changed"], again["content_changed"]) == (False, False)
        assert not host.works(state="absent", path="/nowhere/jwks.json")["changed"]


def test_runs_at_the_same_time_make_one_file(host):
    children = []
    for _run in range(6):
        pid = os.fork()
        if pid == 0:
            result = host.run(A, B)
            os._exit(int(bool(result.get("failed"))) + 2 * ("a" in result["added"]))
        children.append(pid)
    codes = [os.WEXITSTATUS(os.waitpid(pid, 0)[1]) for pid in children]
    assert sorted(codes) == [0, 0, 0, 0, 0, 2]
    assert not host.works(A, B, retain="1d")["changed"]
    assert sorted(path.name for path in host.folder.iterdir()) == ["jwks.json", "jwks.json.record"]


def test_variables_for_the_fetch_count_and_are_shown_nowhere(host):
    """A proxy that nobody can reach, with a password: what is fetched goes there, and no text shows the password."""
    proxy = ["HTTPS_PROXY=http://site:open-sesame@127.0.0.1:1", "NO_PROXY=elsewhere"]
    url = "https://keys.invalid/elsewhere"
    result = host.run(sources=[{"url": url}], environment=proxy, timeout=5)
    assert result["failed"]
    # Not that there is no host of that name: nobody asked for it.
    assert "refused" in result["msg"].lower()
    assert url in result["msg"]
    assert "open-sesame" not in result["everything"]


def test_invalid_variables_are_refused(host):
    assert "NAME=VALUE" in host.fails(A, environment=["HTTPS_PROXY"])
