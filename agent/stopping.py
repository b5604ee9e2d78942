"""When a run ends. Rules are pure functions of its rounds: they can be asked twice, and replayed on a stored run.

Rules combine: `Budget(labels=100) | Plateau()` stops as soon as either does, `&` once both do.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from agent.domain import Round, Stop
from prompts.messages import Frozen


class Combinable(Frozen):
    """Gives every rule `|` and `&`."""

    def __or__(self, other: "AnyRule") -> "AnyOf":
        return AnyOf.model_validate({"rules": (self, other)})

    def __and__(self, other: "AnyRule") -> "AllOf":
        return AllOf.model_validate({"rules": (self, other)})


class Budget(Combinable):
    """People have given `labels` labels, wherever these were used: training, audit, calibration, validation."""

    kind: Literal["budget"] = "budget"
    labels: int = Field(ge=0)

    def check(self, history: Sequence[Round]) -> Stop | None:
        if not history or history[-1].human_labels < self.labels:
            return None
        spent = history[-1].human_labels
        numbers = {"human_labels": float(spent), "labels": float(self.labels)}
        return Stop(rule=self.kind, reason=f"people gave {spent} of {self.labels} labels", numbers=numbers)


class Rounds(Combinable):
    """`most` rounds are done; Initialize is the first."""

    kind: Literal["rounds"] = "rounds"
    most: int = Field(ge=1)

    def check(self, history: Sequence[Round]) -> Stop | None:
        done = len(history)
        if done < self.most:
            return None
        numbers = {"rounds": float(done), "most": float(self.most)}
        return Stop(rule=self.kind, reason=f"{done} of {self.most} rounds are done", numbers=numbers)


class Plateau(Combinable):
    """The best value of a measure has not risen by `least_gain` for `rounds` rounds.

    Rounds without the measure, or with nan, say nothing and are left out.
    """

    kind: Literal["plateau"] = "plateau"
    measure: str = "mean_confidence"
    """A key of `Round.measures`; larger is better. By default the student's mean confidence over U."""
    rounds: int = Field(default=3, ge=1)
    least_gain: float = Field(default=0.005, ge=0.0)

    def check(self, history: Sequence[Round]) -> Stop | None:
        values = _series(history, self.measure)
        if len(values) <= self.rounds:
            return None
        before, since = max(values[: -self.rounds]), max(values[-self.rounds :])
        if since - before >= self.least_gain and since > before:
            return None
        reason = f"{self.measure} went from {before:.4g} to {since:.4g} in {self.rounds} rounds"
        numbers = {"before": before, "since": since, "least_gain": self.least_gain}
        return Stop(rule=self.kind, reason=reason, numbers=numbers)


class StableUncertainty(Combinable):
    """The student's mean entropy over U has moved by at most `tolerance` nats from round to round, `rounds` times.

    After the overall-uncertainty criterion of Zhu et al. (2010), on its change instead of its level: the level that
    counts as certain differs from task to task.
    """

    kind: Literal["stable-uncertainty"] = "stable-uncertainty"
    rounds: int = Field(default=3, ge=1)
    tolerance: float = Field(default=0.01, ge=0.0)
    """Nats."""

    def check(self, history: Sequence[Round]) -> Stop | None:
        values = _series(history, "mean_entropy")
        if len(values) <= self.rounds:
            return None
        moved = float(np.abs(np.diff(values[-self.rounds - 1 :])).max())
        if moved > self.tolerance:
            return None
        reason = f"mean entropy moved by at most {moved:.4g} nats in {self.rounds} rounds"
        numbers = {"moved": moved, "tolerance": self.tolerance, "mean_entropy": values[-1]}
        return Stop(rule=self.kind, reason=reason, numbers=numbers)


class AnyOf(Combinable):
    """Stops as soon as one of its rules does; the first of them in the list is named."""

    kind: Literal["any-of"] = "any-of"
    rules: tuple["AnyRule", ...] = Field(min_length=1)

    def check(self, history: Sequence[Round]) -> Stop | None:
        return next((stop for rule in self.rules if (stop := rule.check(history)) is not None), None)


class AllOf(Combinable):
    """Stops once all of its rules do."""

    kind: Literal["all-of"] = "all-of"
    rules: tuple["AnyRule", ...] = Field(min_length=1)

    def check(self, history: Sequence[Round]) -> Stop | None:
        found = [rule.check(history) for rule in self.rules]
        stops = [stop for stop in found if stop is not None]
        if len(stops) < len(found):
            return None
        numbers = {f"{stop.rule}.{name}": value for stop in stops for name, value in stop.numbers.items()}
        rule, reason = " and ".join(stop.rule for stop in stops), "; ".join(stop.reason for stop in stops)
        return Stop(rule=rule, reason=reason, numbers=numbers)


StoppingSpec = Budget | Rounds | Plateau | StableUncertainty | AnyOf | AllOf
"""The closed union of all rules, told apart by `kind`."""

AnyRule = Annotated[StoppingSpec, Field(discriminator="kind")]

AnyOf.model_rebuild()
AllOf.model_rebuild()


def _series(history: Sequence[Round], measure: str) -> list[float]:
    values = [round_.measures[measure] for round_ in history if measure in round_.measures]
    return [value for value in values if not np.isnan(value)]
