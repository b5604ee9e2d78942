"""From log-probabilities to a distribution: sums, shares, and what is unknown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import BadInput
from serving.llm.faults import Faulty
from serving.llm.label_reads import read_ids, read_texts


def logprobs(**probabilities: float) -> dict[str, object]:
    entries = [{"token": token, "logprob": math.log(p) if p else -9999.0} for token, p in probabilities.items()]
    return {"content": [{**entries[0], "bytes": None, "top_logprobs": entries}]}


def of_ids(probabilities: dict[int, float]) -> dict[str, object]:
    return logprobs(**{f"token_id:{token}": p for token, p in probabilities.items()})


def test_the_tokens_of_a_word_are_summed_and_shared_out() -> None:
    reading = read_ids(of_ids({1: 0.3, 2: 0.1, 3: 0.2, 99: 0.35}), {"good": [1, 2], "bad": [3]})
    assert reading.label_mass == pytest.approx(0.6)
    assert reading.probabilities == pytest.approx({"good": 4 / 6, "bad": 2 / 6})


def test_far_below_the_range_of_floats_the_shares_are_still_right() -> None:
    body = {"content": [{"token": "x", "logprob": 0.0, "top_logprobs": []}]}
    body["content"][0]["top_logprobs"] = [  # pyright: ignore
        {"token": "token_id:1", "logprob": -1000.0},
        {"token": "token_id:2", "logprob": -1000.0 - math.log(3)},
    ]
    reading = read_ids(body, {"a": [1], "b": [2]})
    assert reading.probabilities == pytest.approx({"a": 0.75, "b": 0.25})
    assert reading.label_mass == 0.0


def test_a_missing_token_is_a_malformed_answer() -> None:
    with pytest.raises(Faulty, match="token 3") as caught:
        read_ids(of_ids({1: 0.5}), {"good": [1], "bad": [3]})
    assert caught.value.fault.kind == "malformed"


def test_no_probability_at_all_is_no_distribution() -> None:
    with pytest.raises(Faulty, match="no probability") as caught:
        read_ids(of_ids({1: 0.0, 2: 0.0}), {"good": [1], "bad": [2]})
    assert caught.value.fault.kind == "refused"


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"content": None},
        {"content": []},
        {"content": [{"token": "a"}]},
        {"content": [{"token": "a", "logprob": "high"}]},
        {"content": [{"token": "a", "logprob": 1.5}]},
        {"content": [{"token": "a", "logprob": float("nan")}]},
    ],
)
def test_unreadable_log_probabilities_are_malformed(body: object) -> None:
    with pytest.raises(Faulty) as caught:
        read_ids(body, {"a": [1]})
    assert caught.value.fault.kind == "malformed"


def test_texts_match_whatever_their_case_and_space() -> None:
    body = logprobs(**{"Positive": 0.3, "Ġpositive": 0.2, "▁POS": 0.1, "neg": 0.1, "Ne": 0.05, "the": 0.2})
    reading = read_texts(body, ["positive", "negative"])
    assert reading.label_mass == pytest.approx(0.7)
    assert reading.probabilities == pytest.approx({"positive": 6 / 7, "negative": 1 / 7})


def test_a_piece_that_fits_two_words_speaks_for_neither() -> None:
    reading = read_texts(logprobs(sci=0.5, science=0.2, sciatica=0.1), ["science", "sciatica"])
    assert reading.label_mass == pytest.approx(0.3)


def test_an_absent_word_has_the_most_that_it_can_have_and_no_part_in_the_mass() -> None:
    reading = read_texts(logprobs(positive=0.6, the=0.2, a=0.05), ["positive", "negative"])
    assert reading.label_mass == pytest.approx(0.6)
    assert reading.probabilities["negative"] == pytest.approx(0.05 / 0.65)


def test_an_absent_word_has_no_more_than_the_others_leave_over() -> None:
    reading = read_texts(logprobs(positive=0.9, the=0.08), ["positive", "negative"])
    assert reading.probabilities["negative"] == pytest.approx(0.02 / 0.92)


def test_impossible_tokens_bound_nothing() -> None:
    """A server fills its list up with tokens of probability 0; that says nothing about the absent word."""
    reading = read_texts(logprobs(**{"positive": 0.7, "!": 0.0}), ["positive", "negative"])
    assert reading.probabilities["negative"] == pytest.approx(0.3)


def test_certainty_leaves_an_absent_word_more_than_nothing() -> None:
    reading = read_texts(logprobs(positive=1.0), ["positive", "negative"])
    assert 0 < reading.probabilities["negative"] < 1e-6


def test_nothing_is_known_where_no_word_is_among_the_likeliest() -> None:
    with pytest.raises(Faulty, match="'positive', 'negative'") as caught:
        read_texts(logprobs(the=0.6, a=0.2), ["positive", "negative"])
    assert caught.value.fault.kind == "refused"


def test_a_word_that_begins_another_cannot_be_told_apart() -> None:
    with pytest.raises(BadInput, match="'pos' and 'Positive'"):
        read_texts(logprobs(pos=1.0), ["pos", "Positive"])


@given(st.dictionaries(st.integers(0, 30), st.floats(1e-12, 0.03), min_size=1), st.integers(1, 5))
def test_shares_sum_to_one_and_the_mass_is_the_raw_sum(found: dict[int, float], words: int) -> None:
    tokens: dict[str, list[int]] = {}
    for place, token in enumerate(found):
        tokens.setdefault(f"word{place % words}", []).append(token)
    reading = read_ids(of_ids(found), tokens)
    assert math.fsum(reading.probabilities.values()) == pytest.approx(1)
    assert reading.label_mass == pytest.approx(math.fsum(found.values()))
    assert set(reading.probabilities) == set(tokens)
