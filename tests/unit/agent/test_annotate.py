"""Labels from people and from the LLM: budgets, calibration, abstentions, and failures that are not answers."""

from dataclasses import replace

import numpy as np
import pytest

from agent.annotate import AnnotatorSpec, Gold, Human, Llm, Route, Simulated, calibrate
from agent.annotate.explain import explain
from agent.annotate.human import SimulatedPeople
from agent.domain import Annotation, Batch, Example, Pick
from agent.errors import BadInput, EngineError, PromptError, Waiting
from agent.exchange import ChatFailure, ChatReply, ChatRequest
from agent.protocols import Bench, Columns, Demonstration, Labelled, Response
from agent.scripted import Scripted, ScriptedChat
from tests.support.questions import TASK
from tests.support.toy_runs import columns_of

FAILED = ChatFailure(kind="server", message="no luck")


def batch(*lines: str) -> Batch:
    columns = columns_of(*lines)
    return Batch(picks=tuple(Pick(example=columns.example(i)) for i in range(len(lines))), by="test")


def says(table: dict[str, Scripted], otherwise: Scripted = "no answer") -> ScriptedChat:
    """An LLM whose reading of a text depends on which word stands in it."""

    def answer(request: ChatRequest) -> Scripted:
        said = request.messages[-1].content
        return next((reply for word, reply in table.items() if word in said), otherwise)

    return ScriptedChat(answer)


def p(positive: float, mass: float = 1.0) -> dict[str, float]:
    return {"positive": positive * mass, "negative": (1 - positive) * mass}


# people


def test_gold_costs_a_label_each_and_stops_at_the_budget() -> None:
    bench = Bench(TASK, left=2, gold={"x0": "sunny", "x1": "rainy", "x2": "sunny"}, round=3)
    labels = Gold().annotate(batch("a", "b", "c"), bench)
    assert [(a.example, a.answer.label, a.cost.human_labels, a.provenance) for a in labels] == [
        ("x0", "sunny", 1, "human"),
        ("x1", "rainy", 1, "human"),
    ]
    assert len({a.id for a in labels}) == 2


@pytest.mark.parametrize("annotator", [Gold(), Simulated()])
def test_without_gold_nobody_can_be_simulated(annotator: Gold) -> None:
    with pytest.raises(BadInput, match="needs gold labels"):
        annotator.annotate(batch("a"), Bench(TASK, left=1))
    with pytest.raises(BadInput, match="'x0' has no gold label"):
        annotator.annotate(batch("a"), Bench(TASK, left=1, gold={}))


def test_a_simulated_person_errs_at_the_declared_rate_and_always_alike() -> None:
    gold = {f"x{i}": TASK.names[i % 2] for i in range(2000)}
    examples = [Example(id=id_, text="t") for id_ in gold]
    people = SimulatedPeople(gold, TASK.names, 0.2, 5.0, seed=1)
    first, later = people.answers(examples, 0), people.answers(examples[::-1], 4)
    assert first == later
    wrong = np.mean([first[id_].label != label for id_, label in gold.items()])
    assert 0.17 < wrong < 0.23
    assert {answer.seconds for answer in first.values()} == {5.0}


def test_whoever_answers_on_the_bench_is_asked_for_what_the_budget_covers_only() -> None:
    class One:
        asked: tuple[str, ...] = ()

        def answers(self, examples: list[Example], index: int, suggested: object) -> dict[str, Response]:
            self.asked = tuple(e.id for e in examples)
            return {e.id: Response(None if e.id == "x1" else "sunny", 3.0, "ann") for e in examples}

    people = One()
    labels = Human().annotate(batch("a", "b", "c"), Bench(TASK, left=2, people=people))
    assert people.asked == ("x0", "x1")
    assert [(a.answer.label, a.by, a.cost.human_seconds) for a in labels] == [
        ("sunny", "human:ann", 3.0),
        (None, "human:ann", 3.0),
    ]
    with pytest.raises(BadInput, match="nobody is there"):
        Human().annotate(batch("a"), Bench(TASK, left=1))


# calibration


