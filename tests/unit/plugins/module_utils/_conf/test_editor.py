# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How files are changed. That the changes have their effect is proved by tests/conformance."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf, ConfError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.editor import Editor

TOP = "/etc/slurm/slurm.conf"
TYPES, PARAMETERS = "AuthAltTypes", "AuthAltParameters"


def load(texts: dict[str, bytes]) -> Conf:
    return Conf.load(TOP, lambda path: texts[path])


def conf(text: bytes, **others: bytes) -> Editor:
    files = {TOP: text, **{f"/etc/slurm/{name.replace('_', '.')}": data for name, data in others.items()}}
    return Editor(load(files))


def edited(text: bytes, edit: Callable[[Editor], bool]) -> bytes:
    """The top file afterwards; the edit's answer has to be true exactly if it changed something."""
    editor = conf(text)
    assert edit(editor) == bool(editor.changed())
    return editor.changed().get(TOP, text)


def switch_on(editor: Editor) -> bool:
    return editor.edit_list(TYPES, ["auth/jwt"])


def with_key(editor: Editor) -> bool:
    return editor.edit_options(PARAMETERS, {"jwt_key": "/k"})


# Where a new line goes, and how it looks


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"ClusterName=x\nAuthType=m\nNodeName=n\n", b"ClusterName=x\nAuthType=m\n+\nNodeName=n\n"),
        (
            b"AuthType=m\n\n# JWT\n#AuthAltTypes=auth/jwt\n# more\n",
            b"AuthType=m\n\n# JWT\n#AuthAltTypes=auth/jwt\n+\n# more\n",
        ),
        (b"## authALTtypes = x\nAuthType=m\n", b"## authALTtypes = x\nAuthAltTypes = auth/jwt\nAuthType=m\n"),
        (b"ClusterName=x\nNodeName=n\nPartitionName=p\n", b"ClusterName=x\n+\nNodeName=n\nPartitionName=p\n"),
        (b"ClusterName=x\nNodeName=n\nReturnToService=1\n", b"ClusterName=x\nNodeName=n\nReturnToService=1\n+\n"),
        (b"NodeName=n\n", b"NodeName=n\n+\n"),
        (b"NodeName=n", b"NodeName=n\n+"),
        (b"\r\nNodeName=n", b"\r\nNodeName=n\r\n+"),
        (b"", b"+\n"),
        (b"# only a comment", b"# only a comment\n+"),
        (b"NodeName=\\\nn", b"NodeName=\\\nn\n+"),
        (b"\\\n\\\n", b"+\n\\\n\\\n"),
        (b"AuthType=m", b"AuthType=m\n+"),
        (b"AuthType=m\r\nNodeName=n\r\n", b"AuthType=m\r\n+\r\nNodeName=n\r\n"),
        (b"NodeName=n\r\nAuthType=m", b"NodeName=n\r\nAuthType=m\r\n+"),
        (b"AuthType=m\r", b"AuthType=m\r\r\n+"),
        (b"A=1\nAuthType=m\r", b"A=1\nAuthType=m\r\r\n+"),
        (b"AuthType=m\\\n", b"+\nAuthType=m\\\n"),
        (b"AuthType=\\\nm\nNodeName=n\n", b"AuthType=\\\nm\n+\nNodeName=n\n"),
        (b"AuthType=m\\\n#AuthAltTypes=\nNodeName=n\n", b"AuthType=m\\\n#AuthAltTypes=\n+\nNodeName=n\n"),
        (b"AuthAltParameters=x,\\\n", b"+\nAuthAltParameters=x,\\\n"),
        (b"  AuthType\t=\tm\n", b"  AuthType\t=\tm\n  AuthAltTypes\t=\tauth/jwt\n"),
        (b"AuthType        = m\n", b"AuthType        = m\nAuthAltTypes    = auth/jwt\n"),
        (b"AuthType   = m\n", b"AuthType   = m\nAuthAltTypes = auth/jwt\n"),
    ],
)
def test_a_new_line_goes_where_an_administrator_would_put_it(before: bytes, after: bytes) -> None:
    result = edited(before, switch_on)
    assert result == after.replace(b"+", b"AuthAltTypes=auth/jwt")
    assert edited(result, lambda editor: editor.edit_list(TYPES, absent=["auth/jwt"])) == before


