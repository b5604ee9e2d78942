from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import BadInput
from evaluation.cards import ROTTEN_TOMATOES
from evaluation.datasets import Row
from evaluation.sources import Side
from evaluation.split import deduplicate, fold, guard, part_of, split

WORDS = ["a", "quiet", "film", "about", "one", "long", "winter", "that", "nobody", "forgets"]


def row(number: int, text: str, label: str = "fresh", group: str = "") -> Row:
    return Row(id=f"r{number}", text=text, label=label, group=group)


def pair(number: int, text: str, text_b: str, label: str = "fresh") -> Row:
    return Row(id=f"p{number}", text=text, text_b=text_b, label=label)


def sided(rows: Sequence[Row], side: Side) -> list[Row]:
    return [each.model_copy(update={"id": f"{side}-{each.id}", "side": side}) for each in rows]


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
    assert (report.exact, report.near, report.contradictory) == (1, 0, 0)


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
    assert (leaks.leaked_group, leaks.leaked_text) == (1, 2)


def test_the_guard_knows_every_test_text_also_those_that_resemble_one_another():
    """Official test parts keep their near copies; C is near B, which is near A."""
    words = [f"w{i}" for i in range(12)]
    a, b, c = (row(i, " ".join(words[i : i + 10])) for i in range(3))
    assert guard([c], [a])[1].leaked_text == 0
    assert guard([c], [a, b])[1].leaked_text == guard([c], [b, a])[1].leaked_text == 1


def test_rows_without_a_group_are_not_one_group():
    kept, leaks = guard([row(1, "this one")], [row(2, "another text")])
    assert len(kept) == 1
    assert leaks.leaked_group == 0


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
    with pytest.raises(BadInput, match=r"20 rows for a pool of 40 and 10 for a test part of 10 after cleaning"):
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


def test_copies_that_the_other_part_holds_are_counted():
    rows = many(films=40, each=4)
    made = split(ROTTEN_TOMATOES, rows, pool=6, test=6, part="release")
    assert made.report.other_copies == 0
    seen = made.pool[0]
    films = (row(900 + i, seen.text.upper(), seen.label, f"another{i}") for i in range(99))
    looked_at = next(each for each in films if part_of(each) == "development")
    again = split(ROTTEN_TOMATOES, [*rows, looked_at], pool=6, test=6, part="release")
    assert (again.pool, again.test) == (made.pool, made.test)
    assert again.report.other_copies == 1
    assert split(ROTTEN_TOMATOES, rows, pool=6, test=6).report.other_copies == 0


def test_a_pair_is_a_copy_only_where_both_its_texts_are():
    rows = [
        pair(1, "A cat sat.", "An animal sat."),
        pair(2, "a cat sat", "an ANIMAL sat"),
        pair(3, "A cat sat.", "Nobody ever sat there."),
        pair(4, "An animal sat.", "A cat sat."),
    ]
    kept, found = deduplicate(rows)
    assert [each.id for each in kept] == ["p1", "p3", "p4"]
    assert (found.exact, found.near) == (1, 0)
    assert [each.id for each in guard(rows[2:], rows[:1])[0]] == ["p3", "p4"]


def test_where_near_copies_do_not_count_a_comma_and_the_order_of_words_do():
    rows = [row(1, "John saw Mary."), row(2, "Mary saw John.", "rotten")]
    rows += [row(3, "John saw, Mary."), row(4, "john  saw mary.")]
    kept, found = deduplicate(rows, None)
    assert [each.id for each in kept] == ["r1", "r2", "r3"]
    assert (found.exact, found.near, found.contradictory) == (1, 0, 0)
    assert len(guard(rows, [row(9, "JOHN saw Mary.")], None)[0]) == 2


def test_official_parts_stay_apart_and_the_pool_is_cleaned_of_what_is_in_the_test_part():
    train = sided(many(films=6, each=5), "train")
    test = sided([row(i, f"delta{i} epsilon{i} zeta{i}") for i in range(8)], "test")
    test += sided([row(90, "delta0 EPSILON0 zeta0"), row(91, "so so"), row(92, "So so", "rotten")], "test")
    train += sided([row(80, "Delta1, epsilon1 zeta1"), row(81, "delta2 epsilon2 zeta2", "rotten")], "train")
    train += sided([row(82, train[0].text.upper())], "train")
    done = split(ROTTEN_TOMATOES, [*train, *test], pool=None, test=None)
    report = done.report
    assert report.official
    assert (report.source, report.pool, report.test) == (len(train) + len(test), 30, 8)
    assert (report.exact, report.test_exact, report.test_contradictory, report.leaked_text) == (1, 1, 2, 2)
    assert {each.side for each in done.pool} == {"train"}
    assert {each.side for each in done.test} == {"test"}
    assert not texts(done.pool) & texts(done.test)


def test_near_copies_stay_in_an_official_test_part_and_go_from_the_pool():
    near = [row(i, " ".join([*WORDS[:9], f"end{i}"])) for i in range(3)]
    done = split(ROTTEN_TOMATOES, [*sided(near, "test"), *sided(many(2, 5), "train")], pool=None, test=None)
    assert (done.report.test, done.report.pool, done.report.near) == (3, 10, 0)
    done = split(ROTTEN_TOMATOES, [*sided(near, "train"), *sided(many(2, 5), "test")], pool=None, test=None)
    assert (done.report.test, done.report.pool, done.report.near) == (10, 1, 2)


def test_the_rows_that_an_official_pool_is_drawn_from_depend_on_no_seed_and_no_size_of_the_test_part():
    rows = [*sided(many(films=5, each=4), "train"), *sided(many(films=3, each=4)[:10], "test")]
    pools = [
        {each.id for each in split(ROTTEN_TOMATOES, rows, pool=None, test=size, seed=seed).pool}
        for size, seed in ((None, 0), (2, 1), (5, 7))
    ]
    assert pools[0] == pools[1] == pools[2]
    assert len(pools[0]) == 8
    assert split(ROTTEN_TOMATOES, rows, pool=5, test=5, seed=1) == split(ROTTEN_TOMATOES, rows, pool=5, test=5, seed=1)
    first, second = (split(ROTTEN_TOMATOES, rows, pool=5, test=5, seed=seed) for seed in (1, 2))
    assert first.pool != second.pool


def test_without_sizes_a_fifth_is_for_the_test_part_and_labels_that_the_pool_lacks_are_named():
    rows = [each.model_copy(update={"label": "fresh"}) for each in many(films=20, each=2)]
    done = split(ROTTEN_TOMATOES, rows, pool=None, test=None)
    assert (done.report.pool, done.report.test, done.report.official) == (32, 8, False)
    assert done.report.absent == ("rotten",)
