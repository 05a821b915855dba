# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How files are read. That Slurm reads them so is proved by tests/conformance."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import locale
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf, ConfError, Setting
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.editor import Editor
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.parser import (
    PAIR,
    ParsedConf,
    joined_line,
    split_lines,
)

TOP = "/etc/slurm/slurm.conf"

# Everything a parser could stumble over, in a mix that hits often.
BYTES = st.lists(
    st.sampled_from(
        [
            b"AuthType",
            b"authtype",
            b"k",
            b"=",
            b" ",
            b"\t",
            b"\n",
            b"\r\n",
            b"\\",
            b"\\\n",
            b"\\ \n",
            b"#",
            b"\\#",
            b'"',
            b",",
            b"Include ",
            b"include\t",
            b"b.conf",
            b"\0",
            b"\xe9",
            b"\f",
            b"+=",
            b"%c",
            b"ClusterName=X\n",
            b"NodeName=n CPUs=2\n",
        ]
    ),
    max_size=25,
).map(b"".join) | st.binary(max_size=40)


def conf(text: bytes | str, kind: str | None = None, **others: bytes) -> Conf:
    """A configuration; the keywords are other files in its folder, with _ for the dot."""
    files = {TOP: text.encode() if isinstance(text, str) else text}
    files.update({f"/etc/slurm/{name.replace('_', '.')}": data for name, data in others.items()})

    def read(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path]

    return Conf.load(TOP, read, kind)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("AuthType=auth/munge", "auth/munge"),
        ("authTYPE = auth/munge \t\r\n", "auth/munge"),
        (" \tAuthType\t=\tauth/munge # comment", "auth/munge"),
        ("AuthType=auth/munge#comment", "auth/munge"),
        ('AuthType="auth/munge"', "auth/munge"),
        ('AuthType="a b" # c', "a b"),
        ('AuthType=""', ""),
        ('AuthType="a"b', '"a"b'),
        ('AuthType="a', '"a'),
        ('AuthType="a # b"', '"a'),
        ("AuthType=a\\#b", "a#b"),
        ("AuthType=a\\\\#b", "a\\"),
        ("AuthType=a\\\\\\#b", "a\\#b"),
        ("AuthType=a\\b\\\\c", "ab\\c"),
        ("AuthType=\\\nauth/\\\nmunge", "auth/munge"),
        ("AuthType=auth/\\ \t\r\nmunge", "auth/munge"),
        ("AuthType=auth/\\ # comment\nmunge", "auth/munge"),
        ("AuthType=auth/\\\n# comment \\\nmunge=x", "auth/"),
        ("Auth\\\nType=auth/munge\\\n", "auth/munge"),
        ("AuthType=a\\\\\nb=c", "a\\"),
        ("AuthType+=a", "a"),
        ("AuthType==a", "=a"),
        ("AuthType=a\nAUTHTYPE=b\nAuthtype=c", "c"),
        ("AuthType=a\0b", "a"),
        ("AuthType=a\\\0b\nc", "ac"),
        ("AuthType\v=\fa", "a"),
        ("#AuthType=a", None),
        ("# x \\\nAuthType=a", "a"),
        ("AuthType=", None),
        ("Auth Type=a", None),
        ("", None),
    ],
)
def test_reads_a_value_as_slurm_does(text: str, value: str | None) -> None:
    assert conf(text).value("AuthType") == value


def test_reports_the_lines_of_a_setting() -> None:
    result = conf("# one\nAuthType=a\nauthalttypes=x,\\\ny\\\n,z\nAuthAltTypes=b\n").occurrences("AuthAltTypes")
    assert result == [Setting("authalttypes", "x,y,z", TOP, 3, 5), Setting("AuthAltTypes", "b", TOP, 6, 6)]


def test_the_last_setting_is_in_force_in_whichever_file() -> None:
    top = "ClusterName=Lab\nAuthType=a\nInclude more.conf\ninclude %c.conf \n"
    read = conf(
        top, more_conf=b"AuthType=b\nInclude ./deep.conf\n", deep_conf=b"AuthInfo=c\n", lab_conf=b"AuthInfo=d\n"
    )
    assert (read.value("AuthType"), read.value("AuthInfo")) == ("b", "d")
    assert read.paths == [TOP, "/etc/slurm/more.conf", "/etc/slurm/deep.conf", "/etc/slurm/lab.conf"]
    assert read.effective("AuthType") == Setting("AuthType", "b", "/etc/slurm/more.conf", 1, 1)


