"""What is looked at beside the score of a run: who really chose, what was answered, and what it took."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from agent.domain import Batch
from agent.query.diagnose import Overlap, own_ids, shared
from evaluation import metrics
from evaluation.records import Cell, Choosing, Measured
from evaluation.study import Planned
from prompts.messages import Frozen


class Selected(Frozen):
    """A run in which the LLM selected. How it chose over all of its lists is in the run's cell."""

    kind: Literal["select"] = "select"
    chosen: tuple[str, ...]
    """Its own picks of the first batch: later ones are chosen from what earlier ones left."""
    window: int
    """Texts that these were chosen from; with equal shuffles the smaller window is the head of the larger one."""


class Labelled(Frozen):
    """A run in which the LLM labelled texts with known labels."""

    kind: Literal["annotate"] = "annotate"
    texts: int
    confidence: tuple[float, ...]
    """Of the label given, for each text that got one."""
    correct: tuple[bool, ...]
    """The same texts."""
    mass: Measured
    """Mean probability that the answer starts with any label word, over the texts that were answered."""
    failures: int
    """Texts without an answer that can be read."""
    tokens: Measured
    """For each text that was answered; those of the calibration sample are in the cost of the run."""
    seconds: Measured

    @property
    def abstained(self) -> int:
        """Texts without a label: those without an answer among them."""
        return self.texts - len(self.confidence)


Watched = Annotated[Selected | Labelled, Field(discriminator="kind")]


class Run(Frozen):
    """One cell of the design on one shuffle of one set, done."""

    plan: Planned
    cell: Cell
    watched: Watched


class Summary(Frozen):
    """The same over several runs; what does not apply is nan."""

    filled: float = math.nan
    quartiles: tuple[float, float, float, float] = (math.nan, math.nan, math.nan, math.nan)
    failures: float = math.nan
    """Share of lists, or of texts, without an answer that can be used."""
    miscounted: float = math.nan
    """Share of lists that were answered with too few or too many texts."""
    progressions: float = math.nan
    by_chance: float = math.nan
    tokens: float = math.nan
    seconds: float = math.nan
    mass: float = math.nan
    ece: float = math.nan
    """Over the texts of all runs together: of a few texts alone it is too large."""
    abstained: float = math.nan
    """Share of texts."""


def selected(batches: Sequence[Batch], window: int) -> Selected:
    """Of the batches of one run in their order."""
    return Selected(chosen=tuple(sorted(own_ids(batches[:1]))), window=window)


def summed(runs: Sequence[Run]) -> Summary:
    """Means over runs; an undefined value is left out."""
    reads = [run.watched for run in runs if isinstance(run.watched, Labelled)]
    return _labelled(reads) if reads else _selected([run.cell for run in runs])


def _selected(cells: Sequence[Cell]) -> Summary:
    found = [cell.choosing or Choosing() for cell in cells]
    quarters = [cell.quartiles for cell in cells if cell.quartiles is not None]
    first, second, third, last = (_mean([each[i] for each in quarters]) for i in range(4))
    return Summary(
        filled=_mean([cell.filled_share for cell in cells if cell.filled_share is not None]),
        quartiles=(first, second, third, last),
        failures=_mean([each.refused for each in found]),
        miscounted=_mean([each.miscounted for each in found]),
        progressions=_mean([each.progressions for each in found]),
        by_chance=_mean([each.by_chance for each in found]),
        tokens=_mean([each.tokens for each in found]),
        seconds=_mean([each.seconds for each in found]),
    )


def _labelled(reads: Sequence[Labelled]) -> Summary:
    texts = sum(run.texts for run in reads)
    correct = np.array([right for run in reads for right in run.correct], dtype=bool)
    return Summary(
        failures=sum(run.failures for run in reads) / texts if texts else math.nan,
        abstained=sum(run.abstained for run in reads) / texts if texts else math.nan,
        mass=_mean([run.mass for run in reads]),
        ece=metrics.ece(correct, np.array([each for run in reads for each in run.confidence])),
        tokens=_mean([run.tokens for run in reads]),
        seconds=_mean([run.seconds for run in reads]),
    )


def ece(run: Labelled) -> float:
    """Of one run; biased upwards where it has few texts, as in every run of the same size."""
    return metrics.ece(np.array(run.correct, dtype=bool), np.array(run.confidence))


def overlapping(pairs: Sequence[tuple[Selected | Labelled, Selected | Labelled]]) -> Overlap | None:
    """Mean overlap of the picks of paired runs and its chance; None where nothing was selected.

    Two runs of one shuffle choose from nested windows, so that chance is that of choosing from the larger one.
    """
    found = [
        shared(frozenset(a.chosen), frozenset(b.chosen), max(a.window, b.window))
        for a, b in pairs
        if isinstance(a, Selected) and isinstance(b, Selected)
    ]
    if not found:
        return None
    jaccard, chance = _mean([each.jaccard for each in found]), _mean([each.chance for each in found])
    return Overlap(jaccard, chance, math.nan, sum(each.shared for each in found))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan
