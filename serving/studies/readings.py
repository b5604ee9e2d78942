"""A cell of an ablation in which the LLM labels texts whose gold label is known: nothing is trained."""

import numpy as np

from agent.annotate import Llm
from agent.annotate.demonstrations import chosen
from agent.exchange import ChatFailure, ChatReply
from agent.lab import Metered
from agent.pool import Pool
from agent.protocols import Bench, ChatModel, Columns, Demonstration, Floats, Journal, Weighted
from agent.seeds import generator
from agent.stopwatch import Stopwatch
from agent.students import InContext
from evaluation.ablation_watch import Labelled
from evaluation.records import Cell, Point
from serving.runs.job import Job
from serving.runs.tables import Table
from serving.runs.worker import gold_of, scored, shuffled
from serving.studies.data import DataSet

WATCHED = "watched"
"""The step of a cell under which stands what was looked at beside the score."""


def reading(job: Job, data: DataSet, chat: ChatModel, journal: Journal, watch: Stopwatch) -> Cell:
    """The LLM's labels of the shuffle's own texts, scored over those.

    The shuffle's order of the pool says which texts people label, for demonstrations, and which ones the prior is read
    from. The test part is cut into as many parts as it holds; shuffle i reads the i-th, so that shuffles share no text.
    """
    learner, step, seed = job.learners[0], job.arms[0].recipe.steps[0], job.seeds[0]
    assert isinstance(learner, InContext)
    pool, rows = shuffled(job, data.pool, seed), range(seed * step.size, (seed + 1) * step.size)
    shown = demonstrations(job, pool, data.pool, learner.shown)
    sample = pool.columns.take(range(job.budget, min(job.budget + job.sample, len(pool))))
    meter = Metered(chat, watch)
    bench = Bench(job.task, seed=seed, chat=meter, sample=sample, demonstrations=shown)
    said = learner.reads.read(data.test.columns.take(rows), meter, bench, strict=False)
    names = data.card.task().names  # records keep the order of the card, whatever the prompt's
    p = given(said.raw if said.calibrated is None else said.calibrated, said.replies, learner.reads)
    p = p[:, [job.task.names.index(name) for name in names]]
    full = np.full((len(data.test.columns), p.shape[1]), np.nan)
    full[rows.start : rows.stop] = p
    asked = np.isin(np.arange(len(full)), rows)
    cost, _ = meter.take()
    point = scored(data.test, names, full, Point(human_labels=job.budget if shown else 0, cost=cost), asked)
    gold = gold_of(data.test, names)[rows.start : rows.stop]
    journal.step(WATCHED, Labelled, lambda: labelled(gold, p, said.replies))
    return Cell(arm=job.main.arm, seed=seed, curve=(point,), cost=cost, run=job.id)


def demonstrations(job: Job, pool: Pool, table: Table, shots: int) -> tuple[Demonstration, ...]:
    """Of the first texts of the shuffle, which people label: classes in turn. More shots hold those of fewer."""
    if not shots:
        return ()
    texts = pool.columns.take(range(min(job.budget, len(pool))))
    names = job.task.names
    targets = np.eye(len(names))[[names.index(table.gold[id_]) for id_ in texts.ids]]
    rows = chosen(Weighted(texts, targets, np.ones(len(texts))), shots, generator(job.seeds[0], "demonstrations"))
    return tuple(_shown(texts, row, table) for row in rows)


def given(p: Floats, replies: tuple[ChatReply | ChatFailure, ...], reads: Llm) -> Floats:
    """(n, classes): nan where the annotator abstains, since the answer is none of the label words."""
    mass = np.array([_mass(reply) for reply in replies])
    return np.where((mass >= reads.least_mass)[:, None], p, np.nan)


def labelled(gold: np.ndarray, p: Floats, replies: tuple[ChatReply | ChatFailure, ...]) -> Labelled:
    """What is looked at beside the score. `gold` are class indices, `p` is as `given` leaves it."""
    answered = np.flatnonzero(~np.isnan(p).any(axis=1))
    mass = np.array([_mass(reply) for reply in replies])
    read = [reply for reply in replies if isinstance(reply, ChatReply)]
    tokens = [reply.cost.tokens_in + reply.cost.tokens_out for reply in read]
    seconds = [reply.cost.seconds for reply in read]
    return Labelled(
        texts=len(gold),
        confidence=tuple(float(p[i].max()) for i in answered),
        correct=tuple(bool(p[i].argmax() == gold[i]) for i in answered),
        mass=float(np.nanmean(mass)) if not np.isnan(mass).all() else np.nan,
        failures=int(np.isnan(mass).sum()),
        tokens=float(np.mean(tokens)) if tokens else np.nan,
        seconds=float(np.mean(seconds)) if seconds else np.nan,
    )


def _mass(reply: ChatReply | ChatFailure) -> float:
    return reply.reading.label_mass if isinstance(reply, ChatReply) and reply.reading is not None else np.nan


def _shown(texts: Columns, row: int, table: Table) -> Demonstration:
    b = texts.texts_b
    return Demonstration(texts.texts[row], table.gold[texts.ids[row]], text_b="" if b is None else b[row])
