# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What shapes let in: the right types and lengths, no template, no control character."""

from __future__ import annotations

import math
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations import shapes
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import Members, Misfit

DELIMITERS = ("{{", "{%", "{#", "}}", "%}", "#}")
TEMPLATES = (
    "{{ lookup('pipe', 'id') }}",
    "{% set x = 1 %}",
    "{# a comment #}",
    "{%- if true -%}",
    "{{{ three }}}",
    "{{",
    "}}",
    "{{%}}",
    "{\x00{ split }\x00}",
    "{\u202e{ split }\u202e}",
)
# The characters that Unicode says direct text. One that goes the other way makes a line read otherwise than it is.
DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# Marks, which move but what is beside them: digits, dots and slashes.
MARKS = "\u061c\u200e\u200f"
CONTROL = (
    "\x00", "\x07", "\b", "\t", "\n", "\x0b", "\x0c", "\r", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029",
    "\ud800", "\udfff", *DIRECTIONS,
)  # fmt: skip
# Forged lines: of a play's recap, and one that overwrites the line before it.
FORGED = ("fine\nctl1 : ok=1 failed=0", "fine\r\nok: [ctl1]", "\x1b[1A\x1b[2Kok: [ctl1]", "\x1b]0;title\x07")
# What Ansible before 2.19 takes for the head of a template that chooses its own delimiters.
HEADER = "#jinja2:variable_start_string:'[[',variable_end_string:']]',trim_blocks:('[[ 1 + 1 ]]')x"

SECRET = "c2VjcmV0IG9mIHRoZSBob3N0"

_hostile = st.sampled_from([*"{}%#.\\/~-+;[]'\"\n\r\t ", *CONTROL, *DELIMITERS, "../", SECRET])
TEXT = st.one_of(st.text(st.characters()), st.lists(_hostile).map("".join), st.text(st.sampled_from("{}%# \n\x00a")))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda below: st.lists(below, max_size=5) | st.dictionaries(TEXT, below, max_size=5),
    max_leaves=20,
)


