"""The LLM reads texts so that a strategy can choose by what it says, and nothing is learned from its labels."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from agent.annotate import Llm
from agent.domain import Batch, Pick
from agent.errors import BadInput, EngineError
from agent.exchange import ChatFailure, ChatRequest
from agent.journal import MemoryJournal
from agent.loop import Outcome, learn
from agent.pool import Pool
from agent.protocols import Bench, Columns, Floats, Query
from agent.query import Disagreement, First, LeastConfidence, Patron, Read, Then
from agent.query.combine import Chooser
from agent.recipe import Recipe, Step
from agent.scripted import Scripted, ScriptedChat
from agent.seeds import generator
from agent.stopping import Budget, Rounds
from agent.students import FrozenLinear
from tests.support.questions import TASK, question
from tests.support.toy_runs import ENCODER, Fragile, Killed, Remembering, digits, reads, toy_lab, toy_pool

N, BUDGET, READS = 60, 8, 40
PATRON = Read(then=Patron(), reads=READS)
COLD = Recipe(name="patron", steps=(Step(query=PATRON, size=BUDGET),), stop=Rounds(most=1), learner=FrozenLinear())
TWICE = COLD.model_copy(update={"steps": (Step(query=PATRON, size=BUDGET // 2),), "stop": Budget(labels=BUDGET)})


def hesitant(request: ChatRequest) -> Scripted:
    """Every fifth text or so gets no label, and every twentieth or so no answer."""
    said = reads(request)
    number = digits(request.messages[-1].content)
    if number % 20 == 1:
        return ChatFailure(kind="refused", message="not this one")
    return said if number % 5 or not isinstance(said, dict) else {word: p / 1000 for word, p in said.items()}


def asking(say: Callable[[ChatRequest], Scripted] = reads, sample: int = 30) -> tuple[Query, ScriptedChat]:
    """A question over 60 texts of which the LLM has said nothing yet, and the LLM."""
    chat, ask = ScriptedChat(say), question(having=("student", "embeddings"))
    return replace(ask, chat=chat, sample=ask.candidates.take(range(sample))), chat


def annotated(ask: Query, most: int) -> Floats:
    """(candidates, classes): what a pool knows after an earlier step had the LLM label the first `most` of them."""
    batch = Batch(picks=tuple(Pick(example=ask.candidates.example(row)) for row in range(most)), by="test")
    pool = Pool.of(TASK, ask.candidates)
    labels = Llm().annotate(batch, Bench(TASK, chat=ask.chat, sample=ask.sample))
    return pool.label(labels).machine(np.arange(len(pool)))


@pytest.mark.parametrize("then", [Patron(), Disagreement(), Then(first=Disagreement(), second=Patron(), keep=9)])
@pytest.mark.parametrize("say", [reads, hesitant])
def test_a_strategy_chooses_as_after_a_step_in_which_the_llm_labels(
    then: Chooser, say: Callable[[ChatRequest], Scripted]
) -> None:
    batch = Read(then=then, reads=READS).query(asking(say)[0])
    machine = annotated(asking(say)[0], READS)
    by_hand = then.query(replace(asking(say)[0], machine=machine))
    assert batch.picks == by_hand.picks
    assert batch.by.startswith(f"{by_hand.by} after reads by llm:scripted@annotate/label@")
    assert batch.notes["read"] == READS
    assert batch.notes["unread"] == np.isnan(machine[:READS]).any(axis=1).sum()
    assert (batch.notes["unread"] > 0) == (say is hesitant)


def test_only_the_first_candidates_are_read_and_what_is_known_is_not_read_again() -> None:
    ask, chat = asking(sample=0)
    ask = replace(ask, machine=annotated(ask, 4))
    chat.requests.clear()
    assert Read(then=First(), reads=7).query(ask).notes == {"read": 3, "unread": 0}
    said = [request.messages[-1].content for request in chat.requests]
    assert [text in shown for text, shown in zip(ask.candidates.texts[4:7], said, strict=True)] == [True] * 3
    chat.requests.clear()
    whole = replace(ask, sample=ask.candidates)
    assert Read(then=First(), reads=4).query(whole).notes["read"] == 0
    assert Read(then=First(), reads=9).query(replace(whole, size=0)).picks == ()
    assert not chat.requests, "not even the sample of the prior"


def test_what_only_reads_needs_no_labels_of_the_llm_and_says_what_it_needs() -> None:
    assert PATRON.needs == {"chat", "embeddings"}
    assert Read(then=LeastConfidence(), reads=1).needs == {"chat", "student"}
    with pytest.raises(BadInput, match="'patron after reads' needs an LLM"):
        PATRON.query(question(having=("embeddings",)))
    with pytest.raises(ValidationError, match="leave out `shots`"):
        Read(then=Patron(), reads=1, reader=Llm(shots=1))


def test_an_llm_that_does_not_answer_chooses_nothing() -> None:
    with pytest.raises(EngineError, match="label reads failed"):
        PATRON.query(asking(lambda _: ChatFailure(kind="refused", message="no"))[0])
    short = Columns(*[list(column)[:9] for column in (question().candidates.ids, question().candidates.texts)])
    ask = replace(asking(lambda _: {"positive": 0.001, "negative": 0.001}, 0)[0], candidates=short)
    with pytest.raises(BadInput, match=r"'patron' needs labels of the LLM.*the strategy `read`"):
        PATRON.query(replace(ask, machine=np.full((9, 2), np.nan)))


def run(recipe: Recipe, journal: MemoryJournal, chat: Remembering) -> Outcome:
    pool, gold = toy_pool(N)
    lab = toy_lab(recipe, pool, gold, BUDGET, chat)
    return learn(lab.spec, pool, lab, journal)


@pytest.mark.parametrize("recipe", [COLD, TWICE], ids=["at once", "in two rounds"])
def test_the_student_of_a_patron_run_learns_from_people_alone(recipe: Recipe) -> None:
    pool, gold = toy_pool(N)
    chat = Remembering()
    outcome = run(recipe, MemoryJournal(), chat)
    labelled, last = outcome.pool.labelled(), outcome.history[-1]
    assert labelled.human.all()
    assert len(labelled) == len(outcome.pool.annotations) == BUDGET
    truth = [TASK.names.index(gold[id_]) for id_ in labelled.columns.ids]
    np.testing.assert_array_equal(labelled.targets, np.eye(2)[truth])
    assert (last.human_labels, last.machine_labels) == (BUDGET, 0)
    assert last.sizes == {**dict.fromkeys(last.sizes, 0), "unlabelled": N - BUDGET, "labelled": BUDGET}
    assert {a.provenance for a in outcome.pool.annotations} == {"human"}, "what labels.jsonl is written from"
    lab = toy_lab(recipe, pool, gold, BUDGET)
    alone = lab.train(outcome.pool, 0).predict(pool.columns)
    np.testing.assert_array_equal(outcome.student.predict(pool.columns), alone)
    assert sum(each.cost.calls for each in outcome.history) == len(chat.sent) >= READS
    assert chat.sent.most_common(1)[0][1] == 1


def test_a_patron_run_picks_by_what_the_llm_says() -> None:
    pool, _ = toy_pool(N)
    first = pool.columns.take(range(READS))
    bench = Bench(TASK, chat=Remembering(), sample=pool.columns.take(range(30)))
    read = Batch(picks=tuple(Pick(example=first.example(row)) for row in range(READS)), by="test")
    known = pool.label(Llm().annotate(read, bench)).machine(np.arange(N))
    nobody, rng = pool.labelled(), generator(0, "query", 0)
    by_hand = Patron().query(Query(TASK, BUDGET, pool.columns, known, nobody, rng, embed=ENCODER))
    mine = run(COLD, MemoryJournal(), Remembering()).batches[0]
    assert mine.picks == by_hand.picks

    def surer(request: ChatRequest) -> Scripted:
        """Doubts what the other is sure of."""
        said = reads(request)
        assert isinstance(said, dict)
        side = 0.9 * abs(said["positive"] - said["negative"])
        return {"positive": 0.9 - side / 2, "negative": side / 2}

    other = run(COLD, MemoryJournal(), Remembering(surer)).batches[0]
    assert sorted(e.id for e in other.examples) != sorted(e.id for e in mine.examples), "the same texts and seed"


@pytest.mark.parametrize("moment", ["before", "unwritten", "after"])
@pytest.mark.parametrize("key", [f"{i}/{kind}" for i in range(2) for kind in ("query", "annotate", "round")])
def test_a_killed_patron_run_ends_in_the_same_record(key: str, moment: str) -> None:
    whole, journal, chat = MemoryJournal(), Fragile(key, moment), Remembering()
    expected = run(TWICE, whole, Remembering())
    with pytest.raises(Killed):
        run(TWICE, journal, chat)
    outcome = run(TWICE, journal, chat)
    assert journal.values == whole.values
    assert outcome.history == expected.history
    assert set(chat.sent.values()) == {1}, "the LLM is asked nothing twice"