def test_parameters_go_below_types_even_in_an_include() -> None:
    editor = conf(b"AuthType=m\nInclude a.conf\n", a_conf=b"AuthAltTypes=auth/jwt\n# end\n")
    assert with_key(editor)
    assert editor.changed() == {"/etc/slurm/a.conf": b"AuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key=/k\n# end\n"}


def test_a_new_line_is_not_put_after_an_include_without_a_line_feed() -> None:
    editor = conf(b"Include a.conf\nInclude b.conf", a_conf=b"", b_conf=b"")
    assert switch_on(editor)
    # And that line feed is added: without it Slurm may find something else there after any change.
    assert editor.changed() == {TOP: b"Include a.conf\nAuthAltTypes=auth/jwt\nInclude b.conf\n"}


@pytest.mark.parametrize("include", [b"Include a.conf", b"Inc\\lude a.conf", b"Include \\\na.conf"])
def test_an_include_that_becomes_the_last_line_keeps_its_line_feed(include: bytes) -> None:
    editor = conf(include + b"\r\nAuthAltTypes=auth/jwt", a_conf=b"")
    assert editor.edit_list(TYPES, absent=["auth/jwt"])
    assert editor.changed() == {TOP: include + b"\r\n"}


def test_jwt_means_itself_in_other_lists() -> None:
    text = b"JobSubmitPlugins=jwt\n"
    assert edited(text, lambda editor: editor.edit_list("JobSubmitPlugins", ["auth/jwt"])) == (
        b"JobSubmitPlugins=jwt,auth/jwt\n"
    )


def test_an_include_that_ends_in_a_blank_needs_no_line_feed() -> None:
    editor = conf(b"AuthType=m\nInclude a.conf ", a_conf=b"")
    assert switch_on(editor)
    assert editor.changed() == {TOP: b"AuthType=m\nAuthAltTypes=auth/jwt\nInclude a.conf "}


def test_the_name_is_written_as_slurm_writes_it() -> None:
    assert edited(b"", lambda editor: editor.set("slurmctldtimeout", "5")) == b"SlurmctldTimeout=5\n"
    assert edited(b"", lambda editor: editor.set("Unknown.key", "5")) == b"Unknown.key=5\n"


# Values


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        (b"AuthInfo=a # c\n", "b", b"AuthInfo=b # c\n"),
        (b"AuthInfo=a#c\n", "ab", b"AuthInfo=ab#c\n"),
        (b'authinfo = "a b"\t\r\n', "a c", b'authinfo = "a c"\t\r\n'),
        (b"AuthInfo=a\n", "a b", b'AuthInfo="a b"\n'),
        (b"AuthInfo=a\n", "", b'AuthInfo=""\n'),
        (b'AuthInfo=""\n', "x", b'AuthInfo="x"\n'),
        (b'AuthInfo="a b"\n', 'a"b', b'AuthInfo=a"b\n'),
        (b"AuthInfo=a\n", "a#\\", b"AuthInfo=a\\#\\\\\n"),
        (b"AuthInfo=a,\\\nb,\\\nc\n", "a,x,c", b"AuthInfo=a,\\\nx,\\\nc\n"),
        (b"AuthInfo=\\a\\b\\c\n", "axc", b"AuthInfo=\\ax\\c\n"),
        (b"AuthInfo=x\nAuthInfo=y\n", "z", b"AuthInfo=x\nAuthInfo=z\n"),
        (b"AuthInfo+=x\n", "z", b"AuthInfo+=z\n"),
        (b"AuthInfo=x", "y", b"AuthInfo=y"),
        (b'AuthInfo="x"\n', "x", b'AuthInfo="x"\n'),
        (b"AuthInfo=\\x\\\n\n", "x", b"AuthInfo=\\x\\\n\n"),
    ],
)
def test_a_value_changes_in_its_line_and_nothing_else(before: bytes, value: str, after: bytes) -> None:
    assert edited(before, lambda editor: editor.set("AuthInfo", value)) == after