def test_batch_calibration_by_hand() -> None:
    readings = np.asarray([[0.9, 0.1], [0.7, 0.3]])
    prior = np.asarray([0.8, 0.2])
    found = calibrate.calibrated(readings, prior)
    # 0.9 / 0.8 = 1.125 and 0.1 / 0.2 = 0.5: 1.125 / 1.625; 0.7 / 0.8 = 0.875 and 0.3 / 0.2 = 1.5: 0.875 / 2.375
    np.testing.assert_allclose(found[:, 0], [0.6923077, 0.3684211], atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    np.testing.assert_allclose(calibrate.calibrated(readings, prior, 0.0), readings)
    assert np.isnan(calibrate.calibrated(np.full((1, 2), np.nan), prior)).all()


def test_a_prior_needs_a_sample_worth_the_name() -> None:
    few = np.tile([0.8, 0.2], (calibrate.LEAST_SAMPLE - 1, 1))
    assert calibrate.prior(few) is None
    found = calibrate.prior(np.concatenate([few, [[0.4, 0.6]]]))
    assert found is not None
    np.testing.assert_allclose(found, [0.78, 0.22])


# the LLM


SAMPLE = Columns([f"s{i}" for i in range(20)], [f"plain {i}" for i in range(20)])


def test_the_prior_comes_from_the_sample_and_not_from_the_batch() -> None:
    chat = says({"plain": p(0.8), "mixed": p(0.7), "great": p(0.9)})
    labels = Llm().annotate(batch("great", "mixed"), Bench(TASK, chat=chat, sample=SAMPLE))
    assert [a.answer.label for a in labels] == ["sunny", "rainy"]
    raw, calibrated = labels[1].answer.raw, labels[1].answer.calibrated
    assert raw is not None
    assert calibrated is not None
    assert raw["sunny"] == pytest.approx(0.7)
    assert calibrated["sunny"] == pytest.approx(0.3684211)
    assert labels[1].confidence == pytest.approx(1 - 0.3684211)
    assert len(chat.requests) == 22


def test_without_a_sample_nothing_is_called_calibrated() -> None:
    for bench in (Bench(TASK, chat=says({}, p(0.7))), Bench(TASK, chat=says({}, p(0.7)), sample=SAMPLE.take(range(5)))):
        (label,) = Llm().annotate(batch("a"), bench)
        assert label.answer.calibrated is None
        assert label.answer.raw == pytest.approx({"sunny": 0.7, "rainy": 0.3})
    chat = says({}, p(0.7))
    (label,) = Llm(calibration="none").annotate(batch("a"), Bench(TASK, chat=chat, sample=SAMPLE))
    assert label.answer.calibrated is None
    assert len(chat.requests) == 1


def test_a_label_says_who_gave_it_with_which_prompt_and_what_it_cost() -> None:
    (label,) = Llm().annotate(batch("a"), Bench(TASK, chat=says({}, p(0.7)), round=2))
    assert label.by.startswith("llm:scripted@annotate/label@1#")
    assert (label.provenance, label.id, label.cost.calls) == ("machine", "2/llm/x0", 1)
    assert label.cost.human_labels == 0


def test_low_label_mass_is_an_abstention_with_its_reason() -> None:
    chat = says({"odd": p(0.99, mass=0.005)}, p(0.6))
    odd, plain = Llm().annotate(batch("odd", "usual"), Bench(TASK, chat=chat))
    assert odd.answer.label is None
    assert odd.why == "label mass 0.005 is below 0.01"
    assert odd.answer.label_mass == pytest.approx(0.005)
    assert plain.answer.label == "sunny"


def test_a_failed_read_is_an_abstention_without_numbers() -> None:
    labels = Llm().annotate(batch("bad", *"abcdefgh"), Bench(TASK, chat=says({"bad": FAILED}, p(0.6))))
    assert labels[0].answer.label is None
    assert labels[0].answer.raw is None
    assert labels[0].confidence is None
    assert labels[0].why == "no luck"
    assert all(a.answer.label for a in labels[1:])


def test_a_reply_without_probabilities_is_no_label() -> None:
    (first, *_) = Llm().annotate(
        batch("bad", *"abcdef"), Bench(TASK, chat=says({"bad": ChatReply(text="sunny")}, p(0.6)))
    )
    assert first.answer.label is None
    assert "no probabilities" in first.why


def test_many_failures_are_the_servers_and_stop_the_run() -> None:
    with pytest.raises(EngineError, match="3 of 4 label reads failed, the first with: no luck") as caught:
        Llm().annotate(batch("bad 1", "bad 2", "bad 3", "fine"), Bench(TASK, chat=says({"bad": FAILED}, p(0.6))))
    assert "resume" in caught.value.hint


def test_a_model_that_does_not_say_label_words_stops_the_run() -> None:
    with pytest.raises(EngineError, match=r"gave label words 3.0% of its probability on average, wanted 5%"):
        Llm().annotate(batch(*"abcdefghijklmnopqrst"), Bench(TASK, chat=says({}, p(0.6, mass=0.03))))


def test_a_few_texts_that_get_no_label_word_say_nothing_of_the_model() -> None:
    (only,) = Llm().annotate(batch("odd"), Bench(TASK, chat=says({}, p(0.6, mass=0.001))))
    assert (only.answer.label, only.answer.label_mass) == (None, pytest.approx(0.001))


def test_a_prior_that_is_known_spares_reading_the_sample_and_changes_nothing() -> None:
    sample = columns_of(*[f"s{i}" for i in range(30)])
    chat = says({"s1": p(0.9)}, p(0.7))
    bench = Bench(TASK, chat=chat, sample=sample)
    prior = Llm().prior(chat, bench)
    assert prior is not None
    assert prior.sum() == pytest.approx(1.0)
    asked = len(chat.requests)
    known = Llm().annotate(batch("a"), replace(bench, prior=prior))
    assert len(chat.requests) == asked + 1
    assert known == Llm().annotate(batch("a"), bench)
    assert Llm().prior(chat, Bench(TASK, chat=chat)) is None
    assert Llm(calibration="none").annotate(batch("a"), replace(bench, prior=prior))[0].answer.calibrated is None


def test_demonstrations_stand_before_the_text_in_the_words_of_the_task() -> None:
    chat = says({}, p(0.7))
    shown = (Demonstration("glow over the hills", "sunny"), Demonstration("mud again", "rainy"))
    Llm().annotate(batch("a"), Bench(TASK, chat=chat, demonstrations=shown))
    turns = [(m.role, m.content) for m in chat.requests[0].messages]
    assert [role for role, _ in turns] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [text for role, text in turns if role == "assistant"] == ["positive", "negative"]
    assert "mud again" in turns[3][1]


def labelled(*rows: tuple[str, int, bool, bool]) -> Labelled:
    """Text, class, whether a person stands behind the label, whether the LLM wrote the text."""
    texts, classes, human, generated = map(list, zip(*rows, strict=True))
    targets = np.eye(2)[classes]
    return Labelled(Columns(texts, texts), targets, np.array(human), np.array(generated), targets)


def test_texts_that_people_labelled_are_shown_classes_in_turn_and_no_others() -> None:
    people = [(f"p{i}", int(i > 4), True, False) for i in range(6)]
    l_ = labelled(*people, ("said by the machine", 0, False, False), ("written by it", 1, True, True))
    chat = says({}, p(0.7))
    made = Llm(shots=2).annotate(batch("a", "b"), Bench(TASK, chat=chat, labelled=l_))
    assert [a.by.rsplit("+", 1)[1] for a in made] == ["2", "2"]
    shown = [m.content for m in chat.requests[0].messages if m.role == "assistant"]
    assert sorted(shown) == ["negative", "positive"]
    assert any("p5" in m.content for m in chat.requests[0].messages), "the only one of its class"
    said = [[m.content for m in request.messages[1:-1]] for request in chat.requests]
    assert said[0] == said[1]
    Llm(shots=9).annotate(batch("c"), Bench(TASK, chat=chat, labelled=l_))
    assert sum(m.role == "assistant" for m in chat.requests[-1].messages) == 6
    assert not any("said by" in m.content or "written by" in m.content for m in chat.requests[-1].messages)
    Llm().annotate(batch("d"), Bench(TASK, chat=chat, labelled=l_))
    assert not any(m.role == "assistant" for m in chat.requests[-1].messages)


def test_texts_labelled_before_the_llm_began_are_shown_as_long_as_there_are_any() -> None:
    people = labelled(*((f"p{i}", i % 2, True, False) for i in range(6)))
    machine = people.machine.copy()
    machine[[1, 4]] = np.nan
    chat = says({}, p(0.7))
    Llm(shots=4).annotate(batch("a"), Bench(TASK, chat=chat, labelled=replace(people, machine=machine)))
    said = [m.content for m in chat.requests[0].messages[1:-1] if m.role == "user"]
    assert [sum(text in each for each in said) for text in ("p1", "p4")] == [1, 1]
    assert len(said) == 2


def test_a_reason_is_asked_for_in_words_and_asked_again_where_there_is_none() -> None:
    said = iter(["positive", "Reason: it praises the sun.\nLabel: positive", "no idea", "none", "nothing"])
    chat = ScriptedChat(lambda request: next(said))
    good, bad = (explain(columns_of(text), chat, Bench(TASK), "annotate/label", {})[0] for text in ("a", "b"))
    assert good.value is not None
    assert (good.value.label, good.value.reason) == ("positive", "it praises the sun.")
    assert bad.value is None
    assert "names no label" in bad.reason
    assert "Reason: <one sentence>" in chat.requests[0].messages[0].content
    with pytest.raises(PromptError, match="no slot 'rationale'"):
        explain(columns_of("a"), chat, Bench(TASK), "judge/label", {})


def test_where_a_reason_is_asked_for_only_demonstrations_that_give_one_are_shown() -> None:
    chat = ScriptedChat(lambda request: "Reason: it praises the sun.\nLabel: positive")
    shown = (Demonstration("mud again", "rainy"), Demonstration("glow over the hills", "sunny", reason="It is praise."))
    explain(columns_of("a"), chat, Bench(TASK, demonstrations=shown), "annotate/label", {})
    said = [message.content for message in chat.requests[0].messages]
    assert any("It is praise." in each for each in said)
    assert not any("mud again" in each for each in said)


def test_an_empty_batch_and_a_missing_llm() -> None:
    assert Llm().annotate(batch(), Bench(TASK, chat=says({}))) == ()
    with pytest.raises(BadInput, match="thresher engine up"):
        Llm().annotate(batch("a"), Bench(TASK))


def test_both_halves_of_a_pair_are_read() -> None:
    chat = says({}, p(0.6))
    pair = Batch(picks=(Pick(example=Example(id="x", text="first half", text_b="second half")),), by="test")
    Llm().annotate(pair, Bench(TASK, chat=chat))
    said = chat.requests[0].messages[-1].content
    assert "first half" in said
    assert "second half" in said


# combined


class Asked:
    """A person who agrees with everything and remembers the questions."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def answers(self, examples: list[Example], index: int, suggested: object) -> dict[str, Response]:
        self.ids += [e.id for e in examples]
        return {e.id: Response("sunny") for e in examples}


def routed(route: Route, chat: ScriptedChat, left: int, *lines: str) -> tuple[list[str], tuple[Annotation, ...]]:
    people = Asked()
    labels = route.annotate(batch(*lines), Bench(TASK, chat=chat, people=people, left=left))
    return people.ids, labels


SURENESS = says({"high": p(0.99), "low": p(0.55), "middle": p(0.2), "odd": p(0.9, mass=0.001)}, p(0.8))


def test_route_sends_what_the_llm_is_least_confident_of() -> None:
    ids, labels = routed(Route(most=2), SURENESS, 10, "high", "low", "middle", "even")
    assert ids == ["x1", "x2"]
    assert [a.provenance for a in labels] == ["machine"] * 4 + ["human"] * 2


def test_route_sends_abstentions_first() -> None:
    assert routed(Route(most=2), SURENESS, 10, "high", "low", "odd")[0] == ["x2", "x1"]
    assert routed(Route(most=2, below=0.1), SURENESS, 10, "high", "low", "odd")[0] == ["x2"]


def test_route_keeps_to_its_threshold_and_to_the_budget() -> None:
    assert routed(Route(most=4, below=0.7), SURENESS, 10, "high", "low", "middle")[0] == ["x1"]
    assert routed(Route(most=4), SURENESS, 1, "high", "low", "middle")[0] == ["x1"]
    assert routed(Route(most=4), SURENESS, 0, "high", "low")[0] == []
    assert routed(Route(most=0), SURENESS, 4, "high", "low")[0] == []


def test_route_waits_for_its_person() -> None:
    class Absent:
        def answers(self, examples: list[Example], index: int, suggested: object) -> dict[str, Response]:
            raise Waiting(tuple(e.id for e in examples))

    with pytest.raises(Waiting, match="1 examples wait"):
        Route(most=1).annotate(batch("low"), Bench(TASK, chat=SURENESS, people=Absent(), left=3))


def test_every_annotator_survives_json() -> None:
    from pydantic import TypeAdapter

    union: TypeAdapter[object] = TypeAdapter(AnnotatorSpec)
    for annotator in (Gold(), Simulated(noise=0.1), Human(), Llm(slots={"guidelines": "task"}), Route(person=Gold())):
        assert union.validate_json(annotator.model_dump_json()) == annotator
