"""What the other parsers make of replies as models write them."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.replies import (
    Items,
    Label,
    Rationale,
    Refusal,
    Scores,
    parse_items,
    parse_label,
    parse_ranking,
    parse_rationale,
    parse_reasons,
    parse_scores,
)
from tests.support.hostile import HOSTILE

WORDS = ["negative", "positive"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("positive", "positive"),
        (" Positive.\n", "positive"),
        ("POSITIVE", "positive"),
        ("**negative**", "negative"),
        ('"negative"', "negative"),
        ("Label: positive", "positive"),
        ("**Label:** positive", "positive"),
        ("Label: <positive>", "positive"),
        ("The label is negative, not positive.", "negative"),
        ("Reason: it sounds positive at first, but is not.\nLabel: negative", "negative"),
        ("Label: positive? No.\nLabel: negative", "negative"),
        ("Positive\n\nThe text is not negative at all.", "positive"),
        ("negative - it says nothing positive", "negative"),
        ("This text is clearly positive.", "positive"),
        ("It is not positive but negative.", "negative"),
        ("<think>positive? no</think>negative", "negative"),
        ('{"label": "positive"}', "positive"),
    ],
)
def test_labels(text: str, label: str) -> None:
    answer = parse_label(text, words=WORDS)
    assert isinstance(answer, Label)
    assert (answer.label, answer.raw) == (label, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (None, "empty"),
        ("neutral", "names no label: 'neutral'"),
        ("not positive", "names no label"),
        ("positive or negative", "several labels: negative, positive"),
        ("It has positive and negative sides.", "several labels"),
        ("unpositively", "names no label"),
        ("pos\u0131tive", "names no label"),
        ("POS\u0130TIVE", "names no label"),
        ("Label: banana", "names no label"),
    ],
)
def test_labels_that_are_none(text: str | None, reason: str) -> None:
    answer = parse_label(text, words=WORDS)
    assert isinstance(answer, Refusal)
    assert reason in answer.reason


@pytest.mark.parametrize(
    ("text", "words", "label"),
    [
        ("not spam", ["spam", "not spam"], "not spam"),
        ("Label: not_entailment", ["entailment", "not_entailment"], "not_entailment"),
        ("not entailment", ["entailment", "not_entailment"], "not_entailment"),
        ("sci/tech", ["World", "Sci/Tech"], "Sci/Tech"),
        ("card arrival", ["card_arrival", "card_lost"], "card_arrival"),
        ("HUM", ["HUM", "hum"], "HUM"),
        ("hum", ["HUM", "hum"], "hum"),
        ("1", ["0", "1"], "1"),
        ("非常好", ["非常好", "不好"], "非常好"),
        ("po\u017fitive", WORDS, "positive"),
        ("ilik", ["\u0131l\u0131k", "ilik"], "ilik"),
        ("\u0131l\u0131k", ["\u0131l\u0131k", "ilik"], "\u0131l\u0131k"),
        ("STRASSE", ["stra\u00dfe", "weg"], "stra\u00dfe"),
        ("a\u2034", ["a\u2034", "b"], "a\u2034"),
    ],
)
def test_label_words_of_any_form(text: str, words: list[str], label: str) -> None:
    answer = parse_label(text, words=words)
    assert isinstance(answer, Label)
    assert answer.label == label


@pytest.mark.parametrize(
    ("text", "label", "reason"),
    [
        ("Reason: It praises the cast.\nLabel: positive", "positive", "It praises the cast."),
        ("**Reason:** It praises\nthe cast.\n**Label:** positive", "positive", "It praises the cast."),
        ("It praises the cast.\nLabel: positive", "positive", "It praises the cast."),
        ("Label: positive\nReason: It praises the cast.", "positive", "It praises the cast."),
        ("Positive. It praises the cast.", "positive", "It praises the cast."),
    ],
)
def test_rationales(text: str, label: str, reason: str) -> None:
    answer = parse_rationale(text, words=WORDS)
    assert isinstance(answer, Rationale)
    assert (answer.label, answer.reason) == (label, reason)


@pytest.mark.parametrize("text", ["positive", "Label: positive", "Reason: who knows", "", "Reason:\nLabel: positive"])
def test_a_rationale_needs_both(text: str) -> None:
    assert isinstance(parse_rationale(text, words=WORDS), Refusal)


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("k7: 4\na3: 2", {"k7": 4, "a3": 2}),
        ("1. k7: 4\n2. a3 - 5", {"k7": 4, "a3": 5}),
        ("k7 = 4.5, a3 = 2", {"k7": 4.5, "a3": 2}),
        ("- **k7**: 4/5\n- **a3**: 2/5", {"k7": 4, "a3": 2}),
        ("| id | score |\n|--|--|\n| k7 | 3 |\n| a3 | 1 |", {"k7": 3, "a3": 1}),
        ('{"k7": 4, "a3": 1}', {"k7": 4, "a3": 1}),
        ("Instance k7 (score: 4)", {"k7": 4}),
        ("k7: hard to say\n\nk7: 4", {"k7": 4}),
        ("k7: 2\nk7: 3", {"k7": 3}),
        ("k7: 9\na3: 2", {"a3": 2}),
        ("k7：４", {"k7": 4}),
    ],
)
def test_scores(text: str, scores: dict[str, float]) -> None:
    answer = parse_scores(text, allowed=["k7", "a3"], low=1, high=5)
    assert isinstance(answer, Scores)
    assert answer.scores == scores


def test_scores_of_numbers() -> None:
    answer = parse_scores("1. 3: 4\n2. 7: 2\n99: 5", allowed=["1", "3", "7"])
    assert isinstance(answer, Scores)
    assert (answer.scores, answer.unknown) == ({"3": 4, "7": 2}, ("99",))


@pytest.mark.parametrize("text", ["", "none", "k7", "k7 is hard", "ex1: 4"])
def test_scores_that_are_none(text: str) -> None:
    assert isinstance(parse_scores(text, allowed=["k7", "a3"]), Refusal)


@pytest.mark.parametrize("text", ["Ranking: k7, a3, m2", "k7 > a3 > m2", "1. k7\n2. a3\n3. m2", "k7 → a3 → m2"])
def test_rankings(text: str) -> None:
    assert parse_ranking(text, allowed=["m2", "a3", "k7"]).ids == ("k7", "a3", "m2")


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (
            'Sure! Here are 3 texts:\n\n1. "A dull film."\n2. A bright one.\n3. a dull film\n\nLet me know!',
            "A dull film.|A bright one.",
        ),
        ("- One bus.\n- Two buses.", "One bus.|Two buses."),
        ("* *One bus.*\n* **Two buses.**", "One bus.|Two buses."),
        ("1) One bus.\n2) Two buses.", "One bus.|Two buses."),
        ("**1.** One bus.\n\n**2.** Two buses.", "One bus.|Two buses."),
        ("Text 1: One bus.\nText 2: Two buses.", "One bus.|Two buses."),
        ("One bus.\nTwo buses.", "One bus.|Two buses."),
        ("Here are the texts:\nOne bus.\nTwo buses.", "One bus.|Two buses."),
        ('["One bus.", "Two buses."]', "One bus.|Two buses."),
        ('[{"text": "One bus.", "label": "bad"}, {"text": "Two buses.", "label": "bad"}]', "One bus.|Two buses."),
        ("```\n1. One bus.\n2. Two buses.\n```", "One bus.|Two buses."),
        ("1. Text: One bus.\n   Label: negative\n2. Text: Two buses.\n   Label: negative", "One bus.|Two buses."),
        ("1. One bus.\n2. Two buses.\n3. Three.\n4. Four.", "One bus.|Two buses.|Three."),
        ('1. He said "stop" and "go".', 'He said "stop" and "go".'),
        ("12 buses came.\n2001 was better.", "12 buses came.|2001 was better."),
        ("1. 3.5 hours late.", "3.5 hours late."),
        ("“One bus.”\n‘Two buses.’", "One bus.|Two buses."),
    ],
)
def test_items(text: str, items: str) -> None:
    answer = parse_items(text, wanted=3)
    assert isinstance(answer, Items)
    assert answer.items == tuple(items.split("|"))


def test_items_that_were_dropped_are_counted() -> None:
    answer = parse_items("1. One.\n2. ONE!\n3. Two.\n4. Three.", wanted=2)
    assert isinstance(answer, Items)
    assert (answer.items, answer.repeated, answer.cut) == (("One.", "Two."), 1, 1)


@pytest.mark.parametrize("text", ['["\\ud800A dull\\u0000 film.\\udfff"]', "1. A dull\x00 film.\ud800"])
def test_items_can_be_written_down(text: str) -> None:
    """JSON spells what no database takes: half of a surrogate pair, a zero byte."""
    assert getattr(parse_items(text, wanted=3), "items", None) == ("A dull film.",)


@pytest.mark.parametrize("text", ["", "\n", "1.\n2.\n", "```\n```", "Sure, here are the texts:", None])
def test_items_that_are_none(text: str | None) -> None:
    assert isinstance(parse_items(text, wanted=3), Refusal)


PARSERS: Sequence[Callable[[str | None], object]] = (
    lambda text: parse_label(text, words=WORDS),
    lambda text: parse_label(text, words=["", " ", "a b", "a_b", "["]),
    lambda text: parse_rationale(text, words=WORDS),
    lambda text: parse_scores(text, allowed=["k7", "3", ""]),
    lambda text: parse_ranking(text, allowed=["k7", "3"]),
    lambda text: parse_items(text, wanted=2),
)
PIECES = [
    "positive",
    "not ",
    "Label:",
    "Reason:",
    "\n",
    "k7",
    ": 3",
    "1. ",
    '"',
    "[",
    "{",
    "]",
    "|",
    "- ",
    "**",
    "3",
    "/",
    ".",
]


@settings(deadline=None)
@given(
    st.text(max_size=80) | st.lists(st.sampled_from(PIECES), max_size=20).map("".join) | HOSTILE,
    st.sampled_from(PARSERS),
)
def test_any_text_gives_an_answer_or_a_reason(text: str, parse: Callable[[str | None], object]) -> None:
    answer = parse(text)
    assert getattr(answer, "raw", None) == text
    assert not isinstance(answer, Refusal) or answer.reason


@settings(deadline=None)
@given(HOSTILE, st.lists(st.text(st.characters(), max_size=6) | st.sampled_from(WORDS), max_size=4, unique=True))
def test_a_reply_names_only_what_there_is(text: str, words: list[str]) -> None:
    """Whatever words, ids and numbers it is about, and in whatever letters."""
    for reply in (text, *words, *(f"{text}{word}" for word in words), *(word.upper() for word in words)):
        for parse in (parse_label, parse_rationale):
            answer = parse(reply, words=words)
            assert isinstance(answer, Refusal) or answer.label in words
        scored, ranked = parse_scores(reply, allowed=words, low=1, high=5), parse_ranking(reply, allowed=words)
        assert isinstance(scored, Refusal) or (set(scored.scores) <= set(words) and max(scored.scores.values()) <= 5)
        assert isinstance(ranked, Refusal) or set(ranked.ids) <= set(words)
        assert set(parse_reasons(reply, allowed=words)) <= set(words)
        items = parse_items(reply, wanted=2)
        assert isinstance(items, Refusal) or (len(items.items) <= 2 and all(each.encode() for each in items.items))


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "unit", ["positive ", "Label: ", "[", '{"a":', "1. ", "k7: ", "* ", "| ", "\n", " ", "3", "not "]
)
def test_long_replies_are_read(unit: str, parse: Callable[[str | None], object]) -> None:
    assert parse(unit * (30_000 // len(unit))) is not None
