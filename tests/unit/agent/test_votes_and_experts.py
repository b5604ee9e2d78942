"""Several people for one text, confirmations, discarded texts, corrections, and experts who strike out picks."""

from collections.abc import Mapping, Sequence

import pytest

from agent.annotate import Human, Llm, Route
from agent.annotate.votes import settled
from agent.domain import Annotation, Batch, Example, Pick
from agent.errors import Waiting
from agent.journal import MemoryJournal
from agent.lab import Lab
from agent.loop import learn
from agent.protocols import Bench, Response
from agent.query import First
from agent.recipe import Recipe, RunSpec, Step
from agent.stopping import Rounds
from agent.students import FrozenLinear
from tests.support.questions import TASK
from tests.support.toy_runs import ENCODER, Remembering, toy_pool

SUNNY, RAINY, UNSURE = Response("sunny"), Response("rainy"), Response(None)
BAD = Response(None, discard=True, why="bad text")
AGREED = Response("sunny", confirmed=True)


class Told:
    """People who say what a test tells them, and remember what they were asked and shown."""

    def __init__(self, says: Mapping[str, Response], otherwise: Response = SUNNY) -> None:
        self.says, self.otherwise = dict(says), otherwise
        self.asked: list[tuple[str, ...]] = []
        self.shown: dict[str, Annotation] = {}
        self.corrections: dict[int, dict[str, Response]] = {}

    def answers(
        self, examples: Sequence[Example], index: int, suggested: Mapping[str, Annotation]
    ) -> dict[str, Response]:
        self.asked.append(tuple(e.id for e in examples))
        self.shown |= suggested
        given = {e.id: self.says.get(e.id, self.otherwise) for e in examples}
        return given | self.corrections.get(index, {})


def batch(n: int) -> Batch:
    return Batch(picks=tuple(Pick(example=Example(id=f"x{i}", text=f"text {i}")) for i in range(n)), by="test")


# votes


@pytest.mark.parametrize(
    ("given", "label", "discard", "why"),
    [
        ([SUNNY, SUNNY, RAINY], "sunny", False, "2 of 3 people"),
        ([SUNNY, RAINY], None, False, "no majority"),
        ([SUNNY, RAINY, UNSURE], None, False, "no majority"),
        ([SUNNY, UNSURE, UNSURE], "sunny", False, "1 of 3 people"),
        ([UNSURE, UNSURE], None, False, "no majority"),
        ([BAD, BAD, SUNNY], None, True, "2 of 3 people"),
        ([BAD, SUNNY], None, False, "no majority"),
    ],
)
def test_most_votes_win_and_a_tie_is_undecided(
    given: list[Response], label: str | None, discard: bool, why: str
) -> None:
    found = settled(given)
    assert (found.label, found.discard, found.why) == (label, discard, why)
    assert (found.labels, found.given) == (len(given), tuple(given))


def test_a_single_answer_stands_as_it_is_and_none_is_a_mistake() -> None:
    assert settled([BAD]) is BAD
    with pytest.raises(ValueError, match="nobody answered"):
        settled([])


def test_the_machine_is_confirmed_only_by_people_who_all_saw_what_it_said() -> None:
    assert settled([AGREED, AGREED, RAINY]).confirmed
    assert not settled([AGREED, SUNNY, RAINY]).confirmed, "one came to it alone: that is better evidence"
    assert not settled([AGREED, RAINY]).confirmed


def test_who_has_voted_before_votes_again_and_is_not_told_or_paid_twice() -> None:
    old, new = Response("sunny", 9.0, labels=0), Response("rainy", 2.0, "bob", labels=0)
    found = settled([old, new, Response("rainy", 9.0, labels=0)], [False, True, False])
    assert (found.label, found.labels, found.seconds, found.given) == ("rainy", 0, 2.0, (new,))


# annotations


