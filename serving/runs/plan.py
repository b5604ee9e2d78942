"""The forecast of a run before it begins: requests, tokens, time, people's labels and minutes, each with a range.

Requests, tokens and labels come from rehearsing the recipe's own steps (`serving.runs.rehearse`); only speeds and the
pace of people are numbers from elsewhere, and each is named among the assumptions.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from pydantic import Field

from agent.domain import Round
from agent.generate.filters import words
from agent.students import LearnerSpec
from prompts.messages import Frozen
from serving.runs.job import Cell, Job, People
from serving.runs.rates import Rates
from serving.runs.rehearse import Manner, PretendedLlm, part, rehearsed, zero_shot
from serving.runs.tables import Table
from serving.shapes_runs import Caps

SEEDS = 3
"""That are rehearsed; further ones are taken to add as much as the last of these."""
WORDS_A_MINUTE = 238
"""Silent reading of English prose (Brysbaert, 2019, mean of 190 studies)."""
DECIDING = (2.0, 4.0, 12.0)
"""Seconds from having read a text to having pressed a key: quick, usual, slow. An assumption."""


class Range(Frozen):
    """What is expected, and between what it should lie."""

    low: float
    expected: float
    high: float


class PlannedRound(Frozen):
    """One round of the run that the user takes home."""

    round: int
    query: str = Field(description="The strategy that chooses.")
    size: int = Field(description="How many it may choose.")
    annotate: str = Field(description="Who labels.")
    llm_requests: int = Field(description="Expected; those that an earlier round of this run asked are not counted.")
    human_labels: int = Field(description="Expected.")


class Forecast(Frozen):
    """What a run will take."""

    cells: int = Field(description="Runs of the loop: arms x students x seeds.")
    llm_requests: Range = Field(description="Distinct questions; retries after a failure are not among them.")
    prompt_tokens: Range
    generated_tokens: Range
    llm_seconds: Range = Field(description="Time of this engine. Training of students comes on top.")
    human_labels: Range = Field(description="That real people give; 0 where people are simulated.")
    human_minutes: Range
    rounds: tuple[PlannedRound, ...]
    assumptions: tuple[str, ...]
    exceeds: tuple[str, ...] = Field(default=(), description="Caps that the run may reach; it would stop there.")


@dataclass(frozen=True)
class _Tally:
    """What some requests come to."""

    requests: float = 0.0
    letters: float = 0.0
    reads: float = 0.0
    most: float = 0.0
    """Tokens that answers in words may have together."""

    def __add__(self, other: "_Tally") -> "_Tally":
        return _Tally(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def times(self, factors: "_Tally") -> "_Tally":
        return _Tally(*(a * b for a, b in zip(astuple(self), astuple(factors), strict=True)))

    def over(self, other: "_Tally") -> "_Tally":
        return _Tally(*(a / b if b else 1.0 for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class _Rehearsal:
    """What was asked, by manner of the LLM, and the main cell's rounds and labels."""

    low: _Tally
    expected: _Tally
    high: _Tally
    rounds: tuple[Round, ...]
    labels: tuple[int, ...]


def forecast(job: Job, table: Table, test: Table | None, rates: Rates) -> Forecast:
    """What `job` over `table` will take. Neither an LLM nor an encoder is needed."""
    found = _rehearse(job, part(job, table), test)
    tallies = (found.low, found.expected, found.high)
    prompt = [each.letters / rates.letters for each in tallies]
    shares = (rates.used / 2, rates.used, 1.0)
    written = [each.reads + each.most * share for each, share in zip(tallies, shares, strict=True)]
    slower = (1 / rates.spread, 1.0, rates.spread)
    seconds = [
        (p * rates.prompt + w * rates.written) * factor for p, w, factor in zip(prompt, written, slower, strict=True)
    ]
    labels = [0, 0, 0] if job.people.kind == "simulated" else [min(found.labels), found.labels[0], max(found.labels)]
    pace = _seconds_a_label(table)
    plan = Forecast(
        cells=len(job.cells()),
        llm_requests=_range([each.requests for each in tallies]),
        prompt_tokens=_range(prompt),
        generated_tokens=_range(written),
        llm_seconds=_range(seconds),
        human_labels=_range(labels),
        human_minutes=_range([n * each / 60 for n, each in zip(labels, pace, strict=True)]),
        rounds=tuple(_planned(job, each) for each in found.rounds),
        assumptions=(*_assumptions(job, table, pace), *(rates.source if found.high.requests else ())),
    )
    return plan.model_copy(update={"exceeds": _exceeded(plan, job.caps)})


def _rehearse(job: Job, table: Table, test: Table | None) -> _Rehearsal:
    """All cells of a few seeds with a willing LLM; those of the first seed with a slow and a barren one as well."""
    willing, seen = PretendedLlm("willing", job.task), _Tally()
    zero = _zero_shot(job, table, test)
    added: list[_Tally] = []
    rounds = tuple[Round, ...]()
    for seed in job.seeds[:SEEDS]:
        histories = {cell: rehearsed(job, table, cell, willing) for cell in _cells(job, seed)}
        rounds = rounds or histories[job.main]
        now = _tally(willing)
        added.append(now + seen.times(_Tally(-1, -1, -1, -1)))
        seen = now
    rest = float(max(0, len(job.seeds) - SEEDS))
    expected = seen + added[-1].times(_Tally(rest, rest, rest, rest))
    barren, slow = (_first_seed(job, table, manner) for manner in ("barren", "slow"))
    return _Rehearsal(
        low=expected.times(barren[0].over(added[0])) + zero,
        expected=expected + zero,
        high=expected.times(slow[0].over(added[0])) + zero,
        rounds=rounds,
        labels=(rounds[-1].human_labels, barren[1], slow[1]),
    )