def test_a_value_in_an_include_changes_there() -> None:
    editor = conf(b"AuthInfo=a\nInclude a.conf\n", a_conf=b"authinfo=b")
    assert editor.set("AuthInfo", "c")
    assert editor.changed() == {"/etc/slurm/a.conf": b"authinfo=c"}
    assert editor.set("AuthInfo", "b")
    assert editor.changed() == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a\nb", "line break"),
        ("a\rb", "line break"),
        ("a\0b", "control character"),
        ('a "b"', "needs quotes"),
        ('"a"', "removes the quotes"),
        ('""', "removes the quotes"),
    ],
)
def test_a_value_that_slurm_cannot_be_given_is_refused(value: str, reason: str) -> None:
    editor = conf(b"AuthInfo=x\n")
    with pytest.raises(ConfError, match=reason):
        editor.set("AuthInfo", value)
    assert editor.changed() == {}


def test_a_password_is_not_repeated_in_a_refusal() -> None:
    with pytest.raises(ConfError) as failure:
        conf(b"").set("StoragePass", 'geheim "x"')
    assert "geheim" not in str(failure.value)


@pytest.mark.parametrize("key", ["NodeName", "partitionname", "SlurmctldHost", "Include", "a b", ""])
def test_what_has_no_single_value_is_not_edited(key: str) -> None:
    editor = conf(b"NodeName=a\n")
    for edit in (lambda: editor.set(key, "x"), lambda: editor.remove(key), lambda: editor.edit_list(key, ["x"])):
        with pytest.raises(ConfError):
            edit()


def test_programs_of_which_there_may_be_many_are_edited_while_there_is_one() -> None:
    assert edited(b"Prolog=/a\n", lambda editor: editor.set("Prolog", "/b")) == b"Prolog=/b\n"
    with pytest.raises(ConfError, match="many times"):
        conf(b"Prolog=/a\nProlog=/b\n").set("Prolog", "/c")


def test_a_line_at_which_slurm_stops_is_not_edited() -> None:
    editor = conf(b"AuthAltParameters=a, b\n")
    with pytest.raises(ConfError, match=r"slurm\.conf:1: the line of AuthAltParameters holds more than one"):
        with_key(editor)


def test_a_change_that_would_change_more_is_refused() -> None:
    files = {TOP: b"ClusterName=a\nInclude %c.conf\n", "/etc/slurm/a.conf": b"AuthType=a\n", "/etc/slurm/b.conf": b""}
    editor = Editor(load(files))
    with pytest.raises(ConfError, match="without changing something else"):
        editor.set("ClusterName", "b")
    assert editor.changed() == {}


# Removal


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"A=1\nAuthInfo=a\nB=2\n", b"A=1\nB=2\n"),
        (b"A=1\nAuthInfo=a", b"A=1"),
        (b"A=1\r\nAuthInfo=a", b"A=1"),
        (b"A=1\nB=2\r\nAuthInfo=a", b"A=1\nB=2"),
        (b"A=1\n\nAuthInfo=a", b"A=1\n\n"),
        (b"AuthInfo=a", b""),
        (b"AuthInfo=a\nA=1\nauthinfo=b,\\\nc\nB=2", b"A=1\nB=2"),
        (b"A=1\\\nAuthInfo=a\n", b"A=1\\\nAuthInfo=a\n"),
        (b"A=1\n", b"A=1\n"),
        (b"Include a.conf\nAuthInfo=a", b"Include a.conf\n"),
    ],
)
def test_a_parameter_is_removed_with_all_its_lines(before: bytes, after: bytes) -> None:
    editor = conf(before, a_conf=b"")
    assert editor.remove("AuthInfo") == (before != after)
    assert editor.changed().get(TOP, before) == after


def test_no_overruled_line_comes_into_force() -> None:
    editor = conf(b"AuthInfo=a\nInclude a.conf\nAuthInfo=c\n", a_conf=b"AuthInfo=b\n")
    assert editor.remove("AuthInfo")
    assert editor.conf.value("AuthInfo") is None
    assert editor.changed() == {TOP: b"Include a.conf\n", "/etc/slurm/a.conf": b""}


# Lists and options