def test_each_answer_is_an_annotation_and_what_they_come_to_the_last() -> None:
    three = settled([Response("sunny", 2.0, "ann"), Response("rainy", 3.0, "bob"), Response("sunny", 4.0, "eve")])
    bench = Bench(TASK, left=3, overlap=3, people=Told({"x0": three}))
    labels = Human().annotate(batch(1), bench)
    assert [(a.id, a.by, a.answer.label, a.cost.human_labels, a.cost.human_seconds) for a in labels] == [
        ("0/human/x0/1", "human:ann", "sunny", 1, 2.0),
        ("0/human/x0/2", "human:bob", "rainy", 1, 3.0),
        ("0/human/x0/3", "human:eve", "sunny", 1, 4.0),
        ("0/human/x0", "human:majority of 3", "sunny", 0, 0.0),
    ]


@pytest.mark.parametrize(("left", "asked"), [(7, 2), (6, 2), (5, 1), (2, 0)])
def test_nobody_is_asked_for_what_the_budget_does_not_pay_in_full(left: int, asked: int) -> None:
    people = Told({}, settled([SUNNY, SUNNY, SUNNY]))
    labels = Human().annotate(batch(4), Bench(TASK, left=left, overlap=3, people=people))
    assert [len(ids) for ids in people.asked] == [asked]
    assert sum(a.cost.human_labels for a in labels) == 3 * asked


def test_provenance_tells_a_confirmation_from_a_label_of_ones_own() -> None:
    people = Told({"x0": AGREED, "x1": RAINY})
    labels = Human().annotate(batch(2), Bench(TASK, left=9, people=people))
    assert [a.provenance for a in labels] == ["confirmed", "human"]


def test_route_shows_people_what_the_machine_just_said() -> None:
    pool, _ = toy_pool(12)
    examples = tuple(Pick(example=pool.columns.example(i)) for i in range(12))
    people = Told({})
    bench = Bench(TASK, left=3, chat=Remembering(), people=people)
    labels = Route(machine=Llm(calibration="none"), most=3).annotate(Batch(picks=examples, by="test"), bench)
    said = {a.example: a for a in labels if a.provenance == "machine" and a.answer.label}
    assert len(people.asked[0]) == 3
    assert people.shown
    assert people.shown == {id_: said[id_] for id_ in people.asked[0] if id_ in said}


# a whole run


def toy(recipe: Recipe, people: Told, budget: int, overlap: int = 1, experts: object = None) -> Lab:
    spec = RunSpec(recipe=recipe, task=TASK, data="toy", budget=budget)
    bench = Bench(TASK, chat=Remembering(), embed=ENCODER, people=people, overlap=overlap)
    return Lab(spec, bench, experts=experts)  # type: ignore[arg-type]  # the test's own


def recipe(*sizes: int, most: int = 9) -> Recipe:
    steps = tuple(Step(query=First(), size=size) for size in sizes)
    return Recipe(name="r", steps=steps, stop=Rounds(most=most), learner=FrozenLinear())


def alternating(n: int) -> dict[str, Response]:
    pool, _ = toy_pool(30)
    return {id_: (SUNNY, RAINY)[i % 2] for i, id_ in enumerate(pool.columns.ids[:n])}


def test_a_discarded_text_costs_a_label_leaves_the_pool_and_is_never_trained_on() -> None:
    pool, _ = toy_pool(30)
    says = alternating(30) | {pool.columns.ids[2]: BAD}
    lab = toy(recipe(4, 4, most=2), Told(says), 30)
    outcome = learn(lab.spec, pool, lab, MemoryJournal())
    assert outcome.pool.sizes()["discarded"] == 1
    assert outcome.history[-1].human_labels == len(outcome.pool.annotations)
    assert pool.columns.ids[2] not in outcome.pool.labelled().columns.ids
    assert pool.columns.ids[2] not in [outcome.pool.columns.ids[r] for r in outcome.pool.askable(again=True)]


