# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys are trusted, from when, and until when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.distrust import PublishedKeys
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import MAX_KEYS, DroppedKey, KeySet
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.policy import (
    PolicySettings,
    RetiredKey,
    TrustRefused,
    decide,
    next_change,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.record import (
    DistrustedModulus,
    KeySetRecord,
    RecordedKey,
    format_record,
    parse_record,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import Jwk

NOW = 1_800_000_000
DAY = 86_400
# Whether numbers are keys is checked elsewhere.
A, B, C = Jwk("a", 1001, 3), Jwk("b", 1003, 3), Jwk("c", 1005, 3)


IDP = "https://idp/keys"


def source(*keys, name=IDP, dropped=(), leaked=(), inline=False):
    return PublishedKeys(name, KeySet(list(keys), list(dropped), frozenset(leaked)), inline)


def run(current, published, record=(), now=NOW, silent=(), **settings):
    settings.setdefault("retain", DAY)
    settings["remove"] = frozenset(settings.get("remove", ()))
    record = record if isinstance(record, KeySetRecord) else KeySetRecord(tuple(record))
    return decide(current, record, published, PolicySettings(**settings), now, silent)


def refusal(*args, **kwargs):
    with pytest.raises(TrustRefused) as caught:
        run(*args, **kwargs)
    return str(caught.value)


class TestSources:
    def test_the_first_run(self):
        outcome = run([], [source(B, A)])
        assert outcome.keys == [B, A]
        assert (outcome.added, outcome.kept, outcome.retired, outcome.removed) == (["a", "b"], [], [], [])
        assert [(recorded.kid, recorded.since, recorded.withdrawn) for recorded in outcome.record.keys] == [
            ("a", NOW, None), ("b", NOW, None)
        ]

    def test_the_second_run_finds_the_same(self):
        first = run([], [source(A)])
        second = run(first.keys, [source(A)], first.record, now=NOW + 9)
        assert (second.keys, second.record) == (first.keys, first.record)
        assert (second.added, second.kept) == ([], ["a"])

    def test_a_source_with_nothing_but_a_leaked_key_makes_no_file(self):
        leak = DroppedKey("a", "comes with its private part")
        published = [source(dropped=[leak], leaked=[A.n])]
        assert "a of https://idp/keys comes with its private part" in refusal([], published)
        # Where the file had it, or the site distrusts it, an empty set is what Slurm needs.
        emptied = run([A], published)
        assert emptied.keys == []
        assert run([], published, emptied.record).keys == []
        assert run([], [source(A)], remove=["a"]).keys == []

    def test_several_sources_are_merged(self):
        outcome = run([], [source(A), source(A, B, name="file")])
        assert outcome.keys == [A, B]
        assert [recorded.sources for recorded in outcome.record.keys] == [("file", IDP), ("file",)]

    def test_unusable_entries_of_a_source_are_reported(self):
        lost = DroppedKey("ec", "is of kty 'EC', not RSA")
        assert run([], [source(A, dropped=[lost])]).dropped == [("https://idp/keys", lost)]

    def test_of_two_keys_with_one_kid_the_first_is_trusted(self):
        other = Jwk("a", 1007, 3)
        outcome = run([], [source(A), source(other, B, name="file")])
        assert outcome.keys == [A, B]
        [(name, lost)] = outcome.conflicts
        assert (name, lost.kid) == ("file", "a")
        assert A.thumbprint in lost.reason
        assert IDP in lost.reason
        assert run([], [source(A), source(other)], remove=[A.thumbprint]).keys == [other]

    def test_a_kid_that_is_used_again_for_another_key(self):
        new = Jwk("a", 1007, 3)
        outcome = run([A, B], [source(new, B)])
        assert outcome.keys == [A, B]
        assert [after.kid for after in outcome.retired] == ["a"]
        assert [lost.kid for _name, lost in outcome.conflicts] == ["a"]
        outcome = run([A, B], [source(new, B)], remove=[A.thumbprint])
        assert outcome.keys == [B, new]
        assert [lost.kid for lost in outcome.removed] == ["a"]

    def test_the_old_key_of_a_kid_may_have_run_out(self):
        new = Jwk("a", 1007, 3)
        record = [RecordedKey("a", A.thumbprint, NOW - 9 * DAY, NOW - 2 * DAY)]
        assert run([A, B], [source(new, B)], record).keys == [B, new]

    def test_a_published_private_part_spoils_the_modulus_everywhere(self):
        twin = Jwk("twin", A.n, 3)
        outcome = run([A, B], [source(twin, B, leaked=[A.n])])
        assert outcome.keys == [B]
        assert outcome.removed == [DroppedKey("a", "has a modulus whose private part was published")]
        assert outcome.dropped[0][1].kid == "twin"
        assert not outcome.distrusts
        assert run(outcome.keys, [source(twin, B)], outcome.record).keys == [B]


class TestSourcesAreApart:
    """One source must not take a key of another away."""

    HOSTILE = "https://hostile/keys"

    def after(self, *published):
        first = run([], published)
        return first.keys, first.record

    def test_a_kid_stays_with_the_source_that_has_it(self):
        keys, record = self.after(source(A))
        mine = Jwk("a", 2001, 3)
        outcome = run(keys, [source(mine, name=self.HOSTILE), source(A)], record)
        assert (outcome.keys, outcome.kept, outcome.removed) == ([A], ["a"], [])

    def test_so_does_a_modulus(self):
        keys, record = self.after(source(A))
        twin = Jwk("twin", A.n, A.e)
        outcome = run(keys, [source(twin, name=self.HOSTILE), source(A)], record)
        assert outcome.keys == [A]
        assert "has the modulus of another key" in outcome.conflicts[0][1].reason
        # So that the site can distrust what the hostile one has.
        assert run(keys, [source(twin, name=self.HOSTILE), source(A)], record, remove=["twin"]).keys == [A]
        assert run(keys, [source(twin, name=self.HOSTILE), source(A)], record, remove=["a"]).keys == []

    def test_a_new_modulus_of_two_sources_is_trusted_under_both_kids(self):
        twin = Jwk("twin", A.n, A.e)
        assert run([], [source(twin, name=self.HOSTILE), source(A)]).keys == [twin, A]

    @pytest.mark.parametrize("rival", [Jwk("a", 2001, 3), Jwk("twin", A.n, 3)])
    @pytest.mark.parametrize("before", [True, False])
    def test_the_keys_of_the_site_itself_come_first(self, rival, before):
        keys, record = self.after(source(rival, B, name=self.HOSTILE)) if before else ([], ())
        published = [source(rival, B, name=self.HOSTILE), source(A, name="sources[1]", inline=True)]
        outcome = run(keys, published, record)
        assert set(outcome.keys) == {A, B}
        again = run(outcome.keys, published, outcome.record)
        assert set(again.keys) == {A, B}

    def test_somebody_elses_modulus_under_a_kid_that_is_removed(self):
        keys, record = self.after(source(A), source(C, name=self.HOSTILE))
        poison = Jwk("gone", A.n, A.e)
        outcome = run(keys, [source(A), source(poison, C, name=self.HOSTILE)], record, remove=["gone"])
        assert set(outcome.keys) == {A, C}
        again = run(outcome.keys, [source(A), source(poison, name=self.HOSTILE)], outcome.record, remove=["gone"])
        assert A in again.keys

    def test_a_kid_that_was_removed_and_never_trusted_is_known_by_its_modulus_in_that_source(self):
        first = run([], [source(A, B)], remove=["a"])
        assert run(first.keys, [source(Jwk("z", A.n, A.e), B)], first.record, remove=["a"]).keys == [B]

    def test_a_failed_source_keeps_its_trusted_keys_and_no_others(self):
        keys, record = self.after(source(A, B), source(C, name=self.HOSTILE))
        outcome = run(keys, [source(name=self.HOSTILE)], record, silent=[IDP])
        assert (outcome.kept, [after.kid for after in outcome.retired]) == (["a", "b"], ["c"])
        after = run(keys, [source(B), source(C, name=self.HOSTILE)], record)
        later = run(after.keys, [], after.record, silent=[IDP, self.HOSTILE], now=NOW + DAY)
        assert set(later.keys) == {B, C}

    def test_a_copy_that_is_withdrawn_while_its_owner_fails(self):
        keys, record = self.after(source(A, name=self.HOSTILE), source(A))
        assert run(keys, [source(C, name=self.HOSTILE)], record, silent=[IDP]).kept == ["a"]

    def test_a_flood_voids_what_is_too_much_of_its_own_source_alone(self):
        flood = [Jwk(f"x{number}", 20_001 + 2 * number, 3) for number in range(MAX_KEYS)]
        more = [Jwk(f"y{number}", 40_001 + 2 * number, 3) for number in range(MAX_KEYS)]
        keys, record = self.after(source(A), source(*flood, name=self.HOSTILE))
        assert len(keys) == MAX_KEYS + 1
        outcome = run(keys, [source(A, B), source(*more, name=self.HOSTILE)], record)
        assert outcome.added == ["b"]
        assert len(outcome.conflicts) == MAX_KEYS
        assert "is one too many" in outcome.conflicts[0][1].reason
        end = run(outcome.keys, [source(A, B), source(*more, name=self.HOSTILE)], outcome.record, now=NOW + DAY)
        assert len(end.added) == MAX_KEYS

    def test_the_record_is_limited(self):
        leaked = range(3, 3 + 4 * MAX_KEYS)
        outcome = run([A], [source(A), source(C, name=self.HOSTILE, leaked=leaked)])
        assert len(outcome.record.distrusted) == MAX_KEYS


class TestWithdrawnKeys:
    def test_one_stays_until_its_last_token_has_expired(self):
        first = run([], [source(A)])
        after = run(first.keys, [source(B)], first.record, now=NOW + 100)
        assert after.keys == [A, B]
        assert after.retired == [RetiredKey("a", NOW + 100 + DAY)]
        assert next_change(after) == NOW + 100 + DAY
        later = run(after.keys, [source(B)], after.record, now=NOW + 100 + DAY - 1)
        assert (later.keys, later.record, later.retired) == (after.keys, after.record, after.retired)
        end = run(after.keys, [source(B)], after.record, now=NOW + 100 + DAY)
        assert end.keys == [B]
        assert end.removed == [DroppedKey("a", "is in no source any more")]
        assert [recorded.kid for recorded in end.record.keys] == ["b"]
        assert next_change(end) is None

    def test_one_that_comes_back_is_as_before(self):
        first = run([], [source(A, B)])
        after = run(first.keys, [source(B)], first.record, now=NOW + 100)
        back = run(after.keys, [source(A, B)], after.record, now=NOW + 200)
        assert (back.record, back.retired) == (first.record, [])

    def test_with_retain_0_one_is_removed_at_once(self):
        first = run([], [source(A, B)])
        assert run(first.keys, [source(B)], first.record, retain=0).keys == [B]

    def test_another_time_to_retain_counts_for_those_withdrawn_already(self):
        record = [RecordedKey("a", A.thumbprint, NOW - 9 * DAY, NOW - DAY)]
        assert run([A, B], [source(B)], record, retain=2 * DAY).retired == [RetiredKey("a", NOW + DAY)]
        assert run([A, B], [source(B)], record, retain=DAY).keys == [B]

    def test_a_clock_that_was_ahead_retains_nothing_for_longer(self):
        record = [RecordedKey("a", A.thumbprint, NOW, NOW + 9 * DAY)]
        assert run([A, B], [source(B)], record).retired == [RetiredKey("a", NOW + DAY)]

    def test_keys_in_the_file_that_are_not_on_record(self):
        outcome = run([A], [source(B)])
        assert outcome.retired == [RetiredKey("a", NOW + DAY)]
        merged = run([A], [source(B)], merge=True)
        assert (merged.keys, merged.kept, merged.retired) == ([A, B], ["a"], [])
        assert [recorded.kid for recorded in merged.record.keys] == ["b"]

    def test_merging_keeps_no_key_that_came_from_a_source(self):
        first = run([], [source(A, B)], merge=True)
        assert run(first.keys, [source(B)], first.record, merge=True).retired == [RetiredKey("a", NOW + DAY)]


class TestRemoval:
    @pytest.mark.parametrize("name", ["a", A.thumbprint])
    def test_a_named_key_is_distrusted_at_once_from_every_source(self, name):
        outcome = run([A, B], [source(A, B)], remove=[name])
        assert outcome.keys == [B]
        assert [lost.kid for lost in outcome.removed] == ["a"]
        assert [lost.kid for _source, lost in outcome.dropped] == ["a"]

    def test_so_is_the_same_key_of_another_kid(self):
        twin = Jwk("twin", A.n, A.e)
        assert run([A, B], [source(twin, B)], remove=["a"]).keys == [B]

    def test_an_unknown_name_does_nothing(self):
        assert run([A], [source(A)], remove=["z"]).keys == [A]

    def test_naming_all_keys_is_no_accident(self):
        assert run([A], [source(A, B)], remove=["a"]).keys == [B]


class TestRefusals:
    def test_no_key_is_left(self):
        lost = DroppedKey("ec", "is of kty 'EC', not RSA")
        message = refusal([], [source(dropped=[lost])])
        assert "No key would be trusted" in message
        assert "ec of https://idp/keys is of kty 'EC'" in message
        # The writer of the file says that: a distrusted key may have been removed before.
        assert "Nothing was changed" not in message

    def test_no_key_is_left_as_the_site_has_named_all(self):
        assert run([A], [source(A)], remove=["a"]).keys == []
        assert run([], [source(A)], remove=["a"]).keys == []

    def test_every_key_would_be_removed_at_once(self):
        message = refusal([A, C], [source(B)], retain=0)
        assert "Every key that is trusted now would be removed at once" in message
        assert "Nothing was changed" not in message
        assert run([A, C], [source(B)], retain=0, force=True).keys == [B]


class TestRecord:
    TEXT = st.text(min_size=1)
    TIME = st.integers(0, 2**33)
    SOURCES = st.lists(TEXT).map(tuple)

    @given(
        st.lists(st.builds(RecordedKey, TEXT, TEXT, TIME, st.none() | TIME, SOURCES)),
        st.lists(st.builds(DistrustedModulus, TEXT, TIME, st.none() | TEXT, SOURCES, st.booleans())),
    )
    def test_it_is_read_as_it_was_written(self, recorded, distrusted):
        parsed = parse_record(format_record(KeySetRecord(tuple(recorded), tuple(distrusted))))
        assert sorted(parsed.keys, key=repr) == sorted(recorded, key=repr)
        assert sorted(parsed.distrusted, key=repr) == sorted(distrusted, key=repr)

    @pytest.mark.parametrize(
        "data", [b"", b"{}", b"[]", b'{"keys": [7]}', b'{"keys": [{"kid": 1}]}', b"\xff", b"[" * 9999], ids=range(7)
    )
    def test_what_cannot_be_read_is_none(self, data):
        assert parse_record(data) == KeySetRecord()


KEYS = [Jwk(kid, n, 3) for kid in "abc" for n in (1001, 1003, 1005)]
SETS = st.lists(st.sampled_from(KEYS), max_size=4, unique_by=lambda key: key.kid)


@given(
    st.lists(st.tuples(SETS, st.booleans(), st.sets(st.sampled_from(KEYS)), st.integers(1, 2 * DAY)), max_size=6),
    st.integers(0, 2 * DAY),
    st.booleans(),
)
def test_whatever_sources_do(steps, retain, merge):
    """Run after run: one key for each kid, nothing that was named, and nothing withdrawn outlives its time."""
    current, record, now, seen = [], KeySetRecord(), NOW, {}
    for keys, named, distrusted, later in steps:
        now += later
        remove = frozenset(key.thumbprint for key in distrusted) if named else frozenset()
        moduli = {key.n for key in distrusted} if named else set()
        try:
            outcome = decide(current, record, [source(*keys)], PolicySettings(retain, remove, merge), now)
        except TrustRefused:
            continue
        assert len({key.kid for key in outcome.keys}) == len(outcome.keys)
        assert not {key.n for key in outcome.keys} & moduli
        for key in keys:
            seen[key] = now
            # Only another key that has its kid stands in the way.
            assert key in outcome.keys or key.n in moduli or key.kid in [other.kid for other in outcome.keys]
        for key in outcome.keys:
            assert key in keys or now < seen[key] + retain + 2 * DAY * len(steps)
        # A source without a key is a silent one.
        heard, silent = ([source(*keys)], []) if keys else ([], [IDP])
        again = decide(outcome.keys, outcome.record, heard, PolicySettings(retain, remove, merge), now, silent)
        assert (sorted(again.keys), again.record) == (sorted(outcome.keys), outcome.record)
        silent = decide(outcome.keys, outcome.record, [], PolicySettings(retain, remove, merge), now, None)
        assert sorted(silent.keys) == sorted(outcome.keys)
        current, record = outcome.keys, outcome.record
