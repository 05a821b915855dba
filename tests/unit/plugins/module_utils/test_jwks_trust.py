# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys are trusted, from when, and until when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwk import Jwk
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks import MAX_KEYS, Dropped, KeySet
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks_trust import (
    Noted,
    Published,
    Retired,
    TrustRefused,
    Wishes,
    decide,
    format_record,
    next_change,
    parse_record,
)

NOW = 1_800_000_000
DAY = 86_400
# Whether numbers are keys is for others to judge.
A, B, C = Jwk("a", 1001, 3), Jwk("b", 1003, 3), Jwk("c", 1005, 3)


def source(*keys, name="https://idp/keys", dropped=(), leaked=()):
    return Published(name, KeySet(list(keys), list(dropped), frozenset(leaked)))


def run(current, published, record=(), now=NOW, **wishes):
    wishes.setdefault("retain", DAY)
    wishes["remove"] = frozenset(wishes.get("remove", ()))
    return decide(current, record, published, Wishes(**wishes), now)


def refusal(*args, **kwargs):
    with pytest.raises(TrustRefused) as caught:
        run(*args, **kwargs)
    return str(caught.value)


class TestSources:
    def test_the_first_run(self):
        outcome = run([], [source(B, A)])
        assert outcome.keys == [B, A]
        assert (outcome.added, outcome.kept, outcome.retired, outcome.removed) == (["a", "b"], [], [], [])
        assert [(noted.kid, noted.since, noted.withdrawn) for noted in outcome.record] == [
            ("a", NOW, None), ("b", NOW, None)
        ]

    def test_the_second_run_finds_the_same(self):
        first = run([], [source(A)])
        second = run(first.keys, [source(A)], first.record, now=NOW + 9)
        assert (second.keys, second.record) == (first.keys, first.record)
        assert (second.added, second.kept) == ([], ["a"])

    def test_several_sources_are_merged(self):
        outcome = run([], [source(A), source(A, B, name="file")])
        assert outcome.keys == [A, B]
        assert [noted.source for noted in outcome.record] == ["https://idp/keys", "file"]

    def test_what_a_source_has_that_is_no_key_is_told(self):
        lost = Dropped("ec", "is of kty 'EC', not RSA")
        assert run([], [source(A, dropped=[lost])]).dropped == [("https://idp/keys", lost)]

    def test_two_keys_of_one_kid(self):
        other = Jwk("a", 1007, 3)
        said = refusal([], [source(A), source(other, name="file")])
        assert "two keys of the kid 'a'" in said
        assert A.thumbprint in said
        assert other.thumbprint in said
        assert run([], [source(A), source(other)], remove=[other.thumbprint]).keys == [A]

    def test_a_kid_that_is_used_again_for_another_key(self):
        new = Jwk("a", 1007, 3)
        said = refusal([A, B], [source(new, B)])
        assert "The kid 'a' is that of another key" in said
        assert A.thumbprint in said
        outcome = run([A, B], [source(new, B)], remove=[A.thumbprint])
        assert outcome.keys == [B, new]
        assert [lost.kid for lost in outcome.removed] == ["a"]

    def test_the_old_key_of_a_kid_may_have_run_out(self):
        new = Jwk("a", 1007, 3)
        record = [Noted("a", A.thumbprint, NOW - 9 * DAY, NOW - 2 * DAY)]
        assert run([A, B], [source(new, B)], record).keys == [B, new]

    def test_a_published_private_part_spoils_the_modulus_everywhere(self):
        twin = Jwk("twin", A.n, 3)
        outcome = run([A, B], [source(twin, B, leaked=[A.n])])
        assert outcome.keys == [B]
        assert outcome.removed == [Dropped("a", "was published with its private part")]
        assert outcome.dropped[0][1].kid == "twin"


class TestWithdrawnKeys:
    def test_one_stays_until_its_last_token_has_run_out(self):
        first = run([], [source(A)])
        gone = run(first.keys, [source(B)], first.record, now=NOW + 100)
        assert gone.keys == [A, B]
        assert gone.retired == [Retired("a", NOW + 100 + DAY)]
        assert next_change(gone) == NOW + 100 + DAY
        later = run(gone.keys, [source(B)], gone.record, now=NOW + 100 + DAY - 1)
        assert (later.keys, later.record, later.retired) == (gone.keys, gone.record, gone.retired)
        end = run(gone.keys, [source(B)], gone.record, now=NOW + 100 + DAY)
        assert end.keys == [B]
        assert end.removed == [Dropped("a", "is in no source any more")]
        assert [noted.kid for noted in end.record] == ["b"]
        assert next_change(end) is None

    def test_one_that_comes_back_is_as_before(self):
        first = run([], [source(A, B)])
        gone = run(first.keys, [source(B)], first.record, now=NOW + 100)
        back = run(gone.keys, [source(A, B)], gone.record, now=NOW + 200)
        assert (back.record, back.retired) == (first.record, [])

    def test_without_retaining_one_goes_at_once(self):
        first = run([], [source(A, B)])
        assert run(first.keys, [source(B)], first.record, retain=0).keys == [B]

    def test_another_time_to_retain_counts_for_those_withdrawn_already(self):
        record = [Noted("a", A.thumbprint, NOW - 9 * DAY, NOW - DAY)]
        assert run([A, B], [source(B)], record, retain=2 * DAY).retired == [Retired("a", NOW + DAY)]
        assert run([A, B], [source(B)], record, retain=DAY).keys == [B]

    def test_a_clock_that_was_ahead_retains_nothing_for_longer(self):
        record = [Noted("a", A.thumbprint, NOW, NOW + 9 * DAY)]
        assert run([A, B], [source(B)], record).retired == [Retired("a", NOW + DAY)]

    def test_keys_in_the_file_that_are_not_on_record(self):
        outcome = run([A], [source(B)])
        assert outcome.retired == [Retired("a", NOW + DAY)]
        merged = run([A], [source(B)], merge=True)
        assert (merged.keys, merged.kept, merged.retired) == ([A, B], ["a"], [])
        assert [noted.kid for noted in merged.record] == ["b"]

    def test_merging_keeps_no_key_that_came_from_a_source(self):
        first = run([], [source(A, B)], merge=True)
        assert run(first.keys, [source(B)], first.record, merge=True).retired == [Retired("a", NOW + DAY)]


