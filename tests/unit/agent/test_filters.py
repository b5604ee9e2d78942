"""Rejection filters: each accepts, each rejects, each says why."""

import dataclasses

import numpy as np
import pytest

from agent.domain import Candidate, Example
from agent.exchange import ChatFailure, ChatRequest
from agent.generate.filters import Confirm, Duplicate, Length, NearFence, digest, sift
from agent.protocols import Columns, Fence, Query
from agent.scripted import Scripted, ScriptedChat
from tests.support.questions import TASK, ToyEncoder, question


def candidate(text: str, id_: str = "g0", label: str = "sunny") -> Candidate:
    return Candidate(example=Example(id=id_, text=text, origin="generated"), label=label)


def several(*lines: str) -> list[Candidate]:
    return [candidate(text, f"g{i}") for i, text in enumerate(lines)]


def asking(say: object = "", **fields: object) -> Query:
    ask = question(n=20)
    known = Columns(["a", "b"], ["The Sun was warm, today!", "rain over the old village road"])
    return dataclasses.replace(ask, candidates=known, machine=np.full((2, 2), np.nan), chat=_chat(say), **fields)


def _chat(say: object) -> ScriptedChat:
    return ScriptedChat(say if callable(say) else [])


def test_the_same_text_is_the_same_whatever_its_dress() -> None:
    assert digest("The Sun,  was warm!") == digest("the sun was WARM")
    assert digest("the sun was warm") != digest("the sun was warmer")


def test_length() -> None:
    short, fine, long = Length(least_words=3, most_words=5).judge(
        several("too short", "of the right size", "this one has far too many words"), asking()
    )
    assert (short.accepted, short.reason) == (False, "2 words, wanted 3 to 5")
    assert fine.accepted
    assert not long.accepted


def test_a_copy_of_a_pool_text_of_a_labelled_one_or_of_an_earlier_candidate_is_rejected() -> None:
    ask = asking(embed=None)
    labelled = ask.labelled.columns.texts[0]
    lines = ["the sun was warm today", labelled.upper(), "clouds drift by slowly", "Clouds drift by slowly.", "new one"]
    verdicts = Duplicate().judge(several(*lines), ask)
    assert [v.accepted for v in verdicts] == [False, False, True, False, True]
    assert verdicts[0].reason == "too near a text of the pool"
    assert verdicts[3].reason == "too near candidate g2"


def test_a_near_copy_by_its_embedding_is_rejected_with_the_similarity() -> None:
    ask = asking(embed=ToyEncoder())
    near, far, twin = Duplicate(most_similar=0.9).judge(
        several("rain over the village road old", "an entirely different matter", "matter entirely different an"), ask
    )
    assert not near.accepted
    assert near.numbers["similarity"] > 0.9
    assert far.accepted
    assert not twin.accepted, "of two near candidates only the first stays"


def test_what_comes_near_a_fenced_text_is_rejected_and_the_reason_does_not_tell_the_text() -> None:
    secret = Columns(["t"], ["a storm hit the harbour at night"])
    fence = Fence(frozenset({digest(secret.texts[0])}), ToyEncoder().embed(secret))
    ask = asking(fence=fence, embed=ToyEncoder())
    same, near, far = NearFence().judge(
        several("A storm hit the harbour at night!", "storm at night hit the harbour a", "the market was busy"), ask
    )
    assert [same.accepted, near.accepted, far.accepted] == [False, False, True]
    assert "harbour" not in same.reason + near.reason
    by_hash_only = NearFence().judge(several("a storm hit the harbour at night"), dataclasses.replace(ask, embed=None))
    assert not by_hash_only[0].accepted
    assert NearFence().judge(several("anything"), dataclasses.replace(ask, fence=None))[0].accepted


def confirms(request: ChatRequest) -> Scripted:
    said = request.messages[-1].content
    if "broken" in said:
        return ChatFailure(kind="server", message="no")
    p = 0.9 if "lovely" in said else 0.3
    return {"positive": p, "negative": 1 - p}


def test_an_independent_read_confirms_or_rejects_the_intended_label() -> None:
    lines = ["a lovely day", "a grim day", "a broken read", *(f"lovely {i}" for i in range(9))]
    verdicts = Confirm(least=0.7).judge(several(*lines), asking(confirms))
    assert [v.accepted for v in verdicts[:3]] == [True, False, False]
    assert verdicts[1].reason == "an independent read gives 'sunny' 0.30, wanted 0.7"
    assert verdicts[2].reason == "the independent read failed"
    assert verdicts[2].numbers == {}


def test_the_read_is_not_told_the_label_and_not_asked_with_the_annotators_prompt() -> None:
    ask = asking(confirms)
    Confirm().judge([candidate("a lovely day"), candidate("a lovely day", "g1", "rainy")], ask)
    assert isinstance(ask.chat, ScriptedChat)
    first, second = ask.chat.requests
    assert first == second
    assert first.read == TASK.words
    assert Confirm().reader.prompt == "judge/label"


def test_the_read_is_calibrated_with_the_pool_and_never_with_the_candidates() -> None:
    sample = Columns([f"s{i}" for i in range(20)], [f"lovely sample {i}" for i in range(20)])
    (verdict,) = Confirm(least=0.4).judge([candidate("a grim day", label="rainy")], asking(confirms, sample=sample))
    # raw 0.3 / 0.7, prior 0.9 / 0.1: 0.7 / 0.1 = 7 against 0.3 / 0.9 = 0.33
    assert verdict.numbers["p"] == pytest.approx(7 / (7 + 1 / 3))


def test_what_one_filter_rejects_the_next_is_not_shown() -> None:
    ask = asking(confirms)
    left, verdicts = sift(several("a lovely warm afternoon", "short"), (Length(), Confirm(least=0.5)), ask)
    assert [c.example.id for c in left] == ["g0"]
    assert [(v.candidate, v.filter, v.accepted) for v in verdicts] == [
        ("g0", "length", True),
        ("g1", "length", False),
        ("g0", "confirm", True),
    ]
    assert sift([], (Length(), Confirm()), ask) == ((), ())
    assert sift(several("short"), (Length(), Confirm()), asking())[0] == ()
