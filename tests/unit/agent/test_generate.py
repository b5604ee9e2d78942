"""The generator: where it writes, what it asks, and that it keeps what passed."""

import dataclasses

import pytest

from agent.errors import BadInput
from agent.exchange import ChatReply, ChatRequest
from agent.generate import Generate, Length
from agent.generate.filters import words
from agent.protocols import Columns
from agent.scripted import Scripted, ScriptedChat
from tests.support.questions import question, toy_answer


def with_chat(say: object, **fields: object) -> object:
    return dataclasses.replace(question(**fields), chat=ScriptedChat(say))


def writes(request: ChatRequest) -> Scripted:
    return (
        toy_answer(request)
        if request.read
        else "1. a long sentence about mild weather\n2. short\n3. another fine long sentence here"
    )


PLAIN = Generate(prompt="generate/gap", filters=(Length(),), each=3, gaps=4, asks=2)


def test_everything_written_is_kept_as_a_candidate_and_only_what_passes_is_picked() -> None:
    batch = PLAIN.query(with_chat(writes, size=100))
    written = int(batch.notes["requests"]) * 3
    assert len(batch.candidates) == len(batch.verdicts) == written
    rejected = {v.candidate for v in batch.verdicts if not v.accepted}
    assert {c.example.text for c in batch.candidates if c.example.id in rejected} == {"short"}
    assert [p.example.id for p in batch.picks] == [
        c.example.id for c in batch.candidates if c.example.id not in rejected
    ]
    assert len({c.example.id for c in batch.candidates}) == written


def test_no_more_than_wanted_are_picked() -> None:
    assert len(PLAIN.query(with_chat(writes, size=2)).picks) == 2


def test_a_candidate_says_what_it_was_written_for_and_from() -> None:
    ask = with_chat(writes, size=100)
    batch = PLAIN.query(ask)
    for candidate in batch.candidates:
        assert candidate.label in {"sunny", "rainy"}
        assert candidate.example.origin == "generated"
        assert candidate.example.parents
        assert set(candidate.example.parents) <= set(ask.candidates.ids)
        assert len(candidate.example.parents) <= PLAIN.shown, "parents are the texts that its request showed"
        assert candidate.by.startswith("llm:scripted@generate/gap@")


def test_the_request_names_the_label_and_shows_the_hardest_texts() -> None:
    ask = with_chat(writes, size=100)
    PLAIN.query(ask)
    asked = [r for r in ask.chat.requests if not r.read]
    assert len({r.repeat for r in asked}) == len(asked), "none is answered from another by the ledger"
    for request in asked:
        said = request.messages[-1].content
        assert 'the label "positive"' in said or 'the label "negative"' in said
        assert request.temperature == PLAIN.temperature > 0


def test_a_reply_that_holds_no_text_is_asked_for_again_and_counted_as_refused() -> None:
    ask = with_chat(lambda r: toy_answer(r) if r.read else ChatReply(text=""), size=10)
    batch = PLAIN.query(ask)
    assert batch.picks == ()
    assert batch.notes["unwritten"] == batch.notes["requests"] > 0


def test_without_an_llm_nothing_is_written() -> None:
    ask = question(having=("student", "embeddings"))
    with pytest.raises(BadInput, match="generation asks an LLM"):
        Generate().query(ask)


def test_a_text_that_the_token_limit_cut_off_is_no_candidate() -> None:
    def cut(request: ChatRequest) -> Scripted:
        if request.read:
            return toy_answer(request)
        return ChatReply(text="1. a long sentence about mild weather\n2. another one that sto", finish="length")

    batch = PLAIN.query(with_chat(cut, size=100))
    assert {c.example.text for c in batch.candidates} == {"a long sentence about mild weather"}


def test_a_whole_text_is_kept_where_the_limit_cut_off_one_that_nobody_wanted() -> None:
    reply = ChatReply(text="1. a long sentence about mild weather\n2. another one that sto", finish="length")
    ask = with_chat(lambda r: toy_answer(r) if r.read else reply, size=100)
    batch = PLAIN.model_copy(update={"each": 1}).query(ask)
    assert {c.example.text for c in batch.candidates} == {"a long sentence about mild weather"}
    assert batch.notes["unwritten"] == 0


def test_a_reply_of_which_nothing_is_whole_counts_as_unwritten() -> None:
    reply = ChatReply(text="1. a long sentence about mild wea", finish="length")
    batch = PLAIN.query(with_chat(lambda r: toy_answer(r) if r.read else reply, size=100))
    assert batch.candidates == ()
    assert batch.notes["unwritten"] == batch.notes["requests"] > 0


def test_ids_of_written_texts_keep_out_of_the_way_of_the_users() -> None:
    ask = with_chat(writes, size=100)
    taken = Columns(["g0-0-0", *list(ask.candidates.ids)[1:]], ask.candidates.texts)
    batch = PLAIN.query(dataclasses.replace(ask, candidates=taken))
    assert batch.candidates
    assert not {c.example.id for c in batch.candidates} & set(taken.ids)


def test_pairs_are_refused_before_anything_is_asked() -> None:
    ask = with_chat(writes, size=10)
    pairs = dataclasses.replace(ask.candidates, texts_b=ask.candidates.texts)
    with pytest.raises(BadInput, match="this pool holds pairs"):
        PLAIN.query(dataclasses.replace(ask, candidates=pairs))
    assert ask.chat.requests == []


@pytest.mark.parametrize(
    ("text", "count"), [("a fine film", 3), ("这部电影非常好看我很喜欢", 6), ("หนังเรื่องนี้ดีมาก", 9), ("…", 1), ("", 0)]
)
def test_words_are_counted_in_scripts_without_blanks_too(text: str, count: int) -> None:
    assert words(text) == count