@pytest.mark.parametrize(
    ("before", "present", "absent", "after"),
    [
        (b"AuthAltTypes=x\n", ["auth/jwt"], [], b"AuthAltTypes=x,auth/jwt\n"),
        (b"AuthAltTypes=x,auth/jwt,y\n", ["auth/jwt"], [], b"AuthAltTypes=x,auth/jwt,y\n"),
        (b"AuthAltTypes=x,auth/jwt,y\n", [], ["auth/jwt"], b"AuthAltTypes=x,y\n"),
        (b"AuthAltTypes=auth/jwt,y\n", [], ["auth/jwt"], b"AuthAltTypes=y\n"),
        (b"AuthAltTypes=x,auth/jwt\n", [], ["auth/jwt"], b"AuthAltTypes=x\n"),
        (b"AuthAltTypes=x,auth/jwt,auth/jwt\n", [], ["auth/jwt"], b"AuthAltTypes=x\n"),
        (b"AuthAltTypes=auth/jwt\n", [], ["auth/jwt"], b""),
        (b"AuthAltTypes=x\nAuthAltTypes=auth/jwt\n", [], ["auth/jwt"], b""),
        (b"AuthAltTypes=auth/jwt\n", ["x"], ["auth/jwt"], b"AuthAltTypes=x\n"),
        (b"AuthAltTypes=jwt\n", [], ["auth/jwt"], b""),
        (b"AuthAltTypes=jwt\n", ["x"], [], b"AuthAltTypes=jwt,x\n"),
        (b"AuthAltTypes=jwt,x\n", ["auth/jwt"], [], b"AuthAltTypes=auth/jwt,x\n"),
        (b"AuthAltTypes=rest_auth/jwt\n", ["auth/jwt"], [], b"AuthAltTypes=auth/jwt\n"),
        (b"AuthAltTypes='auth/jwt'\n", ["auth/jwt"], [], b"AuthAltTypes=auth/jwt\n"),
        ("AuthAltTypes=\u2018auth/jwt\u2019\n".encode(), ["auth/jwt"], [], b"AuthAltTypes=auth/jwt\n"),
        ("AuthAltTypes=\u201cauth/jwt\u201d\n".encode(), ["auth/jwt"], [], b"AuthAltTypes=auth/jwt\n"),
        (b"AuthAltTypes=AUTH/JWT\n", ["auth/jwt"], [], b"AuthAltTypes=auth/jwt\n"),
        (b"AuthAltTypes='auth/jwt',auth/jwt,auth/munge\n", ["auth/jwt"], [], b"AuthAltTypes=auth/jwt,auth/munge\n"),
        (b"AuthAltTypes=auth/munge,'auth/jwt'\n", [], ["auth/jwt"], b"AuthAltTypes=auth/munge\n"),
        (b"AuthAltTypes=rest_auth/jwt,auth/jwt,jwt\n", ["auth/jwt"], [], b"AuthAltTypes=auth/jwt\n"),
        (b'AuthAltTypes="x, auth/jwt"\n', ["auth/jwt"], [], b'AuthAltTypes="x,auth/jwt"\n'),
        (b'AuthAltTypes="x, auth/jwt"\n', [], ["auth/jwt"], b'AuthAltTypes="x"\n'),
        (b'AuthAltTypes=""\n', ["auth/jwt"], [], b'AuthAltTypes="auth/jwt"\n'),
        (b"AuthAltTypes=x,\n", ["auth/jwt"], [], b"AuthAltTypes=x,auth/jwt\n"),
        (b"AuthAltTypes=x,\\\nauth/jwt,\\\ny\n", [], ["auth/jwt"], b"AuthAltTypes=x,\\\ny\n"),
        (b"AuthAltTypes=x,\\\ny\n", [], ["y"], b"AuthAltTypes=x\n"),
        (b"AuthAltTypes=x,\\ # why\ny # z\n", ["w"], ["x"], b"AuthAltTypes=y,w # z\n"),
        (b"", [], ["auth/jwt"], b""),
    ],
)
def test_a_list_is_edited_member_by_member(before: bytes, present: list[str], absent: list[str], after: bytes) -> None:
    assert edited(before, lambda editor: editor.edit_list(TYPES, present, absent)) == after


