"""Algorithm 1 over a journal: killed anywhere, it ends in the same record; its counts always add up."""

from collections.abc import Sequence

import pytest
from pydantic import TypeAdapter

from agent.domain import Batch
from agent.errors import CapReached
from agent.exchange import ChatFailure, ChatReply, ChatRequest
from agent.journal import MemoryJournal
from agent.loop import learn
from agent.query import Random
from agent.recipe import Recipe, Step
from agent.recipes import RECIPES
from agent.stopping import Budget
from agent.students import FrozenLinear
from tests.support.toy_runs import Fragile, Killed, Remembering, toy_lab, toy_pool, toy_run

LEARNER = FrozenLinear()
N, BUDGET, READS = 60, 8, 30
AGENT = RECIPES["agent"](BUDGET, LEARNER, READS)
STEPS = [f"{i}/{kind}" for i in range(5) for kind in ("query", "annotate", "round")]


@pytest.fixture(scope="module")
def whole() -> MemoryJournal:
    """The journal of a run that nothing disturbed."""
    journal = MemoryJournal()
    toy_run(AGENT, N, BUDGET, journal)
    return journal


def test_the_agents_journal_holds_a_query_an_annotation_and_a_round_for_each_round(whole: MemoryJournal) -> None:
    assert list(whole.values) == STEPS


@pytest.mark.parametrize("moment", ["before", "unwritten", "after"])
@pytest.mark.parametrize("key", STEPS)
def test_a_killed_run_ends_in_the_same_record(key: str, moment: str, whole: MemoryJournal) -> None:
    pool, gold = toy_pool(N)
    chat, journal = Remembering(), Fragile(key, moment)
    first = toy_lab(AGENT, pool, gold, BUDGET, chat)
    with pytest.raises(Killed):
        learn(first.spec, pool, first, journal)
    kept = dict(journal.values)
    second = toy_lab(
        AGENT, pool, gold, BUDGET, chat
    )  # another process: nothing in memory but the ledger and the journal
    outcome = learn(second.spec, pool, second, journal)
    assert journal.values == whole.values
    assert {name: journal.values[name] for name in kept} == kept
    assert {name for name, times in journal.worked.items() if times > 1} <= {key if moment == "unwritten" else ""}
    assert set(chat.sent.values()) == {1}
    assert outcome.history[-1].human_labels == BUDGET


def test_a_finished_run_read_back_computes_and_asks_nothing(whole: MemoryJournal) -> None:
    pool, gold = toy_pool(N)
    chat = Remembering()
    lab = toy_lab(AGENT, pool, gold, BUDGET, chat)
    journal = Fragile()
    journal.values = dict(whole.values)
    learn(lab.spec, pool, lab, journal)
    assert not journal.worked
    assert not chat.sent


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("budget", [1, 2, 3, 5, 8, 13, 24, 40])
def test_no_recipe_asks_people_for_more_than_the_budget(name: str, budget: int) -> None:
    outcome = toy_run(RECIPES[name](budget, LEARNER, 24), 48, budget)
    people = [a for a in outcome.pool.annotations if a.provenance == "human"]
    assert len(people) == outcome.pool.human_labels() <= budget
    assert outcome.history[-1].human_labels == len(people)
    if name in {"random", "uncertainty", "diversity"}:
        assert len(people) == budget
    if name == "machine-only":
        assert not people


@pytest.mark.parametrize("name", RECIPES)
def test_statuses_partition_pool_and_generated_texts_after_every_round(name: str) -> None:
    outcome = toy_run(RECIPES[name](BUDGET, LEARNER, READS), N, BUDGET)
    generated = 0
    for round_ in outcome.history:
        generated += round_.accepted
        assert sum(round_.sizes.values()) == N + generated
        assert all(size >= 0 for size in round_.sizes.values())
    assert outcome.pool.sizes() == outcome.history[-1].sizes
    rows = [set(outcome.pool.rows(status).tolist()) for status in outcome.pool.sizes()]
    assert sum(map(len, rows)) == len(set().union(*rows)) == len(outcome.pool)


@pytest.mark.parametrize("budget", [8, 12, 16])
@pytest.mark.parametrize("reads", [20, 60, 200])
def test_the_agent_spends_its_whole_budget_also_where_the_llm_labels_the_whole_pool(budget: int, reads: int) -> None:
    outcome = toy_run(RECIPES["agent"](budget, LEARNER, reads), N, budget)
    assert outcome.pool.human_labels() == budget
    assert len(outcome.history) == 5
    assert outcome.history[3].picked + outcome.history[3].rejected > 0


def test_a_round_in_which_everything_generated_is_rejected_does_not_end_the_run() -> None:
    journal, pool_gold = MemoryJournal(), toy_pool(N)
    pool, gold = pool_gold

    def mute(request: object) -> object:
        from tests.support.toy_runs import answer

        said = answer(request)
        return "no" if isinstance(said, str) and not said.startswith("Selected") else said

    lab = toy_lab(AGENT, pool, gold, BUDGET, Remembering(mute))
    outcome = learn(lab.spec, pool, lab, journal)
    assert outcome.history[3].picked == 0
    assert len(outcome.history) == 5
    assert outcome.pool.human_labels() == BUDGET