def test_an_include_may_be_given_again() -> None:
    read = conf("Include a.conf\nAuthType=x\nInclude a.conf\n", a_conf=b"AuthType=a\n")
    assert read.value("AuthType") == "a"
    assert len(read.occurrences("AuthType")) == 3


def test_relative_names_start_from_the_top_folder_and_then_from_the_including_file() -> None:
    files = {
        TOP: b"Include /etc/slurm/sub/a\n",
        "/etc/slurm/sub/a": b"Include b\nInclude c\n",
        "/etc/slurm/b": b"AuthType=top\n",
        "/etc/slurm/sub/b": b"AuthType=sub\n",
        "/etc/slurm/sub/c": b"AuthInfo=c\n",
    }

    def read(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path]

    result = Conf.load(TOP, read)
    assert (result.value("AuthType"), result.value("AuthInfo")) == ("top", "c")
    assert [problem.severity for problem in result.problems()] == ["warning"]


def test_a_cycle_of_includes_ends() -> None:
    read = conf("Include a.conf\nAuthType=x\n", a_conf=b"Include ./slurm.conf\n")
    assert read.value("AuthType") == "x"
    assert "being read already" in read.problems()[0].found


def test_a_file_that_includes_itself_in_ever_new_words_ends() -> None:
    deep = Conf.load("/a/s", lambda path: b"Include x/../s\nInclude y/../s\n" if path.endswith("s") else b"")
    assert any("being read already" in problem.found for problem in deep.problems())


def test_the_kind_follows_the_name() -> None:
    assert Conf.load("/etc/slurm/slurmdbd.conf", lambda path: b"").kind == "slurmdbd"
    assert Conf.load("/etc/slurm/slurm.conf", lambda path: b"").kind == "slurm"
    assert Conf.load("/etc/slurm/my.conf", lambda path: b"", "slurmdbd").kind == "slurmdbd"


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfError, match=r"^/etc/none: cannot be read \(No such file or directory\)\. Name the file"):
        Conf.load("/etc/none")


def test_a_folder_is_refused(tmp_path) -> None:
    with pytest.raises(ConfError, match="is a folder. Name the file"):
        Conf.load(str(tmp_path))


def test_reads_real_files(tmp_path) -> None:
    (tmp_path / "slurm.conf").write_bytes(b"Include more\nInclude folder\n")
    (tmp_path / "more").write_bytes(b"AuthType=a\n")
    (tmp_path / "folder").mkdir()
    read = Conf.load(str(tmp_path / "slurm.conf"))
    assert read.value("AuthType") == "a"
    assert read.problems() == []


@pytest.mark.parametrize(
    ("value", "name", "result"),
    [
        ("jwt_key=/a", "jwt_key", "/a"),
        ("x,jwt_key=/a=b,y", "jwt_key", "/a=b"),
        ("jwt_key=/a,jwt_key=/b", "jwt_key", "/a"),
        ('"x, jwt_key=/a"', "jwt_key", None),
        ("xjwt_key=/a", "jwt_key", None),
        ("JWT_KEY=/a", "jwt_key", None),
        ("jwt_key=,jwt_key=/b", "jwt_key", None),
        ("jwt_key,jwt_key=/b", "jwt_key", "/b"),
        ("disable_token_creation", "disable_token_creation", ""),
        ("disable_token_creation=no", "disable_token_creation", "no"),
        ('"x, disable_token_creation"', "disable_token_creation", ""),
        ('"x, max_token_lifespan=3"', "max_token_lifespan", "3"),
        ("x", "disable_token_creation", None),
        ("site=1,flag", "flag", ""),
        ("site=1,flag", "site", "1"),
    ],
)
def test_reads_an_option_as_the_strictest_release(value: str, name: str, result: str | None) -> None:
    assert conf(f"AuthAltParameters={value}\n").option("AuthAltParameters", name) == result


def test_reads_members() -> None:
    assert conf("AuthAltTypes=,auth/jwt,,x\n").members("authalttypes") == ["auth/jwt", "x"]
    assert conf('AuthAltTypes="auth/jwt, x"\n').members("AuthAltTypes") == ["auth/jwt", " x"]
    assert conf("").members("AuthAltTypes") == []