def texts(value):
    """All text in a value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from texts(name)
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def numbers(value):
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from numbers(each)
    elif isinstance(value, (int, float)):
        yield value


def is_template(text):
    return any(mark in text for mark in DELIMITERS)


def is_printable(text):
    return not any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") or each in DIRECTIONS for each in text)


def let_in(shape, value, member="here"):
    """What the shape lets in, in a list; nothing if it does not fit. Nothing else may happen."""
    try:
        return [shape(value, member)]
    except Misfit as misfit:
        assert SECRET not in str(misfit)
        assert is_printable(str(misfit))
        assert not is_template(str(misfit))
        return []


def refused(shape, value, member="here"):
    with pytest.raises(Misfit) as caught:
        shape(value, member)
    return str(caught.value)


NO_TEXT = (None, True, 0, 1.5, [], ["a"], {}, {"a": "b"}, b"bytes", object())
NO_NUMBER = (None, True, False, "1", "", [], {}, b"1", object(), 1j)


# -- flags and numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [True, False])
def test_a_flag(value):
    assert shapes.flag(value, "here") is value


@pytest.mark.parametrize("value", [None, 0, 1, 1.0, "true", "yes", "", [], {}, b"", object()])
def test_no_flag(value):
    assert refused(shapes.flag, value).startswith("here is ")


@pytest.mark.parametrize("value", [0, 1, 1.5, 0.0, 1e12, 10**12])
def test_a_number(value):
    found = shapes.number()(value, "here")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("value", [*NO_NUMBER, math.nan, math.inf, -math.inf, -1, -0.5, 1e13, 10**13])
def test_no_number(value):
    assert refused(shapes.number(), value)


@pytest.mark.parametrize("name", ["number", "whole", "json_value"])
def test_a_number_beyond_all_floats_is_a_misfit(name):
    # JSON has such numbers, and Python reads up to 4,300 digits of them.
    for value in (10**309, -(10**309), 10**4000):
        assert "out of range" in refused(getattr(shapes, name)(), value)


def test_the_range_of_a_number():
    shape = shapes.number(-2, 2)
    assert [shape(value, "") for value in (-2, 2, -2.0, 2.0)] == [-2, 2, -2.0, 2.0]
    assert "from -2 to 2" in refused(shape, 2.1)


@pytest.mark.parametrize("value", [0, 1, 2**63])
def test_a_whole_number(value):
    assert shapes.whole()(value, "here") == value


@pytest.mark.parametrize("value", [*NO_NUMBER, math.nan, math.inf, 1.0, 1.5, -1, 2**64])
def test_no_whole_number(value):
    assert refused(shapes.whole(), value)


def test_numbers_lose_what_they_carry():
    class Odd(int):
        def __str__(self):
            return "{{ odd }}"

    assert shapes.whole()(Odd(3), "").__class__ is int


# -- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a", "Slurm 24.11.5 is fine.", "a { b } c % d # e", "ä ñ 漢 🙂", "100 %", "{x}"])
def test_text_that_stays(text):
    assert shapes.sentence()(text, "") == text
    assert shapes.lines()(text, "") == text
    assert shapes.word()(text, "") == text


@pytest.mark.parametrize("value", NO_TEXT)
def test_no_text(value):
    for shape in (shapes.sentence(), shapes.lines(), shapes.word(), shapes.one_of("a")):
        assert refused(shape, value)


@pytest.mark.parametrize("text", TEMPLATES)
@pytest.mark.parametrize("name", ["sentence", "lines", "json_value"])
def test_sentences_with_templates_come_apart(name, text):
    found = getattr(shapes, name)()(f"before {text} after", "")
    assert not is_template(found)
    assert found.startswith("before") and found.endswith("after")
    assert re.sub(r"\s", "", found) == re.sub(r"[\s\x00\u202e]", "", f"before{text}after")


@pytest.mark.parametrize("text", TEMPLATES)
def test_words_with_templates_do_not_fit(text):
    assert refused(shapes.word(), text)
    assert refused(shapes.word(), f"a{text}b")


@pytest.mark.parametrize("name", ["sentence", "lines", "json_value", "word"])
def test_no_text_chooses_its_own_delimiters(name):
    for text in (HEADER, "#jinja2:variable_start_string:'[[',variable_end_string:']]'\n[[ 1 + 1 ]]"):
        assert not any("#jinja2:" in found for found in let_in(getattr(shapes, name)(), text))


@pytest.mark.parametrize("character", CONTROL)
def test_characters_that_nobody_sees(character):
    text = f"left{character}right"
    assert shapes.sentence()(text, "") == "left right"
    assert shapes.lines()(text, "") == ("left\nright" if character == "\n" else "left right")
    assert refused(shapes.word(), text)
    assert refused(shapes.one_of("leftright", "left right"), text)


@pytest.mark.parametrize("character", MARKS)
def test_marks_of_direction(character):
    assert character not in shapes.sentence()(f"10.0.0.1{character}/24", "")
    assert refused(shapes.word(), f"10.0.0.1{character}/24")


@pytest.mark.parametrize("text", FORGED)
def test_no_line_is_forged(text):
    shown = shapes.sentence()(text, "")
    assert is_printable(shown)
    assert len(shown.splitlines()) == 1
    assert refused(shapes.word(), text)


def test_a_sentence_is_cut():
    assert shapes.sentence()("a" * 4000, "") == "a" * 4000
    assert shapes.sentence()("a" * 4001, "") == "a" * 4000 + " ... (cut)"
    assert shapes.sentence(3)("abcd", "") == "abc ... (cut)"
    assert shapes.lines(3)("abcd", "") == "abc\n... (cut)"
    # Each pair that comes apart takes one more.
    assert len(shapes.sentence()("{" * 10_000_000, "")) <= 2 * 4000 + len(" ... (cut)")


def test_where_it_is_cut_no_template_comes_about():
    for longest in range(8):
        for text in TEMPLATES:
            assert not is_template(shapes.harmless(text, longest))
            assert not is_template(shapes.harmless_lines(text, longest))


def test_a_word_is_never_cut():
    assert shapes.word(longest=3)("abc", "") == "abc"
    assert refused(shapes.word(longest=3), "abcd") == "here is 4 characters long, not at most 3"


def test_a_word_has_its_pattern_all_over():
    shape = shapes.word("[a-z]+", what="a name")
    assert shape("abc", "") == "abc"
    for text in ("", "Abc", "abc1", "abc\n", "\nabc", "abc abc"):
        assert refused(shape, text) == "here is text with invalid characters, not a name"


def test_one_of():
    shape = shapes.one_of("a.b", "c|d")
    assert [shape(text, "") for text in ("a.b", "c|d")] == ["a.b", "c|d"]
    for text in ("axb", "c", "d", "", "a.b\n", "A.B"):
        assert "a.b or c|d" in refused(shape, text)


def test_text_loses_what_it_carries():
    class Odd(str):
        __slots__ = ("tags",)

    for shape in (shapes.sentence(), shapes.lines(), shapes.word(), shapes.one_of("odd")):
        assert shape(Odd("odd"), "").__class__ is str


# -- what holds others ------------------------------------------------------------------------------------------------


def test_maybe():
    assert shapes.maybe(shapes.flag)(None, "here") is None
    assert shapes.maybe(shapes.flag)(True, "here") is True
    assert refused(shapes.maybe(shapes.flag), 0)


@pytest.mark.parametrize("value", [[], ["a", "b"], ("a", "b")])
def test_a_list(value):
    assert shapes.list_of(shapes.word())(value, "here") == list(value)


@pytest.mark.parametrize("value", [None, True, 1, "ab", {"a": "b"}, {"a"}, iter("ab"), b"ab"])
def test_no_list(value):
    assert refused(shapes.list_of(shapes.word()), value)


def test_a_list_is_refused_for_one_of_its_members():
    assert refused(shapes.list_of(shapes.flag), [True, True, "no"]) == "here[2] is text, not true or false"


def test_a_list_has_its_length():
    shape = shapes.list_of(shapes.flag, 2)
    assert shape([True, True], "") == [True, True]
    assert refused(shape, [True] * 3) == "here is a list of 3, not of at most 2"
    assert refused(shapes.list_of(shapes.flag), [True] * 1001)


def test_a_dictionary():
    shape = shapes.map_of(shapes.word("[a-z]+"), shapes.flag, 2)
    assert shape({}, "") == {}
    assert shape({"a": True, "b": False}, "") == {"a": True, "b": False}
    for value in (None, True, "a", [], [("a", True)]):
        assert refused(shape, value)
    for name in ("A", "a\n", "{{", "", 1, None):
        assert refused(shape, {name: True}).startswith("a name in here is ")
    assert refused(shape, {"a": 1}) == "here.* is a number, not true or false"
    assert refused(shape, dict.fromkeys("abc", True)) == "here is a dictionary of 3, not of at most 2"


def test_members():
    shape = Members({"a": shapes.flag, "b": shapes.maybe(shapes.flag)}, {"c": shapes.whole()})
    assert shape({"a": True, "b": None}, "") == {"a": True, "b": None}
    assert shape({"a": True, "b": None, "c": 3}, "") == {"a": True, "b": None, "c": 3}
    assert shape({"a": True, "b": None, "d": 3, "ansible_facts": {}, 7: 8}, "") == {"a": True, "b": None}
    assert "here.b is missing" in refused(shape, {"a": True})
    assert "here.c is text" in refused(shape, {"a": True, "b": None, "c": "3"})
    assert refused(shape, {"a": True, "b": None, "c": None}, "").startswith("c is null")
    for value in (None, True, "a", [], [("a", True)]):
        assert refused(shape, value)


def test_members_that_are_dropped_are_told_harmlessly():
    shape = Members({"a": shapes.flag}, {"b": shapes.flag})
    found = shape.undeclared({"a": 1, "b": 2, "z": 3, "{{ x }}": 4, "a\nb": 5, "c" * 100: 6, 7: 8, None: 9})
    assert found == sorted(["z", "{ { x } }", "a b", "c" * 60 + " ... (cut)", "7", "None"])


def test_either():
    shape = shapes.either(shapes.flag, shapes.whole(0, 1))
    assert [shape(value, "") for value in (True, 0, 1)] == [True, 0, 1]
    assert refused(shape, 2)
    assert refused(shape, "true")


# -- anything of JSON's -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "a", [], {}, [1, [2, [3]]], {"a": {"b": [None]}}, -(10**300)])
def test_json(value):
    assert shapes.json_value()(value, "here") == value


@pytest.mark.parametrize("value", [math.nan, math.inf, [math.nan], {"a": -math.inf}, b"a", object(), {1: 2}, {None: 2}])
def test_no_json(value):
    assert refused(shapes.json_value(), value)


def test_json_within_limits():
    def nested(levels):
        return [nested(levels - 1)] if levels else "x"

    assert shapes.json_value()(nested(6), "") == nested(6)
    assert "nested too deeply" in refused(shapes.json_value(), nested(7))
    assert refused(shapes.json_value(), [0] * 201)
    assert refused(shapes.json_value(), {str(number): 0 for number in range(201)})
    assert refused(shapes.json_value(shapes.word()), ["a\nb"])


# -- whatever comes in ------------------------------------------------------------------------------------------------


@given(JSON)
def test_a_sentence_is_one_line_and_no_template(value):
    for found in let_in(shapes.sentence(), value):
        assert found.__class__ is str
        assert is_printable(found)
        assert not is_template(found)


@given(JSON)
def test_lines_are_no_template(value):
    for found in let_in(shapes.lines(), value):
        assert found.__class__ is str
        assert is_printable(found.replace("\n", ""))
        assert not is_template(found)
        assert found.count("\n") == value.count("\n")


@given(JSON)
def test_a_word_is_as_it_was_or_refused(value):
    for found in let_in(shapes.word(), value):
        assert found == value
        assert is_printable(found)
        assert not is_template(found)


@given(JSON)
def test_json_is_no_template(value):
    for found in let_in(shapes.json_value(), value):
        assert all(is_printable(text) and not is_template(text) for text in texts(found))
        assert all(math.isfinite(number) for number in numbers(found))


@given(JSON)
def test_json_in_lines_is_no_template(value):
    for found in let_in(shapes.json_value(shapes.lines()), value):
        assert not any(is_template(text) for text in texts(found))


SHAPES = {
    "flag": shapes.flag,
    "number": shapes.number(),
    "whole": shapes.whole(),
    "word": shapes.word("[a-z]{0,9}"),
    "one_of": shapes.one_of("a", "b"),
    "maybe": shapes.maybe(shapes.word("[a-z]{0,9}")),
    "list_of": shapes.list_of(shapes.word("[a-z]{0,9}"), 2),
    "map_of": shapes.map_of(shapes.word("[a-z]{0,9}"), shapes.flag, 2),
    "members": Members({"a": shapes.flag}, {"b": shapes.word("[a-z]{0,9}")}),
    "either": shapes.either(shapes.flag, shapes.word("[a-z]{0,9}")),
    "json_value": shapes.json_value(depth=1, most=1),
}


@pytest.mark.parametrize("name", SHAPES)
@given(value=JSON)
def test_a_misfit_never_shows_the_value(name, value):
    let_in(SHAPES[name], value)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "value", [SECRET, [SECRET], {SECRET: SECRET}, {"a": SECRET}, {"a": True, "b": SECRET}, [[[SECRET]]]]
)
def test_a_misfit_never_shows_a_secret(name, value):
    for found in let_in(SHAPES[name], value):
        assert name in ("json_value", "members")
        assert name == "json_value" or found == {"a": True}
