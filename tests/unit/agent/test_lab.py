"""The steps of Algorithm 1 one by one: what each may use, what it costs, what is kept."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from agent.annotate import Gold, Human, Llm
from agent.domain import Annotation, Batch, ClassAnswer, Cost, LabelCard, Pick, Round
from agent.errors import BadInput, Unanswered
from agent.exchange import ChatFailure, ChatReply, ChatRequest
from agent.generate import Generate
from agent.journal import MemoryJournal
from agent.lab import Lab, Metered
from agent.loop import learn
from agent.protocols import Bench, Query
from agent.query import Disagreement, First, LeastConfidence, Random
from agent.recipe import Recipe, RunSpec, Step
from agent.recipes import RECIPES
from agent.scripted import ScriptedChat
from agent.stopping import Rounds
from agent.students import FrozenLinear, TfidfSvm
from prompts.messages import Message
from tests.support.questions import TASK, question
from tests.support.toy_runs import ENCODER, Remembering, columns_of, reads, toy_lab, toy_pool


def recipe(*steps: Step, most: int = 1, **fields: object) -> Recipe:
    given = {"name": "r", "steps": steps, "stop": Rounds(most=most), "learner": FrozenLinear(), **fields}
    return Recipe.model_validate(given)


def request(text: str) -> ChatRequest:
    return ChatRequest(messages=(Message(role="user", content=text),))


# costs


def test_a_question_is_paid_once_in_a_run() -> None:
    meter = Metered(ScriptedChat(lambda _: ChatReply(text="a", cost=Cost(calls=1, tokens_in=5))))
    meter.complete([request("a"), request("b"), request("a")])
    first = meter.take()
    meter.complete([request("b"), request("c")])
    second = meter.take()
    assert [cost.calls for cost, _ in (first, second)] == [2, 1]
    assert len(set(first[1]) | set(second[1])) == 3
    assert meter.take() == (Cost(), ())


def test_a_resumed_run_pays_nothing_again_that_a_recorded_step_has_paid() -> None:
    say = ScriptedChat(lambda _: ChatReply(text="a", cost=Cost(calls=1)))
    first, resumed = Metered(say), Metered(say)
    first.complete([request("a")])
    resumed.recall(first.take()[1])
    resumed.complete([request("a"), request("b")])
    assert resumed.take()[0].calls == 1


def test_a_failure_costs_nothing_and_may_be_paid_later() -> None:
    replies = iter([ChatFailure(kind="server", message="no"), ChatReply(text="a", cost=Cost(calls=1))])
    meter = Metered(ScriptedChat(lambda _: next(replies)))
    with pytest.raises(Unanswered, match="1 of 1 questions to the LLM got no answer, the first: no"):
        meter.complete([request("a")])
    assert meter.take() == (Cost(), ())
    meter.complete([request("a")])
    assert meter.take()[0].calls == 1


def test_an_answer_of_the_ledger_costs_what_it_cost_when_it_was_first_asked() -> None:
    meter = Metered(ScriptedChat([ChatReply(text="a", cost=Cost(calls=1, tokens_in=9), recorded=True)]))
    meter.complete([request("a")])
    assert meter.take()[0] == Cost(calls=1, tokens_in=9)


# query and annotate


class Spy:
    """A strategy that keeps what it was shown."""

    name = "spy"
    needs: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.asks: list[Query] = []

    def query(self, ask: Query) -> Batch:
        self.asks.append(ask)
        return First().query(ask)


def reachable(value: object, seen: set[int]) -> list[object]:
    """Everything that can be reached from a value through attributes, items and closures of plain objects."""
    if id(value) in seen or isinstance(value, type | np.generic | np.random.Generator):
        return []
    seen.add(id(value))
    found: list[object] = [value]
    inner: list[object] = list(vars(value).values()) if hasattr(value, "__dict__") else []
    if isinstance(value, dict):
        inner += [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        inner += list(value)
    for each in inner:
        found += reachable(each, seen)
    return found


def test_a_strategy_reaches_no_gold_label_no_person_and_no_test_text() -> None:
    pool, gold = toy_pool(20)
    secret = {id_: f"secret-{label}" for id_, label in gold.items()}
    lab = toy_lab(RECIPES["agent"](4, FrozenLinear(), 8), pool, gold, 4, Remembering())
    lab.bench = dataclasses.replace(lab.bench, gold=secret)
    spy = Spy()
    step = Step(query=First(), size=3).model_copy(update={"query": spy})
    lab.query(step, pool, None, 0)
    everything = reachable(spy.asks[0], set())
    assert any(each is pool.columns.texts[0] for each in everything), "the walk goes deep enough to see the texts"
    assert not [each for each in everything if isinstance(each, str) and each.startswith("secret-")]
    assert not [each for each in everything if each is lab.bench.people or each is secret]


def test_a_strategy_that_lacks_something_is_named_with_it() -> None:
    pool, gold = toy_pool(20)
    lab = toy_lab(recipe(Step(query=Random(), size=1)), pool, gold, 4)
    for strategy, missing in (
        (LeastConfidence(), "a trained student"),
        (Disagreement(), "a trained student and labels of the LLM"),
        (Generate(), "a trained student and an LLM"),
    ):
        with pytest.raises(BadInput, match=f"'{strategy.name}' of round 2 needs {missing}"):
            lab.query(Step(query=strategy, size=1), pool, None, 2)


def test_a_new_label_names_the_one_it_supersedes() -> None:
    pool, gold = toy_pool(20)
    lab = toy_lab(recipe(Step(query=First(), size=1)), pool, gold, 4, Remembering())
    batch = Batch(picks=(Pick(example=pool.columns.example(0)),), by="t")
    machine = lab.annotate(Step(query=First(), size=1, annotate=Llm()), batch, pool, 0).annotations
    pool = pool.label(machine)
    human = lab.annotate(Step(query=First(), size=1, annotate=Human()), batch, pool, 1).annotations
    assert machine[0].supersedes is None
    assert human[0].supersedes == machine[0].id
    again = lab.annotate(Step(query=First(), size=1, annotate=Human()), batch, pool.label(human), 2).annotations
    assert again[0].supersedes == human[0].id


def test_what_people_have_labelled_is_shown_to_the_llm_where_its_step_wants_it() -> None:
    pool, gold = toy_pool(20)
    steps = (Step(query=First(), size=2), Step(query=First(), size=3, annotate=Llm(shots=4), again=True))
    chat = Remembering()
    lab = toy_lab(recipe(*steps, most=2), pool, gold, 4, chat)
    learn(lab.spec, pool, lab, MemoryJournal())
    asked = [ChatRequest.model_validate_json(key) for key in chat.sent]
    shown = {tuple(m.content for m in each.messages if m.role == "assistant") for each in asked}
    assert len(asked) >= 3
    assert [len(each) for each in shown] == [2], "the two that people had labelled, in one order"


def test_an_annotator_that_overdraws_the_budget_is_caught() -> None:
    class Greedy:
        def annotate(self, batch: Batch, bench: Bench) -> tuple[Annotation, ...]:
            return Gold().annotate(batch, dataclasses.replace(bench, left=99))

    pool, gold = toy_pool(20)
    lab = toy_lab(recipe(Step(query=First(), size=3)), pool, gold, 2)
    step = Step(query=First(), size=3).model_copy(update={"annotate": Greedy()})
    batch = First().query(dataclasses.replace(question(), candidates=pool.columns, size=3))
    with pytest.raises(BadInput, match="round 0 asked people for 3 labels, 2 were left"):
        lab.annotate(step, batch, pool, 0)


# train


def kept(folder: Path, names: tuple[str, str] = TASK.names) -> tuple[Lab, object]:
    """A lab that keeps students, and the student of a first round over gold labels."""
    pool, gold = toy_pool(30)
    cards = tuple(LabelCard(name=n, word=c.word) for n, c in zip(names, TASK.labels, strict=True))
    task = TASK.model_copy(update={"labels": cards})
    gold = {id_: names[TASK.names.index(label)] for id_, label in gold.items()}
    spec = RunSpec(recipe=recipe(Step(query=First(), size=8, annotate=Gold())), task=task, data="d", budget=8)
    lab = Lab(spec, Bench(task, embed=ENCODER, gold=gold), students=folder)
    pool = dataclasses.replace(pool, task=task)
    return lab, learn(spec, pool, lab, MemoryJournal()).student


def test_a_kept_student_is_not_fitted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, first = kept(tmp_path)
    monkeypatch.setattr(FrozenLinear, "fit", lambda *_: pytest.fail("it was kept"))
    _, second = kept(tmp_path)
    texts = toy_pool(10, seed=5)[0].columns
    np.testing.assert_array_equal(first.predict(texts), second.predict(texts))
    assert len([path for path in tmp_path.iterdir() if not path.name.startswith(".")]) == 1


def test_students_of_other_label_names_seeds_or_learners_are_others(tmp_path: Path) -> None:
    kept(tmp_path)
    kept(tmp_path, ("fine", "foul"))
    assert len(list(tmp_path.iterdir())) == 2


def test_without_labels_there_is_nothing_to_train() -> None:
    pool, gold = toy_pool(5)
    lab = toy_lab(recipe(Step(query=Random(), size=1)), pool, gold, 4)
    with pytest.raises(BadInput, match="nothing is labelled yet"):
        lab.train(pool, 0)


def test_with_a_scout_the_learner_is_trained_once_at_the_end_and_observed_there() -> None:
    pool, gold = toy_pool(30)
    steps = (Step(query=Random(), size=6),)
    spec = RunSpec(
        recipe=recipe(*steps, most=3, learner=TfidfSvm(), scout=FrozenLinear()), task=TASK, data="d", budget=18
    )
    seen: list[tuple[int, str]] = []
    scouted: list[tuple[int, str]] = []
    lab = Lab(
        spec,
        Bench(TASK, embed=ENCODER, people=toy_lab(spec.recipe, pool, gold, 18).bench.people),
        observe=lambda index, _, student: seen.append((index, type(student).__name__)),
        scouted=lambda index, _, student: scouted.append((index, type(student).__name__)),
    )
    outcome = learn(spec, pool, lab, MemoryJournal())
    assert seen == [(2, "SvmStudent")]
    assert scouted == [(index, "LinearStudent") for index in range(3)]
    assert type(outcome.student).__name__ == "SvmStudent"


# rounds


def test_a_round_counts_labels_and_measures_uncertainty_over_u_only() -> None:
    class Half:
        def predict(self, texts: object) -> np.ndarray:
            return np.full((len(texts), 2), 0.5)

    pool, gold = toy_pool(10)
    lab = toy_lab(recipe(Step(query=Random(), size=1)), pool, gold, 4)
    round_ = lab.sum_up(0, Batch(picks=(), by="t"), _labels(), pool.label(_labels().annotations), Half())
    assert isinstance(round_, Round)
    assert (round_.human_labels, round_.machine_labels) == (1, 1)
    assert round_.measures["mean_entropy"] == pytest.approx(np.log(2))
    assert round_.measures["mean_confidence"] == pytest.approx(0.5)
    assert round_.sizes["unlabelled"] == 8


def _labels() -> object:
    from agent.lab import Labels

    pool, _ = toy_pool(10)
    a, b = pool.columns.ids[:2]
    answer = ClassAnswer(label="sunny", raw={"sunny": 0.8, "rainy": 0.2})
    return Labels(
        annotations=(
            Annotation(id="1", example=a, answer=answer, by="llm:x", provenance="machine"),
            Annotation(
                id="2",
                example=b,
                answer=ClassAnswer(label="rainy"),
                by="human:x",
                provenance="human",
                cost=Cost(human_labels=1),
            ),
        )
    )


def test_the_toy_llm_of_these_tests_reads_toy_words() -> None:
    said = reads(
        ChatRequest(messages=(Message(role="user", content="bright warm sun"),), read=("positive", "negative"))
    )
    assert isinstance(said, dict)
    assert said["positive"] > said["negative"]
    assert columns_of("a").ids == ["x0"]
