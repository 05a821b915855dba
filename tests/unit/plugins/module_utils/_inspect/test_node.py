# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import mmap
import os
import pathlib
import shutil
import subprocess
import time
from typing import Any, Iterator

import pytest

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import auth_alt
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files import names as file_names
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import (
    environment,
    located_daemon,
    node,
    plugins,
    room,
    server,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import COMPONENTS, Options
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import hs256, record
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths, processes

ME = file_names.user_name(os.geteuid())
GOOD_KEY = hashlib.sha256(b"a key for tests").digest()
DECLARED = {"auth_alt_types": ["auth/jwt"], "parameters": {"jwt_key": None}}


class Site:
    """A host of a cluster in a folder: its files are real, what its programs would say is made up."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.commands: list[list[str]] = []
        self.release = "slurm 24.11.5"
        self.units: dict[str, str] = {}
        self.answers: dict[str, tuple[int, str, str]] = {}
        self.state = root / "state"
        self.state.mkdir(mode=0o755)
        self.key = self.state / "jwt_hs256.key"
        self.slurm_conf = root / "slurm.conf"
        self.dbd_conf = root / "slurmdbd.conf"
        for name in ("slurmctld", "slurmdbd", "slurmrestd", "slurmd", "scontrol", "sacctmgr"):
            self.program(f"sbin/{name}")
        for name in ("auth_munge.so", "auth_jwt.so", "rest_auth_jwt.so"):
            self.file(f"lib/slurm/{name}", "")
        self.write_slurm_conf()
        self.write_dbd_conf()

    def file(self, name: str, text: str, mode: int = 0o644) -> pathlib.Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        # Older than this process, which plays the daemons.
        os.utime(path, (1000000000, 1000000000))
        return path

    def program(self, name: str) -> pathlib.Path:
        return self.file(name, "#!/bin/sh\n", 0o755)

    def write_slurm_conf(self, extra: str = "") -> None:
        self.file(
            "slurm.conf",
            f"ClusterName=lab\nSlurmctldHost={os.uname().nodename}\nSlurmUser={ME}\nAuthType=auth/munge\n"
            f"StateSaveLocation={self.state}\nSlurmdPidFile={self.root}/slurmd.pid\n{extra}",
        )

    def write_dbd_conf(self, extra: str = "") -> None:
        text = f"DbdHost=dbd1\nSlurmUser={ME}\nStorageType=accounting_storage/mysql\nStoragePass=secret-word\n{extra}"
        self.file("slurmdbd.conf", text, 0o600)

    def switch_on(self) -> None:
        extra = f"AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key={self.key}\n"
        self.write_slurm_conf(extra)
        self.write_dbd_conf(extra)
        self.put_key()

    def put_key(self, data: bytes = GOOD_KEY, mode: int = 0o400) -> None:
        self.key.write_bytes(data)
        self.key.chmod(mode)

    def runs(self, component: str, pid: int | None = None, **properties: str) -> None:
        shown = {
            "LoadState": "loaded",
            "ActiveState": "active",
            "SubState": "running",
            "UnitFileState": "enabled",
            "MainPID": str(os.getpid() if pid is None else pid),
            **properties,
        }
        self.units[component] = "".join(f"{name}={value}\n" for name, value in shown.items())

    def run(self, argv: list[str], conf_path: str) -> tuple[int, str, str]:
        self.commands.append(argv)
        name = os.path.basename(argv[0])
        if name in ("scontrol", "sacctmgr"):
            assert os.path.exists(conf_path), "it would wait a minute for the file"
        if name == "systemctl":
            absent = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nMainPID=0\n"
            asked = [unit[: -len(".service")] for unit in argv[argv.index("--") + 1 :]]
            return 0, "\n".join(self.units.get(unit, absent) for unit in asked), ""
        if argv[1:] == ["-V"]:
            return self.answers.get(f"{name} -V", (0, self.release, ""))
        return self.answers.get(name, (1, "", "no such command"))

    def look(self, components: list[str] | None, **options: Any) -> dict[str, Any]:
        told: dict[str, Any] = {
            "components": components,
            "conf_path": str(self.slurm_conf),
            "dbd_conf_path": str(self.dbd_conf),
            "bin_dirs": [str(self.root / "sbin")],
            **options,
        }
        host = node if components == ["node"] else server
        self.commands.clear()
        return host.inspect(Options(**told), self.run)


@pytest.fixture(name="site")
def _site(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.delenv("SLURM_JWT", raising=False)
    monkeypatch.setattr(install_paths, "CONFIGLESS_CONF", str(tmp_path / "run/slurm.conf"))
    monkeypatch.setattr(environment, "ETC_ENVIRONMENT", str(tmp_path / "environment"))
    monkeypatch.setattr(install_paths, "USUAL_BIN_DIRS", ())
    monkeypatch.setattr(processes, "usual_environment_files", lambda name: [str(tmp_path / "default" / name)])
    return Site(tmp_path)


@pytest.fixture(name="loaded")
def _loaded(site: Site) -> Iterator[Site]:
    """This process has the key mapped, as slurmctld and slurmdbd have."""
    site.switch_on()
    with open(site.key, "rb") as stream, mmap.mmap(stream.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ):
        yield site


def codes(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem["severity"], problem["code"]) for problem in found["problems"]]


# Nodes


def test_a_node_costs_one_command(site: Site) -> None:
    found = site.look(["node"], declared=DECLARED)
    assert site.commands == [[str(site.root / "sbin/slurmd"), "-V"]]
    assert found["problems"] == []
    assert found["release"] == "24.11.5"
    assert found["capabilities"]["jwks"] is True
    assert found["key_path"] == str(site.key)
    changes = found["differences"]["slurm_conf"]
    assert [change["parameter"] for change in changes] == ["AuthAltTypes", "AuthAltParameters"]
    assert found["desired"]["slurm_conf"] == {"parameters": {"jwt_key": str(site.key)}, "parameters_absent": []}
    for name in ("dbd_conf", "slurm_user", "key", "jwks", "state_dir", "plugins"):
        assert found[name] is None


def test_nothing_differs_on_a_node_that_is_done(site: Site) -> None:
    site.switch_on()
    site.key.unlink()
    found = site.look(["node"], declared=DECLARED)
    assert found["differences"] == {"slurm_conf": [], "slurmdbd_conf": []}
    assert found["problems"] == []


def test_a_key_on_a_node(site: Site) -> None:
    site.put_key()
    assert codes(site.look(["node"])) == [("warning", "key_out_of_place")]


def test_a_node_without_slurm_conf(site: Site) -> None:
    site.slurm_conf.unlink()
    found = site.look(["node"])
    assert codes(found) == [("error", "conf_missing")]
    assert found["conf"] == {"path": str(site.slurm_conf), "exists": False, "configless": False}


def test_a_configless_node(site: Site) -> None:
    (site.root / "run").mkdir()
    site.slurm_conf.rename(site.root / "run/slurm.conf")
    found = site.look(["node"], declared=DECLARED)
    assert found["problems"] == []
    assert found["conf"]["configless"] is True
    assert found["differences"]["slurm_conf"] == [], "its file comes from the controller"


def test_a_login_host_without_slurmd(site: Site) -> None:
    for name in ("slurmd", "slurmctld", "slurmrestd"):
        (site.root / "sbin" / name).unlink()
    found = site.look(["node"])
    assert found["program"] == str(site.root / "sbin/scontrol")
    assert found["release"] == "24.11.5"


def test_a_client_command_is_not_asked_where_it_would_wait_a_minute(site: Site) -> None:
    for name in ("slurmd", "slurmctld", "slurmrestd"):
        (site.root / "sbin" / name).unlink()
    site.write_slurm_conf("Include nothing.conf\n")
    assert codes(site.look(["node"])) == [("error", "conf_line")]
    site.slurm_conf.unlink()
    assert codes(site.look(["node"])) == [("error", "conf_missing")]
    assert site.commands == []


def test_a_host_without_slurm(site: Site) -> None:
    assert codes(site.look(list(COMPONENTS), bin_dirs=[])) == [("error", "slurm_missing")]
    found = site.look(["node"], bin_dirs=[])
    assert codes(found) == [("error", "slurm_missing")]
    assert (found["release"], found["program"], found["capabilities"]) == (None, None, {})


def test_a_slurm_that_does_not_run(site: Site) -> None:
    site.release = "error while loading shared libraries: libslurmfull.so"
    found = site.look(["node"])
    assert codes(found) == [("error", "release_unknown")]
    assert "libslurmfull.so" in found["problems"][0]["found"]


def test_a_slurm_that_is_too_old_for_the_parameter(site: Site) -> None:
    site.release = "slurm 19.05.5"
    assert codes(site.look(["node"], declared=DECLARED)) == [("error", "release_too_old")]
    site.release = "slurm 20.11.4"
    # A node loads no key: only its controller has to understand jwks=.
    found = site.look(["node"], declared={"auth_alt_types": ["auth/jwt"], "parameters": {"jwks": "/j"}})
    assert codes(found) == []


def test_a_user_who_is_not_root(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.file("environment", "SLURM_JWT=abc\n")
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    found = site.look(["node"])
    # Everything else may follow from that.
    assert codes(found) == [("error", "not_root")]
    assert found["problems"][0]["found"] == "Ansible works as nobody on this host, not as root."
    assert "--become" in found["problems"][0]["remedy"]


def test_the_variable_for_everybody(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.file("environment", "SLURM_JWT=abc\n")
    assert codes(site.look(["node"])) == [("error", "slurm_jwt_for_all")]
    site.file("environment", "")
    monkeypatch.setenv("SLURM_JWT", "abc")
    assert codes(site.look(["node"])) == [("error", "slurm_jwt_for_all")]
    assert "SLURM_JWT" not in os.environ, "the commands that follow are to use munge"


def test_slurmd_is_found_without_systemd(site: Site) -> None:
    found = site.look(["node"])["daemons"]["slurmd"]
    assert (found["pid"], found["slurm_jwt"], found["active"]) == (0, None, None)
    site.file("default/slurmd", "SLURM_JWT=abc\n")
    assert codes(site.look(["node"])) == [("error", "slurm_jwt_in_daemon")]


@pytest.mark.parametrize("text", ["AuthAltTypes auth/jwt\n", "Include nothing.conf\n"])
def test_a_file_that_slurm_refuses(site: Site, text: str) -> None:
    site.write_slurm_conf(text)
    found = site.look(["node"], declared=DECLARED)
    assert codes(found) == [("error", "conf_line")]


def test_what_the_rollout_mends_is_no_error(site: Site) -> None:
    site.write_slurm_conf("AuthAltTypes=rest_auth/jwt\n")
    assert codes(site.look(["node"])) == [("error", "conf_line")]
    assert codes(site.look(["node"], declared=DECLARED)) == [("info", "conf_line")]


@pytest.mark.parametrize(
    ("release", "text", "expected"),
    [
        ("slurm 24.11.5", "AuthAltTypes=auth/jtw\n", ("error", "auth_alt_types")),
        ("slurm 22.05.8", "AuthAltParameters=userclaimfield=u\n", ("warning", "parameter_ignored")),
        ("slurm 26.05.5", "SlurmdHttpAuthParameters=jwt_key=/k\n", ("error", "slurmd_loads_key")),
    ],
)
def test_what_this_release_makes_of_a_file(site: Site, release: str, text: str, expected: tuple[str, str]) -> None:
    site.write_slurm_conf(text)
    site.release = release
    assert expected in codes(site.look(["node"]))
    site.release = "who knows"
    assert expected not in codes(site.look(["node"]))


def test_an_unreadable_file(site: Site) -> None:
    site.slurm_conf.unlink()
    site.slurm_conf.mkdir()
    found = site.look(["node"])
    assert codes(found) == [("error", "conf_broken")]
    assert found["conf"]["exists"] is True


def test_a_file_for_root_alone(site: Site) -> None:
    site.slurm_conf.chmod(0o600)
    assert codes(site.look(["node"])) == [("warning", "conf_unreadable")]


def test_no_room(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.paths, "obstacle", lambda folder: f"{folder} is full")
    assert codes(site.look(["node"])) == [], "nothing is to be written"
    found = site.look(["node"], declared=DECLARED)
    assert codes(found) == [("error", "conf_not_writable")]
    assert found["problems"][0]["found"] == f"{site.root} is full."
    assert "slurm_jwt_manage_conf" in found["problems"][0]["remedy"]
    site.switch_on()
    site.key.unlink()
    assert codes(site.look(["node"], declared=DECLARED)) == []


def test_a_declaration_that_makes_no_sense(site: Site) -> None:
    with pytest.raises(auth_alt.DeclaredError, match="max_token_lifespan"):
        site.look(["node"], declared={"parameters": {"max_token_lifespan": "infinite"}})


# Controllers


def test_a_controller_before_the_first_rollout(site: Site) -> None:
    site.runs("slurmctld")
    found = site.look(["slurmctld"], declared=DECLARED)
    assert [argv[0] for argv in site.commands] == ["systemctl", str(site.root / "sbin/slurmctld")]
    assert codes(found) in ([], [("info", "pyjwt_missing")])
    assert found["conf"]["controller_index"] == 0
    assert found["key"]["exists"] is False
    assert found["slurm_user"]["exists"] is True
    assert (found["slurm_user"]["name"], found["slurm_user"]["uid"]) == (ME, os.geteuid())
    assert found["plugins"]["dir"] == str(site.root / "lib/slurm")
    assert found["plugins"]["auth_jwt"] == str(site.root / "lib/slurm/auth_jwt.so")
    assert found["state_dir"]["exists"] is True
    assert found["state_dir"]["mount"]
    slurmctld = found["daemons"]["slurmctld"]
    assert (slurmctld["pid"], slurmctld["key_loaded"], slurmctld["stale"]) == (os.getpid(), "unknown", [])


def test_a_controller_that_is_done(loaded: Site) -> None:
    loaded.runs("slurmctld")
    found = loaded.look(["slurmctld"], declared=DECLARED)
    assert len(loaded.commands) == 2
    assert found["differences"] == {"slurm_conf": [], "slurmdbd_conf": []}
    assert (found["daemons"]["slurmctld"]["key_loaded"], found["daemons"]["slurmctld"]["stale"]) == ("current", [])
    key = found["key"]
    assert key["fingerprint"] == "SHA256:" + hashlib.sha256(GOOD_KEY).hexdigest()
    assert (key["size"], key["mode"], key["weakness"], key["serial"]) == (32, "0400", None, None)
    assert 0 <= key["age"] < 60
    assert not [problem for problem in found["problems"] if problem["severity"] != "info"]


def test_the_mode_of_slurmdbd_conf_is_reported_where_a_rollout_edits_the_file(site: Site) -> None:
    site.runs("slurmdbd")
    site.dbd_conf.chmod(0o644)
    found = site.look(["slurmdbd"], declared=DECLARED)
    assert found["differences"]["slurmdbd_conf"]
    assert ("error", "dbd_conf_mode") in codes(found)


def test_no_secret_in_the_report(loaded: Site) -> None:
    loaded.runs("slurmctld")
    loaded.runs("slurmdbd")
    text = repr(loaded.look(["slurmctld", "slurmdbd"], declared=DECLARED))
    for secret in (GOOD_KEY.hex(), repr(GOOD_KEY)[2:-1], "secret-word"):
        assert secret not in text


def test_the_record_of_a_key(loaded: Site) -> None:
    known = record.KeyRecord("2026-11", int(time.time()) - 86400, hs256.fingerprint(GOOD_KEY))
    path = pathlib.Path(record.record_path(str(loaded.key)))
    path.write_bytes(record.format_record(known))
    key = loaded.look(["slurmctld"])["key"]
    assert (key["serial"], key["age"] // 3600) == ("2026-11", 24)
    path.write_bytes(record.format_record(known._replace(fingerprint="SHA256:other")))
    key = loaded.look(["slurmctld"])["key"]
    assert (key["serial"], key["age"] // 3600) == (None, 0)


def test_the_keys_of_a_rotation(loaded: Site) -> None:
    assert (loaded.look(["slurmctld"])["key"]["next"], loaded.look(["slurmctld"])["key"]["previous"]) == (None, None)
    born = int(time.time()) - 3600
    for which, serial, run in (("next", "2", "run-b"), ("previous", "0", None)):
        data = hashlib.sha256(which.encode()).digest()
        path = pathlib.Path(f"{loaded.key}.{which}")
        path.write_bytes(data)
        path.chmod(0o400)
        known = record.KeyRecord(serial, born, hs256.fingerprint(data), "root@mgmt1", run)
        pathlib.Path(record.record_path(str(path))).write_bytes(record.format_record(known))
    key = loaded.look(["slurmctld"])["key"]
    assert key["fingerprint"] == hs256.fingerprint(GOOD_KEY)
    assert (key["by"], key["run"]) == (None, None)
    for which, serial, run in (("next", "2", "run-b"), ("previous", "0", None)):
        data = hashlib.sha256(which.encode()).digest()
        told = dict(key[which])
        assert told.pop("age") // 60 == 60
        assert told == {
            "fingerprint": hs256.fingerprint(data),
            "serial": serial,
            "created": record.format_time(born),
            "by": "root@mgmt1",
            "run": run,
            # Since its record was written, however old the key is.
            "run_age": 0 if run else None,
            "owner": key["owner"],
            "group": key["group"],
            "mode": "0400",
        }
        assert data.hex() not in repr(key)
    # Without its record, what the file tells.
    os.unlink(record.record_path(f"{loaded.key}.next"))
    told = loaded.look(["slurmctld"])["key"]["next"]
    assert (told["serial"], told["run"], told["age"] // 60) == (None, None, 0)


def test_a_daemon_that_holds_a_replaced_key(loaded: Site) -> None:
    loaded.runs("slurmctld")
    new = loaded.state / "new"
    new.write_bytes(GOOD_KEY[::-1])
    new.chmod(0o400)
    new.rename(loaded.key)
    found = loaded.look(["slurmctld"], declared=DECLARED)
    assert found["daemons"]["slurmctld"]["key_loaded"] == "replaced"
    assert ("info", "daemon_stale") in codes(found)


def test_a_daemon_that_was_never_restarted(site: Site) -> None:
    site.switch_on()
    site.runs("slurmctld")
    found = site.look(["slurmctld"], declared=DECLARED)
    assert found["daemons"]["slurmctld"]["key_loaded"] == "absent"
    assert "before JWT was enabled" in found["daemons"]["slurmctld"]["stale"][0]


def test_a_file_newer_than_the_daemon_is_compared_with_its_memory(loaded: Site) -> None:
    loaded.runs("slurmctld")
    loaded.slurm_conf.touch()
    shown = f"AuthAltTypes            = auth/jwt\nAuthAltParameters       = jwt_key={loaded.key}\n"
    loaded.answers["scontrol"] = (0, shown, "")
    assert loaded.look(["slurmctld"])["daemons"]["slurmctld"]["stale"] == []
    assert loaded.commands[-1][1:] == ["show", "config"]
    loaded.answers["scontrol"] = (0, shown.replace("jwt_key", "disable_token_creation,jwt_key"), "")
    assert "in memory" in loaded.look(["slurmctld"])["daemons"]["slurmctld"]["stale"][0]
    loaded.answers["scontrol"] = (1, "", "Unable to contact slurm controller")
    assert loaded.look(["slurmctld"])["daemons"]["slurmctld"]["stale"] == []


def test_slurmdbd_is_stale_if_it_cannot_be_asked(loaded: Site) -> None:
    loaded.runs("slurmdbd")
    loaded.dbd_conf.touch()
    assert "after slurmdbd had started" in loaded.look(["slurmdbd"])["daemons"]["slurmdbd"]["stale"][0]
    assert loaded.commands[-1][1:] == ["show", "configuration"]
    shown = f"AuthAltTypes = auth/jwt\nAuthAltParameters = jwt_key={loaded.key}\n"
    loaded.answers["sacctmgr"] = (0, shown, "")
    assert loaded.look(["slurmdbd"])["daemons"]["slurmdbd"]["stale"] == []
    loaded.slurm_conf.unlink()
    assert "after slurmdbd had started" in loaded.look(["slurmdbd"])["daemons"]["slurmdbd"]["stale"][0]
    assert len(loaded.commands) == 2, "sacctmgr would wait a minute for its slurm.conf"


def test_slurmdbd_that_stands_by_is_not_asked(loaded: Site) -> None:
    loaded.runs("slurmdbd")
    extra = f"AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key={loaded.key}\n"
    loaded.write_dbd_conf(f"{extra}DbdBackupHost={os.uname().nodename.partition('.')[0]}\n")
    loaded.answers["sacctmgr"] = (0, extra, "")
    assert loaded.look(["slurmdbd"])["daemons"]["slurmdbd"]["stale"] == []
    loaded.dbd_conf.touch()
    found = loaded.look(["slurmdbd"])
    assert found["dbd_conf"]["standby"]
    assert "after slurmdbd had started" in found["daemons"]["slurmdbd"]["stale"][0]


@pytest.mark.parametrize(
    ("data", "mode", "expected"),
    [
        (GOOD_KEY, 0o404, "key_readable"),
        (GOOD_KEY[:16], 0o400, "key_weak"),
        (b"", 0o400, "key_weak"),
        (b"-----BEGIN RSA PRIVATE KEY-----\n" + b"A" * 64, 0o400, "key_weak"),
        (b"\0" * 32, 0o400, "key_weak"),
    ],
)
def test_bad_keys(site: Site, data: bytes, mode: int, expected: str) -> None:
    site.runs("slurmctld")
    site.put_key(data, mode)
    assert ("error", expected) in codes(site.look(["slurmctld"]))


@pytest.mark.parametrize("data", [GOOD_KEY[:16], b"-----BEGIN RSA PRIVATE KEY-----\n" + b"A" * 64, b"\0" * 32])
def test_a_bad_key_that_is_in_force_is_only_reported(site: Site, data: bytes) -> None:
    site.runs("slurmctld")
    site.switch_on()
    site.key.unlink()
    site.put_key(data)
    found = site.look(["slurmctld"])
    assert ("warning", "key_weak") in codes(found)
    assert not [code for code in codes(found) if code[0] == "error"]
    # Declared, and not what the daemons use.
    other = site.state / "other.key"
    other.write_bytes(data)
    other.chmod(0o400)
    assert ("error", "key_weak") in codes(site.look(["slurmctld"], key_path=str(other)))


def test_an_empty_key_is_none_although_a_file_names_it(site: Site) -> None:
    site.runs("slurmctld")
    site.switch_on()
    site.key.unlink()
    site.put_key(b"")
    assert ("error", "key_weak") in codes(site.look(["slurmctld"]))


def test_what_is_in_the_place_of_a_key(site: Site) -> None:
    site.runs("slurmctld")
    target = site.root / "elsewhere"
    target.write_bytes(GOOD_KEY)
    site.key.symlink_to(target)
    found = site.look(["slurmctld"])
    assert ("error", "key_not_a_file") in codes(found)
    assert found["key"]["fingerprint"] is None
    site.key.unlink()
    site.key.symlink_to("nowhere")
    assert ("error", "key_not_a_file") in codes(site.look(["slurmctld"]))
    site.key.unlink()
    site.key.mkdir()
    assert ("error", "key_not_a_file") in codes(site.look(["slurmctld"]))


def test_a_key_in_a_place_for_everybody(site: Site) -> None:
    site.runs("slurmctld")
    site.put_key()
    site.state.chmod(0o777)
    found = codes(site.look(["slurmctld"]))
    assert ("error", "key_place") in found
    assert ("warning", "state_dir_open") in found


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_a_folder_that_everybody_can_write_is_no_place_for_a_key(site: Site, mode: int) -> None:
    site.runs("slurmctld")
    site.state.chmod(mode)
    found = site.look(["slurmctld"], declared=DECLARED)
    assert [code for code in codes(found) if code[0] == "error"] == [("error", "key_place")]
    (problem,) = [problem for problem in found["problems"] if problem["code"] == "key_place"]
    assert "slurm_jwt_key_path" in problem["remedy"]
    assert ("warning", "state_dir_open") in codes(found)
    # The key elsewhere, and all is well; or no key at all.
    good = site.root / "good"
    good.mkdir(mode=0o755)
    found = site.look(["slurmctld"], key_path=str(good / "key"), declared=DECLARED)
    assert not [code for code in codes(found) if code[0] == "error"]
    only_rsa = {"auth_alt_types": ["auth/jwt"], "parameters": {"jwt_key": False, "jwks": str(good / "jwks")}}
    assert ("error", "key_place") not in codes(site.look(["slurmctld"], declared=only_rsa))


def test_a_lost_key(site: Site) -> None:
    site.switch_on()
    site.key.unlink()
    site.runs("slurmctld")
    assert ("warning", "key_missing") in codes(site.look(["slurmctld"]))


def test_a_key_that_moves(loaded: Site) -> None:
    loaded.runs("slurmctld")
    found = loaded.look(["slurmctld"], key_path=str(loaded.root / "new.key"), declared=DECLARED)
    assert ("warning", "key_elsewhere") in codes(found)
    assert found["key_path"] == str(loaded.root / "new.key")
    assert found["differences"]["slurm_conf"][0]["after"] == f"jwt_key={loaded.root}/new.key"


def test_a_controller_whose_folder_is_missing(site: Site) -> None:
    site.runs("slurmctld")
    site.state.rmdir()
    found = site.look(["slurmctld"], declared=DECLARED)
    assert ("info", "state_dir_missing") in codes(found)
    assert found["key"]["exists"] is False
    assert found["state_dir"]["exists"] is False


def test_a_user_that_is_missing(site: Site) -> None:
    site.runs("slurmctld")
    site.file("slurm.conf", site.slurm_conf.read_text().replace(f"SlurmUser={ME}", "SlurmUser=no-such-user"))
    found = site.look(["slurmctld"])
    assert ("error", "slurm_user_missing") in codes(found)
    assert found["slurm_user"]["exists"] is False


def test_a_daemon_that_is_down(site: Site) -> None:
    assert ("error", "unit_missing") in codes(site.look(["slurmctld"]))
    site.runs("slurmctld", pid=0, ActiveState="failed", SubState="failed")
    found = site.look(["slurmctld"])
    assert ("error", "daemon_down") in codes(found)
    assert found["daemons"]["slurmctld"]["pid"] == 0


def test_a_daemon_that_is_down_because_its_key_is_missing(site: Site) -> None:
    """Its file has JWT switched on: a rollout that puts the key in place has it start again."""
    site.switch_on()
    site.key.unlink()
    site.runs("slurmctld", pid=0, ActiveState="failed", SubState="failed")
    site.runs("slurmdbd", pid=0, ActiveState="failed", SubState="failed")
    found = site.look(["slurmctld", "slurmdbd"], declared=DECLARED)
    down = [problem for problem in found["problems"] if problem["code"] == "daemon_down"]
    assert [(problem["severity"], problem["component"]) for problem in down] == [
        ("warning", "slurmctld"), ("warning", "slurmdbd")
    ]  # fmt: skip
    assert f"the key {site.key} is missing" in down[0]["found"]
    # Nobody said that a rollout is to come, or it brings no key.
    assert ("error", "daemon_down") in codes(site.look(["slurmctld"]))
    no_key = {"auth_alt_types": ["auth/jwt"], "parameters": {"jwt_key": False}}
    assert ("error", "daemon_down") in codes(site.look(["slurmctld"], declared=no_key))
    # With the key in place something else keeps it down.
    site.put_key()
    assert ("error", "daemon_down") in codes(site.look(["slurmctld"], declared=DECLARED))


def test_missing_plugins(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.runs("slurmctld")
    (site.root / "lib/slurm/auth_jwt.so").unlink()
    monkeypatch.setattr(plugins, "DPKG_QUERY", "/no/dpkg-query")
    found = site.look(["slurmctld"])
    assert ("error", "plugin_missing") in codes(found)
    assert found["plugins"]["auth_jwt"] is None


def test_missing_plugins_that_a_package_brings(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.runs("slurmctld")
    (site.root / "lib/slurm/auth_jwt.so").unlink()
    monkeypatch.setattr(plugins, "DPKG_QUERY", str(site.program("sbin/dpkg-query")))
    site.answers["dpkg-query"] = (1, "installed slurm-wlm-basic-plugins 24.11.5-4\n", "no packages found")
    found = site.look(["slurmctld"])
    assert ("warning", "plugin_missing") in codes(found)
    assert found["plugins"]["packages"] == ["slurm-wlm-jwt-plugin=24.11.5-4"]


def test_a_plugin_that_an_installed_package_has_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.runs("slurmctld")
    plugin = site.root / "lib/slurm/auth_jwt.so"
    plugin.unlink()
    monkeypatch.setattr(plugins, "DPKG_QUERY", str(site.program("sbin/dpkg-query")))
    version = "24.11.5-4"
    installed = "".join(f"installed slurm-wlm-{name} {version}\n" for name in ("basic-plugins", "jwt-plugin"))
    # What it says to -W and to -S; each takes from it only its own lines.
    site.answers["dpkg-query"] = (0, f"{installed}slurm-wlm-jwt-plugin: {plugin}\n", "")
    found = site.look(["slurmctld"])
    (problem,) = [each for each in found["problems"] if each["code"].startswith("plugin_")]
    assert (problem["severity"], problem["code"]) == ("error", "plugin_lost")
    assert "the package slurm-wlm-jwt-plugin, which contains it, is installed" in problem["found"]
    assert "slurm-wlm-jwt-plugin" in problem["remedy"] and "build" not in problem["remedy"].lower()
    assert found["plugins"]["packages"] == []
    # Debian 11 has no package for this plugin alone.
    package = "slurm-wlm-basic-plugins"
    site.answers["dpkg-query"] = (0, f"installed {package} 20.11.7\n{package}: {plugin}\n", "")
    found = site.look(["slurmctld"])
    (problem,) = [each for each in found["problems"] if each["code"].startswith("plugin_")]
    assert (problem["code"], found["plugins"]["packages"]) == ("plugin_lost", [])
    assert f"{package}=20.11.7" in problem["remedy"]


def test_a_plugin_that_an_rpm_has_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.runs("slurmctld")
    (site.root / "lib/slurm/auth_jwt.so").unlink()
    monkeypatch.setattr(plugins, "DPKG_QUERY", "/no/dpkg-query")
    monkeypatch.setattr(plugins, "RPM", str(site.program("sbin/rpm")))
    site.answers["rpm"] = (0, "slurm 24.11.5-1.el9\n", "")
    assert ("error", "plugin_lost") in codes(site.look(["slurmctld"]))
    site.answers["rpm"] = (1, "error: file /p/auth_jwt.so: No such file or directory\n", "")
    assert ("error", "plugin_missing") in codes(site.look(["slurmctld"]))


def test_the_plugins_that_the_file_names(site: Site) -> None:
    site.runs("slurmctld")
    site.write_slurm_conf(f"PluginDir={site.root}/other\n")
    found = site.look(["slurmctld"])
    assert found["plugins"]["dir"] == f"{site.root}/other"
    assert found["plugins"]["auth_jwt"] is None
    assert site.look(["slurmctld"], plugin_dir=f"{site.root}/lib/slurm")["plugins"]["auth_jwt"]


def test_units_and_their_variables(site: Site) -> None:
    variables = site.file("default/slurmctld", "SLURM_JWT=abc\n")
    site.runs("slurmctld", Environment="SLURM_JWT=x", EnvironmentFiles=f"{variables} (ignore_errors=yes)")
    found = codes(site.look(["slurmctld"]))
    assert found.count(("error", "slurm_jwt_in_daemon")) == 2


# slurmdbd and slurmrestd


def test_slurmdbd_before_the_first_rollout(site: Site) -> None:
    site.runs("slurmdbd")
    site.slurm_conf.unlink()
    found = site.look(["slurmdbd"], declared=DECLARED)
    assert found["problems"] == []
    assert found["conf"] is None
    assert found["key_path"] is None
    assert found["key"] is None
    after = {change["parameter"]: change["after"] for change in found["differences"]["slurmdbd_conf"]}
    assert after == {"AuthAltTypes": "auth/jwt", "AuthAltParameters": None}


def test_slurmdbd_that_is_done(loaded: Site) -> None:
    loaded.runs("slurmdbd")
    loaded.slurm_conf.unlink()
    found = loaded.look(["slurmdbd"], declared=DECLARED)
    assert found["problems"] == []
    assert found["differences"]["slurmdbd_conf"] == []
    assert found["key"]["exists"] is True
    assert found["daemons"]["slurmdbd"]["key_loaded"] == "current"


def test_slurmdbd_conf_with_a_wrong_mode(site: Site) -> None:
    site.runs("slurmdbd")
    site.dbd_conf.chmod(0o640)
    assert codes(site.look(["slurmdbd"])) == [("error", "dbd_conf_mode")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_slurmdbd_conf_of_another_user(site: Site) -> None:
    site.runs("slurmdbd")
    os.chown(site.dbd_conf, 12345, -1)
    assert codes(site.look(["slurmdbd"])) == [("error", "dbd_conf_owner")]


def test_slurmdbd_that_does_not_tell_its_release(site: Site) -> None:
    site.runs("slurmdbd")
    site.dbd_conf.chmod(0o640)
    site.answers["slurmdbd -V"] = (1, "", "slurmdbd: fatal: slurmdbd.conf file /etc/slurm/slurmdbd.conf should be 600")
    found = site.look(["slurmdbd"])
    assert codes(found) == [("error", "dbd_conf_mode")]
    assert (found["program"], found["release"]) == (str(site.root / "sbin/slurmctld"), "24.11.5")
    for name in ("slurmctld", "slurmd", "slurmrestd", "scontrol"):
        (site.root / "sbin" / name).unlink()
    found = site.look(["slurmdbd"])
    assert set(codes(found)) == {("error", "dbd_conf_mode"), ("error", "release_unknown")}
    assert found["problems"][0]["found"].endswith("should be 600")


def test_slurmdbd_without_its_file(site: Site) -> None:
    site.runs("slurmdbd")
    site.dbd_conf.unlink()
    found = site.look(["slurmdbd"])
    assert codes(found) == [("error", "dbd_conf_missing")]
    assert found["dbd_conf"] == {"path": str(site.dbd_conf), "exists": False}


def test_slurmdbd_is_not_asked_what_it_does_not_read(site: Site) -> None:
    site.release = "slurm 21.08.8"
    site.runs("slurmdbd")
    site.runs("slurmctld")
    declared = {"parameters": {"jwt_key": None, "max_token_lifespan": 60}}
    found = site.look(["slurmdbd"], declared=declared)
    assert found["desired"]["slurmdbd_conf"]["parameters"] == {"jwt_key": str(site.key)}
    found = site.look(["slurmctld"], declared=declared)
    assert ("error", "release_too_old") in codes(found)
    assert found["problems"][0]["found"] == "max_token_lifespan= needs Slurm 22.05 or later; found 21.08.8."


def test_slurmrestd(site: Site) -> None:
    site.runs("slurmrestd", User="root")
    site.put_key()
    found = site.look(["slurmrestd"], declared=DECLARED)
    assert ("warning", "slurmrestd_user") in codes(found)
    assert ("warning", "key_out_of_place") in codes(found)
    assert found["key"] is None
    assert found["daemons"]["slurmrestd"]["slurm_jwt"] is False


def test_slurmrestd_that_is_not_installed_yet(site: Site) -> None:
    (site.root / "sbin/slurmrestd").unlink()
    (site.root / "lib/slurm/rest_auth_jwt.so").unlink()
    found = site.look(["slurmrestd"], declared=DECLARED)
    assert codes(found) == [("warning", "slurmrestd_missing")]
    assert found["release"] == "24.11.5", "scontrol says it"
    assert found["plugins"] is None
    found = site.look(["slurmrestd"], bin_dirs=[])
    assert codes(found) == [("warning", "slurmrestd_missing")]
    assert found["release"] is None
    assert ("error", "slurm_missing") in codes(site.look(["slurmrestd", "slurmdbd"], bin_dirs=[]))


def test_a_daemon_that_reads_another_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    process = processes.inspect(os.getpid())
    assert process is not None
    other = process._replace(conf="/opt/slurm/etc/slurm.conf")
    monkeypatch.setattr(processes, "inspect", lambda pid: other)
    monkeypatch.setattr(processes, "main_pid", lambda *told: 1)
    for component in ("slurmctld", "slurmrestd", "node"):
        site.runs(component)
        assert ("error", "conf_elsewhere") in codes(site.look([component]))
    site.runs("slurmdbd")
    assert codes(site.look(["slurmdbd"])) == []


def test_slurmrestd_whose_unit_is_newer(site: Site) -> None:
    dropin = site.file("slurm_jwt.conf", "[Service]\n")
    site.runs("slurmrestd", DropInPaths=str(dropin))
    assert site.look(["slurmrestd"])["daemons"]["slurmrestd"]["stale"] == []
    dropin.touch()
    assert "after slurmrestd had started" in site.look(["slurmrestd"])["daemons"]["slurmrestd"]["stale"][0]


# What a host is


def test_a_host_of_everything(loaded: Site) -> None:
    for component in ("slurmctld", "slurmdbd", "slurmrestd"):
        loaded.runs(component)
    found = loaded.look(["slurmctld", "slurmdbd", "slurmrestd", "node"], declared=DECLARED)
    assert list(found["daemons"]) == ["slurmctld", "slurmdbd", "slurmrestd", "slurmd"]
    assert len(loaded.commands) == 2
    assert found["differences"] == {"slurm_conf": [], "slurmdbd_conf": []}
    assert {problem["code"] for problem in found["problems"]} <= {"pyjwt_missing", "slurmrestd_user"}


def test_a_host_that_nobody_told_us_of(site: Site) -> None:
    site.runs("slurmctld")
    site.runs("slurmrestd", pid=0, ActiveState="inactive", UnitFileState="disabled")
    site.runs("slurmd", pid=0, ActiveState="inactive", UnitFileState="enabled")
    assert site.look(None)["components"] == ["slurmctld", "node"]
    site.units.clear()
    assert site.look(None)["components"] == ["node"]


def test_the_same_keys_whatever_happens(site: Site) -> None:
    names = set(site.look(["slurmctld"]))
    site.slurm_conf.unlink()
    assert set(site.look(["slurmctld"])) == names
    assert set(site.look(["node"], bin_dirs=[])) == names


# Key sets


def _with_jwks(site: Site) -> pathlib.Path:
    jwks = site.file("jwks.json", '{"keys": [{"kid": "a"}]}', 0o400)
    extra = f"AuthAltTypes=auth/jwt\nAuthAltParameters=jwks={jwks}\n"
    site.write_slurm_conf(extra)
    site.write_dbd_conf(extra)
    return jwks


def test_a_key_set_without_a_key_for_hs256(site: Site) -> None:
    jwks = _with_jwks(site)
    site.runs("slurmctld")
    found = site.look(["slurmctld"])
    assert found["jwks"]["kids"] == ["a"] and found["jwks"]["path"] == str(jwks)
    assert found["conf"]["key_path"] is None
    assert [code for code in codes(found) if code[0] != "info"] == []
    assert found["daemons"]["slurmctld"]["stale"] == []


@pytest.mark.parametrize("component", ["slurmctld", "slurmdbd"])
def test_a_key_set_that_is_newer_than_the_daemon(site: Site, component: str) -> None:
    jwks = _with_jwks(site)
    site.runs(component)
    os.utime(jwks)
    assert f"{jwks} was written after {component} had started." in site.look([component])["daemons"][component]["stale"]


def test_a_key_set_that_is_lost(site: Site) -> None:
    jwks = _with_jwks(site)
    site.runs("slurmctld")
    jwks.unlink()
    assert ("error", "jwks_missing") in codes(site.look(["slurmctld"]))
    declared = {"auth_alt_types": ["auth/jwt"], "parameters": {"jwt_key": False, "jwks": str(jwks)}}
    assert ("warning", "jwks_missing") in codes(site.look(["slurmctld"], declared=declared, jwks_path=str(jwks)))


@pytest.mark.parametrize(
    ("release", "parameters", "needed"),
    [
        ("slurm 20.11.4", {"jwks": "/etc/slurm/jwks.json"}, "jwks= needs Slurm 21.08 or later; found 20.11.4"),
        ("slurm 22.05.8", {"userclaimfield": "sub"}, "userclaimfield= needs Slurm 23.02 or later; found 22.05.8"),
        ("slurm 24.11.5", {"use_jwt_client_ids": True}, "use_jwt_client_ids needs Slurm 26.05 or later; found 24.11.5"),
    ],
)
def test_what_the_release_cannot_do(site: Site, release: str, parameters: dict[str, Any], needed: str) -> None:
    site.release = release
    for component in ("slurmctld", "slurmdbd"):
        site.runs(component)
        found = site.look([component], declared={"auth_alt_types": ["auth/jwt"], "parameters": parameters})
        told = [problem["found"] for problem in found["problems"] if problem["code"] == "release_too_old"]
        assert told == [needed + "."]
    assert not [code for code in codes(site.look(["node"], declared={"parameters": parameters})) if code[0] == "error"]


# A Slurm that is elsewhere


@pytest.fixture(name="elsewhere")
def _elsewhere(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """slurmctld runs from a prefix of its own, and nobody has said so. The process is a real one."""
    (site.root / "etc").mkdir()
    program = site.root / "sbin/slurmctld"
    shutil.copy("/bin/sleep", program)
    for name in ("slurm.conf", "slurmdbd.conf"):
        (site.root / name).rename(site.root / "etc" / name)
    (site.root / "bin").mkdir()
    (site.root / "sbin/scontrol").rename(site.root / "bin/scontrol")
    # Folders for tests are below one that everybody can write.
    monkeypatch.setattr(located_daemon, "_anybody_writes", lambda path: False)
    monkeypatch.setattr(located_daemon, "only_root_writes", lambda path: True)
    environment = {"SLURM_CONF": str(site.root / "etc/slurm.conf")}
    with subprocess.Popen([str(program), "60"], env=environment) as started:
        process = None
        while process is None or not process.command:
            process = processes.inspect(started.pid)
        site.runs("slurmctld", pid=started.pid)
        yield site
        started.kill()


def test_the_inspection_goes_on_with_what_it_found(elsewhere: Site) -> None:
    found = elsewhere.look(["slurmctld"], bin_dirs=[], declared=DECLARED)
    root = elsewhere.root
    assert found["undeclared"] == {
        "slurm_jwt_bin_dirs": [f"{root}/bin", f"{root}/sbin"],
        "slurm_jwt_conf_path": f"{root}/etc/slurm.conf",
    }
    assert codes(found)[:2] == [("error", "undeclared")] * 2
    assert "conf_missing" not in str(codes(found)) and "slurm_missing" not in str(codes(found))
    assert found["release"] == "24.11.5"
    assert found["conf"]["path"] == f"{root}/etc/slurm.conf"
    assert found["plugins"]["dir"] == f"{root}/lib/slurm"


def test_nothing_is_undeclared_where_it_is_declared(elsewhere: Site) -> None:
    declared = {"bin_dirs": [str(elsewhere.root / "sbin")], "conf_path": str(elsewhere.root / "etc/slurm.conf")}
    assert elsewhere.look(["slurmctld"], **declared)["undeclared"] == {}


def test_root_runs_nothing_that_others_can_change(elsewhere: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(located_daemon, "only_root_writes", lambda path: False)
    found = elsewhere.look(["slurmctld"], bin_dirs=[])
    assert "slurm_jwt_bin_dirs" in found["undeclared"]
    assert not [argv for argv in elsewhere.commands if str(elsewhere.root) in argv[0]]
    assert found["release"] is None
    assert "none of them was run as root" in str(found["problems"])


def test_a_daemon_in_a_unit_of_another_name(elsewhere: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere.units["ctld-prod"] = elsewhere.units.pop("slurmctld")
    monkeypatch.setattr(located_daemon, "running", lambda name: iter([(1, "ctld-prod")] if name == "slurmctld" else []))
    found = elsewhere.look(["slurmctld"], bin_dirs=[])
    assert found["undeclared"]["slurm_jwt_slurmctld_service"] == "ctld-prod"
    assert found["daemons"]["slurmctld"]["service"] == "ctld-prod"
    assert found["daemons"]["slurmctld"]["active"] == "active"
    assert "unit_missing" not in str(codes(found))