def _first_seed(job: Job, table: Table, manner: Manner) -> tuple[_Tally, int]:
    """What that LLM is asked over the first seed, and how many labels people give in the main cell."""
    llm = PretendedLlm(manner, job.task)
    histories = {cell: rehearsed(job, table, cell, llm) for cell in _cells(job, job.seeds[0])}
    return _tally(llm), histories[job.main][-1].human_labels


def _cells(job: Job, seed: int) -> list[Cell]:
    """Those that ask something: people in the main one, the LLM wherever a recipe does."""
    asking = {each.arm.name for each in job.arms if each.recipe.asks_llm}
    return [cell for cell in job.cells() if cell.seed == seed and (cell.arm in asking or cell == job.main)]


def _zero_shot(job: Job, table: Table, test: Table | None) -> _Tally:
    llm = PretendedLlm("willing", job.task)
    if test is not None and job.test_reads and any(each.recipe.asks_llm for each in job.arms):
        zero_shot(job, table, test, llm)
    return _tally(llm)


def _tally(llm: PretendedLlm) -> _Tally:
    asked = llm.asked.values()
    return _Tally(
        requests=len(asked),
        letters=sum(each.letters for each in asked),
        reads=sum(each.read for each in asked),
        most=sum(each.most for each in asked if not each.read),
    )


def _range(values: Sequence[float]) -> Range:
    low, expected, high = (round(float(value), 1) for value in values)
    return Range(low=min(low, expected), expected=expected, high=max(expected, high))


def _planned(job: Job, round_: Round) -> PlannedRound:
    recipe = job.spec(job.main).recipe
    step = recipe.step(round_.index)
    return PlannedRound(
        round=round_.index,
        query=step.query.name,
        size=step.size,
        annotate=step.annotate.kind,
        llm_requests=round_.cost.calls,
        human_labels=round_.cost.human_labels,
    )


def _seconds_a_label(table: Table) -> tuple[float, float, float]:
    texts = table.columns.texts[:2000]
    b = table.columns.texts_b
    both = [*texts, *(b[:2000] if b is not None else ())]
    reading = 60 * sum(words(text) for text in both) / max(1, len(texts)) / WORDS_A_MINUTE
    quick, usual, slow = DECIDING
    return reading / 2 + quick, reading + usual, reading + slow


def _assumptions(job: Job, table: Table, pace: Sequence[float]) -> tuple[str, ...]:
    said = [
        "requests, tokens and labels come from rehearsing the recipe with an LLM that does as asked (expected), one "
        "that writes only texts that the filters reject (low), and one that has to be asked again wherever possible "
        "(high)",
        "questions that the ledger knows already cost nothing, and none are taken off here",
    ]
    rehearsed_with = len(part(job, table).columns)
    if rehearsed_with < len(table.columns):
        said.append(f"rehearsed with {rehearsed_with:,} random texts of {len(table.columns):,}")
    if any(each.kind == "in-context" for each in _students(job)):
        said.append("an in-context student asks the LLM for every text that it looks at: those questions are not in it")
    if len(job.seeds) > SEEDS:
        said.append(f"{SEEDS} of {len(job.seeds)} seeds are rehearsed; each other one adds as much as the last of them")
    if job.people.kind == "simulated":
        return (*said, "people are simulated: nobody is asked")
    return (
        *said,
        f"a label takes {pace[1]:.1f} s ({pace[0]:.1f} to {pace[2]:.1f}): reading at {WORDS_A_MINUTE} words a minute "
        f"(Brysbaert, 2019) and {DECIDING[1]:.0f} s to decide",
        *_asked(job.people),
    )


def _students(job: Job) -> list[LearnerSpec]:
    scouts = (each.recipe.scout for each in job.arms)
    return [*job.learners, *(each for each in scouts if each is not None)]


def _asked(people: People) -> tuple[str, ...]:
    how = "one person answers each item"
    if people.overlap > 1:
        how = f"{people.overlap} people answer each item, and each answer is a label of the budget"
    experts = "the time in which experts look over the LLM's picks is not in it, and they strike none out"
    return (how, experts) if people.experts else (how,)


def _exceeded(plan: Forecast, caps: Caps) -> tuple[str, ...]:
    tokens = plan.prompt_tokens.high + plan.generated_tokens.high
    against = (
        ("requests", plan.llm_requests.high, caps.requests),
        ("tokens", tokens, caps.tokens),
        ("seconds of the engine", plan.llm_seconds.high, caps.seconds),
        ("human labels", plan.human_labels.high, caps.human_labels),
        ("human minutes", plan.human_minutes.high, caps.human_minutes),
    )
    return tuple(
        f"{what}: up to {high:,.0f}, capped at {cap:,.0f}"
        for what, high, cap in against
        if cap is not None and high > cap
    )
