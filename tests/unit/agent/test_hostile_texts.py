"""Texts that attack, and a model that does what they say: which ids and labels there are does not change."""

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.annotate import Llm
from agent.annotate.explain import explain
from agent.domain import Batch, Pick
from agent.exchange import ChatRequest
from agent.generate import Generate, Length
from agent.protocols import Bench, Columns, Query
from agent.query import LlmChoose
from agent.scripted import Scripted, ScriptedChat
from prompts.template import load
from tests.support.hostile import HOSTILE, PIECES
from tests.support.questions import TASK, question

N = 9
TEXTS = st.lists(HOSTILE, min_size=N, max_size=N)
OBEYED = st.lists(st.sampled_from([*PIECES, "{0}", "{1}", "{0}, {1}, {0}", "Selected: {2}", "\n{0}: 4"]), max_size=10)
"""What the model makes of such texts: pieces of them, and ids that were really shown."""


def shown(request: ChatRequest) -> list[str]:
    return re.findall(r"^\[(\w+)\]", "\n".join(m.content for m in request.messages), re.MULTILINE)


class Obedient:
    """Says what it was told to say by a text, in turn; label reads it answers with some probabilities."""

    def __init__(self, replies: list[list[str]]) -> None:
        self.replies, self.asked = replies, 0

    def __call__(self, request: ChatRequest) -> Scripted:
        self.asked += 1
        if request.read:
            return {word: 1 / (n + 2) for n, word in enumerate(request.read)}
        said = "".join(self.replies[self.asked % len(self.replies)])
        for place, id_ in enumerate(shown(request)[:3]):
            said = said.replace(f"{{{place}}}", id_)
        return said


def columns(texts: list[str], *, pairs: bool) -> Columns:
    return Columns([f"t{i}" for i in range(N)], texts, [text or "x" for text in reversed(texts)] if pairs else None)


def batch(columns: Columns) -> Batch:
    return Batch(picks=tuple(Pick(example=columns.example(i)) for i in range(len(columns))), by="test")


@pytest.mark.parametrize("prompt", ["select/choose", "select/rank", "select/score"])
@settings(deadline=None, max_examples=40)
@given(texts=TEXTS, pairs=st.booleans(), replies=st.lists(OBEYED, min_size=1, max_size=4), data=st.data())
def test_only_texts_that_were_offered_are_picked_each_once(
    prompt: str, texts: list[str], pairs: bool, replies: list[list[str]], data: st.DataObject
) -> None:
    mode = data.draw(st.sampled_from(load(prompt).slots["mode"].fillings))
    chat, offered = ScriptedChat(Obedient(replies)), columns(texts, pairs=pairs)
    ask = dataclasses.replace(question(n=N, size=4), candidates=offered, chat=chat)
    strategy = LlmChoose(prompt=prompt, slots={"mode": mode, "context": "labelled"}, list_size=5, per_list=2)
    found = strategy.query(_labelled(ask, texts, pairs=pairs))
    ids = [pick.example.id for pick in found.picks]
    assert len(ids) == len(set(ids)) == 4
    assert all(pick.example == offered.example(offered.ids.index(pick.example.id)) for pick in found.picks)
    assert [len(shown(request)) for request in chat.requests[:2]] == [5, 4], "as many entries as there are texts"
    assert all(len(set(shown(request))) == len(shown(request)) for request in chat.requests)
    assert all(pick.filled or 0 <= (pick.shown or 0) < (pick.listed or 0) <= 5 for pick in found.picks)


def _labelled(ask: Query, texts: list[str], *, pairs: bool) -> Query:
    """The labelled texts attack as well."""
    known = ask.labelled.columns
    seconds = [text or "x" for text in texts[: len(known)]] if pairs else None
    hostile = Columns(known.ids, texts[: len(known)], seconds)
    return dataclasses.replace(ask, labelled=dataclasses.replace(ask.labelled, columns=hostile))


@settings(deadline=None, max_examples=40)
@given(texts=TEXTS, pairs=st.booleans(), replies=st.lists(OBEYED, min_size=1, max_size=4))
def test_only_labels_of_the_task_are_read_and_given(texts: list[str], pairs: bool, replies: list[list[str]]) -> None:
    chat, offered = ScriptedChat(Obedient(replies)), columns(texts, pairs=pairs)
    bench = Bench(TASK, chat=chat)
    given_ = Llm().annotate(batch(offered), bench)
    assert [each.example for each in given_] == list(offered.ids)
    assert {each.answer.label for each in given_} <= {*TASK.names}
    assert all(set(each.answer.raw or {}) == {*TASK.names} for each in given_)
    assert [request.read for request in chat.requests] == [TASK.words] * N
    reasons = explain(offered, chat, bench, "annotate/label", {})
    assert len(reasons) == N
    assert {each.value.label for each in reasons if each.value} <= {*TASK.words}


@pytest.mark.parametrize("prompt", ["generate/one", "generate/gap"])
@settings(deadline=None, max_examples=15)
@given(texts=TEXTS, replies=st.lists(OBEYED, min_size=1, max_size=4))
def test_what_is_written_has_a_label_of_the_task_and_an_id_of_its_own(
    prompt: str, texts: list[str], replies: list[list[str]]
) -> None:
    chat, toys = ScriptedChat(Obedient(replies)), question(n=30)
    attacks = [text.encode(errors="ignore").decode() for text in texts]  # half a character is refused at the door
    mixed = [f"{text} {attacks[i % N]}" for i, text in enumerate(toys.candidates.texts)]
    ask = dataclasses.replace(toys, candidates=Columns(toys.candidates.ids, mixed), chat=chat)
    writer = Generate(prompt=prompt, clusters=2, gaps=2, asks=2, each=2, filters=(Length(least_words=1),))
    found = writer.query(ask)
    ids = [each.example.id for each in found.candidates]
    assert len(ids) == len(set(ids)) <= 2 * found.notes["requests"]
    assert not set(ids) & {*ask.candidates.ids, *ask.labelled.columns.ids}
    assert {each.label for each in found.candidates} <= {*TASK.names}
    assert all(each.model_dump_json() for each in found.candidates), "each can be written down"
    assert {pick.example.id for pick in found.picks} <= set(ids)