class TestRemoval:
    @pytest.mark.parametrize("name", ["a", A.thumbprint])
    def test_a_named_key_is_distrusted_at_once_whoever_has_it(self, name):
        outcome = run([A, B], [source(A, B)], remove=[name])
        assert outcome.keys == [B]
        assert [lost.kid for lost in outcome.removed] == ["a"]
        assert [lost.kid for _source, lost in outcome.dropped] == ["a"]

    def test_so_is_the_same_key_of_another_kid(self):
        twin = Jwk("twin", A.n, A.e)
        assert run([A, B], [source(twin, B)], remove=["a"]).keys == [B]

    def test_a_name_that_nobody_has_does_nothing(self):
        assert run([A], [source(A)], remove=["z"]).keys == [A]

    def test_naming_all_keys_is_no_accident(self):
        assert run([A], [source(A, B)], remove=["a"]).keys == [B]


class TestRefusals:
    def test_no_key_is_left(self):
        lost = Dropped("ec", "is of kty 'EC', not RSA")
        said = refusal([], [source(dropped=[lost])])
        assert "No key would be trusted" in said
        assert "ec of https://idp/keys is of kty 'EC'" in said
        assert "No key" in refusal([A], [source(A)], remove=["a"])

    def test_every_key_goes_at_once(self):
        said = refusal([A, C], [source(B)], retain=0)
        assert "Every key that is trusted now would go at once" in said
        assert run([A, C], [source(B)], retain=0, force=True).keys == [B]

    def test_too_many_keys(self):
        many = [Jwk(str(number), 10_001 + 2 * number, 3) for number in range(60)]
        more = [Jwk(f"x{number}", 20_001 + 2 * number, 3) for number in range(60)]
        assert f"120 keys; {MAX_KEYS} is the most" in refusal([], [source(*many), source(*more)])


class TestRecord:
    @given(
        st.lists(
            st.builds(
                Noted,
                st.text(min_size=1),
                st.text(min_size=1),
                st.integers(0, 2**33),
                st.none() | st.integers(0, 2**33),
                st.none() | st.text(min_size=1),
            )
        )
    )
    def test_it_is_read_as_it_was_written(self, record):
        assert sorted(parse_record(format_record(record)), key=repr) == sorted(record, key=repr)

    @pytest.mark.parametrize(
        "data", [b"", b"{}", b"[]", b'{"keys": [7]}', b'{"keys": [{"kid": 1}]}', b"\xff", b"[" * 9999], ids=range(7)
    )
    def test_what_cannot_be_read_is_none(self, data):
        assert parse_record(data) == []


KEYS = [Jwk(kid, n, 3) for kid in "abc" for n in (1001, 1003, 1005)]
SETS = st.lists(st.sampled_from(KEYS), max_size=4, unique_by=lambda key: key.kid)


@given(
    st.lists(st.tuples(SETS, st.booleans(), st.sets(st.sampled_from(KEYS)), st.integers(1, 2 * DAY)), max_size=6),
    st.integers(0, 2 * DAY),
    st.booleans(),
)
def test_whatever_sources_do(steps, retain, merge):
    """Run after run: one key for each kid, what is published is trusted, and nothing withdrawn outlives its time."""
    current, record, now, seen = [], [], NOW, {}
    for keys, named, distrusted, later in steps:
        now += later
        remove = frozenset(key.thumbprint for key in distrusted) if named else frozenset()
        try:
            outcome = decide(current, record, [source(*keys)], Wishes(retain, remove, merge), now)
        except TrustRefused:
            continue
        assert len({key.kid for key in outcome.keys}) == len(outcome.keys) > 0
        assert not {key.thumbprint for key in outcome.keys} & remove
        assert {key for key in keys if key.thumbprint not in remove} <= set(outcome.keys)
        for key in keys:
            seen[key] = now
        for key in outcome.keys:
            assert key in keys or now < seen[key] + retain + 2 * DAY * len(steps)
        again = decide(outcome.keys, outcome.record, [source(*keys)], Wishes(retain, remove, merge), now)
        assert (sorted(again.keys), again.record) == (sorted(outcome.keys), outcome.record)
        current, record = outcome.keys, outcome.record