def test_nothing_rejected_is_trained_on(whole: MemoryJournal) -> None:
    outcome = toy_run(AGENT, N, BUDGET)
    batch = TypeAdapter(Batch).validate_json(whole.values["3/query"])
    accepted = {example.id for example in batch.generated}
    rejected = {v.candidate for v in batch.verdicts if not v.accepted}
    assert accepted
    assert rejected
    assert accepted.isdisjoint(rejected)
    labelled = outcome.pool.labelled()
    written = {id_ for id_, made in zip(labelled.columns.ids, labelled.generated, strict=True) if made}
    assert written <= accepted
    assert rejected.isdisjoint(outcome.pool.columns.ids)


def test_costs_are_those_of_distinct_questions_and_add_up(whole: MemoryJournal) -> None:
    pool, gold = toy_pool(N)
    chat = Remembering()
    lab = toy_lab(AGENT, pool, gold, BUDGET, chat)
    outcome = learn(lab.spec, pool, lab, MemoryJournal())
    assert sum(r.cost.calls for r in outcome.history) == len(chat.sent)
    assert sum(r.cost.human_labels for r in outcome.history) == BUDGET
    assert sum(r.cost.human_seconds for r in outcome.history) == pytest.approx(8.0 * BUDGET)


def test_equal_seeds_give_equal_runs_and_others_differ(whole: MemoryJournal) -> None:
    again, other = MemoryJournal(), MemoryJournal()
    toy_run(AGENT, N, BUDGET, again)
    toy_run(AGENT, N, BUDGET, other, seed=1)
    assert again.values == whole.values
    assert other.values["0/query"] != whole.values["0/query"]


def test_the_pool_ends_a_run_whose_rule_would_not() -> None:
    from agent.query import Random
    from agent.recipe import Recipe, Step
    from agent.stopping import Rounds

    recipe = Recipe(name="all", steps=(Step(query=Random(), size=7),), stop=Rounds(most=99), learner=LEARNER)
    outcome = toy_run(recipe, 20, 20)
    assert outcome.stop.rule == "pool"
    assert outcome.history[-1].sizes["labelled"] == 20
    assert [r.picked for r in outcome.history] == [7, 7, 6]


def test_the_budget_ends_a_run_whose_rule_would_not() -> None:
    """The batch that would go beyond it is cut, and nobody is asked for nothing for ever."""
    from agent.query import Random
    from agent.recipe import Recipe, Step
    from agent.stopping import Plateau

    recipe = Recipe(name="on", steps=(Step(query=Random(), size=7),), stop=Plateau(rounds=50), learner=LEARNER)
    outcome = toy_run(recipe, 40, 10)
    assert outcome.stop.rule == "budget"
    assert [len(batch.picks) for batch in outcome.batches] == [7, 3]
    assert outcome.pool.human_labels() == 10


class Capped(Remembering):
    """Answers so many questions, and then none."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    def complete(self, requests: Sequence[ChatRequest]) -> list[ChatReply | ChatFailure]:
        return [self._counted(request) for request in requests]

    def _counted(self, request: ChatRequest) -> ChatReply | ChatFailure:
        if request.model_dump_json() not in self.known:
            if not self.left:
                return ChatFailure(kind="capped", message="the cap of the test is reached")
            self.left -= 1
        return super().complete([request])[0]


def test_at_a_cap_a_run_ends_with_what_it_has() -> None:
    """Whichever question it was that was not sent; and a second pass over the journal ends alike."""
    pool, gold = toy_pool(N)
    ends: set[int] = set()
    for most in (6, 30, 60, 90, 2000):
        journal = MemoryJournal()
        lab = toy_lab(AGENT, pool, gold, BUDGET, Capped(most))
        outcome = learn(lab.spec, pool, lab, journal)
        again = toy_lab(AGENT, pool, gold, BUDGET, Capped(0))
        assert learn(again.spec, pool, again, journal).history == outcome.history
        ends.add(len(outcome.history))
        if outcome.stop.rule == "cap":
            assert outcome.history[-1].capped == outcome.stop.reason == "the cap of the test is reached"
            assert outcome.history[-1].human_labels == outcome.history[-2].human_labels
            assert len(outcome.pool.labelled())
    assert ends == {2, 4, 5}, "in the second round, in the fourth, and not at all"


def test_a_cap_before_anything_is_labelled_is_an_error() -> None:
    pool, gold = toy_pool(N)
    lab = toy_lab(AGENT, pool, gold, BUDGET, Capped(0))
    with pytest.raises(CapReached, match="cap of the test"):
        learn(lab.spec, pool, lab, MemoryJournal())


def test_people_give_no_more_minutes_than_they_may() -> None:
    """Simulated people take eight seconds a label."""
    pool, gold = toy_pool(N)
    recipe = Recipe(name="slow", steps=(Step(query=Random(), size=2),), stop=Budget(labels=40), learner=LEARNER)
    lab = toy_lab(recipe, pool, gold, 40)
    lab.spec = lab.spec.model_copy(update={"minutes": 1.0})
    outcome = learn(lab.spec, pool, lab, MemoryJournal())
    assert outcome.stop.rule == "cap"
    assert outcome.history[-1].human_labels == 8, "64 seconds"