def test_a_correction_enters_with_the_next_round_and_costs_nothing() -> None:
    pool, _ = toy_pool(30)
    people = Told(alternating(30))
    first = pool.columns.ids[0]
    people.corrections[1] = {first: Response("rainy", 3.0, "ann", labels=0)}
    lab = toy(recipe(4, most=2), people, 30)
    outcome = learn(lab.spec, pool, lab, MemoryJournal())
    said = [a for a in outcome.pool.annotations if a.example == first]
    assert [(a.id, a.answer.label, a.cost.human_labels) for a in said] == [
        (f"0/human/{first}", "sunny", 1),
        (f"1/correction/{first}", "rainy", 0),
    ]
    assert said[1].supersedes == said[0].id
    assert outcome.pool.standing()[first].answer.label == "rainy"
    assert outcome.history[-1].human_labels == sum(len(ids) for ids in people.asked)


def test_a_run_ends_where_the_rest_of_the_budget_pays_for_no_text_in_full() -> None:
    pool, _ = toy_pool(30)
    answer = {id_: settled([one, one, one]) for id_, one in alternating(30).items()}
    people = Told(answer)
    lab = toy(recipe(2), people, 14, overlap=3)
    outcome = learn(lab.spec, pool, lab, MemoryJournal())
    assert (outcome.stop.rule, outcome.history[-1].human_labels) == ("budget", 12)
    assert "the 2 labels of people that are left do not pay for 3 answers to a text" in outcome.stop.reason


# experts


class Striking:
    """An expert who wants to be waited for once a round, and then strikes out what a test says."""

    def __init__(self, why: Mapping[str, str]) -> None:
        self.why, self.looked = why, list[tuple[int, tuple[str, ...]]]()

    def struck(self, picks: Sequence[Pick], index: int) -> dict[str, str]:
        self.looked.append((index, tuple(p.example.id for p in picks)))
        if sum(i == index for i, _ in self.looked) == 1:
            raise Waiting(tuple(p.example.id for p in picks), "look")
        return {p.example.id: self.why[p.example.id] for p in picks if p.example.id in self.why}


class ByLlm(First):
    """`First`, as if an LLM had been shown a list."""

    def query(self, ask: object) -> Batch:
        found = super().query(ask)  # type: ignore[arg-type]  # a `Query`
        return found.model_copy(
            update={"picks": tuple(p.model_copy(update={"shown": i}) for i, p in enumerate(found.picks))}
        )


def test_struck_picks_are_waited_for_recorded_left_in_the_pool_and_not_paid() -> None:
    pool, _ = toy_pool(30)
    ids = pool.columns.ids
    people, experts = Told(alternating(30)), Striking({ids[1]: "two films in one"})
    lab = toy(recipe(4, most=1), people, 30, experts=experts)
    journal = MemoryJournal()
    chosen = ByLlm().query(lab._ask(lab.spec.recipe.step(0), pool, None, 0))
    with pytest.raises(Waiting):
        lab.vet(journal, chosen, 0)
    assert journal.values == {}
    kept = lab.vet(journal, chosen, 0)
    assert [p.example.id for p in kept.picks] == [ids[0], ids[2], ids[3]]
    assert [(p.example.id, p.why) for p in kept.struck] == [(ids[1], "two films in one")]
    assert lab.vet(journal, chosen, 0) == kept, "recorded: nobody is asked again"
    assert len(experts.looked) == 2
    assert list(journal.values) == ["0/picks"]
    labels = lab.annotate(lab.spec.recipe.step(0), kept, pool, 0)
    assert labels.cost.human_labels == 3
    after = pool.label(labels.annotations)
    assert ids[1] in [after.columns.ids[r] for r in after.askable(again=False)]


def test_experts_are_asked_about_the_llms_picks_only() -> None:
    pool, _ = toy_pool(30)
    experts = Striking({})
    lab = toy(recipe(4, most=1), Told(alternating(30)), 30, experts=experts)
    journal = MemoryJournal()
    learn(lab.spec, pool, lab, journal)
    assert experts.looked == []
    assert not [key for key in journal.values if key.endswith("/picks")]
