"""The forecast: held against what a toy run really asked, derived from the recipe, honest about its assumptions."""

import json
from pathlib import Path

import pytest

from agent.annotate import Llm
from agent.exchange import ChatReply, ChatRequest, Cost
from agent.query import Bald, First, LlmChoose, Random
from agent.recipe import Recipe, Step
from agent.stopping import Rounds
from agent.students import FrozenLinear, InContext, TfidfSvm
from prompts.messages import Message
from serving.database import open_database
from serving.llm.ledger import Claim, Ledger
from serving.runs.job import Job
from serving.runs.plan import Forecast, forecast
from serving.runs.rates import FEWEST, assumed, measured
from serving.runs.rehearse import PretendedLlm, rehearsed
from serving.shapes_runs import Caps
from serving.system.owner import new_owner
from tests.support.toy_jobs import toy_job, toy_table, toy_worker
from tests.support.toy_runs import Remembering

FACTOR = 1.5
"""Within which the expected number of requests has to be of what a run really asks."""
ASSUMED = assumed(gpu=False)


def planned(job: Job, pool: int = 48, test: int = 30) -> Forecast:
    return forecast(job, toy_table(pool), toy_table(test, seed=9) if job.test else None, ASSUMED)


@pytest.mark.parametrize(
    "job",
    [
        toy_job("agent"),
        toy_job("machine-only"),
        toy_job("agent", "random-and-machine", "machine-only", "random", seeds=(0, 1), test_reads=20),
    ],
    ids=["agent", "machine-only", "comparison"],
)
def test_a_run_asks_what_was_forecast(job: Job, tmp_path: Path) -> None:
    plan, chat = planned(job), Remembering()
    records = toy_worker(job, tmp_path, chat).run()
    asked = len(chat.sent)
    assert asked / FACTOR <= plan.llm_requests.expected <= asked * FACTOR
    assert plan.llm_requests.low / FACTOR <= asked <= plan.llm_requests.high * FACTOR
    letters = sum(len(m["content"]) for key in chat.sent for m in json.loads(key)["messages"])
    assert letters / 4 / FACTOR <= plan.prompt_tokens.expected <= letters / 4 * FACTOR
    main = plan.rounds[-1]
    assert main.round == len(plan.rounds) - 1
    assert sum(r.human_labels for r in plan.rounds) == records[0].curve[-1].human_labels


def test_people_are_counted_where_they_are_asked() -> None:
    asked = planned(toy_job("agent", people="file"))
    assert asked.human_labels.expected == asked.human_labels.high == 8
    assert 0 < asked.human_minutes.low < asked.human_minutes.expected < asked.human_minutes.high
    simulated = planned(toy_job("agent"))
    assert simulated.human_labels.high == simulated.human_minutes.high == 0
    assert any("nobody is asked" in line for line in simulated.assumptions)


def test_several_answers_to_a_text_are_labels_of_the_budget_each() -> None:
    job = toy_job("random", people="queue", budget=9)
    twice = planned(job.model_copy(update={"people": job.people.model_copy(update={"overlap": 2})}))
    assert twice.human_labels.expected == 8, "the ninth label pays for nothing"
    assert "2 people answer each item, and each answer is a label of the budget" in twice.assumptions
    assert "one person answers each item" in planned(job).assumptions


def test_what_an_in_context_student_asks_is_not_foreseen_and_said_to_be_missing() -> None:
    job = toy_job("random", learners=(InContext(),))
    assert any("those questions are not in it" in line for line in planned(job).assumptions)
    assert not any("in-context" in line for line in planned(toy_job("random")).assumptions)


def test_a_classic_recipe_asks_no_llm() -> None:
    plan = planned(toy_job("random", people="file"))
    assert plan.llm_requests.high == plan.llm_seconds.high == 0
    assert plan.human_labels.expected == 8
    assert not any("recorded calls" in line for line in plan.assumptions)


def test_the_forecast_follows_the_recipe_and_not_a_table() -> None:
    lists = Step(query=LlmChoose(list_size=5, per_list=1), size=6)
    reads = Step(query=First(), size=11, annotate=Llm(calibration="none"))
    recipe = Recipe(name="own", steps=(lists, reads), stop=Rounds(most=2), learner=TfidfSvm())
    job = toy_job("random", people="file")
    own = job.model_copy(update={"arms": (job.arms[0].model_copy(update={"recipe": recipe}),)})
    plan = planned(own)
    assert [r.llm_requests for r in plan.rounds] == [6, 11]
    assert (plan.llm_requests.low, plan.llm_requests.expected, plan.llm_requests.high) == (17, 17, 23)
    assert plan.generated_tokens.high == 11 + 12 * 256