@pytest.mark.parametrize(
    ("before", "present", "absent", "after"),
    [
        (b"x\n", {"jwt_key": "/k"}, [], b"x,jwt_key=/k\n"),
        (b"jwt_key=/old,x\n", {"jwt_key": "/k"}, [], b"jwt_key=/k,x\n"),
        (b"jwt_key=/a,jwt_key=/b\n", {"jwt_key": "/k"}, [], b"jwt_key=/k,jwt_key=/b\n"),
        (b'"x, jwt_key=/a"\n', {"jwt_key": "/k"}, [], b'"x,jwt_key=/k"\n'),
        (b'"x, jwks=/j,jwt_key=/a"\n', {"jwt_key": "/k"}, [], b'"x, jwks=/j,jwt_key=/k"\n'),
        (b"JWT_KEY=/a\n", {"jwt_key": "/k"}, [], b"jwt_key=/k\n"),
        (b"old_jwt_key=/a,x\n", {"jwt_key": "/k"}, [], b"jwt_key=/k,old_jwt_key=/a,x\n"),
        (b"x,old_jwt_key=/a,jwt_key=/k\n", {"jwt_key": "/k"}, [], b"x,jwt_key=/k,old_jwt_key=/a\n"),
        (b"jwt_key=\n", {"jwt_key": "/k"}, [], b"jwt_key=/k\n"),
        (b"x\n", {"jwt_key": "/a b"}, [], b'"x,jwt_key=/a b"\n'),
        (b"x\\#y,\\\nz\n", {"jwt_key": "/a b"}, [], b'"x\\#y,\\\nz,jwt_key=/a b"\n'),
        (b"x\n", {"jwt_key": "/a#b"}, [], b"x,jwt_key=/a\\#b\n"),
        (b"x\n", {"disable_token_creation": None}, [], b"x,disable_token_creation\n"),
        (b"disable_token_creation=1\n", {"disable_token_creation": None}, [], b"disable_token_creation=1\n"),
        (b"jwt_key=/a,jwks=/b,x\n", {}, ["jwt_key", "jwks"], b"x\n"),
        (b"jwt_key=/a,jwks=/b\n", {}, ["jwt_key", "jwks"], None),
        (b"x,y\n", {}, ["jwt_key"], b"x,y\n"),
        (b"a=1\\\n,b=2\\\n,c=3\n", {"b": "4"}, ["c"], b"a=1\\\n,b=4\n"),
    ],
)
def test_options_are_edited_one_by_one(
    before: bytes, present: dict[str, str | None], absent: list[str], after: bytes | None
) -> None:
    key = b"AuthAltParameters="
    result = edited(key + before, lambda editor: editor.edit_options(PARAMETERS, present, absent))
    assert result == (b"" if after is None else key + after)


@pytest.mark.parametrize(
    "present",
    [
        {"jwt_key": "relative/path"},
        {"jwt_key": "/a,b"},
        {"jwt_key": "/a\nb"},
        {"jwt_key": "/a "},
        {"jwt_key": ""},
        {"jwt_key": None},
        {"jwks": "jwks.json"},
        {"max_token_lifespan": "0"},
        {"max_token_lifespan": "-5"},
        {"max_token_lifespan": "1800x"},
        {"max_token_lifespan": "infinite"},
        {"max_token_lifespan": None},
        {"disable_token_creation": "yes"},
        {"userclaimfield": ""},
        {"a=b": None},
        {" x": None},
        {"": None},
    ],
)
def test_options_that_slurm_would_misread_are_refused(present: dict[str, str | None]) -> None:
    for text in (b"", b"AuthAltParameters=jwt_key=/old\n"):
        editor = conf(text)
        with pytest.raises(ConfError, match="nothing was changed|cannot be a member|not an option name"):
            editor.edit_options(PARAMETERS, present)
        assert editor.changed() == {}


@pytest.mark.parametrize("member", ["", "a,b", " a", "a\n"])
def test_invalid_members_are_refused(member: str) -> None:
    with pytest.raises(ConfError):
        conf(b"").edit_list(TYPES, [member])


def test_a_blank_and_a_quote_cannot_meet_in_a_list() -> None:
    editor = conf(b'AuthAltParameters="a,b c"\n')
    with pytest.raises(ConfError, match="needs quotes"):
        editor.edit_options(PARAMETERS, {"jwt_key": '/a"b'})
    assert editor.changed() == {}


def test_present_and_absent_at_once_is_refused() -> None:
    with pytest.raises(ConfError, match="both present and absent"):
        conf(b"").edit_list(TYPES, ["a"], ["a"])


def test_what_was_read_stays_as_it_was() -> None:
    editor = conf(b"AuthInfo=a\n")
    before = editor.conf
    editor.set("AuthInfo", "b")
    assert (before.value("AuthInfo"), editor.conf.value("AuthInfo")) == ("a", "b")
    assert before is editor.original
    assert before.data == {TOP: b"AuthInfo=a\n"}


