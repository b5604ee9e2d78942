"""Which tokens speak for a word, and when words cannot be told apart."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import BadInput
from serving.llm.label_tokens import MOST_IDS, LabelTokens, Piece
from tests.support.fake_openai import tokens as fake_tokens


def vocabulary(*whole: str) -> Callable[[str], list[Piece]]:
    """A tokenizer that knows some words whole and cuts all others after four characters."""

    def tokenize(text: str) -> list[Piece]:
        first = text if text in whole else text[: 5 if text.startswith(" ") else 4]
        rest = text[len(first) :]
        return [(int.from_bytes(piece.encode(), "big"), piece.replace(" ", "Ġ")) for piece in (first, rest) if piece]

    return tokenize


def ids(tokenize: Callable[[str], list[Piece]], *words: str) -> dict[str, set[str]]:
    found = LabelTokens().of(words, tokenize)
    return {w: {t.to_bytes(64, "big").lstrip(b"\0").decode() for t in tokens} for w, tokens in found.items()}


def test_case_and_a_space_before_make_variants_of_a_word() -> None:
    found = ids(vocabulary("good", " good", "Good", " Good", "GOOD", "bad", " bad"), "good", "bad")
    assert found == {
        "good": {"good", " good", "Good", " Good", "GOOD", " GOOD"},
        "bad": {"bad", " bad", "Bad", " Bad", "BAD", " BAD"},
    }


def test_of_a_long_word_its_first_piece_speaks() -> None:
    assert ids(vocabulary(), "negative", "positive")["negative"] == {"nega", " nega", "Nega", " Nega", "NEGA", " NEGA"}


def test_a_short_piece_speaks_for_the_words_own_spelling_only() -> None:
    def tokenize(text: str) -> list[Piece]:
        return [(ord(text.strip()[0]), text.strip()[0]), (1, "rest")]

    assert LabelTokens().of(("yes", "no"), tokenize) == {"yes": (ord("y"),), "no": (ord("n"),)}


def test_a_token_of_two_words_speaks_for_neither() -> None:
    found = ids(vocabulary("Sport", "sport", " sport", "sports"), "Sport", "sports")
    assert found["sports"] == {"sports", " spor", "Spor"}
    assert found["Sport"] == {"Sport", "sport", " sport"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("New York", "New Jersey"), "'New York' and 'New Jersey'"),
        (("yes", "Yes"), "'yes' and 'Yes'"),
        (("same", "same"), "'same' and 'same'"),
    ],
)
def test_words_that_begin_alike_are_named(words: tuple[str, ...], named: str) -> None:
    with pytest.raises(BadInput, match=named):
        LabelTokens().of(words, vocabulary("yes", "Yes"))


@pytest.mark.parametrize("word", ["", " "])
def test_a_word_without_letters_is_refused(word: str) -> None:
    with pytest.raises(BadInput, match="has no token"):
        LabelTokens().of((word, "x"), vocabulary())


def test_many_words_are_looked_for_in_fewer_spellings_and_too_many_are_refused() -> None:
    def tokenize(text: str) -> list[Piece]:
        return [(hash_of(text), text)]

    seen: dict[str, int] = {}

    def hash_of(text: str) -> int:
        return seen.setdefault(text, len(seen))

    words = tuple(f"label{n}" for n in range(50))
    found = LabelTokens().of(words, tokenize)
    assert {len(tokens) for tokens in found.values()} == {2}
    assert sum(map(len, found.values())) <= MOST_IDS
    with pytest.raises(BadInput, match="129 label words"):
        LabelTokens().of(tuple(f"label{n}" for n in range(129)), tokenize)


def test_the_tokenizer_is_asked_once_for_a_spelling() -> None:
    asked: list[str] = []

    def tokenize(text: str) -> list[Piece]:
        asked.append(text)
        return fake_tokens(text)

    labels = LabelTokens()
    labels.of(("good", "bad"), tokenize)
    labels.of(("good", "bad"), tokenize)
    labels.of(("bad", "ugly"), tokenize)
    assert len(asked) == len(set(asked))


@given(st.lists(st.text("abcAB ", min_size=1, max_size=6), min_size=1, max_size=8).map(tuple))
def test_no_token_speaks_twice_and_each_word_keeps_its_own_spelling(words: tuple[str, ...]) -> None:
    try:
        found = LabelTokens().of(words, fake_tokens)
    except BadInput:
        return
    every = [token for tokens in found.values() for token in tokens]
    assert len(every) == len(set(every))
    assert all(fake_tokens(word)[0][0] in tokens for word, tokens in found.items())
