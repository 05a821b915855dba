# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import getpass
import json
import os
import pathlib
import stat
import time

import pytest
import yaml

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens import codec, file_format, issue, request
from ansible_collections.hpc.slurm_jwt.plugins.modules import slurm_jwt_token
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.access_lists import let_in, names_in, needs_acl
from ansible_collections.hpc.slurm_jwt.tests.unit.plugins.modules.forked import run

KEY = bytes(range(32))

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")


class Host:
    """A folder with a key, and the module run on it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.key = folder / "jwt.key"
        self.key.write_bytes(KEY)
        self.dest = folder / "token"
        self.slurm_conf = folder / "slurm.conf"

    def run(self, check=False, diff=True, prepare=lambda: None, **options):
        params = {
            "user": "nobody",
            "key_path": str(self.key),
            "dest": str(self.dest),
            "conf_path": str(self.slurm_conf),
        }
        params.update(options)
        params = {name: value for name, value in params.items() if value is not None}
        result = run(slurm_jwt_token, params, check, diff, prepare)
        self.refuse_leaks(result, params)
        return result

    def fails(self, **options):
        result = self.run(**options)
        assert result.get("failed"), result
        return result["msg"]

    def refuse_leaks(self, result, params):
        """The module prints no key, and no token that is not to be returned."""
        if not params.get("return_token"):
            assert "eyJ" not in result["everything"]
        assert KEY.hex() not in result["everything"]

    def token(self, form="raw"):
        return file_format.extract(form, self.dest.read_bytes())

    def put(self, key=KEY, age=0, **claims):
        """Write a token file like one of an earlier run."""
        begin = int(time.time()) - age
        token = issue.sign({"iat": begin, "exp": begin + 1800, "sun": "nobody", **claims}, key)
        self.dest.write_text(token)
        self.dest.chmod(0o400)
        return token


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def only(result):
    assert len(result["tokens"]) == 1
    return result["tokens"][0]


class TestPresent:
    def test_a_token_is_made_once(self, host):
        first = host.run()
        assert first["changed"]
        entry = only(first)
        assert (entry["reason"], entry["user"], entry["signature_checked"]) == ("missing", "nobody", True)
        assert entry["claims"]["exp"] - entry["claims"]["iat"] == 1800
        assert 1795 < entry["remaining"] <= 1800
        assert stat.S_IMODE(host.dest.stat().st_mode) == 0o400
        token = host.token()
        assert codec.signed_by(token, KEY)
        second = host.run()
        assert not second["changed"]
        assert (only(second)["reason"], host.token()) == (None, token)
        assert set(first) | {"warnings"} == set(second) | {"warnings"}
        assert set(only(first)) == set(only(second))

    def test_the_results_are_the_documented_ones(self, host):
        documented = yaml.safe_load(slurm_jwt_token.RETURN)
        result = host.run()
        assert set(documented) <= set(result)
        assert set(only(result)) == set(documented["tokens"]["contains"])

    def test_the_options_are_the_documented_ones(self):
        documented = yaml.safe_load(slurm_jwt_token.DOCUMENTATION)["options"]
        assert set(documented) == set(slurm_jwt_token.ARGUMENTS)
        assert set(documented["tokens"]["suboptions"]) == set(slurm_jwt_token.ARGUMENTS["tokens"]["options"])

    @pytest.mark.parametrize("form", file_format.FORMATS)
    def test_each_format(self, host, form):
        assert host.run(format=form)["changed"]
        assert host.dest.read_bytes() == file_format.render(form, host.token(form), "nobody")
        assert not host.run(format=form)["changed"]

    @pytest.mark.parametrize(
        ("claims", "options", "reason"),
        [
            ({}, {}, None),
            ({"sun": "daemon"}, {}, "user"),
            ({"aud": "portal"}, {}, "claims"),
            ({"aud": "portal"}, {"claims": {"aud": "portal"}}, None),
            ({}, {"claims": {"aud": "portal"}}, "claims"),
            ({}, {"lifespan": "29m"}, "lifespan"),
            ({}, {"lifespan": "1d"}, "expiring"),
            ({}, {"lifespan": "1d", "min_remaining": "5m"}, None),
            ({}, {"format": "env"}, "unreadable"),
        ],
    )
    def test_a_token_is_replaced_for_a_reason(self, host, claims, options, reason):
        old = host.put(**claims)
        for check in (True, False):
            result = host.run(check, **options)
            assert only(result)["reason"] == reason
            assert result["changed"] == (reason is not None)
            if check:
                assert host.token() == old
        assert not host.run(**options)["changed"]
        assert (host.dest.read_text() == old) == (reason is None)

    def test_a_fifth_of_its_lifespan(self, host):
        host.put(age=1430)
        assert not host.run()["changed"]
        host.dest.unlink()
        host.put(age=1441)
        assert only(host.run())["reason"] == "expiring"

    def test_another_key(self, host):
        host.put(key=b"the one before".ljust(32))
        result = host.run()
        assert only(result)["reason"] == "key"
        assert result["diff"][0]["before"]["key"] == "another key"
        assert result["diff"][0]["after"]["key"].startswith("SHA256:")

    @pytest.mark.parametrize("content", [b"", b"junk", b"\xff" * 100, b"eyJ.eyJ.x"])
    def test_a_file_without_a_token_is_replaced(self, host, content):
        host.dest.write_bytes(content)
        assert only(host.run())["reason"] == "unreadable"
        assert codec.signed_by(host.token(), KEY)

    def test_a_mode_that_drifted_is_corrected_and_the_token_stays(self, host):
        token = host.put()
        host.dest.chmod(0o644)
        for check in (True, False):
            result = host.run(check)
            assert result["changed"]
            assert only(result)["reason"] == "attributes"
            assert result["diff"][0]["before"]["mode"] == "0644"
            assert result["diff"][0]["after"] == dict(result["diff"][0]["before"], mode="0400")
        assert stat.S_IMODE(host.dest.stat().st_mode) == 0o400
        assert host.token() == token
        assert not host.run()["changed"]

    @as_root
    def test_an_owner_and_a_group(self, host):
        assert host.run(owner="nobody", mode="0440")["changed"]
        found = host.dest.stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (65534, 0o440)
        assert not host.run(owner="nobody", mode="0440")["changed"]
        result = host.run(owner="0", group="daemon", mode="0440")
        assert (only(result)["reason"], host.dest.stat().st_uid, host.dest.stat().st_gid) == ("attributes", 0, 1)
        assert not host.run(owner="0", group="daemon", mode="0440")["changed"]

    @as_root
    def test_root_owns_a_file_without_a_declared_owner_and_a_planted_file_is_not_used(self, host):
        token = host.put()
        host.dest.parent.chmod(0o777 & ~0o022)
        os.chown(host.dest.parent, 65534, 65534)
        os.chown(host.dest, 65534, 1)
        planted = host.dest.open("rb+")
        for check in (True, False):
            result = host.run(check, mode="0440")
            assert (result["changed"], only(result)["reason"]) == (True, "attributes")
        found = host.dest.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, 0o440)
        # A process that has the planted file open gets nothing of the token.
        assert os.fstat(planted.fileno()).st_ino != found.st_ino and host.token() == token
        planted.close()
        assert not host.run(mode="0440")["changed"]

    @as_root
    @needs_acl
    def test_access_by_a_list_is_removed(self, host):
        host.put()
        host.dest.chmod(0o440)
        let_in(host.dest, user=65534)
        for check in (True, False):
            result = host.run(check, mode="0440")
            assert (result["changed"], only(result)["reason"]) == (True, "attributes")
            before, after = result["diff"][0]["before"], result["diff"][0]["after"]
            assert (before["acl"], before["mode"], after["mode"]) == ("user nobody (r)", "0440+", "0440")
        assert names_in(host.dest) == set()
        assert not host.run(mode="0440")["changed"]

    @as_root
    @needs_acl
    def test_a_folder_that_others_may_write(self, host):
        os.chown(host.dest.parent, 0, 100)
        host.dest.parent.chmod(0o770)
        result = host.run()
        assert result["failed"] and "writable by the group users" in result["msg"] and not host.dest.exists()
        host.dest.parent.chmod(0o700)
        let_in(host.dest.parent, user=65534, permissions=7)
        result = host.run()
        assert result["failed"] and "by an access control list, the user nobody (rwx)" in result["msg"]
        let_in(host.dest.parent, user=65534, permissions=5)
        assert host.run()["changed"]

    def test_no_diff_unless_asked(self, host):
        assert host.run(diff=False)["diff"] == []

    def test_a_token_without_a_file(self, host):
        assert "return_token=true" in host.fails(dest=None)

    def test_a_token_in_a_variable_changes_nothing(self, host):
        result = host.run(dest=None, return_token=True)
        assert not result["changed"]
        assert codec.split(result["token"]).claims["sun"] == "nobody"
        assert result["token"] == only(result)["token"]
        assert only(result)["reason"] == "requested"

    def test_a_token_in_a_file_is_returned_on_request(self, host):
        first = host.run(return_token=True)
        assert first["token"] == host.token() == host.run(return_token=True)["token"]
        assert only(host.run())["token"] is None

    def test_further_claims_are_in_the_token(self, host):
        host.run(claims={"aud": ["a", "b"], "level": 3})
        claims = codec.split(host.token()).claims
        assert (claims["aud"], claims["level"]) == (["a", "b"], 3)

    def test_without_pyjwt_an_unchanged_run_succeeds_and_a_new_token_fails(self, host):
        def hide() -> None:
            import sys

            sys.modules["jwt"] = None

        host.put()
        assert not host.run(prepare=hide)["changed"]
        host.dest.unlink()
        assert "python3-jwt" in host.run(prepare=hide)["msg"]
        assert not host.dest.exists()


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"lifespan": "1800x"}, "lifespan: '1800x' is not a duration"),
            ({"lifespan": "0"}, "lifespan: A lifespan of 0 s is too short"),
            ({"lifespan": "-1"}, "lifespan: '-1' is not a duration"),
            ({"lifespan": "infinite"}, "lifespan: 'infinite' is more than 366 days"),
            ({"lifespan": "10000d"}, "lifespan: '10000d' is more than 366 days"),
            ({"max_lifespan": "29m"}, "lifespan: '30m' is more than max_token_lifespan"),
            ({"max_lifespan": "x"}, "max_lifespan: 'x' is not a duration"),
            ({"min_remaining": "30m"}, "min_remaining: 1800 s is not less than"),
            ({"min_remaining": "x"}, "min_remaining: 'x' is not a duration"),
            ({"claims": {"sun": "root"}}, "claims: The claim 'sun' is reserved"),
            ({"claims": {"exp": 1}}, "claims: The claim 'exp' is reserved"),
            ({"method": "scontrol", "claims": {"a": 1}}, "claims: slurmctld makes tokens without further claims"),
            ({"mode": "0404"}, "mode: '0404' gives permissions to every user"),
            ({"mode": "u=r"}, "mode: 'u=r' is not an octal number"),
            ({"owner": "nemo"}, "owner: There is no 'nemo'"),
            ({"group": "nemo"}, "group: There is no 'nemo'"),
            ({"user": "nemo"}, "user: There is no user 'nemo' on this host"),
            ({"user": "root"}, "user: 'root' is root"),
            ({"user": "0"}, "user: '0' is a number"),
            ({"user": "65534"}, "user: '65534' is a number"),
            ({"user": "a b"}, "user: 'a b' cannot be the name"),
            ({"user": None}, "user: No user is given"),
            ({"user": "daemon", "slurm_user": "daemon"}, "user: 'daemon' is SlurmUser"),
            ({"key_path": None}, "key_path is needed with method=key"),
            ({"key_path": "/nonexistent/key"}, "key_path: The folder /nonexistent does not exist"),
            ({"dest": "/nonexistent/token"}, "dest: The folder /nonexistent does not exist"),
            ({"dest": "/tmp"}, "dest: /tmp is a directory"),
        ],
    )
    def test_messages(self, host, options, text):
        message = host.fails(**options)
        assert text in message
        assert message.endswith(".")
        assert not host.dest.exists()

    def test_options_that_allow(self, host):
        assert host.run(user="root", allow_privileged=True)["changed"]
        assert host.run(user="nemo", check_user=False)["changed"]
        assert host.run(lifespan="infinite", allow_endless=True)["changed"]
        claims = codec.split(host.token()).claims
        assert claims["exp"] - claims["iat"] == 2147483646

    def test_slurm_conf(self, host):
        host.slurm_conf.write_text("SlurmUser=daemon\nAuthAltParameters=max_token_lifespan=3600,jwt_key=/x\n")
        assert "is SlurmUser" in host.fails(user="daemon")
        assert "more than max_token_lifespan=3600" in host.fails(lifespan="2h")
        assert host.run(lifespan="2h", allow_endless=True)["changed"]
        assert host.run(lifespan="12h", max_lifespan="13h")["changed"]
        assert "is SlurmUser" in host.fails(user="bin", slurm_user="bin")
        host.slurm_conf.write_text("SlurmUser=daemon\nAuthAltParameters=max_token_lifespan=soon\n")
        assert host.run(lifespan="4h")["changed"]
        host.slurm_conf.write_text("ClusterName=x\n")
        assert host.run(user="daemon")["changed"]
        # Without SlurmUser the daemons run as root, and a user of that name is a plain one.
        assert host.run(user="slurm", check_user=False)["changed"]

    @as_root
    def test_other_names_of_root_and_slurm_user(self, host, monkeypatch):
        monkeypatch.setattr(request, "find_uid", {"toor": 0}.get)
        assert "'toor' is root" in host.fails(user="toor")
        monkeypatch.undo()
        host.slurm_conf.write_text("SlurmUser=2\n")
        assert "is SlurmUser" in host.fails(user="bin")

    def test_an_empty_key(self, host):
        host.key.write_bytes(b"")
        assert "is empty" in host.fails()

    def test_a_link_in_a_folder_that_others_can_write(self, host, tmp_path):
        (tmp_path / "elsewhere").write_text("")
        host.dest.symlink_to(tmp_path / "elsewhere")
        assert "symbolic link" in host.fails()
        assert (tmp_path / "elsewhere").read_text() == ""

    def test_no_file_for_two_tokens(self, host):
        entry = {"user": "nobody", "dest": str(host.dest)}
        assert "given for two tokens" in host.fails(user=None, dest=None, tokens=[entry, entry])


class TestSeveral:
    def test_entries_inherit_and_override(self, host, tmp_path):
        tokens = [
            {"user": "nobody", "dest": str(tmp_path / "a")},
            {"user": "daemon", "dest": str(tmp_path / "b"), "format": "json", "lifespan": "1h", "name": "portal"},
        ]
        options = {"user": None, "dest": None, "tokens": tokens, "mode": "0600", "format": "env"}
        result = host.run(**options)
        assert [entry["name"] for entry in result["tokens"]] == [str(tmp_path / "a"), "portal"]
        assert (tmp_path / "a").read_text().startswith("SLURM_JWT=")
        assert json.loads((tmp_path / "b").read_text())["user"] == "daemon"
        assert len(result["diff"]) == 2
        assert result["token"] is None
        assert not host.run(**options)["changed"]
        # Only the broken one is corrected.
        (tmp_path / "a").unlink()
        result = host.run(**options)
        assert [entry["reason"] for entry in result["tokens"]] == ["missing", None]
        assert [entry["changed"] for entry in result["tokens"]] == [True, False]

    def test_one_bad_entry_and_nothing_is_written(self, host, tmp_path):
        tokens = [{"user": "nobody", "dest": str(tmp_path / "a")}, {"user": "nemo", "dest": str(tmp_path / "b")}]
        assert f"{tmp_path}/b: user: " in host.fails(user=None, dest=None, tokens=tokens)
        assert not (tmp_path / "a").exists()

    def test_no_entries(self, host):
        result = host.run(user=None, dest=None, tokens=[])
        assert (result["changed"], result["tokens"]) == (False, [])

    def test_many(self, host, tmp_path):
        tokens = [{"user": "nobody", "dest": str(tmp_path / f"t{number}")} for number in range(100)]
        options = {"user": None, "dest": None, "tokens": tokens, "diff": False}
        assert len(host.run(**options)["tokens"]) == 100
        assert not host.run(**options)["changed"]


class TestCheckMode:
    def test_nothing_is_written(self, host):
        result = host.run(True)
        assert result["changed"]
        assert only(result)["reason"] == "missing"
        assert only(result)["claims"]["sun"] == "nobody"
        assert not host.dest.exists()
        assert set(result) == set(host.run())

    def test_a_key_that_an_earlier_task_would_have_made(self, host):
        host.key.unlink()
        result = host.run(True)
        assert result["changed"]
        assert "does not exist" in str(result["warnings"])

    def test_a_folder_and_an_owner_that_earlier_tasks_would_have_made(self, host, tmp_path):
        result = host.run(True, dest=str(tmp_path / "new" / "token"), owner="nemo")
        assert result["changed"]
        assert "There is no 'nemo' on this host yet" in str(result["warnings"])

    def test_no_token_is_made_for_a_variable(self, host):
        result = host.run(True, dest=None, return_token=True)
        assert (result["changed"], result["token"]) == (False, None)


class TestAbsent:
    def test_the_file_is_removed_once(self, host):
        host.put()
        for check in (True, False):
            result = host.run(check, state="absent")
            assert result["changed"]
            assert only(result)["reason"] == "present"
            assert result["diff"][0]["after"] == {"state": "absent"}
            assert host.dest.exists() == check
        assert not host.run(state="absent")["changed"]

    def test_a_file_without_a_token_stays(self, host):
        host.dest.write_text("PermitRootLogin no\n")
        host.dest.chmod(0o400)
        result = host.run(state="absent")
        assert (result["changed"], host.dest.exists()) == (False, True)
        assert "holds no token in the format raw" in str(result["warnings"])

    def test_no_folder_no_file(self, host):
        assert not host.run(state="absent", dest="/nonexistent/token", check=True)["changed"]
        assert not host.run(state="absent", dest="/nonexistent/token")["changed"]

    def test_a_file_must_be_named(self, host):
        assert "dest is needed" in host.fails(state="absent", dest=None)

    def test_a_directory_is_left(self, host):
        host.dest.mkdir()
        assert "is a directory" in host.fails(state="absent")


class TestVerified:
    @staticmethod
    def verify(host, **options):
        return host.run(**{"state": "verified", "release": "24.11", **options})

    def test_a_good_token(self, host):
        host.put()
        result = self.verify(host)
        assert (result["changed"], result["refusals"], result["release"]) == (False, [], "24.11.0")
        assert only(result)["key_fingerprint"].startswith("SHA256:")

    def test_a_token_that_is_given(self, host):
        token = host.put()
        assert self.verify(host, dest=None, token=token, user=None)["refusals"] == []
        message = self.verify(host, dest=None, token=token[:-9], user=None)["msg"]
        assert "Slurm 24.11.0 would refuse this: It was not signed by this key" in message

    def test_a_refused_token_is_an_error_by_default(self, host):
        host.put(age=9999)
        assert self.verify(host)["failed"]
        result = self.verify(host, fail_refused=False)
        assert not result.get("failed")
        assert "It expired" in result["refusals"][0]
        assert only(result)["remaining"] < 0

    def test_for_another_user(self, host):
        host.put(sun="daemon")
        assert "for the user 'daemon', not for 'nobody'" in self.verify(host)["msg"]
        assert not self.verify(host, user=None).get("failed")

    def test_a_user_who_does_not_exist(self, host):
        host.put(sun="nemo")
        assert "'nemo', who does not exist" in self.verify(host, user=None)["msg"]
        assert not self.verify(host, user=None, check_user=False).get("failed")

    def test_a_file_that_is_missing_or_junk(self, host):
        assert "does not exist" in self.verify(host)["msg"]
        host.dest.write_text("junk")
        assert "This is not a token" in self.verify(host)["msg"]

    def test_several(self, host, tmp_path):
        host.put(age=9999)
        (tmp_path / "good").write_text(issue.sign(issue.claims_for("nobody", 60, time.time()), KEY))
        tokens = [{"dest": str(tmp_path / "good")}, {"dest": str(host.dest), "name": "old"}]
        message = self.verify(host, user=None, dest=None, tokens=tokens)["msg"]
        assert "old: It expired" in message
        assert "good:" not in message

    def test_required_options(self, host):
        host.put()
        assert "key_path is needed" in self.verify(host, key_path=None)["msg"]
        assert "needs the token itself" in self.verify(host, dest=None)["msg"]
        assert "release: 'x' names no release" in self.verify(host, release="x")["msg"]

    def test_the_release_of_the_host(self, host, tmp_path):
        host.put()
        program(tmp_path / "sbin" / "slurmctld", "echo slurm-wlm 22.05.8")
        assert self.verify(host, release=None, bin_dir=str(tmp_path / "bin"))["release"] == "22.05.8"
        assert "Set release" in self.verify(host, release=None, bin_dir=str(tmp_path / "none"))["msg"]


def program(path, script):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


class TestScontrol:
    """A script in the place of scontrol; the scenarios have the real one."""

    @pytest.fixture(autouse=True)
    def scontrol(self, host, tmp_path):
        self.host = host
        self.log = tmp_path / "log"
        self.token = issue.sign(issue.claims_for("nobody", 1800, time.time()), KEY)
        self.answer(f"echo SLURM_JWT={self.token}")

    def answer(self, script):
        program(self.host.folder / "bin" / "scontrol", f"(echo $*; env) > {self.log}\n{script}")

    def run(self, **options):
        options = {"method": "scontrol", "bin_dir": str(self.host.folder / "bin"), "key_path": None, **options}
        return self.host.run(**options)

    def test_its_token_is_kept(self):
        assert self.run()["changed"]
        assert self.host.token() == self.token
        assert self.log.read_text().startswith("token lifespan=1800 username=nobody\n")
        result = self.run()
        assert (result["changed"], only(result)["signature_checked"]) == (False, False)

    def test_variables_of_the_caller_do_not_reach_it(self):
        self.host.slurm_conf.write_text("")

        def pollute() -> None:
            os.environ.update(SLURM_JWT="", SLURM_CONF="/elsewhere", SLURM_CLUSTERS="other", SCONTROL_ALL="1")

        self.run(prepare=pollute)
        found = [line for line in self.log.read_text().splitlines() if line.startswith(("SLURM", "SCONTROL"))]
        assert found == [f"SLURM_CONF={self.host.slurm_conf}"]

    def test_without_a_slurm_conf_it_finds_its_own(self):
        self.run()
        assert "SLURM_CONF=" not in self.log.read_text()

    def test_endless_is_a_number_for_all_releases(self):
        self.token = issue.sign(issue.claims_for("nobody", issue.ENDLESS, time.time()), KEY)
        self.answer(f"echo SLURM_JWT={self.token}")
        assert self.run(lifespan="infinite", allow_endless=True)["changed"]
        assert "lifespan=2147483646 " in self.log.read_text()

    def test_with_the_key_at_hand_its_signature_is_checked(self):
        assert self.run(key_path=str(self.host.key))["changed"]
        self.host.key.write_bytes(b"another".ljust(32))
        assert only(self.run(check=True, key_path=str(self.host.key)))["reason"] == "key"
        message = self.run(key_path=str(self.host.key))["msg"]
        assert "slurmctld signs with another key" in message

    def test_its_failure_is_explained(self):
        self.answer("echo 'slurm_fetch_token: error with request: Access/permission denied' >&2; exit 1")
        assert "disable_token_creation" in self.run()["msg"]
        assert not self.host.dest.exists()

    def test_it_has_a_timeout(self):
        self.answer("sleep 20")
        begin = time.monotonic()
        assert "does not answer in time" in self.run(timeout=1)["msg"]
        assert time.monotonic() - begin < 5

    def test_a_clock_that_differs_draws_a_warning(self):
        self.token = issue.sign(issue.claims_for("nobody", 1800, time.time() - 1750), KEY)
        self.answer(f"echo SLURM_JWT={self.token}")
        assert "clocks" in str(self.run()["warnings"])

    def test_check_mode_does_not_ask(self):
        assert self.run(check=True)["changed"]
        assert not self.log.exists()

    def test_a_missing_program_is_named(self):
        assert "The program scontrol is not in /nonexistent" in self.run(bin_dir="/nonexistent")["msg"]


def test_find_uid():
    """find_uid() knows names, numbers, and that a number may be a name."""
    assert request.find_uid(getpass.getuser()) == os.geteuid()
    assert request.find_uid(str(os.geteuid())) == os.geteuid()
    assert request.find_uid("4294967296") is None