# Any file


def _line(draw: Any) -> bytes:
    """A line of a file, with or without its traps."""
    ends = st.sampled_from([b"\n", b"\n", b"\r\n", b"\\\n\n", b" # c\n", b"#\n", b"\\ \n# c\n"])
    kind = draw(st.integers(0, 9))
    if kind < 4:
        key = draw(st.sampled_from([b"ClusterName", b"AuthType", b"slurmuser", b" ReturnToService ", b"AuthIn\\fo"]))
        value = draw(st.sampled_from([b"x", b'"a b"', b"a\\#b", b"a\\\nb", b"\xe9", b"a,b,\\\nc"]))
        return key + b"=" + value + draw(ends)
    if kind < 6:
        return draw(st.sampled_from([b"\n", b"#x\n", b"# x\\\n", b"  \r\n", b"#AuthAltTypes=q\n", b"\\\n"]))
    return draw(
        st.sampled_from([b"NodeName=n CPUs=1\n", b"Include a.conf\n", b"Include b.conf # x\n", b"PartitionName=p\n"])
    )


@st.composite
def files(draw: Any) -> dict[str, bytes]:
    texts = [b"".join(_line(draw) for _line_number in range(draw(st.integers(0, 6)))) for _file in range(3)]
    texts = [text.rstrip(b"\r\n\\") if draw(st.booleans()) else text for text in texts]
    top, *others = texts
    plain = [b"".join(part for part in text.splitlines(True) if not part.startswith(b"Inc")) for text in others]
    return {TOP: top, "/etc/slurm/a.conf": plain[0], "/etc/slurm/b.conf": plain[1]}


EDITS: list[tuple[Callable[[Editor], bool], Callable[[Editor], bool]]] = [
    (switch_on, lambda editor: editor.edit_list(TYPES, absent=["auth/jwt"])),
    (with_key, lambda editor: editor.edit_options(PARAMETERS, absent=["jwt_key"])),
    (lambda editor: editor.set("SlurmctldTimeout", "a # b"), lambda editor: editor.remove("slurmctldtimeout")),
    (lambda editor: editor.set("NewKey", ""), lambda editor: editor.remove("NewKey")),
]


@pytest.mark.parametrize("include", [b"Include b.conf # x", b"Include b.conf ", b"\\\nInclude b.conf # x"])
def test_an_include_that_a_blank_ends_needs_no_line_feed(include: bytes) -> None:
    texts = {TOP: b"ClusterName=x\n" + include, "/etc/slurm/b.conf": b""}
    editor = Editor(load(texts))
    assert switch_on(editor)
    assert editor.edit_list(TYPES, absent=["auth/jwt"])
    assert not editor.changed()


@given(files(), st.lists(st.sampled_from(EDITS), min_size=1, max_size=4, unique=True))
@settings(max_examples=200)
def test_what_was_added_is_removed_without_a_trace(
    texts: dict[str, bytes], edits: list[tuple[Callable[[Editor], bool], Callable[[Editor], bool]]]
) -> None:
    editor = Editor(load(texts))
    faults = len(editor.conf.parsed.faults)
    values = {key: [entry.value for entry in entries] for key, entries in editor.conf.parsed.entries.items()}
    for there, _back in edits:
        assert there(editor)
        assert not there(editor)
    after = editor.changed()
    again = Conf.load(TOP, lambda path: after.get(path, texts[path]))
    assert {
        key: [entry.value for entry in entries] for key, entries in again.parsed.entries.items() if key in values
    } == values
    assert len(again.parsed.faults) <= faults
    for _there, back in reversed(edits):
        assert back(editor)
    if editor.changed():
        # A line feed that an Include lacked stays.
        assert [fault.code for fault in load(texts).parsed.faults] == ["include_unended"]
        assert editor.changed()[TOP].rstrip(b"\r\n") == texts[TOP]


@given(files(), st.text(min_size=1, max_size=12))
@settings(max_examples=200)
def test_any_value_is_read_back_or_refused(texts: dict[str, bytes], value: str) -> None:
    editor = Editor(load(texts))
    try:
        editor.set("AuthInfo", value)
    except ConfError:
        assert editor.changed() == {}
        return
    after = editor.changed()
    assert Conf.load(TOP, lambda path: after.get(path, texts[path])).value("AuthInfo") == value
