from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import BadInput
from evaluation.cards import ROTTEN_TOMATOES
from evaluation.datasets import Row
from evaluation.split import deduplicate, fold, guard, part_of, split

WORDS = ["a", "quiet", "film", "about", "one", "long", "winter", "that", "nobody", "forgets"]


def row(number: int, text: str, label: str = "fresh", group: str = "") -> Row:
    return Row(id=f"r{number}", text=text, label=label, group=group)


def many(films: int, each: int) -> list[Row]:
    """Texts that share no word."""
    return [
        row(f * each + i, f"alpha{f}x{i} beta{f}x{i} gamma{f}x{i}", ("fresh", "rotten")[i % 2], f"film{f}")
        for f in range(films)
        for i in range(each)
    ]


def texts(rows: Sequence[Row]) -> set[str]:
    return {fold(each.text) for each in rows}


def test_copies_apart_from_case_punctuation_and_space_go_and_the_first_stays():
    kept, report = deduplicate([row(1, "A  fine film!"), row(2, '"a fine FILM"'), row(3, "A dull film.")])
    assert [each.id for each in kept] == ["r1", "r3"]
    assert (report.source, report.exact, report.near, report.contradictory) == (3, 1, 0, 0)


def test_near_copies_go_from_the_threshold_on():
    base = " ".join(WORDS[:10])
    nine_of_ten, nine_of_eleven = " ".join(WORDS[:9]), " ".join([*WORDS[:9], "else"])
    six_of_ten = " ".join(WORDS[:6])
    kept, report = deduplicate([row(1, base), row(2, nine_of_ten), row(3, nine_of_eleven), row(4, six_of_ten)])
    assert [each.id for each in kept] == ["r1", "r4"]
    assert report.near == 2


def test_four_words_of_five_are_near_at_exactly_the_threshold():
    assert deduplicate([row(1, "one two three four five"), row(2, "one two three four")])[1].near == 1


@given(st.lists(st.lists(st.sampled_from(WORDS[:9]), min_size=1, max_size=6), max_size=12))
def test_the_index_finds_just_what_comparing_all_pairs_finds(sentences: list[list[str]]):
    rows = [row(i, " ".join(words)) for i, words in enumerate(sentences)]
    kept, _ = deduplicate(rows)
    expected: list[Row] = []
    for each in rows:
        words = set(each.text.split())
        others = [set(other.text.split()) for other in expected]
        if not any(5 * len(words & other) >= 4 * len(words | other) for other in others):
            expected.append(each)
    # Exact copies are folded texts in the same order of words; near copies are sets: all of them are found by sets.
    assert [each.id for each in kept] == [each.id for each in expected]


def test_a_text_with_two_labels_goes_altogether():
    kept, report = deduplicate([row(1, "So so."), row(2, "so so", "rotten"), row(3, "Fine")])
    assert [each.id for each in kept] == ["r3"]
    assert report.contradictory == 2


def test_texts_of_punctuation_only_are_not_copies_of_one_another():
    kept, _ = deduplicate([row(1, "?!"), row(2, "...")])
    assert len(kept) == 2


def test_the_guard_takes_planted_leaks_out_of_the_pool_and_counts_them():
    test = [row(1, "One long winter in a small town", group="film1")]
    pool = [
        row(2, "one long WINTER in a small town!", group="film2"),  # copy
        row(3, "one long winter in a small town indeed", group="film3"),  # near copy
        row(4, "Nothing in common", group="film1"),  # same film
        row(5, "Nothing in common either", group="film4"),
    ]
    kept, leaks = guard(pool, test)
    assert [each.id for each in kept] == ["r5"]
    assert leaks == {"leaked_group": 1, "leaked_text": 2}


def test_rows_without_a_group_are_not_one_group():
    kept, leaks = guard([row(1, "this one")], [row(2, "another text")])
    assert len(kept) == 1
    assert leaks["leaked_group"] == 0


@given(st.integers(0, 2**31 - 1))
def test_pool_and_test_share_no_text_and_no_film(seed: int):
    rows = many(films=8, each=5)
    rows += [row(100 + i, each.text.upper(), each.label, "film0") for i, each in enumerate(rows[20:25])]
    done = split(ROTTEN_TOMATOES, rows, pool=10, test=10, seed=seed)
    assert len(done.pool) == len(done.test) == 10
    assert not texts(done.pool) & texts(done.test)
    assert not {each.group for each in done.pool} & {each.group for each in done.test}
    assert done.report.exact == 5
    assert sum(done.report.pool_labels.values()) == sum(done.report.test_labels.values()) == 10


def test_the_same_seed_gives_the_same_split_and_another_one_another():
    rows = many(films=10, each=6)
    first = split(ROTTEN_TOMATOES, rows, pool=20, test=20, seed=3)
    assert first == split(ROTTEN_TOMATOES, rows, pool=20, test=20, seed=3)
    assert first.test != split(ROTTEN_TOMATOES, rows, pool=20, test=20, seed=4).test


def test_sizes_that_the_data_cannot_give_are_refused():
    with pytest.raises(BadInput, match=r"30 rows after cleaning.*pool of 40"):
        split(ROTTEN_TOMATOES, many(films=6, each=5), pool=40, test=10)


def test_development_and_release_share_no_film_and_cover_all():
    rows = many(films=40, each=4)
    parts = [split(ROTTEN_TOMATOES, rows, pool=6, test=6, part=part) for part in ("development", "release")]
    films = [{each.group for each in (*made.pool, *made.test)} for made in parts]
    assert not films[0] & films[1]
    for made in parts:
        assert made.report.source == len(rows)
        assert {part_of(each) for each in (*made.pool, *made.test)} == {made.report.part}
    assert sum(made.report.other_part for made in parts) == len(rows)