def test_bytes_that_are_not_utf_8_survive() -> None:
    read = conf(b"AuthInfo=sch\xf6n\n")
    value = read.value("AuthInfo")
    assert value is not None
    editor = Editor(read)
    assert not editor.set("AuthInfo", value)
    assert editor.set("AuthInfo", value + "!")
    assert editor.changed() == {TOP: b"AuthInfo=sch\xf6n!\n"}


def test_two_thousand_nodes_are_read_quickly() -> None:
    line = b"NodeName=node%04d CPUs=64 Sockets=2 CoresPerSocket=16 ThreadsPerCore=2 RealMemory=256000 State=UNKNOWN\n"
    data = b"ClusterName=x\n" + b"".join(line % number for number in range(2000))
    times = []
    for _attempt in range(5):
        begin = time.process_time()
        conf(data)
        times.append(time.process_time() - begin)
    # It takes 5 ms on an idle machine; the goal is 15.
    assert min(times) < 0.045


# Anything at all


@given(BYTES, BYTES)
@example(b"Include b.conf", b"")
@settings(max_examples=250)
def test_any_bytes_can_be_read_and_stay_as_they_are(top: bytes, other: bytes) -> None:
    read = conf(top, b_conf=other)
    read.problems()
    assert read.data[TOP] == top
    assert b"".join(split_lines(top)) == top


@given(BYTES)
@settings(max_examples=250)
def test_positions_of_a_joined_line_are_those_of_its_bytes(data: bytes) -> None:
    lines = split_lines(data)
    parsed = ParsedConf(TOP, "slurm", lambda path: data if path == TOP else b"")
    for entries in parsed.entries.values():
        for entry in entries:
            line = joined_line(lines, entry.first, entry.last)
            pair = PAIR.match(line.text)
            assert pair is not None and entry.value in (pair.group(3), pair.group(4))
            raw = b"".join(lines[entry.first : entry.last + 1])
            assert len(line.starts) == len(line.ends) == len(line.text)
            for number, (start, end) in enumerate(zip(line.starts, line.ends)):
                assert raw[start:end].lstrip(b"\\") in (line.text[number : number + 1], b"")


class _Match(ctypes.Structure):
    _fields_ = [("start", ctypes.c_int), ("end", ctypes.c_int)]


_PATTERN = (
    rb"^[[:space:]]*([[:alnum:]_.]+)[[:space:]]*([-*+/]?)=[[:space:]]*"
    rb'(("([^"]*)")|([^[:space:]]+))([[:space:]]|$)'
)


@pytest.fixture(scope="module", autouse=True)
def _locale_of_the_daemons():
    before = locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_ALL, "C")
    yield
    locale.setlocale(locale.LC_ALL, before)


@functools.lru_cache(maxsize=None)
def glibc() -> tuple[ctypes.CDLL, ctypes.Array[ctypes.c_char]]:
    """The C library and what it makes of Slurm's pattern."""
    libc = ctypes.CDLL(ctypes.util.find_library("c"))
    if not hasattr(libc, "gnu_get_libc_version"):
        pytest.skip("Slurm's pattern needs glibc, which this is not")
    compiled = ctypes.create_string_buffer(256)
    assert libc.regcomp(compiled, _PATTERN, 1) == 0
    return libc, compiled


@given(
    st.lists(
        st.sampled_from(
            [
                b"a",
                b"B_",
                b".",
                b" ",
                b"\t",
                b"\r",
                b"\n",
                b"\v",
                b"\f",
                b'"',
                b"=",
                b"+",
                b"-",
                b",",
                b"\xe9",
                b"\xa0",
                b"k=",
            ]
        ),
        max_size=12,
    ).map(b"".join)
)
@settings(max_examples=500)
def test_a_pair_is_what_the_c_library_finds(line: bytes) -> None:
    libc, compiled = glibc()
    result = (_Match * 8)()
    misses = libc.regexec(compiled, line, 8, result, 0)
    mine = PAIR.match(line)
    assert (mine is None) == bool(misses)
    if mine is not None:
        group = 5 if result[5].start != -1 else 6
        assert mine.span(3 if group == 5 else 4) == (result[group].start, result[group].end)
        assert mine.end() == result[3].end
        assert mine.group(1) == line[result[1].start : result[1].end]
        assert mine.group(2) == line[result[2].start : result[2].end]