def test_more_seeds_add_what_the_last_rehearsed_one_added() -> None:
    three, five = (planned(toy_job("machine-only", seeds=tuple(range(n)))) for n in (3, 5))
    two = planned(toy_job("machine-only", seeds=(0, 1)))
    added = three.llm_requests.expected - two.llm_requests.expected
    assert five.llm_requests.expected == three.llm_requests.expected + 2 * added
    assert any("3 of 5 seeds" in line for line in five.assumptions)


def test_a_large_pool_is_rehearsed_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.runs.rehearse.POOL", 60)
    job = toy_job("agent")
    plan = planned(job, pool=400)
    assert any("random texts of 400" in line for line in plan.assumptions)
    monkeypatch.setattr("serving.runs.rehearse.POOL", 5000)
    whole = planned(job, pool=400)
    assert whole.llm_requests.expected / FACTOR <= plan.llm_requests.expected <= whole.llm_requests.expected * FACTOR


def test_caps_that_the_run_may_reach_are_named() -> None:
    caps = Caps(requests=5, human_labels=8, tokens=10**9)
    job = toy_job("agent", people="file").model_copy(update={"caps": caps})
    plan = forecast(job, toy_table(48), None, ASSUMED)
    assert [line.split(":")[0] for line in plan.exceeds] == ["requests"]
    assert "capped at 5" in plan.exceeds[0]


@pytest.mark.parametrize("prompt", ["select/choose", "select/rank", "select/score"])
def test_the_pretended_llm_speaks_to_every_kind_of_parser(prompt: str) -> None:
    recipe = Recipe(
        name="lists",
        steps=(Step(query=LlmChoose(prompt=prompt, fallback=Random()), size=6),),
        stop=Rounds(most=1),
        learner=TfidfSvm(),
    )
    job = toy_job("random", people="file")
    job = job.model_copy(update={"arms": (job.arms[0].model_copy(update={"recipe": recipe}),)})
    (round_,) = rehearsed(job, toy_table(48), job.main, PretendedLlm("willing", job.task))
    assert (round_.picked, round_.filled) == (6, 0)


def test_a_strategy_that_asks_a_committee_can_be_rehearsed() -> None:
    steps = (Step(query=Random(), size=4), Step(query=Bald(members=3), size=4))
    recipe = Recipe(name="committee", steps=steps, stop=Rounds(most=2), learner=FrozenLinear())
    job = toy_job("random", people="file")
    job = job.model_copy(update={"arms": (job.arms[0].model_copy(update={"recipe": recipe}),)})
    assert [each.picked for each in rehearsed(job, toy_table(48), job.main, PretendedLlm("willing", job.task))] == [
        4,
        4,
    ]


def test_a_rehearsal_is_the_same_each_time() -> None:
    job = toy_job("agent")
    assert planned(job) == planned(job)


def record(ledger: Ledger, n: int, *, read: bool, seconds: float, tokens_out: int) -> None:
    for i in range(n):
        message = Message(role="user", content=f"{read} {i} " + "x" * 291)
        words = {"read": ("a", "b"), "max_tokens": 1} if read else {"max_tokens": 100}
        request = ChatRequest.model_validate({"messages": (message,), **words})
        owner, key = new_owner(), f"{read}-{i}"
        assert ledger.claim(key, owner, request, "toy@1") is Claim.OURS
        cost = Cost(calls=1, tokens_in=100, tokens_out=tokens_out, seconds=seconds)
        ledger.record(key, ChatReply(text="a", cost=cost))


def test_speeds_come_from_recorded_calls(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "thresher.db")
    ledger = Ledger(engine)
    assert measured(engine, gpu=False) == ASSUMED
    record(ledger, FEWEST, read=True, seconds=0.5, tokens_out=1)
    reads = measured(engine, gpu=False)
    assert reads.prompt == pytest.approx(0.005)
    assert reads.letters == pytest.approx(3.0, abs=0.05)
    assert any("too few recorded answers" in line for line in reads.source)
    record(ledger, FEWEST, read=False, seconds=2.5, tokens_out=20)
    both = measured(engine, "toy@1", gpu=False)
    assert both.written == pytest.approx(0.1)
    assert both.used == pytest.approx(0.2)
    assert both.source[0] == f"measured on {FEWEST} recorded label reads of toy@1: 200 prompt tokens a second"
    assert measured(engine, "another", gpu=False) == ASSUMED
